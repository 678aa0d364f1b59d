"""`forebay budgets`: limits that all keys of a team, a tenant or the account share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from forebay_cli.connection import add_options, connect
from forebay_cli.limit_options import (
    SCOPE_OPTIONS,
    add_limit_options,
    asked_limits,
    described_limits,
)
from forebay_cli.output import print_json, print_table

NOT_YET = "note: shared limits are kept, and this version does not enforce them; keys' own it does"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `budgets` and its commands."""
    text = "limits that the keys of a team, a tenant or the account share"
    actions = commands.add_parser("budgets", help=text, description=text).add_subparsers(
        required=True, metavar="COMMAND"
    )
    for name, run, text in (
        ("set", run_set, "change the limits of the account, a tenant or a team"),
        ("list", run_list, "list all shared limits"),
    ):
        parser = actions.add_parser(name, help=text, description=text)
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.set_defaults(run=run)
        add_options(parser)
        if name == "set":
            parser.add_argument("--tenant", help="of this tenant (default: of the whole account)")
            parser.add_argument("--team", help="of this team of the tenant")
            add_limit_options(parser, SCOPE_OPTIONS, may_clear=True)


def run_set(args: argparse.Namespace) -> None:
    """Change the limits of a scope."""
    if args.team is not None and args.tenant is None:
        args.wrong_usage("argument --team: needs --tenant")
    asked = asked_limits(args, SCOPE_OPTIONS)
    if not asked:
        args.wrong_usage("say what to change, such as --budget-usd 100")
    whose = {"tenant": args.tenant, "team": args.team}
    with connect(args) as client:
        scope = client.change_scope({**whose, **asked})
    print(NOT_YET, file=sys.stderr)
    if args.json:
        print_json(scope)
    else:
        _print_scopes([scope])


def run_list(args: argparse.Namespace) -> None:
    """Print all scopes that have or had limits."""
    with connect(args) as client:
        answer = client.list_scopes()
    if args.json:
        print_json(answer)
    elif answer["scopes"]:
        _print_scopes(answer["scopes"])
    else:
        print("No shared limits: set some with `forebay budgets set --budget-usd USD`.")


def _print_scopes(scopes: list[Mapping[str, Any]]) -> None:
    print_table(
        ("TENANT", "TEAM", "LIMITS", "CHANGED"),
        [
            (
                scope["tenant"] or "(all)",
                scope["team"] or "-",
                described_limits(scope),
                scope["changed_at"],
            )
            for scope in scopes
        ],
    )

"""`forebay keys`: create, list, show, change, rotate and revoke keys."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from typing import Any

from forebay.admission import parse
from forebay_cli.connection import add_options, connect
from forebay_cli.limit_options import (
    KEY_OPTIONS,
    add_limit_options,
    asked_limits,
    described_limits,
)
from forebay_cli.output import print_json, print_table


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `keys` and its commands."""
    keys = commands.add_parser("keys", help="create, list, show, change, rotate and revoke keys")
    actions = keys.add_subparsers(required=True, metavar="COMMAND")

    create = _add(actions, "create", run_create, "create a key; its secret is shown once")
    create.add_argument("--name", required=True, help="what to call it")
    create.add_argument("--tenant", help="whose it is (default: default)")
    create.add_argument("--team", help="part of the tenant")
    add_limit_options(create, KEY_OPTIONS, may_clear=False)
    _add(actions, "list", run_list, "list all keys")
    parsers = {
        name: _add(actions, name, run, text)
        for name, run, text in (
            ("show", run_show, "show one key"),
            ("update", run_update, "change what a key may do; what is left out stays"),
            ("rotate", run_rotate, "give a key a new secret, which is shown once"),
            ("revoke", run_revoke, "refuse a key from now on, for good"),
        )
    }
    for parser in parsers.values():
        parser.add_argument("key", metavar="KEY", help="its name or id")
    add_limit_options(parsers["update"], KEY_OPTIONS, may_clear=True)
    parsers["rotate"].add_argument(
        "--overlap",
        type=_duration_s,
        metavar="TIME",
        help="how long the secret that it has now still opens: 90s, 30m, 24h, 7d, or 0 for one "
        "that leaked (default: 24h)",
    )


def run_create(args: argparse.Namespace) -> None:
    """Create a key and print its secret, this once."""
    asked = {name: getattr(args, name) for name in ("name", "tenant", "team")}
    wanted = {name: value for name, value in asked.items() if value is not None}
    wanted |= asked_limits(args, KEY_OPTIONS)
    with connect(args) as client:
        key = client.create_key(wanted)
    if args.json:
        print_json(key)
        return
    _print_secret(f"Created key {key['name']} ({key['id']}) of tenant {key['tenant']}.", key)


def run_list(args: argparse.Namespace) -> None:
    """Print all keys, the oldest first."""
    with connect(args) as client:
        answer = client.list_keys()
    if args.json:
        print_json(answer)
    elif answer["keys"]:
        _print_keys(answer["keys"])
    else:
        print("No keys yet: create one with `forebay keys create --name NAME`.")


def run_show(args: argparse.Namespace) -> None:
    """Print one key."""
    with connect(args) as client:
        key = client.show_key(key_named(args.key))
    if args.json:
        print_json(key)
    else:
        _print_keys([key])


def run_update(args: argparse.Namespace) -> None:
    """Change what a key may do."""
    asked = asked_limits(args, KEY_OPTIONS)
    if not asked:
        args.wrong_usage("say what to change, such as --rpm 60 or --clear rpm")
    with connect(args) as client:
        key = client.change_key(key_named(args.key), asked)
    if args.json:
        print_json(key)
    else:
        _print_keys([key])


def run_rotate(args: argparse.Namespace) -> None:
    """Give a key a new secret and print it, this once."""
    with connect(args) as client:
        key = client.rotate_key(key_named(args.key), args.overlap)
    if args.json:
        print_json(key)
        return
    until = key["former_secret_until"]
    former = f"still opens until {until}" if until else "is refused everywhere within 2 seconds"
    _print_secret(f"Rotated key {key['name']} ({key['id']}); its former secret {former}.", key)


def run_revoke(args: argparse.Namespace) -> None:
    """Revoke a key."""
    with connect(args) as client:
        key = client.revoke_key(key_named(args.key))
    if args.json:
        print_json(key)
    else:
        print(f"Revoked key {key['name']} ({key['id']}): refused everywhere within 2 seconds.")


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)
    add_options(parser)
    return parser


def _print_secret(headline: str, key: Mapping[str, Any]) -> None:
    print(f"{headline} Its secret:\n")
    print(f"  {key['secret']}\n")
    print("It is not shown again: only its hash is stored.")


def _duration_s(text: str) -> int:
    found = _DURATION.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected a time such as 30m, 24h or 7d, not {text!r}")
    return int(found["number"]) * _UNITS_S[found["unit"] or "s"]


_DURATION = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhd]?)")
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def key_named(text: str) -> str:
    """Name the id where somebody pasted the whole secret: it must not end up in a URL's log."""
    secret = parse(text)
    return secret.key_id if secret else text


def _print_keys(keys: list[Mapping[str, Any]]) -> None:
    print_table(
        ("ID", "NAME", "TENANT", "TEAM", "MODELS", "LIMITS", "STATUS", "CREATED"),
        [
            (
                key["id"],
                key["name"],
                key["tenant"],
                key["team"] or "-",
                ",".join(key["models"]) or "all",
                described_limits(key),
                key["status"],
                key["created_at"],
            )
            for key in keys
        ],
    )

"""`forebay keys`: create, list, show and revoke keys."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from forebay.admission import parse
from forebay_cli.connection import add_options, connect
from forebay_cli.output import print_json, print_table


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `keys` and its commands."""
    keys = commands.add_parser("keys", help="create, list, show and revoke keys")
    actions = keys.add_subparsers(required=True, metavar="COMMAND")

    create = _add(actions, "create", run_create, "create a key; its secret is shown once")
    create.add_argument("--name", required=True, help="what to call it")
    create.add_argument("--tenant", help="whose it is (default: default)")
    create.add_argument("--team", help="part of the tenant")
    create.add_argument(
        "--models", type=_model_names, metavar="A,B", help="models it may call (default: all)"
    )
    _add(actions, "list", run_list, "list all keys")
    for name, run, text in (
        ("show", run_show, "show one key"),
        ("revoke", run_revoke, "refuse a key from now on, for good"),
    ):
        _add(actions, name, run, text).add_argument("key", metavar="KEY", help="its name or id")


def run_create(args: argparse.Namespace) -> None:
    """Create a key and print its secret, this once."""
    asked = {name: getattr(args, name) for name in ("name", "tenant", "team", "models")}
    with connect(args) as client:
        key = client.create_key({name: value for name, value in asked.items() if value is not None})
    if args.json:
        print_json(key)
        return
    print(f"Created key {key['name']} ({key['id']}) of tenant {key['tenant']}. Its secret:\n")
    print(f"  {key['secret']}\n")
    print("It is not shown again: only its hash is stored.")


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
        key = client.show_key(_key_named(args.key))
    if args.json:
        print_json(key)
    else:
        _print_keys([key])


def run_revoke(args: argparse.Namespace) -> None:
    """Revoke a key."""
    with connect(args) as client:
        key = client.revoke_key(_key_named(args.key))
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


def _model_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected names with commas between, not {text!r}")
    return names


def _key_named(text: str) -> str:
    """Name the id where somebody pasted the whole secret: it must not end up in a URL's log."""
    secret = parse(text)
    return secret.key_id if secret else text


def _print_keys(keys: list[Mapping[str, Any]]) -> None:
    print_table(
        ("ID", "NAME", "TENANT", "TEAM", "MODELS", "STATUS", "CREATED"),
        [
            (
                key["id"],
                key["name"],
                key["tenant"],
                key["team"] or "-",
                ",".join(key["models"]) or "all",
                key["status"],
                key["created_at"],
            )
            for key in keys
        ],
    )

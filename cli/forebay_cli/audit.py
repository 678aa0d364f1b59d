"""`forebay audit`: what operators did."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from forebay_cli.connection import add_options, connect
from forebay_cli.keys import key_named
from forebay_cli.output import print_json, print_table


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `audit`."""
    text = "show who did what, the newest first"
    parser = commands.add_parser("audit", help=text, description=text)
    parser.add_argument("--key", help="to one key: its name or id (default: to any)")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many (default: 100)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)
    add_options(parser)


def run(args: argparse.Namespace) -> None:
    """Print the audit trail."""
    query = {}
    if args.key is not None:
        query["key"] = key_named(args.key)
    if args.limit is not None:
        query["limit"] = str(args.limit)
    with connect(args) as client:
        answer = client.audit(query)
    if args.json:
        print_json(answer)
    elif answer["entries"]:
        _print_entries(answer["entries"])
    else:
        print("Nothing was done yet.")


def _print_entries(entries: list[Mapping[str, Any]]) -> None:
    print_table(
        ("AT", "ACTION", "ON", "CHANGED", "BY"),
        [
            (
                entry["at"],
                entry["action"],
                entry["subject"],
                _changed(entry["before"], entry["after"]),
                entry["actor"] or "-",
            )
            for entry in entries
        ],
    )


def _changed(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """Name the fields that differ; what was made or counts by itself is not worth naming."""
    if before is None or after is None:
        return "-"
    names = [
        name
        for name, value in after.items()
        if value != before.get(name) and name not in {"version", "changed_at"}
    ]
    return ",".join(names) or "-"

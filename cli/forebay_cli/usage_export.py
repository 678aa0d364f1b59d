"""`forebay usage export`: the ledger's rows, in columns that cost tools know."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from forebay_cli.connection import add_options, connect
from forebay_cli.csv_output import print_csv

if TYPE_CHECKING:
    from forebay_cli.client import AdminClient


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `export`."""
    text = "print the ledger's rows, in the columns of FOCUS 1.0 where it has them"
    parser = commands.add_parser("export", help=text, description=text)
    parser.add_argument("--format", choices=("csv", "jsonl"), default="csv")
    # Both also stand on `usage`: a default here would overwrite what was given there.
    parser.add_argument(
        "--from",
        dest="first_day",
        metavar="DAY",
        default=argparse.SUPPRESS,
        help="first UTC day (default: 30 days in all)",
    )
    parser.add_argument(
        "--to",
        metavar="DAY",
        default=argparse.SUPPRESS,
        help="last UTC day, 2026-11-23 (default: today)",
    )
    parser.set_defaults(run=run)
    add_options(parser)


def run(args: argparse.Namespace) -> None:
    """Print rows as they come, a page at a time."""
    asked = {"from": args.first_day, "to": args.to}
    with connect(args) as client:
        report = client.usage({name: day for name, day in asked.items() if day is not None})
        rows = _rows(client, report["from"], report["to"])
        if args.format == "csv":
            print_csv(rows)
        else:
            for row in rows:
                print(json.dumps(row))


def _rows(client: AdminClient, first: str, last: str) -> Iterator[dict[str, Any]]:
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        after: str | None = None
        while True:
            page = client.ledger_rows(day.isoformat(), after)
            yield from page["rows"]
            after = page["next"]
            if after is None:
                break
        day += timedelta(days=1)

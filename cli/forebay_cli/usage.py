"""`forebay usage`: what was used, and what it cost."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from forebay.money import NanoUsd, format_usd
from forebay_cli import usage_export
from forebay_cli.connection import add_options, connect
from forebay_cli.csv_output import print_csv
from forebay_cli.output import print_json, print_table
from forebay_cli.usage_check import check

_HEAD = ("REQUESTS", "INPUT", "CACHED", "OUTPUT", "COST USD")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `usage`."""
    text = "add up requests, tokens and cost"
    parser = commands.add_parser(
        "usage", help=text, description=f"{text}; what ended 2 seconds ago may be missing yet"
    )
    usage_export.add_parser(parser.add_subparsers(title="commands", metavar="[export]"))
    parser.add_argument("--key", help="of one key: its name or id (default: of all)")
    parser.add_argument(
        "--by", choices=("day", "model", "key", "team", "tag"), help="one row for each"
    )
    parser.add_argument(
        "--from", dest="first_day", metavar="DAY", help="first UTC day (default: 30 days in all)"
    )
    parser.add_argument("--to", metavar="DAY", help="last UTC day, 2026-11-23 (default: today)")
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare what is added up with the ledger's rows; status 1 if anything differs",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--csv", action="store_true", help="print comma-separated values")
    parser.set_defaults(run=run, wrong_usage=parser.error)
    add_options(parser)


def run(args: argparse.Namespace) -> None:
    """Print a report."""
    asked = {"from": args.first_day, "to": args.to, "by": args.by, "key": args.key}
    asked = {name: value for name, value in asked.items() if value is not None}
    if args.check and (args.by or args.key is not None or args.csv):
        args.wrong_usage("argument --check: not allowed with --by, --key or --csv")
    with connect(args) as client:
        if args.check:
            check(client, asked, as_json=args.json)
            return
        report = client.usage(asked)
    if args.json:
        print_json(report)
    elif args.csv:
        print_csv(report["rows"])
    else:
        _print_report(report)


def _print_report(report: Mapping[str, Any]) -> None:
    print(f"{report['from']} to {report['to']} (UTC)\n")
    by = report["by"]
    if by is None:
        print_table(_HEAD, [_cells(report["total"])], numbers=len(_HEAD))
        return
    rows = [(_label(by, row), *_cells(row)) for row in report["rows"]]
    total = ("total", *_cells(report["total"]))
    print_table((by.upper(), *_HEAD), [*rows, total], numbers=len(_HEAD))


def _label(by: str, row: Mapping[str, Any]) -> str:
    # A team's name says little without its tenant, and keys without a team have none.
    return str(row["id"] if by == "team" else row[by])


def _cells(totals: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{totals['requests']:,}",
        f"{totals['input_tokens']:,}",
        f"{totals['cached_input_tokens']:,}",
        f"{totals['output_tokens']:,}",
        format_usd(NanoUsd(totals["cost_nano_usd"])),
    )

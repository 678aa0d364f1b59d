"""`forebay cost`: what AWS charges for a Forebay itself, without what the models cost."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from typing import Any

from forebay_cli.bill import Bill, Load, PriceTable, bill_of, read_prices
from forebay_cli.output import print_json, print_table

MOST_REQUESTS = 10**9
"""A day; beyond this a number is a slip."""

MOST_SECONDS = 900
"""Lambda's longest."""

NO_FRACTION = 10
"""Quantities from here on are printed whole."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `cost`."""
    text = "estimate AWS's bill for this template, line by line, from list prices"
    parser = commands.add_parser("cost", help=text, description=text)
    usual = Load(0)
    add = parser.add_argument
    add("--requests-per-day", type=_whole(0, MOST_REQUESTS), required=True, metavar="N")
    add(
        "--tokens",
        type=_whole(0, 10**6),
        default=usual.output_tokens,
        metavar="N",
        help="output tokens of an answer",
    )
    add("--seconds", type=_seconds, default=usual.seconds, help="an answer takes")
    add(
        "--memory",
        type=_whole(256, 10240),
        default=usual.memory_mb,
        metavar="MB",
        help="of the gateway: the template's parameter MemorySize",
    )
    add(
        "--months",
        type=_whole(1, 13),
        default=usual.months,
        metavar="N",
        help="how long it has run: the ledger keeps rows for 13",
    )
    add(
        "--free-tier",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="count what every account has free each month, for good",
    )
    add("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the bill."""
    load = Load(args.requests_per_day, args.seconds, args.memory, args.tokens, args.months)
    table = read_prices()
    bill = bill_of(load, table, free_tier=args.free_tier)
    if args.json:
        print_json(_as_json(load, table, bill))
    else:
        _print_bill(load, table, bill, free_tier=args.free_tier)


def _as_json(load: Load, table: PriceTable, bill: Bill) -> dict[str, Any]:
    """Amounts are decimal strings: a price of $0.0000133334 is no binary fraction."""
    items = zip(table.prices, bill.lines, strict=True)
    return {
        "region": table.region,
        "as_of": table.as_of.isoformat(),
        "requests_per_day": load.requests_per_day,
        "lines": [
            {
                "item": item,
                "unit": line.price.unit,
                "quantity": f"{line.quantity:.6f}",
                "free": f"{line.free:.6f}",
                "unit_usd": f"{line.price.usd:f}",
                "usd": f"{line.usd:.6f}",
            }
            for item, line in items
        ],
        "total_usd": f"{bill.usd:.6f}",
    }


def _print_bill(load: Load, table: PriceTable, bill: Bill, *, free_tier: bool) -> None:
    print(
        f"{load.requests_per_day:,} requests a day of {load.seconds} s and"
        f" {load.output_tokens:,} tokens, {load.memory_mb} MB; 30 days, {table.region}, list prices"
        f" as of {table.as_of},\n{'with' if free_tier else 'without'} the free tier,"
        " without taxes and without what the models cost.\n"
    )
    rows = [
        (
            line.price.name,
            f"{_quantity(line.quantity)} {line.price.unit}",
            _quantity(line.free),
            f"{line.usd:,.2f}",
        )
        for line in bill.lines
    ]
    total = ("total a month", "", "", f"{bill.usd:,.2f}")
    print_table(("WHAT", "QUANTITY", "FREE", "USD"), [*rows, total], numbers=3)


def _quantity(amount: Decimal) -> str:
    whole = amount >= NO_FRACTION or amount == amount.to_integral()
    return f"{amount:,.0f}" if whole else f"{amount:,.2f}"


def _whole(least: int, most: int) -> Any:
    """Return a reader of whole numbers between two, which may be written 1_000_000 or 1,000,000."""

    def read(text: str) -> int:
        try:
            number = int(text.replace(",", ""))
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"expected {least} to {most}, not {text!r}")
        return number

    return read


def _seconds(text: str) -> Decimal:
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        seconds = Decimal(0)
    if not (seconds.is_finite() and 0 < seconds <= MOST_SECONDS):
        raise argparse.ArgumentTypeError(f"expected up to {MOST_SECONDS}, not {text!r}")
    return seconds

"""`forebay usage --check`: the roll-ups compared with the ledger's rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from forebay_cli.output import CommandFailed, print_json

if TYPE_CHECKING:
    from forebay_cli.client import AdminClient


def check(client: AdminClient, period: Mapping[str, str], *, as_json: bool) -> None:
    """Compare day by day and print what differs.

    Args:
        client: The admin API.
        period: `from` and `to`, where given.
        as_json: Print one object.

    Raises:
        CommandFailed: Something differs.
    """
    report = client.usage(period)
    days = [client.check_usage(day) for day in _days(report["from"], report["to"])]
    found: dict[str, Any] = {
        "from": report["from"],
        "to": report["to"],
        "requests": sum(day["rows"]["requests"] for day in days),
        "cost_nano_usd": sum(day["rows"]["cost_nano_usd"] for day in days),
        "pending_requests": sum(day["pending_requests"] for day in days),
        "differences": [
            {"day": day["day"], **difference} for day in days for difference in day["differences"]
        ],
    }
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["differences"]:
        raise CommandFailed(
            f"{len(found['differences'])} roll-ups are not the sums of their rows. The rows are "
            "what is right; look for `ledger_batch_failed` in the settler's log, and into the "
            "queue of what it gave up."
        )


def _days(first: str, last: str) -> Iterator[str]:
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        yield day.isoformat()
        day += timedelta(days=1)


def _print(found: Mapping[str, Any]) -> None:
    print(f"{found['from']} to {found['to']} (UTC): {found['requests']:,} requests in the ledger")
    for difference in found["differences"]:
        print(_sentence(difference))
    if found["pending_requests"]:
        print(f"{found['pending_requests']:,} of the last minute are not counted yet")
    elif not found["differences"]:
        print("all roll-ups are equal to their rows, to the nano-dollar")


def _sentence(difference: Mapping[str, Any]) -> str:
    by, rows, counted = difference["by"], difference["in_rows"], difference["in_roll_up"]
    apart = ", ".join(
        f"{name} {rows[name]} in rows, {counted[name]} in roll-up"
        for name in rows
        if rows[name] != counted[name]
    )
    return f"{difference['day']} {by} {difference.get('id', difference[by])}: {apart}"

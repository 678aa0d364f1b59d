"""The admin API's part on usage.

::

    GET    /v1/admin/usage           add up
    GET    /v1/admin/usage/check     compare the roll-ups of a day with its rows
    GET    /v1/admin/usage/rows      the rows of a day, page by page
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from forebay.errors import InvalidRequest
from forebay.rollups import Dimension, Group, Totals
from forebay.service.ledger_export import LedgerExport
from forebay.service.reconciliation import DayCheck, Difference, Reconciliation
from forebay.service.usage import Report, UsageQuery, UsageReport, parse_day
from forebay.web.admin_replies import read_query, reply

_COUNTERS = ("requests", "input_tokens", "cached_input_tokens", "output_tokens", "cost_nano_usd")


@dataclass(frozen=True, slots=True)
class UsageDesk:
    """What operators can ask of usage."""

    report: UsageReport
    reconciliation: Reconciliation
    export: LedgerExport


def route_usage(resolver: APIGatewayRestResolver, desk: UsageDesk) -> None:
    """Add the routes."""

    @resolver.get("/v1/admin/usage")
    def report() -> Response[str]:
        asked = read_query(resolver, ("from", "to", "by", "key"))
        query = UsageQuery(
            first_day=asked.get("from"),
            last_day=asked.get("to"),
            by=_dimension(asked["by"]) if "by" in asked else None,
            key=asked.get("key"),
        )
        return reply(200, _report(desk.report.make(query)))

    @resolver.get("/v1/admin/usage/check")
    def check() -> Response[str]:
        asked = read_query(resolver, ("day",))
        return reply(200, _check(desk.reconciliation.check(_day(asked))))

    @resolver.get("/v1/admin/usage/rows")
    def rows() -> Response[str]:
        asked = read_query(resolver, ("day", "after"))
        try:
            page = desk.export.page(_day(asked), after=asked.get("after"))
        except ValueError as fault:
            raise InvalidRequest("`after` must be a page's `next`.", param="after") from fault
        return reply(200, {"rows": page.rows, "next": page.next})


def _day(asked: Mapping[str, str]) -> str:
    return parse_day("day", asked.get("day", "")).isoformat()


def _dimension(text: str) -> Dimension:
    try:
        return Dimension(text)
    except ValueError as fault:
        known = ", ".join(Dimension)
        raise InvalidRequest(f"`by` must be one of {known}.", param="by") from fault


def _report(report: Report) -> dict[str, Any]:
    total = _totals(report.total)
    if report.by is None:
        rows = [total]
    else:
        rows = [_named(report.by, group) | _totals(totals) for group, totals in report.rows]
    return {
        "from": report.first_day.isoformat(),
        "to": report.last_day.isoformat(),
        "by": report.by,
        "rows": rows,
        "total": total,
    }


def _named(by: Dimension, group: Group) -> dict[str, Any]:
    if by in {Dimension.KEY, Dimension.TEAM}:
        # Names need not be unique: keys of one name, teams of two tenants. The id is.
        return {by: group.label, "id": group.id}
    return {by: group.label}


def _totals(totals: Totals) -> dict[str, Any]:
    return {name: getattr(totals, name) for name in _COUNTERS}


def _check(found: DayCheck) -> dict[str, Any]:
    return {
        "day": found.day,
        "rows": asdict(found.in_rows),
        "pending_requests": found.pending_requests,
        "differences": [_difference(each) for each in found.differences],
    }


def _difference(found: Difference) -> dict[str, Any]:
    dimension, group = found.roll_up.dimension, found.roll_up.group
    return {
        "by": dimension,
        **_named(dimension, group),
        "in_rows": asdict(found.in_rows),
        "in_roll_up": asdict(found.in_roll_up),
    }

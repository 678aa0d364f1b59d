"""The controller function: every minute, repairs what a crash left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from forebay.service.controller import Controller, Duty
from forebay.service.gauges import HoldGauges, TargetGauges
from forebay.service.snapshot_repair import SnapshotRepair
from forebay.service.sweep import Sweep
from forebay.wiring.background import build_background

Handler = Callable[[object, object], Awaitable[dict[str, list[str]]]]


def build_controller(environ: Mapping[str, str]) -> Handler:
    """Build the controller function's handler; what its event says does not matter.

    Raises:
        ConfigurationError: The environment or gateway.toml is wrong; every fault is named.
    """
    parts = build_background(environ)
    repair = SnapshotRepair(parts.fleet, parts.fleet, parts.clock, parts.breaker)
    targets = TargetGauges(parts.fleet, parts.telemetry)
    holds = HoldGauges(parts.limits, parts.telemetry, parts.clock)
    sweep = Sweep(parts.limits, parts.limits, parts.ledger, parts.keys, parts.clock)
    controller = Controller(
        [
            Duty("republish_breakers", repair.republish_breakers),
            Duty("drop_stale_figures", repair.drop_stale_figures),
            Duty("tell_open_breakers", targets.tell_open_breakers),
            Duty("sweep_holds", sweep.run),
            Duty("tell_oldest_hold", holds.tell_oldest_hold),
        ],
        parts.telemetry,
    )

    async def handler(_event: object, _context: object) -> dict[str, list[str]]:
        return {"failed": await controller.run()}

    return handler

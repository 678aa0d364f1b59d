"""The controller function: every minute, repairs what a crash left behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from forebay.service.controller import Controller, Duty
from forebay.service.snapshot_repair import SnapshotRepair
from forebay.wiring.background import build_background

Handler = Callable[[object, object], Awaitable[dict[str, list[str]]]]


def build_controller(environ: Mapping[str, str]) -> Handler:
    """Build the controller function's handler; what its event says does not matter.

    Raises:
        ConfigurationError: The environment or gateway.toml is wrong; every fault is named.
    """
    parts = build_background(environ)
    repair = SnapshotRepair(parts.fleet, parts.fleet, parts.clock, parts.breaker)
    controller = Controller(
        [
            Duty("republish_breakers", repair.republish_breakers),
            Duty("drop_stale_figures", repair.drop_stale_figures),
        ],
        parts.telemetry,
    )

    async def handler(_event: object, _context: object) -> dict[str, list[str]]:
        return {"failed": await controller.run()}

    return handler

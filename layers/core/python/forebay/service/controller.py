"""The controller's round: a list of duties, each on its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from forebay.errors import ForebayError
from forebay.ports import Telemetry


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that must be done again and again, and may be done at any time."""

    name: str
    run: Callable[[], Awaitable[object]]


class Controller:
    """Does its duties, one after the other.

    Args:
        duties: In this order.
        telemetry: Told of those that failed.
    """

    def __init__(self, duties: Sequence[Duty], telemetry: Telemetry) -> None:
        self._duties = duties
        self._telemetry = telemetry

    async def run(self) -> list[str]:
        """Do each duty once; return the names of those that failed. Never raises."""
        failed = []
        for duty in self._duties:
            try:
                await duty.run()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next duty is due too
                code = error.code if isinstance(error, ForebayError) else type(error).__name__
                self._telemetry.incident("duty_failed", f"{duty.name}: {error}", cause=code)
                failed.append(duty.name)
        return failed

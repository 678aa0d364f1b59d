"""One request's part in a shared answer: it leads, and pays, or follows, and owes nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from forebay.ports import Clock
from forebay.service.account import Account
from forebay.service.fleet_flights import FleetFlights, FleetRun
from forebay.service.recording import Head
from forebay.service.single_flight import Flights, Make, Seat
from forebay.settings import SingleFlight


@dataclass(frozen=True, slots=True)
class Sharing:
    """Shares answers among equal requests that run at the same time.

    Args:
        fleet: Shares them among processes.
        clock: Tells the time.
    """

    fleet: FleetFlights
    clock: Clock
    flights: Flights[Account] = field(default_factory=Flights)

    def board(
        self, scope: SingleFlight, account: Account, own: Make, headers: Callable[[], Head]
    ) -> Seat[Account] | None:
        """Take a seat in the answer that others wait for, or will; None: this one runs alone.

        Args:
            scope: Among whom the model's answers are shared.
            account: Of the request.
            own: Makes its own run, if it leads.
            headers: Of its own answer, once that has begun.
        """
        key = account.call.flight
        if key is None or scope is SingleFlight.OFF:
            return None
        if scope is SingleFlight.FLEET:
            own = self._across_fleet(key, account, own, headers)
        return self.flights.join(key, account, own)

    async def follow(self, seat: Seat[Account], account: Account) -> AsyncGenerator[bytes]:
        """Pass on a shared answer, and note whose it is."""
        async for part in seat:
            if account.first_token_at is None:
                account.first_token_at = self.clock.monotonic()
            account.speaker, account.began = seat.pilot.speaker, True
            account.shared_headers = seat.pilot.shared_headers
            yield part
        account.completed()

    def _across_fleet(
        self, key: str, account: Account, own: Make, headers: Callable[[], Head]
    ) -> Make:
        """Let a run look first whether another process answers the same."""
        call = account.call

        def found(theirs: Head) -> None:
            account.shared_headers = theirs.headers

        run = FleetRun(call.request_id, call.ends_at, own, headers, found)
        return lambda: self.fleet.share(key, run)

"""The gateway on memory stores and a scripted provider, in process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp
from typing_extensions import override

from forebay.adapters.memory.clock import ManualClock
from forebay.adapters.memory.entropy import SeededEntropy
from forebay.adapters.memory.fleet import MemoryFleet
from forebay.adapters.memory.idempotency import MemoryIdempotencyRecords
from forebay.adapters.memory.keys import MemoryKeys
from forebay.adapters.memory.ledger import MemoryLedger
from forebay.adapters.memory.limits import MemoryLimits
from forebay.adapters.providers.scripted import ScriptedProvider
from forebay.adapters.telemetry import JsonLines
from forebay.adapters.tokens import TiktokenCounter
from forebay.model import LedgerRow
from forebay.money import Price
from forebay.ports import Keys, Ledger, Provider
from forebay.service.admission import Admission
from forebay.service.authentication import Authenticator
from forebay.service.bounding import Bounding
from forebay.service.catalog import Catalog, Target
from forebay.service.dispatch import Dispatch
from forebay.service.fleet import Fleet
from forebay.service.fleet_flights import FleetFlights
from forebay.service.gateway import Gateway
from forebay.service.idempotency import Idempotency
from forebay.service.keys import KeyDesk, NewKey
from forebay.service.leaves import SoleLeaf
from forebay.service.load import Loads
from forebay.service.settlement import Settlement
from forebay.service.sharing import Sharing
from forebay.service.spending import Spending
from forebay.service.target_dialects import OPENAI, TargetDialect
from forebay.settings import BreakerSettings, ScriptedFaults, ScriptedSettings
from forebay.web.app import Parts, build_app
from tests.support.asgi import Reply, call

PRICE = Price(input=250_000_000, cached_input=25_000_000, output=2_000_000_000)
"""0.25, 0.025 and 2.00 USD per million tokens."""

GUARD_S = 20.0
"""A test that would wait for ever fails instead."""


class HastyClock(ManualClock):
    """Whoever sleeps is at once where it wanted to be: time passes, nobody waits."""

    @override
    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)


@dataclass
class World:
    """A gateway and everything around it."""

    clock: HastyClock = field(default_factory=HastyClock)
    keys: MemoryKeys = field(default_factory=MemoryKeys)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    fleet: MemoryFleet = field(default_factory=MemoryFleet)
    limits: MemoryLimits = field(init=False)
    records: MemoryIdempotencyRecords = field(default_factory=MemoryIdempotencyRecords)
    lines: list[dict[str, Any]] = field(default_factory=list)
    entropy: SeededEntropy = field(default_factory=SeededEntropy)

    def __post_init__(self) -> None:
        self.limits = MemoryLimits(self.clock)

    def desk(self) -> KeyDesk:
        return KeyDesk(self.keys, self.clock, self.entropy)

    def secret(self, **policy: Any) -> str:
        """Make a key and return its secret."""
        return self.desk().create(NewKey(name="test", **policy)).secret.text

    def scripted(self, fault: str | None = None, /, **script: Any) -> ScriptedProvider:
        """Make a provider whose answers all have a fault, if one is named."""
        certain: dict[str, Any] = {fault: 1.0} if fault else {}
        settings = ScriptedSettings(**{"faults": ScriptedFaults(**certain), **script})
        return ScriptedProvider("scripted", settings, self.clock, self.entropy.random)

    def gateway(
        self,
        provider: Provider | None = None,
        *,
        ledger: Ledger | None = None,
        unavailable: Mapping[str, str] | None = None,
        dialect: TargetDialect = OPENAI,
    ) -> Gateway:
        """Build the pipeline with two models, `m` and `org/m`, at one provider."""
        target = Target("scripted", provider or self.scripted(), "script-1", PRICE, dialect)
        catalog = Catalog({"m": (target,), "org/m": (target,)}, unavailable or {})
        return self.gateway_of(catalog, ledger=ledger)

    def gateway_of(self, catalog: Catalog, *, ledger: Ledger | None = None) -> Gateway:
        """Build the pipeline of one process on what the world shares."""
        fleet = Fleet(self.fleet, self.clock, BreakerSettings())
        settlement = Settlement(
            ledger or self.ledger, self.counter(), self.telemetry(), self.clock, fleet
        )
        dispatch = Dispatch(fleet, Loads(self.clock), self.entropy)
        flights = FleetFlights(self.records, self.telemetry(), self.clock, self.entropy)
        sharing = Sharing(flights, self.clock)
        return Gateway(catalog, dispatch, settlement, self.clock, sharing, self.spending())

    def spending(self) -> Spending:
        """Build one process's way to the limits, which the world's processes share."""
        leaves = SoleLeaf(self.limits)
        admission = Admission(self.limits, leaves, self.keys.find, self.clock, self.entropy)
        return Spending(admission, Bounding(self.counter()), self.telemetry())

    def app(
        self,
        provider: Provider | None = None,
        *,
        ledger: Ledger | None = None,
        keys: Keys | None = None,
        unavailable: Mapping[str, str] | None = None,
        dialect: TargetDialect = OPENAI,
    ) -> ASGIApp:
        """Build the application around such a pipeline."""
        gateway = self.gateway(provider, ledger=ledger, unavailable=unavailable, dialect=dialect)
        return self.serve(gateway, keys)

    def serve(self, gateway: Gateway, keys: Keys | None = None) -> ASGIApp:
        """Build the application around a pipeline."""
        authenticator = Authenticator(keys or self.keys, self.clock)
        idempotency = Idempotency(self.records, self.telemetry(), self.clock)
        parts = Parts(
            gateway,
            authenticator,
            idempotency,
            self.telemetry(),
            self.clock,
            self.entropy,
            self.counter(),
        )
        return build_app(parts)

    def counter(self) -> TiktokenCounter:
        return TiktokenCounter(None, self.telemetry())

    def telemetry(self) -> JsonLines:
        return JsonLines(lambda line: self.lines.append(json.loads(line)), self.clock, "Test")

    def request_lines(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["message"] == "request"]

    def incidents(self) -> list[str]:
        """Codes of what was logged apart from requests and attempts that others followed.

        (Nor does the vocabulary count that we do not have here.)
        """
        lines = [line for line in self.lines if not line["message"].startswith("attempt ")]
        codes = [line["error.type"] for line in lines if line["message"] != "request"]
        return [code for code in codes if code != "vocabulary_missing"]

    def rows(self) -> list[LedgerRow]:
        return list(self.ledger.rows(first_day="2027-01-01", last_day="2027-12-31"))


def chat(world: World, app: ASGIApp, **request: Any) -> Reply:
    """Post a chat completion and wait for its end; see `ask`."""
    return asyncio.run(asyncio.wait_for(ask(world, app, **request), GUARD_S))


async def ask(
    world: World,
    app: ASGIApp,
    *,
    break_after: int | None = None,
    reply: Reply | None = None,
    secret: str = "",
    body: bytes = b"",
    **request: Any,
) -> Reply:
    """Post a chat completion with a good key; `request` goes over a smallest good one."""
    smallest = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    return await call(
        app,
        "POST",
        "/v1/chat/completions",
        headers={"authorization": f"Bearer {secret or world.secret()}"},
        body=body or {**smallest, **request},
        break_after=break_after,
        reply=reply,
    )

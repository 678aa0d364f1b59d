"""The gateway on memory stores and a scripted provider, in process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp
from tests.support.asgi import Reply, call
from typing_extensions import override

from forebay.adapters.memory.clock import ManualClock
from forebay.adapters.memory.entropy import SeededEntropy
from forebay.adapters.memory.keys import MemoryKeys
from forebay.adapters.memory.ledger import MemoryLedger
from forebay.adapters.providers.scripted import ScriptedProvider
from forebay.adapters.telemetry import JsonLines
from forebay.adapters.tokens import TiktokenCounter
from forebay.model import LedgerRow
from forebay.money import Price
from forebay.ports import Ledger, Provider
from forebay.service.authentication import Authenticator
from forebay.service.catalog import Catalog, Target
from forebay.service.gateway import Gateway
from forebay.service.keys import KeyDesk, NewKey
from forebay.service.settlement import Settlement
from forebay.settings import ScriptedFailure, ScriptedSettings
from forebay.web.app import Parts, build_app

PRICE = Price(input=250_000_000, cached_input=25_000_000, output=2_000_000_000)
"""0.25, 0.025 and 2.00 USD per million tokens."""


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
    lines: list[dict[str, Any]] = field(default_factory=list)
    entropy: SeededEntropy = field(default_factory=SeededEntropy)

    def desk(self) -> KeyDesk:
        return KeyDesk(self.keys, self.clock, self.entropy)

    def secret(self, **policy: Any) -> str:
        """Make a key and return its secret."""
        return self.desk().create(NewKey(name="test", **policy)).secret.text

    def scripted(self, *, fail: str = "none", **script: int) -> ScriptedProvider:
        settings = ScriptedSettings(fail=ScriptedFailure(fail), **script)
        return ScriptedProvider("scripted", settings, self.clock)

    def app(
        self,
        provider: Provider | None = None,
        *,
        ledger: Ledger | None = None,
        unavailable: Mapping[str, str] | None = None,
    ) -> ASGIApp:
        """Build the application with one model, `m`, at one provider."""
        telemetry = JsonLines(lambda line: self.lines.append(json.loads(line)), self.clock, "Test")
        target = Target("scripted", provider or self.scripted(), "script-1", PRICE)
        settlement = Settlement(
            ledger or self.ledger, TiktokenCounter(None, telemetry), telemetry, self.clock
        )
        catalog = Catalog({"m": (target,), "org/m": (target,)}, unavailable or {})
        gateway = Gateway(catalog, settlement, self.clock, self.entropy)
        return build_app(
            Parts(
                gateway, Authenticator(self.keys, self.clock), telemetry, self.clock, self.entropy
            )
        )

    def rows(self) -> list[LedgerRow]:
        return list(self.ledger.rows(first_day="2027-01-01", last_day="2027-12-31"))


def chat(
    world: World, app: ASGIApp, *, break_after: int | None = None, secret: str = "", **request: Any
) -> Reply:
    """Post a chat completion with a good key; `request` goes over a smallest good one."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **request}
    headers = {"authorization": f"Bearer {secret or world.secret()}"}
    path = "/v1/chat/completions"
    return asyncio.run(call(app, "POST", path, headers=headers, body=body, break_after=break_after))

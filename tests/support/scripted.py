"""Scripted providers for tests: what always goes wrong, and dice that must not be thrown."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from forebay.adapters.memory import ManualClock
from forebay.adapters.providers.scripted import ScriptedProvider
from forebay.model import UpstreamRequest
from forebay.ports import Clock
from forebay.settings import ScriptedFaults, ScriptedSettings
from tests.support.gateway import HastyClock


def always(fault: str, **more: Any) -> ScriptedFaults:
    """Faults of which one strikes each answer; `more` stands in the table beside it."""
    return replace(ScriptedFaults(), **{fault: 1.0, **more})


def no_dice() -> float:
    """Dice of a provider that leaves nothing to chance."""
    raise AssertionError("this provider leaves nothing to chance")


def provider(script: ScriptedSettings, clock: Clock | None = None) -> ScriptedProvider:
    """A scripted provider `p` that leaves nothing to chance."""
    return ScriptedProvider("p", script, clock or ManualClock(), no_dice)


def request(*, stream: bool = False, **fields: Any) -> UpstreamRequest:
    """A chat completion as it goes to a provider; `fields` go over a smallest good one."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return UpstreamRequest("/chat/completions", {}, json.dumps(body).encode(), stream)


def play(
    asked: UpstreamRequest, script: ScriptedSettings, clock: Clock | None = None
) -> list[bytes]:
    """Ask once and return the body as it came; time passes at once."""

    async def main() -> list[bytes]:
        async with await provider(script, clock or HastyClock()).send(asked) as reply:
            return [part async for part in reply.chunks()]

    return asyncio.run(main())

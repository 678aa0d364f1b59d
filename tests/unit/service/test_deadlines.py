"""A request ends by its deadline, whoever sets it, and its caller is told before that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from forebay.dialects.question import chat_question
from forebay.errors import UpstreamError
from forebay.model import KeyRecord, KeyStatus, Outcome
from forebay.resilience.deadline import INVOCATION_MARGIN_S
from forebay.service.account import Call
from forebay.service.catalog import Catalog, ModelPolicy, Target
from forebay.service.target_dialects import OPENAI
from forebay.settings import ModelResilience, ScriptedSettings
from tests.support.asgi import Reply, call
from tests.support.gateway import PRICE, World
from tests.support.scripted import always

SLOW = ScriptedSettings(first_token_ms=1000, token_gap_ms=1000, tokens=60)
"""A minute of one word a second: it keeps every single time-out."""

SILENT = replace(SLOW, faults=always("slow_first_byte", slow_s=600.0))
STALLS = replace(SLOW, token_gap_ms=10, faults=always("stall"))
BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'
KEY = KeyRecord("k", "k", "", "t", None, (), KeyStatus.ACTIVE, 1, 0.0)


@dataclass
class Site:
    script: ScriptedSettings = SLOW
    total_s: float = 840.0
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        provider = self.world.scripted(**vars_of(self.script))
        target = Target("p", provider, "x", PRICE, OPENAI)
        policy = ModelPolicy(ModelResilience(continuation=False), self.total_s)
        catalog = Catalog({"m": (target,), "f": (target,)}, {}, {"m": ("f",)}, {"m": policy})
        self.gateway = self.world.gateway_of(catalog)
        self.app = self.world.serve(self.gateway)

    def ask(self, **headers: str) -> tuple[Reply, float]:
        """Ask, and say how long it took."""
        began = self.world.clock.monotonic()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["authorization"] = f"Bearer {self.world.secret()}"
        path = "/v1/chat/completions"
        reply = asyncio.run(call(self.app, "POST", path, headers=sent, body=BODY))
        return reply, self.world.clock.monotonic() - began


def vars_of(script: ScriptedSettings) -> dict[str, Any]:
    return {name: getattr(script, name) for name in ScriptedSettings.__slots__}


def ended_in_time(reply: Reply, took_s: float, limit_s: float) -> None:
    """It said so, and not much later than it had to."""
    assert reply.events()[-1]["error"]["code"] == "upstream_unavailable"
    assert b"[DONE]" not in reply.body
    assert limit_s - 1 <= took_s <= limit_s + 1


def test_without_a_deadline_it_would_be_whole() -> None:
    reply, took_s = Site().ask()

    assert reply.body.endswith(b"[DONE]\n\n")
    assert took_s > 55


def test_a_stream_that_trickles_ends_when_its_model_has_no_more_time() -> None:
    ended_in_time(*Site(total_s=10).ask(), 10)


@pytest.mark.parametrize("stated", ["5", "5.0", "5s", "5000ms"])
def test_it_ends_when_its_caller_has_no_more_time(stated: str) -> None:
    ended_in_time(*Site().ask(x_forebay_timeout=stated), 5)


def test_a_caller_cannot_ask_for_more_time_than_the_model_has() -> None:
    ended_in_time(*Site(total_s=10).ask(x_forebay_timeout="500"), 10)


@pytest.mark.parametrize("stated", ["soon", "-1", "0", "1e3", ""])
def test_a_time_that_is_none_is_refused(stated: str) -> None:
    site = Site()

    reply, _ = site.ask(x_forebay_timeout=stated)

    assert reply.status == 400
    assert reply.json()["error"]["param"] == "x-forebay-timeout"
    assert site.world.rows() == []


@pytest.mark.parametrize("script", [SILENT, STALLS], ids=["silent", "stalls"])
def test_the_patience_of_an_sdk_shortens_each_wait(script: ScriptedSettings) -> None:
    site = Site(script)

    _, took_s = site.ask(x_stainless_read_timeout="3", x_forebay_timeout="100")

    assert took_s < 4 * 3 + 20
    (row,) = site.world.rows()
    assert {each.result for each in row.attempts} <= {"failed", "cut"}


def test_nobody_is_asked_after_the_deadline() -> None:
    site = Site(SILENT, total_s=10)

    _, took_s = site.ask()

    assert took_s == pytest.approx(10, abs=1)
    assert len(site.world.rows()[0].attempts) == 1


def test_inv3_the_caller_is_told_before_the_invocation_ends() -> None:
    """The sandbox dies at its end, whatever it is doing: the answer stops before."""
    site, ends_in_s = Site(), 40.0
    began = site.world.clock.monotonic()

    async def ask() -> None:
        asked = Call(
            "id", KEY, site.world.clock.now(), began, ends_at=site.world.clock.now() + ends_in_s
        )
        async with site.gateway.answer(chat_question(BODY), asked) as answer:
            async for _ in answer.rest:
                pass

    with pytest.raises(UpstreamError, match="time was up"):
        asyncio.run(ask())
    took_s = site.world.clock.monotonic() - began
    assert took_s <= ends_in_s - INVOCATION_MARGIN_S + 1
    assert site.world.rows()[0].outcome is Outcome.CUT

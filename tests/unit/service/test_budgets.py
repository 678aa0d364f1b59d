"""Keys with limits, through the whole pipeline: what is spent is never above what may be."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from forebay.adapters.providers.scripted import ScriptedProvider
from forebay.model import Budget, KeyPolicy, Outcome
from forebay.money import NanoUsd, Price
from forebay.service.catalog import Catalog, Target
from forebay.service.target_dialects import OPENAI
from forebay.settings import Continuing, ProviderKind, ScriptedSettings
from tests.support.asgi import Reply, call
from tests.support.gateway import PRICE, World
from tests.support.scripted import always, no_dice

ANSWER = ScriptedSettings(tokens=8)
SAID = [{"role": "user", "content": "hi"}]
LIMIT = 100
"""Output tokens that each request asks for at most."""
WORST = 273_000
"""What is held for such a request: the limit, and a bound of its few words, at PRICE."""


@dataclass
class Site:
    """A model with one target, and one fallback where a second script is given."""

    policy: KeyPolicy
    script: ScriptedSettings = ANSWER
    fallback: ScriptedSettings | None = None
    price: Price = PRICE
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        targets = {"m": (self._target("first", self.script),)}
        if self.fallback is not None:
            targets["f"] = (self._target("second", self.fallback),)
        fallbacks = {"m": ("f",)} if self.fallback is not None else {}
        catalog = Catalog(targets, {}, fallbacks)
        self.apps = [self.world.serve(self.world.gateway_of(catalog)) for _ in range(3)]
        self.secret = self.world.secret(policy=self.policy)

    def _target(self, name: str, script: ScriptedSettings) -> Target:
        provider = ScriptedProvider(name, script, self.world.clock, no_dice)
        return Target(
            name,
            provider,
            "x",
            self.price,
            OPENAI,
            continuing=Continuing.PREFILL,
            kind=ProviderKind.SCRIPTED,
        )

    async def request(self, process: int = 0, **more: Any) -> Reply:
        headers = {"authorization": f"Bearer {self.secret}"}
        body = {"model": "m", "messages": SAID, "max_tokens": LIMIT, **more}
        body = {name: value for name, value in body.items() if value is not None}
        path = "/v1/chat/completions"
        return await call(self.apps[process], "POST", path, headers=headers, body=body)

    def ask(self, **more: Any) -> Reply:
        return asyncio.run(self.request(**more))

    def spent(self) -> int:
        return sum(row.cost_nano_usd for row in self.world.rows())


def budget(nano_usd: int, **more: Any) -> KeyPolicy:
    return KeyPolicy(budgets=(Budget(NanoUsd(nano_usd), "day"),), **more)


PLENTY = 10**9


def test_a_key_with_room_is_answered_and_pays() -> None:
    site = Site(budget(PLENTY))

    reply = site.ask()

    assert reply.status == 200
    assert site.spent() == site.world.rows()[0].cost_nano_usd > 0


def test_inv1_a_key_without_room_is_refused_and_nobody_is_asked() -> None:
    site = Site(budget(1000))

    reply = site.ask()

    assert reply.status == 429
    assert reply.json()["error"]["code"] == "insufficient_quota"
    assert reply.headers["x-should-retry"] == "false"
    assert site.world.rows() == []


def test_inv1_a_crowd_spends_no_more_than_the_budget() -> None:
    """Three processes, with room for ten requests at their worst."""
    site = Site(budget(10 * WORST), ScriptedSettings(tokens=1000))
    site.ask(max_tokens=1)  # its leaf is there

    async def crowd() -> list[Reply]:
        return await asyncio.gather(*(site.request(index % 3) for index in range(300)))

    replies = asyncio.run(crowd())

    answered = [reply for reply in replies if reply.status == 200]
    assert {reply.status for reply in replies} == {200, 429}
    assert len(answered) >= 9
    assert len(site.world.rows()) == len(answered) + 1
    assert site.spent() <= 10 * WORST


def test_what_was_held_and_not_spent_can_be_spent() -> None:
    site = Site(budget(WORST + 100_000))

    assert [site.ask().status for _ in range(5)] == [200] * 5


def test_a_request_that_nobody_can_serve_gives_all_of_it_back() -> None:
    site = Site(budget(WORST + 30_000), ScriptedSettings(faults=always("server_error")))

    assert [site.ask().status for _ in range(3)] == [502] * 3
    assert site.spent() == 0


def test_a_request_without_a_limit_gets_one_and_is_told() -> None:
    site = Site(budget(PLENTY), ScriptedSettings(tokens=5000))

    reply = site.ask(max_tokens=None)

    assert reply.headers["x-forebay-output-limit"] == "4096"
    assert reply.json()["choices"][0]["finish_reason"] == "length"
    assert reply.json()["usage"]["completion_tokens"] == 4096


def test_with_little_money_left_the_limit_is_what_half_of_it_pays_for() -> None:
    site = Site(budget(2 * 600 * 2000))

    reply = site.ask(max_tokens=None)

    assert reply.status == 200
    assert 512 <= int(reply.headers["x-forebay-output-limit"]) <= 600


def test_rates_are_told_and_kept() -> None:
    site = Site(KeyPolicy(requests_per_minute=2))

    first, second, third = site.ask(), site.ask(), site.ask()

    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert second.headers["x-ratelimit-remaining-requests"] == "0"
    assert third.status == 429
    assert third.json()["error"]["code"] == "rate_limit_exceeded"
    assert int(third.headers["retry-after"]) <= 30


def test_a_continuation_is_paid_for_too() -> None:
    cuts = ScriptedSettings(tokens=24, faults=always("cut", after_tokens=7))
    site = Site(budget(PLENTY), cuts, ScriptedSettings(tokens=24))

    reply = site.ask(stream=True)

    (row,) = site.world.rows()
    assert reply.body.endswith(b"[DONE]\n\n")
    assert [each.result for each in row.attempts] == ["cut", "complete"]
    assert row.outcome is Outcome.COMPLETE


def test_inv1_a_continuation_without_room_ends_as_an_honest_error() -> None:
    """The hold covers one attempt; there is nothing for a second one."""
    cuts = ScriptedSettings(tokens=24, faults=always("cut", after_tokens=7))
    site = Site(budget(WORST), cuts, ScriptedSettings(tokens=24))

    reply = site.ask(stream=True)

    assert b"[DONE]" not in reply.body
    assert json.loads(reply.body.decode().strip().rpartition("data: ")[2])["error"]
    assert site.spent() <= WORST


def test_inv1_a_dearer_tier_of_service_is_held_for() -> None:
    dear = replace(PRICE, input=2 * PRICE.input, output=2 * PRICE.output)
    price = replace(PRICE, tiers={"priority": dear})
    site = Site(budget(WORST + 1000), price=price)

    assert site.ask(service_tier="default").status == 200
    assert Site(budget(WORST + 1000), price=price).ask(service_tier="priority").status == 429
    assert Site(budget(2 * WORST), price=price).ask(service_tier="priority").status == 200


def test_an_attempt_that_cost_nothing_needs_no_more_room() -> None:
    down = ScriptedSettings(faults=always("server_error"))
    site = Site(budget(WORST), down, ANSWER)

    assert site.ask().status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_key_without_limits_is_not_bounded(stream: bool) -> None:  # noqa: FBT001
    site = Site(KeyPolicy())

    reply = site.ask(max_tokens=None, stream=stream)

    assert reply.status == 200
    assert "x-forebay-output-limit" not in reply.headers


def test_the_books_agree_when_all_is_settled() -> None:
    site = Site(budget(PLENTY))
    for _ in range(5):
        site.ask()

    async def committed() -> int:
        leaf = await site.world.limits.read(f"leaf#{site.secret[3:13]}#0")
        assert leaf is not None
        assert leaf.holds == {}
        return sum(pool.committed for pool in leaf.pools.values())

    assert asyncio.run(committed()) == site.spent()

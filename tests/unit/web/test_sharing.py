"""Equal requests that run at the same time share one upstream call; each has its own row."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from forebay.model import Outcome
from forebay.service.catalog import Catalog, ModelPolicy, Target
from forebay.service.target_dialects import OPENAI
from forebay.settings import ModelResilience, SingleFlight
from tests.support.asgi import Reply
from tests.support.gateway import GUARD_S, PRICE, World, ask
from tests.support.told_provider import DONE, ToldProvider, chunk, usage

COLD = {"stream": True, "temperature": 0}
ANSWER = (chunk("so"), chunk(finish="stop"), usage(3, 2), DONE)


class Site:
    """A process or more, all at one provider that waits for a sign."""

    def __init__(self, scope: SingleFlight = SingleFlight.PROCESS, *, processes: int = 1) -> None:
        self.world = World()
        self.gate = asyncio.Event()
        self.provider = ToldProvider(ANSWER[0], self.gate, *ANSWER[1:])
        target = Target("p", self.provider, "x", PRICE, OPENAI)
        policies = {"m": ModelPolicy(ModelResilience(single_flight=scope))}
        catalog = Catalog({"m": (target,)}, {}, {}, policies)
        self.apps = [self.world.serve(self.world.gateway_of(catalog)) for _ in range(processes)]
        self.secret = self.world.secret(tenant="one")

    def ask(self, process: int = 0, **more: Any) -> Coroutine[Any, Any, Reply]:
        return ask(self.world, self.apps[process], **{"secret": self.secret, **COLD, **more})

    async def together(self, *requests: Coroutine[Any, Any, Reply]) -> list[Reply]:
        """Start requests one after the other, then let the provider go on."""
        tasks = [asyncio.create_task(request) for request in requests]
        for _ in range(50):
            await asyncio.sleep(0)
        self.gate.set()
        return await asyncio.gather(*tasks)


def run(main: Coroutine[Any, Any, Any]) -> None:
    asyncio.run(asyncio.wait_for(main, GUARD_S))


def test_ten_callers_have_one_upstream_call_and_a_row_each() -> None:
    async def main() -> None:
        site = Site()

        replies = await site.together(*(site.ask() for _ in range(10)))

        assert len({reply.body for reply in replies}) == 1
        assert replies[0].body.endswith(DONE)
        assert len(site.provider.requests) == 1
        rows = site.world.rows()
        assert len(rows) == 10
        assert sorted(row.cost_nano_usd for row in rows) == [0] * 9 + [3 * 250 + 2 * 2000]
        assert {row.outcome for row in rows} == {Outcome.COMPLETE}
        assert {row.provider for row in rows} == {"p"}

    run(main())


@pytest.mark.parametrize(
    "different",
    [{"temperature": 0.5}, {"temperature": None}, {"n": 2}, {"seed": 1}, {"max_tokens": 9}],
    ids=str,
)
def test_who_asks_something_else_has_a_call_of_their_own(different: dict[str, Any]) -> None:
    async def main() -> None:
        site = Site()

        await site.together(site.ask(), site.ask(**different))

        assert len(site.provider.requests) == 2

    run(main())


def test_inv5_another_tenant_has_a_call_of_its_own() -> None:
    async def main() -> None:
        site = Site()
        other = site.world.secret(tenant="two")

        await site.together(site.ask(), site.ask(secret=other))

        assert len(site.provider.requests) == 2

    run(main())


def test_a_model_can_be_kept_from_sharing() -> None:
    async def main() -> None:
        site = Site(SingleFlight.OFF)

        await site.together(site.ask(), site.ask())

        assert len(site.provider.requests) == 2

    run(main())


def test_the_answer_goes_on_for_those_who_stay_when_the_first_one_leaves() -> None:
    async def main() -> None:
        site = Site()

        _, stays = await site.together(site.ask(break_after=1), site.ask())

        assert stays.body.endswith(DONE)
        assert len(site.provider.requests) == 1
        first, second = sorted(site.world.rows(), key=lambda row: row.cost_nano_usd)
        assert (first.cost_nano_usd, second.cost_nano_usd) == (0, 3 * 250 + 2 * 2000)

    run(main())


def test_a_request_that_no_target_can_serve_is_refused_to_all_and_has_no_row() -> None:
    async def main() -> None:
        site = Site()

        replies = await site.together(site.ask(model="no"), site.ask(model="no"))

        assert [reply.status for reply in replies] == [404, 404]
        assert site.world.rows() == []

    run(main())


def test_processes_share_too_where_a_model_says_so() -> None:
    async def main() -> None:
        site = Site(SingleFlight.FLEET, processes=3)

        replies = await site.together(*(site.ask(process) for process in range(3)))

        assert len({reply.body for reply in replies}) == 1
        assert len(site.provider.requests) == 1
        assert {reply.headers["x-forebay-target"] for reply in replies} == {"p/x"}
        rows = site.world.rows()
        assert sorted(row.cost_nano_usd for row in rows) == [0, 0, 3 * 250 + 2 * 2000]

    run(main())

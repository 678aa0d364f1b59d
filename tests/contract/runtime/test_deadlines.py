"""What ends a call from outside: its deadline, and the end of the process."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.contract.runtime.fake_runtime_api import answer_with, rest_event, run, running


def test_a_hook_that_hangs_is_cancelled_at_the_deadline() -> None:
    async def main() -> None:
        async def app(scope: Any, _receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope["extensions"]["lambda"]["before_next"](asyncio.Event().wait)
                await answer_with(send, b"done")

        async with running(app, deadline_margin_s=0.0) as runtime:
            await runtime.api.invoke(rest_event(), deadline_in_s=0.1).until_whole()
            await runtime.api.until_polled(2)

    run(main())


def test_a_deadline_before_the_first_byte_is_reported_as_error() -> None:
    async def main() -> None:
        async def app(scope: Any, _receive: Any, _send: Any) -> None:
            if scope["type"] == "http":
                await asyncio.Event().wait()

        async with running(app, deadline_margin_s=5.0) as runtime:
            answer = await runtime.api.invoke(rest_event(), deadline_in_s=5).until_whole()
            assert answer.kind == "error"
            assert json.loads(answer.body)["errorType"] == "Runtime.DeadlineExceeded"

    run(main())


def test_an_app_that_ignores_cancellation_does_not_hold_up_the_next_invocation() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return
            if scope["path"] == "/v1/stubborn":
                while not release.is_set():
                    try:
                        await release.wait()
                    except asyncio.CancelledError:
                        continue
            await answer_with(send, b"next")

        async with running(app, deadline_margin_s=0.05) as runtime:
            stubborn = runtime.api.invoke(rest_event(proxy="stubborn"), deadline_in_s=0.1)
            after = runtime.api.invoke(rest_event())
            await after.until_whole()
            assert stubborn.kind == "error"
            release.set()

    run(main())


def test_one_call_past_its_deadline_leaves_the_others_alone() -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await go_on.wait()
                await answer_with(send, b"fine")

        async with running(app, concurrency=2, deadline_margin_s=1.0) as runtime:
            slow = runtime.api.invoke(rest_event())
            late = runtime.api.invoke(rest_event(), deadline_in_s=1)
            await late.until_whole()
            go_on.set()
            await slow.until_whole()
            assert (late.kind, slow.streamed) == ("error", b"fine")

    run(main())


def test_stop_lets_a_running_call_end_and_polls_no_more() -> None:
    async def main() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                begun.set()
                await go_on.wait()
                await answer_with(send, b"whole")

        async with running(app, concurrency=2) as runtime:
            answer = runtime.api.invoke(rest_event())
            await runtime.api.until_polled(2)
            await begun.wait()
            runtime.loop.stop()
            runtime.loop.stop()
            go_on.set()
            await answer.until_whole()
            assert runtime.api.polls == 2

    run(main())


def test_after_the_grace_running_calls_are_cancelled() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def app(scope: Any, _receive: Any, _send: Any) -> None:
            if scope["type"] == "http":
                begun.set()
                await asyncio.Event().wait()

        async with running(app, shutdown_grace_s=0.0) as runtime:
            answer = runtime.api.invoke(rest_event())
            await begun.wait()
            runtime.loop.stop()
            await answer.until_whole()
            assert json.loads(answer.body)["errorType"] == "Runtime.Shutdown"

    run(main())

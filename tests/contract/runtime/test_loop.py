"""The loop around the answers: deadlines, freezes, workers, hooks, dead connections, the end."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

from lambda_streaming.clock import Clock
from lambda_streaming.connection import connector
from lambda_streaming.context import current_trace_id
from tests.contract.runtime.fake_runtime_api import (
    FakeRuntimeApi,
    answer_with,
    rest_event,
    run,
    running,
)


async def echo_extension(scope: Any, _receive: Any, send: Any) -> None:
    """Answer with what the runtime tells of the freeze."""
    if scope["type"] == "http":
        frozen_s = scope["extensions"]["lambda"]["frozen_s"]
        await answer_with(send, f"{frozen_s:.0f}".encode())


class FreezingClock:
    """A wall clock that the test can set ahead of the monotonic one."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        real = Clock()
        self.clock = Clock(lambda: real.wall() + self.ahead_s, real.monotonic)


def test_a_freeze_of_ten_minutes_is_told_to_the_app() -> None:
    async def main() -> None:
        freezing = FreezingClock()
        async with running(echo_extension, clock=freezing.clock) as runtime:
            before = await runtime.api.invoke(rest_event()).until_whole()
            await runtime.api.until_polled(2)
            freezing.ahead_s = 600.0
            after = runtime.api.invoke(rest_event(), deadline_in_s=660)
            await after.until_whole()
            assert (before.streamed, after.streamed) == (b"0", b"600")

    run(main())


def test_a_wall_clock_set_back_is_no_freeze() -> None:
    async def main() -> None:
        freezing = FreezingClock()
        async with running(echo_extension, clock=freezing.clock) as runtime:
            await runtime.api.until_polled(1)
            freezing.ahead_s = -600.0
            answer = await runtime.api.invoke(rest_event()).until_whole()
            assert answer.streamed == b"0"

    run(main())


async def no_waiting(seconds: float) -> None:
    raise AssertionError(f"a dead connection is no reason to wait {seconds} s")


def test_a_connection_that_died_in_the_freeze_is_replaced_at_once() -> None:
    async def main() -> None:
        async with running(echo_extension, clock=Clock(sleep=no_waiting)) as runtime:
            await runtime.api.invoke(rest_event()).until_whole()
            await runtime.api.until_polled(2)
            runtime.api.cut_all()
            await runtime.api.until_polled(3)
            answer = await runtime.api.invoke(rest_event()).until_whole()
            assert answer.streamed == b"0"

    run(main())


def test_an_answer_is_not_lost_with_the_kept_connection() -> None:
    async def main() -> None:
        apis: list[FakeRuntimeApi] = []

        def handler(_event: Any, _context: Any) -> str:
            apis[0].cut_all()
            return "delivered"

        async with running(handler, response_mode="buffered") as runtime:
            apis.append(runtime.api)
            answer = await runtime.api.invoke({}).until_whole()
            assert answer.body == b'"delivered"'

    run(main())


def test_polling_is_tried_again_after_a_failure() -> None:
    async def main() -> None:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        async with running(echo_extension, clock=Clock(sleep=sleep)) as runtime:
            runtime.api.drop_polls = 3
            await runtime.api.until_polled(4)
            answer = await runtime.api.invoke(rest_event()).until_whole()
            assert answer.streamed == b"0"
            assert waits == [0.1, 0.2, 0.4]

    run(main())


def test_hooks_run_after_the_answer_and_before_the_next_poll() -> None:
    order: list[str] = []

    async def main() -> None:
        gate = asyncio.Event()

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return

            async def hook() -> None:
                await gate.wait()
                order.append(f"hook of {current_trace_id()}")

            async def failing_hook() -> None:
                raise ValueError("flush failed")

            scope["extensions"]["lambda"]["before_next"](failing_hook)
            scope["extensions"]["lambda"]["before_next"](hook)
            await answer_with(send, b"done")

        async with running(app) as runtime:
            await runtime.api.invoke(rest_event()).until_whole()
            order.append(f"answered after {runtime.api.polls} poll")
            gate.set()
            await runtime.api.until_polled(2)
            order.append("polled")

    run(main())
    assert order == ["answered after 1 poll", "hook of Root=1-request-1", "polled"]


def test_so_many_invocations_run_at_a_time_as_the_setting_says() -> None:
    async def main() -> None:
        together = asyncio.Barrier(5)  # four calls and this test
        traces: set[str | None] = set()

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await together.wait()
                traces.add(current_trace_id())
                await answer_with(send, scope["aws.context"].aws_request_id.encode())

        async with running(app, concurrency=4) as runtime:
            answers = [runtime.api.invoke(rest_event()) for _ in range(4)]
            await together.wait()
            for answer in answers:
                await answer.until_whole()
                assert answer.streamed.decode() == answer.request_id
            assert traces == {f"Root=1-request-{number}" for number in range(1, 5)}
            assert "_X_AMZN_TRACE_ID" not in runtime.environ

    run(main())


def test_one_at_a_time_sets_the_trace_variable_that_libraries_look_for() -> None:
    async def main() -> None:
        async with running(echo_extension) as runtime:
            await runtime.api.invoke(rest_event()).until_whole()
            assert runtime.environ["_X_AMZN_TRACE_ID"] == "Root=1-request-1"

    run(main())


def test_an_event_that_is_no_json_is_that_invocations_error_only() -> None:
    async def main() -> None:
        async with running(echo_extension) as runtime:
            broken = runtime.api.invoke(b"{not json")
            foreign = runtime.api.invoke({"Records": []})
            fine = runtime.api.invoke(rest_event())
            await fine.until_whole()
            assert json.loads(broken.body)["errorType"] == "Runtime.UnmarshalError"
            assert json.loads(foreign.body)["errorType"] == "Runtime.UnsupportedEvent"

    run(main())


def test_a_context_header_that_is_no_json_is_that_invocations_error_only() -> None:
    async def main() -> None:
        async with running(echo_extension) as runtime:
            headers = {"Lambda-Runtime-Client-Context": "{"}
            broken = await runtime.api.invoke(rest_event(), headers=headers).until_whole()
            report = json.loads(broken.body)
            assert report["errorType"] == "Runtime.LambdaContextUnmarshalError"

    run(main())


def test_a_request_of_six_megabytes_arrives_whole() -> None:
    async def main() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                message = await receive()
                await answer_with(send, str(len(message["body"])).encode())

        async with running(app) as runtime:
            event = rest_event("POST", body="x" * 6_000_000)
            answer = await runtime.api.invoke(event).until_whole()
            assert answer.streamed == b"6000000"

    run(main())


def test_connections_do_not_wait_to_fill_packets() -> None:
    async def main() -> None:
        async with FakeRuntimeApi() as api:
            connection = await connector(api.address)()
            transport = connection._transport
            assert transport is not None
            raw = transport.get_extra_info("socket")
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            connection.close()

    run(main())

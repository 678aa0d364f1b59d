"""Front, host and sandboxes together, on a runtime that misbehaves on request."""

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.e2e.local.harness import Answer, Served, Settings, request_bytes, run_served, until

pytestmark = pytest.mark.e2e
PLAIN = Settings(sandboxes=2)
MODES = pytest.mark.parametrize("settings", [Settings(), PLAIN], ids=["many", "plain"])


@MODES
def test_a_function_gets_the_rest_event_and_its_answer_is_streamed(
    tmp_path: Path, settings: Settings
) -> None:
    async def test(stack: Served) -> None:
        answer = await stack.ask("/echo?a=1&a=2", "POST", headers="X-Y: z\r\n", body=b"{}")
        event = json.loads(answer.body)
        assert (answer.status, answer.whole) == (200, True)
        assert answer.headers["transfer-encoding"] == "chunked"
        assert event["pathParameters"] == {"proxy": "echo"}
        assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
        assert (event["headers"]["X-Y"], event["body"]) == ("z", "{}")

    run_served(test, tmp_path, settings)


def test_chunks_reach_the_client_before_the_function_has_finished(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        writer.write(request_bytes("/cut"))
        assert b"half an ans" in await reader.readuntil(b"half an ans")
        writer.close()

    run_served(test, tmp_path)


CUTS = ["/cut", "/trailer", "/crash_late"]


@MODES
@pytest.mark.parametrize("path", CUTS)
def test_an_answer_cut_in_mid_stream_never_looks_whole(
    tmp_path: Path, path: str, settings: Settings
) -> None:
    async def test(stack: Served) -> None:
        answer = await stack.ask(path)
        assert (answer.status, answer.whole) == (200, False)
        assert answer.body in {b"half an ans", b""}

    run_served(test, tmp_path, settings)


@MODES
@pytest.mark.parametrize("path", ["/error", "/nonsense", "/crash"])
def test_a_function_that_fails_before_its_first_byte_is_a_502(
    tmp_path: Path, path: str, settings: Settings
) -> None:
    async def test(stack: Served) -> None:
        answer = await stack.ask(path)
        assert (answer.status, answer.whole) == (502, True)

    run_served(test, tmp_path, settings)


@MODES
def test_a_crashed_function_is_started_again(tmp_path: Path, settings: Settings) -> None:
    async def test(stack: Served) -> None:
        await stack.ask("/crash")
        await stack.ask("/crash")
        assert (await stack.ask("/ticks?n=1")).body == b"tick 0\n"

    run_served(test, tmp_path, settings)


def test_an_answer_for_another_invocation_is_gone(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        assert b"410 Gone" in (await stack.ask("/stale")).body

    run_served(test, tmp_path)


def test_a_function_over_its_time_is_cut_and_a_plain_sandbox_replaced(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        assert (await stack.ask("/hang")).status == 502
        assert (await stack.ask("/ticks?n=1")).status == 200
        assert any("Task timed out after 2.00 seconds" in line for line in stack.lines)

    run_served(test, tmp_path, Settings(sandboxes=1, timeout_s=2))


def test_in_many_mode_a_time_out_leaves_the_others_alone(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        first = json.loads((await stack.ask("/echo")).body)
        assert first["path"] == "/echo"
        pid = (await stack.ask("/freeze")).body
        assert (await stack.ask("/hang")).status == 502
        assert (await stack.ask("/freeze")).body == pid

    run_served(test, tmp_path, Settings(timeout_s=2))


def test_beyond_the_last_sandbox_callers_are_throttled_with_the_templates_words(
    tmp_path: Path,
) -> None:
    async def test(stack: Served) -> None:
        hanging = [asyncio.create_task(stack.ask("/hang")) for _ in range(2)]
        pool = stack.pools["TinyFunction"]
        await until(lambda: sum(len(box._open) for box in pool._sandboxes) == 2)
        answer = await stack.ask("/echo")
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert json.loads(answer.body)["error"]["code"] == "overloaded"
        for task in hanging:
            task.cancel()
        await asyncio.wait(hanging)

    run_served(test, tmp_path, PLAIN)


def test_a_waiting_plain_sandbox_is_frozen(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        pid = int((await stack.ask("/freeze")).body)
        await until(lambda: _state(pid) == "T")
        assert int((await stack.ask("/freeze")).body) == pid

    run_served(test, tmp_path, Settings(sandboxes=1))


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_function_that_cannot_be_loaded_says_why_and_is_tried_again(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        assert (await stack.ask("/echo")).status == 502
        assert (await stack.ask("/echo")).status == 502
        assert any("No module named app" in line for line in stack.lines)

    run_served(test, tmp_path, Settings(environ={"FAIL_INIT": "1"}))


def test_a_client_that_hangs_up_changes_nothing_for_the_function(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        writer.write(request_bytes("/large"))
        await reader.readuntil(b"x")
        writer.close()  # with megabytes unread: what comes now is drained
        pool = stack.pools["TinyFunction"]
        await until(lambda: not any(box._open for box in pool._sandboxes))
        assert not stack.lines or not any("Truncated" in line for line in stack.lines)

    run_served(test, tmp_path, Settings(sandboxes=1))


def test_a_client_that_does_not_read_slows_the_function_down(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port, limit=1024)
        writer.write(request_bytes("/large"))
        await until(lambda: any(c._relay and c._relay.invocation and c._relay.invocation._paused
                                for c in stack.front.connections))  # fmt: skip
        answer = Answer.parse(await reader.read())
        assert answer.whole
        assert len(answer.body) == 256 * 65536
        writer.close()

    run_served(test, tmp_path)


def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        both = request_bytes("/ticks?n=2", close=False) + request_bytes("/ticks?n=1")
        raw = await stack.exchange(both)
        assert raw.index(b"tick 1") < raw.rindex(b"tick 0")
        assert raw.count(b"HTTP/1.1 200") == 2

    run_served(test, tmp_path)


def test_the_answer_to_head_has_no_body(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        assert (await stack.exchange(request_bytes("/ticks", "HEAD"))).endswith(b"\r\n\r\n")

    run_served(test, tmp_path)


def test_http_1_0_gets_no_chunks(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        raw = await stack.exchange(b"GET /v1/ticks HTTP/1.0\r\n\r\n")
        assert raw.endswith(b"\r\n\r\ntick 0\ntick 1\ntick 2\n")

    run_served(test, tmp_path)


async def _too_large(stack: Served) -> Answer:
    return await stack.ask("/echo", "POST", body=b"x" * (10 * 1024 * 1024 + 1))


async def _event_too_large(stack: Served) -> Answer:
    return await stack.ask("/echo", "POST", body=b"x" * (6 * 1024 * 1024))


async def _binary_event_too_large(stack: Served) -> Answer:
    headers = "Content-Type: application/octet-stream\r\n"
    return await stack.ask("/echo", "POST", body=b"x" * 4_800_000, headers=headers)


async def _head_too_large(stack: Served) -> Answer:
    return await stack.ask("/echo", headers=f"X-Y: {'z' * 10_240}\r\n")


async def _not_http(stack: Served) -> Answer:
    return Answer.parse(await stack.exchange(b"\x16\x03\x01\x02\r\n\r\n"))


async def _unknown_stage(stack: Served) -> Answer:
    return Answer.parse(
        await stack.exchange(b"GET /v2/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    )


async def _unsigned(stack: Served) -> Answer:
    return await stack.ask("/admin/keys")


REFUSALS = [
    (_too_large, 413), (_event_too_large, 413), (_binary_event_too_large, 413),
    (_head_too_large, 431), (_not_http, 400), (_unknown_stage, 404), (_unsigned, 404),
]  # fmt: skip


@pytest.mark.parametrize(("send", "status"), REFUSALS)
def test_the_front_refuses_what_api_gateway_refuses(
    tmp_path: Path, send: Callable[[Served], Awaitable[Answer]], status: int
) -> None:
    async def test(stack: Served) -> None:
        answer = await send(stack)
        assert (answer.status, answer.whole) == (status, True)
        assert "error" in json.loads(answer.body)

    run_served(test, tmp_path)


def test_a_client_that_waits_for_100_continue_gets_it(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        head = request_bytes("/echo", "POST", headers="Expect: 100-continue\r\n", body=b"{}")
        writer.write(head[:-2])
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert Answer.parse(await reader.read()).status == 200
        writer.close()

    run_served(test, tmp_path)


def test_a_stream_that_is_silent_for_five_minutes_is_cut(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        writer.write(request_bytes("/silent"))
        await reader.readuntil(b"1\r\n.\r\n")
        now_s = asyncio.get_running_loop().time()
        for connection in list(stack.front.connections):
            connection.end_if_silent(now_s + 290)
        assert len(stack.front.connections) == 1
        for connection in list(stack.front.connections):
            connection.end_if_silent(now_s + 301)
        assert await reader.read() == b""
        writer.close()

    run_served(test, tmp_path, Settings(timeout_s=1))


def test_a_kept_connection_that_is_not_used_for_a_minute_is_closed(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        writer.write(request_bytes("/ticks?n=1", close=False))
        await reader.readuntil(b"0\r\n\r\n")
        (connection,) = stack.front.connections
        connection.end_if_silent(asyncio.get_running_loop().time() + 61)
        assert await reader.read() == b""
        writer.close()

    run_served(test, tmp_path)


@MODES
def test_a_sandbox_that_chaos_killed_is_replaced(tmp_path: Path, settings: Settings) -> None:
    async def test(stack: Served) -> None:
        pool = stack.pools["TinyFunction"]
        before = (await stack.ask("/freeze")).body
        pool.kill_one(random.Random(1))  # noqa: S311 - no secret
        await until(lambda: not any(str(box.pid).encode() == before for box in pool._sandboxes))
        assert (await stack.ask("/freeze")).body != before

    run_served(test, tmp_path, settings)


def test_many_callers_are_served_at_once_by_one_process(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        answers = await asyncio.gather(*(stack.ask("/freeze") for _ in range(50)))
        assert len({answer.body for answer in answers}) == 1

    run_served(test, tmp_path)


def test_reload_serves_from_a_new_process(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        before = (await stack.ask("/freeze")).body
        stack.pools["TinyFunction"].reload()
        assert (await stack.ask("/freeze")).body != before

    run_served(test, tmp_path)


def test_reload_lets_an_answer_that_has_begun_come_to_its_end(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port, limit=1024)
        writer.write(request_bytes("/large"))
        await reader.readuntil(b"x")
        stack.pools["TinyFunction"].reload()
        rest = await reader.read()
        assert rest.endswith(b"0\r\n\r\n")
        writer.close()

    run_served(test, tmp_path)


@MODES
def test_no_process_outlives_its_pool(tmp_path: Path, settings: Settings) -> None:
    pids: list[int] = []

    async def test(stack: Served) -> None:
        pids.append(int((await stack.ask("/freeze")).body))

    run_served(test, tmp_path, settings)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)

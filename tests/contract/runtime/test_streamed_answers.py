"""A streamed answer, chunk by chunk, as the Runtime API sees it."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.contract.runtime.fake_runtime_api import rest_event, run, running

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream")],
}


def body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class ScriptedApp:
    """An ASGI app that sends what the test puts into its queue."""

    def __init__(self) -> None:
        self.script: asyncio.Queue[dict[str, Any] | BaseException | None] = asyncio.Queue()
        self.sent = asyncio.Event()
        self.listen = False
        self.seen: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        listening = asyncio.create_task(self._listen(receive)) if self.listen else None
        try:
            while (step := await self.script.get()) is not None:
                if isinstance(step, BaseException):
                    raise step
                await send(step)
        except (OSError, asyncio.CancelledError) as error:
            self.seen.append(type(error).__name__)
            raise
        finally:
            if listening is not None:
                listening.cancel()

    async def _listen(self, receive: Any) -> None:
        while True:
            message = await receive()
            self.seen.append(message["type"])
            if message["type"] == "http.disconnect":
                self.script.put_nowait(None)
                return

    def play(self, *steps: dict[str, Any] | BaseException | None) -> None:
        for step in steps:
            self.script.put_nowait(step)


def test_each_chunk_arrives_before_the_next_one_is_made() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play(START)
            for number in range(1, 6):
                app.play(body(b"data: %d\n\n" % number))
                await answer.until(lambda a, n=number: len(a.chunks) == n)  # type: ignore[misc]
            assert not answer.whole
            app.play(body(b"", more=False), None)
            await answer.until_whole()
            assert answer.streamed == b"".join(b"data: %d\n\n" % n for n in range(1, 6))

    run(main())


def test_the_prelude_says_status_and_headers() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            headers = [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-one", b"1")]
            app.play({**START, "status": 418, "headers": headers}, body(b"tea", more=False), None)
            await answer.until_whole()
            assert answer.prelude == {
                "statusCode": 418,
                "headers": {"x-one": "1"},
                "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
            }

    run(main())


def test_the_post_says_that_it_streams_and_echoes_the_invocation_id() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play(START, body(b"x", more=False), None)
            await answer.until_whole()
            wanted = {
                "content-type": "application/vnd.awslambda.http-integration-response",
                "lambda-runtime-function-response-mode": "streaming",
                "lambda-runtime-invocation-id": "invocation of request-1",
                "transfer-encoding": "chunked",
                "connection": "close",
            }
            assert wanted.items() <= answer.headers.items()

    run(main())


def test_the_answer_ends_while_the_app_still_settles() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play(START, body(b"whole", more=False))
            await answer.until_whole()
            assert runtime.api.polls == 1
            app.play(None)
            await runtime.api.until_polled(2)

    run(main())


def test_an_empty_chunk_sends_the_head_and_does_not_end_the_body() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play(START, body(b""))
            await answer.until(lambda a: len(a.chunks) == 1)
            assert answer.chunks[0].endswith(bytes(8))
            app.play(body(b""), body(b"x", more=False), None)
            await answer.until_whole()
            assert answer.streamed == b"x"

    run(main())


def test_a_large_chunk_waits_until_the_peer_reads() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            block = bytes(range(256)) * 40_000
            app.play(START, body(block), body(block, more=False), None)
            await answer.until_whole()
            assert answer.body.endswith(block + block)

    run(main())


def test_a_failure_before_the_first_byte_is_reported_as_error() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play(START, ValueError("no provider"))
            await answer.until_whole()
            report = json.loads(answer.body)
            assert answer.kind == "error"
            assert answer.headers["lambda-runtime-invocation-id"] == "invocation of request-1"
            assert (report["errorType"], report["errorMessage"]) == ("ValueError", "no provider")
            assert any("test_streamed_answers" in line for line in report["stackTrace"])

    run(main())


def test_a_failure_in_mid_stream_is_told_in_declared_trailers() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play(START, body(b"data: 1\n\n"), ValueError("cut"))
            await answer.until_whole()
            report = json.loads(
                base64.b64decode(answer.trailers["Lambda-Runtime-Function-Error-Body"])
            )
            assert set(answer.trailers) == {
                "Lambda-Runtime-Function-Error-Type",
                "Lambda-Runtime-Function-Error-Body",
            }
            declared = answer.headers["trailer"].split(", ")
            assert declared == [name.lower() for name in answer.trailers]
            assert (report["errorType"], report["errorMessage"]) == ("ValueError", "cut")

    run(main())


def test_an_answer_without_an_end_gets_trailers() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play(START, body(b"half"), None)
            await answer.until_whole()
            error_type = answer.trailers["Lambda-Runtime-Function-Error-Type"]
            assert error_type == "Runtime.IncompleteResponse"

    run(main())


def test_a_failure_after_the_answer_does_not_touch_it() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play(START, body(b"whole", more=False), ValueError("settlement"))
            await runtime.api.until_polled(2)
            assert (answer.kind, answer.whole, answer.trailers) == ("response", True, {})

    run(main())


@pytest.mark.parametrize("status", [410, 413, 500])
def test_an_answer_that_is_refused_does_not_stop_the_loop(status: int) -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            stale = runtime.api.invoke(rest_event())
            stale.status = status
            fresh = runtime.api.invoke(rest_event())
            app.play(START, body(b"late", more=False), None)
            app.play(START, body(b"fresh", more=False), None)
            await fresh.until_whole()
            assert fresh.streamed == b"fresh"

    run(main())


def test_headers_over_16_kb_are_an_error_and_not_a_silent_502() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play({**START, "headers": [(b"x-long", b"x" * 17_000)]})
            await answer.until_whole()
            report = json.loads(answer.body)
            assert report["errorType"] == "Runtime.ResponseHeadersTooLarge"

    run(main())


def test_head_requests_get_no_body() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event("HEAD"))
            app.play(START, body(b"not for HEAD"), body(b"x", more=False), None)
            await answer.until_whole()
            assert answer.streamed == b""

    run(main())


def test_a_broken_post_cancels_an_app_that_waits_for_something_else() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            answer.cut_after_chunks = 1
            app.play(START, body(b"data: 1\n\n"))
            await runtime.api.until_polled(2)
            assert app.seen == ["CancelledError"]

    run(main())


def test_a_broken_post_tells_a_listening_app_and_lets_it_settle() -> None:
    async def main() -> None:
        app = ScriptedApp()
        app.listen = True
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            answer.cut_after_chunks = 1
            app.play(START, body(b"data: 1\n\n"))
            await runtime.api.until_polled(2)
            assert app.seen == ["http.request", "http.disconnect"]

    run(main())


def test_a_broken_post_raises_in_a_send_that_is_held_up() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            answer.cut_after_chunks = 1
            app.play(START, body(b"data: 1\n\n"), body(bytes(50_000_000)))
            await runtime.api.until_polled(2)
            assert len(app.seen) == 1

    run(main())


def test_sending_after_the_end_is_the_apps_error() -> None:
    async def main() -> None:
        app = ScriptedApp()
        async with running(app) as runtime:
            answer = runtime.api.invoke(rest_event())
            app.play(START, body(b"", more=False), body(b"too late"))
            await runtime.api.until_polled(2)
            assert answer.streamed == b""

    run(main())

"""Buffered mode: ASGI answers as one JSON object, and plain handlers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.contract.runtime.fake_runtime_api import rest_event, run, running


def app_with(*bodies: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> Any:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 201, "headers": headers or []})
        for data in bodies:
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body"})

    return app


def test_an_asgi_answer_is_posted_whole() -> None:
    async def main() -> None:
        headers = [(b"X-One", b"1"), (b"set-cookie", b"a=1")]
        app = app_with("gr\u00fc".encode(), b"n", headers=headers)
        async with running(app, response_mode="buffered") as runtime:
            answer = await runtime.api.invoke(rest_event()).until_whole()
            assert json.loads(answer.body) == {
                "statusCode": 201,
                "headers": {"x-one": "1"},
                "multiValueHeaders": {"set-cookie": ["a=1"]},
                "body": "gr\u00fcn",
                "isBase64Encoded": False,
            }
            assert "lambda-runtime-function-response-mode" not in answer.headers
            assert answer.headers["lambda-runtime-invocation-id"] == "invocation of request-1"

    run(main())


def test_bytes_that_are_no_text_go_as_base64() -> None:
    async def main() -> None:
        async with running(app_with(b"\xff\xfe"), response_mode="buffered") as runtime:
            answer = await runtime.api.invoke(rest_event()).until_whole()
            fields = json.loads(answer.body)
            assert (fields["body"], fields["isBase64Encoded"]) == ("//4=", True)

    run(main())


def test_a_failure_at_any_point_is_reported_as_error() -> None:
    async def main() -> None:
        async def app(scope: Any, _receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                raise ValueError("half an answer")

        async with running(app, response_mode="buffered") as runtime:
            answer = await runtime.api.invoke(rest_event()).until_whole()
            assert answer.kind == "error"
            assert json.loads(answer.body)["errorMessage"] == "half an answer"

    run(main())


def sync_handler(event: Any, context: Any) -> Any:
    return {"got": event, "id": context.aws_request_id}


async def async_handler(event: Any, context: Any) -> Any:
    await asyncio.sleep(0)
    return sync_handler(event, context)


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("handler", [sync_handler, async_handler])
def test_a_plain_handler_answers_with_json(handler: Any, concurrency: int) -> None:
    async def main() -> None:
        async with running(handler, response_mode="buffered", concurrency=concurrency) as runtime:
            answer = await runtime.api.invoke({"n": 1}).until_whole()
            assert json.loads(answer.body) == {"got": {"n": 1}, "id": "request-1"}
            assert answer.headers["content-type"] == "application/json"

    run(main())


def test_a_plain_handlers_exception_is_reported_with_its_stack() -> None:
    def handler(event: Any, _context: Any) -> Any:
        return event["missing"]

    async def main() -> None:
        async with running(handler, response_mode="buffered") as runtime:
            answer = await runtime.api.invoke({}).until_whole()
            report = json.loads(answer.body)
            assert (answer.kind, report["errorType"]) == ("error", "KeyError")
            assert answer.headers["lambda-runtime-function-error-type"] == "keyerror"
            assert len(report["stackTrace"]) == 1

    run(main())


def test_a_result_that_is_no_json_is_reported() -> None:
    def handler(_event: Any, _context: Any) -> Any:
        return {1, 2}

    async def main() -> None:
        async with running(handler, response_mode="buffered") as runtime:
            answer = await runtime.api.invoke({}).until_whole()
            assert json.loads(answer.body)["errorType"] == "Runtime.MarshalError"

    run(main())

"""What any HTTP client meets: limits, errors in OpenAI's shape, CORS."""

from __future__ import annotations

import httpx2
import pytest

from tests.support.dev_stack import DevStack

pytestmark = pytest.mark.e2e

MEGABYTE = 1024 * 1024


def post(stack: DevStack, body: bytes, key: str = "") -> httpx2.Response:
    return httpx2.post(
        f"{stack.base_url}/chat/completions",
        content=body,
        headers={"authorization": f"Bearer {key or stack.key}", "content-type": "application/json"},
        timeout=60,
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b"not json", 400, "invalid_request", id="not JSON"),
        pytest.param(b'{"model": "\xff"}', 400, "invalid_request", id="not UTF-8"),
        pytest.param(b"", 400, "invalid_request", id="empty"),
        pytest.param(b"[]", 400, "invalid_request", id="an array"),
        pytest.param(b'{"model": 1, "messages": []}', 400, "invalid_request", id="wrong type"),
        pytest.param(b'{"messages": [{"role": "user"}]}', 400, "invalid_request", id="no model"),
    ],
)
def test_a_bad_body_is_a_clear_error(stack: DevStack, body: bytes, status: int, code: str) -> None:
    reply = post(stack, body)

    assert reply.status_code == status
    error = reply.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error.keys() == {"message", "type", "param", "code"}


@pytest.mark.parametrize("size", [7 * MEGABYTE, 11 * MEGABYTE], ids=["Lambda's", "API Gateway's"])
def test_a_body_over_a_limit_is_413_in_openais_shape(stack: DevStack, size: int) -> None:
    reply = post(stack, b'{"pad": "' + b"x" * size + b'"}')

    assert reply.status_code == 413
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/chat/completions", 405),
        ("DELETE", "/models", 405),
        ("GET", "/nothing/here", 404),
        ("GET", "/", 404),
    ],
)
def test_a_wrong_method_or_path_is_refused_in_openais_shape(
    stack: DevStack, method: str, path: str, status: int
) -> None:
    reply = httpx2.request(method, stack.base_url + path)

    assert reply.status_code == status
    assert reply.json()["error"]["type"] == "invalid_request_error"


def test_health_needs_no_key(stack: DevStack) -> None:
    assert httpx2.get(f"{stack.base_url}/healthz").json() == {"status": "ok"}


def test_no_key_is_401_and_says_how_to_send_one(stack: DevStack) -> None:
    reply = httpx2.get(f"{stack.base_url}/models")

    assert reply.status_code == 401
    assert "Authorization: Bearer" in reply.json()["error"]["message"]


def test_a_browser_may_ask_with_its_key(stack: DevStack) -> None:
    reply = httpx2.options(
        f"{stack.base_url}/chat/completions",
        headers={
            "origin": "https://app.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        },
    )

    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "authorization" in reply.headers["access-control-allow-headers"].lower()


def test_a_model_with_a_slash_is_found_escaped_or_not(stack: DevStack) -> None:
    headers = {"authorization": f"Bearer {stack.key}"}

    for path in ("/models/org/good", "/models/org%2Fgood"):
        assert httpx2.get(stack.base_url + path, headers=headers).json()["id"] == "org/good"


def test_admin_refuses_unsigned_calls(stack: DevStack) -> None:
    reply = httpx2.get(f"{stack.base_url}/admin/keys")

    assert reply.status_code == 403
    assert reply.json()["error"]["message"]


def test_no_secret_prompt_or_answer_is_in_the_log(stack: DevStack) -> None:
    canary = "canary-7391"
    post(
        stack,
        b'{"model": "good", "messages": [{"role": "user", "content": "%s"}]}' % canary.encode(),
    )
    post(
        stack,
        b'{"model": "nope", "messages": [{"role": "user", "content": "%s"}]}' % canary.encode(),
    )
    post(stack, b'{"model": "good", "messages": "%s"}' % canary.encode())

    log = stack.log.read_text()
    assert '"forebay.outcome"' in log
    assert canary not in log
    assert "Water waits" not in log
    assert log.count(stack.key) == 1, "shown once, to the person who started the stack"

"""What every route reads of a request, however it arrives."""

import asyncio

import pytest
from starlette.types import Message

from forebay.errors import PayloadTooLarge
from forebay.settings import MAX_REQUEST_BODY_BYTES
from forebay.web.request import header, headers, presented_key, read_body


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def read(*messages: Message) -> tuple[bytes, int]:
    """Read a body; say how many messages were left unread."""
    coming = list(messages)

    async def receive() -> Message:
        return coming.pop(0)

    return asyncio.run(read_body(receive)), len(coming)


BODIES: dict[str, tuple[list[Message], bytes]] = {
    "in one part": ([part(b"abc")], b"abc"),
    "in several": ([part(b"a", more=True), part(b"", more=True), part(b"bc")], b"abc"),
    "empty": ([part(b"")], b""),
    "by ASGI's defaults": ([{"type": "http.request"}], b""),
}


@pytest.mark.parametrize(("messages", "body"), BODIES.values(), ids=BODIES)
def test_a_body_is_read_whole(messages: list[Message], body: bytes) -> None:
    assert read(*messages) == (body, 0)


def test_a_body_over_the_limit_is_not_read_further() -> None:
    coming = [part(b"x" * MAX_REQUEST_BODY_BYTES, more=True), part(b"x", more=True), part(b"x")]

    async def receive() -> Message:
        return coming.pop(0)

    with pytest.raises(PayloadTooLarge):
        asyncio.run(read_body(receive))
    assert len(coming) == 1


def test_a_caller_that_goes_away_in_mid_body_is_no_body() -> None:
    with pytest.raises(ConnectionResetError):
        read(part(b"a", more=True), {"type": "http.disconnect"})


def test_of_a_repeated_header_the_first_counts() -> None:
    scope = {"headers": [(b"x", b"1"), (b"x", b"2")]}

    assert (header(scope, b"x"), header(scope, b"y")) == ("1", None)


KEYS = {
    "as OpenAI's SDKs send it": ([(b"authorization", b"Bearer k")], "k"),
    "as Anthropic's do": ([(b"x-api-key", b"k")], "k"),
    "both: OpenAI's": ([(b"x-api-key", b"a"), (b"authorization", b"Bearer k")], "k"),
    "another scheme beside it": ([(b"x-api-key", b"k"), (b"authorization", b"Basic z")], "k"),
    "no scheme": ([(b"authorization", b"k")], None),
    "nothing": ([], None),
}


@pytest.mark.parametrize(("headers", "key"), KEYS.values(), ids=KEYS)
def test_a_key_is_found(headers: list[tuple[bytes, bytes]], key: str | None) -> None:
    assert presented_key({"headers": headers}) == key


def test_headers_are_read_and_repeated_ones_joined() -> None:
    sent = [(b"anthropic-beta", b"a"), (b"x", b"\xfc"), (b"anthropic-beta", b"b,c")]

    assert headers({"headers": sent}) == {"anthropic-beta": "a, b,c", "x": "ü"}

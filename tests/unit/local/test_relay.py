"""From a function's answer to what is written to the client, byte for byte."""

from typing import Any

import pytest

from forebay_cli.local.gateway_responses import TIMED_OUT, GatewayError
from forebay_cli.local.http1 import Request
from forebay_cli.local.invocation import Failure
from forebay_cli.local.relay import BufferedRelay, Exchange, StreamRelay

PRELUDE = b'{"statusCode":200}' + b"\0" * 8
FAILURE = Failure("Boom", "in mid-stream")


class Recorder:
    """A client's connection that remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def write(self, data: bytes) -> None:
        self.done.append(data.partition(b"\r\n\r\n")[2] if data.startswith(b"HTTP") else data)

    def refuse(self, error: GatewayError) -> None:
        self.done.append(error.status)

    def cut(self) -> None:
        self.done.append("cut")

    def complete(self) -> None:
        self.done.append("complete")


def _exchange(method: str = "GET", version: str = "1.1") -> Exchange:
    return Exchange(Request(method, "/", version, ()), "id", lambda _: None, lambda: 0.0)


def _streamed(
    parts: list[bytes], failure: Failure | None = None, exchange: Exchange | None = None
) -> list[Any]:
    client = Recorder()
    relay = StreamRelay(client, exchange or _exchange())
    for part in parts:
        relay.chunk(part)
    relay.finish(failure)
    return client.done


def test_each_chunk_is_one_write_and_the_last_one_ends_the_answer() -> None:
    done = _streamed([PRELUDE, b"a", b"bc"])
    assert done == [b"", b"1\r\na\r\n", b"2\r\nbc\r\n", b"0\r\n\r\n", "complete"]


def test_what_comes_with_the_prelude_goes_with_the_head() -> None:
    assert _streamed([PRELUDE + b"a"])[0] == b"1\r\na\r\n"


def test_a_prelude_in_pieces_is_put_together() -> None:
    done = _streamed([PRELUDE[:5], PRELUDE[5:20], PRELUDE[20:] + b"a"])
    assert done == [b"1\r\na\r\n", b"0\r\n\r\n", "complete"]


def test_a_failure_in_mid_stream_cuts_and_never_completes() -> None:
    assert _streamed([PRELUDE, b"a"], FAILURE) == [b"", b"1\r\na\r\n", "cut"]


@pytest.mark.parametrize("parts", [[], [PRELUDE[:9]], [b"x" * 20_000]])
def test_an_answer_without_a_prelude_is_a_502(parts: list[bytes]) -> None:
    assert _streamed(parts) == [502]


def test_a_failure_before_the_head_is_a_502() -> None:
    assert _streamed([], FAILURE) == [502]


def test_a_client_of_http_1_0_gets_the_bytes_alone() -> None:
    exchange = _exchange(version="1.0")
    assert _streamed([PRELUDE, b"a"], None, exchange) == [b"", b"a", "complete"]


def test_the_answer_to_head_is_a_head() -> None:
    assert _streamed([PRELUDE + b"a", b"b"], None, _exchange("HEAD")) == [b"", "complete"]


def test_a_204_has_no_body() -> None:
    prelude = PRELUDE.replace(b"200", b"204")
    assert _streamed([prelude, b"a"]) == [b"", "complete"]


def test_after_a_time_out_the_rest_is_swallowed() -> None:
    client = Recorder()
    relay = StreamRelay(client, _exchange())
    relay.give_up(TIMED_OUT)
    relay.chunk(PRELUDE)
    relay.finish(None)
    assert client.done == [504]


def test_a_time_out_in_mid_stream_cuts_once() -> None:
    client = Recorder()
    relay = StreamRelay(client, _exchange())
    relay.chunk(PRELUDE)
    relay.give_up(TIMED_OUT)
    relay.give_up(TIMED_OUT)
    relay.finish(FAILURE)
    assert client.done == [b"", "cut"]


def _buffered(answer: bytes, failure: Failure | None = None) -> list[Any]:
    client = Recorder()
    relay = BufferedRelay(client, _exchange())
    relay.chunk(answer[:4])
    relay.chunk(answer[4:])
    relay.finish(failure)
    return client.done


def test_a_buffered_answer_is_written_whole() -> None:
    assert _buffered(b'{"statusCode":200,"body":"text"}') == [b"text", "complete"]


@pytest.mark.parametrize(
    ("answer", "failure"), [(b"no json", None), (b'{"statusCode":200}', FAILURE)]
)
def test_a_buffered_answer_that_is_none_is_a_502(answer: bytes, failure: Failure | None) -> None:
    assert _buffered(answer, failure) == [502]

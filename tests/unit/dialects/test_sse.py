"""The reader of server-sent events: whole, byte by byte, and with every cut."""

from collections import deque

import pytest

from forebay.dialects import DialectError, sse
from forebay.dialects.sse import MAX_EVENT_BYTES, EventReader

SEPARATORS_IN_JSON = '{"a":"x\u2028y\u2029z\u0085"}'.encode()

CASES: list[tuple[str, bytes, list[bytes]]] = [
    ("line feeds", b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    ("carriage returns", b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    ("both", b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    ("a mixture", b"data: a\r\n\ndata: b\r\r\ndata: c\n\r", [b"a", b"b", b"c"]),
    (
        "separators that are no line ends",
        b"data: " + SEPARATORS_IN_JSON + b"\n\n",
        [SEPARATORS_IN_JSON],
    ),
    ("form feeds that are no line ends", b"data: a\x0bb\x0cc\x1cd\n\n", [b"a\x0bb\x0cc\x1cd"]),
    ("a comment", b": keep-alive\n\ndata: a\n: between\n\n:\n\n", [b"a"]),
    ("a byte order mark", b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    ("a byte order mark later on", b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
    ("several lines of data", b"data: a\ndata: b\n\n", [b"a\nb"]),
    ("no space after the colon", b"data:a\n\n", [b"a"]),
    ("two spaces after the colon", b"data:  a\n\n", [b" a"]),
    ("a tab after the colon", b"data:\ta\n\n", [b"\ta"]),
    ("an empty line of data", b"data:\n\n", [b""]),
    ("data without a colon", b"data\ndata\n\n", [b"\n"]),
    ("other fields", b"event: x\nid: 1\nretry: 5\ndata: a\nfoo\ndatax: b\nDATA: c\n\n", [b"a"]),
    ("an event without data", b"event: ping\n\nid: 3\n\ndata: a\n\n", [b"a"]),
    ("blank lines", b"\n\n\ndata: a\n\n\n\n", [b"a"]),
    ("an event that never ends", b"data: a\n\ndata: b\n", [b"a"]),
    ("a line that never ends", b"data: a\n\ndata: b", [b"a"]),
    ("a colon in the data", b'data: {"a": "data: b"}\n\n', [b'{"a": "data: b"}']),
    ("nothing", b"", []),
]

each_case = pytest.mark.parametrize(
    ("received", "events"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)


def read(*parts: bytes) -> list[bytes]:
    reader = EventReader()
    return [event for part in parts for event in reader.feed(part)]


@each_case
def test_events_are_read_from_the_whole(received: bytes, events: list[bytes]) -> None:
    assert read(received) == events


@each_case
def test_events_are_read_byte_by_byte(received: bytes, events: list[bytes]) -> None:
    assert read(*(received[at : at + 1] for at in range(len(received)))) == events


@each_case
def test_a_cut_anywhere_changes_nothing(received: bytes, events: list[bytes]) -> None:
    cuts = [read(received[:at], received[at:]) for at in range(len(received) + 1)]

    assert cuts == [events] * len(cuts)


@each_case
def test_an_empty_read_between_two_bytes_changes_nothing(
    received: bytes, events: list[bytes]
) -> None:
    parts = (received[at // 2 : at // 2 + at % 2] for at in range(2 * len(received) + 2))

    assert read(*parts) == events


def test_an_event_is_there_with_the_line_end_that_completes_it() -> None:
    reader = EventReader()

    assert reader.feed(b"data: a\r\n") == []
    assert reader.feed(b"\r") == [b"a"]
    assert reader.feed(b"\n") == []


ENDLESS = {
    "one line without an end": b"data: x",
    "a comment without an end": b": x",
    "lines of data without a blank one": b"data: x\n",
    "empty lines of data without a blank one": b"data:\n",
}


@pytest.mark.parametrize("pattern", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_event_is_given_up(pattern: bytes) -> None:
    """Every read ends with the pattern's end, so no read by itself is long."""
    reader = EventReader()
    piece = b"y" * (64 * 1024) if not pattern.endswith(b"\n") else pattern * 8192
    reader.feed(pattern)

    pieces = (piece for _ in range(2 * MAX_EVENT_BYTES // len(piece)))
    with pytest.raises(DialectError, match="an event of over 8388608 bytes"):
        deque(map(reader.feed, pieces), maxlen=0)


def test_many_events_are_no_long_one() -> None:
    reader = EventReader()
    piece = b"data: " + b"y" * 65536 + b"\n\n"

    counts = [len(reader.feed(piece)) for _ in range(MAX_EVENT_BYTES // 65536 + 2)]

    assert set(counts) == {1}


def test_the_complaint_about_a_long_event_does_not_quote_it() -> None:
    with pytest.raises(DialectError) as caught:
        EventReader().feed(b"data: canary" + b"y" * MAX_EVENT_BYTES)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("data", [b"a", b"", b"a\nb", b"\n", b" a", b"data: x"])
def test_what_is_written_is_read_again(data: bytes) -> None:
    assert read(sse.event(data)) == [data]

"""Legacy completions on their way from an OpenAI-compatible target to the caller, as they came."""

from __future__ import annotations

from typing_extensions import override

from forebay.dialects import DialectError, sse
from forebay.dialects.completions import (
    PATH,
    CompletionRequest,
    Piece,
    check_whole,
    parse_piece,
    without_usage,
)
from forebay.dialects.continuation import Interrupted
from forebay.dialects.event_by_event import EventByEvent
from forebay.dialects.exchange import EVENT_STREAM, ReadWhole, UsageNote
from forebay.dialects.openai_body import encode_request
from forebay.dialects.openai_chat import DONE
from forebay.dialects.openai_chat_chunks import with_usage_note
from forebay.dialects.wholeness import Wholeness
from forebay.model import UpstreamRequest, Usage


def upstream_request(asked: CompletionRequest, *, model: str) -> UpstreamRequest:
    """Write the request for an OpenAI-compatible target."""
    return UpstreamRequest(
        path=PATH,
        headers={"content-type": "application/json"},
        body=encode_request(asked, model=model),
        stream=asked.stream,
    )


def whole_reader(asked: CompletionRequest) -> ReadWhole:
    """Return what reads an answer in one piece: text and usage."""

    def read(body: bytes) -> tuple[list[str], Usage | None]:
        piece = parse_piece(body)
        wholeness = Wholeness(asked.choices)
        wholeness.saw(piece.choices, piece.finished)
        check_whole(wholeness, prompts=asked.prompts, target_is_done=True)
        return [piece.text], piece.usage

    return read


class CompletionStreamExchange(EventByEvent):
    """A stream, chunk by chunk as it came. See `Exchange`.

    Args:
        asked: The caller's request.
        request: What is sent to the target.
        note: Goes into the usage chunk as `usage.forebay`.
    """

    content_type = EVENT_STREAM

    def __init__(self, asked: CompletionRequest, request: UpstreamRequest, note: UsageNote) -> None:
        self.request = request
        self.text: list[str] = []
        self.usage: Usage | None = None
        self.ended = False
        """Whether the target said `[DONE]`, or sent what is no chunk."""
        self._asked = asked
        self._note = note
        self._events = sse.EventReader()
        self._wholeness = Wholeness(asked.choices)
        self._failure: DialectError | None = None
        self._usage_chunk = b""

    @property
    def shown(self) -> bool:
        """Whether anything that means something was passed on."""
        return bool(self.text)

    def interrupted(self) -> Interrupted | None:
        """Return None: nobody goes on with a completion that broke off."""
        return None

    @override
    def _pass_on(self, data: bytes) -> bytes:
        if data == DONE:
            self.ended = True
            return b""
        piece = parse_piece(data)
        if piece.text:
            self.text.append(piece.text)
        self._wholeness.saw(piece.choices, piece.finished)
        self.usage = piece.usage or self.usage
        return self._visible(data, piece)

    def _visible(self, data: bytes, piece: Piece) -> bytes:
        """Return the event for the caller; the chunk of usage waits for the end."""
        if not piece.mentions_usage:
            return sse.event(data)
        if piece.choices:
            return sse.event(data if self._asked.include_usage else without_usage(data))
        if self._asked.include_usage:
            self._usage_chunk = data
        return b""

    def end(self) -> bytes:
        """Return the usage chunk, if it was asked for, and `[DONE]`. See `Exchange.end`."""
        self._check()
        check_whole(self._wholeness, prompts=self._asked.prompts, target_is_done=self.ended)
        return self._usage_event() + sse.event(DONE)

    def _usage_event(self) -> bytes:
        if not self._usage_chunk:
            return b""
        if self.usage is None:
            return sse.event(self._usage_chunk)
        return sse.event(with_usage_note(self._usage_chunk, self._note(self.usage)))

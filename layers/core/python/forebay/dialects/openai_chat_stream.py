"""One chat completion stream on its way from an OpenAI-compatible target to an OpenAI caller."""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.dialects import DialectError, sse
from forebay.dialects.openai_chat import (
    DONE,
    Chunk,
    parse_chunk,
    with_usage_note,
    without_usage,
)
from forebay.dialects.wholeness import Wholeness
from forebay.model import Usage


@dataclass(slots=True)
class ChatStream:
    """Passes chunks on as they came, and knows whether the answer is whole.

    Whole means that every choice has had its finish reason (see `Wholeness`); a missing `[DONE]`
    after that is made up for.

    Args:
        choices: How many answers the request asks for (`n`).
        show_usage: Whether the caller asked for the usage chunk.
    """

    choices: int = 1
    show_usage: bool = False
    text: list[str] = field(default_factory=list)
    """The answer so far, in pieces."""
    usage: Usage | None = None
    ended: bool = False
    """Whether there is no more to wait for: the target said `[DONE]`, or sent what is no chunk."""
    _reader: sse.EventReader = field(default_factory=sse.EventReader)
    _wholeness: Wholeness = field(init=False)
    _failure: DialectError | None = None
    _usage_chunk: Chunk | None = None

    def __post_init__(self) -> None:
        self._wholeness = Wholeness(self.choices)

    def feed(self, received: bytes) -> bytes:
        """Take bytes of the target and return what they mean for the caller, maybe nothing.

        What is no chunk ends the stream; `end` raises it, so that what came before is not lost.
        """
        passed_on: list[bytes] = []
        try:
            for data in self._reader.feed(received):
                if self.ended:
                    break
                passed_on.append(self._pass_on(data))
        except DialectError as error:
            self._failure, self.ended = error, True
        return b"".join(passed_on)

    def _pass_on(self, data: bytes) -> bytes:
        if data == DONE:
            self.ended = True
            return b""
        chunk = parse_chunk(data)
        if chunk.text:
            self.text.append(chunk.text)
        self._wholeness.saw(chunk.choices, chunk.finished)
        if chunk.usage is not None:
            self.usage = chunk.usage
            if self.show_usage and not chunk.choices:
                self._usage_chunk = chunk
                return b""
        shown = chunk.data if self.show_usage else without_usage(chunk)
        return sse.event(shown) if shown is not None else b""

    def end(self, usage_note: dict[str, str] | None = None) -> bytes:
        """Return the end of a whole answer: the usage chunk if it is wanted, and `[DONE]`.

        Args:
            usage_note: Goes into the usage chunk as `usage.forebay`.

        Raises:
            UpstreamReported: The target sent an error in place of a chunk.
            DialectError: It sent something else that is no chunk, or the answer is not whole.
        """
        if self._failure is not None:
            raise self._failure
        self._wholeness.check(target_is_done=self.ended)
        last = b""
        if self._usage_chunk is not None:
            data = self._usage_chunk.data
            last = sse.event(with_usage_note(data, usage_note) if usage_note else data)
        return last + sse.event(DONE)

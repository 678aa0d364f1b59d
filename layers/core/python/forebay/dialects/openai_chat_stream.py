"""One chat completion stream on its way from an OpenAI-compatible target to an OpenAI caller."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from typing_extensions import override

from forebay.dialects import DialectError, sse
from forebay.dialects.continuation import Interrupted
from forebay.dialects.event_by_event import EventByEvent
from forebay.dialects.openai_chat import DONE
from forebay.dialects.openai_chat_calls import HeldChunks
from forebay.dialects.openai_chat_chunks import (
    Chunk,
    parse_chunk,
    with_usage_note,
    without_usage,
)
from forebay.dialects.openai_chat_writer import ChatStreamWriter, ShownIdentity
from forebay.dialects.shown import Shown
from forebay.dialects.wholeness import Wholeness
from forebay.model import Usage


@dataclass(slots=True)
class ChatStream(EventByEvent):
    """Passes chunks on as they came, and knows whether the answer is whole.

    Whole means that every choice has had its finish reason (see `Wholeness`); a missing `[DONE]`
    after that is made up for.

    Args:
        choices: How many answers the request asks for (`n`).
        show_usage: Whether the caller asked for the usage chunk.
        hold_tools: Whether what comes from the first tool call on waits for the end.
    """

    choices: int = 1
    show_usage: bool = False
    hold_tools: bool = True
    text: list[str] = field(default_factory=list)
    """The answer so far, in pieces."""
    usage: Usage | None = None
    ended: bool = False
    """Whether there is no more to wait for: the target said `[DONE]`, or sent what is no chunk."""
    _events: sse.EventReader = field(default_factory=sse.EventReader)
    _wholeness: Wholeness = field(init=False)
    _failure: DialectError | None = None
    _tier: str | None = None
    _usage_chunk: Chunk | None = None
    _held: HeldChunks = field(default_factory=HeldChunks)
    _shown: Shown = field(init=False)
    _first: bytes = b""
    """The first chunk that has choices, for what each repeats: Azure's very first has no id."""

    def __post_init__(self) -> None:
        self._wholeness = Wholeness(self.choices)
        self._shown = Shown(goes_on=self.choices == 1)

    @property
    def shown(self) -> bool:
        """Whether anything that means something was passed on."""
        return self._shown.anything

    def interrupted(self) -> Interrupted | None:
        """Return what another target would go on from. See `Exchange.interrupted`."""
        if not self.shown:
            return None
        identity = ShownIdentity.of(self._first)
        writer = ChatStreamWriter(identity, include_usage=self.show_usage, begun=True)
        return self._shown.interrupted(writer, self.usage)

    @override
    def _pass_on(self, data: bytes) -> bytes:
        if data == DONE:
            self.ended = True
            return b""
        chunk = parse_chunk(data)
        if chunk.text:
            self.text.append(chunk.text)
        self._wholeness.saw(chunk.choices, chunk.finished)
        self._tier = chunk.service_tier or self._tier
        if chunk.usage is not None:
            self.usage = replace(chunk.usage, service_tier=self._tier)
            if self.show_usage and not chunk.choices:
                self._usage_chunk = chunk
                return b""
        visible = chunk.data if self.show_usage else without_usage(chunk)
        if visible is None:
            return b""
        written = sse.event(visible)
        if self._held or (chunk.calls and self.hold_tools):
            self._held.add(chunk, written)
            return b""
        self._show(chunk)
        return written

    def _show(self, chunk: Chunk) -> None:
        """Note what the caller gets."""
        shown = self._shown
        if chunk.words is None:
            shown.goes_on = False
        elif chunk.words:
            shown.texts.append(chunk.words)
        if not shown.anything:
            shown.anything = bool(chunk.text or chunk.words)
            if chunk.choices and not self._first:
                self._first = chunk.data

    def end(self, usage_note: dict[str, str] | None = None) -> bytes:
        """Return the end of a whole answer: what waited for it, usage if wanted, and `[DONE]`.

        Args:
            usage_note: Goes into the usage chunk as `usage.forebay`.

        Raises:
            UpstreamReported: The target sent an error in place of a chunk.
            DialectError: It sent something else that is no chunk, or the answer is not whole.
                Or a tool's arguments are no JSON object.
        """
        self._check()
        self._wholeness.check(target_is_done=self.ended)
        last = self._held.release()
        if self._usage_chunk is not None:
            data = self._usage_chunk.data
            last += sse.event(with_usage_note(data, usage_note) if usage_note else data)
        return last + sse.event(DONE)

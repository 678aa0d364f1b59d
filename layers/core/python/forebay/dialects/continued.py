"""The rest of an answer that broke off elsewhere, on its way to the caller."""

from __future__ import annotations

from dataclasses import dataclass, replace

from forebay.dialects.canonical import AnswerReader, Event, ThinkingDelta, UsageReported
from forebay.dialects.continuation import Interrupted
from forebay.dialects.exchange import UsageNote, text_of, usage_of
from forebay.dialects.held_tools import HeldTools
from forebay.dialects.seam import Seam, SeamMismatch
from forebay.dialects.shown import Shown
from forebay.model import UpstreamRequest, Usage


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where an answer is taken up again."""

    interrupted: Interrupted
    seam: Seam
    delivered: Usage
    """The original input, and the output that the caller has."""


class ContinuedExchange:
    """Goes on with an answer: what follows the seam is written by the writer that began it.

    The caller is shown one usage, that of the question and of all that was delivered. `text` and
    `usage` are this target's own, echo and reasoning included: what it is paid for.

    Args:
        request: What is sent to the target.
        content_type: What the reply's must begin with.
        reader: Reads the target's answer.
        resumption: Where the answer is taken up again.
        note: What only the gateway knows of this target's usage.
    """

    def __init__(
        self,
        request: UpstreamRequest,
        content_type: str,
        reader: AnswerReader,
        resumption: Resumption,
        note: UsageNote,
    ) -> None:
        interrupted = resumption.interrupted
        self.request = request
        self.content_type = content_type
        self.text: list[str] = []
        self.usage: Usage | None = None
        self.shown = False
        self._reader = reader
        self._writer = interrupted.writer
        self._seam = resumption.seam
        self._tally = _Tally(resumption.delivered, len(interrupted.text))
        self._note = note
        self._tools = HeldTools(on=True)
        self._visible = Shown(anything=True, texts=[interrupted.text])
        self._failure: SeamMismatch | None = None

    @property
    def ended(self) -> bool:
        """Whether the target's answer is over, or no part of the caller's."""
        return self._failure is not None or self._seam.stopped or self._reader.ended

    def feed(self, received: bytes) -> bytes:
        """Pass on what follows the seam."""
        if self.ended:
            return b""
        ready = self._tools.take(self._take(self._reader.feed(received)))
        self._visible.saw(ready)
        written = self._writer.write(ready)
        self.shown = self.shown or bool(written)
        return written

    def interrupted(self) -> Interrupted | None:
        """Return what a further target would go on from: the text has grown, or is as it was."""
        return self._visible.interrupted(self._writer, self.usage)

    def end(self) -> bytes:
        """End the answer, in the same way as its beginning would have.

        Raises:
            SeamMismatch: What the target wrote does not follow what the caller has.
            UpstreamReported: See `Exchange.end`.
            DialectError: See `Exchange.end`.
        """
        # A stop sequence across the seam ended it: the target itself does not know.
        last = [] if self._seam.stopped or self._failure else self._take(self._reader.end())
        if self._failure is not None:
            raise self._failure
        ready = [*self._tools.take(last), *self._tools.release()]
        # The last usage is the one that is shown: never this target's own.
        rest = self._writer.write([*ready, UsageReported(self._tally.visible(self.usage))])
        return rest + self._writer.end(self._note(self.usage) if self.usage else None)

    def _take(self, events: list[Event]) -> list[Event]:
        """Return what is new to the caller; what does not fit the seam is noted as a failure."""
        self.text += text_of(events)
        self.usage = usage_of(events) or self.usage
        try:
            passed = self._seam.take(events)
        except SeamMismatch as error:
            self._failure = error
            return []
        self._tally.saw(written=events, passed=passed)
        return passed


@dataclass(slots=True)
class _Tally:
    """Counts which part of a target's output the caller gets."""

    delivered: Usage
    delivered_characters: int
    _written: int = 0
    _passed: int = 0

    def saw(self, *, written: list[Event], passed: list[Event]) -> None:
        self._written += _characters(written)
        self._passed += _characters(passed)

    def visible(self, usage: Usage | None) -> Usage:
        """Return the usage of the question and of all that the caller has of the answer.

        Args:
            usage: This target's own. Without it, its text is taken to have as many tokens for a
                character as the text before it.
        """
        if usage is None:
            new_tokens = self.delivered.output_tokens * self._passed
            over = self.delivered_characters
        else:
            new_tokens = (usage.output_tokens - usage.reasoning_tokens) * self._passed
            over = self._written
        output_tokens = self.delivered.output_tokens + (new_tokens // over if over else 0)
        return replace(self.delivered, output_tokens=output_tokens)


def _characters(events: list[Event]) -> int:
    said: list[Event] = [event for event in events if not isinstance(event, ThinkingDelta)]
    return sum(len(text) for text in text_of(said))

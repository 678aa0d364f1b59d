"""What a caller has been shown of an answer, and whether another target could go on from there."""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.dialects.canonical import (
    AnswerWriter,
    Event,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    UsageReported,
)
from forebay.dialects.continuation import Interrupted
from forebay.model import Usage


@dataclass(slots=True)
class Shown:
    """Keeps what went out of one answer.

    Another target can go on after text and unsigned reasoning. It cannot after what only the first
    one can stand for: a refusal, signed reasoning, a tool call, a second choice, an end.
    """

    anything: bool = False
    """Whether anything that means something went out: not an id, a role or an end."""
    goes_on: bool = True
    """Whether another target could go on."""
    texts: list[str] = field(default_factory=list)
    """The visible text, in pieces."""

    def saw(self, events: list[Event]) -> None:
        """Note what went out."""
        for event in events:
            if isinstance(event, TextDelta) and event.choice == 0:  # nearly every one: comes first
                self.texts.append(event.text)
                self.anything = self.anything or bool(event.text)
            else:
                self._saw_more(event)

    def _saw_more(self, event: Event) -> None:
        match event:
            case ThinkingDelta(redacted=None, choice=0) if not event.signature:
                self.anything |= bool(event.text)
            case Started() | UsageReported():
                pass
            case _:
                self.goes_on = False
                self.anything |= not isinstance(event, Finished)

    def interrupted(self, writer: AnswerWriter, usage: Usage | None) -> Interrupted | None:
        """Return what another target would go on from. See `Exchange.interrupted`."""
        if not (self.anything and self.goes_on):
            return None
        return Interrupted("".join(self.texts), writer, usage)

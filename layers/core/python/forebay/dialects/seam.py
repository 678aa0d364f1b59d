"""Where one target's answer ends and another's goes on: no word twice, none lost (invariant 4).

P is what the caller has. What follows it is passed on only once the target's own words show that
they follow P, byte for byte:

- *prefill*: the target was given P without its trailing white space and writes on. What it writes
  must begin with that white space. If it begins with P's own beginning or end it repeats instead of
  writing on, or the text is a refrain; nobody can tell, so it is refused.
- *echo*: the target was asked to begin with the end of P (the anchor). It must do so, or begin with
  all of P; white space before either is no part of it. A preamble is refused even if the anchor
  follows: it may quote the anchor, and what follows a quotation is not what follows P.

Sans-IO: events in, events out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from forebay.dialects import DialectError
from forebay.dialects.canonical import (
    Event,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    UsageReported,
)
from forebay.settings import Continuing

ANCHOR_CHARACTERS: Final = 64
"""How much of P an echo begins with."""

MIN_ANCHOR_CHARACTERS: Final = 16
"""Less than that, white space around it apart, may come by chance."""

HEAD_CHARACTERS: Final = 32
"""So much of P's beginning shows that a target repeats it."""

SLACK_CHARACTERS: Final = 200
"""White space beyond twice the length of P that is put up with before an echo."""


class SeamMismatch(DialectError):
    """What the target wrote does not follow what the caller has: nothing of it was passed on."""


def anchor_of(text: str) -> str:
    """Return what an echo of a text begins with: its last characters, or all of it."""
    return text[-ANCHOR_CHARACTERS:]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a target must write before what it writes is new."""

    wanted: tuple[str, ...]
    """Any of these; none of them begins with another."""
    repeats: tuple[str, ...] = ()
    """What it must not begin with."""
    max_characters: int = 0
    """After so many it is given up."""
    is_echo: bool = False
    """Whether white space before it is passed over."""
    may_think: bool = True
    """Whether reasoning may come before it."""

    def rest(self, written: str, *, ended: bool) -> str | None:
        """Return what was written after it; None while that is not decided.

        Args:
            written: All text so far.
            ended: Whether there is no more. White space alone may be missing then: the target
                ended where the caller's text ends, but for that.

        Raises:
            SeamMismatch: Something else was written.
        """
        if self._may_repeat(written):
            if not ended:
                return None
            if written:
                raise SeamMismatch("it may begin again instead of going on")
        text = written.lstrip() if self.is_echo else written
        for wanted in self.wanted:
            if text.startswith(wanted):
                return text[len(wanted) :]
        missing = [wanted[len(text) :] for wanted in self.wanted if wanted.startswith(text)]
        if ended and any(not each.strip() for each in missing):
            return ""
        if ended or not missing or len(written) > self.max_characters:
            raise SeamMismatch("it does not go on where the answer broke off")
        return None

    def _may_repeat(self, written: str) -> bool:
        if any(written.startswith(each) for each in self.repeats):
            raise SeamMismatch("it begins again instead of going on")
        return any(each.startswith(written) for each in self.repeats)


def opening_for(text: str, how: Continuing) -> Opening | None:
    """Return how a target must begin that goes on with a text; None if that proves nothing.

    A text without any word is nothing to go on from: the question is asked again, and the answer
    must begin with the same white space.
    """
    most = 2 * len(text) + SLACK_CHARACTERS
    bare = text.rstrip()
    if not bare:
        return Opening((text,), max_characters=most)
    if how is Continuing.PREFILL:
        repeats = (text[:HEAD_CHARACTERS], anchor_of(bare))
        return Opening((text[len(bare) :],), repeats, max_characters=most, may_think=False)
    anchor, whole = anchor_of(text).lstrip(), text.lstrip()
    if len(text) <= ANCHOR_CHARACTERS:
        return Opening((whole,), max_characters=most, is_echo=True)
    # An anchor that P also begins with may be an echo or all of P again, and one that is too short
    # may be anything.
    if whole.startswith(anchor) or len(anchor.rstrip()) < MIN_ANCHOR_CHARACTERS:
        return None
    return Opening((anchor, whole), max_characters=most, is_echo=True)


@dataclass(slots=True)
class _StraddlingStop:
    """Stop sequences of which the caller has a part: what would complete each."""

    completing: dict[str, str]
    """The sequence by what is missing of it."""

    @classmethod
    def of(cls, text: str, sequences: Iterable[str]) -> _StraddlingStop:
        return cls(
            {
                sequence[sent:]: sequence
                for sequence in sequences
                for sent in range(1, len(sequence))
                if text.endswith(sequence[:sent])
            }
        )

    def completed_by(self, new: str) -> str | None:
        """Return the sequence that new text completes, the first one to be complete."""
        completed = [each for each in self.completing if new.startswith(each)]
        return self.completing[min(completed, key=len)] if completed else None

    def may_come(self, new: str) -> bool:
        """Whether more text may still complete one."""
        return any(each.startswith(new) for each in self.completing)


@dataclass(slots=True)
class Seam:
    """Lets through what a target writes after what the caller has.

    What the caller has had is left out: the beginning of an answer, and reasoning, which is not
    shown twice.

    Args:
        text: What the caller has.
        opening: How the target must begin.
        stop: The caller's stop sequences. The target matches those that lie in its own words.
    """

    text: str
    opening: Opening
    stop: tuple[str, ...] = ()
    stopped: bool = False
    """Whether a stop sequence across the seam has ended the answer."""
    _held: str = ""
    """Text that waits for more: to be recognised, or to be told from a stop sequence."""
    _is_open: bool = False
    """Whether the target has begun as it must."""
    _straddling: _StraddlingStop | None = field(init=False)

    def __post_init__(self) -> None:
        self._straddling = _StraddlingStop.of(self.text, self.stop)

    def take(self, events: list[Event]) -> list[Event]:
        """Return what of a target's events is new to the caller.

        Raises:
            SeamMismatch: What the target writes does not follow what the caller has.
        """
        passed: list[Event] = []
        for event in events:
            if self.stopped:
                break
            passed += self._take(event)
        return passed

    def _take(self, event: Event) -> list[Event]:
        match event:
            case Started():
                return []
            case ThinkingDelta():
                if not (self._is_open or self.opening.may_think):
                    raise SeamMismatch("it thinks instead of going on")
                return []
            case UsageReported():
                return [event]
            case TextDelta(text=text, choice=0):
                self._held += text
                return self._let_through(ended=False)
            case _:  # a tool call, a refusal or the end: there is no more text before it
                unseen = event.stop_sequence if isinstance(event, Finished) else None
                last = self._let_through(ended=True, unseen=unseen or "")
                return last if self.stopped else [*last, event]

    def _let_through(self, *, ended: bool, unseen: str = "") -> list[Event]:
        """Return the held text, as far as it is known to be new and no part of a stop sequence.

        Args:
            ended: Whether no more text comes.
            unseen: The stop sequence that the target wrote next and did not send. Its beginning
                may be what completes one across the seam.
        """
        if not self._is_open:
            rest = self.opening.rest(self._held, ended=ended)
            if rest is None:
                return []
            self._is_open, self._held = True, rest
        if self._straddling is not None:
            sequence = self._straddling.completed_by(self._held + unseen)
            if sequence is not None:
                self.stopped = True
                return [Finished(StopReason.STOP_SEQUENCE, sequence)]
            if not ended and self._straddling.may_come(self._held):
                return []
            self._straddling = None
        text, self._held = self._held, ""
        return [TextDelta(text)] if text else []

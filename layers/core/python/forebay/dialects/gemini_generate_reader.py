"""Gemini's generateContent: answers, streamed (`alt=sse`) or whole.

Source: https://ai.google.dev/api/generate-content (Candidate, FinishReason,
PromptFeedback), v1beta. Each event of a stream is a response of the
same shape as a whole one; there is no last event, so an answer is whole when every candidate has
its finish reason ("either all requested candidates are returned or no candidates at all").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from forebay.dialects import DialectError, UpstreamReported, sse
from forebay.dialects.canonical import (
    Event,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.exchange import Collected
from forebay.dialects.gemini_generate_contents import SIGNATURE_PREFIX
from forebay.dialects.gemini_generate_replies import (
    Candidate,
    FunctionCall,
    Part,
    Response,
    parse_error,
    parse_response,
    to_usage,
)

MAX_ERROR_BYTES: Final = 16 * 1024
"""As much of a stream's end is kept to find an error in it that is no event."""

FINISH_REASONS: Final[Mapping[str, StopReason]] = {
    "STOP": StopReason.END,
    "MAX_TOKENS": StopReason.LENGTH,
    "CONTINUATION": StopReason.LENGTH,
    "SAFETY": StopReason.FILTERED,
    "RECITATION": StopReason.FILTERED,
    "LANGUAGE": StopReason.FILTERED,
    "BLOCKLIST": StopReason.FILTERED,
    "PROHIBITED_CONTENT": StopReason.FILTERED,
    "SPII": StopReason.FILTERED,
    "MODEL_ARMOR": StopReason.FILTERED,
    "ESCALATION": StopReason.FILTERED,
    "IMAGE_SAFETY": StopReason.FILTERED,
    "IMAGE_PROHIBITED_CONTENT": StopReason.FILTERED,
    "IMAGE_RECITATION": StopReason.FILTERED,
}
"""Endings of an answer. Any other (`OTHER`, `MALFORMED_FUNCTION_CALL`, `UNEXPECTED_TOOL_CALL`,
`MISSING_THOUGHT_SIGNATURE`, …, and those that are new) is a failure: what came is no whole answer,
and asking again, or another model, may give one. `STOP` is also said after a stop sequence (which
one is not), and after function calls."""

_UNFINISHED: Final = frozenset({"", "FINISH_REASON_UNSPECIFIED"})

_RAW_JSON: Final = re.compile(rb"^[\[{].*", re.MULTILINE | re.DOTALL)


@dataclass(slots=True)
class _Answer:
    """What the responses of one call add up to.

    A `Finished` waits for the end of the body: only then is it sure that no function call follows.
    """

    choices: int
    _started: bool = False
    _blocked: bool = False
    _response_id: str = ""
    _reasons: dict[int, str] = field(default_factory=dict)
    _unfinished: set[int] = field(init=False)
    _calls: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._unfinished = set(range(self.choices))

    def take(self, response: Response) -> list[Event]:
        """Return what a response adds."""
        events: list[Event] = []
        if not self._started:
            self._started = True
            self._response_id = response.response_id
            events.append(Started(response.response_id, response.model_version))
        if response.prompt_feedback is not None and response.prompt_feedback.block_reason:
            self._blocked = True
        for candidate in response.candidates:
            for part in candidate.content.parts if candidate.content else ():
                events += self._take_part(part, candidate.index)
            self._take_reason(candidate)
        if usage := to_usage(response.usage_metadata):
            events.append(UsageReported(usage))
        return events

    def _take_reason(self, candidate: Candidate) -> None:
        if candidate.finish_reason not in _UNFINISHED:
            self._reasons[candidate.index] = candidate.finish_reason
            self._unfinished.discard(candidate.index)
        elif candidate.index not in self._reasons:
            self._unfinished.add(candidate.index)

    def _take_part(self, part: Part, choice: int) -> list[Event]:
        """Return what a part adds.

        A function call's signature comes before it and a text's after it: so each finds its way
        back (`gemini_generate`), whether or not the text came in pieces.
        """
        if part.is_unread():
            raise DialectError("a part of the answer is neither text nor a function call")
        signature = SIGNATURE_PREFIX + part.thought_signature if part.thought_signature else None
        events: list[Event] = []
        if part.text and not part.thought:
            events.append(TextDelta(part.text, choice))
        if signature or (part.text and part.thought):
            thought = part.text if part.thought else ""
            events.append(ThinkingDelta(thought, signature, choice=choice))
        if part.function_call is not None:
            events += self._take_call(part.function_call, choice)
        return events

    def _take_call(self, call: FunctionCall, choice: int) -> list[Event]:
        """Return a call, which comes in one piece; older models give it no id."""
        position = self._calls[choice]
        self._calls[choice] += 1
        arguments = _arguments(call.args)
        made_up = f"call_{self._response_id or call.name}_{choice}_{position}"
        return [
            ToolUseStarted(position, call.id or made_up, call.name, choice),
            ToolArgumentsDelta(position, arguments, choice),
        ]

    def end(self) -> list[Event]:
        """Return the end of each choice.

        A prompt that was blocked has no candidates ("If set, the prompt was blocked"): the filter
        ended every choice, before it began.

        Raises:
            DialectError: The answer is not whole.
        """
        if self._unfinished and not self._blocked:
            raise DialectError("the stream ended before the answer did")
        ends = {choice: self._stop_reason(choice) for choice in self._reasons}
        ends |= dict.fromkeys(self._unfinished, StopReason.FILTERED)
        return [Finished(ends[choice], choice=choice) for choice in sorted(ends)]

    def _stop_reason(self, choice: int) -> StopReason:
        reason = FINISH_REASONS.get(self._reasons[choice])
        if reason is None:
            raise DialectError("the model gave up its answer")
        if reason is StopReason.END and self._calls[choice]:
            return StopReason.TOOL_USE
        return reason


def _arguments(args: msgspec.Raw) -> str:
    """Return a call's arguments as JSON text."""
    try:
        text = bytes(args).decode()
    except UnicodeDecodeError as error:
        raise DialectError("arguments of a function that are not UTF-8") from error
    if text == "null":
        return "{}"
    if not text.startswith("{"):
        raise DialectError("arguments of a function that are no object")
    return text


class StreamReader:
    """Reads the event stream of `streamGenerateContent?alt=sse`. See `canonical.AnswerReader`.

    Args:
        choices: How many candidates were asked for.
    """

    def __init__(self, choices: int = 1) -> None:
        self.ended = False
        self._events = sse.EventReader()
        self._answer = _Answer(choices)
        self._failure: DialectError | None = None
        self._tail = b""

    def feed(self, received: bytes) -> list[Event]:
        """Take what came; return what it means."""
        events: list[Event] = []
        if self.ended:
            return events
        self._tail = (self._tail + received)[-MAX_ERROR_BYTES:]
        try:
            for data in self._events.feed(received):
                events += self._answer.take(parse_response(data))
        except DialectError as error:
            self._failure, self.ended = error, True
        return events

    def end(self) -> list[Event]:
        """Return the end of each choice.

        Raises:
            UpstreamReported: An error came, as an event or, as Google does it in mid-stream, as
                bare JSON in place of one.
            DialectError: What came is no answer, or not a whole one.
        """
        if self._failure is not None:
            raise self._failure
        try:
            return self._answer.end()
        except DialectError as error:
            bare = _RAW_JSON.search(self._tail)
            if bare and (reported := parse_error(bare[0])):
                raise UpstreamReported(reported) from error
            raise


class WholeReader:
    """Reads the answer of `generateContent`, in one piece. See `canonical.AnswerReader`.

    Args:
        choices: How many candidates were asked for.
    """

    def __init__(self, choices: int = 1) -> None:
        self._answer = _Answer(choices)
        self._body = Collected()

    @property
    def ended(self) -> bool:
        """Whether reading on is of no use."""
        return self._body.too_large

    def feed(self, received: bytes) -> list[Event]:
        """Keep what came; nothing is said before all is there."""
        self._body.add(received)
        return []

    def end(self) -> list[Event]:
        """Return the answer.

        Raises:
            UpstreamReported: It is an error.
            DialectError: It is no answer, not a whole one, or over `MAX_REPLY_BYTES`.
        """
        return self._answer.take(parse_response(self._body.whole())) + self._answer.end()

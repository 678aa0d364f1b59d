"""What a caller reads of an answer, in any dialect, checked part by part (invariants 3 and 4)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.support.simulation.journal import Journal, Request
from tests.support.simulation.providers import ANSWER

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)

FAILURES = frozenset({408, 429, 502, 503, 504})
"""Statuses that are nobody's mistake in the request."""


@dataclass
class AnswerCheck:
    """Reads one answer as it comes.

    Args:
        request: Whose answer it is; it is told what becomes of it.
        journal: Is told what must not be.
    """

    request: Request
    journal: Journal
    text: str = ""
    done: bool = False
    """Whether its end was seen, as of a whole answer."""
    error: bool = False
    """Whether an error event was seen."""
    ended: bool = False
    """Whether the application ended the body as it should be."""
    _body: bytearray = field(default_factory=bytearray)

    def part(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += body
        if not (self.request.stream and self.request.status == 200):
            return
        *events, rest = bytes(self._body).split(b"\n\n")
        self._body = bytearray(rest)
        for event in events:
            self._event(event)

    def close(self) -> None:
        """Take note that nothing more comes."""
        request, check = self.request, self.journal.check
        if request.status != 200:
            check(request.status in FAILURES, f"status {request.status}: {self._body!r}", request)
            check(self._error_of(json.loads(self._body)), "an error without a word", request)
            request.honest = True
        elif request.stream:
            check(not self._body, f"half an event at the end: {bytes(self._body)!r}", request)
            check(self.done or self.error, "invariant 3: a cut that says nothing", request)
            check(self.ended is self.done, "invariant 3: the body's end tells otherwise", request)
            request.whole, request.honest = self.done, self.error
        else:
            self._whole(json.loads(self._body))

    def _event(self, event: bytes) -> None:
        lines = [line for line in event.split(b"\n") if line.startswith(b"data: ")]
        if not lines:
            return  # a comment
        self._nothing_after_the_end()
        data = lines[0].removeprefix(b"data: ")
        if data == b"[DONE]":
            self._finished()
            return
        self._read(json.loads(data))

    def _read(self, event: dict[str, Any]) -> None:
        match event:
            case {"type": "error"} | {"error": {}}:
                self.error = True
                self.journal.check(self._error_of(event), "an error without a word", self.request)
            case {"choices": choices}:
                for choice in choices:
                    self._says(choice["delta"].get("content") or "")
                    self._stops(choice["finish_reason"], "stop")
            case {"type": "content_block_delta", "delta": {"text": text}}:
                self._says(text)
            case {"type": "message_delta", "delta": {"stop_reason": reason}}:
                self._stops(reason, "end_turn")
            case {"type": "message_stop" | "response.completed"}:
                self._finished()
            case {"type": "response.output_text.delta", "delta": text}:
                self._says(text)
            case _:
                self._nothing_else_ends(str(event.get("type")))

    def _says(self, text: str) -> None:
        if text and self.request.first_word_at is None:
            self.request.first_word_at = self.journal.now
        self.text += text
        right = ANSWER.startswith(self.text)
        self.journal.check(right, f"invariant 4: {self.text[-60:]!r}", self.request)

    def _stops(self, reason: str | None, good: str) -> None:
        if reason is not None:
            self.journal.check(reason == good, f"invariant 3: it ends with {reason}", self.request)
            self._is_all()

    def _finished(self) -> None:
        self._is_all()
        self.done = True

    def _is_all(self) -> None:
        self.journal.check(
            self.text == ANSWER, f"invariant 3: complete after {self.text!r}", self.request
        )

    def _nothing_after_the_end(self) -> None:
        over = self.done or self.error
        self.journal.check(not over, "invariant 3: events after the end", self.request)

    def _nothing_else_ends(self, kind: str) -> None:
        ends = kind in {"response.failed", "response.incomplete"}
        self.journal.check(not ends, f"an end of a kind of its own: {kind}", self.request)

    def _error_of(self, body: dict[str, Any]) -> bool:
        return bool(body["error"]["message"])

    def _whole(self, body: dict[str, Any]) -> None:
        match body:
            case {"choices": [{"message": {"content": text}, "finish_reason": end}]}:
                good = end == "stop"
            case {"type": "message", "content": [{"text": text}], "stop_reason": end}:
                good = end == "end_turn"
            case {"object": "response", "output": [{"content": [{"text": text}]}], "status": end}:
                good = end == "completed"
            case _:
                text, good = "", False
        self.journal.check(good, f"invariant 3: {body}", self.request)
        self.journal.check(text == ANSWER, f"invariant 4: {text!r}", self.request)
        self.request.whole = True

"""Asks for a streamed answer and reads its events."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from forebay.dialects import DialectError
from forebay.dialects.openai_chat import DONE
from forebay.dialects.sse import EventReader
from forebay_cli.checks.caller import Call, Ending, Exchange, json_or_none
from forebay_cli.checks.deployment import Deployment
from forebay_cli.checks.finding import CheckFailed

PROMPT = "Count from one to forty in words, with commas between."
MAX_TOKENS = 256
"""Bounds the cost. At 50 tokens a second, a few seconds: long enough to see it arrive in parts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed answer.

    Args:
        model: Who was asked.
        events: The data of each event, with the time of the read that completed it.
    """

    model: str
    exchange: Exchange
    events: tuple[tuple[float, bytes], ...]

    @property
    def is_whole(self) -> bool:
        """Whether it says that it is: `[DONE]` is its last event."""
        return bool(self.events) and self.events[-1][1] == DONE

    @property
    def error(self) -> str | None:
        """The message of its error event, if it has one."""
        return next((said for _, data in self.events if (said := _error_message(data))), None)

    @property
    def first_token_s(self) -> float | None:
        """When the first text came."""
        return next((at for at, data in self.events if _has_text(data)), None)


def ask(
    deployment: Deployment, model: str, *, enough: Callable[[bytes], bool] = lambda _: False
) -> Answer:
    """Ask a model for a streamed answer.

    Args:
        deployment: Whom to ask.
        model: The name that callers send.
        enough: See `Call`.

    Raises:
        CheckFailed: No event stream came.
        NotChecked: There is no key.
    """
    request = {
        "model": model,
        "stream": True,
        "max_completion_tokens": MAX_TOKENS,
        "messages": [{"role": "user", "content": PROMPT}],
    }
    content = json.dumps(request).encode()
    secret = deployment.require_key().secret
    call = Call("POST", "/chat/completions", secret=secret, content=content, enough=enough)
    exchange = deployment.caller.exchange(call)
    kind = exchange.headers.get("content-type", "")
    if exchange.status != 200 or not kind.startswith("text/event-stream"):
        excerpt = exchange.body[:200].decode(errors="replace")
        raise CheckFailed(
            f"{model} was asked for a stream and gave status {exchange.status}, "
            f"{kind or 'no content type'}: {excerpt}",
            status=exchange.status,
        )
    return Answer(model, exchange, _events(exchange))


def describe_ending(answer: Answer) -> str:
    """Say how an answer that is not whole ended."""
    if answer.error is not None:
        return f"it broke off with an error event ({answer.error})"
    if answer.exchange.ending is Ending.WHOLE:
        return "it ended without [DONE] and without an error event"
    return f"it {answer.exchange.ending} without [DONE]"


def _events(exchange: Exchange) -> tuple[tuple[float, bytes], ...]:
    reader = EventReader()
    try:
        return tuple((at, data) for at, read in exchange.reads for data in reader.feed(read))
    except DialectError as fault:
        raise CheckFailed(f"the answer is no event stream: {fault}") from fault


def _error_message(data: bytes) -> str | None:
    match json_or_none(data):
        case {"error": {"message": str(message)}}:
            return message
        case _:
            return None


def _has_text(data: bytes) -> bool:
    match json_or_none(data):
        case {"choices": [{"delta": {"content": str(text)}}, *_]}:
            return bool(text)
        case _:
            return False

"""OpenAI's answers to an OpenAI caller, as they came."""

from __future__ import annotations

from forebay.dialects.continuation import Interrupted
from forebay.dialects.exchange import EVENT_STREAM, UsageNote
from forebay.dialects.openai_chat import ChatRequest, parse_completion
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.model import UpstreamRequest, Usage


class ChatStreamExchange:
    """A stream, chunk by chunk as it came.

    Args:
        asked: The request.
        request: What is sent to the target for it.
        note: What only the gateway knows of a usage.
        hold_tools: Whether what comes from the first tool call on waits for the end.
    """

    content_type = EVENT_STREAM

    def __init__(
        self,
        asked: ChatRequest,
        request: UpstreamRequest,
        note: UsageNote,
        *,
        hold_tools: bool = True,
    ) -> None:
        self.request = request
        self._stream = ChatStream(asked.choices, asked.include_usage, hold_tools)
        self._note = note

    @property
    def text(self) -> list[str]:
        """The answer so far."""
        return self._stream.text

    @property
    def usage(self) -> Usage | None:
        """As reported so far."""
        return self._stream.usage

    @property
    def ended(self) -> bool:
        """Whether the target has said `[DONE]`."""
        return self._stream.ended

    @property
    def shown(self) -> bool:
        """Whether anything that means something was passed on."""
        return self._stream.shown

    def feed(self, received: bytes) -> bytes:
        """Pass on what came, as far as it is meant for the caller."""
        return self._stream.feed(received)

    def interrupted(self) -> Interrupted | None:
        """Return what another target would go on from."""
        return self._stream.interrupted()

    def end(self) -> bytes:
        """Return what waited for the end, the usage chunk if it was asked for, and `[DONE]`."""
        usage = self._stream.usage
        return self._stream.end(dict(self._note(usage)) if usage else None)


def read_completion(body: bytes) -> tuple[list[str], Usage | None]:
    """Read OpenAI's answer in one piece."""
    completion = parse_completion(body)
    return [completion.text], completion.usage

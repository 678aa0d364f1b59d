"""Bytes to requests and events, and back. Sans-IO: no socket, no clock, no dice.

`sse` reads server-sent events; each other module speaks one surface of one provider
(`openai_chat`: OpenAI's chat completions). A dialect never calls anybody and leaves its input
untouched: a retry will use it again. Fields it does not know pass through as they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DialectError(Exception):
    """What was received is not the dialect: not JSON, not an event, not an answer.

    The message never quotes what was received: it may hold a prompt or an answer.
    """


class UpstreamReported(DialectError):
    """The provider sent an error object in place of an answer.

    Args:
        error: The object: `message`, `type`, `param`, `code`.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__("the provider reported an error")
        self.error = error

"""Failures, and the shape in which Lambda wants to be told of them.

RuntimeFault            the runtime refuses: settings, handler, event, answer
ClientDisconnected      the response POST broke; nobody reads what the app still sends (an OSError,
                        as ASGI asks of `send`)
"""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from pathlib import Path

# A report travels in headers (trailers) too, so its size is bounded: far more than a person reads,
# far less than the 1 MB at which Go's HTTP server, which the Runtime API is written with, refuses.
_MESSAGE_CHARACTERS = 8_192
_FRAMES = 50

_UNTOLD = (str(Path(__file__).parent), "<frozen importlib")


class RuntimeFault(Exception):
    """Something that the runtime itself refuses; `error_type` is Lambda's name for it."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class ClientDisconnected(ConnectionResetError):
    """The response POST broke: what is sent now reaches nobody."""


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """One failure as Lambda shows it.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, "Invocation error".
    """

    error_type: str
    message: str
    stack_trace: tuple[str, ...] = ()
    request_id: str = ""

    @classmethod
    def of(cls, error: BaseException, request_id: str = "") -> ErrorReport:
        """Describe an exception; of a fault that has a cause, the cause's stack is the telling one.

        Frames of this package and of Python's importer are left out.
        """
        origin = (isinstance(error, RuntimeFault) and error.__cause__) or error
        if isinstance(origin, SyntaxError):  # its place is in the exception, not in the stack
            lines = traceback.format_exception_only(origin)
        else:
            frames = traceback.extract_tb(origin.__traceback__)
            told = [frame for frame in frames if not frame.filename.startswith(_UNTOLD)]
            lines = traceback.format_list(told[-_FRAMES:])
        error_type = error.error_type if isinstance(error, RuntimeFault) else type(error).__name__
        return cls(error_type, str(error)[:_MESSAGE_CHARACTERS], tuple(lines), request_id)

    def to_json(self) -> bytes:
        """`{"errorMessage", "errorType", "requestId", "stackTrace": [...]}`, as the managed one."""
        return json.dumps(
            {
                "errorMessage": self.message,
                "errorType": self.error_type,
                "requestId": self.request_id,
                "stackTrace": self.stack_trace,
            }
        ).encode("ascii")

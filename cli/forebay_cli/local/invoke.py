"""Invoke a function and wait for its whole answer, as Lambda's own pollers do."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from typing_extensions import override

from forebay_cli.local.invocation import Failure, Sink, ThrottledError, TooLargeError
from forebay_cli.local.pool import FunctionPool

THROTTLED: Final = Failure("TooManyRequestsException", "All sandboxes of the function are taken.")
TOO_LARGE: Final = Failure("RequestTooLargeException", "The event is over Lambda's limit.")


class InvokeError(Exception):
    """The function did not answer; the message is one line."""


async def invoke(pool: FunctionPool, event: Mapping[str, Any]) -> Any:
    """Give an event to a function; return its answer, JSON read.

    Raises:
        InvokeError: it failed, crashed, took too long, has no room, or answered what is no JSON.
    """
    answer = _WholeAnswer()
    try:
        pool.invoke(json.dumps(event).encode(), answer)
    except ThrottledError:
        raise InvokeError(THROTTLED.summary) from None
    except TooLargeError:
        raise InvokeError(TOO_LARGE.summary) from None
    failure = await answer.finished
    if failure is not None:
        raise InvokeError(failure.summary)
    try:
        return json.loads(bytes(answer.body))
    except ValueError as error:
        raise InvokeError(f"Its answer is no JSON: {error}") from error


class _WholeAnswer(Sink):
    def __init__(self) -> None:
        self.body = bytearray()
        self.finished: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()

    @override
    def chunk(self, data: bytes) -> None:
        self.body += data

    @override
    def finish(self, failure: Failure | None) -> None:
        if not self.finished.done():  # whoever waited may have been cancelled
            self.finished.set_result(failure)

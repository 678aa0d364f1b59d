"""What the loop calls: one application, and one call of it for each invocation.

Two kinds implement this: ASGI apps (`asgi.py`) and plain handlers (`plain.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lambda_streaming.client import RuntimeClient
    from lambda_streaming.context import LambdaContext
    from lambda_streaming.errors import ErrorReport
    from lambda_streaming.invocation import Invocation

Hook = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One invocation on one worker.

    Attributes:
        client: the worker's line to the Runtime API.
        frozen_s: seconds that the sandbox was frozen before this invocation.
    """

    invocation: Invocation
    client: RuntimeClient
    frozen_s: float


class Call(Protocol):
    """One invocation being answered."""

    @property
    def broken(self) -> bool:
        """Whether the reader of the answer has gone; then no failure can be told any more."""

    @property
    def hooks(self) -> list[Hook]:
        """What the function wants done after its answer and before the next invocation."""

    async def run(self, context: LambdaContext) -> None:
        """Run the function, sending its answer; what it raises is the invocation's failure."""

    async def fail(self, report: ErrorReport) -> None:
        """Tell of a failure, in the way that is still open."""

    def doom(self, report: ErrorReport) -> None:
        """The call is about to be cancelled for this reason."""

    async def settled(self) -> None:
        """Wait until the Runtime API has taken note of the answer."""


class Application(Protocol):
    """The user's function."""

    async def startup(self) -> None:
        """Do what comes before the first invocation."""

    async def shutdown(self) -> None:
        """Do what comes after the last invocation."""

    def call(self, turn: Turn) -> Call:
        """Prepare to answer one invocation; does nothing yet."""

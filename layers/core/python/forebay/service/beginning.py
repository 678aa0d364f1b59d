"""The first part of an answer, or a sign of life where it is long in coming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def begun(
    parts: AsyncGenerator[bytes], *, patience_s: float | None, sign_of_life: bytes
) -> AsyncIterator[tuple[bytes, AsyncIterator[bytes]]]:
    """Wait for the first part of an answer and hand it over with the rest.

    What goes wrong before the first part is raised here, where the caller can still be given a
    status. After `patience_s` of silence that must be given up: the sign of life goes out as the
    first part, and everything else is in the rest.

    Args:
        parts: The answer; closed at the end.
        patience_s: None: wait for as long as it takes.
        sign_of_life: Means nothing to whoever reads the answer.
    """
    opening = asyncio.ensure_future(anext(parts))
    try:
        done, _ = await asyncio.wait({opening}, timeout=patience_s)
        if done:
            yield opening.result(), parts
        else:
            yield sign_of_life, _from(opening, parts)
    finally:
        # A generator that still runs cannot be closed.
        opening.cancel()
        await asyncio.wait({opening})
        if not opening.cancelled():
            opening.exception()  # asked for, or asyncio would log it as forgotten
        await parts.aclose()


async def _from(
    opening: asyncio.Future[bytes], parts: AsyncGenerator[bytes]
) -> AsyncIterator[bytes]:
    yield await opening
    async for part in parts:
        yield part

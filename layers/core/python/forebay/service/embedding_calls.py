"""One call for embeddings: a target is asked, and its whole reply read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.embeddings import Embedded, EmbeddingsRequest, Surface
from forebay.errors import UpstreamGarbled, UpstreamRefused
from forebay.ports import UpstreamReply
from forebay.service.catalog import Target

MAX_REPLY_BYTES: Final = 48 * 1024 * 1024
"""The longest that the surfaces' limits allow is 35 MB: 2,048 vectors of 3,072 in base64."""

MAX_ERROR_BYTES: Final = 64 * 1024
"""As much of a failed reply's body is read."""

RETRY_HEADERS: Final = ("retry-after", "retry-after-ms", "x-should-retry")
"""What a provider says about trying again; it reaches the caller."""


async def call_for_embeddings(
    target: Target, surface: Surface, asked: EmbeddingsRequest, inputs: Sequence[bytes]
) -> Embedded:
    """Ask a target for the embeddings of inputs.

    Args:
        target: Is asked.
        surface: How it is asked.
        asked: A request with the parameters that hold.
        inputs: Its own, some of them, or others' beside them.

    Raises:
        UpstreamError: There is no answer, or it is not one vector for each input.
    """
    request = replace(surface.encode(asked, inputs, target.model), timeouts=target.timeouts)
    async with await target.provider.send(request) as reply:
        if not 200 <= reply.status < 300:
            raise await _refused(reply, target)
        body = await _read(reply, MAX_REPLY_BYTES)
    if len(body) > MAX_REPLY_BYTES:
        message = f"{target.name}: an answer of over {MAX_REPLY_BYTES} bytes."
        raise UpstreamGarbled(message, target=target.name)
    try:
        return surface.read(asked, len(inputs), body)
    except UpstreamReported as error:
        raise UpstreamRefused(
            f"{target.name} reported an error in its answer.",
            target=target.name,
            status=reply.status,
            headers={},
            error=error.error,
        ) from error
    except DialectError as error:
        raise UpstreamGarbled(f"{target.name}: {error}.", target=target.name) from error


async def _refused(reply: UpstreamReply, target: Target) -> UpstreamRefused:
    return UpstreamRefused(
        f"{target.name} answered with status {reply.status}.",
        target=target.name,
        status=reply.status,
        headers={name: reply.headers[name] for name in RETRY_HEADERS if name in reply.headers},
        error=target.dialect.parse_error(await _read(reply, MAX_ERROR_BYTES)),
    )


async def _read(reply: UpstreamReply, limit: int) -> bytes:
    """Read a body, but not much more than `limit` bytes of it."""
    parts: list[bytes] = []
    size = 0
    async for part in reply.chunks():
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return b"".join(parts)

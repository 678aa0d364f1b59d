"""What a provider's reply says when it is no answer."""

from __future__ import annotations

from typing import Final

from forebay.dialects import UpstreamReported
from forebay.errors import UpstreamRefused
from forebay.ports import UpstreamReply
from forebay.service.catalog import Target

MAX_ERROR_BYTES: Final = 64 * 1024
"""As much of a failed reply's body is read."""

RETRY_HEADERS: Final = ("retry-after", "retry-after-ms", "x-should-retry")
"""What a provider says about trying again; it reaches the caller."""


async def check_status(reply: UpstreamReply, target: Target) -> None:
    """Refuse a reply with any status but 2xx.

    Raises:
        UpstreamRefused: It has one; with the provider's own words, if it sent any.
    """
    if not 200 <= reply.status < 300:
        raise UpstreamRefused(
            f"{target.name} answered with status {reply.status}.",
            target=target.name,
            status=reply.status,
            headers={name: reply.headers[name] for name in RETRY_HEADERS if name in reply.headers},
            error=target.dialect.parse_error(await read_body(reply, MAX_ERROR_BYTES)),
        )


def reported(error: UpstreamReported, target: Target, status: int) -> UpstreamRefused:
    """Return the error that stands for an error object under a status that promised an answer."""
    return UpstreamRefused(
        f"{target.name} reported an error in its answer.",
        target=target.name,
        status=status,
        headers={},
        error=error.error,
    )


async def read_body(reply: UpstreamReply, limit: int) -> bytes:
    """Read a body, but not much more than `limit` bytes of it."""
    parts: list[bytes] = []
    size = 0
    async for part in reply.chunks():
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return b"".join(parts)

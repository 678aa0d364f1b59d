"""One call for embeddings: a target is asked, and its whole reply read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.embeddings import Embedded, EmbeddingsRequest, Surface
from forebay.errors import UpstreamGarbled
from forebay.service.catalog import Target
from forebay.service.replies import check_status, read_body, reported

MAX_REPLY_BYTES: Final = 48 * 1024 * 1024
"""The longest that the surfaces' limits allow is 35 MB: 2,048 vectors of 3,072 in base64."""


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
        await check_status(reply, target)
        body = await read_body(reply, MAX_REPLY_BYTES)
    if len(body) > MAX_REPLY_BYTES:
        message = f"{target.name}: an answer of over {MAX_REPLY_BYTES} bytes."
        raise UpstreamGarbled(message, target=target.name)
    try:
        return surface.read(asked, len(inputs), body)
    except UpstreamReported as error:
        raise reported(error, target, reply.status) from error
    except DialectError as error:
        raise UpstreamGarbled(f"{target.name}: {error}.", target=target.name) from error

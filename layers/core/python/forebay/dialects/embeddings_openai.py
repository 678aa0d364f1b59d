"""Embeddings of OpenAI, and of every server that speaks its API.

Source: https://platform.openai.com/docs/api-reference/embeddings/create (2,048 inputs and 300,000
tokens a request). Azure OpenAI has the same body and limits:
https://learn.microsoft.com/azure/ai-foundry/openai/reference#embeddings
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.embeddings import (
    MAX_INPUTS,
    Embedded,
    EmbeddingsRequest,
    Encoding,
    Limits,
    Surface,
)
from forebay.dialects.embeddings_vectors import encode_vectors
from forebay.dialects.openai_chat import ReportedUsage, error_object, to_usage
from forebay.model import UpstreamRequest

PATH: Final = "/embeddings"

LIMITS: Final = Limits(inputs=MAX_INPUTS, tokens=300_000)
FLOAT_LIMITS: Final = Limits(inputs=512, tokens=300_000)
"""Numbers take five times the room of base64: 512 vectors of 3,072 are a reply of 34 MB."""


class _Item(msgspec.Struct):
    index: int
    embedding: msgspec.Raw


class _Reply(msgspec.Struct):
    data: list[_Item] = []
    model: str | None = None
    usage: ReportedUsage | None = None
    error: Any = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def encode(asked: EmbeddingsRequest, inputs: Sequence[bytes], model: str) -> UpstreamRequest:
    """Write a request; every parameter goes as it came."""
    fields = {
        "model": model,
        "input": [msgspec.Raw(each) for each in inputs],
        **asked.parameters,
    }
    return UpstreamRequest(
        path=PATH,
        headers={"content-type": "application/json"},
        body=msgspec.json.encode(fields),
        stream=False,
    )


def read(asked: EmbeddingsRequest, count: int, body: bytes) -> Embedded:
    """Read a reply; its vectors may come in any order. See `Surface.read`."""
    try:
        reply = _decode_reply(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DialectError("bytes that are no embeddings") from error
    if reply.error:
        raise UpstreamReported(error_object(reply.error))
    in_order = sorted(reply.data, key=lambda item: item.index)
    if [item.index for item in in_order] != list(range(count)):
        raise DialectError(f"not one vector for each of {count} inputs")
    vectors = encode_vectors([item.embedding for item in in_order], asked.encoding)
    usage = to_usage(reply.usage)
    return Embedded(vectors, None if usage is None else usage.input_tokens, reply.model)


SURFACE: Final = Surface(
    limits=lambda asked: LIMITS if asked.encoding is Encoding.BASE64 else FLOAT_LIMITS,
    encode=encode,
    read=read,
)

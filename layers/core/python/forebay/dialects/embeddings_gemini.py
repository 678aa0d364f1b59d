"""Embeddings of Google's Gemini API: `batchEmbedContents`.

Source: https://ai.google.dev/api/embeddings. `dimensions` is its `outputDimensionality`; beside
OpenAI's fields a caller may give its `task_type`. That a batch has at most 100 requests stands in
no reference: the API's own 400 says so
(https://github.com/langchain-ai/langchainjs/issues/4491).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.embeddings import (
    Embedded,
    EmbeddingsRequest,
    Limits,
    Surface,
    refuse_others,
    refuse_tokens,
)
from forebay.dialects.embeddings_vectors import encode_vectors
from forebay.dialects.openai_chat import error_object
from forebay.model import UpstreamRequest

LIMITS: Final = Limits(inputs=100)
TARGET: Final = "Gemini's embeddings"

PARAMETERS: Final = {"dimensions": "outputDimensionality", "task_type": "taskType"}
"""What a caller may say, and what it is called there."""


class _Vector(msgspec.Struct):
    values: msgspec.Raw


class _UsageMetadata(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None


class _Reply(msgspec.Struct, rename="camel"):
    embeddings: list[_Vector] = []
    usage_metadata: _UsageMetadata | None = None
    error: Any = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def encode(asked: EmbeddingsRequest, inputs: Sequence[bytes], model: str) -> UpstreamRequest:
    """Write a request. See `Surface.encode`."""
    refuse_tokens(asked, TARGET)
    refuse_others(asked, PARAMETERS, TARGET)
    stated = asked.stated()
    common = {
        "model": f"models/{model}",
        **{theirs: stated[ours] for ours, theirs in PARAMETERS.items() if ours in stated},
    }
    requests = [{**common, "content": {"parts": [{"text": msgspec.Raw(each)}]}} for each in inputs]
    return UpstreamRequest(
        path=f"/models/{quote(model, safe='')}:batchEmbedContents",
        headers={"content-type": "application/json"},
        body=msgspec.json.encode({"requests": requests}),
        stream=False,
    )


def read(asked: EmbeddingsRequest, count: int, body: bytes) -> Embedded:
    """Read a reply: one embedding for each request, in their order. See `Surface.read`."""
    try:
        reply = _decode_reply(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DialectError("bytes that are no embeddings") from error
    if reply.error:
        raise UpstreamReported(error_object(reply.error))
    if len(reply.embeddings) != count:
        raise DialectError(f"not one vector for each of {count} inputs")
    vectors = encode_vectors([each.values for each in reply.embeddings], asked.encoding)
    return Embedded(vectors, _input_tokens(reply.usage_metadata))


def _input_tokens(reported: _UsageMetadata | None) -> int | None:
    if reported is None or reported.prompt_token_count is None:
        return None
    return max(reported.prompt_token_count, 0) or None  # no input takes none


SURFACE: Final = Surface(limits=lambda _: LIMITS, encode=encode, read=read)

"""Embeddings of Amazon Bedrock: `InvokeModel` with Amazon's or Cohere's own bodies.

Source: Bedrock's user guide, model-parameters-titan-embed-text.html (one text a call, counted in
`inputTextTokenCount`), model-parameters-embed-v3.html and model-parameters-embed-v4.html (96 texts
a call, `input_type` required, no count of tokens); API_runtime_InvokeModel.html.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from forebay.dialects import DialectError
from forebay.dialects.embeddings import (
    Embedded,
    EmbeddingsRequest,
    Limits,
    Surface,
    refuse_others,
    refuse_tokens,
)
from forebay.dialects.embeddings_vectors import encode_vectors
from forebay.model import UpstreamRequest

TITAN_LIMITS: Final = Limits(inputs=1)
COHERE_LIMITS: Final = Limits(inputs=96)

INPUT_TYPE: Final = msgspec.Raw(b'"search_document"')
"""For callers who do not say what the vectors are for; it is how a corpus is embedded."""


def surface_for(model: str) -> Surface | None:
    """Return how a model is asked, by its id or profile; None if it is none of those known here."""
    if "titan-embed-text-v2" in model:
        return TITAN
    if "cohere.embed-v4" in model:
        return COHERE_V4
    if "cohere.embed-" in model and "-v3" in model:
        return COHERE_V3
    return None


def _invoke(model: str, fields: Mapping[str, Any]) -> UpstreamRequest:
    return UpstreamRequest(
        path=f"/model/{quote(model, safe='')}/invoke",
        headers={"content-type": "application/json"},
        body=msgspec.json.encode(fields),
        stream=False,
    )


# --- Titan


class _TitanReply(msgspec.Struct, rename="camel"):
    embedding: msgspec.Raw
    input_text_token_count: int


_decode_titan = msgspec.json.Decoder(_TitanReply).decode


def _encode_titan(asked: EmbeddingsRequest, inputs: Sequence[bytes], model: str) -> UpstreamRequest:
    taken = {"dimensions", "normalize"}
    refuse_tokens(asked, "Titan's embeddings")
    refuse_others(asked, taken, "Titan's embeddings")
    stated = {name: value for name, value in asked.stated().items() if name in taken}
    return _invoke(model, {"inputText": msgspec.Raw(inputs[0]), **stated})


def _read_titan(asked: EmbeddingsRequest, _count: int, body: bytes) -> Embedded:
    try:
        reply = _decode_titan(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DialectError("bytes that are no embeddings") from error
    vectors = encode_vectors([reply.embedding], asked.encoding)
    return Embedded(vectors, max(reply.input_text_token_count, 0) or None)


TITAN: Final = Surface(limits=lambda _: TITAN_LIMITS, encode=_encode_titan, read=_read_titan)


# --- Cohere


class _ByType(msgspec.Struct):
    float: list[msgspec.Raw]


class _CohereReply(msgspec.Struct):
    embeddings: list[msgspec.Raw] | _ByType


_decode_cohere = msgspec.json.Decoder(_CohereReply).decode

_COHERE_V3: Final = {"input_type": "input_type", "truncate": "truncate"}
_COHERE_V4: Final = {**_COHERE_V3, "dimensions": "output_dimension", "max_tokens": "max_tokens"}
"""What a caller may say, and what it is called there."""


def _cohere(parameters: Mapping[str, str]) -> Surface:
    def encode(asked: EmbeddingsRequest, inputs: Sequence[bytes], model: str) -> UpstreamRequest:
        refuse_tokens(asked, "Cohere's embeddings")
        refuse_others(asked, parameters, "Cohere's embeddings")
        stated = asked.stated()
        renamed = {theirs: stated[ours] for ours, theirs in parameters.items() if ours in stated}
        texts = [msgspec.Raw(each) for each in inputs]
        return _invoke(model, {"texts": texts, "input_type": INPUT_TYPE, **renamed})

    return Surface(limits=lambda _: COHERE_LIMITS, encode=encode, read=_read_cohere)


def _read_cohere(asked: EmbeddingsRequest, count: int, body: bytes) -> Embedded:
    try:
        found = _decode_cohere(body).embeddings
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DialectError("bytes that are no embeddings") from error
    vectors = found.float if isinstance(found, _ByType) else found
    if len(vectors) != count:
        raise DialectError(f"not one vector for each of {count} inputs")
    return Embedded(encode_vectors(vectors, asked.encoding), None)


COHERE_V3: Final = _cohere(_COHERE_V3)
COHERE_V4: Final = _cohere(_COHERE_V4)

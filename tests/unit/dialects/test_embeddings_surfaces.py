"""How each kind of target is asked for embeddings, and how its replies are read.

Expected values are those of the providers' references:
https://platform.openai.com/docs/api-reference/embeddings, https://ai.google.dev/api/embeddings
(models.batchEmbedContents), and Bedrock's user guide, model-parameters-titan-embed-text.html,
model-parameters-embed-v3.html, model-parameters-embed-v4.html.
"""

import json
from typing import Any

import pytest

from forebay.dialects import (
    DialectError,
    UpstreamReported,
    embeddings_bedrock,
    embeddings_gemini,
    embeddings_openai,
)
from forebay.dialects.embeddings import Embedded, EmbeddingsRequest, Limits, Surface, parse_request
from forebay.errors import InvalidRequest

OPENAI, GEMINI = embeddings_openai.SURFACE, embeddings_gemini.SURFACE
TITAN = embeddings_bedrock.TITAN
COHERE_V3, COHERE_V4 = embeddings_bedrock.COHERE_V3, embeddings_bedrock.COHERE_V4


def request(given: object = "hi", **fields: Any) -> EmbeddingsRequest:
    return parse_request(json.dumps({"model": "m", "input": given, **fields}).encode())


def asked_of(surface: Surface, model: str, asked: EmbeddingsRequest) -> tuple[str, Any]:
    """Return path and body of what is sent."""
    sent = surface.encode(asked, asked.inputs, model)
    assert (sent.headers, sent.stream) == ({"content-type": "application/json"}, False)
    return sent.path, json.loads(sent.body)


def read(surface: Surface, count: int, reply: object) -> Embedded:
    body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    return surface.read(request(), count, body)


# --- requests

REQUESTS = {
    "OpenAI": (
        OPENAI,
        "text-embedding-3-small",
        request(["a", "b"], dimensions=256, encoding_format="base64", user="u", new=[1]),
        "/embeddings",
        {
            "model": "text-embedding-3-small",
            "input": ["a", "b"],
            "dimensions": 256,
            "encoding_format": "base64",
            "user": "u",
            "new": [1],
        },
    ),
    "OpenAI, token ids": (
        OPENAI,
        "e",
        request([1, 2]),
        "/embeddings",
        {"model": "e", "input": [[1, 2]]},
    ),
    "Gemini": (
        GEMINI,
        "gemini-embedding-001",
        request(["a", "b"], dimensions=768, task_type="RETRIEVAL_QUERY", user="u"),
        "/models/gemini-embedding-001:batchEmbedContents",
        {
            "requests": [
                {
                    "model": "models/gemini-embedding-001",
                    "content": {"parts": [{"text": text}]},
                    "outputDimensionality": 768,
                    "taskType": "RETRIEVAL_QUERY",
                }
                for text in "ab"
            ]
        },
    ),
    "Titan": (
        TITAN,
        "amazon.titan-embed-text-v2:0",
        request("hi", dimensions=512, normalize=False, encoding_format="base64"),
        "/model/amazon.titan-embed-text-v2%3A0/invoke",
        {"inputText": "hi", "dimensions": 512, "normalize": False},
    ),
    "Cohere v3": (
        COHERE_V3,
        "cohere.embed-english-v3",
        request(["a", "b"], truncate="END"),
        "/model/cohere.embed-english-v3/invoke",
        {"texts": ["a", "b"], "input_type": "search_document", "truncate": "END"},
    ),
    "Cohere v4": (
        COHERE_V4,
        "us.cohere.embed-v4:0",
        request("a", dimensions=1024, input_type="search_query", max_tokens=100),
        "/model/us.cohere.embed-v4%3A0/invoke",
        {"texts": ["a"], "input_type": "search_query", "output_dimension": 1024, "max_tokens": 100},
    ),
}


@pytest.mark.parametrize(
    ("surface", "model", "asked", "path", "body"), REQUESTS.values(), ids=REQUESTS
)
def test_a_request_is_the_provider_s(
    surface: Surface, model: str, asked: EmbeddingsRequest, path: str, body: object
) -> None:
    assert asked_of(surface, model, asked) == (path, body)


def test_inputs_and_parameters_go_byte_for_byte() -> None:
    asked = parse_request(rb'{"model":"m","input":["\u00e9",  "b"],"x":1.10}')

    body = OPENAI.encode(asked, asked.inputs[:1], "e").body
    assert body == rb'{"model":"e","input":["\u00e9"],"x":1.10}'


@pytest.mark.parametrize("surface", [GEMINI, TITAN, COHERE_V3, COHERE_V4])
def test_token_ids_are_refused_where_only_texts_are_taken(surface: Surface) -> None:
    asked = request([1, 2])

    with pytest.raises(InvalidRequest, match="not token ids") as caught:
        surface.encode(asked, asked.inputs, "e")
    assert caught.value.param == "input"


@pytest.mark.parametrize(
    ("surface", "fields", "param"),
    [
        (GEMINI, {"input_type": "x"}, "input_type"),
        (TITAN, {"task_type": "x"}, "task_type"),
        (COHERE_V3, {"dimensions": 8}, "dimensions"),
        (COHERE_V4, {"normalize": True}, "normalize"),
    ],
)
def test_what_a_target_cannot_be_asked_for_is_refused_by_name(
    surface: Surface, fields: dict[str, Any], param: str
) -> None:
    asked = request(**fields)

    with pytest.raises(InvalidRequest, match=param) as caught:
        surface.encode(asked, asked.inputs, "e")
    assert caught.value.param == param


@pytest.mark.parametrize("surface", [GEMINI, TITAN, COHERE_V3, COHERE_V4])
def test_what_is_null_is_refused_nowhere(surface: Surface) -> None:
    asked = request(dimensions=None, new=None)

    assert b"null" not in surface.encode(asked, asked.inputs, "e").body


@pytest.mark.parametrize(
    ("model", "surface"),
    [
        ("amazon.titan-embed-text-v2:0", TITAN),
        ("cohere.embed-english-v3", COHERE_V3),
        ("cohere.embed-multilingual-v3", COHERE_V3),
        ("cohere.embed-v4:0", COHERE_V4),
        ("global.cohere.embed-v4:0", COHERE_V4),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0", TITAN),
        ("amazon.titan-embed-image-v1", None),
        ("anthropic.claude-haiku-4-5", None),
    ],
)
def test_bedrock_s_models_are_known_by_name(model: str, surface: Surface | None) -> None:
    assert embeddings_bedrock.surface_for(model) is surface


@pytest.mark.parametrize(
    ("surface", "fields", "limits"),
    [
        (OPENAI, {"encoding_format": "base64"}, Limits(2048, 300_000)),
        (OPENAI, {}, Limits(512, 300_000)),
        (GEMINI, {}, Limits(100)),
        (TITAN, {}, Limits(1)),
        (COHERE_V3, {}, Limits(96)),
        (COHERE_V4, {}, Limits(96)),
    ],
)
def test_a_call_s_limits_are_the_provider_s(
    surface: Surface, fields: dict[str, Any], limits: Limits
) -> None:
    assert surface.limits(request(**fields)) == limits


# --- replies


def item(index: int, vector: object) -> dict[str, Any]:
    return {"object": "embedding", "index": index, "embedding": vector}


def openai(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(items), **more}


REPLIES = {
    "OpenAI": (
        OPENAI,
        openai(
            item(0, [1, 2]),
            item(1, [3, 4]),
            model="e-1",
            usage={"prompt_tokens": 8, "total_tokens": 8},
        ),
        Embedded((b"[1, 2]", b"[3, 4]"), 8, "e-1"),
    ),
    "OpenAI, in another order": (
        OPENAI,
        openai(item(1, [3]), item(0, [1])),
        Embedded((b"[1]", b"[3]"), None),
    ),
    "OpenAI, a negative count": (
        OPENAI,
        openai(item(1, [3]), item(0, [1]), usage={"prompt_tokens": -8}),
        Embedded((b"[1]", b"[3]"), None),
    ),
    "Gemini": (
        GEMINI,
        {
            "embeddings": [{"values": [1]}, {"values": [2]}],
            "usageMetadata": {"promptTokenCount": 4},
        },
        Embedded((b"[1]", b"[2]"), 4),
    ),
    "Gemini, a negative count": (
        GEMINI,
        {
            "embeddings": [{"values": [1]}, {"values": [2]}],
            "usageMetadata": {"promptTokenCount": -1},
        },
        Embedded((b"[1]", b"[2]"), None),
    ),
    "Gemini, without usage": (
        GEMINI,
        {"embeddings": [{"values": [1]}, {"values": [2]}]},
        Embedded((b"[1]", b"[2]"), None),
    ),
    "Gemini, usage without a count": (
        GEMINI,
        {"embeddings": [{"values": [1]}, {"values": [2]}], "usageMetadata": {}},
        Embedded((b"[1]", b"[2]"), None),
    ),
    "Cohere": (
        COHERE_V3,
        {"id": "1", "response_type": "embeddings_floats", "embeddings": [[1], [2]], "texts": []},
        Embedded((b"[1]", b"[2]"), None),
    ),
    "Cohere, by type": (
        COHERE_V4,
        {"response_type": "embeddings_by_type", "embeddings": {"float": [[1], [2]]}},
        Embedded((b"[1]", b"[2]"), None),
    ),
}


@pytest.mark.parametrize(("surface", "reply", "embedded"), REPLIES.values(), ids=REPLIES)
def test_a_reply_to_two_inputs_is_read(surface: Surface, reply: object, embedded: Embedded) -> None:
    assert read(surface, 2, reply) == embedded


def test_titan_s_reply_is_read() -> None:
    reply = {"embedding": [1, 2], "inputTextTokenCount": 3, "embeddingsByType": {"float": [1, 2]}}

    assert read(TITAN, 1, reply) == Embedded((b"[1, 2]",), 3)


GARBLED = {
    "OpenAI, no JSON": (OPENAI, b"{this is no JSON"),
    "OpenAI, not UTF-8": (OPENAI, b'{"data":[{"index":0,"embedding":"\xff"}]}'),
    "OpenAI, nested": (OPENAI, b'{"x":' + b"[" * 100_000),
    "OpenAI, a web page": (OPENAI, b"<html>"),
    "OpenAI, nothing": (OPENAI, b""),
    "OpenAI, an empty object": (OPENAI, {}),
    "OpenAI, too few": (OPENAI, openai(item(0, [1]))),
    "OpenAI, too many": (OPENAI, openai(item(0, [1]), item(1, [1]), item(2, [1]))),
    "OpenAI, an index twice": (OPENAI, openai(item(0, [1]), item(0, [1]))),
    "OpenAI, an index that is none": (OPENAI, openai(item(0, [1]), item(2, [1]))),
    "OpenAI, no index": (OPENAI, openai({"embedding": [1]}, item(1, [1]))),
    "OpenAI, an empty vector": (OPENAI, openai(item(0, []), item(1, []))),
    "OpenAI, other lengths": (OPENAI, openai(item(0, [1]), item(1, [1, 2]))),
    "OpenAI, usage in words": (OPENAI, openai(item(0, [1]), item(1, [1]), usage="much")),
    "Gemini, no JSON": (GEMINI, b"["),
    "Gemini, nothing": (GEMINI, {}),
    "Gemini, too few": (GEMINI, {"embeddings": [{"values": [1]}]}),
    "Gemini, no values": (GEMINI, {"embeddings": [{}, {}]}),
    "Titan, no JSON": (TITAN, b"x"),
    "Titan, no count": (TITAN, {"embedding": [1]}),
    "Titan, no vector": (TITAN, {"inputTextTokenCount": 1}),
    "Cohere, no JSON": (COHERE_V3, b"x"),
    "Cohere, too few": (COHERE_V3, {"embeddings": [[1]]}),
    "Cohere, too many by type": (COHERE_V4, {"embeddings": {"float": [[1], [1], [1]]}}),
    "Cohere, another type": (COHERE_V4, {"embeddings": {"int8": [[1], [1]]}}),
}


@pytest.mark.parametrize(("surface", "reply"), GARBLED.values(), ids=GARBLED)
def test_a_garbled_reply_to_two_inputs_is_refused(surface: Surface, reply: object) -> None:
    with pytest.raises(DialectError):
        read(surface, 2, reply)


@pytest.mark.parametrize("surface", [OPENAI, GEMINI])
@pytest.mark.parametrize(
    ("error", "message"), [({"message": "no"}, "no"), ("no such model", "no such model")]
)
def test_an_error_in_place_of_an_answer_is_the_provider_s(
    surface: Surface, error: object, message: str
) -> None:
    with pytest.raises(UpstreamReported) as caught:
        read(surface, 1, {"error": error})

    assert caught.value.error["message"] == message


CANARY = "CANARY"


@pytest.mark.parametrize("surface", [OPENAI, GEMINI, TITAN, COHERE_V3])
def test_inv5_no_complaint_quotes_what_was_received(surface: Surface) -> None:
    with pytest.raises(DialectError) as caught:
        read(surface, 1, {"data": CANARY, "embeddings": CANARY, "embedding": CANARY})

    assert CANARY not in str(caught.value)

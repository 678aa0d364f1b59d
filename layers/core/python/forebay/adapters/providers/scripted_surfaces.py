"""What the scripted provider answers beside chat: legacy completions and embeddings.

Source: https://platform.openai.com/docs/api-reference/completions and …/embeddings.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from hashlib import shake_256
from math import sqrt
from typing import Any, Final

import msgspec
from typing_extensions import override

from forebay.adapters.providers.scripted_answers import Answer, AnswerWriter, answer_to
from forebay.dialects import completions, embeddings_openai
from forebay.model import UpstreamRequest
from forebay.settings import ScriptedSettings

DIMENSIONS: Final = 64
"""Of a vector, if the request does not say: short enough to read."""

MAX_DIMENSIONS: Final = 4096
"""Longer ones are not made, whatever the request says: they are made of pure Python."""


def writer_for(request: UpstreamRequest, script: ScriptedSettings) -> AnswerWriter:
    """Return what writes the answer to a request, by its path."""
    asked = msgspec.json.decode(request.body)
    match request.path:
        case embeddings_openai.PATH:
            return EmbeddingsWriter(asked)
        case completions.PATH:
            return CompletionWriter(asked, script)
        case _:
            return AnswerWriter(asked, answer_to(asked, script))


def _each(given: object) -> list[object]:
    """Return the prompts or inputs of a request; a list of token ids is one."""
    if isinstance(given, list) and given and not isinstance(given[0], int):
        return given
    return [given]


class CompletionWriter(AnswerWriter):
    """Writes legacy completions: it goes on with a prompt that begins as its own text does."""

    def __init__(self, request: Mapping[str, Any], script: ScriptedSettings) -> None:
        prompts = _each(request.get("prompt"))
        begun = {"role": "assistant", "content": prompts[0]}
        answer = answer_to({**request, "messages": [begun]}, script)
        choices = len(prompts) * (request.get("n") or 1)
        super().__init__({**request, "messages": prompts, "n": choices}, answer)

    @override
    def whole(self) -> bytes:
        choices = self._texts("".join(self.answer.pieces), self.answer.finish_reason)
        return self._encode("", choices=choices, usage=self._usage)

    @override
    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        return self._event(choices=self._texts(delta.get("content", ""), finish_reason))

    def _texts(self, text: str, finish_reason: str | None) -> list[dict[str, Any]]:
        return [
            {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}
            for index in range(self._choices)
        ]

    @override
    def _encode(self, kind: str, **fields: object) -> bytes:
        return super()._encode("text_completion", **fields)


class EmbeddingsWriter(AnswerWriter):
    """Writes vectors: equal ones for equal texts, near ones for texts that share words."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__({**request, "messages": request.get("input")}, Answer([], "stop"))
        self._inputs = _each(request.get("input"))
        self._dimensions = min(request.get("dimensions") or DIMENSIONS, MAX_DIMENSIONS)
        self._packed = request.get("encoding_format") == "base64"

    @override
    def whole(self) -> bytes:
        vectors = (embed(given, self._dimensions) for given in self._inputs)
        data = [
            {"object": "embedding", "index": index, "embedding": self._written(vector)}
            for index, vector in enumerate(vectors)
        ]
        tokens = self._usage["prompt_tokens"]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        reply = {"object": "list", "data": data, "model": self._model, "usage": usage}
        return msgspec.json.encode(reply)

    def _written(self, vector: Sequence[float]) -> object:
        return struct.pack(f"<{len(vector)}f", *vector) if self._packed else vector


def embed(given: object, dimensions: int) -> list[float]:
    """Return a vector of length 1: the sum of one vector for each word, made of its hash."""
    words: Iterable[object] = given if isinstance(given, list) else str(given).split()
    summed = [0.0] * dimensions
    for word in list(words) or [given]:
        digest = shake_256(str(word).encode()).digest(2 * dimensions)
        for index, value in enumerate(struct.unpack(f"<{dimensions}h", digest)):
            summed[index] += value + 0.5  # never 0
    length = sqrt(sum(value * value for value in summed)) or 1.0
    return [value / length for value in summed]

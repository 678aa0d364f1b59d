"""Asking one target for all vectors of a request, in as many calls as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from forebay.dialects.embeddings import (
    Embedded,
    EmbeddingsRequest,
    Surface,
    input_text,
    token_bound,
)
from forebay.errors import InvalidRequest
from forebay.ports import TokenCounter
from forebay.service.catalog import Target
from forebay.service.embedding_batches import EmbeddingBatches, Lane, Part
from forebay.service.embedding_calls import call_for_embeddings
from forebay.service.embedding_shares import split
from forebay.service.embedding_surfaces import surface_of

MAX_PARTS: Final = 64
"""Calls to a provider that one request may be divided into (invariant 6)."""

PARALLEL_PARTS: Final = 4
"""Of them at once: more would only meet the provider's rate limit."""


def check_able(target: Target, asked: EmbeddingsRequest) -> None:
    """Let a request pass that a target can answer.

    Raises:
        InvalidRequest: It cannot; `param` names the field.
    """
    surface = surface_of(target)
    surface.encode(asked, asked.inputs[:1], target.model)
    at_most = surface.limits(asked).inputs * MAX_PARTS
    if len(asked.inputs) > at_most:
        message = f"'input' has {len(asked.inputs)} entries; {target.name} takes {at_most} at most."
        raise InvalidRequest(message, param="input")


@dataclass(frozen=True, slots=True)
class EmbeddingTargets:
    """Asks targets.

    Args:
        counter: Counts tokens where their number matters.
        batches: Calls that callers share.
    """

    counter: TokenCounter
    batches: EmbeddingBatches = field(default_factory=EmbeddingBatches)

    async def embed(self, target: Target, asked: EmbeddingsRequest, *, tenant: str) -> Embedded:
        """Return a vector for each input, in their order.

        Raises:
            UpstreamError: One call failed; the others are given up.
        """
        surface = surface_of(target)
        key = (tenant, target.name, asked.fingerprint())
        few = asyncio.Semaphore(PARALLEL_PARTS)

        async def embed(part: Part) -> Embedded:
            async with few:
                return await self.batches.embed(
                    key, part, lambda: self._lane(target, surface, asked)
                )

        parts = await self._parts(target, surface, asked)
        if len(parts) == 1:
            return await embed(parts[0])
        running = [asyncio.ensure_future(embed(part)) for part in parts]
        try:
            return _joined(await asyncio.gather(*running))
        finally:
            for each in running:
                each.cancel()

    async def count(self, target: Target, asked: EmbeddingsRequest, inputs: Sequence[bytes]) -> int:
        """Count the tokens of inputs."""
        texts = (input_text(each, of_tokens=asked.of_tokens) for each in inputs)
        return sum([await self.counter.count(text, model=target.model) for text in texts])

    async def _parts(
        self, target: Target, surface: Surface, asked: EmbeddingsRequest
    ) -> list[Part]:
        """Divide a request by what the target takes in one call.

        Tokens are counted only where their number could matter: counting takes time.
        """
        limits = surface.limits(asked)
        sizes = [token_bound(each, of_tokens=asked.of_tokens) for each in asked.inputs]
        if limits.tokens is not None and sum(sizes) > limits.tokens:
            sizes = [await self.count(target, asked, [each]) for each in asked.inputs]
        return [Part(asked.inputs[run], sum(sizes[run])) for run in split(sizes, limits)]

    def _lane(self, target: Target, surface: Surface, asked: EmbeddingsRequest) -> Lane:
        async def ask(inputs: Sequence[bytes]) -> Embedded:
            return await call_for_embeddings(target, surface, asked, inputs)

        async def weigh(inputs: Sequence[bytes]) -> int:
            return await self.count(target, asked, inputs)

        return Lane(ask, weigh, surface.limits(asked))


def _joined(parts: Sequence[Embedded]) -> Embedded:
    """Put parts together; what they took is known if it is of each."""
    vectors = tuple(vector for part in parts for vector in part.vectors)
    tokens = [part.input_tokens for part in parts if part.input_tokens is not None]
    total = sum(tokens) if len(tokens) == len(parts) else None
    return Embedded(vectors, total, parts[0].model)

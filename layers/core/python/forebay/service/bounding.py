"""The worst case of a request, with its tokens counted where their vocabulary is at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from forebay.admission.bound import Bound, BoundTarget, worst_case
from forebay.admission.text_bound import COUNTED_BYTES, is_countable
from forebay.model import Demand, KeyPolicy
from forebay.ports import Tokenizer
from forebay.settings import ProviderKind

COUNTED_KINDS: Final = frozenset({ProviderKind.OPENAI, ProviderKind.AZURE})
"""Whose models have published vocabularies."""

INLINE_CHARACTERS: Final = 512 * 1024
"""Of text are bounded on the loop: 4 ms."""


@dataclass(frozen=True, slots=True)
class Bounding:
    """Bounds requests.

    Args:
        tokenizer: Counts exactly, or not at all; long texts on a thread.
    """

    tokenizer: Tokenizer

    async def worst_case(
        self,
        demand: Demand,
        targets: Sequence[BoundTarget],
        policy: KeyPolicy,
        *,
        has_budget: bool,
    ) -> Bound:
        """Return the most that one attempt can take; see `admission.bound.worst_case`.

        Raises:
            CostNotBounded: See there.
        """
        counted = await self._count(demand, targets) if policy.hold == "calibrated" else {}
        bound = partial(
            worst_case,
            demand,
            targets,
            policy,
            has_budget=has_budget,
            counted=counted,
        )
        return bound() if _size(demand) <= INLINE_CHARACTERS else await asyncio.to_thread(bound)

    async def _count(self, demand: Demand, targets: Sequence[BoundTarget]) -> dict[str, int]:
        models = {target.model for target in targets if target.kind in COUNTED_KINDS}
        if not models or not _is_worth_counting(demand):
            return {}
        parts = [*demand.texts, *demand.schemas]
        text = "\n".join(parts)
        counted = {model: await self.tokenizer.count_exactly(text, model=model) for model in models}
        # A piece of text alone may be a token more than with its neighbours.
        return {model: count + len(parts) for model, count in counted.items() if count is not None}


def _is_worth_counting(demand: Demand) -> bool:
    return _size(demand) <= COUNTED_BYTES and is_countable(
        "\n".join((*demand.texts, *demand.schemas))
    )


def _size(demand: Demand) -> int:
    return sum(len(text) + 1 for text in (*demand.texts, *demand.schemas))

"""Leaves as this process last saw them: from their arrival times it guesses a write's branches."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from forebay.admission.leaf import Leaf, LeafWrite

REMEMBERED: Final = 2048
"""About 4 MB; a leaf that was forgotten costs a wrong guess at most."""


class SeenLeaves:
    """The leaf that each last write left or met."""

    def __init__(self) -> None:
        self._leaves: OrderedDict[str, Leaf] = OrderedDict()

    def of(self, scope: str) -> Leaf | None:
        """Return a leaf as it was last seen."""
        return self._leaves.get(scope)

    def noted(self, write: LeafWrite) -> LeafWrite:
        """Remember what a write tells of its leaf, and hand it on."""
        if write.leaf is not None:
            self._leaves[write.leaf.scope] = write.leaf
            self._leaves.move_to_end(write.leaf.scope)
            if len(self._leaves) > REMEMBERED:
                self._leaves.popitem(last=False)
        return write

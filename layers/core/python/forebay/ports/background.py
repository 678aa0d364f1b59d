"""What settler and controller need of the world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

from forebay.admission.escrow import AtLeaf, AtParent, LeafPool, Parent, Pool, Step
from forebay.admission.leaf import Leaf
from forebay.resilience.breaker import BreakerRecord
from forebay.resilience.fleet_view import Figures
from forebay.resilience.window import Window
from forebay.rollups import MinuteSpend, RollUp, SpendState, Tally


class UsageBooks(Protocol):
    """Where the ledger's stream is added up, exactly."""

    async def add(self, roll_up: RollUp, shard: str, tally: Tally) -> str | None:
        """Add to a shard's part of a roll-up, unless it has counted a row from `tally.first` on.

        One write. It may be done twice: the second time finds its rows counted.

        Returns:
            None: It is added. Else nothing is, and this is the number up to which rows are counted.

        Raises:
            StoreUnavailable: The store did not answer in time; it may be added all the same.
        """
        ...


class SpendBooks(Protocol):
    """Where the fleet's spend of the last hour is."""

    async def add_spend(self, entry: MinuteSpend) -> SpendState:
        """Add rows of a shard, unless it has counted one from `entry.first` on. One write.

        Raises:
            StoreUnavailable: The store did not answer in time; they may be added all the same.
        """
        ...


class FleetBooks(Protocol):
    """What settler and controller enter of targets' health, beside `FleetStore`."""

    async def add_streamed(
        self, target: str, window: Window, *, batch: str, successes: int
    ) -> BreakerRecord:
        """Add what the ledger's stream brought; return the record as it is now. One or two writes.

        Args:
            target: `provider/model`.
            window: Attempts by the bucket in which they ended.
            batch: A name of the stream's batch, the same when it is delivered again: what was added
                to this target before is not added again.
            successes: Whole answers; they earn retry credit.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        ...

    async def publish_figures(self, target: str, figures: Figures) -> None:
        """Put a target's figures into the snapshot, if there is room for them. One write.

        `Figures()`, which says nothing, takes them out.
        """
        ...

    def records(self) -> AsyncIterator[BreakerRecord]:
        """All records, in no order; reads the table page by page."""
        ...

    async def forget(self, record: BreakerRecord) -> None:
        """Take a closed target's state out of the snapshot, if it is still this one. One write.

        For states that are older than any copy: absent means closed, too.
        """
        ...


class OpenHolds(Protocol):
    """Which leaves hold money for longer than any request lives. For the sweep.

    Each method raises `StoreUnavailable` when the store does not answer in time.
    """

    def due(self, *, now: float) -> AsyncIterator[str]:
        """Scopes of leaves that are to be swept, each once; an index, behind by a moment."""
        ...

    async def read(self, scope: str) -> Leaf | None:
        """Read a leaf, strongly consistent. One read unit for 4 KB."""
        ...

    async def sweep_at(self, leaf: Leaf, at: int | None) -> None:
        """Say when a leaf is to be swept next; None: not before its next hold. One write.

        Nothing is changed if another sweep did, or if None is said while a hold is open.
        """
        ...


class Escrow(Protocol):
    """Where allowances are: parents, and what leaves keep of their pools.

    The halves of a step are writes of their own; see `forebay.admission.escrow` for what holds
    however they fall apart. Each method raises `StoreUnavailable` when the store does not answer
    in time; what it wrote may be stored all the same, and can be written again: a half that is done
    is refused.
    """

    async def parent(self, pool: Pool) -> Parent | None:
        """Read a pool's parent, strongly consistent; None: its scope has no such limit yet."""
        ...

    async def leaves(self, pool: Pool, leaves: Iterable[str]) -> Mapping[str, LeafPool]:
        """Read what leaves keep of a pool, strongly consistent. One call a hundred leaves.

        A leaf that has drawn nothing yet keeps `LeafPool()`; one that does not exist is left out.
        """
        ...

    async def step_parent(self, step: Step) -> AtParent:
        """Do a step's half at the parent. One write; two if it is the first of a period."""
        ...

    async def step_leaf(self, step: Step) -> AtLeaf:
        """Do a step's half at the leaf. One write; two if it is the leaf's first of a period."""
        ...

    async def set_budget(self, pool: Pool) -> Parent:
        """Make a pool's parent, or give it the pool's limit if that is of a later version.

        Two writes at most.
        """
        ...


class Gauges(Protocol):
    """Where it is told how much there is of something."""

    def gauge(self, name: str, value: float) -> None:
        """One metric, named in `telemetry.METRICS`. Never blocks, never fails."""
        ...

"""Which targets are asked in which order, and what that choice rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import msgspec

from forebay.dialects.canonical import Conversation
from forebay.dialects.question import Question
from forebay.model import AttemptResult
from forebay.ports import Entropy
from forebay.resilience.fleet_view import FleetView
from forebay.resilience.hedge import HedgeBudget, hedge_after_s
from forebay.routing import (
    Load,
    opening,
    order_by_load,
    order_by_prefix,
    prefix_key,
    with_affinity,
)
from forebay.service.account import Attempt
from forebay.service.catalog import Route, Target
from forebay.service.fleet import Fleet
from forebay.service.load import Loads
from forebay.settings import DEFAULT_HEDGE_SHARE


@dataclass(frozen=True, slots=True)
class Choice:
    """The targets of one request."""

    targets: list[Target]
    """In the order in which they are to be tried, each once."""
    view: FleetView
    """What was known of them."""

    def hedge_after_s(self, target: Target) -> float | None:
        """How long to wait for a target's first word before another is asked; None: for ever."""
        return hedge_after_s(self.view.p95_first_token_s(target.name))


@dataclass(slots=True)
class Dispatch:
    """Chooses among targets; shared by all requests of the process.

    Args:
        fleet: Knows the targets' health.
        loads: Knows what this process has in flight.
        entropy: Rolls the dice.
        hedge_share: Hedges at most, as a share of the calls.
    """

    fleet: Fleet
    loads: Loads
    entropy: Entropy
    hedge_share: float = DEFAULT_HEDGE_SHARE
    _hedges: HedgeBudget = HedgeBudget()  # noqa: RUF009 - frozen

    async def choose(self, route: Route, asked: Question) -> Choice:
        """Order the targets of a route: group by group, by weight and load within each.

        Replicas with a prefix cache change places so that a conversation comes back to its own. A
        target that asked to be spared (`Retry-After`) comes after all others, fallbacks included.
        """
        view = await self.fleet.view()
        self._hedges = self._hedges.called(self.hedge_share)
        prefix = _prefix(asked) if route.policy.resilience.affinity else None
        ordered: dict[str, Target] = {}
        for group in route.groups:
            for index in self._order(group, prefix, view):
                ordered.setdefault(group[index].name, group[index])
        spared_last = sorted(ordered.values(), key=lambda each: self.loads.load(each.name).cooling)
        return Choice(spared_last, view)

    def spend_hedge(self) -> bool:
        """Take a hedge from the budget, if there is one."""
        left = self._hedges.spent()
        if left is not None:
            self._hedges = left
        return left is not None

    @contextmanager
    def calling(self, attempt: Attempt) -> Iterator[None]:
        """Count an attempt while it runs, and learn from how it ended."""
        name = attempt.target.name
        try:
            with self.loads.calling(name):
                yield
        finally:
            attempt.ended(AttemptResult.ABANDONED)
            record = attempt.record()
            if record.first_token_ms is not None and attempt.is_stream:
                self.loads.spoke(name, record.first_token_ms / 1000)
            if attempt.retry_after_s is not None:
                self.loads.cool(name, attempt.retry_after_s)
            self.fleet.attempt_ended(record)

    def _order(
        self, group: Sequence[Target], prefix: Callable[[], bytes] | None, view: FleetView
    ) -> list[int]:
        if len(group) == 1:
            return [0]
        load_of = self._loads_of(group, view)
        order = order_by_load(group, load_of, self.entropy.random)
        replicas = [index for index, target in enumerate(group) if target.is_replica]
        if prefix is None or len(replicas) < 2:
            return order
        among = order_by_prefix(prefix(), [group[index] for index in replicas], load_of)
        return with_affinity(order, [replicas[index] for index in among])

    def _loads_of(self, group: Sequence[Target], view: FleetView) -> Callable[[Target], Load]:
        """What is known of each: by this process if it knows all, else by the fleet.

        Times must compare: a mean of one's own and a percentile of the fleet's do not.
        """
        loads = {target.name: self.loads.load(target.name) for target in group}
        if any(load.first_token_s is None for load in loads.values()):
            fleet_s = {name: view.p95_first_token_s(name) for name in loads}
            if any(fleet_s.values()):
                loads = {
                    name: replace(load, first_token_s=fleet_s[name]) for name, load in loads.items()
                }
        return lambda target: loads[target.name]


def _prefix(asked: Question) -> Callable[[], bytes]:
    """Say how to compute what stays the same at each turn of a conversation."""
    request = asked.chat or asked.messages
    if request is None:
        return lambda: prefix_key(_opening_of(asked.conversation()))
    fields = request.fields

    def key() -> bytes:
        before = [bytes(fields.get(name, b"")) for name in ("tools", "system")]
        return prefix_key([*before, *opening(bytes(fields["messages"]))])

    return key


def _opening_of(conversation: Conversation) -> Iterator[bytes]:
    """The parts of a conversation that are the same at each of its turns."""
    yield msgspec.json.encode(conversation.tools)
    yield msgspec.json.encode(conversation.system)
    for message in conversation.messages:
        yield msgspec.json.encode(message)
        if message.role == "user":
            return

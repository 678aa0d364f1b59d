"""A team above many keys, on any store, and what must hold of it at every instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from forebay.adapters.memory import SeededEntropy
from forebay.admission.escrow import LeafPool, Parent, Pool
from forebay.model import Budget, KeyPolicy, KeyRecord, ScopePolicy
from forebay.money import NanoUsd
from forebay.ports import Clock, Limits
from forebay.ports.background import Escrow
from forebay.service.admission import Admission
from forebay.service.escrow import Allowances
from forebay.service.escrow_leaves import EscrowLeaves
from tests.support.leaves import key

TEAM = "team#acme#search"
PERIOD = "202701"
"""Of `ManualClock`'s start."""
SLOT = f"team.{PERIOD}"


def pool(limit: int = 100, *, period: str = PERIOD, version: int = 1) -> Pool:
    """Make the team's budget of a month."""
    return Pool(TEAM, period, limit, version)


def team(
    nano_usd: int | None = 100, *, version: int = 1, parallel: int | None = None
) -> ScopePolicy:
    """Make the team's policy."""
    budgets = () if nano_usd is None else (Budget(NanoUsd(nano_usd), "month"),)
    return ScopePolicy("acme", "search", KeyPolicy(budgets, parallel=parallel), version, 0.0)


def member(number: int, policy: KeyPolicy | None = None) -> KeyRecord:
    """Make a key of the team."""
    return replace(key(policy or KeyPolicy()), key_id=f"key{number:07d}", team="search")


def admission(
    limits: Limits, escrow: Escrow, scopes: Iterable[ScopePolicy], *, clock: Clock, seed: int = 1
) -> Admission:
    """Make a process that knows nothing yet."""
    known = tuple(scopes)

    async def found(_: KeyRecord) -> Iterable[ScopePolicy]:
        return known

    async def unread(key_id: str) -> KeyRecord | None:
        raise AssertionError(f"{key_id} was read: nobody changed it")

    entropy = SeededEntropy(seed)
    leaves = EscrowLeaves(limits, Allowances(escrow, clock), found, entropy)
    return Admission(limits, leaves, unread, clock, entropy)


def check_allowances(parent: Parent | None, leaves: Mapping[str, LeafPool], budget: int) -> int:
    """Assert that allowances are within what is granted, and that within the budget.

    Returns:
        What is stranded between the two: granted, and in no leaf.
    """
    allowances = sum(held.room + held.committed for held in leaves.values())
    assert all(held.room >= 0 and held.committed >= 0 for held in leaves.values())
    granted = 0 if parent is None else parent.granted
    assert allowances <= granted <= budget
    return granted - allowances

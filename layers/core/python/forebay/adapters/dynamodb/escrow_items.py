"""Parents, and what leaves keep of their pools, as they are in the table `limits`.

A parent::

    scope        "team#acme#search|month"
    budget       and `version`, of the policy that it is from
    period       "202611"
    left         budget - granted: a condition knows no arithmetic, so it compares this
    grants       {"Ab3dE6gH9j#0": {"d": drawn, "a": amount, "t": drawn_at, "r": returned}}

What a leaf keeps of a pool is in its own item, as `limit_items` has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from forebay.adapters.dynamodb.attributes import decode_item
from forebay.adapters.dynamodb.limit_items import pool_fields, read_pool
from forebay.adapters.dynamodb.updates import Update
from forebay.admission.escrow import Grant, LeafPool, Parent, Pool, Step
from forebay.errors import StoreError

LEAF = "leaf#"
"""Each leaf's name begins so; left out in `grants`, since a draw costs its parent's whole size."""


def new_parent(pool: Pool) -> Update:
    """Make a parent that has granted nothing, unless there is one."""
    update = Update()
    update.set_all(
        {
            "budget": pool.limit,
            "version": pool.version,
            "period": pool.period,
            "left": pool.limit,
        }
    )
    update.set(update.name("grants"), update.map({}))
    update.only_if(f"attribute_not_exists({update.name('scope')})")
    return update


def new_budget(pool: Pool, before: Parent) -> Update:
    """Change a parent's budget; what is left changes by the same amount, below zero, too."""
    update = Update()
    version, left = update.name("version"), update.name("left")
    update.set_all({"budget": pool.limit, "version": pool.version})
    update.set(left, f"{left} + {update.value(pool.limit - before.budget)}")
    update.only_if(f"{version} = {update.value(before.version)}")
    return update


def new_period(pool: Pool) -> Update:
    """Begin a period in which nothing is granted yet."""
    update = Update()
    period = update.name("period")
    update.only_if(f"{period} < {update.value(pool.period)}")
    update.set(period, update.value(pool.period))
    update.set(update.name("left"), update.name("budget"))
    update.set(update.name("grants"), update.map({}))
    return update


def parent_draw(step: Step) -> Update:
    """Grant a slice, if there is that much left and the leaf's last draw is the one before."""
    update = Update()
    grant, left = _grant(update, step), update.name("left")
    amount = update.value(step.amount)
    if step.number == 1:
        entry = {"d": 1, "a": step.amount, "t": round(step.at, 3), "r": 0}
        update.set(grant, update.map(entry))
        update.only_if(f"attribute_not_exists({grant})")
    else:
        drawn = f"{grant}.{update.name('d')}"
        update.set(drawn, update.value(step.number))
        update.set(f"{grant}.{update.name('a')}", amount)
        update.set(f"{grant}.{update.name('t')}", update.value(round(step.at, 3)))
        update.only_if(f"{drawn} = {update.value(step.number - 1)}")
    update.set(left, f"{left} - {amount}")
    update.only_if(f"{left} >= {amount}")
    update.only_if(f"{update.name('period')} = {update.value(step.pool.period)}")
    return update


def parent_return(step: Step) -> Update:
    """Take back what a leaf gave, if its last return is the one before."""
    update = Update()
    left = update.name("left")
    returned = f"{_grant(update, step)}.{update.name('r')}"
    update.set(returned, update.value(step.number))
    update.set(left, f"{left} + {update.value(step.amount)}")
    update.only_if(f"{returned} = {update.value(step.number - 1)}")
    update.only_if(f"{update.name('period')} = {update.value(step.pool.period)}")
    return update


def leaf_first_draw(step: Step) -> Update:
    """Give a leaf its first slice of a period."""
    update = Update()
    slot = update.name(step.pool.slot)
    update.set(slot, update.map(pool_fields(LeafPool(step.amount, drawn=1))))
    # A leaf that is gone must not come back as an item without holds and rates.
    update.only_if(f"attribute_exists({update.name('scope')})")
    update.only_if(f"attribute_not_exists({slot})")
    if step.pool.ends_at < inf:
        # A leaf that has seen the next period begin may have forgotten this one, and its draws.
        update.only_if(f"{update.name('period')} < {update.value(step.pool.ends_at)}")
    return update


def leaf_draw(step: Step) -> Update:
    """Give a leaf a further slice."""
    update = Update()
    slot = update.name(step.pool.slot)
    room, drawn = f"{slot}.{update.name('r')}", f"{slot}.{update.name('d')}"
    update.set(room, f"{room} + {update.value(step.amount)}")
    update.set(drawn, update.value(step.number))
    update.only_if(f"{drawn} = {update.value(step.number - 1)}")
    return update


def leaf_return(step: Step) -> Update:
    """Take room from a leaf, if it has that much; it remembers how much until it gives again."""
    update = Update()
    slot = update.name(step.pool.slot)
    room, returned = f"{slot}.{update.name('r')}", f"{slot}.{update.name('b')}"
    amount = update.value(step.amount)
    update.set(room, f"{room} - {amount}")
    update.set(returned, update.value(step.number))
    update.set(f"{slot}.{update.name('g')}", amount)
    update.only_if(f"{returned} = {update.value(step.number - 1)}")
    update.only_if(f"{room} >= {amount}")
    return update


def item_to_parent(item: Mapping[str, Mapping[str, Any]]) -> Parent:
    """Return a parent's item as a parent.

    Raises:
        StoreError: An attribute is missing or of another kind.
    """
    try:
        budget = int(item["budget"]["N"])
        return Parent(
            budget=budget,
            version=int(item["version"]["N"]),
            period=item["period"]["S"],
            granted=budget - int(item["left"]["N"]),
            grants={
                LEAF + leaf: _read_grant(grant["M"]) for leaf, grant in item["grants"]["M"].items()
            },
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(item, error) from error


def item_to_pool(item: Mapping[str, Mapping[str, Any]], pool: Pool) -> LeafPool:
    """Return what a leaf keeps of a pool.

    Raises:
        StoreError: An attribute is missing or of another kind.
    """
    if pool.slot not in item:
        return LeafPool()
    try:
        return read_pool(item[pool.slot]["M"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(item, error) from error


def _grant(update: Update, step: Step) -> str:
    return f"{update.name('grants')}.{update.name(step.leaf.removeprefix(LEAF))}"


def _read_grant(entry: Mapping[str, Any]) -> Grant:
    fields = decode_item(entry)
    return Grant(int(fields["d"]), int(fields["a"]), float(fields["t"]), int(fields["r"]))


def _unreadable(item: Mapping[str, Mapping[str, Any]], error: Exception) -> StoreError:
    name = item.get("scope", {}).get("S", "?")
    return StoreError(f"limits: item {name} cannot be read: {type(error).__name__}: {error}")

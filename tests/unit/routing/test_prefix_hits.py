"""What affinity is worth: the share of input tokens that a replica has in its prefix cache.

Conversations as in Mooncake's traces (R. Qin et al., "Mooncake", FAST 2025, section 4): several
turns, each with all that came before, a few popular system prompts, caches that hold a part of it.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from forebay.routing import Load, order_by_load, order_by_prefix, prefix_key
from tests.support.targets import Fake, fakes

REPLICAS = fakes(1, 1, 1, 1)
CACHE_TOKENS = 150_000
"""Of each replica: a quarter of what all conversations that run at the same time take."""


@dataclass(frozen=True)
class Turn:
    at_s: float
    conversation: int
    blocks: tuple[tuple[str, int], ...]
    """The prompt: names of its parts, and their tokens."""


def turns(dice: Random) -> list[Turn]:
    """400 conversations within 20 minutes."""
    return sorted(
        (turn for number in range(400) for turn in conversation(number, dice)),
        key=lambda turn: turn.at_s,
    )


def conversation(number: int, dice: Random) -> Iterator[Turn]:
    application = dice.choices(range(5), [16, 8, 4, 2, 1])[0]
    blocks = [(f"system {application}", 1_500)]
    at_s = dice.uniform(0, 1_200)
    for turn in range(1 + min(15, int(dice.expovariate(1 / 5)))):
        blocks.append((f"question {number}.{turn}", dice.randint(50, 1_500)))
        yield Turn(at_s, number, tuple(blocks))
        blocks.append((f"answer {number}.{turn}", dice.randint(50, 500)))
        at_s += dice.uniform(10, 60)


@dataclass
class Replica:
    """Remembers the parts it has read, the least recently used going first."""

    cached: OrderedDict[str, int] = field(default_factory=OrderedDict)
    in_flight: int = 0

    def hits(self, turn: Turn) -> int:
        """Tokens of the prompt's beginning that it has; all of it is there afterwards."""
        hit, still_equal = 0, True
        for name, tokens in turn.blocks:
            still_equal = still_equal and name in self.cached
            hit += tokens if still_equal else 0
            self.cached[name] = tokens
            self.cached.move_to_end(name)
        while sum(self.cached.values()) > CACHE_TOKENS:
            self.cached.popitem(last=False)
        return hit


Choose = Callable[[Turn, Callable[[Fake], Load], Random], int]


def by_load(_turn: Turn, load_of: Callable[[Fake], Load], dice: Random) -> int:
    return order_by_load(REPLICAS, load_of, dice.random)[0]


def at_random(_turn: Turn, _load_of: Callable[[Fake], Load], dice: Random) -> int:
    return dice.randrange(len(REPLICAS))


def by_prefix(turn: Turn, load_of: Callable[[Fake], Load], _dice: Random) -> int:
    key = prefix_key(name.encode() for name, _ in turn.blocks[:2])
    return order_by_prefix(key, REPLICAS, load_of)[0]


def simulated(choose: Choose, seed: int) -> tuple[float, float]:
    """The share of tokens that hit, and how much more than its share the busiest replica got."""
    dice = Random(seed)  # noqa: S311 - repeatable
    replicas = [Replica() for _ in REPLICAS]
    given, ends, hit, asked = [0] * len(replicas), list[tuple[float, int]](), 0, 0
    for turn in turns(Random(seed)):  # noqa: S311 - repeatable
        while ends and ends[0][0] <= turn.at_s:
            replicas[heapq.heappop(ends)[1]].in_flight -= 1
        chosen = choose(turn, lambda fake: Load(replicas[REPLICAS.index(fake)].in_flight), dice)
        heapq.heappush(ends, (turn.at_s + 10, chosen))
        replicas[chosen].in_flight += 1
        given[chosen] += 1
        hit += replicas[chosen].hits(turn)
        asked += sum(tokens for _, tokens in turn.blocks)
    return hit / asked, max(given) * len(given) / sum(given)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_affinity_hits_far_more_often_and_stays_balanced(seed: int) -> None:
    random_hits, _ = simulated(at_random, seed)
    load_hits, _ = simulated(by_load, seed)
    prefix_hits, imbalance = simulated(by_prefix, seed)

    print(
        f"prefix tokens hit: {prefix_hits:.1%} by prefix, {load_hits:.1%} by load, "
        f"{random_hits:.1%} at random; {prefix_hits / random_hits:.2f} times as many; "
        f"busiest replica {imbalance:.2f} of its share"
    )
    assert prefix_hits > 1.3 * random_hits
    assert prefix_hits > 0.7
    assert imbalance < 1.25

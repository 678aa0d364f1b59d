"""Each conversation has its replica, and no replica has too many of them."""

from __future__ import annotations

from math import ceil

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.routing import UNKNOWN, Load, opening, order_by_prefix, prefix_key, with_affinity
from forebay.routing.affinity import EPSILON, FREE_CALLS, MAX_PART_BYTES
from tests.support.targets import Fake, fakes, loads_of, shares

SYSTEM = {"role": "system", "content": "You are brief."}
HELLO = {"role": "user", "content": "Hello"}
ANSWER = {"role": "assistant", "content": "Hi!"}
MORE = {"role": "user", "content": "Go on"}


def messages(*parts: dict[str, str]) -> bytes:
    return msgspec.json.encode(parts)


def key_of(*parts: dict[str, str], tools: bytes = b"", system: bytes = b"") -> bytes:
    return prefix_key([tools, system, *opening(messages(*parts))])


def number(key: int) -> bytes:
    return prefix_key([key.to_bytes(4, "big")])


# --- the key


def test_all_turns_of_a_conversation_have_one_key() -> None:
    turns = [[SYSTEM, HELLO], [SYSTEM, HELLO, ANSWER, MORE], [SYSTEM, HELLO, ANSWER, MORE, ANSWER]]

    assert len({key_of(*turn) for turn in turns}) == 1


OTHERS = {
    "another first question": key_of(SYSTEM, MORE),
    "another system prompt": key_of(HELLO),
    "a system prompt in its own field": key_of(SYSTEM, HELLO, system=b'"Be kind."'),
    "tools": key_of(SYSTEM, HELLO, tools=b"[]"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_beginning_is_another_key(other: bytes) -> None:
    assert other != key_of(SYSTEM, HELLO)


def test_parts_do_not_run_together() -> None:
    assert prefix_key([b"ab", b"c"]) != prefix_key([b"a", b"bc"])


def test_only_the_head_of_a_huge_part_counts() -> None:
    head = b"x" * MAX_PART_BYTES

    assert prefix_key([head + b"a"]) == prefix_key([head + b"b"])


OPENINGS: dict[str, tuple[list[dict[str, str]], int]] = {
    "nothing before": ([HELLO, ANSWER, MORE], 1),
    "a system prompt before": ([SYSTEM, HELLO, ANSWER, MORE], 2),
    "no answer yet": ([SYSTEM, HELLO], 2),
    "no user": ([SYSTEM, ANSWER], 2),
    "no role": ([{"content": "?"}, HELLO], 2),
}


@pytest.mark.parametrize(("given_messages", "count"), OPENINGS.values(), ids=OPENINGS)
def test_the_opening_ends_with_the_users_first_message(
    given_messages: list[dict[str, str]], count: int
) -> None:
    opened = [msgspec.json.decode(part) for part in opening(messages(*given_messages))]

    assert opened == given_messages[:count]


def test_messages_nested_too_deeply_to_be_split_count_as_they_are() -> None:
    deep = b'[{"role":"user","content":' + b"[" * 100_000 + b"]" * 100_000 + b"}]"

    assert opening(deep) == [deep]


# --- who gets it


def test_a_key_means_the_same_order_in_every_process() -> None:
    """A figure from one run: another one would move all conversations when a release goes out."""
    orders = [order_by_prefix(number(key), fakes(1, 1, 2), lambda _: UNKNOWN) for key in range(4)]

    assert orders == GOLDEN


GOLDEN = [[2, 0, 1], [2, 0, 1], [1, 0, 2], [1, 2, 0]]

WEIGHTS = st.lists(st.integers(1, 1_000_000), min_size=1, max_size=6)


@given(WEIGHTS, st.binary(max_size=40), st.data())
def test_a_replica_that_leaves_moves_nothing_but_its_own(
    weights: list[int], part: bytes, data: st.DataObject
) -> None:
    replicas, key = fakes(*weights), prefix_key([part])
    leaving = data.draw(st.sampled_from(replicas))
    staying = [replica for replica in replicas if replica != leaving]

    before = [replicas[index] for index in order_by_prefix(key, replicas, lambda _: UNKNOWN)]
    after = [staying[index] for index in order_by_prefix(key, staying, lambda _: UNKNOWN)]

    assert after == [replica for replica in before if replica != leaving]


def test_conversations_are_spread_by_weight() -> None:
    replicas = fakes(5, 1, 4)

    firsts = [order_by_prefix(number(key), replicas, lambda _: UNKNOWN)[0] for key in range(5_000)]

    assert shares(firsts, 3) == pytest.approx([0.5, 0.1, 0.4], abs=0.02)


# --- the bound


def bound(replica: Fake, replicas: list[Fake], calls: int) -> int:
    share = replica.weight / sum(each.weight for each in replicas)
    return max(FREE_CALLS, ceil((1 + EPSILON) * calls * share))


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=120),
)
def test_no_replica_is_given_more_than_its_bound(
    weights: list[int], steps: list[tuple[int, bool]]
) -> None:
    replicas, in_flight = fakes(*weights), [0] * len(weights)
    for key, ends in steps:
        if ends and any(in_flight):
            in_flight[max(range(len(replicas)), key=in_flight.__getitem__)] -= 1
            continue
        load_of = loads_of(replicas, [Load(count) for count in in_flight])
        chosen = order_by_prefix(number(key), replicas, load_of)[0]
        in_flight[chosen] += 1
        assert in_flight[chosen] <= bound(replicas[chosen], replicas, sum(in_flight))


def test_one_popular_key_is_spread_evenly() -> None:
    replicas, in_flight = fakes(1, 1, 1, 1), [0] * 4
    for _ in range(400):
        load_of = loads_of(replicas, [Load(count) for count in in_flight])
        in_flight[order_by_prefix(number(7), replicas, load_of)[0]] += 1

    assert max(in_flight) <= 125


def test_a_few_calls_at_once_do_not_leave_their_replica() -> None:
    replicas = fakes(1, 1, 1, 1)
    home = order_by_prefix(number(7), replicas, lambda _: UNKNOWN)[0]
    loads = [UNKNOWN] * 4
    loads[home] = Load(FREE_CALLS - 1)

    assert order_by_prefix(number(7), replicas, loads_of(replicas, loads))[0] == home


def preferred(home_load: Load, other_load: Load) -> bool:
    """Whether a conversation stays with its own of two replicas."""
    replicas = fakes(1, 1)
    home = order_by_prefix(number(7), replicas, lambda _: UNKNOWN)[0]
    loads = [other_load, other_load]
    loads[home] = home_load
    return order_by_prefix(number(7), replicas, loads_of(replicas, loads))[0] == home


STAYS: dict[str, tuple[Load, Load, bool]] = {
    "both fast": (Load(0, 0.4), Load(0, 0.4), True),
    "a little slower": (Load(0, 1.1), Load(0, 0.4), True),
    "far slower": (Load(0, 1.3), Load(0, 0.4), False),
    "only it is known": (Load(0, 9.0), UNKNOWN, True),
    "it has room for one more": (Load(5), Load(3), True),
    "it has not": (Load(6), Load(2), False),
    "it cools down": (Load(0, 0.4, cooling=True), UNKNOWN, False),
    "it cools down, the other is full": (Load(0, 0.4, cooling=True), Load(50), False),
}


@pytest.mark.parametrize(("home", "other", "stays"), STAYS.values(), ids=STAYS)
def test_a_conversation_leaves_a_replica_that_has_no_time(
    home: Load,
    other: Load,
    stays: bool,  # noqa: FBT001 - a case
) -> None:
    assert preferred(home, other) is stays


# --- among other targets


@pytest.mark.parametrize(
    ("order", "replicas", "placed"),
    [
        pytest.param([2, 0, 1], [1, 0], [2, 1, 0], id="a hosted target keeps its place"),
        pytest.param([0, 2, 1], [1, 0], [1, 2, 0], id="between them as well"),
        pytest.param([0, 1, 2], [2, 0, 1], [2, 0, 1], id="replicas alone"),
        pytest.param([1, 0], [], [1, 0], id="no replica"),
        pytest.param([], [], [], id="nothing"),
    ],
)
def test_replicas_exchange_their_places(
    order: list[int], replicas: list[int], placed: list[int]
) -> None:
    assert with_affinity(order, replicas) == placed

"""Request ids are ULIDs: 26 characters that sort by time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.service.ids import new_ulid

RANDOMNESS = st.binary(min_size=10, max_size=10)

EXAMPLES = {
    "the epoch": (0.0, bytes(10), "0" * 26),
    # Source of its time part: https://github.com/ulid/spec (README, `ulid(1469918176385)`).
    "the specification's": (1469918176.385, bytes(10), "01ARYZ6S41" + "0" * 16),
    "all ones": (281_474_976_710.655, b"\xff" * 10, "7" + "Z" * 25),
    "one bit of randomness": (0.0, bytes(9) + b"\x01", "0" * 25 + "1"),
}


@pytest.mark.parametrize(("now", "randomness", "ulid"), EXAMPLES.values(), ids=EXAMPLES)
def test_an_id_is_its_time_and_its_randomness(now: float, randomness: bytes, ulid: str) -> None:
    assert new_ulid(now, randomness) == ulid


@given(st.floats(0, 2e9), RANDOMNESS)
def test_an_id_has_26_characters_of_crockford_s_alphabet(now: float, randomness: bytes) -> None:
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", new_ulid(now, randomness))


@given(st.integers(0, 10**12), st.integers(1, 10**9), RANDOMNESS, RANDOMNESS)
def test_a_later_millisecond_sorts_later(ms: int, more: int, one: bytes, other: bytes) -> None:
    # Half a millisecond more: a float of seconds may lie a hair below the one it stands for.
    assert new_ulid((ms + 0.5) / 1000, one) < new_ulid((ms + more + 0.5) / 1000, other)


@given(RANDOMNESS, RANDOMNESS)
def test_different_randomness_makes_different_ids(one: bytes, other: bytes) -> None:
    assert (new_ulid(1.0, one) == new_ulid(1.0, other)) is (one == other)

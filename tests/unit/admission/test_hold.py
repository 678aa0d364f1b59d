"""Holds, packed, and the ids of their requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.memory.clock import EPOCH_S
from forebay.admission.hold import (
    MAX_HOLD_NANO_USD,
    MAX_LIFE_S,
    PACKED_BYTES,
    SCOPES,
    Hold,
    held_id,
    made_ms,
    request_id_of,
    short_id,
)
from forebay.service.ids import new_ulid

MADE_MS = 1_800_000_000_123  # 2027-01-15 08:00 UTC
DAYS = ("20270114", "20270115", "20270116")
MONTHS = ("202612", "202701", "202702")
CHOICES = [
    [""] + [f"{scope}.{period}" for period in periods]
    for scope in SCOPES
    for periods in (DAYS, MONTHS, ("total",), ("parallel",))
]
slots = st.tuples(*(st.sampled_from(choice) for choice in CHOICES)).map(
    lambda chosen: tuple(slot for slot in chosen if slot)
)


@given(nano_usd=st.integers(0, MAX_HOLD_NANO_USD), life_s=st.integers(0, MAX_LIFE_S), chosen=slots)
def test_a_hold_is_unpacked_as_it_was(nano_usd: int, life_s: int, chosen: tuple[str, ...]) -> None:
    hold = Hold(nano_usd, MADE_MS, MADE_MS // 1000 + life_s, chosen)
    assert len(hold.pack()) == PACKED_BYTES
    assert Hold.unpack(hold.pack()) == hold


def test_months_are_counted_over_the_end_of_a_year() -> None:
    hold = Hold(1, 1_767_225_599_000, 1_767_225_600, ("key.20260101", "key.202601"))
    assert Hold.unpack(hold.pack()) == hold


@pytest.mark.parametrize(
    "hold",
    [
        Hold(MAX_HOLD_NANO_USD + 1, MADE_MS, MADE_MS // 1000),
        Hold(-1, MADE_MS, MADE_MS // 1000),
        Hold(1, MADE_MS, MADE_MS // 1000 + MAX_LIFE_S + 1),
        Hold(1, MADE_MS, MADE_MS // 1000 - 1),
        Hold(1, MADE_MS, MADE_MS // 1000, ("key.20270117",)),
        Hold(1, MADE_MS, MADE_MS // 1000, ("galaxy.total",)),
    ],
    ids=["too much", "negative", "too long", "expired before", "another day", "unknown scope"],
)
def test_what_does_not_fit_is_refused(hold: Hold) -> None:
    with pytest.raises(ValueError, match=r"."):
        hold.pack()


def test_bytes_that_are_no_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="a hold of 3 bytes"):
        Hold.unpack(b"abc")


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_a_request_is_known_by_ten_characters_and_the_time(at_ms: int, noise: bytes) -> None:
    request_id = held_id(new_ulid(at_ms / 1000, noise))
    hold = Hold(1, made_ms(request_id), made_ms(request_id) // 1000)
    assert len(short_id(request_id)) == 10
    assert request_id_of(short_id(request_id), hold) == request_id


def test_the_time_in_an_id_is_the_one_it_was_made_of() -> None:
    assert made_ms(new_ulid(EPOCH_S, bytes(10))) == EPOCH_S * 1000


@pytest.mark.parametrize("foreign", ["", "short", new_ulid(EPOCH_S, b"0123456789")])
def test_an_id_of_another_kind_is_refused(foreign: str) -> None:
    with pytest.raises(ValueError, match="held_id"):
        short_id(foreign)

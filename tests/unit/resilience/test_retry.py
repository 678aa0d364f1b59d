"""Which failures another attempt may mend, and how long to wait before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import (
    UpstreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamRefused,
    UpstreamUnavailable,
)
from forebay.resilience.retry import (
    MAX_BACKOFF_S,
    another_target_may_help,
    backoff_s,
    retry_after_s,
    same_target_may_help,
)

NOW = 1_800_000_000.0


def refused(status: int, **headers: str) -> UpstreamRefused:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return UpstreamRefused("m", target="p/m", status=status, headers=names, error=None)


CASES: dict[str, tuple[UpstreamError, bool, bool]] = {
    "out of reach": (UpstreamUnavailable("m", target="p/m"), True, True),
    "cut before its first word": (UpstreamCut("m", target="p/m"), True, True),
    "garbage": (UpstreamGarbled("m", target="p/m"), True, True),
    "500": (refused(500), True, True),
    "503": (refused(503), True, True),
    "529, overloaded": (refused(529), True, True),
    "429": (refused(429), True, True),
    "408": (refused(408), True, True),
    "an error within a 200": (refused(200), True, True),
    "400": (refused(400), False, False),
    "404": (refused(404), False, False),
    "409": (refused(409), False, False),
    "409 that says try again": (refused(409, x_should_retry="true"), True, True),
    "500 that says do not": (refused(500, x_should_retry="false"), True, False),
    "401": (refused(401), True, False),
    "403": (refused(403), True, False),
}


@pytest.mark.parametrize(("error", "elsewhere", "again"), CASES.values(), ids=CASES)
def test_a_failure_is_judged(error: UpstreamError, elsewhere: bool, again: bool) -> None:  # noqa: FBT001 - a case
    assert (another_target_may_help(error), same_target_may_help(error)) == (elsewhere, again)


@given(st.integers(0, 50), st.floats(0, 1, exclude_max=True))
def test_backoff_is_bounded(retries: int, roll: float) -> None:
    assert 0 <= backoff_s(retries, roll) < MAX_BACKOFF_S


def test_backoff_doubles() -> None:
    assert [backoff_s(retries, 0.5) for retries in range(4)] == [0.125, 0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="unsaid"),
        pytest.param({"retry-after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": "0"}, 0.0, id="at once"),
        pytest.param({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0, id="a date"),
        pytest.param({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0, id="a past date"),
        pytest.param({"retry-after-ms": "1500"}, 1.5, id="milliseconds"),
        pytest.param({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, id="both"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "9"}, 9.0, id="one of them bad"),
        pytest.param({"retry-after": "soon"}, None, id="nonsense"),
        pytest.param({"retry-after": "-1"}, None, id="negative"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param({"retry-after": "nan"}, None, id="not a number"),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=NOW) == seconds


@given(st.text(max_size=40))
def test_whatever_retry_after_says_it_is_read_or_passed_over(text: str) -> None:
    wait = retry_after_s({"retry-after": text}, now=NOW)

    assert wait is None or wait >= 0

"""A streamed answer is told from a buffered one by the times of its reads."""

import httpx2
import pytest

from forebay_cli.checks.caller import Ending, Exchange
from forebay_cli.checks.chat import Answer
from forebay_cli.checks.finding import CheckFailed, NotChecked, Outcome
from forebay_cli.checks.streams import judge_arrival


def answer_of(moments_s: list[float], events: int) -> Answer:
    """Give an answer whose reads came at these moments after the call."""
    reads = tuple((moment, b"x") for moment in moments_s)
    headers = httpx2.Headers({})
    exchange = Exchange(200, headers, None, 0.0, reads, moments_s[-1], Ending.WHOLE)
    return Answer("m", exchange, ((moments_s[-1], b"{}"),) * events)


@pytest.mark.parametrize(
    ("moments_s", "events"),
    [
        ([0.3 + 0.02 * n for n in range(30)], 30),
        ([5.0 + 0.003 * n for n in range(200)], 200),
        ([0.5, 1.0, 1.5, 2.0], 200),
    ],
    ids=["steady", "late and fast", "bundled but spread"],
)
def test_an_answer_that_comes_in_parts_is_streamed(moments_s: list[float], events: int) -> None:
    assert judge_arrival(answer_of(moments_s, events)).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("moments_s", "events"),
    [
        ([0.5], 30),
        ([2.0], 3),
        ([2.0 + 0.0001 * n for n in range(40)], 40),
        ([2.0, 2.1, 2.2], 250),
    ],
    ids=["many events", "long", "many reads at once", "three round trips"],
)
def test_an_answer_in_one_piece_is_buffered(moments_s: list[float], events: int) -> None:
    with pytest.raises(CheckFailed, match="something buffers"):
        judge_arrival(answer_of(moments_s, events))


def test_a_short_answer_in_one_piece_proves_nothing() -> None:
    with pytest.raises(NotChecked, match="too short to tell"):
        judge_arrival(answer_of([0.5], 5))

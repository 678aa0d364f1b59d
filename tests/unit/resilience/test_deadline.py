"""No wait reaches beyond the deadline, and the caller's wish only shortens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import inf

import anthropic
import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import InvalidRequest
from forebay.model import Timeouts
from forebay.resilience.deadline import (
    INVOCATION_MARGIN_S,
    Deadline,
    Patience,
    deadline,
    read_patience,
    resolved,
)
from forebay.settings import ModelTimeouts, TimeoutSettings

ENDLESS = Timeouts(inf, inf, inf, inf)

# --- what is configured


def test_a_model_without_timeouts_has_its_providers() -> None:
    assert resolved(TimeoutSettings(), ModelTimeouts()) == Timeouts(5.0, 60.0, 600.0, 60.0)


def test_a_models_timeouts_go_before_its_providers() -> None:
    model = ModelTimeouts(connect_s=1, first_byte_s=2, whole_answer_s=900, idle_s=4)

    assert resolved(TimeoutSettings(), model) == Timeouts(1, 2, 900, 4)


# --- what the caller says

WISHES = {
    "seconds": ("30", 30.0),
    "a fraction": ("2.5", 2.5),
    "with its unit": ("45s", 45.0),
    "milliseconds": ("1500ms", 1.5),
    "a fraction of milliseconds": ("0.5ms", 0.0005),
    "with space around": (" 30 ", 30.0),
    "very long": ("999999999", 999_999_999.0),
}


@pytest.mark.parametrize(("text", "seconds"), WISHES.values(), ids=WISHES)
def test_a_wish_is_read(text: str, seconds: float) -> None:
    patience = read_patience({"x-forebay-timeout": text})

    assert patience.total_s == pytest.approx(seconds)
    assert patience == Patience(total_s=patience.total_s)


NONSENSE = {
    "empty": "",
    "zero": "0",
    "zero milliseconds": "0.0ms",
    "negative": "-1",
    "words": "soon",
    "another unit": "5m",
    "infinite": "inf",
    "not a number": "nan",
    "an exponent": "1e3",
    "twice": "5, 6",
    "other digits": "\u0663",
    "a space within": "5 s",
    "huge": "9" * 5_000,
    "a bare point": "5.",
}


@pytest.mark.parametrize("text", NONSENSE.values(), ids=NONSENSE)
def test_a_wish_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="x-forebay-timeout") as caught:
        read_patience({"x-forebay-timeout": text})

    assert caught.value.param == "x-forebay-timeout"


@given(st.text(max_size=30))
def test_whatever_an_sdk_sends_is_read_or_passed_over(text: str) -> None:
    patience = read_patience({"x-stainless-timeout": text, "x-stainless-read-timeout": text})

    assert patience.total_s == inf
    assert patience.head_s > 0
    assert patience.silence_s > 0


@pytest.mark.parametrize("text", ["NOT_GIVEN", "None", "", "0", "-3", "nan", "inf", "5, 6"])
def test_an_sdk_that_says_nothing_has_patience(text: str) -> None:
    assert read_patience({"x-stainless-timeout": text}) == Patience()


Ask = Callable[[httpx2.Client], object]


def ask_openai(http_client: httpx2.Client, timeout_s: float | None = None) -> None:
    client = openai.OpenAI(api_key="k", http_client=http_client)
    asking = client if timeout_s is None else client.with_options(timeout=timeout_s)
    asking.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])


def ask_anthropic(http_client: httpx2.Client, timeout_s: float | None = None) -> None:
    client = anthropic.Anthropic(api_key="k", http_client=http_client)
    client.messages.create(
        model="m",
        max_tokens=1,
        messages=[{"role": "user", "content": "?"}],
        timeout=anthropic.NOT_GIVEN if timeout_s is None else timeout_s,
    )


def sent_by(ask: Ask) -> Mapping[str, str]:
    """The header of a request that an official SDK makes."""
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(400, json={"error": {"message": "no"}})

    http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)):
        ask(http_client)
    return dict(sent[0].headers)


SDKS: dict[str, tuple[Ask, Patience]] = {
    "openai, as it comes": (ask_openai, Patience(silence_s=600)),
    "openai, told": (partial(ask_openai, timeout_s=2.5), Patience(silence_s=2.5)),
    "anthropic, as it comes": (ask_anthropic, Patience(head_s=600, silence_s=600)),
    "anthropic, told": (
        partial(ask_anthropic, timeout_s=2.5),
        Patience(head_s=2.5, silence_s=2.5),
    ),
}


@pytest.mark.parametrize(("ask", "patience"), SDKS.values(), ids=SDKS)
def test_what_the_official_sdks_send_is_understood(ask: Ask, patience: Patience) -> None:
    assert read_patience(sent_by(ask)) == patience


# --- the deadline

DEADLINES: dict[str, tuple[Deadline, float]] = {
    "the model's": (deadline(100.0, Patience(), stream=True, total_s=840), 940.0),
    "the caller's": (deadline(100.0, Patience(total_s=30), stream=True, total_s=840), 130.0),
    "a caller's that would be longer": (
        deadline(100.0, Patience(total_s=5_000), stream=True, total_s=840),
        940.0,
    ),
    "an SDK's, of an answer in one piece": (
        deadline(100.0, Patience(silence_s=20), stream=False, total_s=840),
        120.0,
    ),
    "an SDK's, that waits for the head": (
        deadline(100.0, Patience(head_s=10, silence_s=20), stream=False, total_s=840),
        110.0,
    ),
    "not an SDK's, of a stream": (
        deadline(100.0, Patience(head_s=10, silence_s=20), stream=True, total_s=840),
        940.0,
    ),
    "the invocation's": (
        deadline(100.0, Patience(), stream=True, total_s=840, invocation_s=300),
        400.0 - INVOCATION_MARGIN_S,
    ),
    "a short invocation's": (
        deadline(100.0, Patience(), stream=True, total_s=840, invocation_s=8),
        106.0,
    ),
}


@pytest.mark.parametrize(("given_deadline", "at"), DEADLINES.values(), ids=DEADLINES)
def test_the_earliest_deadline_holds(given_deadline: Deadline, at: float) -> None:
    assert given_deadline.at == at


def test_an_sdks_patience_shortens_the_waits_of_a_stream() -> None:
    patience = Patience(head_s=10, silence_s=20)
    until = deadline(0.0, patience, stream=True, total_s=840)

    assert until.clipped(Timeouts(5, 60, 600, 60), now=0.0) == Timeouts(5, 10, 10, 20)


def test_waits_are_clipped_to_what_is_left() -> None:
    until = deadline(0.0, Patience(), stream=True, total_s=100)

    assert until.clipped(Timeouts(5, 60, 600, 30), now=80.0) == Timeouts(5, 20, 20, 20)


def test_after_the_deadline_nothing_is_left() -> None:
    until = deadline(0.0, Patience(), stream=True, total_s=100)

    assert until.remaining(101.0) == 0
    assert until.clipped(Timeouts(5, 60, 600, 30), now=101.0) == Timeouts(0, 0, 0, 0)


WAITS = st.floats(0.1, 900)
WISHED = WAITS | st.just(inf)


@given(
    st.builds(Timeouts, WAITS, WAITS, WAITS, WAITS),
    st.builds(Patience, WISHED, WISHED, WISHED),
    st.booleans(),
    st.none() | st.floats(0.001, 900),
    st.floats(0, 2_000),
)
def test_inv6_no_wait_reaches_beyond_the_deadline_or_is_longer_than_configured(
    timeouts: Timeouts,
    patience: Patience,
    stream: bool,  # noqa: FBT001 - hypothesis gives it
    invocation_s: float | None,
    now: float,
) -> None:
    until = deadline(0.0, patience, stream=stream, total_s=840, invocation_s=invocation_s)

    clipped = until.clipped(timeouts, now)

    assert clipped == clipped.within(timeouts)
    assert clipped == clipped.within(Timeouts(*[until.remaining(now)] * 4))
    assert until.at <= min(840, patience.total_s, invocation_s or inf)
    assert until.longest == until.longest.within(ENDLESS)

"""Streamed answers: do they arrive as they are written, are they settled, do they end true."""

from __future__ import annotations

from itertools import pairwise

from forebay_cli.checks.caller import Ending, Exchange
from forebay_cli.checks.chat import Answer, ask, describe_ending
from forebay_cli.checks.deployment import Deployment
from forebay_cli.checks.finding import CheckFailed, Finding, NotChecked, passed

APART_S = 0.002
"""Reads closer than this are one arrival: what a buffer let go at once is read within
microseconds; at 200 tokens a second they are 5 ms apart."""

EVENTS_AN_ARRIVAL = 5
"""As many events may share an arrival on average; a network or a provider may bundle a few."""

AT_ONCE = 0.25
"""Share of the whole time within which a buffered answer's bytes come. Not near 0, since a long
way needs several round trips for what was held back."""

TELLING_S, TELLING_EVENTS = 1.0, 20
"""An answer that is neither longer nor has more events may come in one piece honestly."""

POLL_S = 0.25
"""How often the ledger is looked at: the resolution of the lag."""

KEEP_ALIVE = b": keep-alive"
SILENCE_S = 16.0
"""Silence after which a comment must have come; it is due after 15 s."""

CUT_HINT = (
    "configure a model whose scripted provider has `faults = { cut = 1 }`, "
    "and name it by --cut-model"
)
SLOW_HINT = (
    "configure a model whose scripted provider has `token_gap_ms = 20000` and `tokens = 2`, "
    "and name it by --slow-model"
)


def check_streaming(deployment: Deployment) -> Finding:
    """A streamed answer arrives while it is written."""
    answer = ask(deployment, deployment.require_model())
    if answer.exchange.ending is Ending.WHOLE:
        deployment.answer = answer.exchange
    if not answer.is_whole:
        raise CheckFailed(f"{answer.model}: the answer is not whole: {describe_ending(answer)}")
    return judge_arrival(answer)


def judge_arrival(answer: Answer) -> Finding:
    """Tell a streamed answer from a buffered one.

    Raises:
        CheckFailed: Something on the way held it back.
        NotChecked: It was too short to tell.
    """
    exchange = answer.exchange
    first_s, last_s = exchange.reads[0][0], exchange.reads[-1][0]
    arrivals, events = _arrivals(exchange), len(answer.events)
    whole_s, token_s = last_s - exchange.began_s, answer.first_token_s
    figures = {
        "first_byte_ms": exchange.ms(first_s),
        "first_token_ms": None if token_s is None else exchange.ms(token_s),
        "last_byte_ms": exchange.ms(last_s),
        "events": events,
        "arrivals": arrivals,
    }
    measured = (
        f"{answer.model}: first byte after {figures['first_byte_ms']} ms, "
        f"last after {figures['last_byte_ms']} ms, {events} events in {arrivals} arrivals"
    )
    bundled = arrivals == 1 or events > arrivals * EVENTS_AN_ARRIVAL
    if not bundled or last_s - first_s >= whole_s * AT_ONCE:
        return passed(f"{measured}: streamed", **figures)
    if whole_s <= TELLING_S and events <= TELLING_EVENTS:
        raise NotChecked(f"{measured}: too short to tell; name a --model with longer answers")
    raise CheckFailed(
        f"{measured}: something buffers (a model that thinks long and then answers in one burst "
        "looks the same: try another --model)",
        **figures,
    )


def check_settlement(deployment: Deployment) -> Finding:
    """The answer just read is in the ledger soon, once."""
    key = deployment.require_key()
    if deployment.answer is None:
        raise NotChecked("needs an answer that came to its end (see `streaming`)")
    ended_s = deployment.answer.ended_s
    missed_ms = 0
    while not (requests := _requests_settled(deployment, key.id)):
        missed_ms = round((deployment.clock.now() - ended_s) * 1000)
        if missed_ms >= deployment.wanted.deadline_s * 1000:
            raise CheckFailed(
                f"no ledger row {missed_ms / 1000:.0f} s after the last byte: answers are given "
                "and not entered; look for errors in the gateway's log",
                missed_ms=missed_ms,
            )
        deployment.clock.sleep(POLL_S)
    seen_ms = round((deployment.clock.now() - ended_s) * 1000)
    if requests > 1:
        raise CheckFailed(f"1 request has {requests} ledger rows: it is paid for twice")
    return passed(
        f"its ledger row appeared {missed_ms} to {seen_ms} ms after the last byte",
        missed_ms=missed_ms,
        seen_ms=seen_ms,
    )


def check_broken_stream(deployment: Deployment) -> Finding:
    """An answer that breaks off says so, and never looks whole."""
    model = deployment.wanted.cut_model
    if model is None:
        raise NotChecked(CUT_HINT)
    answer = ask(deployment, model)
    if answer.is_whole:
        raise CheckFailed(
            f"{model}: the answer ended with [DONE]: it was cut and looks whole, or it was not cut "
            f"({CUT_HINT})"
        )
    if answer.error is None:
        raise CheckFailed(
            f"{model}: nothing says that the answer is cut: {describe_ending(answer)}"
        )
    return passed(
        f"{model}: after {len(answer.events) - 1} events an error event ({answer.error}), "
        f"no [DONE]; then the connection {answer.exchange.ending}",
        events=len(answer.events),
        connection=answer.exchange.ending,
    )


def check_keep_alive(deployment: Deployment) -> Finding:
    """A long silence within an answer is broken by comments."""
    model = deployment.wanted.slow_model
    if model is None:
        raise NotChecked(SLOW_HINT)
    exchange = ask(deployment, model, enough=lambda data: KEEP_ALIVE in data).exchange
    silence_s = _longest_silence(exchange)
    if exchange.ending is Ending.ENOUGH:
        return passed(
            f"{model}: a comment came after {silence_s:.1f} s of silence",
            silence_ms=round(silence_s * 1000),
        )
    if silence_s < SILENCE_S:
        raise NotChecked(f"{model} was never silent for over {silence_s:.1f} s; {SLOW_HINT}")
    raise CheckFailed(
        f"{model}: {silence_s:.1f} s of silence and no comment: time-outs may cut such answers",
        silence_ms=round(silence_s * 1000),
    )


def _arrivals(exchange: Exchange) -> int:
    gaps = (later - earlier for (earlier, _), (later, _) in pairwise(exchange.reads))
    return 1 + sum(gap >= APART_S for gap in gaps)


def _requests_settled(deployment: Deployment, key_id: str) -> int:
    match deployment.admin.usage({"key": key_id}):
        case {"total": {"requests": int(requests)}}:
            return requests
        case _:
            raise CheckFailed("the usage report has no total: is it the admin API of this version?")


def _longest_silence(exchange: Exchange) -> float:
    """Seconds without a byte, from the first byte on."""
    moments = [at for at, _ in exchange.reads] + [exchange.ended_s]
    return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)

"""Invariant 4: however an answer is cut and continued, no character comes twice and none is lost.

A target *goes on* with what it was given, *echoes* the end of it, *restarts*, says something polite
before, or anything else. What reaches the caller is exact, or nothing of it does.
"""

from collections.abc import Iterable

from hypothesis import assume, given
from hypothesis import strategies as st

from forebay.dialects.canonical import Event, Finished, Started, StopReason, TextDelta
from forebay.dialects.seam import (
    HEAD_CHARACTERS,
    Seam,
    SeamMismatch,
    anchor_of,
    opening_for,
)
from forebay.settings import Continuing

ANY = st.text(st.characters() | st.sampled_from("\ud83d\ude00\r\n \u00a0\u2028\u0301\u200d"))
REPETITIVE = st.text("ab \n", max_size=300)
PERIODIC = st.builds(lambda period, times: period * times, st.text("ab \n"), st.integers(0, 40))
LONG = st.lists(st.sampled_from(["wheel", " water", "\n\n", " ", "é", ", ", "0"]), max_size=80).map(
    "".join
)
TEXTS = ANY | REPETITIVE | PERIODIC | LONG
ENDS = st.sampled_from([StopReason.END, StopReason.LENGTH])


@st.composite
def cuts(draw: st.DrawFn) -> tuple[str, str]:
    """A text, and its beginning that the caller has."""
    whole = draw(TEXTS)
    return whole, whole[: draw(st.integers(0, len(whole)))]


@st.composite
def chunks_of(draw: st.DrawFn, text: str) -> list[Event]:
    """A text in deltas, cut anywhere."""
    at = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    bounds = zip([0, *at], [*at, len(text)], strict=True)
    return [TextDelta(text[start:end]) for start, end in bounds]


def passed_on(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def through_seam(
    begun: str, how: Continuing, deltas: list[Event], *, stop: tuple[str, ...] = ()
) -> list[Event] | None:
    """Return what passes, event by event; None if it is refused."""
    opening = opening_for(begun, how)
    if opening is None:
        return None
    seam = Seam(begun, opening, stop)
    passed: list[Event] = []
    try:
        for event in deltas:
            passed += seam.take([event])
    except SeamMismatch:
        assert passed == []
        return None
    return passed


@given(cuts(), ENDS, st.data())
def test_inv4_what_goes_on_is_exact(
    cut: tuple[str, str], reason: StopReason, data: st.DataObject
) -> None:
    whole, begun = cut
    rest = whole[len(begun.rstrip()) :]
    deltas: list[Event] = [Started("i", "m"), *data.draw(chunks_of(rest)), Finished(reason)]

    passed = through_seam(begun, Continuing.PREFILL, deltas)

    if passed is None:  # only where it cannot be told from a repetition
        head, tail = begun[:HEAD_CHARACTERS], anchor_of(begun.rstrip())
        assert rest
        assert rest.startswith((head, tail)) or head.startswith(rest) or tail.startswith(rest)
    else:
        assert begun + passed_on(passed) == whole
        assert passed[-1] == Finished(reason)


@given(cuts(), st.sampled_from(["", " ", "\n\n"]), st.data())
def test_inv4_an_echo_is_exact(cut: tuple[str, str], space: str, data: st.DataObject) -> None:
    whole, begun = cut
    assume(begun.strip())
    written = space + anchor_of(begun) + whole[len(begun) :]
    deltas: list[Event] = [*data.draw(chunks_of(written)), Finished(StopReason.END)]

    passed = through_seam(begun, Continuing.ECHO, deltas)

    if opening_for(begun, Continuing.ECHO) is None:
        assert passed is None
    else:
        assert passed is not None
        assert begun + passed_on(passed) == whole


@given(cuts(), st.sampled_from(["", " ", "\n\n"]), st.data())
def test_inv4_a_restart_is_exact(cut: tuple[str, str], space: str, data: st.DataObject) -> None:
    whole, begun = cut
    assume(begun.strip())
    deltas: list[Event] = [*data.draw(chunks_of(space + whole)), Finished(StopReason.END)]

    passed = through_seam(begun, Continuing.ECHO, deltas)

    if opening_for(begun, Continuing.ECHO) is None:
        assert passed is None
    else:
        assert passed is not None
        assert begun + passed_on(passed) == whole


@given(cuts(), st.data())
def test_inv4_a_restart_where_it_should_go_on_is_refused(
    cut: tuple[str, str], data: st.DataObject
) -> None:
    whole, begun = cut
    assume(begun.strip())
    deltas: list[Event] = [*data.draw(chunks_of(whole)), Finished(StopReason.END)]

    assert through_seam(begun, Continuing.PREFILL, deltas) is None


@given(cuts(), st.data())
def test_inv4_a_truncated_echo_is_refused_or_a_part_of_the_answer(
    cut: tuple[str, str], data: st.DataObject
) -> None:
    whole, begun = cut
    assume(begun.strip())
    written = data.draw(st.sampled_from([anchor_of(begun) + whole[len(begun) :], whole]))
    written = written[: data.draw(st.integers(0, len(written)))]
    deltas: list[Event] = [*data.draw(chunks_of(written)), Finished(StopReason.LENGTH)]

    passed = through_seam(begun, Continuing.ECHO, deltas)

    assert passed is None or whole.startswith(begun + passed_on(passed))


@given(cuts(), TEXTS, st.data())
def test_inv4_whatever_an_echo_says_only_what_follows_the_text_passes(
    cut: tuple[str, str], preamble: str, data: st.DataObject
) -> None:
    """The caller's text is P and what was written after P: nothing of a preamble."""
    whole, begun = cut
    assume(begun.strip())
    polite = preamble + anchor_of(begun) + whole[len(begun) :]
    written = data.draw(st.sampled_from([preamble, polite, preamble + whole]))
    deltas: list[Event] = [*data.draw(chunks_of(written)), Finished(StopReason.END)]

    passed = through_seam(begun, Continuing.ECHO, deltas)

    if passed is not None:
        said = passed_on(passed)
        repeated = written.lstrip().removesuffix(said).rstrip()
        assert repeated in {anchor_of(begun).strip(), begun.strip()}


@given(cuts(), st.text("ab \n", min_size=2, max_size=4), st.data())
def test_inv4_a_stop_sequence_ends_the_answer_where_it_would_have(
    cut: tuple[str, str], stop: str, data: st.DataObject
) -> None:
    """Both targets stop at what they see themselves; across the seam neither does."""
    whole, begun = cut
    assume(stop not in begun)
    rest = whole[len(begun.rstrip()) :]
    stops = stop in rest
    end = Finished(StopReason.STOP_SEQUENCE, stop) if stops else Finished(StopReason.END)
    deltas = [*data.draw(chunks_of(rest.partition(stop)[0])), end]
    expected = whole.partition(stop)[0]

    passed = through_seam(begun, Continuing.PREFILL, deltas, stop=(stop,))

    if passed is not None:
        # What the first target sent of the stop sequence cannot be taken back.
        assert begun + passed_on(passed) == max(expected, begun, key=len)
        assert isinstance(passed[-1], Finished)
        assert passed[-1].reason is (StopReason.STOP_SEQUENCE if stop in whole else StopReason.END)

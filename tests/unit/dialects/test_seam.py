"""What follows what the caller has passes, and nothing else does (invariant 4)."""

from __future__ import annotations

import pytest

from forebay.dialects.canonical import (
    Event,
    Finished,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    ToolUseStarted,
    UsageReported,
)
from forebay.dialects.seam import Seam, SeamMismatch, anchor_of, opening_for
from forebay.model import Usage
from forebay.settings import Continuing

PREFILL, ECHO = Continuing.PREFILL, Continuing.ECHO
END = Finished(StopReason.END)
WHOLE = (
    "Water waits behind the gate until the wheel can take it; what comes too fast is held, "
    "what is held is not lost,\r\n\r\nand what is let through turns the mill."
)
BEGUN = WHOLE[:100]
ANCHOR = WHOLE[36:100]
GAP = WHOLE.index("\r")


def seam(begun: str, how: Continuing, *stop: str) -> Seam:
    opening = opening_for(begun, how)
    assert opening is not None
    return Seam(begun, opening, stop)


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def take(begun: str, how: Continuing, *written: str | Event, stop: tuple[str, ...] = ()) -> str:
    """Return what a caller has in the end, of an answer that ends with the last thing written."""
    events = [TextDelta(each) if isinstance(each, str) else each for each in written]
    return begun + said(seam(begun, how, *stop).take(events))


def every_split(text: str) -> list[tuple[str, str]]:
    return [(text[:at], text[at:]) for at in range(len(text) + 1)]


# --- what is exact

EXACT = {
    "goes on": (BEGUN, PREFILL, WHOLE[100:]),
    "goes on after white space": (WHOLE[: GAP + 4], PREFILL, WHOLE[GAP:]),
    "goes on between CR and LF": (WHOLE[: GAP + 1], PREFILL, WHOLE[GAP:]),
    "echoes": (BEGUN, ECHO, ANCHOR + WHOLE[100:]),
    "echoes after white space": (BEGUN, ECHO, "\n\n " + ANCHOR + WHOLE[100:]),
    "echoes without the first space": (WHOLE[:101], ECHO, WHOLE[38:]),
    "restarts": (BEGUN, ECHO, WHOLE),
    "repeats a short beginning": ("Wat", ECHO, WHOLE),
    "begins, after nothing but white space": ("\n ", ECHO, "\n Water"),
    "begins": ("", PREFILL, "Water"),
}
EXPECTED = {
    **dict.fromkeys(EXACT, WHOLE),
    "begins, after nothing but white space": "\n Water",
    "begins": "Water",
}


@pytest.mark.parametrize("name", EXACT)
def test_inv4_wherever_its_chunks_are_split_a_continuation_is_exact(name: str) -> None:
    begun, how, written = EXACT[name]

    texts = {take(begun, how, *parts, END) for parts in every_split(written)}

    assert texts == {EXPECTED[name]}


@pytest.mark.parametrize("at", range(1, len(WHOLE)))
@pytest.mark.parametrize("how", [PREFILL, ECHO])
def test_inv4_wherever_an_answer_broke_off_its_continuation_is_exact(
    how: Continuing, at: int
) -> None:
    begun = WHOLE[:at]
    written = WHOLE[len(begun.rstrip()) :] if how is PREFILL else anchor_of(begun) + WHOLE[at:]

    assert take(begun, how, *written, END) == WHOLE


@pytest.mark.parametrize(
    "text", ["a\U0001f600b", "e\u0301u\u0301", "\ud83d\ude00 x", "a\u2028b\u0085c"]
)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_inv4_no_character_is_special(text: str, at: int) -> None:
    begun = text[:at]

    assert take(begun, PREFILL, *text[len(begun.rstrip()) :], END) == text
    assert take(begun, ECHO, *text, END) == text


def test_what_is_surely_new_passes_at_once() -> None:
    joint = seam(BEGUN, PREFILL)

    assert joint.take([TextDelta(WHOLE[100:104])]) == [TextDelta(WHOLE[100:104])]
    assert joint.take([TextDelta("x")]) == [TextDelta("x")]


# --- what is refused

REFUSED = {
    "a preamble": (BEGUN, ECHO, f"Sure, here is the rest: {ANCHOR}{WHOLE[100:]}"),
    "a quotation mark": (BEGUN, ECHO, f'"{ANCHOR}'),
    "a code fence": (BEGUN, ECHO, f"```\n{ANCHOR}"),
    "something else": (BEGUN, ECHO, "Nobody has ever said anything of that kind."),
    "an echo with a fault": (BEGUN, ECHO, ANCHOR[:60] + "????" + WHOLE[100:]),
    "an echo that breaks off": (BEGUN, ECHO, ANCHOR[:60]),
    "a restart with a fault": (BEGUN, ECHO, BEGUN[:50] + "?" + BEGUN[51:] + WHOLE[100:]),
    "an echo of an earlier part": (BEGUN, ECHO, WHOLE[30:]),
    "no words": (BEGUN, ECHO, ""),
    "white space only": (BEGUN, ECHO, " \n"),
    "a restart instead of going on": (BEGUN, PREFILL, WHOLE),
    "a restart that breaks off": (BEGUN, PREFILL, WHOLE[:10]),
    "an echo instead of going on": (BEGUN, PREFILL, ANCHOR + WHOLE[100:]),
    "a short text again": ("Wat", PREFILL, WHOLE),
    "other white space": ("if x:\n        ", PREFILL, "\n    return y"),
    "a word where white space was": ("if x:\n        ", PREFILL, "return y"),
    "another beginning": ("\n", ECHO, "Water"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_inv4_what_does_not_follow_is_refused(name: str) -> None:
    begun, how, written = REFUSED[name]

    for parts in every_split(written):
        with pytest.raises(SeamMismatch):
            take(begun, how, *parts, END)


def test_a_preamble_is_refused_because_it_may_quote_the_anchor() -> None:
    written = f"You want me to begin with {ANCHOR}? I cannot do that."

    with pytest.raises(SeamMismatch):
        take(BEGUN, ECHO, written)


def test_a_refusal_comes_with_the_first_character_that_is_wrong() -> None:
    joint = seam(BEGUN, ECHO)

    assert joint.take([TextDelta(ANCHOR[:3])]) == []
    with pytest.raises(SeamMismatch):
        joint.take([TextDelta("?")])


def test_endless_white_space_before_an_echo_is_not_waited_for() -> None:
    joint = seam(BEGUN, ECHO)

    assert joint.take([TextDelta(" " * (2 * len(BEGUN) + 200))]) == []
    with pytest.raises(SeamMismatch):
        joint.take([TextDelta(" ")])


def test_a_refusal_says_nothing_of_what_was_written() -> None:
    with pytest.raises(SeamMismatch) as refused:
        take(BEGUN, ECHO, "secret")

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param("la " * 40, id="its end is its beginning"),
        pytest.param("Columns:" + " " * 80, id="its end is white space"),
        pytest.param("Water" + " " * 60 + "waits", id="its end has too few words"),
    ],
)
def test_an_echo_of_a_text_that_cannot_be_recognised_is_not_asked_for(begun: str) -> None:
    assert opening_for(begun, ECHO) is None
    assert opening_for(begun, PREFILL) is not None


# --- an answer that ends at the seam


@pytest.mark.parametrize(
    ("how", "written"),
    [
        pytest.param(PREFILL, [], id="nothing"),
        pytest.param(PREFILL, ["\n"], id="less white space"),
        pytest.param(PREFILL, ["\n\n"], id="the white space"),
        pytest.param(ECHO, ["Water waits."], id="an echo without its white space"),
        pytest.param(ECHO, ["Water waits.\n\n"], id="an echo"),
    ],
)
def test_an_answer_may_end_where_it_broke_off(how: Continuing, written: list[str]) -> None:
    events: list[Event] = [*map(TextDelta, written), END]

    assert seam("Water waits.\n\n", how).take(events) == [END]


def test_the_white_space_between_a_text_and_its_tool_call_may_be_missing() -> None:
    tool = ToolUseStarted(0, "t1", "f")
    arguments = ToolArgumentsDelta(0, "{}")

    assert seam("Let me see.\n\n", PREFILL).take([tool, arguments]) == [tool, arguments]


# --- what is no text


def test_tool_calls_and_refusals_after_the_seam_pass() -> None:
    events: list[Event] = [
        TextDelta(ANCHOR + WHOLE[100:]),
        RefusalDelta("No."),
        ToolUseStarted(0, "t1", "f"),
        ToolArgumentsDelta(0, "{}"),
        Finished(StopReason.TOOL_USE),
    ]

    assert seam(BEGUN, ECHO).take(events) == [TextDelta(WHOLE[100:]), *events[1:]]


@pytest.mark.parametrize("event", [RefusalDelta("No."), ToolUseStarted(0, "t1", "f")])
def test_nothing_else_may_come_in_place_of_an_echo(event: Event) -> None:
    with pytest.raises(SeamMismatch):
        seam(BEGUN, ECHO).take([event])


def test_what_the_caller_has_had_is_left_out() -> None:
    used = UsageReported(Usage(1, 2))
    events: list[Event] = [
        Started("id", "model"),
        ThinkingDelta("Hm."),
        ThinkingDelta(signature="c2ln"),
        used,
        TextDelta(ANCHOR),
        TextDelta(WHOLE[100:]),
        ThinkingDelta("Done."),
        END,
    ]

    assert seam(BEGUN, ECHO).take(events) == [used, TextDelta(WHOLE[100:]), END]


def test_a_target_that_thinks_does_not_go_on() -> None:
    with pytest.raises(SeamMismatch):
        seam(BEGUN, PREFILL).take([ThinkingDelta("Hm.")])


def test_reasoning_after_the_seam_is_left_out() -> None:
    events: list[Event] = [TextDelta(WHOLE[100:]), ThinkingDelta("Hm."), END]

    assert seam(BEGUN, PREFILL).take(events) == [TextDelta(WHOLE[100:]), END]


# --- stop sequences across the seam

STOPPED = Finished(StopReason.STOP_SEQUENCE, "###")


@pytest.mark.parametrize("parts", every_split("# More"))
def test_a_stop_sequence_across_the_seam_ends_the_answer(parts: tuple[str, str]) -> None:
    joint = seam("Done.##", PREFILL, "###", "+++")

    assert joint.take([*map(TextDelta, parts), END]) == [STOPPED]
    assert joint.stopped
    assert joint.take([TextDelta("more")]) == []


def test_the_sequence_that_is_complete_first_ends_it() -> None:
    joint = seam("a-", PREFILL, "-----", "--", "a--+")

    assert joint.take([TextDelta("----")]) == [Finished(StopReason.STOP_SEQUENCE, "--")]


def test_a_stop_sequence_after_an_echo_ends_the_answer() -> None:
    joint = seam("Done.##", ECHO, "###")

    assert joint.take([TextDelta("Done.###")]) == [STOPPED]


def test_a_stop_sequence_that_the_target_did_not_send_may_complete_another() -> None:
    joint = seam("b", PREFILL, "bab")

    passed = joint.take([TextDelta("a"), Finished(StopReason.STOP_SEQUENCE, "bab")])

    assert passed == [Finished(StopReason.STOP_SEQUENCE, "bab")]


def test_what_only_might_have_been_a_stop_sequence_passes() -> None:
    assert take("Done.##", PREFILL, "+", "#", END, stop=("##+#+",)) == "Done.##+#"
    assert take("Done.##", PREFILL, "+", "#-", END, stop=("##+#+",)) == "Done.##+#-"


def test_a_stop_sequence_that_the_target_sees_is_left_to_it() -> None:
    assert take("Done.", PREFILL, " ### More", END, stop=("###",)) == "Done. ### More"


def test_the_white_space_of_the_seam_may_be_a_part_of_a_stop_sequence() -> None:
    joint = seam("Done.\n", PREFILL, "\n\n")

    assert joint.take([TextDelta("\n\nMore")]) == [Finished(StopReason.STOP_SEQUENCE, "\n\n")]

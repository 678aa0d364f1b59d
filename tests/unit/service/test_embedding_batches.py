"""Inputs of several callers in one call, on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from forebay.dialects.embeddings import Embedded, Limits
from forebay.errors import UpstreamRefused, UpstreamUnavailable
from forebay.service.embedding_batches import WINDOW_S, EmbeddingBatches, Lane, Part
from tests.support.embedding_callers import BAD, CALL_S, Caller, Peer, part, play, tokens, vectors
from tests.support.virtual_time import run_virtual

# --- who waits, and for how long


def test_a_lone_caller_waits_for_nobody() -> None:
    peer, caller = Peer(), Caller((b"a", b"b"))
    play(peer, caller)

    assert peer.calls == [(0.0, [b"a", b"b"])]
    assert (caller.got, caller.got_at) == (Embedded((b"[a]", b"[b]"), 2, "e-1"), CALL_S)


def test_callers_who_follow_each_other_wait_for_nobody() -> None:
    peer = Peer()
    play(peer, Caller((b"a",)), Caller((b"b",), at=CALL_S * 2))

    assert peer.calls == [(0.0, [b"a"]), (CALL_S * 2, [b"b"])]


def test_those_who_come_during_a_call_wait_for_each_other_for_a_moment() -> None:
    peer = Peer()
    callers = [Caller((b"a",)), Caller((b"b",), at=0.01), Caller((b"c",), at=0.012)]
    play(peer, *callers)

    assert peer.calls == [(0.0, [b"a"]), (0.01 + WINDOW_S, [b"b", b"c"])]
    assert [vectors(caller) for caller in callers] == [(b"[a]",), (b"[b]",), (b"[c]",)]


def test_those_who_come_later_than_that_have_a_call_of_their_own() -> None:
    peer = Peer()
    play(peer, Caller((b"a",)), Caller((b"b",), at=0.01), Caller((b"c",), at=0.02))

    assert [asked for _, asked in peer.calls] == [[b"a"], [b"b"], [b"c"]]


def test_nobody_waits_longer_than_the_call_that_is_under_way() -> None:
    peer = Peer()
    play(peer, Caller((b"a",)), Caller((b"b",), at=0.098))

    assert peer.calls == [(0.0, [b"a"]), (CALL_S, [b"b"])]


def test_a_call_that_is_full_waits_no_longer() -> None:
    peer = Peer()
    play(peer, Caller((b"a",)), Caller((b"b", b"c"), at=0.01), Caller((b"d", b"e"), at=0.01))

    assert peer.calls[1:] == [(0.01, [b"b", b"c", b"d", b"e"])]


def test_those_for_whom_there_is_no_room_wait_for_the_next_call() -> None:
    peer = Peer()
    callers = [Caller((b"a",)), Caller((b"b", b"c"), at=0.01), Caller((b"d", b"e", b"f"), at=0.01)]
    play(peer, *callers)

    assert peer.calls[1:] == [(0.01, [b"b", b"c"]), (0.01 + WINDOW_S, [b"d", b"e", b"f"])]
    assert vectors(callers[2]) == (b"[d]", b"[e]", b"[f]")


def test_the_limit_of_tokens_is_kept() -> None:
    peer = Peer(limits=Limits(9, 10))
    play(peer, Caller((b"a",)), Caller((b"b" * 6,), at=0.01), Caller((b"c" * 5,), at=0.01))

    assert [len(asked) for _, asked in peer.calls] == [1, 1, 1]


def test_where_a_call_takes_one_input_nobody_waits() -> None:
    peer = Peer(limits=Limits(1))
    play(peer, *(Caller((bytes([97 + index]),)) for index in range(5)))

    assert [at for at, _ in peer.calls] == [0.0] * 5


def test_fifty_callers_at_once_take_few_calls_and_each_has_its_own() -> None:
    peer = Peer(limits=Limits(2048, 300_000))
    callers = [Caller(tuple(b"%d-%d" % (n, i) for i in range(n % 4 + 1))) for n in range(50)]
    play(peer, *callers)

    assert [len(asked) for _, asked in peer.calls] == [1, 122]
    for caller in callers:
        assert vectors(caller) == tuple(b"[%b]" % each for each in caller.inputs)


# --- usage


def test_each_caller_has_its_share_of_what_the_call_took() -> None:
    peer = Peer()
    callers = [Caller((b"a",)), Caller((b"bb",), at=0.01), Caller((b"c", b"ddd"), at=0.01)]
    play(peer, *callers)

    assert [tokens(caller) for caller in callers] == [1, 2, 4]


def test_where_the_target_reports_no_usage_nobody_has_a_share() -> None:
    peer = Peer(reports=False)
    callers = [Caller((b"a",)), Caller((b"b",), at=0.01), Caller((b"c",), at=0.01)]
    play(peer, *callers)

    assert [tokens(caller) for caller in callers] == [None, None, None]


# --- what goes wrong


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_caller_s_bad_input_does_not_fail_the_others(status: int) -> None:
    peer = Peer(status=status)
    good, bad, other = Caller((b"b",), at=0.01), Caller((BAD,), at=0.01), Caller((b"c",), at=0.01)
    play(peer, Caller((b"a",)), good, bad, other)

    assert (vectors(good), vectors(other)) == ((b"[b]",), (b"[c]",))
    assert isinstance(bad.got, UpstreamRefused)
    assert sorted(asked for _, asked in peer.calls[2:]) == [[BAD], [b"b"], [b"c"]]


def test_a_lone_caller_s_bad_input_is_asked_once() -> None:
    peer, caller = Peer(), Caller((BAD, b"a"))
    play(peer, caller)

    assert isinstance(caller.got, UpstreamRefused)
    assert len(peer.calls) == 1


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_a_failure_that_is_nobody_s_input_is_everyone_s_and_is_not_asked_again(status: int) -> None:
    peer = Peer(status=status)
    callers = [Caller((b"a",)), Caller((b"b",), at=0.01), Caller((BAD,), at=0.01)]
    play(peer, *callers)

    assert len(peer.calls) == 2
    for caller in callers[1:]:
        assert isinstance(caller.got, UpstreamRefused)
        assert caller.got.status == status


@pytest.mark.parametrize("fault", [UpstreamUnavailable("away", target="p/e"), KeyError("a bug")])
def test_whatever_a_call_raises_nobody_waits_for_ever(fault: Exception) -> None:
    peer = Peer(fails=fault)
    callers = [Caller((b"a",)), Caller((b"b",), at=0.01), Caller((b"c",), at=0.01)]
    play(peer, *callers)

    assert [caller.got for caller in callers] == [fault, fault, fault]


def test_after_a_failure_the_next_are_sent() -> None:
    peer = Peer(fails=UpstreamUnavailable("away", target="p/e"))
    play(peer, Caller((b"a",)), Caller((b"b",), at=0.098))

    assert peer.calls == [(0.0, [b"a"]), (CALL_S, [b"b"])]


# --- who leaves


def test_a_caller_who_leaves_during_the_call_does_not_disturb_the_others() -> None:
    peer = Peer()
    staying, leaving = Caller((b"b",), at=0.01), Caller((b"c",), at=0.01, leaves_at=0.05)
    play(peer, Caller((b"a",)), staying, leaving)

    assert isinstance(leaving.got, asyncio.CancelledError)
    assert leaving.got_at == 0.05
    assert (vectors(staying), tokens(staying)) == ((b"[b]",), 1)


def test_a_caller_who_leaves_while_it_waits_is_not_asked_for() -> None:
    peer = Peer()
    staying, leaving = Caller((b"b",), at=0.01), Caller((b"c",), at=0.01, leaves_at=0.012)
    play(peer, Caller((b"a",)), staying, leaving)

    assert [asked for _, asked in peer.calls] == [[b"a"], [b"b"]]


def test_when_all_who_waited_have_left_nothing_is_sent() -> None:
    peer = Peer()
    play(peer, Caller((b"a",)), Caller((b"b",), at=0.01, leaves_at=0.012))

    assert [asked for _, asked in peer.calls] == [[b"a"]]


def test_when_the_last_caller_has_left_the_call_is_given_up() -> None:
    peer = Peer()
    play(
        peer,
        Caller((b"a",)),
        Caller((b"b",), at=0.01, leaves_at=0.03),
        Caller((b"c",), at=0.01, leaves_at=0.05),
    )

    assert peer.ended == ["cancelled", "answered"]


def test_who_has_left_is_not_asked_for_again_alone() -> None:
    peer = Peer()
    staying, leaving = Caller((b"b",), at=0.01), Caller((b"c",), at=0.01, leaves_at=0.05)
    play(peer, Caller((b"a",)), staying, leaving, Caller((BAD,), at=0.01))

    assert sorted(asked for _, asked in peer.calls[2:]) == [[BAD], [b"b"]]
    assert vectors(staying) == (b"[b]",)


def test_who_leaves_while_it_is_asked_for_alone_does_not_disturb_the_others() -> None:
    peer = Peer()
    staying, leaving = Caller((b"b",), at=0.01), Caller((b"c",), at=0.01, leaves_at=0.15)
    play(peer, Caller((b"a",)), staying, leaving, Caller((BAD,), at=0.01))

    assert isinstance(leaving.got, asyncio.CancelledError)
    assert vectors(staying) == (b"[b]",)


# --- lanes


def test_inv5_nothing_is_sent_together_that_has_not_the_same_key() -> None:
    peer = Peer()

    async def main() -> None:
        batches = EmbeddingBatches()
        callers = [Caller((b"%d" % index,), at=0.001 * index) for index in range(5)]

        def of_tenant(tenant: int) -> Callable[[Part], Awaitable[Embedded]]:
            return lambda wanted: batches.embed(tenant, wanted, peer.lane)

        await asyncio.gather(
            *(caller.come(of_tenant(index % 2)) for index, caller in enumerate(callers))
        )
        assert [vectors(caller) for caller in callers] == [(b"[%d]" % n,) for n in range(5)]

    run_virtual(main())
    assert [asked for _, asked in peer.calls] == [[b"0"], [b"1"], [b"2", b"4"], [b"3"]]


def test_a_lane_that_nobody_waits_in_is_forgotten() -> None:
    made: list[Lane] = []
    peer = Peer()

    def make() -> Lane:
        made.append(peer.lane())
        return made[-1]

    async def main() -> None:
        batches = EmbeddingBatches()
        for _ in range(2):
            await asyncio.gather(*(batches.embed("k", part(b"a"), make) for _ in range(3)))

    run_virtual(main())
    assert len(made) == 2

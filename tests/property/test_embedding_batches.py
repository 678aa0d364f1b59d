"""Whoever comes, and whenever: each has its own, no call is too large, nobody waits long."""

from hypothesis import given
from hypothesis import strategies as st

from forebay.dialects.embeddings import Limits
from forebay.service.embedding_batches import WINDOW_S
from tests.support.embedding_callers import BAD, CALL_S, Caller, Peer, play, tokens, vectors

SLACK_S = 1e-6
MOMENTS = st.integers(0, 250).map(lambda ms: ms / 1000)
TEXTS = st.lists(st.integers(1, 9).map(lambda size: b"x" * size), min_size=1, max_size=4)
STAYING = st.builds(Caller, inputs=TEXTS.map(tuple), at=MOMENTS)
MISTAKEN = st.builds(Caller, inputs=st.just((BAD,)), at=MOMENTS)
LEAVING = st.builds(
    lambda inputs, at, after: Caller(tuple(inputs), at, leaves_at=at + after),
    TEXTS,
    MOMENTS,
    st.integers(1, 90).map(lambda ms: ms / 1000),
)


@given(
    st.lists(STAYING, min_size=1, max_size=12),
    st.lists(MISTAKEN, max_size=2),
    st.lists(LEAVING, max_size=4),
)
def test_each_has_its_own_and_nobody_waits_long(
    staying: list[Caller], mistaken: list[Caller], leaving: list[Caller]
) -> None:
    """A mistake of another costs a second call, nothing else."""
    peer = Peer(limits=Limits(6, 30))
    play(peer, *staying, *mistaken, *leaving)

    for caller in staying:
        assert vectors(caller) == tuple(b"[%b]" % each for each in caller.inputs)
        calls = 2 if mistaken else 1
        assert caller.got_at <= caller.at + WINDOW_S + calls * CALL_S + SLACK_S


@given(st.lists(STAYING, min_size=1, max_size=15))
def test_calls_keep_the_limits_and_shares_add_up(callers: list[Caller]) -> None:
    peer = Peer(limits=Limits(6, 30))
    play(peer, *callers)

    taken = [inputs for _, inputs in peer.calls]
    assert all(len(inputs) <= 6 for inputs in taken)
    assert all(sum(map(len, inputs)) <= 30 or len(inputs) <= 4 for inputs in taken)
    assert sum(tokens(caller) or 0 for caller in callers) == sum(
        len(each) for inputs in taken for each in inputs
    )

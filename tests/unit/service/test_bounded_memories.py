"""What a process remembers of leaves has an end."""

from dataclasses import replace

from forebay.admission.leaf import LeafWrite
from forebay.admission.terms import Ask, Obstacle, Terms
from forebay.service import refusals, seen_leaves
from forebay.service.refusals import Refusal, Refusals
from forebay.service.seen_leaves import SeenLeaves
from tests.support.leaves import NOW, leaf

SCOPES = [f"leaf#{number:010d}#0" for number in range(refusals.REMEMBERED + 1)]
REASON = Refusal(Obstacle.PARALLEL, version=1, amount=0, until=NOW + 1.0, limit="All calls")
ASK = Ask("", 1, 1, 0.0)


def terms(scope: str, now: float = NOW) -> Terms:
    return Terms(scope, 1, now, 30)


def test_the_leaf_seen_longest_ago_is_forgotten() -> None:
    seen = SeenLeaves()
    for scope in SCOPES[: seen_leaves.REMEMBERED + 1]:
        seen.noted(LeafWrite(done=True, leaf=replace(leaf(), scope=scope)))
    assert seen.of(SCOPES[0]) is None
    assert seen.of(SCOPES[1]) is not None


def test_the_oldest_refusal_is_forgotten() -> None:
    known = Refusals()
    for scope in SCOPES:
        known.remember(scope, REASON)
    assert known.of(terms(SCOPES[0]), ASK) is None
    assert known.of(terms(SCOPES[1]), ASK) == REASON


def test_a_refusal_does_not_outlast_its_reason_when_the_clock_is_set_back() -> None:
    known = Refusals()
    known.remember(SCOPES[0], REASON)
    assert known.of(terms(SCOPES[0], NOW - 3600), ASK) is None

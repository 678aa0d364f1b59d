"""What happens to the world, and what callers must see of it.

Times are seconds since the beginning. *Doomed* requests are those that begin while both targets are
down; of a time of trouble, the *steady* part is what follows its first five seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from forebay.settings import ScriptedFault, ScriptedFaults
from tests.support.scripted import always
from tests.support.simulation.figures import Figures, Span
from tests.support.simulation.providers import HEALTHY
from tests.support.simulation.world import Setting, Step, World

BREAKERS_OPEN_S = 5.0
COMPARED_S = 60.0
RECOVERY_S = 15.0
SHARE_MARGIN = 0.1
"""Of a few hundred requests, the share that goes to a target is as it was if it differs by less."""


@dataclass(frozen=True)
class Claim:
    """Something that must hold of the figures."""

    text: str
    measure: Callable[[Figures], float]
    low: float = 0.0
    high: float = float("inf")


@dataclass(frozen=True)
class Scenario:
    """A world, what happens to it, and what is claimed."""

    name: str
    setting: Setting
    steps: Sequence[Step]
    trouble: Span
    claims: Sequence[Claim] = ()


# --- claims

AVAILABLE = Claim("availability", Figures.availability, low=0.999)


def _steady(trouble: Span) -> Claim:
    span = trouble.after(BREAKERS_OPEN_S)
    return Claim("calls a request, steady", lambda of: of.calls_a_request(span), high=1.1)


def _doomed(trouble: Span) -> Claim:
    return Claim("calls a request, doomed", lambda of: of.calls_a_request(trouble), high=2.2)


def _recovers(trouble: Span) -> Claim:
    return Claim("recovery, s", lambda of: of.recovery_s(trouble.ends), high=RECOVERY_S)


def _share_is_back(trouble: Span) -> Claim:
    """With weights: the primary has the share again that it had before."""
    back_at = trouble.ends + RECOVERY_S
    before, after = Span(0, trouble.begins), Span(back_at, back_at + COMPARED_S)
    return Claim(
        "first choices of the primary, less than before",
        lambda of: of.first_choice_share(before) - of.first_choice_share(after),
        low=-1,
        high=SHARE_MARGIN,
    )


def _opens_in(span: Span, high: float) -> Claim:
    return Claim("breaker opens after, s", lambda of: of.opened_after_s(span.begins), high=high)


# --- what happens

SHORT = Span(30, 150)
LONG = Span(30, 630)
AFTER_S = 60.0
"""For so long it goes on after the trouble."""
SHARED = Span(60, 150)
SHARED_AFTER_S = 80.0
SHARED_PER_S = 5.0
"""Where shares are compared: before and after there are hundreds of requests."""

EVERY_KIND = [
    kind
    for kind in ScriptedFault
    # The first is no fault of one answer; what the second makes of a text, nobody can see.
    if kind not in {ScriptedFault.DOWN, ScriptedFault.DUPLICATED_CHUNK}
]
_EACH: dict[str, Any] = dict.fromkeys(EVERY_KIND, 0.05 / len(EVERY_KIND))
FIVE_IN_A_HUNDRED = ScriptedFaults(**_EACH)
DOWN = always(ScriptedFault.DOWN)
SILENT = always(ScriptedFault.STALL, after_tokens=0)
BROWN = replace(
    HEALTHY,
    first_token_ms=20 * HEALTHY.first_token_ms,
    token_gap_ms=20 * HEALTHY.token_gap_ms,
)
SLOW_ONES = ScriptedFaults(slow_first_byte=0.03, slow_s=4)
"""Three in a hundred answers begin late: what hedges are for."""


def _during(span: Span, do: Callable[[World], None], *, both: bool = False) -> list[Step]:
    """Do something at the beginning of a time of trouble, and heal the targets at its end."""

    def heal(world: World) -> None:
        world.primary.play()
        if both:
            world.second.play()

    return [Step(span.begins, do), Step(span.ends, heal)]


def _trouble(
    name: str,
    do: Callable[[World], None],
    *claims: Callable[[Span], Claim],
    span: Span = SHORT,
    per_s: float = 3.0,
) -> Scenario:
    """The primary has trouble for a while; the second target is healthy."""
    setting = Setting(span.ends + AFTER_S, per_s)
    made = [AVAILABLE, *(claim(span) for claim in claims)]
    return Scenario(name, setting, _during(span, do), span, made)


def _shared_trouble(
    name: str, do: Callable[[World], None], *claims: Callable[[Span], Claim]
) -> Scenario:
    """The same where the two share the traffic."""
    setting = Setting(SHARED.ends + SHARED_AFTER_S, SHARED_PER_S, weighted=True)
    made = [AVAILABLE, *(claim(SHARED) for claim in claims)]
    return Scenario(name, setting, _during(SHARED, do), SHARED, made)


def _primary_fails(faults: ScriptedFaults, world: World) -> None:
    world.primary.fail(faults)


PRIMARY_DOWN = partial(_primary_fails, DOWN)


def _both_fail(first: ScriptedFaults, second: ScriptedFaults, world: World) -> None:
    world.primary.fail(first)
    world.second.fail(second)


def _primary_cuts(share: float, world: World) -> None:
    world.primary.play(cut_share=share)


def _both_cut(world: World) -> None:
    world.primary.play(cut_share=1)
    world.second.play(cut_share=1)


def _primary_browns_out(world: World) -> None:
    world.primary.play(BROWN)


def _limited(requests_per_minute: int, world: World) -> None:
    world.primary.play(replace(HEALTHY, requests_per_minute=requests_per_minute))


def _limit_halved() -> Scenario:
    steps = [
        Step(0, partial(_limited, 200)),  # callers ask 180 times a minute
        Step(SHORT.begins, partial(_limited, 100)),
        Step(SHORT.ends, partial(_limited, 200)),
    ]
    claims = [AVAILABLE, _recovers(SHORT)]
    return Scenario("rate-limit-halved", Setting(SHORT.ends + AFTER_S), steps, SHORT, claims)


def _faults_everywhere(*, weighted: bool) -> Scenario:
    whole = Span(0, 300)
    step = Step(0, partial(_both_fail, FIVE_IN_A_HUNDRED, FIVE_IN_A_HUNDRED))
    name = "faults-5-percent-each" + "-weighted" * weighted
    setting = Setting(whole.ends, weighted=weighted)
    return Scenario(name, setting, [step], whole, [AVAILABLE])


def _stores_down() -> Scenario:
    """What the fleet knows is out of reach for a while, then the ledger too."""
    steps = [
        Step(SHORT.begins, PRIMARY_DOWN),
        Step(60, lambda world: world.store_down("fleet")),
        Step(100, lambda world: world.store_down("fleet", "ledger")),
        Step(110, lambda world: world.store_down()),
        Step(SHORT.ends, lambda world: world.primary.play()),
    ]
    claims = [AVAILABLE, _recovers(SHORT)]
    return Scenario("stores-down", Setting(SHORT.ends + AFTER_S), steps, SHORT, claims)


def _never_together() -> Scenario:
    """The fleet's store goes down before the primary does: each process finds out by itself."""
    steps = [
        Step(20, lambda world: world.store_down("fleet")),
        *_during(SHORT, PRIMARY_DOWN),
    ]
    claims = [AVAILABLE, _recovers(SHORT)]
    return Scenario("no-fleet-store", Setting(SHORT.ends + AFTER_S), steps, SHORT, claims)


def _crashes() -> Scenario:
    """Every five seconds a process that is at work dies, while the primary is down."""
    crashes = [
        Step(at_s, lambda world: world.processes.crash_one())
        for at_s in range(int(SHORT.begins) + 5, int(SHORT.ends), 5)
    ]
    begins, ends = _during(SHORT, PRIMARY_DOWN)
    steps = [begins, *crashes, ends]
    claims = [AVAILABLE, _recovers(SHORT)]
    return Scenario("processes-crash", Setting(SHORT.ends + AFTER_S), steps, SHORT, claims)


def _wide_fleet() -> Scenario:
    """So many processes that most hear of trouble from others."""
    claims = [AVAILABLE, _recovers(SHORT)]
    setting = Setting(SHORT.ends + AFTER_S, processes=30)
    return Scenario("primary-down-wide-fleet", setting, _during(SHORT, PRIMARY_DOWN), SHORT, claims)


def _both(name: str, do: Callable[[World], None], *claims: Claim) -> Scenario:
    return Scenario(
        name, Setting(SHORT.ends + AFTER_S), _during(SHORT, do, both=True), SHORT, claims
    )


SCENARIOS = (
    _trouble("primary-down-10-minutes", PRIMARY_DOWN, _steady, _recovers, span=LONG, per_s=2),
    _shared_trouble("primary-down-weighted", PRIMARY_DOWN, _steady, _share_is_back),
    _trouble("primary-silent", partial(_primary_fails, SILENT), _recovers, span=Span(30, 270)),
    _faults_everywhere(weighted=False),
    _faults_everywhere(weighted=True),
    _trouble("brown-out", _primary_browns_out, _recovers),
    _shared_trouble("brown-out-weighted", _primary_browns_out),
    _limit_halved(),
    _trouble("primary-cuts-all", partial(_primary_cuts, 1.0), _recovers),
    _trouble("primary-cuts-3-of-10", partial(_primary_cuts, 0.3), _recovers),
    _shared_trouble("cuts-all-weighted", partial(_primary_cuts, 1.0), _steady, _share_is_back),
    _both("both-cut-all", _both_cut),
    _both("both-down", partial(_both_fail, DOWN, always("server_error")), _doomed(SHORT)),
    _stores_down(),
    _never_together(),
    _crashes(),
    _wide_fleet(),
)

SLOW_TAIL = Scenario(
    "slow-tail",
    Setting(300),
    [Step(0, partial(_primary_fails, SLOW_ONES))],
    Span(30, 300),
    [AVAILABLE],
)
BROWN_OUT = next(scenario for scenario in SCENARIOS if scenario.name == "brown-out")
SHARE_AFTER_BROWN_OUT = _shared_trouble(
    "share-after-brown-out", _primary_browns_out, _share_is_back
)

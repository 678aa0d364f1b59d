"""Plays a scenario and holds it to its claims; what fails says how to see it again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.simulation.figures import Figures, percentile
from tests.support.simulation.instances import Mode
from tests.support.simulation.scenarios import AVAILABLE, SCENARIOS, Claim, Scenario
from tests.support.simulation.world import play

MAX_SHOWN = 10
"""Of what went wrong: the first is the one to look at."""


SEEDS = (1, 2)
MORE_SEEDS = range(3, 9)

each_seed = pytest.mark.parametrize(
    "seed",
    [
        *(pytest.param(seed, id=f"seed-{seed}") for seed in SEEDS),
        *(pytest.param(seed, id=f"seed-{seed}", marks=pytest.mark.long) for seed in MORE_SEEDS),
    ],
)
each_scenario = pytest.mark.parametrize(
    "scenario", [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS]
)


def prove(scenario: Scenario, mode: Mode, seed: int, *, hedge: bool = True) -> Figures:
    """Play a scenario, print what came of it, and assert what it claims."""
    try:
        world = play(replace(scenario.setting, hedge=hedge), scenario.steps, mode, seed)
    except BaseException as error:
        error.add_note(_command(scenario, mode, seed))
        raise
    figures = Figures(world.journal)
    report = _report(scenario, figures, f"{scenario.name} | {mode} | seed {seed}")
    print(report)
    wrong = [*world.journal.violations[:MAX_SHOWN], *_unkept(scenario, figures)]
    assert not wrong, "\n".join(
        [
            f"{len(world.journal.violations)} violations, and claims not kept:",
            *wrong,
            report,
            f"To see it again: {_command(scenario, mode, seed)}",
        ]
    )
    return figures


def _command(scenario: Scenario, mode: Mode, seed: int) -> str:
    only = f"{scenario.name}-seed-{seed}]"
    return f".venv/bin/pytest -s tests/simulation/test_{mode}.py -k '{only}'"


def _unkept(scenario: Scenario, figures: Figures) -> list[str]:
    return [
        f"{claim.text}: {claim.measure(figures):.4f}, claimed {claim.low} to {claim.high}"
        for claim in scenario.claims
        if not claim.low <= claim.measure(figures) <= claim.high
    ]


def _report(scenario: Scenario, figures: Figures, title: str) -> str:
    told = (_told(claim, figures) for claim in scenario.claims if claim is not AVAILABLE)
    claims = ", ".join(told) or "no other claims"
    words = figures.first_words_s(scenario.trouble)
    return (
        f"{title}: {len(figures.requests())} requests, {figures.availability():.4f} available; "
        f"{claims}; "
        f"{figures.calls_a_request(scenario.trouble):.3f} calls a request in trouble, "
        f"hedges {figures.hedge_share(scenario.trouble):.3f}, "
        f"first word p95 {percentile(words, 0.95):.2f} s p99 {percentile(words, 0.99):.2f} s"
    )


def _told(claim: Claim, figures: Figures) -> str:
    return f"{claim.text} {claim.measure(figures):.4f}"

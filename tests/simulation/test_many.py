"""A fleet whose processes have many requests at once; see `tests.support.simulation`."""

from __future__ import annotations

from tests.support.simulation.instances import Mode
from tests.support.simulation.proof import each_scenario, each_seed, prove
from tests.support.simulation.scenarios import Scenario


@each_seed
@each_scenario
def test_inv2_inv3_inv4_inv6_hold_whatever_fails(scenario: Scenario, seed: int) -> None:
    """And callers are served as well as the scenario claims."""
    prove(scenario, Mode.MANY, seed)

"""`[resilience]`, and what a model says of it: how failures are met, and what that may cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from forebay.settings.sections import Section, setting


class Continuing(StrEnum):
    """How a target goes on with an answer that broke off elsewhere."""

    PREFILL = "prefill"
    """It takes the beginning of its own turn and writes on from there."""
    ECHO = "echo"
    """It is asked to go on, and to begin with the last words that there are."""
    NONE = "none"
    """It does not."""


class SingleFlight(StrEnum):
    """Among whom equal requests that run at the same time share one upstream call."""

    OFF = "off"
    PROCESS = "process"
    """Callers of one process (and of one tenant, as always)."""
    FLEET = "fleet"
    """All processes; an eligible call takes one conditional write more."""


@dataclass(frozen=True, slots=True)
class ModelResilience:
    """Keys of `[models.NAME]` that say how its failures are met."""

    continuation: bool = True
    """Whether a stream that broke off in mid-answer is continued by the next target."""
    buffer_tool_calls: bool = True
    """Whether tool calls of a stream are held back until the answer is whole: nobody can act on
    half a call, and a target that fails before can be replaced without notice."""
    hedge: bool = True
    """Whether a late first token makes the next target be asked as well."""
    affinity: bool = True
    """Whether calls with the same beginning go to the same self-hosted replica, whose prefix cache
    has it."""
    single_flight: SingleFlight = SingleFlight.PROCESS


@dataclass(frozen=True, slots=True)
class ModelTimeouts:
    """`[models.NAME.timeouts]`, in seconds; what is absent is as the provider's table has it."""

    connect_s: float | None = setting(None, low=0.1, high=60)
    first_byte_s: float | None = setting(None, low=0.1, high=900)
    whole_answer_s: float | None = setting(None, low=0.1, high=900)
    idle_s: float | None = setting(None, low=0.1, high=900)
    total_s: float = setting(840.0, low=0.1, high=900)
    """From the request's arrival to the last byte of its answer, all attempts together. Lambda ends
    after 900; what is left of that is for saying so and for the books."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """`[resilience.breaker]`: when a target is left alone, and for how long."""

    window_s: int = setting(20, low=5, high=600)
    """How far back attempts count."""
    min_calls: int = setting(5, low=1, high=10_000)
    """With fewer attempts in the window nothing is concluded."""
    failure_rate: float = setting(0.5, low=0.01, high=1)
    """Share of attempts that failed or broke off, from which on the target is left alone."""
    slow_rate: float = setting(0.8, low=0.01, high=1)
    """Share of attempts with a late first token, from which on it is left alone."""
    slow_first_token_s: float = setting(15.0, low=0.1, high=900)
    """What is late: about ten times what large hosted models take."""
    open_s: float = setting(5.0, low=0.1, high=600)
    """Until one call may try it again; doubles while that fails, up to `max_open_s`."""
    max_open_s: float = setting(10.0, low=0.1, high=600)


DEFAULT_HEDGE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class ResilienceSettings:
    """`[resilience]`: what holds for all models."""

    hedge_share: float = DEFAULT_HEDGE_SHARE
    """Hedges at most, as a share of the calls, from 0 (none) to 1; each is paid for."""
    breaker: BreakerSettings = BreakerSettings()


def read_resilience(section: Section) -> ResilienceSettings:
    """Read `[resilience]`; faults are in the section's source."""
    section.only("hedge_share", "breaker")
    share = section.number("hedge_share", low=Decimal(0), high=Decimal(1))
    return ResilienceSettings(
        DEFAULT_HEDGE_SHARE if share is None else float(share),
        section.table("breaker").record(BreakerSettings),
    )

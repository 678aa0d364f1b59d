"""`[providers.NAME.scripted]`: the provider that needs no network, for trials and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from forebay.errors import ConfigurationError
from forebay.settings.sections import Section, Source, setting


class ScriptedFault(StrEnum):
    """How an answer of the scripted provider goes wrong."""

    DOWN = "down"
    """No connection, for anybody, from the first time on and until the script no longer has it."""
    REFUSE = "refuse"
    """No connection."""
    SLOW_FIRST_BYTE = "slow_first_byte"
    """The reply begins late, and is whole."""
    RATE_LIMITED = "rate_limited"
    """Status 429 with `Retry-After`."""
    SERVER_ERROR = "server_error"
    """Status 500."""
    BAD_GATEWAY = "bad_gateway"
    """Status 502 and a web page, as a proxy in between would send."""
    HTML = "html"
    """Status 200 and a web page."""
    WRONG_CONTENT_TYPE = "wrong_content_type"
    """An answer that calls itself plain text."""
    EMPTY = "empty"
    """Status 200 and no body."""
    CUT = "cut"
    """The connection breaks."""
    STALL = "stall"
    """Nothing more comes, until the idle time-out."""
    BROKEN_JSON = "broken_json"
    """What comes is no JSON."""
    DUPLICATED_CHUNK = "duplicated_chunk"
    """A chunk of a stream comes twice; else the answer is whole."""
    LONG_LINE = "long_line"
    """A line (of a body that is not streamed: all of it) that is longer than any answer."""


class ScriptedContinuing(StrEnum):
    """What the scripted model writes when it is to go on with an answer that broke off."""

    PREFILL = "prefill"
    """What is left, if its own turn stands last; asked by a user it begins again."""
    ECHO = "echo"
    """The last characters that there are, and what is left."""
    RESTART = "restart"
    """Everything again."""
    PREAMBLE = "preamble"
    """A few polite words, then as `echo`."""
    OTHER = "other"
    """Something else."""


@dataclass(frozen=True, slots=True)
class ScriptedFaults:
    """`[providers.NAME.scripted.faults]`: how probable each fault is; at most one strikes."""

    down: float = setting(0.0, low=0, high=1)
    refuse: float = setting(0.0, low=0, high=1)
    slow_first_byte: float = setting(0.0, low=0, high=1)
    rate_limited: float = setting(0.0, low=0, high=1)
    server_error: float = setting(0.0, low=0, high=1)
    bad_gateway: float = setting(0.0, low=0, high=1)
    html: float = setting(0.0, low=0, high=1)
    wrong_content_type: float = setting(0.0, low=0, high=1)
    empty: float = setting(0.0, low=0, high=1)
    cut: float = setting(0.0, low=0, high=1)
    stall: float = setting(0.0, low=0, high=1)
    broken_json: float = setting(0.0, low=0, high=1)
    duplicated_chunk: float = setting(0.0, low=0, high=1)
    long_line: float = setting(0.0, low=0, high=1)
    after_tokens: int = setting(5, low=0, high=100_000)
    """Tokens before a fault in mid-answer (`cut` and those below it) strikes; a shorter answer
    has it at its end. 5 are enough to see that the stream had begun."""
    slow_s: float = setting(30.0, low=0, high=900)
    """How late `slow_first_byte` is: ten times what large hosted models take."""
    retry_after_s: int = setting(1, low=0, high=3600)
    """What `rate_limited` says."""

    def probabilities(self) -> Mapping[ScriptedFault, float]:
        """Return the probability of each fault that can strike."""
        stated = {fault: float(getattr(self, fault)) for fault in ScriptedFault}
        return {fault: share for fault, share in stated.items() if share}


@dataclass(frozen=True, slots=True)
class ScriptedSettings:
    """`[providers.NAME.scripted]`."""

    first_token_ms: int = setting(200, low=0, high=600_000)
    """Until the first token: about what a small hosted model takes."""
    first_token_jitter: float = setting(0.0, low=0, high=1)
    """Share by which that varies, up or down, from call to call."""
    token_gap_ms: int = setting(20, low=0, high=60_000)
    """Between two tokens: 50 tokens a second, about what a small hosted model writes."""
    tokens: int = setting(32, low=0, high=100_000)
    """Length of the answer: two sentences, read in a second."""
    tool_call: bool = False
    """Whether it calls the first of the request's tools instead of talking."""
    continues: ScriptedContinuing = ScriptedContinuing.PREFILL
    """How it goes on with an answer that broke off."""
    requests_per_minute: int = setting(0, low=0, high=100_000)
    """Over it, it answers 429 and says when there is room again; 0: no limit."""
    faults: ScriptedFaults = ScriptedFaults()


def read_scripted(section: Section) -> ScriptedSettings:
    """Read `[providers.NAME.scripted]`; faults are in the section's source."""
    read = section.record(ScriptedSettings)
    _check_sum(read.faults, section, "faults")
    return read


def parse_faults(stated: Mapping[str, object]) -> ScriptedFaults:
    """Read what stands in no file: keys of `[providers.NAME.scripted.faults]` with their values.

    Args:
        stated: Numbers as `int` or `Decimal`.

    Raises:
        ConfigurationError: A line a fault: `cut: expected a number from 0 to 1, got 7`.
    """
    source = Source("", {}, [])
    section = Section(source, (), stated)
    read = section.record(ScriptedFaults)
    _check_sum(read, section)
    if source.faults:
        raise ConfigurationError([each.partition(": ")[2] for each in source.faults])
    return read


def _check_sum(faults: ScriptedFaults, section: Section, *keys: str) -> None:
    # Exact, as they were written: ten times 0.1 is 1, which binary fractions miss.
    total = sum(Decimal(str(share)) for share in faults.probabilities().values())
    if total > 1:
        section.fault(f"expected probabilities that add up to at most 1, got {total}", *keys)

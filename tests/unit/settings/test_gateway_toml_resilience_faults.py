"""What gateway.toml says of resilience, with a fault: refused with line, key and expectation."""

import pytest

from forebay.errors import ConfigurationError
from forebay.settings import ConfigSource, PriceTable, parse_gateway_toml

PROVIDER = '[providers.own]\nkind = "ollama"\n'  # two lines
MODEL = '[models.fast]\ntargets = [{ provider = "own", model = "m", price = "free" }]\n'  # two more


def faults(text: str) -> list[str]:
    source = ConfigSource("gateway.toml", f"{PROVIDER}{text}".encode())
    with pytest.raises(ConfigurationError) as refused:
        parse_gateway_toml([source], {}, PriceTable())
    return list(refused.value.faults)


def target(fields: str) -> str:
    one = f'{{ provider = "own", model = "m", price = "free", {fields} }}'
    return f"[models.fast]\ntargets = [\n{one}]"


M = "5: models.fast"
FLAGS = {
    f"{key} {value}": (
        f"{MODEL}{key} = {value}",
        f"{M}.{key}: expected true or false, got {shown}",
    )
    for key in ("continuation", "buffer_tool_calls", "hedge", "affinity")
    for value, shown in {'"true"': '"true"', "1": "1", "[]": "an empty array"}.items()
}
TIMEOUTS = {
    f"{key} {value}": (
        f"{MODEL}timeouts = {{ {key} = {value} }}",
        f"{M}.timeouts.{key}: expected a number from 0.1 to {high}, got {shown}",
    )
    for key, high in {
        "connect_s": 60, "first_byte_s": 900, "whole_answer_s": 900, "idle_s": 900, "total_s": 900,
    }.items()
    for value, shown in {
        "0": "0", "-1": "-1", "901": "901", "nan": "NaN", "inf": "Infinity", '"30"': '"30"',
        "true": "true", "{}": "a table",
    }.items()
}  # fmt: skip
INTEGERS = {
    f"{key} {value}": (
        f"{MODEL}[resilience.breaker]\n{key} = {value}",
        f"6: resilience.breaker.{key}: expected an integer from {low} to {high}, got {shown}",
    )
    for key, (low, high) in {"window_s": (5, 600), "min_calls": (1, 10_000)}.items()
    for value, shown in {"0": "0", "10_001": "10001", "7.5": "7.5", '"7"': '"7"'}.items()
}
NUMBERS = {
    f"{key} {value}": (
        f"{MODEL}[resilience.breaker]\n{key} = {value}",
        f"6: resilience.breaker.{key}: expected a number from {low} to {high}, got {shown}",
    )
    for key, (low, high) in {
        "failure_rate": (0.01, 1), "slow_rate": (0.01, 1), "slow_first_token_s": (0.1, 900),
        "open_s": (0.1, 600), "max_open_s": (0.1, 600),
    }.items()
    for value, shown in {"0": "0", "1e3": "1E+3", '"1"': '"1"', "false": "false"}.items()
}  # fmt: skip
SHARES = {
    f"hedge_share {value}": (
        f"{MODEL}[resilience]\nhedge_share = {value}",
        f"6: resilience.hedge_share: expected a number from 0 to 1, got {shown}",
    )
    for value, shown in {"-0.1": "-0.1", "1.01": "1.01", '"5 %"': '"5 %"', "nan": "NaN"}.items()
}
CHOICES = {
    "single_flight a flag": (
        f"{MODEL}single_flight = true",
        f"{M}.single_flight: expected one of off, process, fleet; got true",
    ),
    "single_flight another word": (
        f'{MODEL}single_flight = "on"',
        f'{M}.single_flight: expected one of off, process, fleet; got "on"',
    ),
    "continuation of a target a flag": (
        target("continuation = false"),
        "5: models.fast.targets[0].continuation: expected one of prefill, echo, none; got false",
    ),
    "continuation of a target another word": (
        target('continuation = "prefil"'),
        '5: models.fast.targets[0].continuation: expected one of prefill, echo, none; got "prefil"',
    ),
    "continuation of a model a target's word": (
        f'{MODEL}continuation = "echo"',
        f'{M}.continuation: expected true or false, got "echo"',
    ),
}
KEYS = {
    "of a model": (f"{MODEL}hedges = true", f"{M}.hedges: unknown key; did you mean hedge?"),
    "of a target": (
        target('continues = "echo"'),
        "5: models.fast.targets[0].continues: unknown key; did you mean continuation?",
    ),
    "of a model's timeouts": (
        f"{MODEL}[models.fast.timeouts]\ntotal = 30",
        "6: models.fast.timeouts.total: unknown key; did you mean total_s?",
    ),
    "of resilience": (
        f"{MODEL}[resilience]\nhedge = 0.1",
        "6: resilience.hedge: unknown key; did you mean hedge_share?",
    ),
    "of the breaker": (
        f"{MODEL}[resilience.breaker]\nfailure_share = 0.1",
        "6: resilience.breaker.failure_share: unknown key; did you mean failure_rate?",
    ),
    "at the top": (f"{MODEL}[resilence]\n", "5: resilence: unknown key; did you mean resilience?"),
}
TABLES = {
    "timeouts": (f"{MODEL}timeouts = 30", f"{M}.timeouts: expected a table, got 30"),
    "resilience": (f"{MODEL}[[resilience]]", "5: resilience: expected a table, got an array"),
    "breaker": (
        f"{MODEL}[resilience]\nbreaker = false",
        "6: resilience.breaker: expected a table, got false",
    ),
}
ALL = {
    f"{what}: {name}": case
    for what, cases in {
        "flag": FLAGS, "timeout": TIMEOUTS, "integer": INTEGERS, "number": NUMBERS,
        "share": SHARES, "choice": CHOICES, "unknown key": KEYS, "no table": TABLES,
    }.items()
    for name, case in cases.items()
}  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), ALL.values(), ids=ALL.keys())
def test_a_faulty_setting_is_refused(text: str, fault: str) -> None:
    assert faults(text) == [f"gateway.toml:{fault}"]


def test_all_faults_are_told_at_once() -> None:
    text = f'{MODEL}hedge = 1\nsingle_flight = "all"\n[resilience.breaker]\nwindow_s = 1\nopen = 2'

    assert [fault.split(": ")[1] for fault in faults(text)] == [
        "models.fast.hedge",
        "models.fast.single_flight",
        "resilience.breaker.open",
        "resilience.breaker.window_s",
    ]

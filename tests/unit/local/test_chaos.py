"""`--chaos`: what a person may ask for, and the configuration that comes of it."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from forebay.settings import ConfigSource, GatewayConfig, PriceTable, parse_gateway_toml
from forebay_cli.local.chaos import EXPECTED, Chaos, ChaosError, write_chaos_config
from forebay_cli.local.model import write_local_config

Faults = Mapping[str, int | Decimal]


def asked(*specs: str) -> Chaos:
    chaos = Chaos()
    for spec in specs:
        chaos = chaos.and_also(spec)
    return chaos


@pytest.mark.parametrize("spec", ["0", "7", "-7"])
def test_a_number_is_the_seed_of_the_kills(spec: str) -> None:
    assert asked(spec) == Chaos(kill_seed=int(spec))


def test_a_spec_names_a_provider_and_its_faults() -> None:
    faults: Faults = {"cut": Decimal("0.3"), "stall": Decimal("1e-3"), "after_tokens": 10}
    assert asked("a-1:cut=0.3,stall=1e-3,after_tokens=10") == Chaos(faults={"a-1": faults})


def test_several_specs_go_together() -> None:
    assert asked("a:cut=1", "3", "b:stall=0") == Chaos(3, {"a": {"cut": 1}, "b": {"stall": 0}})


WRONG = {
    "": f'{EXPECTED}, got ""',
    "cut=0.3": f'{EXPECTED}, got "cut=0.3"',
    ":cut=0.3": f'{EXPECTED}, got ":cut=0.3"',
    "a:": f'{EXPECTED}, got "a:"',
    "a:cut": f'{EXPECTED}, got "cut"',
    "a:cut=0.3,": f'{EXPECTED}, got ""',
    "1.5": f'{EXPECTED}, got "1.5"',
    "a:cut=": 'a: cut: expected a number from 0 to 1, got ""',
    "a:cut=often": 'a: cut: expected a number from 0 to 1, got "often"',
    "a:cut=nan": "a: cut: expected a number from 0 to 1, got NaN",
    "a:cut=2,stall=-1": (
        "a: cut: expected a number from 0 to 1, got 2; stall: expected a number from 0 to 1, got -1"
    ),
    "a:cuts=0.3": "a: cuts: unknown key; did you mean cut?",
    "a:after_tokens=1.5": "a: after_tokens: expected an integer from 0 to 100000, got 1.5",
    "a:cut=0.6,stall=0.6": "a: expected probabilities that add up to at most 1, got 1.2",
    "a:cut=0.1,cut=0.2": 'a: "cut" stands there twice',
}


@pytest.mark.parametrize(("spec", "message"), WRONG.items(), ids=[each or "-" for each in WRONG])
def test_a_spec_that_is_wrong_is_told_what_was_expected(spec: str, message: str) -> None:
    with pytest.raises(ChaosError) as caught:
        asked(spec)
    assert str(caught.value) == message


def test_a_provider_has_one_spec() -> None:
    with pytest.raises(ChaosError, match="a has faults already; expected all of them in one"):
        asked("a:cut=0.1", "a:stall=0.1")


OWN = """
[providers."my.script"]
kind = "scripted"
[providers."my.script".scripted]
tokens = 7
first_token_jitter = 0.5
tool_call = true
continues = "echo"
[providers."my.script".scripted.faults]
html = 1

[providers.real]
kind = "vllm"
base_url = "http://127.0.0.1:1/v1"

[models.m]
price = "free"
targets = [{ provider = "my.script", model = "x" }, { provider = "real", model = "x" }]
"""


def files(folder: Path, chaos: Chaos, own: str = OWN) -> list[Path]:
    """The files that the gateway reads, in their order."""
    path = folder / "gateway.toml"
    path.write_text(own)
    configs = [path, write_local_config(folder, None)]
    return [write_chaos_config(folder, chaos, configs), *configs]


def configuration(folder: Path, chaos: Chaos) -> GatewayConfig:
    sources = [ConfigSource(each.name, each.read_bytes()) for each in files(folder, chaos)]
    return parse_gateway_toml(sources, {}, PriceTable())


def test_the_gateway_reads_the_faults_and_what_else_the_provider_has(tmp_path: Path) -> None:
    config = configuration(tmp_path, asked("my.script:cut=0.25,after_tokens=3"))

    script = config.providers["my.script"].scripted
    assert (script.tokens, script.first_token_jitter, script.tool_call) == (7, 0.5, True)
    assert (script.continues, script.faults.after_tokens) == ("echo", 3)
    assert script.faults.probabilities() == {"cut": 0.25}  # `html` is replaced


def test_the_stack_s_own_provider_fails_on_demand_too(tmp_path: Path) -> None:
    config = configuration(tmp_path, asked("scripted:stall=1", "my.script:down=0.1"))

    assert config.providers["scripted"].scripted.faults.probabilities() == {"stall": 1}
    assert config.providers["my.script"].scripted.faults.probabilities() == {"down": 0.1}
    assert {"m", "scripted"} <= config.available_models().keys()


@pytest.mark.parametrize(("provider", "what"), [("real", "scripted"), ("unreal", "configured")])
def test_a_provider_that_cannot_fail_on_demand_is_refused(
    tmp_path: Path, provider: str, what: str
) -> None:
    with pytest.raises(ChaosError) as caught:
        files(tmp_path, asked(f"{provider}:cut=1"))
    assert str(caught.value) == (
        f'--chaos: the provider "{provider}" is not {what}; '
        "faults can be asked of scripted, my.script"
    )


@pytest.mark.parametrize("own", ["[", "x = 1e99999999999999999999", "x = 2026-99-99"])
def test_a_configuration_that_is_none_is_named(tmp_path: Path, own: str) -> None:
    with pytest.raises(ChaosError, match=r"gateway\.toml: expected TOML"):
        files(tmp_path, asked("scripted:cut=1"), own)


def test_what_is_wrong_in_a_configuration_stays_wrong_for_the_gateway_to_tell(
    tmp_path: Path,
) -> None:
    own = OWN.replace("tokens = 7", "tokens = [7]")
    path = files(tmp_path, asked("my.script:cut=1"), own)[0]

    assert tomllib.loads(path.read_text())["providers"]["my.script"]["scripted"]["tokens"] == "[7]"


@pytest.mark.parametrize("own", ["providers = 1", "[providers]\nscripted = 1"])
def test_providers_that_are_none_are_no_providers(tmp_path: Path, own: str) -> None:
    with pytest.raises(ChaosError, match="faults can be asked of"):
        files(tmp_path, asked("x:cut=1"), own)

"""docs/reference/configuration.md and the root's gateway.toml say what the code does."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

import forebay
from forebay.settings import (
    MAX_REQUEST_BODY_BYTES,
    ConfigSource,
    GatewayConfig,
    PriceTable,
    ProviderKind,
    ScriptedFailure,
    ScriptedSettings,
    Settings,
    TelemetrySettings,
    TimeoutSettings,
    parse_gateway_toml,
)
from forebay.settings.models import DEFAULT_WEIGHT, MAX_WEIGHT
from forebay.settings.prices import MAX_USD_PER_MILLION
from forebay.settings.provider_kinds import AZURE_V1, DEFAULT_BASE_URLS, AzureAuth

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)
SETTINGS = [*fields(TimeoutSettings), *fields(ScriptedSettings)]


def row(name: str) -> str:
    """The line of the reference's tables that begins with a name."""
    (found,) = re.findall(rf"^\| `{name}` \|.*$", REFERENCE, re.MULTILINE)
    return str(found)


def parse(text: str, environ: Mapping[str, str]) -> GatewayConfig:
    table = PriceTable.from_json((Path(forebay.__file__).parent / "data/prices.json").read_bytes())
    return parse_gateway_toml([ConfigSource("gateway.toml", text.encode())], environ, table)


class Recorder(Mapping[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_ = values
        self.asked: set[str] = set()

    @override
    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    @override
    def __len__(self) -> int:
        return len(self.values_)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each.name)
def test_each_setting_stands_in_the_reference_with_its_default(setting: Field[Any]) -> None:
    assert row(setting.name).split(" | ")[2] == f"`{setting.default}`"


@pytest.mark.parametrize(
    "setting", [each for each in SETTINGS if each.metadata], ids=lambda each: each.name
)
def test_each_number_stands_in_the_reference_with_its_range(setting: Field[Any]) -> None:
    low, high = setting.metadata["low"], setting.metadata["high"]
    assert row(setting.name).split(" | ")[3] == f"{low} to {high}"


def test_words_to_choose_from_are_complete() -> None:
    assert re.findall(r"`(\w+)`", row("fail").split(" | ")[3]) == list(ScriptedFailure)
    assert re.findall(r"`(\w+)`", row("kind").split(" | ")[3]) == list(ProviderKind)
    assert re.findall(r"`([\w-]+)`", row("auth").split(" | ")[3]) == list(AzureAuth)


@pytest.mark.parametrize("kind", DEFAULT_BASE_URLS)
def test_each_address_stands_in_the_reference(kind: ProviderKind) -> None:
    assert row(kind) == f"| `{kind}` | `{DEFAULT_BASE_URLS[kind]}` |"


def test_azure_s_defaults_stand_in_the_reference() -> None:
    assert row("api_version").split(" | ")[2] == f"`{AZURE_V1}`"
    assert row("auth").split(" | ")[2] == f"`{AzureAuth.API_KEY}`"


def test_weights_and_prices_have_the_bounds_of_the_reference() -> None:
    assert row("weight").split(" | ")[2:4] == [f"`{DEFAULT_WEIGHT}`", f"1 to {MAX_WEIGHT}"]
    assert row("output").split(" | ")[3] == f"0 to {MAX_USD_PER_MILLION}"
    assert f"({MAX_REQUEST_BODY_BYTES} bytes)" in REFERENCE


def test_each_variable_stands_in_the_reference_and_no_other() -> None:
    environ = Recorder(
        dict.fromkeys(
            ("FOREBAY_CONFIG", "FOREBAY_KEYS_TABLE", "FOREBAY_LEDGER_TABLE", "AWS_REGION"), "x"
        )
        | {"FOREBAY_STAGE": "local"}
    )
    settings = Settings.from_env(environ)
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", REFERENCE, re.MULTILINE)) == environ.asked
    assert f"| `{settings.response_mode}` |" in row("FOREBAY_RESPONSE_MODE")
    assert f"| `{TelemetrySettings().log_level}` |" in row("FOREBAY_LOG_LEVEL")
    assert f"| `{TelemetrySettings().metrics_namespace}` |" in row("FOREBAY_METRICS_NAMESPACE")


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_of_the_reference_is_a_configuration(example: str) -> None:
    assert parse(example, {"OPENAI_API_KEY": "x"}).available_models()


def test_the_reference_has_examples() -> None:
    assert len(EXAMPLES) == 4


def test_the_projects_own_file_starts_without_keys_and_serves_with_them() -> None:
    text = (ROOT / "gateway.toml").read_text(encoding="utf-8")
    assert not parse(text, {}).available_models()
    assert list(parse(text, {"OPENAI_API_KEY": "x"}).available_models()) == ["fast", "smart"]


def test_what_is_commented_out_in_the_projects_own_file_is_right_too() -> None:
    text = (ROOT / "gateway.toml").read_text(encoding="utf-8")
    whole = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    assert list(parse(whole, {}).available_models()) == ["own"]

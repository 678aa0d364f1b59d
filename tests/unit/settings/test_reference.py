"""docs/reference/configuration.md and the root's gateway.toml say what the code does."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

import forebay
from forebay.settings import (
    DEFAULT_HEDGE_SHARE,
    MAX_REQUEST_BODY_BYTES,
    BreakerSettings,
    ConfigSource,
    Continuing,
    GatewayConfig,
    ModelResilience,
    ModelTimeouts,
    PriceTable,
    ProviderKind,
    ScriptedContinuing,
    ScriptedFaults,
    ScriptedSettings,
    Settings,
    SingleFlight,
    TelemetrySettings,
    TimeoutSettings,
    parse_gateway_toml,
)
from forebay.settings.models import DEFAULT_WEIGHT, MAX_WEIGHT
from forebay.settings.prices import (
    MAX_INPUT_TOKENS,
    MAX_USD_PER_MILLION,
    PRICE_KEYS,
    RATE_KEYS,
)
from forebay.settings.provider_kinds import AZURE_V1, DEFAULT_BASE_URLS, AzureAuth
from forebay.settings.sections import field_names

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)
SECTIONS = dict(re.findall(r"^### `(\S+)`$(.*?)(?=^##|\Z)", REFERENCE, re.MULTILINE | re.DOTALL))
RECORDS: Mapping[str, type[Any]] = {
    "[providers.NAME.timeouts]": TimeoutSettings,
    "[providers.NAME.scripted]": ScriptedSettings,
    "[providers.NAME.scripted.faults]": ScriptedFaults,
    "[models.NAME]": ModelResilience,
    "[models.NAME.timeouts]": ModelTimeouts,
    "[resilience.breaker]": BreakerSettings,
}
"""By the heading of what the reference says of each."""
BESIDE = {"[models.NAME]": {"targets", "fallbacks", "price", "timeouts"}}
"""Keys that stand in the same table and are read by hand."""
SETTINGS = [
    pytest.param(heading, each, id=f"{heading}-{each.name}")
    for heading, record in RECORDS.items()
    for each in fields(record)
    if not is_dataclass(each.default)
]
NUMBERS = [
    pytest.param(heading, each, id=f"{heading}-{each.name}")
    for heading, record in RECORDS.items()
    for each in fields(record)
    if each.metadata
]


def row(name: str, heading: str | None = None) -> str:
    """The line of a section's tables (without a heading: of all) that begins with a name."""
    text = REFERENCE if heading is None else SECTIONS[heading]
    (found,) = re.findall(rf"^\| `{name}` \|.*$", text, re.MULTILINE)
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


@pytest.mark.parametrize(("heading", "setting"), SETTINGS)
def test_each_setting_stands_in_the_reference_with_its_default(
    heading: str, setting: Field[Any]
) -> None:
    default = setting.default
    written = str(default).lower() if isinstance(default, bool) else str(default)
    shown = "the provider's" if default is None else f"`{written}`"
    assert row(setting.name, heading).split(" | ")[2] == shown


@pytest.mark.parametrize(("heading", "setting"), NUMBERS)
def test_each_number_stands_in_the_reference_with_its_range(
    heading: str, setting: Field[Any]
) -> None:
    low, high = setting.metadata["low"], setting.metadata["high"]
    assert row(setting.name, heading).split(" | ")[3] == f"{low} to {high}"


@pytest.mark.parametrize(("heading", "record"), RECORDS.items(), ids=RECORDS)
def test_the_reference_has_no_key_that_is_not_read(heading: str, record: type[Any]) -> None:
    keys = re.findall(r"^\| `(\w+)` \|", SECTIONS[heading], re.MULTILINE)
    assert sorted(keys) == sorted({*field_names(record), *BESIDE.get(heading, ())})


def test_the_share_of_hedges_stands_in_the_reference() -> None:
    assert row("hedge_share").split(" | ")[2:4] == [f"`{DEFAULT_HEDGE_SHARE}`", "0 to 1"]


def test_words_to_choose_from_are_complete() -> None:
    assert re.findall(r"`(\w+)`", row("single_flight").split(" | ")[3]) == list(SingleFlight)
    assert re.findall(r"`(\w+)`", row("continuation", "targets").split(" | ")[3]) == list(
        Continuing
    )
    assert re.findall(r"`(\w+)`", row("continues").split(" | ")[3]) == list(ScriptedContinuing)
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
    for key in (*RATE_KEYS, "web_search"):
        assert row(key).split(" | ")[3] == f"0 to {MAX_USD_PER_MILLION}"
    assert f"(1 to {MAX_INPUT_TOKENS}; " in row("above")
    assert f"({MAX_REQUEST_BODY_BYTES} bytes)" in REFERENCE


def test_the_reference_has_all_keys_of_a_price_and_no_other() -> None:
    keys = re.findall(r"^\| `(\w+)` \|", SECTIONS["price"], re.MULTILINE)
    assert sorted(keys) == sorted(PRICE_KEYS)


def test_each_variable_stands_in_the_reference_and_no_other() -> None:
    environ = Recorder(
        dict.fromkeys(
            (
                "FOREBAY_CONFIG",
                "FOREBAY_KEYS_TABLE",
                "FOREBAY_LEDGER_TABLE",
                "FOREBAY_BREAKERS_TABLE",
                "FOREBAY_JOBS_TABLE",
                "FOREBAY_LIMITS_TABLE",
                "FOREBAY_USAGE_TABLE",
                "AWS_REGION",
            ),
            "x",
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
    assert len(EXAMPLES) == 5


def test_the_projects_own_file_starts_without_keys_and_serves_with_them() -> None:
    text = (ROOT / "gateway.toml").read_text(encoding="utf-8")
    assert not parse(text, {}).available_models()
    assert list(parse(text, {"OPENAI_API_KEY": "x"}).available_models()) == ["fast", "smart"]


def test_what_is_commented_out_in_the_projects_own_file_is_right_too() -> None:
    text = (ROOT / "gateway.toml").read_text(encoding="utf-8")
    whole = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    assert list(parse(whole, {}).available_models()) == ["own"]

"""gateway.toml that is right: what it comes to."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from forebay.errors import ConfigurationError
from forebay.money import FREE, LongInput, Price, Rates
from forebay.settings import (
    ConfigSource,
    GatewayConfig,
    KeyHeader,
    PriceRow,
    PriceTable,
    ProviderKind,
    ScriptedContinuing,
    ScriptedFaults,
    ScriptedSettings,
    SecretOrigin,
    SecretReference,
    TargetSettings,
    TimeoutSettings,
    parse_faults,
    parse_gateway_toml,
)

OPENAI = '[providers.openai]\nkind = "openai"\napi_key = "env:OPENAI_API_KEY"\n'
LOCAL = '[providers.local]\nkind = "ollama"\n'
KEYS = {"OPENAI_API_KEY": "sk-test"}
GPT = Price(input=250_000_000, cached_input=25_000_000, output=2_000_000_000)
PRICES = PriceTable(
    models={
        "gpt-5-mini": PriceRow("openai", GPT),
        "gpt-4": PriceRow("openai", Price(30_000_000_000, 30_000_000_000, 60_000_000_000)),
    }
)


def parse(*texts: str, environ: Mapping[str, str] = KEYS) -> GatewayConfig:
    sources = [ConfigSource(f"{n}.toml", text.encode()) for n, text in enumerate(texts, start=1)]
    return parse_gateway_toml(sources, environ, PRICES)


def model(targets: str, *, name: str = "fast", more: str = "") -> str:
    return f"[models.{name}]\ntargets = [{targets}]\n{more}\n"


MINI = '{ provider = "openai", model = "gpt-5-mini" }'
LLAMA = '{ provider = "local", model = "llama", price = "free" }'


def test_a_provider_gets_the_address_and_patience_of_its_kind() -> None:
    provider = parse(OPENAI, model(MINI)).providers["openai"]
    assert provider.kind is ProviderKind.OPENAI
    assert provider.base_url == "https://api.openai.com/v1"
    assert provider.api_key == SecretReference(SecretOrigin.ENVIRONMENT, "OPENAI_API_KEY")
    assert provider.timeouts == TimeoutSettings()
    assert provider.unavailable is None


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("ollama", "http://127.0.0.1:11434/v1"),
        ("vllm", "http://127.0.0.1:8000/v1"),
        ("localai", "http://127.0.0.1:8080/v1"),
        ("anthropic", "https://api.anthropic.com/v1"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta"),
        ("scripted", ""),
    ],
)
def test_each_kind_has_its_address(kind: str, url: str) -> None:
    key = "" if kind == "scripted" else 'api_key = "env:K"'
    config = parse(f'[providers.local]\nkind = "{kind}"\n{key}\n', model(LLAMA))
    assert config.providers["local"].base_url == url


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("openai", KeyHeader.BEARER),
        ("vllm", KeyHeader.BEARER),
        ("anthropic", KeyHeader.X_API_KEY),
        ("gemini", KeyHeader.X_GOOG_API_KEY),
        ('azure"\nbase_url = "https://h', KeyHeader.API_KEY),
        ('azure"\nbase_url = "https://h"\nauth = "bearer', KeyHeader.BEARER),
    ],
)
def test_each_kind_has_its_header_for_the_key(kind: str, header: KeyHeader) -> None:
    """Sources: the providers' references, "Authentication"."""
    text = f'[providers.local]\nkind = "{kind}"\napi_key = "env:K"\n'
    assert parse(text, model(LLAMA)).providers["local"].key_header is header


def test_bedrock_is_asked_in_its_region() -> None:
    """Source: https://docs.aws.amazon.com/general/latest/gr/bedrock.html."""
    text = '[providers.local]\nkind = "bedrock"\nregion = "eu-central-1"\n'
    provider = parse(text, model(LLAMA)).providers["local"]
    assert provider.region == "eu-central-1"
    assert provider.base_url == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert provider.unavailable is None


def test_bedrock_may_be_asked_through_an_endpoint_of_ones_own() -> None:
    text = '[providers.local]\nkind = "bedrock"\nregion = "eu-central-1"\n'
    config = parse(text + 'base_url = "https://vpce-1.example"\n', model(LLAMA))
    assert config.providers["local"].base_url == "https://vpce-1.example"


@pytest.mark.parametrize("version", ["v1", "2024-10-21", "2025-04-01-preview"])
def test_azure_s_api_has_versions(version: str) -> None:
    text = '[providers.local]\nkind = "azure"\nbase_url = "https://h"\napi_key = "env:K"\n'
    config = parse(text + f'api_version = "{version}"\n', model(LLAMA))
    assert config.providers["local"].api_version == version
    assert parse(text, model(LLAMA)).providers["local"].api_version == "v1"


def test_an_address_of_ones_own_loses_its_last_slash() -> None:
    config = parse(LOCAL + 'base_url = "http://10.0.0.7:8000/v1/"\n' + model(LLAMA))
    assert config.providers["local"].base_url == "http://10.0.0.7:8000/v1"


def test_an_address_can_stand_in_a_variable() -> None:
    text = LOCAL + 'base_url = "env:HERE"\n' + model(LLAMA)
    config = parse(text, environ={"HERE": " http://h/v1 "})
    assert config.providers["local"].base_url == "http://h/v1"


def test_timeouts_are_seconds() -> None:
    text = LOCAL + "timeouts = { connect_s = 1, first_byte_s = 2.5 }\n" + model(LLAMA)
    timeouts = parse(text).providers["local"].timeouts
    assert (timeouts.connect_s, timeouts.first_byte_s) == (1.0, 2.5)
    assert timeouts.idle_s == TimeoutSettings().idle_s


def test_the_scripted_provider_is_told_how_to_behave() -> None:
    told = 'tokens = 7, continues = "echo", tool_call = true, faults = { cut = 0.5, stall = 0.5 }'
    text = f'[providers.local]\nkind = "scripted"\nscripted = {{ {told} }}\n'
    scripted = parse(text + model(LLAMA)).providers["local"].scripted
    assert scripted == ScriptedSettings(
        tokens=7,
        continues=ScriptedContinuing.ECHO,
        tool_call=True,
        faults=ScriptedFaults(cut=0.5, stall=0.5),
    )


def test_probabilities_add_up_as_they_are_written() -> None:
    names = ("down", "refuse", "server_error", "html", "empty", "cut", "stall", "long_line")
    faults = "".join(f"scripted.faults.{name} = 0.1\n" for name in (*names, "broken_json"))
    text = f'[providers.local]\nkind = "scripted"\n{faults}scripted.faults.rate_limited = 0.1\n'
    assert len(parse(text + model(LLAMA)).providers["local"].scripted.faults.probabilities()) == 10


def test_faults_of_no_file_are_read_alike() -> None:
    stated = {"cut": Decimal("0.3"), "after_tokens": 7}
    assert parse_faults(stated) == ScriptedFaults(cut=0.3, after_tokens=7)


def test_faults_of_no_file_that_are_wrong_are_all_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_faults({"cut": "often", "stal": 1, "stall": Decimal("0.7"), "html": Decimal("0.4")})
    assert caught.value.faults == (
        "stal: unknown key; did you mean stall?",
        'cut: expected a number from 0 to 1, got "often"',
        "expected probabilities that add up to at most 1, got 1.1",
    )


def test_a_target_weighs_one_and_costs_what_the_table_says() -> None:
    assert parse(OPENAI, model(MINI)).models["fast"].targets == (
        TargetSettings("openai", "gpt-5-mini", 1, GPT),
    )


def test_without_a_price_of_their_own_cached_tokens_cost_what_input_costs() -> None:
    more = "price = { input = 30, output = 60 }"
    price = parse(OPENAI, model(MINI, more=more)).models["fast"].targets[0].price
    assert price.cached_input == price.input == 30_000_000_000


def test_a_targets_price_goes_before_its_models_and_that_before_the_table() -> None:
    own = '{ provider = "openai", model = "gpt-4", price = { input = 1, output = 2.5 } }'
    more = "price = { input = 3, cached_input = 0.0125, output = 0.000000001 }"
    first, second = parse(OPENAI, model(f"{own}, {MINI}", more=more)).models["fast"].targets
    assert first.price == Price(10**9, 10**9, 2_500_000_000)
    assert second.price == Price(3 * 10**9, 12_500_000, 1)


def test_a_price_says_what_caches_long_input_tiers_and_searches_cost() -> None:
    more = """
[models.fast.price]
input = 1
cached_input = 0.1
cache_write = 1.5
cache_write_1h = 2.5
output = 4
web_search = 10
above = [{ input_tokens = 200_000, input = 2, cached_input = 0.2, output = 6 }]
[models.fast.price.tiers]
flex = { input = 0.5, output = 2 }
priority = { input = 2, output = 8, above = [{ input_tokens = 9, input = 3, output = 9 }] }
"""
    usd = 10**9
    long = (LongInput(200_000, Rates(2 * usd, 200_000_000, 6 * usd)),)
    priority_long = (LongInput(9, Rates(3 * usd, 3 * usd, 9 * usd)),)
    assert parse(OPENAI, model(MINI, more=more)).models["fast"].targets[0].price == Price(
        input=usd,
        cached_input=100_000_000,
        output=4 * usd,
        cache_write=1_500_000_000,
        cache_write_1h=2_500_000_000,
        above=long,
        tiers={
            "flex": Price(500_000_000, 500_000_000, 2 * usd, above=long),
            "priority": Price(2 * usd, 2 * usd, 8 * usd, above=priority_long),
        },
        web_search=10_000 * usd,
    )


def test_prices_are_read_exactly() -> None:
    """0.1 + 0.2 as binary floats would be 300,000,000.00000004 nano-dollars."""
    more = "price = { input = 0.3, cached_input = 0.1, output = 1.1 }"
    price = parse(OPENAI, model(MINI, more=more)).models["fast"].targets[0].price
    assert price == Price(300_000_000, 100_000_000, 1_100_000_000)


def test_a_self_hosted_model_is_free_when_said() -> None:
    assert parse(LOCAL, model(LLAMA)).models["fast"].targets[0].price == FREE


def test_targets_may_be_an_array_of_tables() -> None:
    text = (
        OPENAI + '[[models.fast.targets]]\nprovider = "openai"\nmodel = "gpt-5-mini"\nweight = 3\n'
    )
    assert parse(text).models["fast"].targets[0].weight == 3


def test_a_models_name_may_hold_slashes() -> None:
    name = "org/model-1.5:free@eu"
    config = parse(LOCAL, model(LLAMA, name=f'"{name}"'))
    assert list(config.models) == [name]


@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": " "}], ids=["absent", "blank"])
def test_a_provider_without_its_key_is_kept_but_not_served(environ: Mapping[str, str]) -> None:
    config = parse(
        OPENAI + LOCAL,
        model(f"{MINI}, {LLAMA}", name="both", more='fallbacks = ["hosted", "own"]')
        + model(MINI, name="hosted")
        + model(LLAMA, name="own"),
        environ=environ,
    )
    assert config.providers["openai"].unavailable == "OPENAI_API_KEY not set in the environment"
    served = config.available_models()
    assert list(served) == ["both", "own"]
    assert [target.provider for target in served["both"].targets] == ["local"]
    assert served["both"].fallbacks == ("own",)


def test_a_provider_without_its_address_is_not_served() -> None:
    config = parse(LOCAL + 'base_url = "env:HERE"\n', model(LLAMA))
    assert config.providers["local"].unavailable == "HERE not set in the environment"
    assert not config.available_models()


def test_a_later_file_adds_only_what_earlier_ones_lack() -> None:
    first = OPENAI + model(MINI)
    later = LOCAL + '[providers.openai]\nkind = "vllm"\n' + model(LLAMA) + model(LLAMA, name="own")
    config = parse(first, later)
    assert config.providers["openai"].kind is ProviderKind.OPENAI
    assert config.models["fast"].targets[0].provider == "openai"
    assert config.models["own"].targets[0].provider == "local"


def test_a_file_may_name_what_another_defines() -> None:
    assert parse(model(MINI), OPENAI).available_models()


def test_an_empty_file_beside_a_full_one_is_nothing_to_complain_about() -> None:
    assert parse("", OPENAI + model(MINI)).models


def test_windows_line_ends_and_a_byte_order_mark_are_taken() -> None:
    text = "\ufeff" + (OPENAI + model(MINI)).replace("\n", "\r\n")
    assert parse(text).models


def test_no_file_at_all_is_a_fault() -> None:
    with pytest.raises(ConfigurationError, match=r"^FOREBAY_CONFIG:1: models: expected at least"):
        parse()

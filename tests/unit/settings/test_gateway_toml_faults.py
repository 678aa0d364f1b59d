"""gateway.toml with a fault: refused with file, line, key and what was expected."""

from collections.abc import Mapping

import pytest

from forebay.errors import ConfigurationError
from forebay.settings import ConfigSource, PriceTable, parse_gateway_toml

PROVIDER = '[providers.own]\nkind = "ollama"\n'
TARGET = '{ provider = "own", model = "m", price = "free" }'
MODEL = f"[models.fast]\ntargets = [{TARGET}]\n"


def faults(text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigurationError) as refused:
        parse_gateway_toml([ConfigSource("gateway.toml", data)], environ or {}, PriceTable())
    return list(refused.value.faults)


FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "1: models: expected at least one [models.NAME]"),
    "only comments": ("# nothing\n", "1: models: expected at least one [models.NAME]"),
    "no models": (PROVIDER, "1: models: expected at least one [models.NAME]"),
    "not UTF-8": (b"a = 1\n# \xff\n", "2: expected UTF-8, got byte 0xff"),
    "huge": (b"#" * 1_000_001, "1: expected at most 1 MB, got 1000001 bytes"),
    "binary": (b"\x00\x01", "1: expected TOML; Invalid statement (at line 1, column 1)"),
    "no TOML": (
        "\n[models.fast\n",
        "2: expected TOML; Expected ']' at the end of a table declaration (at line 2, column 13)",
    ),
    "JSON": ('{"a": 1}', "1: expected TOML; Invalid statement (at line 1, column 1)"),
    "unfinished string": (
        'a = 1\nb = """',
        "2: expected TOML; Unterminated string (at end of document)",
    ),
    "table twice": (
        MODEL + MODEL,
        "3: expected TOML; Cannot declare ('models', 'fast') twice (at line 3, column 13)",
    ),
    "too deep": ("a = " + "[" * 9_999, "1: expected TOML; this is nested too deep"),
    "too long a number": (
        "a = " + "1" * 5_000,
        (
            "1: expected TOML; Exceeds the limit (4300 digits) for integer string conversion: value"
            " has 5000 digits; use sys.set_int_max_str_digits() to increase the limit"
        ),
    ),
    "huge exponent": (
        "a = 1e99999999999999999999",
        "1: expected TOML; a number's exponent is too large",
    ),
    "unknown part": (
        PROVIDER + MODEL + "[model.x]\n",
        "5: model: unknown key; did you mean models?",
    ),
    "models no table": ("models = 3\n", "1: models: expected a table, got 3"),
}


@pytest.mark.parametrize(("text", "fault"), FILES.values(), ids=FILES.keys())
def test_a_file_that_is_no_configuration_is_refused(text: str | bytes, fault: str) -> None:
    assert f"gateway.toml:{fault}" in faults(text)


API_KEY = (
    'api_key: expected "env:VARIABLE", "secret:NAME" (Secrets Manager) or "ssm:NAME"; '
    "a key itself does not belong into this file"
)
URL = "base_url: expected an address like https://host/v1, this "
NO_URL = URL + "does not start with http:// or https:// and a host"
ODD_URL = URL + "holds a query, a fragment, or characters that no address has"
AZURE = '[providers.x]\nkind = "azure"\napi_key = "env:K"\n'
AZURE_URL = "base_url: expected an address like https://RESOURCE.openai.azure.com"

PROVIDERS = {
    "kind missing": (
        "[providers.x]",
        (
            "1: providers.x.kind: expected one of openai, azure, anthropic, gemini, bedrock, "
            "ollama, vllm, localai, scripted; it is missing"
        ),
    ),
    "kind unknown": (
        '[providers.x]\nkind = "opnai"',
        (
            "2: providers.x.kind: expected one of openai, azure, anthropic, gemini, bedrock, "
            'ollama, vllm, localai, scripted; got "opnai"'
        ),
    ),
    "no table": ("[providers]\nx = 1", "2: providers.x: expected a table, got 1"),
    "name with a space": (
        '[providers."a b"]\nkind = "vllm"',
        "1: providers.\"a b\": expected a name of at most 64 letters, digits, '.', '_' and '-'",
    ),
    "openai without a key": (
        '[providers.x]\nkind = "openai"',
        (
            '1: providers.x.api_key: expected "env:VARIABLE", "secret:NAME" (Secrets Manager) or '
            '"ssm:NAME"; it is missing'
        ),
    ),
    **{
        f"{kind} without a key": (
            f'[providers.x]\nkind = "{kind}"',
            (
                '1: providers.x.api_key: expected "env:VARIABLE", "secret:NAME" (Secrets Manager) '
                'or "ssm:NAME"; it is missing'
            ),
        )
        for kind in ("anthropic", "gemini")
    },
    "azure without a key": (
        '[providers.x]\nkind = "azure"\nbase_url = "https://h"',
        (
            '1: providers.x.api_key: expected "env:VARIABLE", "secret:NAME" (Secrets Manager) or '
            '"ssm:NAME"; it is missing'
        ),
    ),
    "azure without an address": (
        AZURE,
        f"1: providers.x.{AZURE_URL}; it is missing",
    ),
    **{
        f"azure at {path}": (
            f'{AZURE}base_url = "https://h{path}"',
            f"4: providers.x.{AZURE_URL}, without /openai and what follows it",
        )
        for path in ("/openai", "/openai/v1/", "/api/openai/deployments/x")
    },
    **{
        f"azure's version {version}": (
            f'{AZURE}base_url = "https://h"\napi_version = "{version}"',
            (
                '5: providers.x.api_version: expected "v1" or a date like "2024-10-21" or '
                f'"2025-04-01-preview", got "{version}"'
            ),
        )
        for version in ("v2", "2024", "2024-10-21&x=y", "2024-10-21-beta")
    },
    "azure's header": (
        f'{AZURE}base_url = "https://h"\nauth = "entra"',
        '5: providers.x.auth: expected one of api-key, bearer; got "entra"',
    ),
    "bedrock nowhere": (
        '[providers.x]\nkind = "bedrock"',
        "1: providers.x.region: expected a string; it is missing",
    ),
    "bedrock in no region": (
        '[providers.x]\nkind = "bedrock"\nregion = "example.com/"',
        '3: providers.x.region: expected a region like eu-central-1, got "example.com/"',
    ),
    "bedrock with a key": (
        '[providers.x]\nkind = "bedrock"\nregion = "eu-central-1"\napi_key = "env:K"',
        "4: providers.x.api_key: unknown key; expected kind, region, base_url or timeouts",
    ),
    "misspelt key": (
        '[providers.x]\nkind = "vllm"\napikey = "env:A"',
        "3: providers.x.apikey: unknown key; did you mean api_key?",
    ),
    "script for a real provider": (
        '[providers.x]\nkind = "vllm"\n[providers.x.scripted]',
        "3: providers.x.scripted: unknown key; expected kind, base_url, api_key or timeouts",
    ),
    "address for a scripted one": (
        '[providers.x]\nkind = "scripted"\nbase_url = "http://h"',
        "3: providers.x.base_url: unknown key; expected kind or scripted",
    ),
    "wait of no time": (
        '[providers.x]\nkind = "vllm"\n[providers.x.timeouts]\nidle_s = 0',
        "4: providers.x.timeouts.idle_s: expected a number from 0.1 to 900, got 0",
    ),
    "wait that is no number": (
        '[providers.x]\nkind = "vllm"\ntimeouts = { idle_s = nan }',
        "3: providers.x.timeouts.idle_s: expected a number from 0.1 to 900, got NaN",
    ),
    "wait that is a text": (
        '[providers.x]\nkind = "vllm"\ntimeouts.idle_s = "60"',
        '3: providers.x.timeouts.idle_s: expected a number from 0.1 to 900, got "60"',
    ),
    "unknown fault": (
        '[providers.x]\nkind = "scripted"\nscripted.faults.explode = 1',
        (
            "3: providers.x.scripted.faults.explode: unknown key; expected down, refuse, "
            "slow_first_byte, rate_limited, server_error, bad_gateway, html, wrong_content_type, "
            "empty, cut, stall, broken_json, duplicated_chunk, long_line, after_tokens, slow_s or "
            "retry_after_s"
        ),
    ),
    "fault that is a word": (
        '[providers.x]\nkind = "scripted"\nscripted.faults = "cut"',
        '3: providers.x.scripted.faults: expected a table, got "cut"',
    ),
    "fault more often than always": (
        '[providers.x]\nkind = "scripted"\nscripted.faults.cut = 1.5',
        "3: providers.x.scripted.faults.cut: expected a number from 0 to 1, got 1.5",
    ),
    "faults more often than always": (
        '[providers.x]\nkind = "scripted"\n[providers.x.scripted.faults]\ncut = 0.6\nstall = 0.5',
        (
            "3: providers.x.scripted.faults: expected probabilities that add up to at most 1, "
            "got 1.1"
        ),
    ),
    "unknown way to go on": (
        '[providers.x]\nkind = "scripted"\nscripted.continues = "none"',
        (
            "3: providers.x.scripted.continues: expected one of prefill, echo, restart, preamble, "
            'other; got "none"'
        ),
    ),
    "half a token": (
        '[providers.x]\nkind = "scripted"\nscripted.tokens = 1.5',
        "3: providers.x.scripted.tokens: expected an integer from 0 to 100000, got 1.5",
    ),
    **{
        f"api_key {name}": (
            f'[providers.x]\nkind = "vllm"\napi_key = {value}',
            f"3: providers.x.{API_KEY}",
        )
        for name, value in {
            "literal": '"sk-proj-1234"',
            "number": "1234",
            "empty": '""',
            "no name": '"env:"',
            "odd variable": '"env:A-B"',
            "unknown origin": '"file:/etc/key"',
            "odd secret": '"secret:a b"',
        }.items()
    },
    **{
        f"base_url {name}": (
            f'[providers.x]\nkind = "vllm"\nbase_url = "{value}"',
            f"3: providers.x.{message}",
        )
        for name, (value, message) in {
            "no scheme": ("localhost:8000/v1", NO_URL),
            "other scheme": ("ftp://h/v1", NO_URL),
            "no host": ("http:///v1", NO_URL),
            "empty": ("", NO_URL),
            "port zero": ("http://h:0/v1", NO_URL),
            "odd port": ("http://h:x/v1", URL + "is none"),
            "open bracket": ("http://[::1/v1", URL + "is none"),
            "password": (
                "http://user:hunter2@h/v1",
                URL + "holds a user or password; state the key in api_key",
            ),
            "query": ("http://h/v1?key=hunter2", ODD_URL),
            "fragment": ("http://h/v1#x", ODD_URL),
            "space": ("http://h/v 1", ODD_URL),
            "line end": (r"http://h/v1\n", ODD_URL),
        }.items()
    },
    "base_url no text": (
        '[providers.x]\nkind = "vllm"\nbase_url = 8000',
        "3: providers.x.base_url: expected a string, got 8000",
    ),
}


@pytest.mark.parametrize(("text", "fault"), PROVIDERS.values(), ids=PROVIDERS.keys())
def test_a_faulty_provider_is_refused(text: str, fault: str) -> None:
    assert faults(f"{text}\n{PROVIDER}{MODEL}") == [f"gateway.toml:{fault}"]


def test_all_faults_are_told_at_once() -> None:
    text = '[providers.x]\nkind = "bedrok"\n[models.fast]\ntargets = [{}]\nprice = 1\nfallbacks = 2'
    assert [fault.split(": expected")[0].split(": bedrok")[0] for fault in faults(text)] == [
        "gateway.toml:2: providers.x.kind",
        "gateway.toml:5: models.fast.price",
        "gateway.toml:4: models.fast.targets[0].model",
        "gateway.toml:4: models.fast.targets[0].provider",
        "gateway.toml:6: models.fast.fallbacks",
    ]


def test_faults_of_several_files_bear_their_names() -> None:
    sources = [ConfigSource("a.toml", b"x = 1"), ConfigSource("b.toml", b"\n= 1")]
    with pytest.raises(ConfigurationError) as refused:
        parse_gateway_toml(sources, {}, PriceTable())
    assert [fault.split(": ")[0] for fault in refused.value.faults] == ["b.toml:2", "a.toml:1"]


def test_an_address_from_a_variable_is_checked_but_never_shown() -> None:
    text = f'{PROVIDER}base_url = "env:HERE"\n{MODEL}'
    (fault,) = faults(text, {"HERE": "http://user:hunter2@h/v1"})
    assert fault.startswith("gateway.toml:3: providers.own.base_url: expected an address")
    assert fault.endswith("(in the variable HERE)")
    assert "hunter2" not in fault


@pytest.mark.parametrize("key", ["api_key", "base_url", "apikey"])
def test_a_secret_in_the_file_is_never_shown(key: str) -> None:
    assert "hunter2" not in "".join(faults(f'{PROVIDER}{key} = "sk-hunter2 "\n{MODEL}'))

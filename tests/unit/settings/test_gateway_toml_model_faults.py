"""Models of gateway.toml with a fault: refused with file, line, key and what was expected."""

import pytest

from forebay.errors import ConfigurationError
from forebay.settings import ConfigSource, PriceTable, parse_gateway_toml

PROVIDER = '[providers.own]\nkind = "ollama"\n'  # two lines; each case's own text begins on line 3
TARGET = '{ provider = "own", model = "m", price = "free" }'
MODEL = f"[models.fast]\ntargets = [{TARGET}]\n"


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        parse_gateway_toml([ConfigSource("gateway.toml", text.encode())], {}, PriceTable())
    return list(refused.value.faults)


def target(fields: str) -> str:
    return f'[models.fast]\ntargets = [\n{{ provider = "own", model = "m", {fields} }}]'


def price(value: str) -> str:
    return f"[models.fast]\ntargets = [{TARGET}]\nprice = {value}"


T = "5: models.fast.targets[0]"
PRICE_FORM = '{ input = 0.25, cached_input = 0.025, output = 2.0 } or "free"'
NUMBER = "expected a number from 0 to 100000, got"
LONG = "{ input_tokens = 9, input = 1, output = 1 }"
MODELS = {
    "no targets": (
        "[models.fast]",
        '3: models.fast.targets: expected at least one { provider = "…", model = "…" }',
    ),
    "empty targets": (
        "[models.fast]\ntargets = []",
        '4: models.fast.targets: expected at least one { provider = "…", model = "…" }',
    ),
    "targets no array": (
        '[models.fast]\ntargets = "gpt-5"',
        '4: models.fast.targets: expected an array, got "gpt-5"',
    ),
    "target no table": (
        f'[models.fast]\ntargets = [{TARGET},\n"gpt-5"]',
        '5: models.fast.targets[1]: expected a table, got "gpt-5"',
    ),
    "no model": ("[models]\nfast = true", "4: models.fast: expected a table, got true"),
    "provider missing": (
        '[models.fast]\ntargets = [\n{ model = "m", price = "free" }]',
        f"{T}.provider: expected a string; it is missing",
    ),
    "model missing": (
        '[models.fast]\ntargets = [\n{ provider = "own", price = "free" }]',
        f"{T}.model: expected a string; it is missing",
    ),
    "model empty": (
        '[models.fast]\ntargets = [\n{ provider = "own", model = "", price = "free" }]',
        f"{T}.model: expected 1 to 256 printable ASCII characters",
    ),
    "model with a line end": (
        '[models.fast]\ntargets = [\n{ provider = "own", model = "a\\nb", price = "free" }]',
        f"{T}.model: expected 1 to 256 printable ASCII characters",
    ),
    "unknown provider": (
        '[models.fast]\ntargets = [\n{ provider = "owm", model = "m", price = "free" }]',
        f'{T}.provider: expected a name from [providers.…], got "owm"; did you mean "own"?',
    ),
    "target twice": (
        f"[models.fast]\ntargets = [{TARGET},\n{TARGET}]",
        "5: models.fast.targets[1]: expected each pair of provider and model once",
    ),
    "unknown key of a target": (
        target('price = "free", wait = 1'),
        f"{T}.wait: unknown key; did you mean weight?",
    ),
    **{
        f"weight {value[:9]}": (
            target(f'price = "free", weight = {value}'),
            f"{T}.weight: expected an integer from 1 to 1000000, got {shown}",
        )
        for value, shown in {
            '"three"': '"three"',
            "0": "0",
            "-1": "-1",
            "1.0": "1.0",
            "true": "true",
            "[]": "an empty array",
            "[1]": "an array",
            "{}": "a table",
            "2026-11-23": "a date or time",
            "1_000_001": "1000001",
            "0x" + "f" * 5000: "a huge number",
            '"' + "x" * 99 + '"': '"' + "x" * 60 + '…"',
            r'"a\nb\u2028"': r'"a\u000ab\u2028"',
        }.items()
    },
    "no price": (
        '[models.fast]\ntargets = [\n{ provider = "own", model = "llama" }]',
        (
            f'{T}.price: no price is known of "llama"; expected price = {PRICE_FORM[:52]} '
            '(USD per million tokens) or price = "free"'
        ),
    ),
    "price a word": (
        price('"cheap"'),
        f'5: models.fast.price: expected {PRICE_FORM}, got "cheap"',
    ),
    "price a number": (price("2.5"), f"5: models.fast.price: expected {PRICE_FORM}, got 2.5"),
    "price without output": (
        price("{ input = 1 }"),
        "5: models.fast.price.output: expected USD per million tokens; it is missing",
    ),
    "price with an unknown key": (
        price("{ input = 1, output = 1, cached = 1 }"),
        "5: models.fast.price.cached: unknown key; did you mean cached_input?",
    ),
    "price of long input without a length": (
        price("{ input = 1, output = 1, above = [{ input = 1, output = 1 }] }"),
        "5: models.fast.price.above[0].input_tokens: expected a number of tokens; it is missing",
    ),
    "price of long input without a price": (
        price("{ input = 1, output = 1, above = [{ input_tokens = 9, output = 1 }] }"),
        "5: models.fast.price.above[0].input: expected USD per million tokens; it is missing",
    ),
    "lengths that fall": (
        price(f"{{ input = 1, output = 1, above = [{LONG}, {LONG}] }}"),
        "5: models.fast.price.above: expected input_tokens to grow from step to step",
    ),
    "a length that is none": (
        price(f"{{ input = 1, output = 1, above = [{LONG.replace('9', '0')}] }}"),
        (
            "5: models.fast.price.above[0].input_tokens: expected an integer "
            "from 1 to 100000000, got 0"
        ),
    ),
    "tier of the ordinary kind": (
        price("{ input = 1, output = 1, tiers = { default = { input = 1, output = 1 } } }"),
        (
            "5: models.fast.price.tiers.default: "
            "expected the name of a tier other than the ordinary one, e.g. flex"
        ),
    ),
    "tier in capitals": (
        price("{ input = 1, output = 1, tiers = { Flex = { input = 1, output = 1 } } }"),
        (
            "5: models.fast.price.tiers.Flex: "
            "expected the name of a tier other than the ordinary one, e.g. flex"
        ),
    ),
    "tier without a price": (
        price("{ input = 1, output = 1, tiers = { flex = { input = 1 } } }"),
        "5: models.fast.price.tiers.flex.output: expected USD per million tokens; it is missing",
    ),
    "tier of a tier": (
        price("{ input = 1, output = 1, tiers = { flex = { input = 1, output = 1, tiers = 1 } } }"),
        (
            "5: models.fast.price.tiers.flex.tiers: unknown key; expected input, cached_input, "
            "cache_write, cache_write_1h, output or above"
        ),
    ),
    "search below zero": (
        price("{ input = 1, output = 1, web_search = -1 }"),
        f"5: models.fast.price.web_search: {NUMBER} -1",
    ),
    "price too fine": (
        price("{ input = 0.0000000001, output = 1 }"),
        "5: models.fast.price.input: expected at most 9 digits after the point, got 1E-10",
    ),
    **{
        f"price {value[:9]}": (
            price(f"{{ input = {value}, output = 1 }}"),
            f"5: models.fast.price.input: {NUMBER} {shown}",
        )
        for value, shown in {
            "-0.1": "-0.1",
            "nan": "NaN",
            "inf": "Infinity",
            "-inf": "-Infinity",
            "1e6": "1E+6",
            "1e999999": "a huge number",
            '"0.25"': '"0.25"',
            "true": "true",
        }.items()
    },
    "fallback unknown": (
        f'[models.fast]\ntargets = [{TARGET}]\nfallbacks = [\n"fats"]',
        (
            '6: models.fast.fallbacks[0]: expected a name from [models.…], got "fats"; '
            'did you mean "fast"?'
        ),
    ),
    "fallback no name": (
        f"[models.fast]\ntargets = [{TARGET}]\nfallbacks = [1]",
        "5: models.fast.fallbacks[0]: expected a model's name, got 1",
    ),
    "fallbacks no array": (
        f'[models.fast]\ntargets = [{TARGET}]\nfallbacks = "slow"',
        '5: models.fast.fallbacks: expected an array, got "slow"',
    ),
    "fallback on itself": (
        f'[models.fast]\ntargets = [{TARGET}]\nfallbacks = ["fast"]',
        '5: models.fast.fallbacks: expected no circle of fallbacks, got "fast" -> "fast"',
    ),
    "unknown key of a model": (
        f"[models.fast]\ntargets = [{TARGET}]\nfallback = []",
        "5: models.fast.fallback: unknown key; did you mean fallbacks?",
    ),
    **{
        f"name {name[:9]}": (
            f'[models."{name}"]\ntargets = [{TARGET}]',
            f'3: models."{shown}: expected a name of at most 128 letters, digits and ._~:@+=-/',
        )
        for name, shown in {
            "a b": 'a b"',
            "a,b": 'a,b"',
            "/a": '/a"',
            "a//b": 'a//b"',
            "a/../b": 'a/../b"',
            "a?": 'a?"',
            "ä": 'ä"',
            r"a\nb": r'a\u000ab"',
            "a." + "x" * 127: "a." + "x" * 57 + "…",
        }.items()
    },
}


@pytest.mark.parametrize(("text", "fault"), MODELS.values(), ids=MODELS.keys())
def test_a_faulty_model_is_refused(text: str, fault: str) -> None:
    assert faults(f"{PROVIDER}{text}") == [f"gateway.toml:{fault}"]


def test_a_fallback_stated_twice_is_refused() -> None:
    slow = f"[models.slow]\ntargets = [{TARGET}]\n"
    assert faults(f'{PROVIDER}{slow}{MODEL}fallbacks = ["slow", "slow"]') == [
        'gateway.toml:7: models.fast.fallbacks[1]: expected each model once, got "slow" again'
    ]


def test_a_circle_of_fallbacks_is_refused() -> None:
    text = PROVIDER + "".join(
        f'[models.{name}]\ntargets = [{TARGET}]\nfallbacks = ["{other}"]\n'
        for name, other in (("a", "b"), ("b", "c"), ("c", "a"))
    )
    (fault,) = faults(text)
    assert fault.endswith(
        (
            '"a" -> "b" -> "c" -> "a"',
            '"b" -> "c" -> "a" -> "b"',
            '"c" -> "a" -> "b" -> "c"',
        )
    )

"""The guide to cost says what the code does."""

import re
from importlib import import_module

import pytest

from forebay.admission.bound import (
    DEFAULT_OUTPUT_LIMIT,
    DEFAULT_REASONING_LIMIT,
    LEAST_OUTPUT,
    LEAST_REASONING_OUTPUT,
)
from forebay.admission.gcra import Rate
from forebay.admission.terms import GRACE_S
from forebay.admission.text_bound import COUNTED_BYTES
from forebay.errors import (
    BudgetSpent,
    CostNotBounded,
    ForebayError,
    LimitExceeded,
    RequestExceedsLimit,
    StoreUnavailable,
)
from forebay.model import Usage
from forebay.money import Price
from forebay.rollups import Dimension
from forebay.service.admission import SETTLE_BEFORE_END_S
from forebay.service.grants import LONGEST_CALL_S
from forebay.service.leaves import HOLDS_OF_ONE_LEAF
from forebay.service.refusals import ROOM_AGAIN_S, SPENT_AGAIN_S
from forebay.settings import ConfigSource, PriceTable, parse_gateway_toml
from forebay.web.errors import http_error
from tests.docs.pages import ROOT

TEXT = (ROOT / "docs/guide/5-cost.md").read_text(encoding="utf-8")

FIXED = re.findall(r"^\| `([A-Z_]+)` \| ([\d.]+) \| `([\w/]+)\.py` \|", TEXT, re.MULTILINE)
REFUSALS = re.findall(
    r"^\| (\d{3}) \| `(\w+)` \| .+ \| (?:`([\w-]+)(?:: (\w+))?`.*)?\|$", TEXT, re.MULTILINE
)
HEADERS = re.findall(r"`(x-(?:ratelimit|forebay)-[\w-]+)`", TEXT)
ALARMS = re.findall(r"^\| (`[A-Z][a-z]\w+`(?:, `[A-Z]\w+`)*) \| .+ \| .+ \|$", TEXT, re.MULTILINE)

ERRORS: list[ForebayError] = [
    BudgetSpent("", left_nano_usd=0, renews_at=None),
    LimitExceeded("", retry_after_s=1.5),
    RequestExceedsLimit(""),
    CostNotBounded(""),
    StoreUnavailable(""),
]


@pytest.mark.parametrize(("name", "value", "module"), FIXED, ids=[each[0] for each in FIXED])
def test_a_fixed_value_is_the_code_s(name: str, value: str, module: str) -> None:
    assert value == str(getattr(import_module(f"forebay.{module.replace('/', '.')}"), name))


def test_fixed_values_were_found() -> None:
    assert len(FIXED) == 7


def test_the_refusals_have_their_statuses_and_headers() -> None:
    read = set()
    for error in ERRORS:
        status, headers, body = http_error(error)
        name = next(iter(headers), "")
        said = headers[name] if name == "x-should-retry" else ""
        read.add((str(status), body["error"]["code"], name, said))

    assert set(REFUSALS) == read


def test_the_headers_are_those_of_the_api() -> None:
    reference = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
    spending = (ROOT / "layers/core/python/forebay/service/spending.py").read_text("utf-8")
    rates = {
        f"x-ratelimit-{what}-{of}"
        for what in re.findall(r'f"x-ratelimit-(\w+)-\{name\}"', spending)
        for of in re.findall(r'\("(\w+)", self\.grant\.\1\)', spending)
    }

    assert len(rates) == 6
    assert {each for each in HEADERS if "ratelimit" in each} == rates
    assert [each for each in set(HEADERS) if f"`{each}`" not in reference] == []


def test_the_alarms_are_those_of_the_template() -> None:
    template = (ROOT / "infra/alarms.yaml").read_text(encoding="utf-8")
    named = {name for cell in ALARMS for name in re.findall(r"`(\w+)`", cell)}

    assert len(named) == 7
    assert [name for name in named if f"\n  {name}:\n    Type: AWS::" not in template] == []


def test_what_is_written_to_a_cache_costs_what_the_table_says() -> None:
    price = Price(input=100, cached_input=10, output=0)
    million = 1_000_000
    written = Usage(million, 0, cache_write_input_tokens=million)
    for_an_hour = Usage(million, 0, cache_write_1h_input_tokens=million)

    assert (price.cost(written), price.cost(for_an_hour)) == (125, 200)
    assert "else 1.25 times `input`" in TEXT
    assert "else 2 times `input`" in TEXT


def test_figures_that_are_written_out_are_the_code_s() -> None:
    until_swept_min = (LONGEST_CALL_S + GRACE_S + 60) / 60
    assert f"{until_swept_min:.0f} minutes at most" in TEXT
    assert f"expires {GRACE_S} s after" in TEXT
    assert f"until {SETTLE_BEFORE_END_S:.0f} s before" in TEXT
    assert f"(`--parallel`): without it, {HOLDS_OF_ONE_LEAF}." in TEXT
    assert f"not below {LEAST_OUTPUT} tokens ({LEAST_REASONING_OUTPUT} of" in TEXT
    assert f"gets {DEFAULT_OUTPUT_LIMIT} tokens, or {DEFAULT_REASONING_LIMIT} of" in TEXT
    assert f"for {SPENT_AGAIN_S:.0f} s, or {ROOM_AGAIN_S:.0f} s if" in TEXT
    assert f"over {COUNTED_BYTES // 1024} KB" in TEXT
    assert Rate(60).left(0, 0) == 60, "a minute's allowance may be used at once"


def test_usage_is_told_apart_by_what_the_guide_lists() -> None:
    listed = re.search(r"sums by ((?:`\w+`(?:, | and )?)+)", TEXT)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == set(Dimension)


def test_the_example_has_the_price_that_the_guide_reckons_with() -> None:
    prices = PriceTable.from_json(b'{"models": {}}')
    source = (ROOT / "docs/guide/examples/5_cost.toml").read_bytes()
    config = parse_gateway_toml([ConfigSource("5_cost.toml", source)], {}, prices)
    (target,) = config.models["priced"].targets
    cost = target.price.cost(Usage(input_tokens=5, output_tokens=60))

    assert f"An answer costs {cost / 10**9:.6f} USD" in TEXT

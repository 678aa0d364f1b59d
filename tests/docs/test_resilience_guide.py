"""The guide to resilience says what the code does."""

import re
from dataclasses import fields
from importlib import import_module
from typing import Any

import pytest

from forebay.dialects.continuation import continuing
from forebay.settings import (
    DEFAULT_HEDGE_SHARE,
    BreakerSettings,
    Continuing,
    ModelResilience,
    ModelTimeouts,
    ProviderKind,
)
from tests.docs.pages import ROOT

TEXT = (ROOT / "docs/guide/2-resilience.md").read_text(encoding="utf-8")

RECORDS = {
    "[models.NAME]": ModelResilience,
    "[models.NAME.timeouts]": ModelTimeouts,
    "[resilience.breaker]": BreakerSettings,
}
SETTINGS = re.findall(r"^\| `(\w+)` \| `(\[[\w.]+\])` \| (.+?) \|", TEXT, re.MULTILINE)
FIXED = re.findall(r"^\| `([A-Z_]+)` \| ([\d.]+) \| `([\w/]+)\.py` \|", TEXT, re.MULTILINE)
CONTINUED = re.findall(r"^\| (`.+?`) \| ([^|`]+) \| `(\w+)` \|$", TEXT, re.MULTILINE)

# One example, or several, of what a cell means; Bedrock has its own names for Claude.
MODELS = {
    "all": ("gpt-5", "gemini-3-pro-preview", "llama3.1"),
    "Claude up to 4.5": ("claude-haiku-4-5", "anthropic.claude-haiku-4-5-20251001-v1:0"),
    "others": ("claude-opus-4-6", "us.anthropic.claude-opus-4-6-v1", "amazon.nova-lite-v1:0"),
}


def written(default: Any) -> str:
    if default is None:
        return "the provider's"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_settings_are_all_there_with_their_defaults() -> None:
    read = [
        (each.name, table, written(each.default))
        for table, record in RECORDS.items()
        for each in fields(record)
    ]
    read.append(("hedge_share", "[resilience]", written(DEFAULT_HEDGE_SHARE)))

    assert sorted(SETTINGS) == sorted(read)


@pytest.mark.parametrize(("name", "value", "module"), FIXED, ids=[each[0] for each in FIXED])
def test_a_fixed_value_is_the_code_s(name: str, value: str, module: str) -> None:
    assert value == str(getattr(import_module(f"forebay.{module.replace('/', '.')}"), name))


def test_fixed_values_were_found() -> None:
    assert len(FIXED) == 12


@pytest.mark.parametrize(("kinds", "models", "how"), CONTINUED)
def test_the_table_of_continuation_is_the_code_s(kinds: str, models: str, how: str) -> None:
    answers = {
        continuing(ProviderKind(kind), model)
        for kind in re.findall(r"`(\w+)`", kinds)
        for model in MODELS[models]
    }
    assert answers == {Continuing(how)}


def test_the_table_of_continuation_has_every_kind() -> None:
    named = {kind for kinds, _, _ in CONTINUED for kind in re.findall(r"`(\w+)`", kinds)}
    assert named == set(ProviderKind)

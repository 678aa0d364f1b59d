"""What a key may call, and what it hears about the rest."""

import re

import pytest

from forebay.errors import ModelNotFound
from forebay.model import KeyRecord, KeyStatus
from forebay.money import FREE
from forebay.service.catalog import Catalog, Target
from forebay.service.target_dialects import OPENAI
from forebay.settings import ScriptedSettings
from tests.support.scripted import provider

TARGET = Target("p", provider(ScriptedSettings()), "a/b", FREE, OPENAI)
CATALOG = Catalog(
    {"small": (TARGET,), "org/big": (TARGET, TARGET)}, {"later": "p: OPENAI_API_KEY not set"}
)


def key(*models: str) -> KeyRecord:
    return KeyRecord("k", "k", "", "t", None, models, KeyStatus.ACTIVE, 1, 0.0)


def refusal(model: str, *allowed: str) -> str:
    with pytest.raises(ModelNotFound) as caught:
        CATALOG.find(model, key(*allowed))
    assert caught.value.param == "model"
    return caught.value.message


def test_a_target_is_named_after_provider_and_model() -> None:
    assert TARGET.name == "p/a/b"


def test_a_key_without_a_list_may_call_all_models() -> None:
    assert CATALOG.names(key()) == ["org/big", "small"]


def test_a_key_with_a_list_sees_only_what_is_on_it_and_served() -> None:
    assert CATALOG.names(key("small", "gone", "later")) == ["small"]


def test_a_model_is_found_with_all_its_targets() -> None:
    assert CATALOG.find("org/big", key()).groups == ((TARGET, TARGET),)


def test_an_unknown_model_is_refused_with_the_names_of_those_there_are() -> None:
    assert refusal("huge") == (
        "The model 'huge' does not exist or this key may not use it. "
        "Available to it: org/big, small."
    )


def test_a_model_that_is_not_the_key_s_is_refused_like_one_that_does_not_exist() -> None:
    assert refusal("small", "org/big").replace("small", "huge") == refusal("huge", "org/big")


def test_a_key_that_may_call_nothing_hears_so() -> None:
    assert refusal("small", "gone").endswith("Available to it: none.")


def test_a_model_that_cannot_be_served_says_why() -> None:
    assert refusal("later") == ("The model 'later' is not served now: p: OPENAI_API_KEY not set")


def test_why_a_model_cannot_be_served_is_told_only_to_keys_that_may_call_it() -> None:
    assert "OPENAI_API_KEY" not in refusal("later", "small")


def test_a_long_name_is_not_repeated_whole() -> None:
    assert re.findall("x+", refusal("x" * 256))[0] == "x" * 100


@pytest.mark.parametrize("model", ["Small", "small ", "", "org", "org/", "org/big/"])
def test_a_name_is_matched_exactly(model: str) -> None:
    assert "does not exist" in refusal(model)

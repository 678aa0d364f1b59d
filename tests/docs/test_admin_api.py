"""The admin API, its OpenAPI document, its page and the command line say the same."""

import argparse
import json
import re
from typing import Any, get_args

import pytest

from forebay.model import Period
from forebay.web.admin_bodies import (
    BudgetBody,
    ChangeKeyBody,
    ChangeScopeBody,
    CreateKeyBody,
    LimitsBody,
    RotationBody,
)
from forebay.web.admin_views import KeyView, ScopeView
from forebay_cli.limit_options import BUDGET_OPTIONS, KEY_OPTIONS, SCOPE_OPTIONS
from forebay_cli.main import build_parser
from tests.docs.pages import ROOT
from tests.support.admin_api import AdminApi
from tools.build_admin_openapi import CALLS, PATH, text

PAGE = (ROOT / "docs/reference/admin-api.md").read_text()
DOCUMENT: dict[str, Any] = json.loads(PATH.read_text())
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def options_of(*words: str) -> dict[str, argparse.Action]:
    """Return what a command takes, by its name in the parsed line."""
    parser = build_parser()
    for word in words:
        (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        parser = commands.choices[word]
    return {action.dest: action for action in parser._actions}


def routes() -> set[tuple[str, str]]:
    resolver = AdminApi().resolver
    return {
        (str(route.method), re.sub("<([a-z]+)>", r"{\1}", route.path))
        for route in (*resolver._static_routes, *resolver._dynamic_routes)
    }


def test_the_document_is_up_to_date() -> None:
    assert PATH.read_text() == text(), "run tools/build_admin_openapi.py"


def test_the_document_has_the_routes_of_the_function() -> None:
    documented = {(call.method.upper(), call.path) for call in CALLS}
    assert documented == routes()
    assert len(documented) == len(CALLS)


def test_the_page_has_the_routes_of_the_function() -> None:
    named = re.findall(
        r"^\| `(GET|POST|PATCH|DELETE) (/v1/admin/[^`?]+)(?:\?[^`]+)?` \|", PAGE, re.MULTILINE
    )
    assert set(named) == routes()


def test_all_references_of_the_document_lead_somewhere() -> None:
    found = set(re.findall(r"#/components/schemas/(\w+)", PATH.read_text()))
    assert found <= set(SCHEMAS)


def test_the_options_for_keys_fill_every_field_of_a_policy() -> None:
    filled = {option.field for option in KEY_OPTIONS} | {"budgets"}
    assert filled == set(ChangeKeyBody.__struct_fields__)
    assert filled | {"name", "tenant", "team"} == set(CreateKeyBody.__struct_fields__)


def test_the_options_for_scopes_fill_every_field_of_theirs() -> None:
    filled = {option.field for option in SCOPE_OPTIONS} | {"budgets"}
    assert filled == set(LimitsBody.__struct_fields__)
    assert filled | {"tenant", "team"} == set(ChangeScopeBody.__struct_fields__)


def test_what_is_taken_is_shown() -> None:
    assert set(CreateKeyBody.__struct_fields__) <= set(KeyView.__struct_fields__)
    assert set(ChangeScopeBody.__struct_fields__) <= set(ScopeView.__struct_fields__)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (("keys", "create"), KEY_OPTIONS),
        (("keys", "update"), KEY_OPTIONS),
        (("budgets", "set"), SCOPE_OPTIONS),
    ],
    ids=["keys create", "keys update", "budgets set"],
)
def test_a_command_offers_its_options(command: tuple[str, ...], options: Any) -> None:
    offered = set(options_of(*command))
    assert {option.dest for option in options} | {"budget_usd", *BUDGET_OPTIONS} <= offered


def test_the_options_of_a_budget_are_its_fields() -> None:
    assert {"usd", *BUDGET_OPTIONS} == set(BudgetBody.__struct_fields__)
    assert options_of("keys", "create")["period"].choices == get_args(Period)


@pytest.mark.parametrize("name", ["priority", "hold", "on_store_failure"])
def test_the_choices_of_an_option_are_those_of_the_document(name: str) -> None:
    taken = SCHEMAS["ChangeKeyBody"]["properties"][name]["anyOf"][0]["enum"]
    assert sorted(options_of("keys", "update")[name].choices or ()) == taken


@pytest.mark.parametrize(
    "field",
    sorted(
        {
            *KeyView.__struct_fields__,
            *CreateKeyBody.__struct_fields__,
            *BudgetBody.__struct_fields__,
            *RotationBody.__struct_fields__,
            *ScopeView.__struct_fields__,
        }
    ),
)
def test_the_page_names_every_field(field: str) -> None:
    assert re.search(rf"`{field}`|^  \"{field}\"", PAGE, re.MULTILINE)

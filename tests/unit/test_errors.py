"""The tree of errors: drawn as it is, each with its code."""

import re
from collections.abc import Iterator

import pytest

from forebay import errors
from forebay.errors import (
    AuthenticationFailed,
    ConditionFailed,
    ConfigurationError,
    ForebayError,
    IdempotencyKeyInUse,
    InvalidRequest,
    LimitExceeded,
    StoreUnavailable,
    UpstreamError,
    UpstreamRefused,
)

_BRANCH = re.compile(r"^ {4}((?:[│ ] {3})*[├└]── )?(\w+)", re.MULTILINE)


def tree(kind: type[ForebayError], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, kind.__name__
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child, depth + 1)


def drawn_tree() -> Iterator[tuple[int, str]]:
    drawing = (errors.__doc__ or "").split("::\n", 1)[1].split("\n\nEach class")[0]
    for branch in _BRANCH.finditer(drawing):
        yield len(branch[1] or "") // 4, branch[2]


KINDS = {name: getattr(errors, name) for _, name in tree(ForebayError)}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert list(drawn_tree()) == list(tree(ForebayError))


def test_a_leaf_has_a_code_of_its_own() -> None:
    leaves = [kind for kind in KINDS.values() if not kind.__subclasses__()]

    assert len({kind.code for kind in leaves}) == len(leaves)


@each_kind
def test_a_code_is_one_word_for_programs(kind: type[ForebayError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)


@each_kind
def test_every_kind_says_what_it_is(kind: type[ForebayError]) -> None:
    assert kind.__doc__


@each_kind
def test_what_may_succeed_later_is_not_the_caller_s_fault(kind: type[ForebayError]) -> None:
    passing = LimitExceeded | UpstreamError | StoreUnavailable | IdempotencyKeyInUse
    assert kind.retryable is issubclass(kind, passing)


def test_an_error_says_its_message() -> None:
    error = AuthenticationFailed("no key")

    assert (str(error), error.message, error.param) == ("no key", "no key", None)


def test_a_caller_s_error_names_the_field() -> None:
    assert InvalidRequest("bad", param="n").param == "n"


def test_a_limit_says_when_it_frees() -> None:
    assert LimitExceeded("used up", retry_after_s=1.5).retry_after_s == 1.5


def test_a_refusal_carries_what_the_provider_said() -> None:
    error = UpstreamRefused("no", target="p/m", status=429, headers={"a": "b"}, error={"c": 1})

    assert (error.target, error.status, error.headers, error.error) == (
        "p/m",
        429,
        {"a": "b"},
        {"c": 1},
    )


def test_a_lost_write_carries_the_item_that_it_met() -> None:
    assert ConditionFailed("lost", item={"v": 1}).item == {"v": 1}


def test_faults_of_a_configuration_stand_on_a_line_each() -> None:
    error = ConfigurationError(["a:1: x", "a:2: y"])

    assert (str(error), error.faults) == ("a:1: x\na:2: y", ("a:1: x", "a:2: y"))

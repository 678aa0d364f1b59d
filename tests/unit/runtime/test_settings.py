"""Settings from the environment."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_streaming.errors import RuntimeFault
from lambda_streaming.settings import Settings

LEAST = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "_HANDLER": "app.app"}


def test_the_least_environment_gives_the_defaults() -> None:
    assert Settings.from_env(LEAST) == Settings("127.0.0.1:9001", "app.app")


def test_empty_variables_count_as_unset() -> None:
    empty = dict.fromkeys(
        ("FOREBAY_RESPONSE_MODE", "FOREBAY_KEEPALIVE_S", "AWS_LAMBDA_MAX_CONCURRENCY"), ""
    )
    assert Settings.from_env(LEAST | empty) == Settings.from_env(LEAST)


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("FOREBAY_RESPONSE_MODE", "streaming", "response_mode", "streaming"),
        ("FOREBAY_KEEPALIVE_S", "0", "keepalive_s", 0.0),
        ("FOREBAY_DEADLINE_MARGIN_S", "1.5", "deadline_margin_s", 1.5),
        ("FOREBAY_SHUTDOWN_GRACE_S", "2", "shutdown_grace_s", 2.0),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "64", "concurrency", 64),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start", "snap_start", True),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand", "snap_start", False),
        ("LAMBDA_TASK_ROOT", "/srv", "task_root", "/srv"),
    ],
)
def test_each_variable_sets_its_attribute(name: str, text: str, attribute: str, value: Any) -> None:
    assert getattr(Settings.from_env(LEAST | {name: text}), attribute) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FOREBAY_RESPONSE_MODE", "Streaming"),
        ("FOREBAY_KEEPALIVE_S", "15s"),
        ("FOREBAY_KEEPALIVE_S", "nan"),
        ("FOREBAY_DEADLINE_MARGIN_S", "-1"),
        ("FOREBAY_SHUTDOWN_GRACE_S", "1e9"),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "0"),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "1.5"),
        ("_HANDLER", ""),
        ("AWS_LAMBDA_RUNTIME_API", ""),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(RuntimeFault, match=name):
        Settings.from_env(LEAST | {name: text})

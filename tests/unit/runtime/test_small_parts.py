"""Reports, clocks, logs, hooks, the search path and the public surface."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import types

import pytest

import lambda_streaming
from lambda_streaming import logs, snapstart
from lambda_streaming.bootstrap import extend_path
from lambda_streaming.clock import Clock, Mark
from lambda_streaming.errors import ErrorReport, RuntimeFault


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_a_report_names_class_message_and_place() -> None:
    report = ErrorReport.of(raised(KeyError("model")), "r-1")
    assert (report.error_type, report.message, report.request_id) == ("KeyError", "'model'", "r-1")
    assert "in raised" in report.stack_trace[-1]


def test_a_faults_report_has_its_own_type_and_its_causes_stack() -> None:
    cause = raised(ImportError("inner"))
    report = ErrorReport.of(raised(RuntimeFault("Runtime.ImportModuleError", "outer"), cause))
    assert (report.error_type, report.message) == ("Runtime.ImportModuleError", "outer")
    assert "in raised" in report.stack_trace[-1]


def test_a_report_is_bounded() -> None:
    def deep(levels: int) -> None:
        if levels == 0:
            raise ValueError("x" * 1_000_000)
        deep(levels - 1)

    with pytest.raises(ValueError, match="x") as caught:
        deep(500)
    assert len(ErrorReport.of(caught.value).to_json()) < 64_000


def test_a_report_is_ascii_json() -> None:
    assert json.loads(ErrorReport("E", "gr\u00fcn").to_json())["errorMessage"] == "gr\u00fcn"


@pytest.mark.parametrize(
    ("wall", "monotonic", "frozen_s"),
    [(1_610.0, 510.0, 600.0), (1_010.0, 510.0, 0.0), (400.0, 510.0, 0.0)],
    ids=["frozen", "just waited", "wall clock set back"],
)
def test_a_freeze_is_what_only_the_wall_clock_saw(
    wall: float, monotonic: float, frozen_s: float
) -> None:
    clock = Clock(lambda: wall, lambda: monotonic)
    assert clock.frozen_since(Mark(1_000.0, 500.0)) == frozen_s


def test_log_lines_are_tabbed_text() -> None:
    root_logger = logging.getLogger("stands for root: text")
    stream = io.StringIO()
    logs.set_up(root_logger, {}, stream)
    root_logger.warning("on %s", "time")
    level, stamp, request_id, message = stream.getvalue().rstrip("\n").split("\t")
    assert (level, request_id, message) == ("[WARNING]", "", "on time")
    assert stamp.endswith("Z")


def test_log_lines_are_json_where_lambda_says_so() -> None:
    root_logger = logging.getLogger("stands for root: json")
    stream = io.StringIO()
    logs.set_up(
        root_logger, {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}, stream
    )
    root_logger.info("what", exc_info=raised(ValueError("x")))
    fields = json.loads(stream.getvalue())
    assert (fields["level"], fields["message"]) == ("INFO", "what")
    assert "ValueError: x" in fields["stackTrace"]


def test_a_root_logger_that_has_a_handler_is_left_alone() -> None:
    root_logger = logging.getLogger("stands for root: taken")
    root_logger.addHandler(logging.NullHandler())
    logs.set_up(root_logger, {"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}, io.StringIO())
    assert len(root_logger.handlers) == 1


def test_hooks_of_amazons_library_run_too() -> None:
    steps: list[str] = []
    amazons = types.ModuleType("snapshot_restore_py")
    amazons.get_before_snapshot = lambda: [(steps.append, ("before",), {})]  # type: ignore[attr-defined]
    amazons.get_after_restore = lambda: [(steps.append, ("after",), {})]  # type: ignore[attr-defined]
    sys.modules["snapshot_restore_py"] = amazons
    try:
        asyncio.run(snapstart.run_before_snapshot())
        asyncio.run(snapstart.run_after_restore())
    finally:
        del sys.modules["snapshot_restore_py"]
    assert steps == ["before", "after"]


def test_the_search_path_is_the_managed_runtimes() -> None:
    path = ["", "/var/runtime", "/var/lang/lib", "/opt/python"]
    extend_path(path, "/var/task")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = f"/opt/python/lib/{version}/site-packages"
    assert path == ["/var/task", site, "/opt/python", "/var/lang/lib", "/var/runtime"]


def test_the_public_names_are_those_listed() -> None:
    modules = types.ModuleType
    public = {
        name
        for name, value in vars(lambda_streaming).items()
        if not name.startswith("_") and not isinstance(value, modules)
    }
    assert public == set(lambda_streaming.__all__)
    assert sorted(lambda_streaming.__all__) == lambda_streaming.__all__

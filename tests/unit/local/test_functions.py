"""Functions of a processed template, and the environment of their sandboxes."""

from pathlib import Path
from typing import Any

import pytest

from forebay_cli.local.functions import (
    FunctionError,
    Surroundings,
    load_functions,
    referenced_variables,
    sandbox_environment,
)
from forebay_cli.local.resolve import Scope


def _code(path: str) -> dict[str, str]:
    return {"S3Bucket": "local", "S3Key": path}


def _template(variables: dict[str, Any], code: str = "code") -> dict[str, Any]:
    return {
        "Resources": {
            "F": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Handler": "app.app",
                    "Code": _code(code),
                    "Role": {"Fn::GetAtt": ["UnknownRole", "Arn"]},
                    "Layers": [{"Ref": "L"}, {"Ref": "M"}],
                    "Environment": {"Variables": variables},
                    "Timeout": 7,
                },
            },
            "L": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": _code("l")}},
            "M": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": _code("m")}},
        }
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("code", "l/python", "m"):
        (tmp_path / path).mkdir(parents=True)
    for path in ("l/run", "l/both", "m/both"):
        (tmp_path / path).touch()
    return tmp_path


WRAPPER = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/run"}


def _load(root: Path, template: dict[str, Any]) -> Any:
    return load_functions(template, Scope(template, {}), root, {"EXTRA": "x"})["F"]


def test_paths_below_opt_are_those_of_the_last_layer_that_has_them(root: Path) -> None:
    spec = _load(root, _template({**WRAPPER, "A": "/opt/both", "B": "/opt/none", "C": 1}))
    assert spec.wrapper == root / "l/run"
    assert spec.environ["A"] == str(root / "m/both")
    assert (spec.environ["B"], spec.environ["C"], spec.environ["EXTRA"]) == ("/opt/none", "1", "x")


def test_a_function_has_its_folder_and_its_limits(root: Path) -> None:
    spec = _load(root, _template(WRAPPER))
    assert (spec.task_root, spec.layers) == (root / "code", (root / "l", root / "m"))
    assert (spec.timeout_s, spec.memory_mb) == (7, 128)


@pytest.mark.parametrize(
    ("variables", "code", "says"),
    [({}, "code", "has no AWS_LAMBDA_EXEC_WRAPPER"),
     ({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/missing"}, "code", "in none of its layers"),
     (WRAPPER, "missing", "is not a folder")],
)  # fmt: skip
def test_a_function_that_cannot_run_here_says_why(
    root: Path, variables: dict[str, Any], code: str, says: str
) -> None:
    with pytest.raises(FunctionError, match=says):
        _load(root, _template(variables, code))


def test_a_sandbox_sees_lambdas_variables_and_the_templates_and_no_others(root: Path) -> None:
    spec = _load(root, _template({**WRAPPER, "OWN": "y"}))
    around = Surroundings({"PATH": "/bin"}, {"AWS_REGION": "us-east-1"}, concurrency=256)
    environ = sandbox_environment(spec, around, "127.0.0.1:1")
    assert environ["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:1"
    assert environ["_HANDLER"] == "app.app"
    assert environ["PYTHONPATH"] == str(root / "l/python")
    assert environ["AWS_LAMBDA_MAX_CONCURRENCY"] == "256"
    assert (environ["OWN"], environ["PATH"]) == ("y", "/bin")
    assert "HOME" not in environ


def test_plain_mode_names_no_concurrency(root: Path) -> None:
    spec = _load(root, _template(WRAPPER))
    assert "AWS_LAMBDA_MAX_CONCURRENCY" not in sandbox_environment(spec, Surroundings({}, {}), "x")


def test_the_variables_that_a_configuration_refers_to_are_found() -> None:
    text = "api_key = \"env:A_KEY\"\nother = 'env:B2' # env:NOT_THIS"
    assert referenced_variables(text) == {"A_KEY", "B2"}

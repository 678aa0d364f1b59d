"""The templates as files: what the linters and the documents say of them."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.sam import run_sam
from tests.support.template import NESTED, ROOT, Template, load, of_type

REFERENCE = (ROOT / "docs/reference/deploy.md").read_text()


def lint(paths: Sequence[Path]) -> str:
    """Return what cfn-lint finds, its warnings too; nothing if all is well."""
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    return subprocess.run(
        [cfn_lint, "--regions", "us-east-1", "eu-central-1", "--", *paths],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout.strip()


def test_sam_and_its_linter_accept_the_template() -> None:
    assert "is a valid SAM Template" in run_sam(["validate", "--lint"])


def test_cfn_lint_accepts_what_sam_makes_of_the_template_and_the_nested_stacks(
    transformed: Template, tmp_path: Path
) -> None:
    path = tmp_path / "transformed.json"
    path.write_text(json.dumps(transformed))
    assert lint([path, *NESTED]) == ""


def test_cfn_lint_sees_a_fault_in_what_sam_makes(transformed: Template, tmp_path: Path) -> None:
    faulty = json.loads(json.dumps(transformed))
    faulty["Resources"]["GatewayFunction"]["Properties"]["Timeout"] = 901
    path = tmp_path / "transformed.json"
    path.write_text(json.dumps(faulty))
    assert "901" in lint([path])


def test_no_template_gives_a_resource_a_fixed_name(transformed: Template) -> None:
    """Two stages live in one account, and a table that is replaced needs a second name."""
    resources = [transformed, *map(load, NESTED)]
    named = {
        f"{name}.{property_}"
        for template in resources
        for name, resource in template["Resources"].items()
        for property_ in resource["Properties"]
        if property_ in {"TableName", "RoleName", "LogGroupName", "PolicyName"}
    } | {
        f"{name}.FunctionName"
        for name, function in of_type(transformed, "AWS::Lambda::Function").items()
        if "FunctionName" in function["Properties"]
    }
    assert named == set()


@pytest.mark.parametrize("section", ["Parameters", "Outputs"])
def test_the_reference_lists_every_parameter_and_output(source: Template, section: str) -> None:
    missing = [name for name in source[section] if f"`{name}`" not in REFERENCE]
    assert missing == []


@pytest.mark.parametrize("section", ["Parameters", "Outputs"])
def test_every_parameter_and_output_is_described(source: Template, section: str) -> None:
    assert [name for name, entry in source[section].items() if not entry.get("Description")] == []

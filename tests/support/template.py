"""The deployed templates as data: as written, and as CloudFormation gets them from SAM.

`of_type(transform_sam(packaged(load(TEMPLATE))), "AWS::Lambda::Version")` is one of its sentences.
"""

import copy
from pathlib import Path
from typing import Any, Final, TypeAlias

from boto3.session import Session

# SAM's own parser and translator: the ones that AWS runs when the stack is deployed.
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

Template: TypeAlias = dict[str, Any]

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = ROOT / "template.yaml"
NESTED: Final = tuple(sorted((ROOT / "infra").glob("*.yaml")))


def load(path: Path) -> Template:
    """Read a template as it was written, its short tags (`!Ref`) as their long forms."""
    template: Template = yaml_parse(path.read_text())
    return template


def packaged(source: Template) -> Template:
    """Return a copy with each local path as `sam package` leaves it: an object in S3.

    The object's name stands for the folder's content; a test that changes it has changed the code.
    """
    template = copy.deepcopy(source)
    for name, resource in template["Resources"].items():
        for uri in {"CodeUri", "ContentUri"} & resource["Properties"].keys():
            resource["Properties"][uri] = f"s3://bucket/{name}"
        if "TemplateURL" in resource["Properties"]:
            resource["Properties"]["TemplateURL"] = f"https://bucket.s3.amazonaws.com/{name}"
    return template


def transform_sam(source: Template) -> Template:
    """Return the CloudFormation template that AWS makes of a packaged one.

    Raises:
        samtranslator.model.exceptions.InvalidDocumentException: SAM refuses it.
    """
    # Named here, the region is not looked for in the developer's own AWS profile.
    translator = Translator(None, Parser(), boto_session=Session(region_name="us-east-1"))
    transformed: Template = translator.translate(
        copy.deepcopy(source),
        parameter_values={},
        get_managed_policy_map=dict,  # only short names of managed policies are looked up in it
    )
    return transformed


def of_type(template: Template, resource_type: str) -> dict[str, Any]:
    """Return the resources of one type, by logical id."""
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] == resource_type
    }

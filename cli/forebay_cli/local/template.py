"""The project's template.yaml, processed by SAM's own translator, as CloudFormation would get it.

Local code folders are given to the translator as S3 addresses in a bucket `local`, and read back
from there: it refuses paths, because `sam package` has replaced them by then.
"""

import copy
import hashlib
import importlib.metadata
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from forebay_cli.local.resolve import REGION

BUCKET: Final = "local"
CODE: Final = ("CodeUri", "ContentUri")


class TemplateError(Exception):
    """template.yaml cannot be processed; the message says why."""


def find_root(start: Path, fallback: Path) -> Path:
    """Return the folder of the project: the nearest at or above `start` with a template.yaml.

    Raises:
        TemplateError: neither there nor in `fallback` is one.
    """
    for folder in (start, *start.parents, fallback):
        if (folder / "template.yaml").is_file():
            return folder
    raise TemplateError(
        f"No template.yaml in {start} or above it. Run `forebay dev` in a checkout of Forebay."
    )


def process(root: Path, parameters: Mapping[str, str], cache: Path) -> dict[str, Any]:
    """Return the processed template.

    Args:
        root: the folder of template.yaml.
        parameters: values for its parameters.
        cache: a file that keeps the result; the translator takes over a second to import.

    Raises:
        TemplateError: the template is missing, no YAML, or refused by the translator.
    """
    try:
        text = (root / "template.yaml").read_text()
    except OSError as error:
        raise TemplateError(f"{root / 'template.yaml'} cannot be read: {error}") from error
    version = importlib.metadata.version("aws-sam-translator")
    key = hashlib.sha256(json.dumps([text, dict(parameters), version]).encode()).hexdigest()
    cached = _read_cache(cache, key)
    if cached is not None:
        return cached
    processed = translate(text, parameters)
    cache.write_text(json.dumps({"key": key, "template": processed}))
    return processed


def _read_cache(cache: Path, key: str) -> dict[str, Any] | None:
    try:
        kept: Any = json.loads(cache.read_text())
        return dict(kept["template"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no cache, or not one of ours: made anew


def translate(text: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Translate a SAM template.

    Raises:
        TemplateError: it is no YAML, or the translator refused it.
    """
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)  # the translator asks botocore for one
    import yaml  # noqa: PLC0415 - over a second, and only when the template changed
    from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-untyped]  # noqa: PLC0415
    from samtranslator.translator.transform import transform  # type: ignore[import-untyped]  # noqa: PLC0415
    from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # noqa: PLC0415

    # It warns of features that its own defaults lack.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    try:
        template = copy.deepcopy(yaml_parse(text))  # anchors are shared; the translator edits
        for resource in template["Resources"].values():
            properties = resource.get("Properties", {})
            for name in CODE:
                if isinstance(properties.get(name), str):
                    properties[name] = f"s3://{BUCKET}/{properties[name]}"
        result: dict[str, Any] = transform(template, dict(parameters), _NoPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"template.yaml: {causes}") from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise TemplateError(f"template.yaml is not a SAM template: {error}") from error
    return result


class _NoPolicies:
    """In place of a loader that asks IAM for AWS's managed policies; none matters here."""

    def load(self) -> dict[str, str]:
        return {}


def local_path(root: Path, location: Any) -> Path | None:
    """Return the folder that stands behind a function's `Code` or a layer's `Content`."""
    if not isinstance(location, dict) or location.get("S3Bucket") != BUCKET:
        return None
    return (root / str(location["S3Key"])).resolve()

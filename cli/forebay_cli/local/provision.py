"""The template's stateful resources, made in ministack through CloudFormation.

Every nested stack of the template becomes a stack of the same template file there, so the schema
has one source. (Letting ministack deploy the whole processed template would ask for the code in S3
as well, and make roles, functions and an API that nobody here calls.) A restart on kept state finds
its stacks by name, and updates them if the template or a parameter changed.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import botocore.config
import botocore.exceptions
import botocore.session

from forebay_cli.local.resolve import REGION, Scope, condition_holds, resolve

STACK_PREFIX: Final = "forebay-"
DIGEST_TAG: Final = "forebay:digest"
POLL_S: Final = 0.02
POLLS: Final = 3000  # a minute
HINT: Final = "If the state is to blame, forget it: forebay dev --fresh"
CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class ProvisionError(Exception):
    """A nested stack could not be made; the message says which and why."""


@dataclass(slots=True)
class Provisioned:
    """What the nested stacks gave.

    Attributes:
        outputs: `(logical id, "Outputs.NAME")` -> value.
        created: whether one was made now, which means: the state was empty.
    """

    outputs: dict[tuple[str, str], str] = field(default_factory=dict)
    created: bool = False


def cloudformation(endpoint_url: str, credentials: Mapping[str, str]) -> Any:
    """Return botocore's client of ministack's CloudFormation (boto3 would add 0.2 s)."""
    return botocore.session.get_session().create_client(
        "cloudformation",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),  # it is ours: it answers
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
    )


def provision(
    client: Any, scope: Scope, root: Path, pause: Callable[[float], object]
) -> Provisioned:
    """Create or update the template's nested stacks, in the template's order. Blocks.

    `client` is what `cloudformation` returns; their files lie below `root`; `pause` waits so many
    seconds between two looks at a stack.

    Raises:
        ProvisionError: a stack failed, or its file is missing.
        ResolveError: a parameter of one refers to what is unknown (or to a later stack).
    """
    result = Provisioned()
    for name, resource in scope.template["Resources"].items():
        if resource["Type"] != "AWS::CloudFormation::Stack":
            continue
        if "Condition" in resource and not condition_holds(resource["Condition"], scope):
            continue
        known = Scope(scope.template, scope.parameters, {**scope.attributes, **result.outputs})
        parameters = resolve(resource["Properties"].get("Parameters", {}), known)
        body = _read(root / resource["Properties"]["TemplateURL"], name)
        try:
            result.created |= _apply(client, STACK_PREFIX + name, body, parameters)
            outputs = _settled(client, STACK_PREFIX + name, pause)
        except botocore.exceptions.BotoCoreError as error:
            raise ProvisionError(f"{name}: ministack does not answer: {error}") from error
        except botocore.exceptions.ClientError as error:
            raise ProvisionError(f"{name}: {error.response['Error']['Message']}") from error
        result.outputs.update({(name, f"Outputs.{key}"): value for key, value in outputs.items()})
    return result


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise ProvisionError(f"{name}: its template cannot be read: {error}") from error


def _apply(client: Any, stack: str, body: str, parameters: Mapping[str, Any]) -> bool:
    """Create or update if needed; return whether it was created."""
    digest = hashlib.sha256(json.dumps([body, parameters], sort_keys=True).encode()).hexdigest()
    request = {
        "StackName": stack,
        "TemplateBody": body,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": str(value)} for key, value in parameters.items()
        ],
        "Capabilities": CAPABILITIES,
        "Tags": [{"Key": DIGEST_TAG, "Value": digest}],
    }
    present = _describe(client, stack)
    if present is None:
        client.create_stack(**request)
        return True
    if {"Key": DIGEST_TAG, "Value": digest} not in present["Tags"]:
        try:
            client.update_stack(**request)
        except botocore.exceptions.ClientError as error:
            if "No updates are to be performed" not in str(error):  # a comment was changed
                raise
    return False


def _describe(client: Any, stack: str) -> Any | None:
    try:
        return client.describe_stacks(StackName=stack)["Stacks"][0]
    except botocore.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _settled(client: Any, stack: str, pause: Callable[[float], object]) -> dict[str, str]:
    for _ in range(POLLS):
        present = _describe(client, stack)
        status = "GONE" if present is None else present["StackStatus"]
        if present is not None and status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return {item["OutputKey"]: item["OutputValue"] for item in present.get("Outputs", [])}
        if not status.endswith("_IN_PROGRESS"):
            raise ProvisionError(f"{stack} is {status}: {_reason(client, stack)}. {HINT}")
        pause(POLL_S)
    raise ProvisionError(f"{stack} took longer than {POLLS * POLL_S:.0f} s. {HINT}")


def _reason(client: Any, stack: str) -> str:
    """Say what failed first; events come newest first."""
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    if not failed:
        return "no event says why"
    first = failed[-1]
    return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', 'no reason given')}"

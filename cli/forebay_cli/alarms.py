"""`forebay alarms`: the stack's alarms and their state, from CloudWatch."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forebay_cli.output import CommandFailed, print_json, print_table

NESTED = "AlarmsStack"
"""The nested stack's name in template.yaml."""

LOCAL_STACK = f"forebay-{NESTED}"
"""Its name in the embedded AWS."""

STATE = Path(".forebay")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `alarms`."""
    text = "show the alarms and their state"
    parser = commands.add_parser("alarms", help=text, description=text)
    parser.add_argument(
        "--stack",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help="a deployed CloudFormation stack (default: the local one)",
    )
    parser.add_argument(
        "--state", type=Path, default=STATE, help="the local stack's folder, as for `dev`"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print them."""
    if hasattr(args, "url"):
        raise CommandFailed("Alarms are found by --stack NAME or --state FOLDER, not by --url.")
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - 0.3 s

    try:
        alarms = _deployed(args.stack) if hasattr(args, "stack") else _local(args.state)
    except (BotoCoreError, ClientError) as fault:
        raise CommandFailed(f"The alarms cannot be read: {fault}") from fault
    if args.json:
        print_json({"alarms": alarms})
        return
    rows = [(each["name"], each["state"], each["since"], each["description"]) for each in alarms]
    print_table(("ALARM", "STATE", "SINCE", "MEANING"), rows)


def _deployed(stack: str) -> list[dict[str, str]]:
    import botocore.session  # noqa: PLC0415 - 0.3 s

    session = botocore.session.get_session()
    cloudformation: Any = session.create_client("cloudformation")
    found = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=NESTED)
    nested = found["StackResourceDetail"]["PhysicalResourceId"]
    return _alarms(cloudformation, session.create_client("cloudwatch"), nested)


def _local(state: Path) -> list[dict[str, str]]:
    # They bring botocore with them.
    from forebay_cli.local.metrics import cloudwatch  # noqa: PLC0415
    from forebay_cli.local.ministack import CREDENTIALS  # noqa: PLC0415
    from forebay_cli.local.provision import cloudformation  # noqa: PLC0415
    from forebay_cli.local.state import read_aws_url  # noqa: PLC0415

    url = read_aws_url(state)
    if url is None:
        raise CommandFailed(
            f"No local stack runs on {state}: start it by `make dev`, or name a deployed one "
            "by --stack."
        )
    return _alarms(cloudformation(url, CREDENTIALS), cloudwatch(url, CREDENTIALS), LOCAL_STACK)


def _alarms(cloudformation: Any, cloudwatch: Any, stack: str) -> list[dict[str, str]]:
    """Return the alarms of a stack, in the template's names, sorted."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    names = {
        resource["PhysicalResourceId"]: resource["LogicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::CloudWatch::Alarm"
    }
    described = cloudwatch.describe_alarms(AlarmNames=list(names), MaxRecords=100)["MetricAlarms"]
    return sorted(
        (_as_json(names[alarm["AlarmName"]], alarm) for alarm in described),
        key=lambda each: each["name"],
    )


def _as_json(name: str, alarm: Any) -> dict[str, str]:
    since: datetime = alarm["StateUpdatedTimestamp"]
    return {
        "name": name,
        "state": alarm["StateValue"].lower(),
        "since": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": alarm.get("StateReason", ""),
        "description": alarm.get("AlarmDescription", ""),
    }

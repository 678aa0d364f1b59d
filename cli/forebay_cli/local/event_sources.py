"""What invokes functions beside the API, read from the processed template. Pure.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
aws-resource-lambda-eventsourcemapping.html and aws-resource-events-rule.html
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from forebay_cli.local.resolve import Scope, condition_holds, resolve
from forebay_cli.local.routes import FUNCTION

RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
UNIT_S: Final = {"minute": 60, "hour": 3600, "day": 86_400}


class EventSourceError(Exception):
    """A mapping or schedule of the template cannot run here; the message says which and why."""


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """A function that reads a table's stream.

    Attributes:
        name: its logical id in the template.
        function: logical id of the function.
        patterns: a record passes if it has what one of these asks for; none lets all pass.
        batch_window_s: how long records are gathered before the function is invoked.
        bisect: whether a batch whose invocation failed is tried again in two halves.
        partial: whether the function's answer says from which record on to try again.
        max_retries: None is no bound.
        max_age_s: None is no bound.
        failures_queue_arn: is told what was given up.
        tumbling_window_s: 0 is none.
    """

    name: str
    function: str
    stream_arn: str
    patterns: tuple[Mapping[str, Any], ...]
    batch_size: int
    batch_window_s: float
    bisect: bool
    partial: bool
    max_retries: int | None
    max_age_s: int | None
    failures_queue_arn: str | None
    tumbling_window_s: int = 0

    def passes(self, record: Mapping[str, Any]) -> bool:
        """Whether the function is to see a record."""
        return not self.patterns or any(_matches(record, pattern) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function that is invoked again and again.

    Attributes:
        name: logical id of the rule.
        function: logical id of the function.
    """

    name: str
    function: str
    period_s: int


def load_stream_mappings(scope: Scope) -> list[StreamMapping]:
    """Return the template's mappings from tables' streams to functions.

    Raises:
        EventSourceError: one reads something else, or filters in a way that is not known here.
        ResolveError: its properties refer to what is unknown.
    """
    return [
        _mapping(name, resolve(properties, scope))
        for name, properties in _of_type("AWS::Lambda::EventSourceMapping", scope).items()
    ]


def load_schedules(scope: Scope) -> list[Schedule]:
    """Return the template's schedules.

    Raises:
        EventSourceError: one is no `rate(…)`, or has no function for its target.
        ResolveError: its properties refer to what is unknown.
    """
    return [
        Schedule(name, _function(name, target["Arn"]), _period_s(name, rule))
        for name, properties in _of_type("AWS::Events::Rule", scope).items()
        for rule in [resolve(properties, scope)]
        for target in rule["Targets"]
    ]


def _of_type(kind: str, scope: Scope) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in scope.template["Resources"].items()
        if resource["Type"] == kind
        and ("Condition" not in resource or condition_holds(resource["Condition"], scope))
    }


def _mapping(name: str, raw: Mapping[str, Any]) -> StreamMapping:
    arn = str(raw.get("EventSourceArn"))
    if ":dynamodb:" not in arn or "/stream/" not in arn:
        raise EventSourceError(f"{name} reads {arn}, which is not the stream of a table.")
    filters = raw.get("FilterCriteria", {}).get("Filters", [])
    destination = raw.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return StreamMapping(
        name=name,
        function=_function(name, raw["FunctionName"]),
        stream_arn=arn,
        patterns=tuple(_pattern(name, item["Pattern"]) for item in filters),
        batch_size=int(raw.get("BatchSize", 100)),
        batch_window_s=float(raw.get("MaximumBatchingWindowInSeconds", 0)),
        bisect=bool(raw.get("BisectBatchOnFunctionError", False)),
        partial="ReportBatchItemFailures" in raw.get("FunctionResponseTypes", []),
        max_retries=_bound(raw.get("MaximumRetryAttempts")),
        max_age_s=_bound(raw.get("MaximumRecordAgeInSeconds")),
        failures_queue_arn=None if destination is None else str(destination),
        tumbling_window_s=int(raw.get("TumblingWindowInSeconds", 0)),
    )


def _function(name: str, arn: Any) -> str:
    found = FUNCTION.search(str(arn))
    if found is None:
        raise EventSourceError(f"{name} leads to {arn}, which is not a function.")
    return found[1]


def _bound(value: Any) -> int | None:
    """Read a bound; -1 is Lambda's word for none."""
    return None if value is None or int(value) < 0 else int(value)


def _period_s(name: str, rule: Mapping[str, Any]) -> int:
    found = RATE.fullmatch(str(rule.get("ScheduleExpression")))
    if found is None:
        raise EventSourceError(f"{name}: only rate(…) is understood here, not cron and not events.")
    return int(found[1]) * UNIT_S[found[2]]


def _pattern(name: str, text: str) -> Mapping[str, Any]:
    pattern: Any = json.loads(text)
    if not _is_plain(pattern):
        raise EventSourceError(f"{name}: the filter {text} asks for more than equal values.")
    return dict(pattern)


def _is_plain(pattern: Any) -> bool:
    """Whether a pattern is made of fields and lists of words alone."""
    if isinstance(pattern, dict):
        return all(_is_plain(value) for value in pattern.values())
    return isinstance(pattern, list) and not any(isinstance(item, dict | list) for item in pattern)


def _matches(record: Any, pattern: Mapping[str, Any]) -> bool:
    for field, wanted in pattern.items():
        value = record.get(field) if isinstance(record, dict) else None
        if not (_matches(value, wanted) if isinstance(wanted, dict) else value in wanted):
            return False
    return True

"""What CloudWatch does with the functions' log lines: it reads metrics out of them.

A line in the embedded metric format says which of its fields are metrics. On AWS they are taken out
of the log as it arrives; here they are put into ministack, so that the same alarms go off.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Never

import botocore.config
import botocore.exceptions
import botocore.session

from forebay_cli.local.resolve import REGION

MARK: Final = '"_aws"'
DELIVERY_S: Final = 1.0
MOST_DATA: Final = 1_000
"""CloudWatch takes no more in a call."""

MOST_WAITING: Final = 100_000
"""More than ministack takes in for long: the oldest are dropped, as this is no bill."""


def cloudwatch(endpoint_url: str, credentials: Mapping[str, str]) -> Any:
    """Return botocore's client of ministack's CloudWatch."""
    return botocore.session.get_session().create_client(
        "cloudwatch",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
    )


class LocalMetrics:
    """Takes metrics out of lines, and puts them into CloudWatch once a second.

    Args:
        client: What `cloudwatch` returns.
        say: Told if CloudWatch does not take them.
    """

    def __init__(self, client: Any, say: Callable[[str], None]) -> None:
        self._client = client
        self._say = say
        self._waiting: list[tuple[str, dict[str, Any]]] = []

    def reading(self, pass_on: Callable[[str], None]) -> Callable[[str], None]:
        """Return a function that takes a line, reads its metrics, and passes it on."""

        def read(line: str) -> None:
            if MARK in line:
                self._waiting += metrics_of(line)
                del self._waiting[:-MOST_WAITING]
            pass_on(line)

        return read

    async def deliver(self) -> Never:
        """Put what has come, again and again."""
        while True:
            await asyncio.sleep(DELIVERY_S)
            waiting, self._waiting = self._waiting, []
            if waiting:
                await asyncio.to_thread(self._put, waiting)

    def _put(self, waiting: list[tuple[str, dict[str, Any]]]) -> None:
        """Put them, namespace by namespace; blocks."""
        for namespace in dict.fromkeys(name for name, _ in waiting):
            data = [datum for name, datum in waiting if name == namespace]
            for start in range(0, len(data), MOST_DATA):
                part = data[start : start + MOST_DATA]
                try:
                    self._client.put_metric_data(Namespace=namespace, MetricData=part)
                except (
                    botocore.exceptions.BotoCoreError,
                    botocore.exceptions.ClientError,
                ) as error:
                    self._say(f"{len(part)} metrics are lost: {error}")


def metrics_of(line: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each metric of a line as its namespace and what `PutMetricData` takes of it.

    A line that is not in the format has none, and neither has a field that is missing or no number.
    """
    try:
        fields = json.loads(line)
        directives = fields["_aws"]["CloudWatchMetrics"]
        timestamp_s = fields["_aws"]["Timestamp"] / 1000
        for directive in directives:
            for definition in directive["Metrics"]:
                value = fields.get(definition["Name"])
                if isinstance(value, bool) or not isinstance(value, int | float):
                    continue
                for dimensions in directive["Dimensions"]:
                    yield (
                        directive["Namespace"],
                        {
                            "MetricName": definition["Name"],
                            "Dimensions": [
                                {"Name": name, "Value": str(fields[name])} for name in dimensions
                            ],
                            "Timestamp": timestamp_s,
                            "Value": value,
                            "Unit": definition.get("Unit", "None"),
                            "StorageResolution": definition.get("StorageResolution", 60),
                        },
                    )
    except (ValueError, KeyError, TypeError):
        return

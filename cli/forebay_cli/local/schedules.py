"""EventBridge's schedules: a function invoked again and again.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
"""

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from forebay_cli.local.event_sources import Schedule
from forebay_cli.local.invoke import InvokeError
from forebay_cli.local.resolve import ACCOUNT, REGION

FIRST_AFTER_S: Final = 1.0  # so that a person sees what it does, and who is waiting goes first


@dataclass(frozen=True, slots=True)
class ScheduleParts:
    """What a schedule works with.

    Attributes:
        invoke: gives an event to the function, and returns its answer; raises `InvokeError`.
        now: seconds since the epoch.
        sleep: waits so many seconds.
    """

    invoke: Callable[[Mapping[str, Any]], Awaitable[Any]]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    log: Callable[[str], None]


async def run_schedule(schedule: Schedule, parts: ScheduleParts) -> None:
    """Invoke the function once soon, then each period, forever; a failure is logged, no more.

    The next period begins when the function has answered: two never run at once.
    """
    await parts.sleep(FIRST_AFTER_S)
    while True:
        try:
            await parts.invoke(scheduled_event(schedule, parts.now()))
        except InvokeError as error:
            parts.log(f"{schedule.name}: {error}")
        await parts.sleep(schedule.period_s)


def scheduled_event(schedule: Schedule, now: float) -> dict[str, Any]:
    """Return the event that EventBridge sends; `now` is seconds since the epoch."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{schedule.name}"],
        "detail": {},
    }

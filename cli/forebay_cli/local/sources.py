"""What runs beside the front: each stream mapping and each schedule of the template."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from forebay_cli.local.event_sources import (
    EventSourceError,
    Schedule,
    StreamMapping,
    load_schedules,
    load_stream_mappings,
)
from forebay_cli.local.invoke import invoke
from forebay_cli.local.logs import Log
from forebay_cli.local.ministack import CREDENTIALS
from forebay_cli.local.pool import FunctionPool
from forebay_cli.local.resolve import Scope
from forebay_cli.local.schedules import ScheduleParts, run_schedule
from forebay_cli.local.stream_pump import PumpParts, StreamPump
from forebay_cli.local.table_stream import FailuresQueue, TableStream, aws_client


def event_sources(
    scope: Scope,
    pools: Mapping[str, FunctionPool],
    aws_url: str,
    wall_clock: Callable[[], float],
    log: Log,
) -> list[Coroutine[Any, Any, None]]:
    """Return what is to run for as long as the stack does.

    Raises:
        EventSourceError: a mapping or schedule of the template cannot run here.
        ResolveError: one refers to what is unknown.
    """
    say = log.source("forebay")
    mappings, schedules = load_stream_mappings(scope), load_schedules(scope)
    sources: list[StreamMapping | Schedule] = [*mappings, *schedules]
    for source in sources:
        if source.function not in pools:
            raise EventSourceError(f"{source.name}: there is no function {source.function}.")
    return [
        *(_told(_pumping(each, pools, aws_url, wall_clock, say), each, say) for each in mappings),
        *(_told(_firing(each, pools, wall_clock, say), each, say) for each in schedules),
    ]


async def _told(
    running: Coroutine[Any, Any, None],
    source: StreamMapping | Schedule,
    say: Callable[[str], None],
) -> None:
    try:
        await running
    except Exception as error:
        say(f"{source.name} has ended: {error!r}")  # else nobody would notice until the end
        raise


def _pumping(
    mapping: StreamMapping,
    pools: Mapping[str, FunctionPool],
    aws_url: str,
    wall_clock: Callable[[], float],
    say: Callable[[str], None],
) -> Coroutine[Any, Any, None]:
    stream = TableStream(aws_client("dynamodbstreams", aws_url, CREDENTIALS), mapping.stream_arn)
    failures = FailuresQueue(aws_client("sqs", aws_url, CREDENTIALS), mapping, stream, say)
    parts = PumpParts(
        stream=stream,
        invoke=partial(invoke, pools[mapping.function]),
        give_up=failures.give_up,
        now=wall_clock,
        sleep=asyncio.sleep,
        log=say,
    )
    return StreamPump(mapping, parts).run()


def _firing(
    schedule: Schedule,
    pools: Mapping[str, FunctionPool],
    wall_clock: Callable[[], float],
    say: Callable[[str], None],
) -> Coroutine[Any, Any, None]:
    call = partial(invoke, pools[schedule.function])
    return run_schedule(schedule, ScheduleParts(call, wall_clock, asyncio.sleep, say))

"""A function invoked by the stack itself: its answer, or one line that says why there is none."""

import asyncio
import json
from pathlib import Path

import pytest

from forebay_cli.local.invoke import InvokeError, invoke
from tests.e2e.local.harness import Served, Settings, run_served

pytestmark = pytest.mark.e2e

IDENTITY = {"requestContext": {"identity": {"user": "me"}}}


def test_the_answer_is_read(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        answer = await invoke(stack.pools["PlainFunction"], {"path": "/buffered", **IDENTITY})
        assert json.loads(answer["body"]) == {"user": "me"}

    run_served(test, tmp_path)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/error", "ValueError: no"),
        ("/crash", "Runtime exited with exit status 3"),
        ("/cut", "TruncatedResponse"),
        ("/nonsense", "no JSON"),
        ("/hang", "Task timed out after 1.00 seconds"),
    ],
)
def test_why_there_is_no_answer_is_said_in_one_line(tmp_path: Path, path: str, says: str) -> None:
    async def test(stack: Served) -> None:
        with pytest.raises(InvokeError, match=says) as raised:
            await invoke(stack.pools["PlainFunction"], {"path": path})
        assert "\n" not in str(raised.value)

    run_served(test, tmp_path, Settings(timeout_s=1.0))


def test_a_function_that_has_no_room_is_an_error_too(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        pool = stack.pools["PlainFunction"]
        first = asyncio.create_task(invoke(pool, {"path": "/hang"}))
        await asyncio.sleep(0)
        with pytest.raises(InvokeError, match="TooManyRequestsException"):
            await invoke(pool, {"path": "/hang"})
        first.cancel()
        await asyncio.wait({first})

    run_served(test, tmp_path, Settings(sandboxes=1))


def test_an_event_over_lambdas_limit_is_an_error_too(tmp_path: Path) -> None:
    async def test(stack: Served) -> None:
        with pytest.raises(InvokeError, match="RequestTooLargeException"):
            await invoke(stack.pools["PlainFunction"], {"path": "x" * 6_300_000})

    run_served(test, tmp_path)

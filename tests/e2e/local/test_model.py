"""The local model: nothing runs until it is called, and it ends with the stack."""

import asyncio
import os
from pathlib import Path

import pytest

from forebay_cli.local.model import LazyModel, model_available

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not model_available(), reason="no wheel of the model for this platform"),
]


async def _get(url: str, path: str) -> bytes:
    host, _, port = url.removeprefix("http://").removesuffix("/v1").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET /v1{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()


def _pid(model: LazyModel) -> int | None:
    return None if model._child is None else model._child.pid


def test_the_first_call_starts_it_and_calls_at_once_start_it_once(tmp_path: Path) -> None:
    lines: list[str] = []

    async def main() -> None:
        model = LazyModel(tmp_path, lines.append)
        url = await model.listen()
        try:
            assert _pid(model) is None
            answers = await asyncio.gather(*(_get(url, "/models") for _ in range(3)))
            assert all(b"smollm2" in answer for answer in answers)
            assert lines.count("loading SmolLM2-135M") == 1
            pid = _pid(model)
            assert pid is not None
        finally:
            await model.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(main())


def test_it_is_started_again_after_a_crash(tmp_path: Path) -> None:
    async def main() -> None:
        model = LazyModel(tmp_path, lambda _: None)
        url = await model.listen()
        try:
            await _get(url, "/models")
            assert model._child is not None
            assert model._watch is not None
            os.kill(model._child.pid, 9)
            await model._watch
            assert b"smollm2" in await _get(url, "/models")
        finally:
            await model.stop()

    asyncio.run(main())

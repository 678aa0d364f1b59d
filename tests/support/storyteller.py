"""A provider that tells long stories: an OpenAI-compatible server that can be killed in mid-answer.

Run: `python -m tests.support.storyteller GAP_MS WORDS_AT_ONCE`; `ready PORT` says that it serves.
Any two of them tell the same story about what a user asks for, and each goes on with the other's,
as vLLM does (`continue_final_message`) or, asked by a user to go on, by repeating the last
characters first.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

WORDS: Final = 400
ANCHOR_CHARACTERS: Final = 64
"""Of what there is, so much is repeated by who was asked to go on."""


def story(about: str) -> str:
    """Return the whole story; no word of it stands in it twice, nor in one about anything else."""
    return " ".join(f"{about}-{number}" for number in range(WORDS))


@dataclass(frozen=True)
class Storyteller:
    """One that runs."""

    base_url: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it as a machine that loses power does: nothing is said."""
        self.process.kill()
        self.process.wait()


@contextmanager
def storyteller(*, gap_ms: int, words_at_once: int) -> Iterator[Storyteller]:
    """Start one as a process of its own, and end it.

    Args:
        gap_ms: Between two chunks.
        words_at_once: In each of them.
    """
    command = [sys.executable, "-m", __name__, str(gap_ms), str(words_at_once)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().split()[1] if process.stdout else ""
            yield Storyteller(f"http://127.0.0.1:{port}/v1", process)
        finally:
            process.kill()


@dataclass(frozen=True)
class _Server:
    gap_s: float
    words_at_once: int

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                asked = json.loads(await reader.readexactly(int(length)))
                await self._tell(_wanted(asked), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _tell(self, text: str, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        words = text.split(" ")
        pieces = [
            " ".join(words[at : at + self.words_at_once])
            for at in range(0, len(words), self.words_at_once)
        ]
        _say(writer, _chunk({"role": "assistant", "content": ""}))
        for left, piece in zip(reversed(range(len(pieces))), pieces, strict=True):
            # The space at its end: a seam has to cope with it.
            _say(writer, _chunk({"content": f"{piece} " if left else piece}))
            await writer.drain()
            await asyncio.sleep(self.gap_s)
        _say(writer, _chunk({}, "stop"))
        usage = {
            "prompt_tokens": 9,
            "completion_tokens": len(words),
            "total_tokens": 9 + len(words),
        }
        _say(writer, _PREFACE | {"choices": [], "usage": usage})
        writer.write(_framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await writer.drain()


def _wanted(asked: dict[str, Any]) -> str:
    """Return the story, or what is left of it."""
    turns = asked["messages"]
    whole = story(_text(next(turn for turn in turns if turn["role"] == "user")))
    told = next((_text(turn) for turn in turns if turn["role"] == "assistant"), "")
    if not whole.startswith(told):
        return "That is no story of mine."
    if turns[-1]["role"] == "assistant":
        goes_on = asked.get("continue_final_message") and not asked["add_generation_prompt"]
        return whole[len(told) :] if goes_on else whole
    return whole[max(0, len(told) - ANCHOR_CHARACTERS) :]


def _text(turn: dict[str, Any]) -> str:
    content = turn["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


_PREFACE: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "s",
}


def _chunk(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    return _PREFACE | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def _say(writer: asyncio.StreamWriter, chunk: dict[str, Any]) -> None:
    writer.write(_framed(b"data: %b\n\n" % json.dumps(chunk).encode()))


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def main(gap_ms: float, words_at_once: int) -> None:
    """Serve until the process ends."""
    served = _Server(gap_ms / 1000, words_at_once)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, backlog=1024)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2])))

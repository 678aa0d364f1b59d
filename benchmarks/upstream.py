"""An OpenAI-compatible upstream with exact timing, as a process: what gateways are measured with.

Run: `python -m benchmarks.upstream PORT`. The request says what it wants:
`{"bench": {"tokens": 500, "gap_ms": 0, "first_ms": 0}}`; all but the model is passed through by
any gateway that leaves unknown fields alone.
"""

from __future__ import annotations

import asyncio
import json
import sys

CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,'
    b'"finish_reason":null}],"usage":null}\n\n'
)
FIRST = CHUNK.replace(b'{"content":" word"}', b'{"role":"assistant","content":""}')
LAST = CHUNK.replace(b'{"content":" word"}', b"{}").replace(
    b'"finish_reason":null', b'"finish_reason":"stop"'
)
USAGE = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"bench","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":%d,'
    b'"total_tokens":%d}}\n\n'
)
WHOLE = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"word"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,'
    b'"total_tokens":10}}'
)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            fields = dict(
                line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
            )
            body = json.loads(await reader.readexactly(int(fields[b"content-length"])))
            await (_stream if body.get("stream") else _whole)(writer, body.get("bench", {}))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _whole(writer: asyncio.StreamWriter, wanted: dict[str, float]) -> None:
    await asyncio.sleep(wanted.get("first_ms", 0) / 1000)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    writer.write(head % len(WHOLE) + WHOLE)
    await writer.drain()


async def _stream(writer: asyncio.StreamWriter, wanted: dict[str, float]) -> None:
    tokens, gap_s = int(wanted.get("tokens", 10)), wanted.get("gap_ms", 0) / 1000
    loop = asyncio.get_running_loop()
    await asyncio.sleep(wanted.get("first_ms", 0) / 1000)
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        + _framed(FIRST)
    )
    started = loop.time()
    for index in range(tokens):
        # Each chunk has its own moment, so that a late one does not delay those after it.
        await asyncio.sleep(max(0.0, started + index * gap_s - loop.time()))
        writer.write(_framed(CHUNK))
        await writer.drain()
    writer.write(_framed(LAST) + _framed(USAGE % (tokens, tokens + 9)))
    writer.write(_framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    await writer.drain()


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def main(port: int) -> None:
    """Serve until the process ends; `ready PORT` says that it does."""
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

"""A runtime that misbehaves on request, in place of the streaming runtime, for tests of the host.

The event's path says what it does with an invocation; see `ANSWERS`. It speaks the Runtime API over
plain sockets, so that each byte is the test's choice.
"""

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable

HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
BASE = "/2018-06-01/runtime"
PRELUDE = b'{"statusCode":200,"headers":{"content-type":"text/plain"}}' + b"\0" * 8


class Call:
    """One invocation, and the ways to answer it."""

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self.request_id = headers["lambda-runtime-aws-request-id"]
        self.invocation_id = headers["lambda-runtime-invocation-id"]
        self.event = json.loads(body)
        self.path = self.event.get("path", "/")

    async def post(
        self, kind: str, parts: list[bytes], *, trailer: bytes = b"", finish: bool = True
    ) -> bytes:
        """Post in chunks; without `finish`, break the connection off. Return the answer."""
        reader, writer = await asyncio.open_connection(HOST, int(PORT))
        try:
            writer.write(
                f"POST {BASE}/invocation/{self.request_id}/{kind} HTTP/1.1\r\nHost: x\r\n"
                f"Lambda-Runtime-Invocation-Id: {self.invocation_id}\r\n"
                "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
                "Transfer-Encoding: chunked\r\n\r\n".encode()
            )
            for part in parts:
                writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                await writer.drain()
            if finish:
                writer.write(b"0\r\n" + trailer + b"\r\n")
                return await reader.readuntil(b"}")
            return b""
        finally:
            writer.close()


async def echo(call: Call) -> None:
    await call.post("response", [PRELUDE, json.dumps(call.event).encode()])


async def buffered(call: Call) -> None:
    answer = {"statusCode": 201, "body": json.dumps(call.event["requestContext"]["identity"])}
    await call.post("response", [json.dumps(answer).encode()])


async def ticks(call: Call) -> None:
    count = int((call.event["queryStringParameters"] or {}).get("n", 3))
    await call.post("response", [PRELUDE, *(b"tick %d\n" % n for n in range(count))])


async def large(call: Call) -> None:
    await call.post("response", [PRELUDE, *[b"x" * 65536] * 256])


async def cut(call: Call) -> None:
    await call.post("response", [PRELUDE, b"half an ans"], finish=False)


async def trailer(call: Call) -> None:
    error = base64.b64encode(b'{"errorMessage":"in mid-stream","errorType":"Boom"}')
    line = b"Lambda-Runtime-Function-Error-Type: Boom\r\nLambda-Runtime-Function-Error-Body: "
    await call.post("response", [PRELUDE, b"half an ans"], trailer=line + error + b"\r\n")


async def error(call: Call) -> None:
    await call.post("error", [b'{"errorMessage":"no","errorType":"ValueError","stackTrace":[]}'])


async def nonsense(call: Call) -> None:
    await call.post("response", [b"this is no prelude"])


async def stale(call: Call) -> None:
    right, call.invocation_id = call.invocation_id, "another-invocation"
    refused = await call.post("response", [PRELUDE, b"somebody else's answer"])
    call.invocation_id = right
    await call.post("response", [PRELUDE, refused.split(b"\r\n")[0]])


async def crash(_: Call) -> None:
    os._exit(3)


async def crash_late(call: Call) -> None:
    await call.post("response", [PRELUDE, b"half an ans"], finish=False)
    os._exit(3)


async def hang(_: Call) -> None:
    await asyncio.Event().wait()


async def silent(call: Call) -> None:
    reader, writer = await asyncio.open_connection(HOST, int(PORT))
    writer.write(
        f"POST {BASE}/invocation/{call.request_id}/response HTTP/1.1\r\nHost: x\r\n"
        "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
        + b"%x\r\n%b\r\n" % (len(PRELUDE) + 1, PRELUDE + b".")
    )
    await reader.read()  # nothing comes until the host gives up
    writer.close()


async def freeze(call: Call) -> None:
    """Say who answers."""
    await call.post("response", [PRELUDE, str(os.getpid()).encode()])


ANSWERS: dict[str, Callable[[Call], Awaitable[None]]] = {
    f"/{answer.__name__}": answer
    for answer in (
        buffered, crash, crash_late, cut, echo, error, freeze, hang, large, nonsense, silent,
        stale, ticks, trailer,
    )
}  # fmt: skip


async def worker() -> None:
    while True:
        reader, writer = await asyncio.open_connection(HOST, int(PORT))
        writer.write(f"GET {BASE}/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head)}
        call = Call(headers, await reader.readexactly(int(headers["content-length"])))
        writer.close()
        await ANSWERS.get(call.path, echo)(call)


async def main() -> None:
    if os.environ.get("FAIL_INIT"):
        reader, writer = await asyncio.open_connection(HOST, int(PORT))
        body = b'{"errorMessage":"No module named app","errorType":"Runtime.ImportModuleError"}'
        head = f"POST {BASE}/init/error HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await reader.readuntil(b"}")
        sys.exit(1)
    sys.stdout.write(f"started with {os.environ['_HANDLER']}\n")
    sys.stdout.flush()
    workers = int(os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "1"))
    await asyncio.gather(*(worker() for _ in range(workers)))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    asyncio.run(main())

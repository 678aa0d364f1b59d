"""Call an ASGI application in process, and see each message that it sends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass
class Reply:
    """What an application answered."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    ended: bool = False
    """Whether the application sent its last message."""
    raised: BaseException | None = None
    """What left the application."""

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """Data of the events of a stream; `[DONE]` as a string."""
        data = [part.removeprefix("data: ") for part in self.body.decode().split("\n\n")[:-1]]
        return [each if each == "[DONE]" else json.loads(each) for each in data]


async def call(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | object = b"",
    break_after: int | None = None,
    reply: Reply | None = None,
) -> Reply:
    """Send a request.

    Args:
        app: The application.
        method: HTTP method.
        path: Decoded path.
        headers: Header fields.
        body: Bytes, or what becomes JSON.
        break_after: The way to the caller breaks after so many messages of the body.
        reply: Is filled and returned; for those who want to see it grow.
    """
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": fields,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    reply = reply or Reply()
    requests: list[Message] = [{"type": "http.request", "body": sent, "more_body": False}]

    async def receive() -> Message:
        return requests.pop() if requests else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if break_after is not None and len(reply.parts) >= break_after:
            raise ConnectionResetError("the way to the caller broke")
        if message.get("body"):
            reply.parts.append(message["body"])
        reply.ended = not message.get("more_body", False)

    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - it is what the test asserts on
        reply.raised = error
    return reply

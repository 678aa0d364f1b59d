"""A small Forebay on a socket that can misbehave in each way `forebay doctor` looks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from forebay.admission import parse
from tests.support.admin_api import AdminApi, ledger_row, rest_event

EVENT_LIMIT_BYTES = 6 * 1024 * 1024

DONE = b"data: [DONE]\n\n"
ERROR_EVENT = b'data: {"error": {"message": "broke off", "type": "x"}}\n\n'
COMMENT = b": keep-alive\n\n"


def token(text: str) -> bytes:
    """One event of an answer."""
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


LONG = tuple(token(f" {number}") for number in range(30))
WHOLE = (*LONG, DONE)


@dataclass(frozen=True)
class Said:
    """An answer in one piece."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def error(status: int, code: str) -> Said:
    """Refuse in OpenAI's shape."""
    body = {"error": {"message": code, "type": "x", "param": None, "code": code}}
    return Said(status, json.dumps(body).encode(), {"content-type": "application/json"})


@dataclass(frozen=True)
class Stream:
    """A streamed answer: each part is an HTTP chunk of its own."""

    parts: Sequence[bytes] = WHOLE
    breaks_off: bool = False
    """The connection is closed without the last chunk."""
    hangs: bool = False
    """The last part is followed by silence."""


@dataclass
class Behaviour:
    """What it does; the defaults are right.

    Args:
        says: Answers by `METHOD /path`, in place of the right ones.
        hangs: `METHOD /path` that are never answered.
        streams: By model.
        rows: Ledger rows that a request gets.
        lost: Header fields that do not arrive.
        on_call: Is told `METHOD /path` before each answer.
    """

    says: dict[str, Said] = field(default_factory=dict)
    hangs: frozenset[str] = frozenset()
    streams: dict[str, Stream] = field(default_factory=lambda: {"scripted": Stream()})
    rows: int = 1
    lost: frozenset[str] = frozenset()
    on_call: Callable[[str], None] = lambda _: None


@dataclass
class FakeForebay:
    """A running one."""

    behaviour: Behaviour
    api: AdminApi
    url: str
    released: Event = field(default_factory=Event)
    """Ends what hangs."""

    def key_statuses(self) -> list[str]:
        """`active` or `revoked`, of each key."""
        return [record.status for record in self.api.desk.list()]

    def answer(self, method: str, target: str, authorization: str, body: bytes) -> Said | Stream:
        """Answer a call."""
        path = urlsplit(target).path.removeprefix("/v1")
        if path.startswith("/admin/"):
            return self._admin(method, target, authorization, body)
        if path == "/healthz":
            return Said(200, b'{"status": "ok"}')
        if len(body) > EVENT_LIMIT_BYTES:
            return error(413, "request_too_large")
        key_id = self._key_id(authorization)
        if key_id is None:
            refusal = error(401, "invalid_api_key")
            return replace(refusal, headers={"x-amzn-remapped-www-authenticate": "Bearer"})
        if path == "/models":
            data = [{"id": name} for name in self.behaviour.streams]
            return Said(200, json.dumps({"data": data}).encode())
        self._settle(key_id)
        return self.behaviour.streams[json.loads(body)["model"]]

    def _admin(self, method: str, target: str, authorization: str, body: bytes) -> Said:
        signed = authorization.startswith("AWS4-HMAC-SHA256 Credential=test/")
        if not signed:
            return error(403, "signature_missing")
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        proxy = parts.path.removeprefix("/v1/admin/")
        reply = self.api.send(rest_event(method, proxy, body.decode() or None, query))
        return Said(reply.status, json.dumps(reply.body).encode())

    def _key_id(self, authorization: str) -> str | None:
        secret = parse(authorization.removeprefix("Bearer "))
        active = {record.key_id for record in self.api.desk.list() if record.status == "active"}
        return secret.key_id if secret and secret.key_id in active else None

    def _settle(self, key_id: str) -> None:
        for _ in range(self.behaviour.rows):
            row = ledger_row(f"r{next(_NUMBERS)}", self.api.clock.now(), key_id=key_id)
            asyncio.run(self.api.ledger.put(row))


_NUMBERS = count()


class _Server(ThreadingHTTPServer):
    forebay: FakeForebay

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller may leave in the middle of an answer: `doctor` does, at its deadline."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
    server: _Server

    def _answer(self) -> None:
        forebay = self.server.forebay
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = f"{self.command} {urlsplit(self.path).path.removeprefix('/v1')}"
        forebay.behaviour.on_call(asked)
        if asked in forebay.behaviour.hangs:
            forebay.released.wait()
            self.close_connection = True
            return
        authorization = self.headers.get("Authorization", "")
        said = forebay.behaviour.says.get(asked)
        answer = said or forebay.answer(self.command, self.path, authorization, body)
        if isinstance(answer, Said):
            self._say(answer)
        else:
            self._stream(answer)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base looks these names up

    def _say(self, said: Said) -> None:
        self._head(said.status, {**said.headers, "content-length": str(len(said.body))})
        self.wfile.write(said.body)

    def _stream(self, stream: Stream) -> None:
        fields = {"x-forebay-target": "script/any", "x-forebay-attempts": "1"}
        kind = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
        self._head(200, fields | kind)
        for part in stream.parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        if stream.hangs:
            self.server.forebay.released.wait()
        self.close_connection = stream.breaks_off or stream.hangs
        if not self.close_connection:
            self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int, fields: Mapping[str, str]) -> None:
        self.send_response(status)
        ids = {"x-forebay-request-id": "01J", "x-request-id": "01J"}
        for name, value in {**ids, **fields}.items():
            if name not in self.server.forebay.behaviour.lost:
                self.send_header(name, value)
        self.end_headers()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serve(behaviour: Behaviour) -> Iterator[FakeForebay]:
    """Serve on a free port of 127.0.0.1."""
    httpd = _Server(("127.0.0.1", 0), _Handler)
    httpd.forebay = FakeForebay(behaviour, AdminApi(), f"http://127.0.0.1:{httpd.server_port}")
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield httpd.forebay
    finally:
        httpd.forebay.released.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()

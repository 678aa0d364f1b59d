"""The admin API on memory stores: called with events, or over real HTTP."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from typing_extensions import override

from forebay.adapters.memory import (
    ManualClock,
    MemoryAuditTrail,
    MemoryKeys,
    MemoryLedger,
    MemoryScopePolicies,
    SeededEntropy,
)
from forebay.model import KeyRecord, LedgerRow, Outcome, Usage
from forebay.money import NanoUsd
from forebay.rollups import Dimension, RollUp, Totals, roll_ups_of
from forebay.service.audit import Audit
from forebay.service.keys import KeyDesk
from forebay.service.ledger_export import LedgerExport
from forebay.service.reconciliation import Reconciliation
from forebay.service.scopes import ScopeDesk
from forebay.service.usage import UsageReport
from forebay.web.admin import AdminServices, build_resolver
from forebay.web.admin_usage import UsageDesk

_NUMBERS = count()

OPERATOR_ARN = "arn:aws:iam::123456789012:user/ada"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class LedgerRollUps:
    """Roll-ups that are never behind their ledger, but for rows that are named here."""

    ledger: MemoryLedger
    missing: set[str] = field(default_factory=set)

    def roll_ups(
        self, dimension: Dimension, *, first_day: str, last_day: str
    ) -> Iterator[tuple[RollUp, Totals]]:
        for row in self.ledger.rows(first_day=first_day, last_day=last_day):
            if row.request_id in self.missing:
                continue
            totals = Totals()
            totals.add(row)
            yield from ((each, totals) for each in roll_ups_of(row) if each.dimension is dimension)


class AdminApi:
    """What `functions/admin` is, with its stores in reach."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.keys = MemoryKeys()
        self.ledger = MemoryLedger()
        self.scopes = MemoryScopePolicies()
        self.trail = MemoryAuditTrail()
        self.told: list[KeyRecord] = []
        self.log = io.StringIO()
        self.desk = KeyDesk(self.keys, self.clock, SeededEntropy())
        # A name of its own: Powertools shares what has the same name.
        logger = Logger(service=f"admin-{next(_NUMBERS)}", stream=self.log)
        self.roll_ups = LedgerRollUps(self.ledger)
        services = AdminServices(
            keys=self.desk,
            scopes=ScopeDesk(self.scopes, self.clock),
            usage=UsageDesk(
                UsageReport(self.ledger, self.roll_ups, self.desk, self.clock),
                Reconciliation(self.ledger, self.roll_ups, self.clock),
                LedgerExport(self.ledger),
            ),
            audit=Audit(self.trail, self.clock, SeededEntropy(1)),
            tell=lambda record: self.tell(record),  # noqa: PLW0108 - a test may replace `tell` later
        )
        self.resolver = build_resolver(services, logger)

    def call(self, method: str, proxy: str, body: Any = None, **query: str) -> Reply:
        """Call with a JSON body, as API Gateway would."""
        text = None if body is None else json.dumps(body)
        return self.send(rest_event(method, proxy, text, {k: [v] for k, v in query.items()}))

    def tell(self, record: KeyRecord) -> None:
        """Keep what the limits' side would be told."""
        self.told.append(record)

    def send(self, event: Mapping[str, Any]) -> Reply:
        """Call with an event."""
        answer = self.resolver(event, LambdaContext())
        headers = {name.lower(): values[0] for name, values in answer["multiValueHeaders"].items()}
        return Reply(answer["statusCode"], headers, json.loads(answer["body"]))

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def rest_event(
    method: str, proxy: str, body: str | None, query: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    """A REST API's event of the route `/admin/{proxy+}`, behind a base path on a custom domain.

    Source: docs.aws.amazon.com/apigateway, "Set up Lambda proxy integrations", input format.
    """
    return {
        "resource": "/admin/{proxy+}",
        "path": f"/some/base/path/admin/{proxy}",
        "httpMethod": method,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": {k: v[-1] for k, v in query.items()} if query else None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": proxy},
        "requestContext": {
            "stage": "v1",
            "path": f"/some/base/path/admin/{proxy}",
            "identity": {"userArn": OPERATOR_ARN, "sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def ledger_row(request_id: str, created_at: float, **changes: Any) -> LedgerRow:
    """One request of 100 input tokens (40 cached) and 10 output tokens for 1,234 nano-dollars."""
    values: dict[str, Any] = {
        "key_id": "aaaaaaaaaa",
        "key_name": "web",
        "tenant": "default",
        "team": None,
        "request_model": "fast",
        "provider": "openai",
        "response_model": "gpt-5-mini",
        "stream": True,
        "outcome": Outcome.COMPLETE,
        "status": 200,
        "error_code": None,
        "usage": Usage(input_tokens=100, cached_input_tokens=40, output_tokens=10),
        "cost_nano_usd": NanoUsd(1_234),
        "time_to_first_token_ms": 100,
        "duration_ms": 900,
    }
    return LedgerRow(request_id=request_id, created_at=created_at, **{**values, **changes})


@dataclass
class AdminServer:
    """The admin API on a socket: a stand-in for API Gateway that keeps what it was asked."""

    api: AdminApi
    url: str
    requests: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)
    """Method, target, header fields (names in lower case) and body."""


@contextmanager
def serve(api: AdminApi) -> Iterator[AdminServer]:
    """Serve under `/v1/admin/` on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fields = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append((self.command, self.path, fields, body))
            proxy = parts.path.removeprefix("/v1/admin/")
            query = parse_qs(parts.query, keep_blank_values=True)
            reply = api.send(rest_event(self.command, proxy, body.decode() or None, query))
            payload = json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base looks these names up

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = AdminServer(api, f"http://127.0.0.1:{httpd.server_port}")
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()

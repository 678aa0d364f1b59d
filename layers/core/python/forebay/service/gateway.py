"""The pipeline of one request, readable from top to bottom: route, call, relay, settle.

(Parsing and authentication come before it, in `forebay.web`; admission and the cache will stand
at its beginning.)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from forebay.dialects import DialectError, UpstreamReported, openai_chat, sse
from forebay.dialects.openai_chat import ChatRequest
from forebay.dialects.openai_chat_stream import ChatStream
from forebay.errors import ForebayError, UpstreamCut, UpstreamGarbled, UpstreamRefused
from forebay.model import UpstreamRequest
from forebay.money import format_usd
from forebay.ports import Clock, Entropy, UpstreamReply
from forebay.routing import weighted_choice
from forebay.service.account import Account, Call
from forebay.service.beginning import begun
from forebay.service.catalog import Catalog, Target
from forebay.service.settlement import Settlement

MAX_REPLY_BYTES = 32 * 1024 * 1024
"""Largest unstreamed reply that is kept in memory; an answer of 128k tokens is under 1 MB."""

MAX_ERROR_BYTES = 64 * 1024
"""As much of a failed reply's body is read."""

EVENT_STREAM = "text/event-stream"

KEEP_ALIVE_S = 15.0
"""A stream that has not begun after so long begins with a comment: an edge-optimised API cuts
after 30 s of silence, and other proxies on the way do too. (Later silences are the runtime's.)"""

RETRY_HEADERS = ("retry-after", "retry-after-ms", "x-should-retry")
"""What a provider says about trying again; it reaches the caller."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has begun.

    Args:
        headers: For the caller: `x-forebay-…`.
        stream: Whether the body is an event stream; else it is one JSON document.
        first: What there is of the body, in the caller's dialect; never empty.
        rest: What follows. Iterating raises `UpstreamError` where the answer breaks off: what
            was sent then is not whole.
    """

    headers: dict[str, str]
    stream: bool
    first: bytes
    rest: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Gateway:
    """Answers chat completions."""

    catalog: Catalog
    settlement: Settlement
    clock: Clock
    entropy: Entropy

    @asynccontextmanager
    async def chat(self, request: ChatRequest, call: Call) -> AsyncIterator[Answer]:
        """Answer a request; leaving the context settles it, however it was left.

        Raises:
            ModelNotFound: See `Catalog.find`.
            UpstreamError: There is no answer. Once there is one, its `rest` raises instead.
        """
        target = self._choose(self.catalog.find(request.model, call.key))
        account = Account(call, target, request_model=request.model, stream=request.stream)
        patience_s = KEEP_ALIVE_S if request.stream else None
        parts = self._answer(request, account)
        try:
            async with begun(parts, patience_s=patience_s, sign_of_life=sse.COMMENT) as (
                first,
                rest,
            ):
                yield Answer(_headers(account), request.stream, first, rest)
            account.left()
        except ForebayError as error:
            account.failed(error)
            raise
        except (asyncio.CancelledError, ConnectionError):
            account.cancelled()
            raise
        finally:
            await self.settlement.settle(account, lambda: openai_chat.prompt_text(request))

    async def _answer(self, request: ChatRequest, account: Account) -> AsyncGenerator[bytes]:
        """Ask the target and pass its answer on."""
        target = account.target
        async with await target.provider.send(_to_upstream(request, target)) as reply:
            account.status = reply.status
            await _check_head(reply, request, target)
            relay = self._relay_stream if request.stream else self._relay_whole
            async with aclosing(relay(request, reply, account)) as parts:
                async for part in parts:
                    account.began = True
                    yield part
        account.completed()

    def _choose(self, targets: tuple[Target, ...]) -> Target:
        return targets[weighted_choice([t.weight for t in targets], self.entropy.random())]

    async def _relay_stream(
        self, request: ChatRequest, reply: UpstreamReply, account: Account
    ) -> AsyncGenerator[bytes]:
        """Pass a stream on, event by event."""
        target = account.target.name
        stream = ChatStream(request.choices, request.include_usage, text=account.text)
        try:
            async for received in reply.chunks():
                passed_on = stream.feed(received)
                if account.first_token_at is None and stream.text:
                    account.first_token_at = self.clock.monotonic()
                account.usage = stream.usage
                if passed_on:
                    yield passed_on
                if stream.ended:
                    break
            yield stream.end(_usage_note(account))
        except UpstreamReported as error:
            raise _reported(error, account) from error
        except DialectError as error:
            kind = UpstreamCut if account.text else UpstreamGarbled
            raise kind(f"{target}: {error}.", target=target) from error

    async def _relay_whole(
        self, _request: ChatRequest, reply: UpstreamReply, account: Account
    ) -> AsyncGenerator[bytes]:
        """Pass on an answer that comes in one piece."""
        target = account.target.name
        body = await _read(reply, MAX_REPLY_BYTES)
        if len(body) > MAX_REPLY_BYTES:
            raise UpstreamGarbled(f"{target} answered with too many bytes.", target=target)
        try:
            completion = openai_chat.parse_completion(body)
        except UpstreamReported as error:
            raise _reported(error, account) from error
        except DialectError as error:
            raise UpstreamGarbled(f"{target}: {error}.", target=target) from error
        account.text.append(completion.text)
        account.usage = completion.usage
        account.first_token_at = self.clock.monotonic()
        yield body


def _to_upstream(request: ChatRequest, target: Target) -> UpstreamRequest:
    return UpstreamRequest(
        path=openai_chat.PATH,
        headers={"content-type": "application/json"},
        body=openai_chat.encode_request(request, model=target.model),
        stream=request.stream,
    )


async def _check_head(reply: UpstreamReply, request: ChatRequest, target: Target) -> None:
    """Refuse a reply that cannot become an answer, before anything is promised to the caller."""
    if not 200 <= reply.status < 300:
        error = openai_chat.parse_error(await _read(reply, MAX_ERROR_BYTES))
        raise UpstreamRefused(
            f"{target.name} answered with status {reply.status}.",
            target=target.name,
            status=reply.status,
            headers={name: reply.headers[name] for name in RETRY_HEADERS if name in reply.headers},
            error=error,
        )
    content_type = reply.headers.get("content-type", "").lower()
    if request.stream and not content_type.startswith(EVENT_STREAM):
        raise UpstreamGarbled(f"{target.name} answered without a stream.", target=target.name)


def _reported(error: UpstreamReported, account: Account) -> UpstreamRefused:
    """An error object in place of an answer, under a status that promised one."""
    return UpstreamRefused(
        f"{account.target.name} reported an error in its answer.",
        target=account.target.name,
        status=account.status,
        headers={},
        error=error.error,
    )


async def _read(reply: UpstreamReply, limit: int) -> bytes:
    """Read a body, but not much more than `limit` bytes of it."""
    parts: list[bytes] = []
    size = 0
    async for part in reply.chunks():
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return b"".join(parts)


def _headers(account: Account) -> dict[str, str]:
    headers = {"x-forebay-target": account.target.name, "x-forebay-attempts": "1"}
    if not account.stream and account.usage is not None:
        headers["x-forebay-cost-usd"] = format_usd(account.cost(account.usage))
    return headers


def _usage_note(account: Account) -> dict[str, str] | None:
    """What only the gateway knows of a stream's usage; where it has no header for it."""
    if account.usage is None:
        return None
    return {"cost_usd": format_usd(account.cost(account.usage))}

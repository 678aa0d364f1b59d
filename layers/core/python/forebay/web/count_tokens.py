"""`POST /v1/messages/count_tokens`: how many tokens a request to Anthropic's messages would take.

Source: https://platform.claude.com/docs/en/api/messages/count_tokens. Counted here, in the nearest
vocabulary that is known, so it is an estimate (as Anthropic's own is said to be), it does not
count pictures and files, and nothing is bought.
"""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from forebay.dialects.anthropic_messages_request import framing_tokens, parse_count, request_text
from forebay.ports import TokenCounter
from forebay.service.authentication import Authenticator
from forebay.service.catalog import Catalog
from forebay.web.errors import send_json
from forebay.web.request import presented_key, read_body, source_ip


class CountTokens:
    """Counts for callers who may use the model that they name."""

    def __init__(
        self, counter: TokenCounter, catalog: Catalog, authenticator: Authenticator
    ) -> None:
        self._counter = counter
        self._catalog = catalog
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        key = await self._authenticator.authenticate(
            presented_key(scope), source_ip=source_ip(scope)
        )
        asked = parse_count(await read_body(receive))
        target = self._catalog.find(asked.model, key).groups[0][0]
        counted = await self._counter.count(request_text(asked), model=target.model)
        await send_json(send, {"input_tokens": counted + framing_tokens(asked)})

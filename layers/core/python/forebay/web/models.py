"""`GET /v1/models` and `GET /v1/models/{id}`."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from forebay.service.authentication import Authenticator
from forebay.service.catalog import Catalog
from forebay.web.errors import send_json
from forebay.web.request import presented_key, source_ip


class Models:
    """Lists what the caller's key may call, in OpenAI's shape."""

    def __init__(self, catalog: Catalog, authenticator: Authenticator) -> None:
        self._catalog = catalog
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        key = await self._authenticator.authenticate(
            presented_key(scope), source_ip=source_ip(scope)
        )
        name = scope["path_params"].get("model")
        if name is None:
            data = [_card(model) for model in self._catalog.names(key)]
            await send_json(send, {"object": "list", "data": data})
            return
        self._catalog.find(name, key)
        await send_json(send, _card(name))


def _card(model: str) -> dict[str, object]:
    """A model as OpenAI lists it; when it was made is not known, and `created` is required."""
    return {"id": model, "object": "model", "created": 0, "owned_by": "forebay"}

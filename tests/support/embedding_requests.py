"""Requests for embeddings, and providers that answer them as they are told, in process."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from forebay.model import UpstreamRequest
from forebay.ports import Provider
from forebay.service.catalog import Catalog, Target
from forebay.service.target_dialects import OPENAI, TargetDialect
from tests.support.asgi import Reply
from tests.support.gateway import PRICE, World
from tests.support.surfaces import post, surfaces
from tests.support.told_provider import JSON, ToldProvider

PATH = "/v1/embeddings"


def embeddings(*vectors: object, usage: object = None, model: str = "e-1") -> bytes:
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    return json.dumps({"object": "list", "data": data, "model": model, "usage": usage}).encode()


TWO = embeddings([0.1, 2], [3, 4], usage={"prompt_tokens": 8, "total_tokens": 8})


def told(*steps: Any, **reply: Any) -> ToldProvider:
    return ToldProvider(*steps, **{"headers": JSON, **reply})


def ask(world: World, provider: Provider, dialect: TargetDialect = OPENAI, **request: Any) -> Reply:
    app = surfaces(world, world.gateway(provider, dialect=dialect))
    return post(world, app, PATH, **{"input": ["a", "b"], **request})


@dataclass(frozen=True)
class Tried:
    """A target of a model with several."""

    provider: Provider
    name: str = "p"
    dialect: TargetDialect = OPENAI
    model: str = "e"


def ask_one_of(world: World, *tried: Tried, **request: Any) -> Reply:
    """Ask a model whose fallbacks are the targets after the first."""
    targets = [Target(each.name, each.provider, each.model, PRICE, each.dialect) for each in tried]
    models = {f"m{index}" if index else "m": (each,) for index, each in enumerate(targets)}
    catalog = Catalog(models, {}, {"m": tuple(models)[1:]})
    app = surfaces(world, world.gateway_of(catalog))
    return post(world, app, PATH, **{"input": ["a", "b"], **request})


@dataclass
class Picky:
    """Port `Provider`: embeds everything alike, and refuses a call with an exclamation mark."""

    takes_s: float = 0.0
    calls: list[list[Any]] = field(default_factory=list)

    async def send(self, request: UpstreamRequest) -> Any:
        inputs = json.loads(request.body)["input"]
        self.calls.append(inputs)
        await asyncio.sleep(self.takes_s)
        refusal = told(b'{"error":{"message":"no"}}', status=400)
        answer = told(embeddings(*[[1]] * len(inputs), usage={"prompt_tokens": len(inputs)}))
        return await (refusal if "!" in inputs else answer).send(request)

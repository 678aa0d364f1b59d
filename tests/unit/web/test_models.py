"""`GET /v1/models` and `GET /v1/models/{id}`: what the caller's key may call."""

import asyncio
from typing import Any

import pytest

from tests.support.asgi import Reply, call
from tests.support.gateway import World

CARD = {"object": "model", "created": 0, "owned_by": "forebay"}


def get(world: World, path: str, **policy: Any) -> Reply:
    headers = {"authorization": f"Bearer {world.secret(**policy)}"}
    return asyncio.run(call(world.app(), "GET", path, headers=headers))


def test_all_models_are_listed_sorted_in_openai_s_shape() -> None:
    reply = get(World(), "/v1/models")

    assert (reply.status, reply.json()) == (
        200,
        {"object": "list", "data": [{"id": "m", **CARD}, {"id": "org/m", **CARD}]},
    )


def test_a_key_sees_only_its_models() -> None:
    reply = get(World(), "/v1/models", models=("org/m", "gone"))

    assert [card["id"] for card in reply.json()["data"]] == ["org/m"]


@pytest.mark.parametrize("name", ["m", "org/m"])
def test_a_model_is_shown_by_its_name_also_with_a_slash(name: str) -> None:
    reply = get(World(), f"/v1/models/{name}")

    assert (reply.status, reply.json()) == (200, {"id": name, **CARD})


@pytest.mark.parametrize("name", ["x", "org", "org/m/x", "M", ""])
def test_a_model_that_does_not_exist_is_404(name: str) -> None:
    reply = get(World(), f"/v1/models/{name}")

    assert (reply.status, reply.json()["error"]["code"]) == (404, "model_not_found")


def test_a_model_that_is_not_the_key_s_is_404() -> None:
    reply = get(World(), "/v1/models/m", models=("org/m",))

    assert reply.status == 404


def test_looking_at_models_leaves_no_row() -> None:
    world = World()
    get(world, "/v1/models")

    assert (world.rows(), world.lines) == ([], [])

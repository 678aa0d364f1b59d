"""The scripted faults again, at a target that speaks another dialect than the caller."""

import pytest

from forebay.model import Outcome
from forebay.service.target_dialects import ANTHROPIC
from tests.support.asgi import Reply
from tests.support.gateway import World, chat
from tests.support.scripted_anthropic import AnthropicScripted

CLEAN = (
    ("refuse", 503), ("server_error", 502), ("bad_gateway", 502), ("rate_limited", 429),
    ("html", 502), ("empty", 502), ("cut", 200), ("stall", 200), ("broken_json", 200),
)  # fmt: skip


def ask(world: World, fault: str | None = None, *, stream: bool = True) -> Reply:
    provider = AnthropicScripted(world.scripted(fault, tokens=9))
    return chat(world, world.app(provider, dialect=ANTHROPIC), stream=stream)


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_is_translated(*, stream: bool) -> None:
    world = World()

    reply = ask(world, stream=stream)

    assert (reply.status, b"Water" in reply.body) == (200, True)
    (row,) = world.rows()
    assert (row.outcome, row.usage.output_tokens) == (Outcome.COMPLETE, 9)


@pytest.mark.parametrize(("fault", "status"), CLEAN)
def test_inv3_a_fault_is_a_clean_error_for_a_caller_of_another_dialect(
    fault: str, status: int
) -> None:
    world = World()

    reply = ask(world, fault)

    assert reply.status == status
    assert b'"error"' in reply.body
    assert b"[DONE]" not in reply.body
    (row,) = world.rows()
    assert row.outcome is not Outcome.COMPLETE

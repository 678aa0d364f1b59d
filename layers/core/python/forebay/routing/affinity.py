"""Choice by a conversation's beginning, so that replicas' prefix caches hit.

**What is stable.** Each turn of a conversation repeats all that came before it and adds to the end:
what never changes are the tools, the system prompt and the messages up to the first of the user's.
That is the key. (All messages but the last are the longest prefix that two turns share, but another
one at each turn: a key of those would move the conversation to another replica at each turn. The
system prompt alone is stable too, but the same for all conversations of an application: one replica
would get them all. Each replica soon has a popular system prompt in its cache anyway. So has it the
examples that some applications put before each conversation as turns of its own; those do share
one key, and only the bound spreads them.)

**Who gets a key.** Rendezvous hashing: each replica has a score for each key, the highest is asked
first. A replica that leaves takes only its own conversations with it, and all processes agree
without a word. Scores are weighted.

**Bounded load.** With m calls in flight, this one included, a replica is full from `(1 + EPSILON) x
m x (its share by weight)` calls on, rounded up; full ones come after those with room. Some replica
always has room, since the bounds add up to more than m. Where nobody counts calls (one request a
process) the times tell: one whose first token is `SLOW`-fold late is full, whatever is in flight.

Sources: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA
2018 (the bound); D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
IEEE/ACM ToN 6(1), 1998 (rendezvous hashing); C. Schindelhauer, G. Schomaker, "Weighted Distributed
Hash Tables", SPAA 2005 (the logarithmic method).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from math import ceil, log
from typing import TypeVar

import msgspec

from forebay.routing.load import Candidate, Load, cooling_last, known_first_tokens_s

EPSILON = 0.25
"""How far a replica's load may lie above its share; KubeAI's default (`meanLoadFactor: 125`)."""
FREE_CALLS = 4
"""With fewer in flight no replica is full: they run in one batch and hardly slow each other, while
a share of a few calls is less than one of them and would scatter conversations."""
SLOW = 3.0
"""A replica that waits for calls of other processes is this many times slower than the fastest; a
prefix that must be read anew makes less of a difference on most prompts."""
MAX_PART_BYTES = 64 * 1024
"""As much of each part of the prefix counts: about 16,000 tokens, hashed in 0.1 ms."""

AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


class _Message(msgspec.Struct):
    role: str | None = None


_decode_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_role = msgspec.json.Decoder(_Message).decode


def opening(messages: bytes) -> list[bytes]:
    """Return the messages up to the first of the user's, as they came.

    Args:
        messages: JSON array of objects with a `role`, as both OpenAI's chat completions and
            Anthropic's messages have them; it has been parsed before, so it is one.
    """
    opened: list[bytes] = []
    try:
        for message in _decode_messages(messages):
            opened.append(bytes(message))
            if _decode_role(message).role == "user":
                break
    except RecursionError:  # nested just not too deeply to be parsed on a stack that was less deep
        return [messages]
    return opened


def prefix_key(parts: Iterable[bytes]) -> bytes:
    """Return the key of a conversation, 16 bytes.

    Args:
        parts: What stays the same at each turn: tools, system prompt, `opening`; each always in
            the same place, and empty where there is none.
    """
    digest = blake2b(digest_size=16)
    for part in parts:
        head = memoryview(part)[:MAX_PART_BYTES]
        # With its length, or ("ab", "c") would be ("a", "bc").
        digest.update(len(head).to_bytes(4, "big"))
        digest.update(head)
    return digest.digest()


def order_by_prefix(
    key: bytes, candidates: Sequence[AnyCandidate], load_of: Callable[[AnyCandidate], Load]
) -> list[int]:
    """Return all indices in the order in which they are to be tried; O(n log n).

    Args:
        key: Of the conversation, see `prefix_key`.
        candidates: Replicas that can all answer.
        load_of: How busy each is.
    """
    loads = [load_of(candidate) for candidate in candidates]
    is_full = _full(candidates, loads)
    order = sorted(
        range(len(candidates)),
        key=lambda index: (is_full[index], -_score(key, candidates[index])),
    )
    return cooling_last(order, loads)


def with_affinity(order: Sequence[int], replicas: Sequence[int]) -> list[int]:
    """Let some of the targets of an order exchange their places.

    Args:
        order: Of all targets.
        replicas: Some of them, in the order in which they are to come.

    Returns:
        The same order, but for the places of the replicas: those are taken in their own order.
    """
    among, following = frozenset(replicas), iter(replicas)
    return [next(following) if index in among else index for index in order]


def _score(key: bytes, candidate: Candidate) -> float:
    digest = blake2b(candidate.name.encode(), key=key, digest_size=8).digest()
    uniform = (int.from_bytes(digest, "big") + 0.5) / 2.0**64
    # ln(uniform) is 0 only where it rounds to 1: then this replica is the best there can be.
    return candidate.weight / max(-log(uniform), 1e-300)


def _full(candidates: Sequence[Candidate], loads: list[Load]) -> list[bool]:
    calls = sum(load.in_flight for load in loads) + 1
    weights = sum(candidate.weight for candidate in candidates)
    slow_s = SLOW * min(known_first_tokens_s(loads), default=0.0)
    return [
        load.in_flight >= max(FREE_CALLS, ceil((1 + EPSILON) * calls * candidate.weight / weights))
        or (load.first_token_s is not None and load.first_token_s > slow_s)
        for candidate, load in zip(candidates, loads, strict=True)
    ]

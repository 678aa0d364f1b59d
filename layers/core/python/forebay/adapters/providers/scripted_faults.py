"""Which fault strikes, and what a reply looks like that is at fault from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from forebay.settings import ScriptedFault, ScriptedFaults

JSON: Final = {"content-type": "application/json"}
PAGE: Final = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reply that is no answer: all of it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON))
    body: bytes = b""


def pick_fault(faults: ScriptedFaults, roll: Callable[[], float]) -> ScriptedFault | None:
    """Say which fault strikes a request, if any.

    Args:
        faults: How probable each is.
        roll: Uniform in [0, 1); asked once at most, and not where nothing is left to chance.
    """
    probabilities = faults.probabilities()
    if not probabilities:
        return None
    certain = next((fault for fault, share in probabilities.items() if share >= 1), None)
    if certain is not None:
        return certain
    point = roll()
    bounds = zip(probabilities, accumulate(probabilities.values()), strict=True)
    return next((fault for fault, bound in bounds if point < bound), None)


def refusal_for(fault: ScriptedFault | None, faults: ScriptedFaults) -> Refusal | None:
    """Return the reply that a fault makes instead of an answer; None if it lets one begin."""
    match fault:
        case ScriptedFault.RATE_LIMITED:
            return rate_limited(faults.retry_after_s)
        case ScriptedFault.SERVER_ERROR:
            return Refusal(500, body=_error("scripted failure", "server_error"))
        case ScriptedFault.BAD_GATEWAY:
            return Refusal(502, {"content-type": "text/html"}, PAGE)
        case ScriptedFault.HTML:
            return Refusal(200, {"content-type": "text/html"}, PAGE)
        case _:
            return None


def rate_limited(retry_after_s: int) -> Refusal:
    """Return a 429 that says when to come again, in OpenAI's shape."""
    headers = {**JSON, "retry-after": str(retry_after_s)}
    return Refusal(429, headers, _error("scripted limit", "rate_limit_error"))


def _error(message: str, kind: str) -> bytes:
    return (
        f'{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":null}}}}'.encode()
    )

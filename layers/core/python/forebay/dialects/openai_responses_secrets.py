"""What a provider needs to take its reasoning back, as a reasoning item's `encrypted_content`.

Source: https://platform.openai.com/docs/guides/reasoning, "Encrypted reasoning items": opaque to
the caller, who sends it back as it came. So it can carry another provider's signature of a thought,
or a thought that only that provider can read.
"""

from __future__ import annotations

from typing import Final

from forebay.dialects.canonical import Thinking

_SIGNATURE: Final = "signature:"
_REDACTED: Final = "redacted:"


def close_secret(*, signature: str | None = None, redacted: str | None = None) -> str | None:
    """Write a signature or a redacted thought; None where there is neither."""
    if redacted is not None:
        return _REDACTED + redacted
    return None if signature is None else _SIGNATURE + signature


def open_secret(secret: str, text: str) -> Thinking | None:
    """Read a thought back; None if another gateway or OpenAI wrote the secret.

    Args:
        secret: The `encrypted_content`.
        text: What the item says openly.
    """
    if secret.startswith(_SIGNATURE):
        return Thinking(text, signature=secret.removeprefix(_SIGNATURE))
    if secret.startswith(_REDACTED):
        return Thinking("", redacted=secret.removeprefix(_REDACTED))
    return None

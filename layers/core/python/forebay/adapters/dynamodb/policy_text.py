"""A key's policy as it is stored: one JSON text with what differs from the defaults.

One attribute instead of a map of a dozen: whoever stores keys without knowing a limit carries it
along unread, an item without the attribute is a key without limits, and a short policy takes some
60 bytes. Renaming a field of `KeyPolicy` or `Budget` changes what is stored: a test holds the
names.
"""

from __future__ import annotations

from dataclasses import fields

import msgspec

from forebay.model import UNLIMITED, KeyPolicy


def policy_to_text(policy: KeyPolicy) -> str | None:
    """Return a policy as JSON; None where it has no limits."""
    stated = {
        field.name: value
        for field in fields(policy)
        if (value := getattr(policy, field.name)) != getattr(UNLIMITED, field.name)
    }
    return msgspec.json.encode(stated).decode() if stated else None


def text_to_policy(text: str | None) -> KeyPolicy:
    """Return the policy of a text; fields that a newer version wrote are passed over.

    Raises:
        ValueError: It is no policy. (What cannot be read must not read as "no limits".)
    """
    if text is None:
        return UNLIMITED
    # msgspec's errors are ValueErrors.
    return msgspec.json.decode(text, type=KeyPolicy)

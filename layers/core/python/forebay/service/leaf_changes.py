"""What a leaf is told when an operator changes its key."""

from __future__ import annotations

from forebay.model import KeyRecord
from forebay.ports.background import OpenHolds
from forebay.service.leaves import Leaves


async def tell_leaf(key: KeyRecord, leaves: Leaves, holds: OpenHolds, *, now: float) -> None:
    """Bring a key's leaf to a policy that was just stored, or to its revocation. Three calls.

    Until its leaf knows, processes that read the key a second ago still admit by the old policy;
    afterwards the very next request of each reads the key again. To be called between storing the
    key and saying that it is done; if that never happens, the next reader of the key does it.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    terms = await leaves.terms(key, now=now)
    leaf = None if terms is None else await holds.read(terms.scope)
    if terms is not None and leaf is not None and leaf.version < key.version:
        await leaves.follow(terms, leaf)

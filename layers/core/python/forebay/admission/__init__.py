"""Decide whether a request may enter: pure, no I/O, no clock, no dice of its own.

`secret` is the shape of an API key: how it is made, checked for typing errors without asking a
store, hashed and compared. Who looks the key up is `forebay.service.keys`; where it is stored is
an adapter's business.

Money and rates, from the inside out: `gcra` (one rate as one number), `hold` (money of one request,
packed), `period` (the calendar of budgets), `leaf` (the one item that a request writes, and each
change of it), `terms` (what a key's limits mean for its leaf, and why one refused), `renewal` (how
a leaf follows policy and calendar), `escrow` (how limits above a leaf are shared out among leaves).

This package imports neither its siblings (`routing`, `dialects`) nor anything above it; random
bytes and the time come in as arguments, so every decision here is a table that a test can walk.
"""

from forebay.admission.secret import (
    ENTROPY_BYTES,
    KeySecret,
    digest,
    holds_secret,
    masked,
    matches,
    mint,
    parse,
)

__all__ = [
    "ENTROPY_BYTES",
    "KeySecret",
    "digest",
    "holds_secret",
    "masked",
    "matches",
    "mint",
    "parse",
]

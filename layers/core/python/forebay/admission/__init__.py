"""Decide whether a request may enter: pure, no I/O, no clock, no dice of its own.

`secret` is the shape of an API key: how it is made, checked for typing errors without asking a
store, hashed and compared. Who looks the key up is `forebay.service.keys`; where it is stored is
an adapter's business.

This package imports neither its siblings (`routing`, `dialects`) nor anything above it; random
bytes and the time come in as arguments, so every decision here is a table that a test can walk.
"""

from forebay.admission.secret import ENTROPY_BYTES, KeySecret, digest, masked, matches, mint, parse

__all__ = ["ENTROPY_BYTES", "KeySecret", "digest", "masked", "matches", "mint", "parse"]

"""How large a picture is, read from the beginning of its bytes.

Sources: PNG, https://www.w3.org/TR/png-3/#11IHDR; GIF, https://www.w3.org/Graphics/GIF/spec-gif89a.txt
(section 18); JPEG, ITU-T T.81 (B.2.2); WebP, RFC 9649 (2.4-2.7). These four are what providers
take. What cannot be read has no size: its price is then bounded otherwise.
"""

from __future__ import annotations

import binascii
from typing import Final

Size = tuple[int, int]
"""Width and height in pixels."""

HEADER_BYTES: Final = 96 * 1024
"""JPEG's size stands behind its metadata, where a camera's preview can take 64 KB."""

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers of a frame, which have the size."""
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG's markers that no length follows."""


def size_of(base64: str) -> Size | None:
    """Read a picture's size.

    Args:
        base64: The picture, or at least its beginning.
    """
    text = base64[: HEADER_BYTES // 3 * 4]
    try:
        head = binascii.a2b_base64(text[: len(text) // 4 * 4])
    except ValueError:
        return None
    size = _png(head) or _gif(head) or _webp(head) or _jpeg(head)
    return size if size is not None and min(size) > 0 else None


def _png(head: bytes) -> Size | None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR" or len(head) < 24:
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _gif(head: bytes) -> Size | None:
    if head[:6] not in {b"GIF87a", b"GIF89a"} or len(head) < 10:
        return None
    return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")


def _webp(head: bytes) -> Size | None:
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or len(head) < 30:
        return None
    match head[12:16]:
        case b"VP8X":
            width = int.from_bytes(head[24:27], "little") + 1
            return width, int.from_bytes(head[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width = int.from_bytes(head[26:28], "little") & 0x3FFF
            return width, int.from_bytes(head[28:30], "little") & 0x3FFF
        case _:
            return None


def _jpeg(head: bytes) -> Size | None:
    """Walk the segments up to the frame's."""
    if head[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            height = int.from_bytes(head[at + 5 : at + 7], "big")
            return int.from_bytes(head[at + 7 : at + 9], "big"), height
        else:
            at += 2 + max(2, int.from_bytes(head[at + 2 : at + 4], "big"))
    return None

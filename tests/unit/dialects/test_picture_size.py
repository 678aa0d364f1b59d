"""Reading a picture's size from its first bytes."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.dialects.picture_size import size_of

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
GIF = b"GIF89a" + (640).to_bytes(2, "little") + (480).to_bytes(2, "little") + b"\0\0\0"
FRAME = b"\xff\xc2\0\x11\x08" + (480).to_bytes(2, "big") + (640).to_bytes(2, "big") + b"\3"
EXIF = b"\xff\xe1" + (60_002).to_bytes(2, "big") + b"\xff\xc0" * 30_000
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + FRAME
CAMERA = b"\xff\xd8" + EXIF + b"\xff\xd0\xff" + FRAME
RIFF = b"RIFF\0\0\0\0WEBP"
EXTENDED = RIFF + b"VP8X" + b"\0" * 8 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")
LOSSLESS = (
    RIFF + b"VP8L" + b"\0" * 4 + b"\x2f" + (639 | 479 << 14).to_bytes(4, "little") + b"\0" * 5
)
LOSSY = RIFF + b"VP8 " + b"\0" * 10 + (640).to_bytes(2, "little") + (480).to_bytes(2, "little")

PICTURES = {
    "PNG": PNG,
    "GIF": GIF,
    "JPEG": JPEG,
    "JPEG behind a preview of 60 KB": CAMERA,
    "WebP, extended": EXTENDED,
    "WebP, lossless": LOSSLESS,
    "WebP, lossy": LOSSY,
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_size_is_read(picture: bytes) -> None:
    assert size_of(b64encode(picture + b"\0" * 200_000).decode()) == (640, 480)


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_header_that_was_cut_has_no_size_or_the_right_one(picture: bytes) -> None:
    for end in range(len(picture) if len(picture) < 200 else 40):
        assert size_of(b64encode(picture[:end]).decode()) in {None, (640, 480)}


@pytest.mark.parametrize(
    "data",
    [
        *("", "=", "no base64 äöü", "AAAA", "A" * 9),
        b64encode(PNG[:16] + b"\0" * 8).decode(),
        b64encode(RIFF + b"ODD " + b"\1" * 20).decode(),
    ],
)
def test_what_is_no_picture_has_no_size(data: str) -> None:
    assert size_of(data) is None


@given(st.sampled_from([b"", *(each[:20] for each in PICTURES.values())]), st.binary(max_size=80))
def test_whatever_comes_is_read_or_not(begin: bytes, rest: bytes) -> None:
    size = size_of(b64encode(begin + rest).decode())

    assert size is None or min(size) > 0

"""Where a URL leads."""

import pytest

from forebay.adapters.http.pool import Origin

ORIGINS = {
    "http://h/v1": (Origin(secure=False, host="h", port=80), "h"),
    "https://h": (Origin(secure=True, host="h", port=443), "h"),
    "https://h/": (Origin(secure=True, host="h", port=443), "h"),
    "https://h:443/v1": (Origin(secure=True, host="h", port=443), "h"),
    "http://h:443": (Origin(secure=False, host="h", port=443), "h:443"),
    "https://H:8443": (Origin(secure=True, host="h", port=8443), "h:8443"),
    "http://127.0.0.1:4566": (Origin(secure=False, host="127.0.0.1", port=4566), "127.0.0.1:4566"),
    "http://[::1]/x": (Origin(secure=False, host="::1", port=80), "[::1]"),
    "http://[::1]:1/x": (Origin(secure=False, host="::1", port=1), "[::1]:1"),
}


@pytest.mark.parametrize(("url", "origin", "authority"), [(u, *o) for u, o in ORIGINS.items()])
def test_an_origin_has_scheme_host_and_port(url: str, origin: Origin, authority: str) -> None:
    assert (Origin.of(url), Origin.of(url).authority) == (origin, authority)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "dynamodb",
        "h:80",
        "ftp://h",
        "https://",
        "https:///v1",
        "http://h:99999",
        "http://h:0",
        "http://h:x",
        "http://[::1",
        "http://a b",
        "http://a\0b",
        "http://h\u00e9",
    ],
)
def test_what_is_no_origin_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected https://host\[:port\]"):
        Origin.of(url)


def test_what_is_no_origin_is_not_quoted() -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        Origin.of("htps://user:secret@h")

    assert "secret" not in str(caught.value)

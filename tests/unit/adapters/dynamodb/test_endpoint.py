"""Where DynamoDB is."""

import pytest

from forebay.adapters.dynamodb import DynamoDbSettings
from forebay.adapters.dynamodb.pool import Endpoint
from forebay.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "endpoint", "authority"),
    [
        ("https://a.example", Endpoint("a.example", 443, tls=True), "a.example"),
        ("https://a.example/", Endpoint("a.example", 443, tls=True), "a.example"),
        ("https://a.example:443", Endpoint("a.example", 443, tls=True), "a.example"),
        ("http://127.0.0.1:4566", Endpoint("127.0.0.1", 4566, tls=False), "127.0.0.1:4566"),
        ("http://a.example:443", Endpoint("a.example", 443, tls=False), "a.example:443"),
        ("http://[::1]:4566", Endpoint("::1", 4566, tls=False), "[::1]:4566"),
    ],
)
def test_an_endpoint_is_read(url: str, endpoint: Endpoint, authority: str) -> None:
    assert (Endpoint.parse(url), Endpoint.parse(url).authority) == (endpoint, authority)


@pytest.mark.parametrize(
    "url",
    ["", "dynamodb", "ftp://a", "https://", "https://a/path", "http://a:99999", "http://[::1"],
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="expected https://"):
        Endpoint.parse(url)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "dynamodb.eu-central-1.amazonaws.com"),
        ("cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_without_an_endpoint_it_is_the_region_s_own(region: str, host: str) -> None:
    assert DynamoDbSettings(region).endpoint == Endpoint(host, 443, tls=True)

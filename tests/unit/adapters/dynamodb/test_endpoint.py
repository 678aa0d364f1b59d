"""Where DynamoDB is."""

import pytest

from forebay.adapters.dynamodb import DynamoDbSettings
from forebay.adapters.http.pool import Origin
from forebay.errors import ConfigurationError

REGION = "eu-central-1"


@pytest.mark.parametrize("url", ["http://127.0.0.1:4566", "http://127.0.0.1:4566/"])
def test_an_endpoint_is_an_origin(url: str) -> None:
    expected = Origin(secure=False, host="127.0.0.1", port=4566)

    assert DynamoDbSettings(REGION, url).endpoint == expected


@pytest.mark.parametrize("url", ["dynamodb", "ftp://a", "https://", "https://a/path"])
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=f"endpoint '{url}': expected https://"):
        _ = DynamoDbSettings(REGION, url).endpoint


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "dynamodb.eu-central-1.amazonaws.com"),
        ("cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_without_an_endpoint_it_is_the_region_s_own(region: str, host: str) -> None:
    assert DynamoDbSettings(region).endpoint == Origin(secure=True, host=host, port=443)

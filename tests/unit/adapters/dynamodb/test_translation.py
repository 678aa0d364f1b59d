"""PynamoDB's exceptions become ours; none gets through."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from pynamodb.exceptions import (
    AttributeDeserializationError,
    AttributeNullError,
    GetError,
    PutError,
    PynamoDBException,
    QueryError,
    UpdateError,
)

from forebay.adapters.dynamodb.translation import store_errors
from forebay.errors import ConditionFailed, StoreError, StoreUnavailable


def refused(code: str, status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "because"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "GetItem")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PutError(cause=refused("ConditionalCheckFailedException")), ConditionFailed),
        (GetError(cause=refused("ThrottlingException")), StoreUnavailable),
        (QueryError(cause=refused("ProvisionedThroughputExceededException")), StoreUnavailable),
        (QueryError(cause=refused("502", status=502)), StoreUnavailable),
        (UpdateError(cause=refused("ValidationException")), StoreError),
        (GetError(cause=refused("AccessDeniedException")), StoreError),
        (GetError(cause=EndpointConnectionError(endpoint_url="http://x")), StoreUnavailable),
        (GetError(cause=NoCredentialsError()), StoreUnavailable),
        (PynamoDBException("anything else"), StoreUnavailable),
        (AttributeDeserializationError("name", "S"), StoreError),
        (AttributeNullError("name"), StoreError),
    ],
    ids=lambda value: str(getattr(value, "cause", None) or value),
)
def test_each_has_its_counterpart(error: Exception, expected: type[StoreError]) -> None:
    with pytest.raises(StoreError, match="GetItem") as caught, store_errors("GetItem"):
        raise error
    assert type(caught.value) is expected
    assert caught.value.__cause__ is error


def test_the_explanation_is_kept() -> None:
    with (
        pytest.raises(StoreError, match="ValidationException: because"),
        store_errors("PutItem"),
    ):
        raise PutError(cause=refused("ValidationException"))


def test_what_is_not_the_store_s_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), store_errors("GetItem"):
        _ = 1 / 0

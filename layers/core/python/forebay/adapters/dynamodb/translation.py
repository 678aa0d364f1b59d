"""PynamoDB's exceptions, told in `forebay.errors`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pynamodb.exceptions import (
    AttributeDeserializationError,
    AttributeNullError,
    PynamoDBException,
)

from forebay.adapters.dynamodb.failures import failure
from forebay.errors import StoreError, StoreUnavailable


@contextmanager
def store_errors(operation: str) -> Iterator[None]:
    """Translate what PynamoDB raises in this block.

    Raises:
        ConditionFailed: A conditional write lost (without the item that it met).
        StoreUnavailable: Throttled, failed or out of reach.
        StoreError: DynamoDB refused the operation for good, or an item cannot be read.
    """
    try:
        yield
    except (AttributeDeserializationError, AttributeNullError) as error:
        raise StoreError(f"DynamoDB {operation}: the item cannot be read: {error}") from error
    except PynamoDBException as error:
        code = error.cause_response_code
        if code is None:  # no reply at all
            raise StoreUnavailable(f"DynamoDB {operation}: {error}") from error
        explanation = error.cause_response_message or error.msg
        raise failure(operation, _status(error), code, explanation) from error


def _status(error: PynamoDBException) -> int:
    response: dict[str, Any] = getattr(error.cause, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))

"""DynamoDB's errors, told in `forebay.errors`: the one table for the lean client and PynamoDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forebay.errors import ConditionFailed, StoreError, StoreUnavailable

CONDITION_FAILED = "ConditionalCheckFailedException"

TRANSIENT = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
    }
)
"""Refusals that say nothing about the request: the same one may pass a moment later.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

MESSAGE_LIMIT_CHARACTERS = 300
"""DynamoDB's explanations quote the request; a log line needs no more of them."""


def failure(
    operation: str,
    status: int,
    code: str,
    explanation: str,
    item: Mapping[str, Any] | None = None,
) -> StoreError:
    """Return the error that stands for DynamoDB's refusal of an operation.

    Args:
        operation: e.g. `PutItem`.
        status: HTTP status of the reply.
        code: DynamoDB's name of the error, e.g. `ValidationException`.
        explanation: Its message.
        item: The item that a failed condition met.
    """
    message = f"DynamoDB refused {operation}: {code}: {explanation[:MESSAGE_LIMIT_CHARACTERS]}"
    if code == CONDITION_FAILED:
        return ConditionFailed(message, item=item)
    if code in TRANSIENT or status >= 500:
        return StoreUnavailable(message)
    return StoreError(message)

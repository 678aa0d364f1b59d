"""What can go wrong, as one small tree.

::

    ForebayError
    ├── CallerError            the request is at fault; repeating it unchanged is useless
    │   ├── InvalidRequest         malformed body, wrong type, missing field
    │   ├── CostNotBounded         what it asks for may cost anything, and there is a budget
    │   ├── PayloadTooLarge        body over the limit
    │   ├── AuthenticationFailed   no key, malformed, unknown or revoked
    │   ├── PermissionDenied       a good key that may not do this
    │   ├── ModelNotFound          no such model, or none that this key may use
    │   ├── NotFound               no such path, key or job
    │   ├── RequestExceedsLimit    one request that is more than the key's limit ever allows at once
    │   ├── IdempotencyKeyReused   an Idempotency-Key that came with another body before
    │   └── IdempotencyKeyInUse    the first request with it still runs; says when to ask again
    ├── LimitExceeded          the caller's allowance is used up; says when it frees
    ├── BudgetSpent            what is left of a budget cannot pay for the request
    ├── UpstreamError          the provider is at fault
    │   ├── UpstreamUnavailable    no connection, or no reply in time
    │   ├── UpstreamRefused        the provider answered with an error status
    │   ├── UpstreamGarbled        it answered what is no answer of its dialect
    │   └── UpstreamCut            its stream ended before the answer was whole
    ├── StoreError             our own state is out of reach
    │   ├── StoreUnavailable
    │   └── ConditionFailed        a conditional write lost; carries the item it met
    └── ConfigurationError     gateway.toml or the environment is wrong; refused at start

Each class has a stable `code` (what a program matches on) and says whether the same call may
succeed later (`retryable`). The HTTP status is chosen in `forebay.web.errors` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ForebayError(Exception):
    """Base of all that Forebay raises on purpose.

    Args:
        message: A sentence for the person who reads it: what is wrong and what to do.
            It never holds a secret, a prompt or an answer.
    """

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CallerError(ForebayError):
    """The request is at fault.

    Args:
        message: See `ForebayError`.
        param: The field at fault, as OpenAI's `param` names it (`messages[0].role`).
    """

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class InvalidRequest(CallerError):
    """The body is not what the API defines."""


class CostNotBounded(CallerError):
    """What is asked for may cost anything, and the key's budget must hold."""

    code = "cost_not_bounded"


class PayloadTooLarge(CallerError):
    """The body is larger than the API takes."""

    code = "request_too_large"


class AuthenticationFailed(CallerError):
    """No key, or one that is malformed, unknown or revoked."""

    code = "invalid_api_key"


class PermissionDenied(CallerError):
    """The key is good, but may not do this."""

    code = "permission_denied"


class ModelNotFound(CallerError):
    """No such model for this key."""

    code = "model_not_found"


class NotFound(CallerError):
    """No such thing."""

    code = "not_found"


class RequestExceedsLimit(CallerError):
    """One request that is more than a limit ever allows at once: waiting would not help."""

    code = "request_exceeds_limit"


class IdempotencyKeyReused(CallerError):
    """The caller's `Idempotency-Key` came with another body before."""

    code = "idempotency_key_reused"


class IdempotencyKeyInUse(CallerError):
    """The first request with this `Idempotency-Key` still runs.

    The only caller's error that passes by itself: nothing is wrong but the moment.

    Args:
        message: See `ForebayError`.
        retry_after_s: Seconds after which it is worth asking again.
    """

    code = "idempotency_key_in_use"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LimitExceeded(ForebayError):
    """An allowance is used up.

    Args:
        message: Which limit, and when it frees.
        retry_after_s: Seconds until the same call can succeed.
    """

    code = "rate_limit_exceeded"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BudgetSpent(ForebayError):
    """What is left of a budget cannot pay for the request.

    Args:
        message: Which budget, what is left, and when it renews.
        left_nano_usd: What is left, in nano-dollars; open holds are not.
        renews_at: Epoch seconds when the period ends; None: never.
    """

    code = "insufficient_quota"

    def __init__(self, message: str, *, left_nano_usd: int, renews_at: float | None) -> None:
        super().__init__(message)
        self.left_nano_usd = left_nano_usd
        self.renews_at = renews_at


class UpstreamError(ForebayError):
    """The provider is at fault.

    Args:
        message: See `ForebayError`; the provider is named by its configured name.
        target: `provider/model`, as configured.
    """

    code = "upstream_error"
    retryable = True

    def __init__(self, message: str, *, target: str) -> None:
        super().__init__(message)
        self.target = target


class UpstreamUnavailable(UpstreamError):
    """No connection, or no reply in time."""

    code = "upstream_unavailable"


class UpstreamRefused(UpstreamError):
    """The provider answered with an error status.

    Args:
        message: See `ForebayError`.
        target: `provider/model`, as configured.
        status: The provider's HTTP status, 300-599.
        headers: What of its headers concerns a retry (`retry-after`, `retry-after-ms`,
            `x-should-retry`), lower case.
        error: The provider's own error object, if it sent one in its dialect.
    """

    code = "upstream_refused"

    def __init__(
        self,
        message: str,
        *,
        target: str,
        status: int,
        headers: Mapping[str, str],
        error: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(message, target=target)
        self.status = status
        self.headers = headers
        self.error = error


class UpstreamGarbled(UpstreamError):
    """The provider answered what is no answer of its dialect."""

    code = "upstream_garbled"


class UpstreamCut(UpstreamError):
    """The provider's stream ended before the answer was whole."""

    code = "upstream_cut"


class StoreError(ForebayError):
    """Our own state is out of reach or in the way."""

    code = "store_error"


class StoreUnavailable(StoreError):
    """The store did not answer, or throttled us."""

    code = "store_unavailable"
    retryable = True


class ConditionFailed(StoreError):
    """A conditional write lost.

    Args:
        message: Which write.
        item: The item it met (`ReturnValuesOnConditionCheckFailure: ALL_OLD`), or None where
            there is none.
    """

    code = "condition_failed"

    def __init__(self, message: str, *, item: Mapping[str, Any] | None) -> None:
        super().__init__(message)
        self.item = item


class ConfigurationError(ForebayError):
    """gateway.toml or the environment is wrong.

    Args:
        faults: One line a fault: `gateway.toml:12: models.fast.targets: expected …`.
    """

    code = "configuration_error"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)

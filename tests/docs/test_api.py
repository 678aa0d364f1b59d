"""The page on the API has the routes, headers and errors that the code has."""

import re

import pytest

from forebay import errors
from forebay.dialects.anthropic_messages_errors import error_type
from forebay.service.replies import RETRY_HEADERS
from forebay.settings import MAX_REQUEST_BODY_BYTES
from forebay.web.app import EXPOSED_HEADERS
from forebay.web.errors import PASSED_ON, http_error
from tests.docs.pages import ROOT, spans

PAGE = "docs/reference/api.md"
TEXT = (ROOT / PAGE).read_text()
APP = (ROOT / "layers/core/python/forebay/web/app.py").read_text()

# One of each that a caller can meet, in the page's order.
ERRORS: list[errors.ForebayError] = [
    errors.InvalidRequest(""),
    errors.CostNotBounded(""),
    errors.RequestExceedsLimit(""),
    errors.AuthenticationFailed(""),
    errors.PermissionDenied(""),
    errors.ModelNotFound(""),
    errors.IdempotencyKeyInUse("", retry_after_s=1),
    errors.PayloadTooLarge(""),
    errors.IdempotencyKeyReused(""),
    errors.LimitExceeded("", retry_after_s=1),
    errors.BudgetSpent("", left_nano_usd=0, renews_at=None),
    errors.UpstreamRefused("", target="a/b", status=500, headers={}, error=None),
    errors.UpstreamGarbled("", target="a/b"),
    errors.UpstreamCut("", target="a/b"),
    errors.UpstreamUnavailable("", target="a/b"),
    errors.StoreUnavailable(""),
    errors.ForebayError(""),
]
# Never raised themselves or not yet, met by operators alone, or by callers of the admin API.
NOT_MET = {
    errors.CallerError,
    errors.UpstreamError,
    errors.StoreError,
    errors.ConditionFailed,
    errors.ConfigurationError,
    errors.NotFound,
}


def error_row(error: errors.ForebayError) -> str:
    """Return how a row of the page begins, up to the meaning."""
    status, _, body = http_error(error)
    kind, code = body["error"]["type"], body["error"]["code"]
    return f"| {status} | `{code}` | `{kind}` | `{error_type(status)}` |"


def error_classes(base: type[errors.ForebayError]) -> set[type[errors.ForebayError]]:
    inner = (error_classes(each) for each in base.__subclasses__())
    own = {base} if base.__module__ == errors.__name__ else set()
    return own.union(*inner)


def test_the_routes_are_those_of_the_app() -> None:
    paths = {path.replace(":path", "") for path in re.findall(r'Route\(\s*"([^"]+)"', APP)}
    first_cells = re.findall(r"^\| (`(?:POST|GET) /.*?) \|", TEXT, re.MULTILINE)
    named = {path for cell in first_cells for path in re.findall(r"`[A-Z]+ (/[^`]+)`", cell)}
    assert {path.replace("{id}", "{model}") for path in named} == paths != set()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_has_its_row(error: errors.ForebayError) -> None:
    assert error_row(error) in TEXT


def test_the_table_of_errors_is_whole() -> None:
    rows = re.findall(r"^\| \d{3} \| `.*$", TEXT, re.MULTILINE)
    found = zip(rows, ERRORS, strict=True)
    assert all(row.startswith(error_row(error)) for row, error in found)
    assert error_classes(errors.ForebayError) - {type(each) for each in ERRORS} == NOT_MET


def test_the_statuses_that_are_passed_on_are_named() -> None:
    assert f"({', '.join(map(str, sorted(PASSED_ON)))})" in TEXT


@pytest.mark.parametrize("name", sorted({*EXPOSED_HEADERS, *RETRY_HEADERS}))
def test_a_header_of_replies_is_named(name: str) -> None:
    assert name in spans(PAGE)


def test_the_largest_body_is_named() -> None:
    assert f"{MAX_REQUEST_BODY_BYTES} bytes" in TEXT

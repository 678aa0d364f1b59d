"""Signatures made by botocore, checked by the front."""

import datetime as dt

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from forebay_cli.local.http1 import Request
from forebay_cli.local.sigv4_check import SignatureError, Verifier

VERIFIER = Verifier("test", "secret", "us-east-1")
TARGET = "/v1/admin/keys/a%2Fb?x=1&a=%20b"
BODY = b'{"name":"dev"}'


def _signed(
    *, by: str = "secret", key: str = "test", service: str = "execute-api", body: bytes = BODY
) -> tuple[Request, float]:
    headers = {"Host": "127.0.0.1:8080", "Content-Type": "application/json"}
    request = AWSRequest("POST", f"http://127.0.0.1:8080{TARGET}", headers=headers, data=body)
    SigV4Auth(Credentials(key, by), service, "us-east-1").add_auth(request)
    stamp = request.headers["X-Amz-Date"]
    now_s = dt.datetime.strptime(f"{stamp}+0000", "%Y%m%dT%H%M%SZ%z").timestamp()
    return Request("POST", TARGET, "1.1", tuple(request.headers.items())), now_s


def test_a_rightly_signed_request_is_its_keys() -> None:
    request, now_s = _signed()
    assert VERIFIER.check(request, BODY, now_s) == "test"


@pytest.mark.parametrize("skew_s", [-299, 299])
def test_a_clock_may_be_off_by_five_minutes(skew_s: float) -> None:
    request, now_s = _signed()
    assert VERIFIER.check(request, BODY, now_s + skew_s) == "test"


@pytest.mark.parametrize("skew_s", [-301, 301])
def test_an_older_signature_has_expired(skew_s: float) -> None:
    request, now_s = _signed()
    with pytest.raises(SignatureError, match="expired"):
        VERIFIER.check(request, BODY, now_s + skew_s)


@pytest.mark.parametrize(
    "signed", [_signed(by="other"), _signed(key="other"), _signed(service="s3")]
)
def test_a_signature_by_another_secret_key_or_for_another_service_is_refused(
    signed: tuple[Request, float],
) -> None:
    with pytest.raises(SignatureError):
        VERIFIER.check(signed[0], BODY, signed[1])


def test_a_changed_body_is_refused() -> None:
    request, now_s = _signed()
    with pytest.raises(SignatureError, match="does not match"):
        VERIFIER.check(request, BODY + b" ", now_s)


def test_a_changed_path_is_refused() -> None:
    request, now_s = _signed()
    moved = Request("POST", "/v1/admin/keys", "1.1", request.headers)
    with pytest.raises(SignatureError, match="does not match"):
        VERIFIER.check(moved, BODY, now_s)


@pytest.mark.parametrize("value", ["", "Bearer fb-x", "AWS4-HMAC-SHA256 Credential=x"])
def test_a_request_without_a_signature_is_refused(value: str) -> None:
    headers = (("Authorization", value), ("X-Amz-Date", "20260101T000000Z"))
    with pytest.raises(SignatureError, match="no SigV4"):
        VERIFIER.check(Request("GET", "/", "1.1", headers), b"", 0)


def test_a_digest_that_is_not_the_bodys_is_refused() -> None:
    request, now_s = _signed()
    forged = Request("POST", TARGET, "1.1", (*request.headers, ("X-Amz-Content-SHA256", "0" * 64)))
    with pytest.raises(SignatureError, match="digest"):
        VERIFIER.check(forged, BODY, now_s)

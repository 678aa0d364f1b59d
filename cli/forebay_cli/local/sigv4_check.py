"""Check a request's Signature Version 4, as API Gateway does for routes with AWS_IAM.

The signature is computed anew by botocore's own signer from what arrived, and compared.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import datetime as dt
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from forebay_cli.local.http1 import Request

AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/, ]+)/(?P<date>\d{8})/(?P<region>[^/, ]+)/execute-api/"
    r"aws4_request, ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
DATE_FORMAT: Final = "%Y%m%dT%H%M%SZ"
MAX_SKEW_S: Final = 300


class SignatureError(Exception):
    """The request is not signed by someone we know; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Knows the one identity of the local stack.

    Attributes:
        region: that a signature must be for.
    """

    access_key: str
    secret_key: str
    region: str

    def check(self, request: Request, body: bytes, now_s: float) -> str:
        """Return the access key of a rightly signed request.

        Raises:
            SignatureError: it is unsigned, stale, by another key, or does not match.
        """
        found = AUTHORIZATION.fullmatch(request.header("authorization") or "")
        if found is None:
            raise SignatureError("The request has no SigV4 signature for execute-api.")
        stamp = request.header("x-amz-date") or ""
        _check_date(stamp, found["date"], now_s)
        signed = found["headers"].split(";")
        if "host" not in signed or "x-amz-date" not in signed:
            raise SignatureError("Host and X-Amz-Date must be signed.")
        if found["key"] != self.access_key or found["region"] != self.region:
            raise SignatureError("The access key or the region is not the local stack's.")
        digest = request.header("x-amz-content-sha256")
        if digest is not None and digest != hashlib.sha256(body).hexdigest():
            raise SignatureError("X-Amz-Content-SHA256 is not the body's digest.")
        expected = self._signature(request, body, signed, stamp)
        if not hmac.compare_digest(expected, found["signature"]):
            raise SignatureError("The signature does not match.")
        return found["key"]

    def _signature(self, request: Request, body: bytes, signed: list[str], stamp: str) -> str:
        headers = {name: value for name, value in request.headers if name.lower() in signed}
        url = f"http://{request.header('host')}{request.target}"
        again = AWSRequest(method=request.method, url=url, headers=headers, data=body)
        again.context["timestamp"] = stamp
        signer = SigV4Auth(
            Credentials(self.access_key, self.secret_key), "execute-api", self.region
        )
        text = signer.string_to_sign(again, signer.canonical_request(again))
        return str(signer.signature(text, again))


def _check_date(stamp: str, scope_date: str, now_s: float) -> None:
    try:
        when = dt.datetime.strptime(stamp, DATE_FORMAT).replace(tzinfo=dt.UTC)
    except ValueError:
        raise SignatureError("X-Amz-Date is missing or malformed.") from None
    if not stamp.startswith(scope_date) or abs(when.timestamp() - now_s) > MAX_SKEW_S:
        raise SignatureError("The signature has expired.")

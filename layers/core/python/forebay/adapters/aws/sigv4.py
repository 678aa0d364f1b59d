"""AWS Signature Version 4, as pure functions of request, credentials and time.

Only the shape that AWS's JSON and REST-JSON protocols have: `POST` without a query string.
Contract-tested against botocore's signer (`tests/contract/aws/test_sigv4.py`).

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is signed with. Its `repr` shows no secret."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    """Of temporary credentials, as a Lambda function has them."""


class Signer:
    """Sign `POST` requests to one service in one region.

    A signing key is valid for a day; the last one is kept, which saves 4 of 5 HMACs a request.

    Args:
        service: Signing name, e.g. `dynamodb`.
        region: e.g. `eu-central-1`.
    """

    def __init__(self, *, service: str, region: str) -> None:
        self._service = service
        self._region = region
        self._key_made_from: tuple[str, str] | None = None
        self._key = b""

    def sign(
        self,
        headers: Mapping[str, str],
        body: bytes,
        credentials: Credentials,
        *,
        now: float,
        path: str = "/",
    ) -> dict[str, str]:
        """Return the headers with those added that make the request acceptable.

        Args:
            headers: All that is to be signed, `Host` among them.
            body: As it will be sent.
            credentials: See `Credentials`.
            now: Epoch seconds; AWS refuses what is more than 5 minutes off.
            path: As it will be sent: percent-encoded, without `.` and `..`.

        Returns:
            `headers`, `X-Amz-Date`, `Authorization`, and `X-Amz-Security-Token` where there is
            one.
        """
        timestamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        to_send = {**headers, "X-Amz-Date": timestamp}
        if credentials.session_token:
            to_send["X-Amz-Security-Token"] = credentials.session_token
        names, canonical_request = _canonical(path, to_send, body)
        day = timestamp[:8]
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        digest = sha256(canonical_request.encode()).hexdigest()
        string_to_sign = f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"
        signature = _hmac(self._signing_key(credentials.secret_access_key, day), string_to_sign)
        to_send["Authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
            f"SignedHeaders={names}, Signature={signature.hex()}"
        )
        return to_send

    def _signing_key(self, secret: str, day: str) -> bytes:
        if self._key_made_from != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _hmac(key, part)
            self._key, self._key_made_from = key, (secret, day)
        return self._key


def _canonical(path: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    """Return the signed headers' names and the canonical form of the request.

    The path is encoded once more: so it is for every service but S3.
    """
    fields = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    lines = "\n".join(f"{name}:{value}" for name, value in fields)
    names = ";".join(name for name, _ in fields)
    uri = quote(path, safe="/~")
    return names, f"POST\n{uri}\n\n{lines}\n\n{names}\n{sha256(body).hexdigest()}"


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.digest(key, message.encode(), "sha256")

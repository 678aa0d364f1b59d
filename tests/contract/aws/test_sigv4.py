"""Our signer and botocore's sign alike."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from forebay.adapters.aws.sigv4 import Credentials, Signer

NOW = 1_795_435_200.0
PLAIN = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = Credentials("ASIAEXAMPLE", "hush/+==", "IQoJb3JpZ2luX2VjEA==")
TARGET = {"X-Amz-Target": "DynamoDB_20120810.GetItem"}

# botocore leaves these unsigned; the client sends none of them.
UNSIGNED = {"expect", "transfer-encoding", "user-agent", "x-amzn-trace-id", "connection", "host"}
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True).filter(
    lambda name: name.lower() not in UNSIGNED and not name.lower().startswith("x-amz-")
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


def signed_by_botocore(
    headers: dict[str, str],
    body: bytes,
    credentials: Credentials,
    now: float,
    region: str,
    *,
    service: str = "dynamodb",
    path: str = "/",
) -> str:
    """Return the `Authorization` header that botocore makes, at a time of our choice."""
    theirs = BotocoreCredentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token
    )
    request = AWSRequest(
        "POST", f"https://{headers['Host']}{path}", headers=dict(headers), data=body
    )
    request.context["timestamp"] = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    # Its public `add_auth` signs with its own clock; these are the four steps it takes.
    signer: Any = SigV4Auth(theirs, service, region)
    signer._modify_request_before_signing(request)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(to_sign, request))
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("credentials", [PLAIN, TEMPORARY], ids=["plain", "temporary"])
@pytest.mark.parametrize("now", [NOW, NOW + 0.999, 0.0, 951_782_400.0], ids=str)
@pytest.mark.parametrize(
    "host", ["dynamodb.eu-central-1.amazonaws.com", "127.0.0.1:4566", "[::1]:8000"]
)
@pytest.mark.parametrize("body", [b"", b'{"TableName":"keys"}', "é\U0001f600".encode() * 10_000])
def test_they_agree(credentials: Credentials, now: float, host: str, body: bytes) -> None:
    headers = {"Host": host, "Content-Type": "application/x-amz-json-1.0", **TARGET}
    ours = Signer(service="dynamodb", region="eu-central-1").sign(
        headers, body, credentials, now=now
    )
    theirs = signed_by_botocore(headers, body, credentials, now, "eu-central-1")
    assert ours["Authorization"] == theirs


@given(
    headers=st.dictionaries(NAMES, VALUES, max_size=6).filter(
        lambda headers: len({name.lower() for name in headers}) == len(headers)
    ),
    body=st.binary(max_size=200),
    credentials=st.builds(
        Credentials,
        access_key_id=st.from_regex(r"[A-Z0-9]{16,20}", fullmatch=True),
        secret_access_key=SECRETS,
        session_token=st.none() | SECRETS,
    ),
    now=st.floats(0, 4_000_000_000),
    region=st.from_regex(r"[a-z]{2}-[a-z]{4,9}-[1-9]", fullmatch=True),
)
def test_they_agree_on_any_request(
    headers: dict[str, str], body: bytes, credentials: Credentials, now: float, region: str
) -> None:
    headers = {**headers, "Host": "dynamodb.example"}
    ours = Signer(service="dynamodb", region=region).sign(headers, body, credentials, now=now)
    theirs = signed_by_botocore(headers, body, credentials, now, region)
    assert ours["Authorization"] == theirs


@given(
    segments=st.lists(
        st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=20).map(
            lambda text: quote(text, safe="")
        ),
        max_size=5,
    ).filter(lambda segments: not {".", ".."} & set(segments))
)
def test_they_agree_on_any_path(segments: list[str]) -> None:
    headers = {"Host": "bedrock-runtime.eu-central-1.amazonaws.com"}
    path = "/" + "/".join(segments)
    ours = Signer(service="bedrock", region="eu-central-1").sign(
        headers, b"{}", TEMPORARY, now=NOW, path=path
    )
    theirs = signed_by_botocore(
        headers, b"{}", TEMPORARY, NOW, "eu-central-1", service="bedrock", path=path
    )
    assert ours["Authorization"] == theirs


def test_they_agree_on_a_model_s_path() -> None:
    """Its colon is encoded on the wire, and once more in what is signed."""
    headers = {"Host": "bedrock-runtime.us-east-1.amazonaws.com"}
    path = "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse-stream"
    ours = Signer(service="bedrock", region="us-east-1").sign(
        headers, b"{}", PLAIN, now=NOW, path=path
    )
    theirs = signed_by_botocore(
        headers, b"{}", PLAIN, NOW, "us-east-1", service="bedrock", path=path
    )
    assert ours["Authorization"] == theirs


def test_one_signer_serves_changing_days_and_credentials() -> None:
    signer = Signer(service="dynamodb", region="eu-central-1")
    headers = {"Host": "dynamodb.example", **TARGET}
    calls = [(PLAIN, NOW), (PLAIN, NOW + 86_400), (TEMPORARY, NOW + 86_400), (PLAIN, NOW)]
    ours = [signer.sign(headers, b"", who, now=now)["Authorization"] for who, now in calls]
    theirs = [signed_by_botocore(headers, b"", who, now, "eu-central-1") for who, now in calls]
    assert ours == theirs


def test_what_was_signed_is_sent_with_it() -> None:
    signer = Signer(service="dynamodb", region="eu-central-1")
    signed = signer.sign({"Host": "dynamodb.example"}, b"", TEMPORARY, now=NOW)
    assert signed["X-Amz-Date"] == "20261123T120000Z"
    assert signed["X-Amz-Security-Token"] == TEMPORARY.session_token
    assert signed["Host"] == "dynamodb.example"


def test_credentials_show_no_secret() -> None:
    assert repr(TEMPORARY) == "Credentials(access_key_id='ASIAEXAMPLE')"

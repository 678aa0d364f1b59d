"""Calls the admin API, signed with AWS Signature Version 4.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-create-api-as-simple-proxy-for-lambda.html
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import botocore.session
import httpx2
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError

from forebay_cli.output import CommandFailed

TIMEOUT = httpx2.Timeout(35.0, connect=5.0)
"""Seconds. API Gateway itself gives up on the admin function after 29."""

LOCAL_CREDENTIALS = ReadOnlyCredentials("test", "test", None)
"""For the local stack, which checks none; a real signature never goes to a laptop's port."""

LOCAL_REGION = "us-east-1"

_API_GATEWAY_HOST = re.compile(r"\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one region's API Gateway."""

    credentials: ReadOnlyCredentials
    region: str

    def headers(self, method: str, url: str, body: bytes | None) -> dict[str, str]:
        """Sign a request: the header fields that it must carry."""
        fields = {} if body is None else {"Content-Type": "application/json"}
        request = AWSRequest(method=method, url=url, data=body, headers=fields)
        SigV4Auth(self.credentials, "execute-api", self.region).add_auth(request)
        return dict(request.headers.items())


class AdminClient:
    """The admin API of one Forebay.

    Args:
        base_url: With or without `/v1`.
        signer: Proves who calls.
        is_local: Whether this is the local stack: no proxy is asked, and the hint is `make dev`.
    """

    def __init__(self, base_url: str, signer: Signer, *, is_local: bool) -> None:
        self._base_url = base_url.rstrip("/").removesuffix("/v1") + "/v1"
        self._signer = signer
        self._is_local = is_local
        self._http = httpx2.Client(timeout=TIMEOUT, trust_env=not is_local)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def create_key(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Create a key; the answer holds its secret."""
        return self._call("POST", "/admin/keys", body=wanted)

    def list_keys(self) -> dict[str, Any]:
        """All keys: `{"keys": […]}`."""
        return self._call("GET", "/admin/keys")

    def show_key(self, name_or_id: str) -> dict[str, Any]:
        """One key."""
        return self._call("GET", f"/admin/keys/{_segment(name_or_id)}")

    def change_key(self, name_or_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Change what a key may do; the answer is the key as it is now."""
        return self._call("PATCH", f"/admin/keys/{_segment(name_or_id)}", body=wanted)

    def rotate_key(self, name_or_id: str, overlap_s: int | None) -> dict[str, Any]:
        """Give a key a new secret, which the answer holds; None: the server's overlap."""
        overlap = {} if overlap_s is None else {"overlap_s": overlap_s}
        return self._call("POST", "/admin/rotations", body={"key": name_or_id, **overlap})

    def revoke_key(self, name_or_id: str) -> dict[str, Any]:
        """Revoke a key; the answer is the key as it is now."""
        return self._call("DELETE", f"/admin/keys/{_segment(name_or_id)}")

    def list_scopes(self) -> dict[str, Any]:
        """All limits of teams, tenants and the account: `{"scopes": […]}`."""
        return self._call("GET", "/admin/scopes")

    def change_scope(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Change the limits of a scope; the answer is the scope as it is now."""
        return self._call("PATCH", "/admin/scopes", body=wanted)

    def audit(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Show what was done: `{"entries": […]}`."""
        return self._call(
            "GET", f"/admin/audit?{urlencode(query, quote_via=quote, errors='replace')}"
        )

    def usage(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Add up."""
        encoded = urlencode(query, quote_via=quote, errors="replace")
        return self._call("GET", f"/admin/usage?{encoded}" if encoded else "/admin/usage")

    def check_usage(self, day: str) -> dict[str, Any]:
        """Compare the roll-ups of a UTC day with its rows."""
        return self._call("GET", f"/admin/usage/check?{urlencode({'day': day})}")

    def ledger_rows(self, day: str, after: str | None) -> dict[str, Any]:
        """Rows of a UTC day: `{"rows": […], "next": …}`, `next` for the page after or None."""
        query = {"day": day} if after is None else {"day": day, "after": after}
        return self._call("GET", f"/admin/usage/rows?{urlencode(query)}")

    def _call(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        url = self._base_url + path
        content = None if body is None else json.dumps(body).encode()
        headers = self._signer.headers(method, url, content)
        try:
            # Never repeated: a second POST would make a second key.
            reply = self._http.request(method, url, content=content, headers=headers)
        except httpx2.ConnectError as fault:
            raise CommandFailed(self._unreachable()) from fault
        except (httpx2.HTTPError, httpx2.InvalidURL) as fault:
            raise CommandFailed(
                f"{self._base_url} gave no answer ({type(fault).__name__}: {fault}); "
                "what was asked may have been done all the same: look before you repeat it."
            ) from fault
        answer = _object(reply)
        if reply.is_success and answer is not None:
            return answer
        raise CommandFailed(self._refusal(reply, answer))

    def _unreachable(self) -> str:
        hint = "start it with `make dev`" if self._is_local else "check the URL and your network"
        return f"Nothing answers at {self._base_url}: {hint}."

    def _refusal(self, reply: httpx2.Response, answer: dict[str, Any] | None) -> str:
        match answer:
            case {"error": {"message": str(message)}} | {"message": str(message)}:
                reason = message
            case _:
                reason = f"it is no Forebay, or a broken one (HTTP {reply.status_code})"
        if reply.status_code == 403:
            reason += " (Your AWS identity needs execute-api:Invoke on this API's /admin/*.)"
        return f"{self._base_url} says: {reason}"


def for_url(base_url: str) -> AdminClient:
    """Make a client for a base URL, with or without `/v1`.

    A loopback address is the local stack; any other is signed for with the AWS credentials of
    the environment.

    Raises:
        CommandFailed: There are no credentials or no region.
    """
    host = urlsplit(base_url).hostname or ""
    if _is_loopback(host):
        return AdminClient(base_url, Signer(LOCAL_CREDENTIALS, LOCAL_REGION), is_local=True)
    of_host = _API_GATEWAY_HOST.search(host)
    signer = _signer(botocore.session.get_session(), of_host[1] if of_host else None)
    return AdminClient(base_url, signer, is_local=False)


def for_stack(name: str) -> AdminClient:
    """Make a client for a deployed stack, whose output `BaseUrl` tells where it is.

    Raises:
        CommandFailed: There are no credentials or no region, or no such stack or output.
    """
    session = botocore.session.get_session()
    signer = _signer(session, None)
    try:
        client: Any = session.create_client("cloudformation", region_name=signer.region)
        described = client.describe_stacks(StackName=name)
    except (BotoCoreError, ClientError) as fault:
        raise CommandFailed(
            f"CloudFormation in {signer.region} knows no stack {name!r}: {fault}. "
            "Check the name, AWS_REGION and AWS_PROFILE."
        ) from fault
    outputs = described["Stacks"][0].get("Outputs", [])
    base_urls = [out["OutputValue"] for out in outputs if out["OutputKey"] == "BaseUrl"]
    if not base_urls:
        raise CommandFailed(f"Stack {name!r} has no output BaseUrl: it is not a Forebay.")
    return AdminClient(base_urls[0], signer, is_local=False)


def _signer(session: botocore.session.Session, region: str | None) -> Signer:
    try:
        # An AWS_PROFILE that does not exist fails at this first look into it.
        region = region or session.get_config_variable("region")
        credentials = session.get_credentials()
        # Some kinds are fetched at this call: an expired login shows here.
        frozen = credentials.get_frozen_credentials() if credentials else None
    except BotoCoreError as fault:
        raise CommandFailed(f"No AWS credentials: {fault}") from fault
    if frozen is None:
        raise CommandFailed("No AWS credentials: run `aws configure`, or set AWS_PROFILE.")
    if not region:
        raise CommandFailed("No AWS region: set AWS_REGION.")
    return Signer(frozen, region)


def _segment(text: str) -> str:
    """Encode one segment of a path; bytes of the command line that are no text become `?`."""
    return quote(text, safe="", errors="replace")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _object(reply: httpx2.Response) -> dict[str, Any] | None:
    try:
        answer = reply.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None

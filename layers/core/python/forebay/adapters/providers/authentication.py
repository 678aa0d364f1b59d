"""Who asks: what a request to a provider says so with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from forebay.adapters.aws import CredentialSource, Signer
from forebay.ports import Clock
from forebay.settings import KeyHeader

FindKey = Callable[[], Awaitable[str | None]]

SIGNED_HEADERS: Final = ("host", "content-type")
"""Besides AWS's own; the others may be changed on the way."""


class Authentication(Protocol):
    """Says who asks."""

    async def headers(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """Return the header fields to add to a `POST`.

        Args:
            path: As it is sent, with its query.
            headers: The other fields, names in lower case.
            body: As it is sent.

        Raises:
            StoreError: There are no credentials.
        """
        ...


class ApiKey:
    """A key in a header field.

    Args:
        find_key: Finds the key at each request, so that a rotated one is seen; None where the
            provider needs none.
        header: Which field takes it.
    """

    def __init__(self, find_key: FindKey, header: KeyHeader = KeyHeader.BEARER) -> None:
        self._find_key = find_key
        self._header = header

    async def headers(
        self, _path: str, _headers: Mapping[str, str], _body: bytes
    ) -> Mapping[str, str]:
        """Return the field with the key; none without one."""
        key = await self._find_key()
        if not key:
            return {}
        if self._header is KeyHeader.BEARER:
            return {"authorization": f"Bearer {key}"}
        return {self._header.value: key}


class AwsSignature:
    """AWS's Signature Version 4.

    Args:
        service: Signing name, e.g. `bedrock`.
        region: e.g. `eu-central-1`.
        credentials: Whose signature.
        clock: Dates it.
    """

    def __init__(
        self, service: str, region: str, credentials: CredentialSource, clock: Clock
    ) -> None:
        self._signer = Signer(service=service, region=region)
        self._credentials = credentials
        self._clock = clock

    async def headers(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """Return the signature and what belongs to it."""
        to_sign = {name: headers[name] for name in SIGNED_HEADERS if name in headers}
        credentials = await self._credentials.current()
        signed = self._signer.sign(to_sign, body, credentials, now=self._clock.now(), path=path)
        return {name.lower(): value for name, value in signed.items() if name not in to_sign}

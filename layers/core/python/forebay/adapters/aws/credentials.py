"""Where the credentials come from.

Lambda puts them into the environment, and they live as long as the sandbox. Elsewhere (a laptop's
profile, SnapStart's and containers' endpoint) botocore's chain finds them; importing it takes
400 ms, so that happens when nothing else is left, and not on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from forebay.adapters.aws.sigv4 import Credentials
from forebay.errors import ConfigurationError, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from botocore.credentials import Credentials as BotocoreCredentials

ACCESS_KEY_ID = "AWS_ACCESS_KEY_ID"
SECRET_ACCESS_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the variable's name
SESSION_TOKEN = "AWS_SESSION_TOKEN"  # noqa: S105 - the variable's name


class CredentialSource(Protocol):
    """Gives credentials that are good now."""

    async def current(self) -> Credentials:
        """Return them.

        Raises:
            StoreError: There are none; `StoreUnavailable`: none could be fetched just now.
        """
        ...


def credentials_from(environ: Mapping[str, str]) -> CredentialSource:
    """Return the environment's credentials or, where it has none, botocore's chain.

    Raises:
        ConfigurationError: One of the two variables is set without the other.
    """
    key_id = environ.get(ACCESS_KEY_ID, "").strip()
    secret = environ.get(SECRET_ACCESS_KEY, "").strip()
    if key_id and secret:
        token = environ.get(SESSION_TOKEN, "").strip() or None
        return FixedCredentials(Credentials(key_id, secret, token))
    if key_id or secret:
        missing = SECRET_ACCESS_KEY if key_id else ACCESS_KEY_ID
        raise ConfigurationError([f"{missing}: not set, though its counterpart is"])
    return ChainCredentials()


class FixedCredentials:
    """Credentials that stay as they are."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def current(self) -> Credentials:
        """Return them."""
        return self._credentials


class ChainCredentials:
    """What botocore's chain finds, renewed by botocore 15 minutes before it expires."""

    def __init__(self) -> None:
        self._found: BotocoreCredentials | None = None
        self._current: Credentials | None = None
        self._one_at_a_time = asyncio.Lock()

    async def current(self) -> Credentials:
        """Return them; the first time, and when they must be renewed, a thread fetches them."""
        if self._current is not None and not self._stale():
            return self._current
        async with self._one_at_a_time:
            if self._current is None or self._stale():
                self._current = await asyncio.to_thread(self._fetch)
            return self._current

    def _stale(self) -> bool:
        # Only botocore's refreshable kind has an end.
        refresh_needed = getattr(self._found, "refresh_needed", None)
        return bool(refresh_needed and refresh_needed())

    def _fetch(self) -> Credentials:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - 400 ms, see above
        from botocore.session import get_session  # noqa: PLC0415 - 400 ms, see above

        try:
            if self._found is None:
                self._found = get_session().get_credentials()
            if self._found is None:
                raise StoreError(
                    f"no AWS credentials: set {ACCESS_KEY_ID} and {SECRET_ACCESS_KEY}, "
                    "or configure a profile"
                )
            frozen = self._found.get_frozen_credentials()
        except BotoCoreError as error:
            raise StoreUnavailable(f"no AWS credentials just now: {error}") from error
        # The type stubs take its strings for optional; botocore refuses a half pair itself.
        return Credentials(str(frozen.access_key), str(frozen.secret_key), frozen.token)

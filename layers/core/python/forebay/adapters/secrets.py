"""Turns a `SecretReference` into the secret: from the environment, Secrets Manager or SSM."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from forebay.errors import ConfigurationError, StoreUnavailable
from forebay.ports import Clock
from forebay.settings import SecretOrigin, SecretReference

MAX_AGE_S: Final = 300.0
"""How long a fetched secret is used: a rotated key is in use after 5 minutes at the latest, and a
busy process asks 12 times an hour (10,000 calls to Secrets Manager cost 0.05 USD)."""

CONNECT_S: Final = 2.0
READ_S: Final = 3.0
ATTEMPTS: Final = 2
"""A caller waits meanwhile: 10 s at most (botocore's own defaults: 10 minutes)."""

_REFUSALS: Final = {
    "AccessDeniedException",
    "DecryptionFailure",
    "InvalidKeyId",
    "InvalidParameterException",
    "InvalidRequestException",
    "ParameterNotFound",
    "ParameterVersionNotFound",
    "ResourceNotFoundException",
    "ValidationException",
}
"""Answers that stay the same until an operator changes something."""


class SecretResolver:
    """Resolves references; what was fetched is kept for `MAX_AGE_S`.

    Args:
        environ: Where `env:NAME` is looked up.
        clock: Ages what was fetched, by wall clock: a frozen sandbox's monotonic one stands still.
        region: Of Secrets Manager and Parameter Store.
        endpoint_url: Another AWS than the real one; None: AWS's own.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        clock: Clock,
        *,
        region: str,
        endpoint_url: str | None,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._region = region
        self._endpoint_url = endpoint_url
        self._fetched: dict[SecretReference, tuple[float, str]] = {}
        self._fetching = asyncio.Lock()

    async def resolve(self, reference: SecretReference) -> str:
        """Return the secret.

        Raises:
            ConfigurationError: There is none, it is no single line of text, or we may not read it.
            StoreUnavailable: Secrets Manager or Parameter Store did not answer.
        """
        if reference.origin is SecretOrigin.ENVIRONMENT:
            return _checked(reference, self._environ.get(reference.name, ""))
        value = self._fresh(reference)
        if value is None:
            async with self._fetching:  # callers that come meanwhile share this fetch
                value = self._fresh(reference) or await self._refreshed(reference)
        return value

    async def _refreshed(self, reference: SecretReference) -> str:
        try:
            value = _checked(reference, await asyncio.to_thread(self._fetch, reference))
        except StoreUnavailable:
            if reference not in self._fetched:
                raise
            # Most likely still right; if it is not, the provider's 401 says so.
            value = self._fetched[reference][1]
        self._fetched[reference] = (self._clock.now(), value)
        return value

    def _fresh(self, reference: SecretReference) -> str | None:
        fetched_at, value = self._fetched.get(reference, (float("-inf"), ""))
        return value if self._clock.now() - fetched_at < MAX_AGE_S else None

    def _fetch(self, reference: SecretReference) -> object:
        # Imported here: 0.3 s that only deployments with such references pay.
        import boto3  # noqa: PLC0415
        from aws_lambda_powertools.utilities.parameters import (  # noqa: PLC0415
            SecretsProvider,
            SSMProvider,
        )
        from aws_lambda_powertools.utilities.parameters.exceptions import (  # noqa: PLC0415
            GetParameterError,
        )
        from botocore.config import Config  # noqa: PLC0415

        session = boto3.session.Session(region_name=self._region)
        patience = Config(
            connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": ATTEMPTS}
        )
        try:
            if reference.origin is SecretOrigin.SECRETS_MANAGER:
                secrets = session.client(
                    "secretsmanager", endpoint_url=self._endpoint_url, config=patience
                )
                return SecretsProvider(boto3_client=secrets).get(reference.name, force_fetch=True)
            parameters = session.client("ssm", endpoint_url=self._endpoint_url, config=patience)
            return SSMProvider(boto3_client=parameters).get(
                reference.name, force_fetch=True, decrypt=True
            )
        except GetParameterError as error:
            raise _translated(reference, error) from error


def _translated(
    reference: SecretReference, error: Exception
) -> ConfigurationError | StoreUnavailable:
    # Powertools raises without `from`: botocore's error is the context.
    response = getattr(error.__context__, "response", {})
    code = response.get("Error", {}).get("Code", "")
    if code in _REFUSALS:
        return ConfigurationError(
            [f"{reference.label}: expected a secret that we may read: {code}"]
        )
    return StoreUnavailable(f"{reference.label} could not be fetched: {code or 'no answer'}")


def _checked(reference: SecretReference, value: object) -> str:
    """Refuse what no HTTP header can carry; the value is never part of a message."""
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        raise ConfigurationError([f"{reference.label}: expected a text; it is empty or not set"])
    if not text.isascii() or not text.isprintable():
        raise ConfigurationError([f"{reference.label}: expected one line of ASCII characters"])
    return text

"""Builds each provider out of its settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.adapters.aws import CredentialSource
from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.providers.authentication import ApiKey, Authentication, AwsSignature
from forebay.adapters.providers.azure import azure_paths
from forebay.adapters.providers.bedrock import SERVICE, BedrockProvider
from forebay.adapters.providers.http import HttpAddress, HttpProvider
from forebay.adapters.providers.scripted import ScriptedProvider
from forebay.adapters.secrets import SecretResolver
from forebay.adapters.system import SystemEntropy
from forebay.ports import Clock, Entropy, Provider
from forebay.settings import ProviderKind, ProviderSettings


@dataclass(frozen=True, slots=True)
class ProviderFactory:
    """Builds providers that share connections, secrets and credentials."""

    pool: ConnectionPool
    secrets: SecretResolver
    credentials: CredentialSource
    """The function's own: what they may do, its role says."""
    clock: Clock
    entropy: Entropy = field(default_factory=SystemEntropy)

    def build(self, settings: ProviderSettings) -> Provider:
        """Build one provider."""
        match settings.kind:
            case ProviderKind.SCRIPTED:
                return ScriptedProvider(
                    settings.name, settings.scripted, self.clock, self.entropy.random
                )
            case ProviderKind.BEDROCK:
                signature = AwsSignature(SERVICE, settings.region, self.credentials, self.clock)
                address = HttpAddress(settings.base_url)
                return BedrockProvider(settings.name, self._http(settings, address, signature))
            case ProviderKind.AZURE:
                address = HttpAddress(settings.base_url, azure_paths(settings.api_version))
                return self._http(settings, address, self._key(settings))
            case _:
                return self._http(settings, HttpAddress(settings.base_url), self._key(settings))

    def _http(
        self, settings: ProviderSettings, address: HttpAddress, authentication: Authentication
    ) -> HttpProvider:
        return HttpProvider(settings.name, address, authentication, settings.timeouts, self.pool)

    def _key(self, settings: ProviderSettings) -> ApiKey:
        async def find_key() -> str | None:
            return await self.secrets.resolve(settings.api_key) if settings.api_key else None

        return ApiKey(find_key, settings.key_header)

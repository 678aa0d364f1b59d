"""Every kind of provider that gateway.toml knows can be built."""

import pytest

from forebay.adapters.aws.credentials import FixedCredentials
from forebay.adapters.aws.sigv4 import Credentials
from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.memory import ManualClock
from forebay.adapters.providers.bedrock import BedrockProvider
from forebay.adapters.providers.http import HttpProvider
from forebay.adapters.providers.scripted import ScriptedProvider
from forebay.adapters.secrets import SecretResolver
from forebay.ports import Provider
from forebay.settings import ConfigSource, PriceTable, ProviderKind, parse_gateway_toml
from forebay.wiring.providers import ProviderFactory

NEEDED = {
    ProviderKind.AZURE: 'base_url = "https://contoso.openai.azure.com"\napi_key = "env:K"',
    ProviderKind.BEDROCK: 'region = "eu-central-1"',
    ProviderKind.SCRIPTED: "",
}
OWN = {ProviderKind.BEDROCK: BedrockProvider, ProviderKind.SCRIPTED: ScriptedProvider}


def built(kind: ProviderKind) -> Provider:
    needed = NEEDED.get(kind, 'api_key = "env:K"')
    text = (
        f'[providers.p]\nkind = "{kind}"\n{needed}\n'
        '[models.m]\ntargets = [{ provider = "p", model = "m", price = "free" }]\n'
    )
    config = parse_gateway_toml([ConfigSource("t", text.encode())], {"K": "k"}, PriceTable())
    clock = ManualClock()
    factory = ProviderFactory(
        ConnectionPool(clock),
        SecretResolver({"K": "k"}, clock, region="eu-central-1", endpoint_url=None),
        FixedCredentials(Credentials("AKID", "hush")),
        clock,
    )
    return factory.build(config.providers["p"])


@pytest.mark.parametrize("kind", ProviderKind)
def test_each_kind_is_built(kind: ProviderKind) -> None:
    assert type(built(kind)) is OWN.get(kind, HttpProvider)

"""Secrets, from where gateway.toml says they are."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from forebay.adapters.memory.clock import ManualClock
from forebay.adapters.secrets import MAX_AGE_S, SecretResolver
from forebay.errors import ConfigurationError, StoreUnavailable
from forebay.settings import SecretOrigin, SecretReference
from tests.support.ministack import CREDENTIALS, REGION, start_ministack


def reference(text: str) -> SecretReference:
    origin, _, name = text.partition(":")
    return SecretReference(SecretOrigin(origin), name)


def resolve(resolver: SecretResolver, *references: str) -> list[str]:
    async def main() -> list[str]:
        return await asyncio.gather(*(resolver.resolve(reference(each)) for each in references))

    return asyncio.run(main())


def from_environment(value: str | None) -> str:
    environ = {} if value is None else {"KEY": value}
    resolver = SecretResolver(environ, ManualClock(), region=REGION, endpoint_url=None)
    return resolve(resolver, "env:KEY")[0]


def test_a_variable_is_read_without_the_space_around_it() -> None:
    assert from_environment(" sk-1\n") == "sk-1"


@pytest.mark.parametrize("value", [None, "", " \n"], ids=["absent", "empty", "blank"])
def test_a_variable_that_is_not_set_is_named(value: str | None) -> None:
    with pytest.raises(ConfigurationError, match=r"^env:KEY: expected a text"):
        from_environment(value)


@pytest.mark.parametrize("value", ["hunter2\r\nX: y", "hunter2\x00", "hünter2"])
def test_what_no_header_can_carry_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^env:KEY: expected one line") as refused:
        from_environment(value)
    assert "nter2" not in refused.value.message


def test_a_store_out_of_reach_is_told_by_the_references_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_credentials(monkeypatch)
    resolver = SecretResolver({}, ManualClock(), region=REGION, endpoint_url="http://127.0.0.1:1")
    with pytest.raises(StoreUnavailable, match=r"^secret:key could not be fetched: no answer"):
        resolve(resolver, "secret:key")


def set_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS["aws_secret_access_key"])


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


def put_secret(url: str, name: str, value: str) -> None:
    client = boto3.client("secretsmanager", endpoint_url=url, **CREDENTIALS)
    try:
        client.create_secret(Name=name, SecretString=value)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=value)


def put_parameter(url: str, name: str, value: str) -> None:
    client = boto3.client("ssm", endpoint_url=url, **CREDENTIALS)
    client.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


STORES = pytest.mark.parametrize(
    ("origin", "put"), [("secret", put_secret), ("ssm", put_parameter)], ids=["secret", "ssm"]
)


@pytest.mark.ministack
@STORES
def test_a_secret_is_fetched(
    aws: str, monkeypatch: pytest.MonkeyPatch, origin: str, put: Callable[[str, str, str], None]
) -> None:
    set_credentials(monkeypatch)
    put(aws, "/forebay/fetched", "sk-1\n")
    resolver = SecretResolver({}, ManualClock(), region=REGION, endpoint_url=aws)
    assert resolve(resolver, *[f"{origin}:/forebay/fetched"] * 3) == ["sk-1"] * 3


@pytest.mark.ministack
@STORES
def test_a_rotated_secret_is_in_use_after_five_minutes(
    aws: str, monkeypatch: pytest.MonkeyPatch, origin: str, put: Callable[[str, str, str], None]
) -> None:
    set_credentials(monkeypatch)
    clock = ManualClock()
    resolver = SecretResolver({}, clock, region=REGION, endpoint_url=aws)
    put(aws, "/forebay/rotated", "old")
    resolve(resolver, f"{origin}:/forebay/rotated")
    put(aws, "/forebay/rotated", "new")
    clock.advance(MAX_AGE_S - 1)
    assert resolve(resolver, f"{origin}:/forebay/rotated") == ["old"]
    clock.freeze(1)
    assert resolve(resolver, f"{origin}:/forebay/rotated") == ["new"]


@pytest.mark.ministack
def test_an_old_secret_is_better_than_none_while_the_store_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_credentials(monkeypatch)
    clock = ManualClock()
    with start_ministack(tmp_path) as url:
        put_secret(url, "key", "old")
        resolver = SecretResolver({}, clock, region=REGION, endpoint_url=url)
        resolve(resolver, "secret:key")
    clock.advance(MAX_AGE_S)
    assert resolve(resolver, "secret:key") == ["old"]


@pytest.mark.ministack
@pytest.mark.parametrize("origin", ["secret", "ssm"])
def test_a_secret_that_is_not_there_is_named(
    aws: str, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    set_credentials(monkeypatch)
    resolver = SecretResolver({}, ManualClock(), region=REGION, endpoint_url=aws)
    with pytest.raises(ConfigurationError, match=f"^{origin}:missing: expected a secret"):
        resolve(resolver, f"{origin}:missing")


@pytest.mark.ministack
def test_a_secret_that_is_no_text_is_refused(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_credentials(monkeypatch)
    client = boto3.client("secretsmanager", endpoint_url=aws, **CREDENTIALS)
    client.create_secret(Name="binary", SecretBinary=b"hunter2")
    resolver = SecretResolver({}, ManualClock(), region=REGION, endpoint_url=aws)
    with pytest.raises(ConfigurationError, match=r"^secret:binary: expected a text"):
        resolve(resolver, "secret:binary")

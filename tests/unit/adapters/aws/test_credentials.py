"""Where the credentials come from."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from forebay.adapters.aws.credentials import (
    ChainCredentials,
    FixedCredentials,
    credentials_from,
)
from forebay.adapters.aws.sigv4 import Credentials
from forebay.adapters.system import SystemClock
from forebay.errors import ConfigurationError, StoreError
from tests.unit.adapters.dynamodb.peer import Action, Peer, reply, says_and_closes

BOTH = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hush"}


def temporary(name: str, *, lifetime_s: float) -> Action:
    """Answer as the credentials endpoint of a container does."""
    expires = datetime.fromtimestamp(SystemClock().now() + lifetime_s, UTC).isoformat()
    content = {"AccessKeyId": name, "SecretAccessKey": "s", "Token": "t", "Expiration": expires}
    return says_and_closes(reply(200, msgspec.json.encode(content)))


def found_one_after_the_other(
    environment: pytest.MonkeyPatch, answers: list[Action], *, at_once: int = 1
) -> list[str]:
    """Ask twice (each time by so many callers) and return the key ids."""

    async def main() -> list[str]:
        async with Peer(answers) as peer:
            environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", peer.url)
            chain = ChainCredentials()
            first = await asyncio.gather(*(chain.current() for _ in range(at_once)))
            second = await asyncio.gather(*(chain.current() for _ in range(at_once)))
            return [credentials.access_key_id for credentials in (*first, *second)]

    return asyncio.run(main())


def current(environ: dict[str, str]) -> Credentials:
    return asyncio.run(credentials_from(environ).current())


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment in which botocore's chain finds nothing, and asks nobody."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return monkeypatch


def test_the_environment_s_credentials_are_taken() -> None:
    assert current(BOTH) == Credentials("AKID", "hush", None)


def test_a_session_token_goes_with_them() -> None:
    assert current(BOTH | {"AWS_SESSION_TOKEN": "token"}) == Credentials("AKID", "hush", "token")


def test_a_line_end_that_came_with_them_is_cut_off() -> None:
    environ = {name: f"{value}\n" for name, value in BOTH.items()}
    assert current(environ | {"AWS_SESSION_TOKEN": "\n"}) == Credentials("AKID", "hush", None)


@pytest.mark.parametrize("missing", list(BOTH))
def test_half_a_pair_is_refused_by_name(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{missing}: not set"):
        credentials_from({name: value for name, value in BOTH.items() if name != missing})


def test_with_none_in_the_environment_botocore_is_asked() -> None:
    assert isinstance(credentials_from({}), ChainCredentials)
    assert isinstance(credentials_from(BOTH), FixedCredentials)


@pytest.mark.usefixtures("bare_environment")
def test_the_chain_finds_a_profile(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = FROMFILE\naws_secret_access_key = hush\n"
    )
    assert asyncio.run(ChainCredentials().current()) == Credentials("FROMFILE", "hush", None)


@pytest.mark.usefixtures("bare_environment")
def test_a_chain_that_finds_none_says_what_to_set() -> None:
    with pytest.raises(StoreError, match="set AWS_ACCESS_KEY_ID"):
        asyncio.run(ChainCredentials().current())


def test_the_chain_fetches_once_for_all_who_ask(bare_environment: pytest.MonkeyPatch) -> None:
    answers = [temporary("FIRST", lifetime_s=3600)]
    assert found_one_after_the_other(bare_environment, answers, at_once=5) == ["FIRST"] * 10


def test_the_chain_renews_what_expires_soon(bare_environment: pytest.MonkeyPatch) -> None:
    answers = [
        temporary("FIRST", lifetime_s=720),  # botocore renews it at once, in the same fetch
        temporary("SECOND", lifetime_s=720),
        temporary("THIRD", lifetime_s=3600),
    ]
    assert found_one_after_the_other(bare_environment, answers) == ["SECOND", "THIRD"]

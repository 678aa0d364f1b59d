"""The embedded AWS that tests start: apart from each other, and gone afterwards."""

import os
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.ministack import CREDENTIALS, aws_environment, start_ministack

pytestmark = pytest.mark.ministack

TABLE: dict[str, Any] = {
    "TableName": "a-table",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}


def dynamodb(url: str) -> Any:
    service: Any = "dynamodb"
    return boto3.client(service, endpoint_url=url, **CREDENTIALS)


def processes(folder: Path) -> list[str]:
    """Return the processes whose environment names the folder (each of ours does)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue  # it has ended meanwhile, or is not ours
    return [pid for pid in found if pid != str(os.getpid())]


def test_two_at_once_share_nothing(tmp_path: Path) -> None:
    with start_ministack(tmp_path / "a") as one, start_ministack(tmp_path / "b") as other:
        dynamodb(one).create_table(**TABLE)
        assert dynamodb(one).list_tables()["TableNames"] == ["a-table"]
        assert dynamodb(other).list_tables()["TableNames"] == []


def test_state_lasts_over_a_restart_if_asked(tmp_path: Path) -> None:
    with start_ministack(tmp_path, {"PERSIST_STATE": "1"}) as url:
        dynamodb(url).create_table(**TABLE)
    with start_ministack(tmp_path, {"PERSIST_STATE": "1"}) as url:
        assert dynamodb(url).list_tables()["TableNames"] == ["a-table"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
def test_nothing_is_left_after_a_test_that_failed(tmp_path: Path) -> None:
    def failing_test() -> None:
        with start_ministack(tmp_path):
            assert processes(tmp_path)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing_test()
    assert processes(tmp_path) == []


def test_a_ministack_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "ministack.py").write_text("raise SystemExit('no room on this machine')")
    with (
        pytest.raises(RuntimeError, match="no room on this machine"),
        start_ministack(tmp_path, {"PYTHONPATH": str(tmp_path)}),
    ):
        pass


def test_a_child_is_given_ministack_and_no_account_of_the_developers() -> None:
    before = os.environ.get("AWS_PROFILE")
    environ = aws_environment("http://127.0.0.1:1")
    names = {name for name in environ if name.startswith("AWS_")}
    assert environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert names.isdisjoint({"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"})
    assert os.environ.get("AWS_PROFILE") == before

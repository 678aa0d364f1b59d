"""The state folder: its lock, what is kept there, what is forgotten."""

import os
import stat
import tomllib
from pathlib import Path

import pytest

from forebay_cli.local.model import write_local_config
from forebay_cli.local.reload import changes, snapshot
from forebay_cli.local.state import StateError, locked_state, read_dev_key, write_dev_key
from forebay_cli.local.template import TemplateError, find_root, translate


def test_a_second_stack_on_the_same_state_is_refused_and_told_whose_it_is(tmp_path: Path) -> None:
    with (
        locked_state(tmp_path / "s", fresh=False),
        pytest.raises(StateError, match=str(os.getpid())),
        locked_state(tmp_path / "s", fresh=False),
    ):
        pass


def test_a_lock_whose_process_is_gone_is_none(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("999999")
    with locked_state(tmp_path, fresh=False) as folder:
        assert folder == tmp_path


def test_fresh_forgets_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "aws").mkdir()
    (tmp_path / "mine.txt").touch()
    write_dev_key(tmp_path, {"secret": "fb-x"})
    with locked_state(tmp_path, fresh=True):
        assert not (tmp_path / "aws").exists()
        assert read_dev_key(tmp_path) is None
        assert (tmp_path / "mine.txt").exists()


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    with (
        pytest.raises(StateError, match="cannot be written"),
        locked_state(tmp_path / "s", fresh=False),
    ):
        pass


def test_the_dev_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    write_dev_key(tmp_path, {"secret": "fb-x"})
    assert read_dev_key(tmp_path) == "fb-x"
    assert stat.S_IMODE((tmp_path / "dev-key.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", "no json"])
def test_a_damaged_dev_key_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "dev-key.json").write_text(text)
    assert read_dev_key(tmp_path) is None


def test_the_local_configuration_has_the_model_only_if_it_is_served(tmp_path: Path) -> None:
    with_model = tomllib.loads(write_local_config(tmp_path, "http://127.0.0.1:1/v1").read_text())
    assert with_model["providers"]["local"]["base_url"] == "http://127.0.0.1:1/v1"
    without = tomllib.loads(write_local_config(tmp_path, None).read_text())
    assert list(without["models"]) == ["scripted"]


def test_a_change_of_a_source_file_is_noticed(tmp_path: Path) -> None:
    kept, edited = tmp_path / "kept.py", tmp_path / "edited.py"
    for path in (kept, edited, tmp_path / "ignored.txt"):
        path.touch()
    before = snapshot([tmp_path])
    os.utime(edited, ns=(1, 1))
    (tmp_path / "ignored.txt").unlink()
    assert changes(before, snapshot([tmp_path])) == [edited]


def test_the_project_is_the_nearest_folder_above_with_a_template(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").touch()
    (tmp_path / "a/b").mkdir(parents=True)
    assert find_root(tmp_path / "a/b", tmp_path / "x") == tmp_path


def test_without_a_template_the_checkout_serves_else_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(TemplateError, match=r"No template\.yaml"):
        find_root(tmp_path / "a", tmp_path / "x")


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "Resources: 1", "Resources: {F: {Type: 'AWS::Serverless::Function'}}"],
)
def test_a_template_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match=r"template\.yaml"):
        translate(text, {})

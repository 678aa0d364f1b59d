"""The state folder: one stack at a time works on it, and it says what to forget."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

OURS: Final = ("aws", "aws-url", "chaos.toml", "dev-key.json", "local.toml", "template.json")


class StateError(Exception):
    """The state folder cannot be used; the message says why."""


@contextlib.contextmanager
def locked_state(folder: Path, *, fresh: bool) -> Iterator[Path]:
    """Make the folder and hold its lock; a lock that its process left behind is none.

    `fresh` forgets what is in it first.

    Raises:
        StateError: another stack holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"The state folder {folder} cannot be written: {error}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            raise StateError(
                f"Another `forebay dev` (process {holder}) uses {folder}. "
                "End it, or choose another folder by --state."
            ) from None
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        if fresh:
            _forget(folder)
        ignore = folder / ".gitignore"
        ignore.write_text("*\n")
        yield folder.resolve()
    finally:
        os.close(lock)


def _forget(folder: Path) -> None:
    """Remove what we wrote, and nothing else: the folder may be a person's own."""
    for name in OURS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def read_dev_key(folder: Path) -> str | None:
    """Return the secret of the key that an earlier start made; None without one."""
    try:
        kept: Any = json.loads((folder / "dev-key.json").read_text())
        return str(kept["secret"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_dev_key(folder: Path, key: dict[str, Any]) -> None:
    """Keep a new key, readable by its owner only."""
    path = folder / "dev-key.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(key, file)


@contextlib.contextmanager
def shown_aws_url(folder: Path, url: str) -> Iterator[None]:
    """Let other programs find the embedded AWS while it runs."""
    path = folder / "aws-url"
    path.write_text(url)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def read_aws_url(folder: Path) -> str | None:
    """Return where the embedded AWS of the stack is that runs on a folder; None: none runs."""
    try:
        return (folder / "aws-url").read_text()
    except OSError:
        return None

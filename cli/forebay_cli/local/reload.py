"""Notice that a source file changed, for `forebay dev --reload`."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

POLL_S: Final = 0.5
SUFFIXES: Final = frozenset({".py", ".toml", ".json"})

Snapshot = dict[Path, int]


def snapshot(places: Iterable[Path]) -> Snapshot:
    """Return the modification time (ns) of every source file at or below the places."""
    found: Snapshot = {}
    for place in places:
        files = place.rglob("*") if place.is_dir() else [place]
        for path in files:
            if path.suffix in SUFFIXES:
                try:
                    found[path] = path.stat().st_mtime_ns
                except OSError:  # gone since it was listed
                    continue
    return found


def changes(before: Snapshot, after: Snapshot) -> list[Path]:
    """Return the files that are new, gone or written again."""
    return sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )


async def watch(places: Iterable[Path], changed: Callable[[list[Path]], None]) -> None:
    """Call `changed` with the files after each change, forever."""
    roots = list(places)
    before = await asyncio.to_thread(snapshot, roots)
    while True:
        await asyncio.sleep(POLL_S)
        after = await asyncio.to_thread(snapshot, roots)
        if files := changes(before, after):
            changed(files)
        before = after

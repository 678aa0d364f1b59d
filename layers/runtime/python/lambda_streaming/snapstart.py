"""SnapStart: hooks around the snapshot that Lambda takes of an initialised sandbox.

Shaped like AWS's `snapshot_restore_py`, which the managed runtime carries; hooks registered there
are run too, so libraries that know only that one work unchanged.

Source: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

Registered = tuple["Callable[..., Any]", tuple[Any, ...], dict[str, Any]]

# Modules register while they are imported, before any object of ours could be handed to them; so
# these two lists are the package's only state.
_before_snapshot: list[Registered] = []
_after_restore: list[Registered] = []


def register_before_snapshot(
    hook: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> Callable[P, R]:
    """Call `hook` (sync or async) before the snapshot; the last registered goes first."""
    _before_snapshot.append((hook, args, kwargs))
    return hook


def register_after_restore(
    hook: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> Callable[P, R]:
    """Call `hook` (sync or async) after each restore, in the order of registration.

    Lambda gives all of them 10 s together.
    """
    _after_restore.append((hook, args, kwargs))
    return hook


async def run_before_snapshot() -> None:
    """Run the hooks for the snapshot; what one raises ends the init."""
    for registered in reversed([*_amazons("get_before_snapshot"), *_before_snapshot]):
        await _call(registered)


async def run_after_restore() -> None:
    """Run the hooks for the restore; what one raises ends the restore."""
    for registered in [*_amazons("get_after_restore"), *_after_restore]:
        await _call(registered)


async def _call(registered: Registered) -> None:
    hook, args, kwargs = registered
    result = hook(*args, **kwargs)
    if inspect.isawaitable(result):
        await result


def _amazons(getter: str) -> list[Registered]:
    module = sys.modules.get("snapshot_restore_py")  # nobody imported it: nothing is registered
    return [] if module is None else list(getattr(module, getter)())

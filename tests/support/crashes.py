"""Coroutines that are stepped by hand, so that a process can die at any of their awaits.

Only for worlds in memory, whose awaits give way and wait for nothing.
"""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Process(Generic[T]):
    """One coroutine between two of its awaits.

    Args:
        work: What it does.
        dies_at: Number of the await at which it dies, from 0; None: it lives.
    """

    def __init__(self, work: Coroutine[Any, Any, T], *, dies_at: int | None = None) -> None:
        self._work = work
        self._dies_at = dies_at
        self.steps = 0
        self.is_over = False
        self.died = False
        self.result: T | None = None

    def step(self) -> None:
        """Run to the next await; die there, if it is the one."""
        try:
            self._work.send(None)
        except StopIteration as end:
            self.result, self.is_over = end.value, True
            return
        if self.steps == self._dies_at:
            self._work.close()  # no `except` of it runs I/O any more: the process is gone
            self.is_over = self.died = True
        self.steps += 1


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end."""
    process = Process(work)
    while not process.is_over:
        process.step()
    return process.result  # type: ignore[return-value] # it is over


def interleave(processes: list[Process[T]], dice: Random) -> None:
    """Run all to their ends, a step of any of them at a time."""
    alive = list(processes)
    while alive:
        process = dice.choice(alive)
        process.step()
        alive = [each for each in alive if not each.is_over]

"""Whether an answer of several choices is whole (invariant 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from forebay.dialects import DialectError


@dataclass(slots=True)
class Wholeness:
    """Keeps the choices that were seen, and those that have ended.

    Whole means that every choice has had its finish reason. A target may give fewer choices than
    were asked for (Ollama knows no `n`): that no other comes, it must have said.

    Args:
        choices: How many answers the request asks for (`n`).
    """

    choices: int = 1
    _seen: set[int] = field(default_factory=set)
    _finished: set[int] = field(default_factory=set)

    def saw(self, choices: Iterable[int], finished: Iterable[int]) -> None:
        """Note the choices that came, and those of them that ended."""
        self._seen.update(choices)
        self._finished.update(finished)

    def has_finished(self, choice: int) -> bool:
        """Whether a choice has ended."""
        return choice in self._finished

    def check(self, *, target_is_done: bool) -> None:
        """Let a whole answer pass.

        Args:
            target_is_done: Whether the target said that nothing else comes.

        Raises:
            DialectError: The answer is not whole.
        """
        missing = len(self._finished) < (1 if target_is_done else self.choices)
        if missing or self._seen - self._finished:
            raise DialectError("the stream ended before the answer did")

"""A stream's first part, and the sign of life that stands in for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from forebay.service.beginning import begun
from tests.support.virtual_time import run_virtual


class Parts:
    """An answer whose parts come after so many seconds each."""

    def __init__(self, *delays_s: float, error: Exception | None = None) -> None:
        self._delays_s = delays_s
        self._error = error
        self.closed = False

    async def __call__(self) -> AsyncGenerator[bytes]:
        try:
            for index, delay_s in enumerate(self._delays_s):
                await asyncio.sleep(delay_s)
                yield b"%d" % index
            if self._error:
                raise self._error
        finally:
            self.closed = True


async def read(parts: Parts, patience_s: float | None = 15.0) -> list[bytes]:
    async with begun(parts(), patience_s=patience_s, sign_of_life=b"alive") as (first, rest):
        return [first, *[part async for part in rest]]


@pytest.mark.parametrize(
    ("delays_s", "patience_s", "read_parts"),
    [
        pytest.param((1, 1), 15.0, [b"0", b"1"], id="in time"),
        pytest.param((16, 1), 15.0, [b"alive", b"0", b"1"], id="late"),
        pytest.param((1, 60), 15.0, [b"0", b"1"], id="a later silence is not its business"),
        pytest.param((500,), None, [b"0"], id="without a limit"),
    ],
)
def test_a_late_beginning_gets_a_sign_of_life(
    delays_s: tuple[float, ...], patience_s: float | None, read_parts: list[bytes]
) -> None:
    parts = Parts(*delays_s)

    assert run_virtual(read(parts, patience_s)) == read_parts
    assert parts.closed


def test_an_early_failure_is_raised_before_anything_is_handed_over() -> None:
    async def main() -> None:
        async with begun(Parts(error=ValueError())(), patience_s=15.0, sign_of_life=b""):
            pytest.fail("there is nothing to hand over")

    with pytest.raises(ValueError):  # noqa: PT011 - the very one
        run_virtual(main())


def test_a_late_failure_is_raised_by_the_rest() -> None:
    async def main() -> bytes:
        late = Parts(20.0, error=ValueError())
        async with begun(late(), patience_s=15.0, sign_of_life=b"alive") as (first, rest):
            with pytest.raises(ValueError):  # noqa: PT011 - the very one
                async for _ in rest:
                    pass
            return first

    assert run_virtual(main()) == b"alive"


@pytest.mark.parametrize("delay_s", [1.0, 100.0], ids=["after a part", "while it is awaited"])
def test_an_answer_that_is_left_early_is_closed(delay_s: float) -> None:
    parts = Parts(delay_s, 100.0)

    async def main() -> None:
        async with begun(parts(), patience_s=15.0, sign_of_life=b"alive"):
            pass

    run_virtual(main())
    assert parts.closed


def test_a_caller_that_is_cancelled_while_it_waits_leaves_nothing_running() -> None:
    parts = Parts(100.0)

    async def main() -> int:
        waiting = asyncio.create_task(read(parts, None))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait({waiting})
        return len(asyncio.all_tasks())

    assert run_virtual(main()) == 1
    assert parts.closed

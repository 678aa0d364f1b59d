"""What a mapping with a tumbling window adds to its events, and wants of its answers.

Lambda carries a state from invocation to invocation while a window lasts, and invokes once more,
without records, when it is over. Such events also name their shard. Unlike Lambda, a batch that
reaches over the end of a window is not split.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any


class TumblingWindow:
    """The window of a shard.

    Args:
        length_s: of a window.
        stream_arn: the stream's.
    """

    def __init__(self, length_s: int, stream_arn: str) -> None:
        self._length_s = length_s
        self._stream_arn = stream_arn
        self._start_s = 0
        self._state: Any = {}
        self._is_open = False

    def open(self, created_at_s: float) -> None:
        """Begin with a record, unless it falls into the open window."""
        self._start_s = int(created_at_s // self._length_s) * self._length_s
        self._is_open = True

    def is_over(self, now_s: float) -> bool:
        """Whether one is open that ended before this moment."""
        return self._is_open and now_s >= self._start_s + self._length_s

    def close(self) -> None:
        """Forget the state."""
        self._is_open, self._state = False, {}

    def fields(self, shard_id: str, *, is_final: bool) -> dict[str, Any]:
        """Return what an event has beside its records."""
        return {
            "window": {
                "start": _iso(self._start_s),
                "end": _iso(self._start_s + self._length_s),
            },
            "state": self._state,
            "shardId": shard_id,
            "eventSourceARN": self._stream_arn,
            "isFinalInvokeForWindow": is_final,
            "isWindowTerminatedEarly": False,
        }

    def take(self, answer: object) -> bool:
        """Keep an answer's state; return False if it has none, for which Lambda calls it failed."""
        if not isinstance(answer, Mapping) or "state" not in answer:
            return False
        self._state = answer["state"]
        return True


def _iso(time_s: int) -> str:
    return f"{dt.datetime.fromtimestamp(time_s, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"

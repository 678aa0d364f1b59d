"""The lines that `forebay dev` prints: each part of the stack by name, readable or as JSON."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

from forebay import telemetry as names
from forebay.money import format_usd

COLOURS: Final = (36, 35, 33, 32, 34, 31)  # of a terminal; a part keeps its own
NAME_WIDTH: Final = 9
# Of a structured line: said by the prefix, or of no use to somebody at a terminal.
HIDDEN: Final = frozenset({
    "_aws", "cold_start", "function_arn", "function_memory_size", "function_name",
    "function_request_id",
    "level", "location", "logger", "message", "requestId", "service", "timestamp", "xray_trace_id",
})  # fmt: skip


class Log:
    """Prints lines.

    Args:
        stream: where to.
        as_json: one JSON object a line, `{"source", "message"}` or `{"source", …}` with what a part
            logged as JSON itself; else text for a person.
    """

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._stream = stream
        self._as_json = as_json
        self._colour = not as_json and stream.isatty()
        self._sources: dict[str, int] = {}

    def source(self, name: str) -> Callable[[str], None]:
        """Return a function that prints a line of this part of the stack."""
        self._sources.setdefault(name, COLOURS[len(self._sources) % len(COLOURS)])
        return lambda line: self._line(name, line)

    def plain(self, line: str) -> None:
        """Print a line as it is, for tools that wait for it; the same with `as_json`."""
        print(line, file=self._stream, flush=True)

    def _line(self, name: str, line: str) -> None:
        if not line.strip():
            return
        record = _record(line)
        if self._as_json:
            fields = {"message": line} if record is None else record
            self.plain(json.dumps({"source": name} | dict(fields), ensure_ascii=False))
            return
        text = line if record is None else readable(record)
        prefix = f"{name:<{NAME_WIDTH}}"
        if self._colour:
            prefix = f"\033[{self._sources[name]}m{prefix}\033[0m"
        self.plain(f"{prefix} | {text}")


def _record(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        record: Any = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def readable(record: Mapping[str, Any]) -> str:
    """Turn a structured line into one for a person."""
    level = str(record.get("level", "INFO")).upper()
    words = [] if level == "INFO" else [level]
    if names.OUTCOME in record:
        words.append(_request(record))
    else:
        words.append(str(record.get("message", "")))
        shown = (item for item in record.items() if item[0] not in HIDDEN)
        words += [f"{name}={_short(value)}" for name, value in shown if value is not None]
    return " ".join(word for word in words if word)


def _request(record: Mapping[str, Any]) -> str:
    """Sum a request's line up: `fast -> openai/gpt-5-mini complete, first token 212 ms, …`."""
    get = record.get
    error = f" ({get(names.ERROR_TYPE)})" if get(names.ERROR_TYPE) else ""
    first = get(names.TIME_TO_FIRST_TOKEN)
    target = f"{get(names.PROVIDER)}/{get(names.RESPONSE_MODEL)}"
    parts = [
        f"{get(names.REQUEST_MODEL)} -> {target} {get(names.OUTCOME)}{error}",
        "" if first is None else f"first token {first} ms",
        f"{get(names.REQUEST_DURATION)} ms",
        f"{get(names.INPUT_TOKENS)} + {get(names.OUTPUT_TOKENS)} tokens",
        f"${format_usd(get(names.COST_NANO_USD, 0))}",
        f"id {get(names.REQUEST_ID)}",
    ]
    return ", ".join(part for part in parts if part)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def stdout_log(*, as_json: bool) -> Log:
    """The log of a command line."""
    return Log(sys.stdout, as_json=as_json)

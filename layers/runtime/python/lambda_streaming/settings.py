"""What the runtime reads from its environment, parsed once; every default stands here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lambda_streaming.errors import RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Mapping

ResponseMode = Literal["buffered", "streaming"]


@dataclass(frozen=True)
class Settings:
    """The runtime's settings, from Lambda's own variables and four of ours.

    Attributes:
        runtime_api: `host:port` of the Runtime API (`AWS_LAMBDA_RUNTIME_API`).
        handler: `module.attribute` of the ASGI app or plain handler (`_HANDLER`).
        task_root: directory of the function's code (`LAMBDA_TASK_ROOT`).
        response_mode: how the function is invoked (`FOREBAY_RESPONSE_MODE`). The Runtime API does
            not tell whether the caller streams, so this is a setting and never guessed.
        keepalive_s: seconds without a byte after which a `text/event-stream` answer gets a comment
            line (`FOREBAY_KEEPALIVE_S`; 0 = never). 15: half of the 30 s after which an
            edge-optimised API cuts an idle stream.
        deadline_margin_s: seconds before the invocation's deadline at which the app is cancelled,
            so that it can still say so (`FOREBAY_DEADLINE_MARGIN_S`). 0.5: time for one write.
        shutdown_grace_s: seconds that running invocations get after SIGTERM
            (`FOREBAY_SHUTDOWN_GRACE_S`). Lambda itself ends a sandbox after 2 s at most; 10 is for
            hosts that let streams run out.
        concurrency: invocations at a time in this process (`AWS_LAMBDA_MAX_CONCURRENCY`).
        snap_start: whether a snapshot is taken after init (`AWS_LAMBDA_INITIALIZATION_TYPE`).
    """

    runtime_api: str
    handler: str
    task_root: str = "/var/task"
    response_mode: ResponseMode = "buffered"
    keepalive_s: float = 15.0
    deadline_margin_s: float = 0.5
    shutdown_grace_s: float = 10.0
    concurrency: int = 1
    snap_start: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Parse the environment.

        Raises:
            RuntimeFault: a variable is missing or malformed; the message names it.
        """
        return cls(
            runtime_api=_required(environ, "AWS_LAMBDA_RUNTIME_API"),
            handler=_required(environ, "_HANDLER"),
            task_root=environ.get("LAMBDA_TASK_ROOT") or cls.task_root,
            response_mode=_mode(environ),
            keepalive_s=_seconds(environ, "FOREBAY_KEEPALIVE_S", cls.keepalive_s),
            deadline_margin_s=_seconds(environ, "FOREBAY_DEADLINE_MARGIN_S", cls.deadline_margin_s),
            shutdown_grace_s=_seconds(environ, "FOREBAY_SHUTDOWN_GRACE_S", cls.shutdown_grace_s),
            concurrency=_count(environ, "AWS_LAMBDA_MAX_CONCURRENCY", cls.concurrency),
            snap_start=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start",
        )


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise RuntimeFault("Runtime.InvalidSettings", f"{name} is not set; Lambda sets it")
    return value


def _mode(environ: Mapping[str, str]) -> ResponseMode:
    match environ.get("FOREBAY_RESPONSE_MODE") or Settings.response_mode:
        case "streaming":
            return "streaming"
        case "buffered":
            return "buffered"
        case other:
            raise _fault("FOREBAY_RESPONSE_MODE", other, "'streaming' or 'buffered'")


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise _fault(name, text, "seconds from 0 to 3600")
    return value


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10_000):
        raise _fault(name, text, "a whole number from 1 to 10000")
    return int(text)


def _fault(name: str, value: str, expected: str) -> RuntimeFault:
    return RuntimeFault("Runtime.InvalidSettings", f"{name}={value!r}: expected {expected}")

"""The root logger, as the managed runtime sets it up: text or JSON, with the request id.

Source: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

from lambda_streaming.compat import override
from lambda_streaming.context import current_context

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def set_up(root: logging.Logger, environ: Mapping[str, str], stream: TextIO) -> None:
    """Give the root logger one handler; does nothing if somebody gave it one before.

    `AWS_LAMBDA_LOG_FORMAT` (`JSON` or text) and `AWS_LAMBDA_LOG_LEVEL` are Lambda's own variables.
    """
    if root.handlers:
        return
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        JsonFormatter() if environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON" else TextFormatter()
    )
    root.addHandler(handler)
    level = environ.get("AWS_LAMBDA_LOG_LEVEL", "")
    if level in _LEVELS:
        root.setLevel(level)


class TextFormatter(logging.Formatter):
    """`[LEVEL] time request-id message`, parted by tabs."""

    converter = staticmethod(time.gmtime)

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        text = super().format(record)
        return f"[{record.levelname}]\t{stamp}.{record.msecs:03.0f}Z\t{_request_id()}\t{text}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    converter = staticmethod(time.gmtime)

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        fields = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": _request_id(),
        }
        if record.exc_info:
            fields["stackTrace"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def _request_id() -> str:
    context = current_context()
    return "" if context is None else context.aws_request_id

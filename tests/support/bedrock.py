"""Answers of Amazon Bedrock as they come: events of ConverseStream, in JSON and in frames.

The events have the shapes of
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html, `p`
included: padding against guesses from an event's length, which is in no page and in all streams.
"""

from __future__ import annotations

import json
import struct
from binascii import crc32
from typing import Any

START = {"messageStart": {"role": "assistant", "p": "abcd"}}
STOP = {"messageStop": {"stopReason": "end_turn"}}
USAGE = {"inputTokens": 10, "outputTokens": 7, "totalTokens": 17}
METADATA = {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 120}}}


def delta(content: dict[str, Any], block: int = 0) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": block, "delta": content, "p": "ab"}}


def text(words: str, block: int = 0) -> dict[str, Any]:
    return delta({"text": words}, block)


def stop(block: int = 0) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": block}}


def tool(name: str, block: int) -> dict[str, Any]:
    start = {"toolUse": {"toolUseId": f"tooluse_{name}", "name": name}}
    return {"contentBlockStart": {"contentBlockIndex": block, "start": start}}


def stopped(reason: str) -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason, "additionalModelResponseFields": None}}


TEXT = (START, text("Hé"), text("llo\n\u2028"), stop(), STOP, METADATA)
TOOLS = (
    START,
    delta({"reasoningContent": {"text": "I need"}}),
    delta({"reasoningContent": {"text": " two."}}),
    delta({"reasoningContent": {"signature": "c2ln"}}),
    stop(),
    delta({"reasoningContent": {"redactedContent": "eA=="}}, 1),
    stop(1),
    text("Looking.", 2),
    stop(2),
    tool("now", 3),
    delta({"toolUse": {"input": ""}}, 3),
    stop(3),
    tool("add", 4),
    delta({"toolUse": {"input": '{"a": '}}, 4),
    delta({"toolUse": {"input": "1}"}}, 4),
    stop(4),
    stopped("tool_use"),
    METADATA,
)


def lines(*events: dict[str, Any]) -> bytes:
    """Events as the dialect gets them."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def frames(*events: dict[str, Any]) -> bytes:
    """Events as Bedrock sends them."""
    return b"".join(event_frame(event) for event in events)


def event_frame(event: dict[str, Any]) -> bytes:
    ((name, content),) = event.items()
    headers = {
        ":event-type": name,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    return frame(headers, json.dumps(content).encode())


def exception_frame(name: str, message: str) -> bytes:
    headers = {
        ":exception-type": name,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return frame(headers, json.dumps({"message": message}).encode())


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Write one frame, all of whose headers are strings (type 7).

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
    """
    return raw_frame(b"".join(_header(name, value) for name, value in headers.items()), payload)


def raw_frame(headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", crc32(prelude)) + headers + payload
    return message + struct.pack("!I", crc32(message))


def _header(name: str, value: str) -> bytes:
    key, content = name.encode(), value.encode()
    return bytes([len(key)]) + key + b"\x07" + struct.pack("!H", len(content)) + content

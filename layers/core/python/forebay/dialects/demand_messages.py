"""What a request to Anthropic's messages can cost.

Sources: https://platform.claude.com/docs/en/api/messages/create and
https://platform.claude.com/docs/en/about-claude/pricing. Tools that Anthropic runs itself have no
bound, even with `max_uses`: nothing caps the tokens of what they bring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from forebay.dialects.anthropic_messages_request import MessagesRequest
from forebay.dialects.demand_parts import Gathered, decoded, is_said, output_limit
from forebay.model import Demand

_MARKERS: Final = frozenset({"role", "type", "cache_control", "media_type"})

_FREE: Final = frozenset(
    {"model", "messages", "system", "max_tokens", "metadata", "stop_sequences", "stream"}
    | {"temperature", "top_k", "top_p", "thinking", "tool_choice", "service_tier", "cache_control"}
    | {"speed", "inference_geo", "betas"}
)
"""Fields that the model does not read; any other is taken as part of the prompt."""

_SCHEMAS: Final = frozenset({"tools", "output_config", "output_format"})

_UNBOUNDED: Final = frozenset({"mcp_servers", "container"})
"""What runs at Anthropic's, and brings its results into the prompt."""

_LISTED_PLACE: Final = "global"
"""The `inference_geo` at which the listed prices hold; others multiply them. (`speed` is sold as a
tier is: see `service_tiers`.)"""

_TEXT_BLOCKS: Final = frozenset(
    {"text", "thinking", "redacted_thinking", "tool_use", "tool_result", "search_result"}
    | {"server_tool_use", "web_search_tool_result", "web_search_result", "tool_reference"}
    | {"mcp_tool_use", "mcp_tool_result", "content", "char_location", "compaction"}
    | {"web_search_result_location", "search_result_location", "content_block_location"}
    | {"page_location"}
)

_OWN_TOOLS: Final = ("bash_", "text_editor_", "computer_", "memory_")
"""Anthropic's tools that the caller runs."""


def messages_demand(request: MessagesRequest) -> Demand:
    """Tell what a request can cost. Never fails."""
    gathered = Gathered()
    fields = request.fields
    for name in ("system", "messages"):
        if name in fields:
            gathered.look_through(name, fields[name], part=_block, markers=_MARKERS)
    tools = decoded(fields.get("tools"))
    thinking = decoded(fields.get("thinking"))
    return Demand(
        texts=(*gathered.texts, *_unknown(fields)),
        schemas=tuple(
            _text(fields[each]) for each in sorted(_SCHEMAS) if is_said(fields.get(each))
        ),
        framed=request.messages + ("system" in fields),
        tools=len(_items(tools)),
        own_tools=sum(_kind(tool).startswith(_OWN_TOOLS) for tool in _items(tools)),
        pictures=tuple(gathered.pictures),
        output_limit=output_limit(decoded(fields.get("max_tokens"))),
        reasons=isinstance(thinking, dict) and thinking.get("type") != "disabled",
        unbounded=(*gathered.unbounded, *_unbounded(fields, tools)),
    )


def _block(gathered: Gathered, block: Mapping[str, Any], path: str) -> bool:
    kind = block["type"]
    match kind:
        case "image":
            _picture(gathered, block.get("source"))
            return True
        case "document":
            source = block.get("source")
            of = source.get("type") if isinstance(source, dict) else None
            return of not in ("text", "content") and gathered.no_bound(path)
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            gathered.raw(msgspec.json.encode(block))
            return True
        case _:
            return not _is_text(kind, path) and gathered.no_bound(path)


def _is_text(kind: object, path: str) -> bool:
    """Whether a block is nothing but words; one in a document's source says `text`, too."""
    return path.endswith(".source") or (isinstance(kind, str) and kind in _TEXT_BLOCKS)


def _picture(gathered: Gathered, source: object) -> None:
    data = source.get("data") if isinstance(source, dict) else None
    gathered.picture(f"data:,{data}" if isinstance(data, str) else None)


def _unbounded(fields: Mapping[str, msgspec.Raw], tools: Any) -> Iterator[str]:
    yield from (name for name in sorted(_UNBOUNDED) if is_said(fields.get(name)))
    if decoded(fields.get("inference_geo")) not in (None, _LISTED_PLACE):
        yield "inference_geo"
    if b"compact" in bytes(fields.get("context_management", b"")):
        yield "context_management"  # summaries are answers of their own, and billed
    for at, tool in enumerate(_items(tools)):
        if _kind(tool) != "custom" and not _kind(tool).startswith(_OWN_TOOLS):
            yield f"tools[{at}]"


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _kind(tool: object) -> str:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return "custom" if kind is None else str(kind)


def _unknown(fields: Mapping[str, msgspec.Raw]) -> Iterator[str]:
    known = _FREE | _SCHEMAS | _UNBOUNDED | {"context_management"}
    for name, value in fields.items():
        if name not in known and is_said(value):
            yield _text(value)


def _text(value: msgspec.Raw) -> str:
    return bytes(value).decode("utf-8", "replace")

"""Whatever was parsed has a demand: it is what stands between a request and its hold."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from forebay.dialects.demand import demand_of
from forebay.dialects.question import chat_question, completions_question, messages_question
from forebay.errors import InvalidRequest

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "content", "text", "source", "data", "image_url", "url", "detail"),
                    *("role", "input", "audio", "tool_calls", "name", "file_id"),
                ]
            )
            | st.text(max_size=3),
            inner | st.sampled_from(["text", "image", "image_url", "document", "tool_use", "url"]),
            max_size=5,
        )
    ),
    max_leaves=25,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            *("tools", "functions", "modalities", "max_tokens", "reasoning_effort", "thinking"),
            *("system", "speed", "prediction", "response_format", "best_of", "prompt", "odd"),
            *("context_management", "mcp_servers", "suffix", "audio", "web_search_options"),
        ]
    ),
    JSON,
    max_size=6,
)


@given(
    FIELDS, st.lists(st.dictionaries(st.just("content") | st.text(max_size=5), JSON), max_size=3)
)
def test_whatever_was_parsed_has_a_demand(
    fields: dict[str, Any], said: list[dict[str, Any]]
) -> None:
    turns = [{"role": "user", "content": "hi"}, *({**each, "role": "user"} for each in said)]
    body = json.dumps({"model": "m", "max_tokens": 5, **fields, "messages": turns}).encode()

    for parse in (chat_question, lambda body: messages_question(body, {}), completions_question):
        try:
            asked = parse(body)
        except InvalidRequest:
            continue
        demand = demand_of(asked)
        assert demand.answers >= 1
        assert all(isinstance(each, str) for each in (*demand.texts, *demand.unbounded))

"""The streams in `tests/data/streams`, and what is true of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from forebay.model import Usage

FOLDER = Path(__file__).parents[1] / "data" / "streams"


@dataclass(frozen=True)
class Stream:
    """One stream of a provider that answered whole."""

    name: str
    text: str
    usage: Usage | None
    choices: int = 1

    @property
    def sent(self) -> bytes:
        """What the provider sends."""
        return (FOLDER / f"{self.name}.sse").read_bytes()


STREAMS = (
    Stream("openai_plain", 'Grüße, "world"\u2028 \U0001f600\n', None),
    Stream("openai_usage", "Hello there", Usage(19, 5, 8, service_tier="default")),
    Stream(
        "openai_tools",
        'get_weather{"city":"Łódź"}get_time{}',
        Usage(19, 33, 8, service_tier="default"),
    ),
    Stream("openai_two_choices", "YesNo!.", Usage(19, 8, 8, service_tier="default"), choices=2),
    Stream("openai_refusal", "I cannot do that.", Usage(19, 5, 8, service_tier="default")),
    Stream("azure_plain", "Ok", None),
    Stream("usage_with_choices", "Bonjour", Usage(7, 2)),
    Stream("vllm_plain", "Hm.42", Usage(12, 4)),
    Stream("vllm_continuous_usage", "Hm.42", Usage(12, 3)),
    Stream("ollama_plain", "Hi!", Usage(26, 3)),
    Stream("crlf_and_comments", "Sure", Usage(5, 1)),
)

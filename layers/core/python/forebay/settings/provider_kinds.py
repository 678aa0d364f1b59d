"""The kinds of provider: what sets them apart before a request is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ProviderKind(StrEnum):
    """What a provider speaks."""

    OPENAI = "openai"
    AZURE = "azure"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    BEDROCK = "bedrock"
    OLLAMA = "ollama"
    VLLM = "vllm"
    LOCALAI = "localai"
    SCRIPTED = "scripted"


DEFAULT_BASE_URLS: Final[Mapping[ProviderKind, str]] = {
    ProviderKind.OPENAI: "https://api.openai.com/v1",
    ProviderKind.ANTHROPIC: "https://api.anthropic.com/v1",
    ProviderKind.GEMINI: "https://generativelanguage.googleapis.com/v1beta",
    ProviderKind.OLLAMA: "http://127.0.0.1:11434/v1",
    ProviderKind.VLLM: "http://127.0.0.1:8000/v1",
    ProviderKind.LOCALAI: "http://127.0.0.1:8080/v1",
}
"""Where each is unless told otherwise, by its own documentation. Azure's hosts bear the operator's
name, Bedrock's the region's (`bedrock_url`)."""

PAID_KINDS: Final = frozenset({ProviderKind.OPENAI, ProviderKind.ANTHROPIC, ProviderKind.GEMINI})
"""Those that answer nobody without a key at their own address."""


class KeyHeader(StrEnum):
    """The header field that takes a provider's key."""

    BEARER = "bearer"
    """`Authorization: Bearer KEY`."""
    API_KEY = "api-key"
    X_API_KEY = "x-api-key"
    X_GOOG_API_KEY = "x-goog-api-key"


KEY_HEADERS: Final[Mapping[ProviderKind, KeyHeader]] = {
    ProviderKind.ANTHROPIC: KeyHeader.X_API_KEY,
    ProviderKind.GEMINI: KeyHeader.X_GOOG_API_KEY,
}
"""Where not `BEARER`. Source: https://docs.anthropic.com/en/api/overview,
https://ai.google.dev/api (Authentication)."""


class AzureAuth(StrEnum):
    """How Azure OpenAI is asked. Source: https://learn.microsoft.com/azure/ai-foundry/openai."""

    API_KEY = "api-key"
    """A key of the resource."""
    BEARER = "bearer"
    """A token of Microsoft Entra ID."""


AZURE_V1: Final = "v1"
"""Azure's API without dates: the paths below `/openai/v1`, which take no `api-version`."""

AZURE_VERSION: Final = re.compile(r"v1|\d{4}-\d{2}-\d{2}(?:-preview)?")

AWS_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]{2,12}){1,3}-\d{1,2}")


def bedrock_url(region: str) -> str:
    """Return Bedrock's address in a region.

    Source: https://docs.aws.amazon.com/general/latest/gr/bedrock.html
    """
    return f"https://bedrock-runtime.{region}.amazonaws.com"

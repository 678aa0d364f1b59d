"""Which targets have embeddings, and how each is asked for them."""

from __future__ import annotations

from forebay.dialects import embeddings_bedrock, embeddings_gemini, embeddings_openai
from forebay.dialects.embeddings import Surface
from forebay.errors import InvalidRequest
from forebay.service.catalog import Target
from forebay.service.target_dialects import BEDROCK, GEMINI


def surface_of(target: Target) -> Surface:
    """Return how a target is asked for embeddings.

    Raises:
        InvalidRequest: It has none, or none that is known here; `param` is `model`.
    """
    dialect = target.dialect
    if dialect.speaks_chat:
        return embeddings_openai.SURFACE
    if dialect is GEMINI:
        return embeddings_gemini.SURFACE
    if dialect is BEDROCK:
        surface = embeddings_bedrock.surface_for(target.model)
        if surface is None:
            raise InvalidRequest(
                f"{target.name} embeds nothing that is known here: of Amazon Bedrock's models, "
                "those are Titan Text Embeddings V2 and Cohere Embed v3 and v4.",
                param="model",
            )
        return surface
    raise InvalidRequest(
        f"{target.name} cannot embed: its provider (Anthropic) has no embeddings.", param="model"
    )

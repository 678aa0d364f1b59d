"""Where Azure OpenAI's paths differ from OpenAI's.

Source: https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle (`/openai/v1`),
https://learn.microsoft.com/azure/ai-foundry/openai/reference (`/openai/deployments`). Bodies are
OpenAI's; `model` names the deployment in both, as Microsoft's examples and the `AzureOpenAI` client
of OpenAI's SDK have it.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from forebay.adapters.providers.http import FindPath
from forebay.model import UpstreamRequest
from forebay.settings import AZURE_V1


class _Deployment(msgspec.Struct):
    model: str


_decode_deployment = msgspec.json.Decoder(_Deployment).decode


def azure_paths(api_version: str) -> FindPath:
    """Return what finds a request's path in a version of the API: `AZURE_V1` or a date."""
    if api_version == AZURE_V1:
        return _v1_path

    def deployment_path(request: UpstreamRequest) -> str:
        # The path names what only the body knows; OpenAI's SDK takes it from there too.
        deployment = quote(_decode_deployment(request.body).model, safe="")
        return f"/openai/deployments/{deployment}{request.path}?api-version={api_version}"

    return deployment_path


def _v1_path(request: UpstreamRequest) -> str:
    return f"/openai/v1{request.path}"

"""The catalogue of models, out of gateway.toml."""

from __future__ import annotations

from collections.abc import Mapping

from forebay.dialects.continuation import continuing
from forebay.ports import Provider
from forebay.resilience.deadline import resolved
from forebay.service import target_dialects
from forebay.service.catalog import Catalog, ModelPolicy, Target
from forebay.service.target_dialects import TargetDialect
from forebay.settings import (
    Continuing,
    GatewayConfig,
    ModelSettings,
    ProviderKind,
    ProviderSettings,
    ScriptedContinuing,
    TargetSettings,
)
from forebay.wiring.providers import ProviderFactory

DIALECTS: Mapping[ProviderKind, TargetDialect] = {
    ProviderKind.OPENAI: target_dialects.OPENAI,
    ProviderKind.AZURE: target_dialects.OPENAI,
    ProviderKind.ANTHROPIC: target_dialects.ANTHROPIC,
    ProviderKind.GEMINI: target_dialects.GEMINI,
    ProviderKind.BEDROCK: target_dialects.BEDROCK,
    ProviderKind.OLLAMA: target_dialects.OLLAMA,
    ProviderKind.VLLM: target_dialects.VLLM,
    ProviderKind.LOCALAI: target_dialects.LOCALAI,
    ProviderKind.SCRIPTED: target_dialects.OPENAI,
}
"""What each kind of provider speaks."""

REPLICA_KINDS = frozenset({ProviderKind.VLLM, ProviderKind.OLLAMA, ProviderKind.LOCALAI})
"""Servers that people run themselves: each has a prefix cache of its own."""


def build_catalog(config: GatewayConfig, factory: ProviderFactory) -> Catalog:
    """Build the models that can be served, and their targets."""
    providers = {
        name: factory.build(settings)
        for name, settings in config.providers.items()
        if settings.unavailable is None
    }
    served = config.available_models()
    targets = {
        name: tuple(
            _target(config.providers[each.provider], providers[each.provider], each, model)
            for each in model.targets
        )
        for name, model in served.items()
    }
    return Catalog(
        targets,
        {name: _reason(config, name) for name in config.models.keys() - served},
        {name: model.fallbacks for name, model in served.items()},
        {
            name: ModelPolicy(model.resilience, model.timeouts.total_s)
            for name, model in served.items()
        },
    )


def _continuing(settings: ProviderSettings, model: str) -> Continuing:
    """Say how a target goes on with an answer; a script may be one that does not write on."""
    scripted = settings.kind is ProviderKind.SCRIPTED
    if scripted and settings.scripted.continues is not ScriptedContinuing.PREFILL:
        return Continuing.ECHO
    return continuing(settings.kind, model)


def _target(
    settings: ProviderSettings, provider: Provider, stated: TargetSettings, model: ModelSettings
) -> Target:
    return Target(
        settings.name,
        provider,
        stated.model,
        stated.price,
        DIALECTS[settings.kind],
        stated.weight,
        resolved(settings.timeouts, model.timeouts),
        stated.continuing or _continuing(settings, stated.model),
        settings.kind,
        settings.kind in REPLICA_KINDS,
    )


def _reason(config: GatewayConfig, model: str) -> str:
    """Say why none of a model's targets can be called."""
    providers = dict.fromkeys(target.provider for target in config.models[model].targets)
    return "; ".join(f"{name}: {config.providers[name].unavailable}" for name in providers)

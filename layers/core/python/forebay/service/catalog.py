"""The models that callers can name, and the targets behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forebay.errors import ModelNotFound
from forebay.model import KeyRecord, Timeouts, Usage
from forebay.money import NanoUsd, Price
from forebay.ports import Provider
from forebay.resilience.deadline import resolved
from forebay.service.target_dialects import TargetDialect
from forebay.settings import (
    Continuing,
    ModelResilience,
    ModelTimeouts,
    ProviderKind,
    TimeoutSettings,
)


@dataclass(frozen=True, slots=True)
class Target:
    """One model at one provider."""

    provider_name: str
    provider: Provider
    model: str
    price: Price
    dialect: TargetDialect
    weight: int = 1
    timeouts: Timeouts = field(default_factory=lambda: resolved(TimeoutSettings(), ModelTimeouts()))
    continuing: Continuing = Continuing.NONE
    """How it goes on with an answer that broke off elsewhere."""
    kind: ProviderKind = ProviderKind.OPENAI
    """Its provider's: whose vocabulary counts its tokens."""
    is_replica: bool = False
    """Whether it is a self-hosted server, whose own prefix cache is worth coming back to."""

    @property
    def name(self) -> str:
        """`provider/model`, as headers, logs and errors name it."""
        return f"{self.provider_name}/{self.model}"

    def cost(self, usage: Usage) -> NanoUsd:
        """Price what was used here."""
        return self.price.cost(usage)


@dataclass(frozen=True, slots=True)
class ModelPolicy:
    """How failures of a model are met, and how long its answers may take."""

    resilience: ModelResilience = field(default_factory=ModelResilience)
    total_s: float = ModelTimeouts().total_s


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request may be answered."""

    groups: tuple[tuple[Target, ...], ...]
    """The model's own targets, then those of each fallback; none of them is empty."""
    policy: ModelPolicy


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is served.

    Args:
        targets: For each model that callers can name, at least one target.
        unavailable: Models that are configured and cannot be served, each with the reason.
        fallbacks: For each model, those that are asked when none of its own targets answers; all
            of them have targets.
        policies: For each model, its own; absent: the defaults.
    """

    targets: Mapping[str, tuple[Target, ...]]
    unavailable: Mapping[str, str]
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policies: Mapping[str, ModelPolicy] = field(default_factory=dict)

    def names(self, key: KeyRecord) -> list[str]:
        """Models that this key may call, sorted."""
        return sorted(name for name in self.targets if _allows(key, name))

    def find(self, model: str, key: KeyRecord) -> Route:
        """Look a model up for a key: its own targets, then those of each of its fallbacks.

        A fallback is the operator's choice, so the key need not name it.

        Raises:
            ModelNotFound: There is none of this name, it cannot be served, or the key may not
                call it; the message says what it may call.
        """
        if model in self.targets and _allows(key, model):
            names = (model, *self.fallbacks.get(model, ()))
            groups = tuple(self.targets[name] for name in names)
            return Route(groups, self.policies.get(model, ModelPolicy()))
        if model in self.unavailable and _allows(key, model):
            reason = self.unavailable[model]
            raise ModelNotFound(f"The model '{model}' is not served now: {reason}", param="model")
        available = ", ".join(self.names(key)) or "none"
        raise ModelNotFound(
            f"The model '{model[:100]}' does not exist or this key may not use it. "
            f"Available to it: {available}.",
            param="model",
        )


def _allows(key: KeyRecord, model: str) -> bool:
    return not key.models or model in key.models

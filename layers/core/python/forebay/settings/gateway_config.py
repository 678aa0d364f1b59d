"""What gateway.toml says once its names are tied together: targets to providers and prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter

from forebay.money import FREE, Price
from forebay.settings.models import ModelDraft, ModelSettings, TargetDraft, TargetSettings
from forebay.settings.prices import PRICE_HELP, PriceTable
from forebay.settings.providers import ProviderSettings
from forebay.settings.resilience import ResilienceSettings
from forebay.settings.sections import Section, describe


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """All that gateway.toml says."""

    providers: Mapping[str, ProviderSettings]
    """All that are configured, whether they can be called or not (`unavailable`)."""
    models: Mapping[str, ModelSettings]
    """All that are configured; `available_models` says which can be served."""
    resilience: ResilienceSettings

    def available_models(self) -> Mapping[str, ModelSettings]:
        """Return the models that can be served, without what cannot be called.

        Left out are targets whose provider is unavailable, models that have no target then, and
        these models among the fallbacks of others. Cost: O(targets); call it once.
        """
        served = {
            name: targets
            for name, model in self.models.items()
            if (targets := tuple(each for each in model.targets if self._is_available(each)))
        }
        return {
            name: replace(
                self.models[name],
                targets=targets,
                fallbacks=tuple(each for each in self.models[name].fallbacks if each in served),
            )
            for name, targets in served.items()
        }

    def _is_available(self, target: TargetSettings) -> bool:
        return self.providers[target.provider].unavailable is None


@dataclass(frozen=True, slots=True)
class Drafts:
    """What files say, before names and prices are looked up."""

    providers: Mapping[str, ProviderSettings | None]
    """None: its kind is unknown, which is a fault already."""
    models: Mapping[str, ModelDraft]
    resilience: ResilienceSettings | None
    """None: the file does not say."""

    def completed_by(self, later: Drafts) -> Drafts:
        """Add what `later` has and these lack."""
        return Drafts(
            {**later.providers, **self.providers},
            {**later.models, **self.models},
            self.resilience or later.resilience,
        )


def link(drafts: Drafts, prices: PriceTable) -> GatewayConfig:
    """Tie names together and give each target its price.

    Names and prices that are not found are faults of the drafts' sections; the result is of use
    only if there are none.
    """
    for draft in drafts.models.values():
        _check_fallbacks(draft, drafts.models)
    _check_cycles(drafts.models)
    return GatewayConfig(
        providers={name: each for name, each in drafts.providers.items() if each is not None},
        models={
            name: ModelSettings(
                name=name,
                targets=tuple(_link_target(each, drafts, prices) for each in draft.targets),
                fallbacks=draft.fallbacks,
                resilience=draft.resilience,
                timeouts=draft.timeouts,
            )
            for name, draft in drafts.models.items()
        },
        resilience=drafts.resilience or ResilienceSettings(),
    )


def _link_target(draft: TargetDraft, drafts: Drafts, prices: PriceTable) -> TargetSettings:
    if draft.provider and draft.provider not in drafts.providers:
        _unknown(draft.section, ("provider",), draft.provider, drafts.providers)
    price = draft.price or _list_price(draft, drafts.providers.get(draft.provider), prices)
    return TargetSettings(draft.provider, draft.model, draft.weight, price, draft.continuing)


def _list_price(draft: TargetDraft, provider: ProviderSettings | None, prices: PriceTable) -> Price:
    price = prices.lookup(provider.kind, draft.model) if provider else None
    if price is None and provider and not draft.price_is_faulty:
        draft.section.fault(
            f"no price is known of {describe(draft.model)}; expected {PRICE_HELP}", "price"
        )
    return price or FREE


def _check_fallbacks(draft: ModelDraft, models: Mapping[str, ModelDraft]) -> None:
    for index, name in enumerate(draft.fallbacks):
        if name not in models:
            _unknown(draft.section, ("fallbacks", index), name, models)


def _check_cycles(models: Mapping[str, ModelDraft]) -> None:
    try:
        TopologicalSorter({name: each.fallbacks for name, each in models.items()}).prepare()
    except CycleError as error:
        # graphlib lists each before the one that needs it: the way back from fallback to model.
        cycle: list[str] = error.args[1][::-1]
        way = " -> ".join(describe(name) for name in cycle)
        models[cycle[0]].section.fault(f"expected no circle of fallbacks, got {way}", "fallbacks")


def _unknown(
    section: Section, keys: tuple[str | int, ...], name: str, known: Mapping[str, object]
) -> None:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {describe(near[0])}?" if near else "no such table"
    table = "models" if keys[0] == "fallbacks" else "providers"
    section.fault(f"expected a name from [{table}.…], got {describe(name)}; {hint}", *keys)

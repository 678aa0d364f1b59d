"""`[models.NAME]`: what callers may ask for, and which targets answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from forebay.money import Price
from forebay.settings.prices import read_price
from forebay.settings.resilience import Continuing, ModelResilience, ModelTimeouts
from forebay.settings.sections import Section, describe, field_names


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """One provider's model that may answer."""

    provider: str
    """Name of a configured provider."""
    model: str
    """The model's name there."""
    weight: int
    """Its share of the calls, relative to the other targets of the model."""
    price: Price
    """Its own, else its model's, else the bundled table's."""
    continuing: Continuing | None = None
    """Stated here; None: as the table of providers and models has it."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One model as callers name it."""

    name: str
    targets: tuple[TargetSettings, ...]
    fallbacks: tuple[str, ...]
    """Models to try, in this order, when no target answered."""
    resilience: ModelResilience = ModelResilience()  # noqa: RUF009 - frozen
    timeouts: ModelTimeouts = ModelTimeouts()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class TargetDraft:
    """A target as it stands in the file: its price may come from elsewhere."""

    section: Section
    provider: str
    model: str
    weight: int
    price: Price | None
    """Its own or its model's."""
    price_is_faulty: bool
    """A price is stated, but none that can be read: a fault already."""
    continuing: Continuing | None


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A model as it stands in its file, before names and prices are looked up."""

    name: str
    section: Section
    targets: tuple[TargetDraft, ...]
    fallbacks: tuple[str, ...]
    resilience: ModelResilience
    timeouts: ModelTimeouts


DEFAULT_WEIGHT: Final = 1
MAX_WEIGHT: Final = 1_000_000

# What one or more segments of a URL's path hold unescaped (RFC 3986, pchar), less quotes,
# brackets and the comma, which separates names in `forebay keys create --models a,b`.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:@+=-]*(?:/[A-Za-z0-9][A-Za-z0-9._~:@+=-]*)*")
_MAX_NAME: Final = 128
# It goes into a response header (x-forebay-target).
_TARGET_MODEL = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")


def read_model(name: str, section: Section) -> ModelDraft:
    """Read one model; its faults are in the section's source."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        section.fault("expected a name of at most 128 letters, digits and ._~:@+=-/")
    section.only("targets", "fallbacks", "price", "timeouts", *field_names(ModelResilience))
    return ModelDraft(
        name,
        section,
        _read_targets(section),
        _read_fallbacks(section),
        section.part(ModelResilience),
        section.table("timeouts").record(ModelTimeouts),
    )


def _read_targets(section: Section) -> tuple[TargetDraft, ...]:
    if not section.values.get("targets", []):
        section.fault('expected at least one { provider = "…", model = "…" }', "targets")
    price = read_price(section)
    targets = tuple(_read_target(table, section, price) for table in section.table_array("targets"))
    seen: set[tuple[str, str]] = set()
    for target in targets:
        if (target.provider, target.model) in seen:
            target.section.fault("expected each pair of provider and model once")
        seen.add((target.provider, target.model))
    return targets


def _read_target(section: Section, of_model: Section, model_price: Price | None) -> TargetDraft:
    section.only("provider", "model", "weight", "price", "continuation")
    model = section.text("model", required=True)
    if model is not None and not _TARGET_MODEL.fullmatch(model):
        section.fault("expected 1 to 256 printable ASCII characters", "model")
    price = read_price(section) or model_price
    return TargetDraft(
        section=section,
        provider=section.text("provider", required=True) or "",
        model=model or "",
        weight=section.integer("weight", default=DEFAULT_WEIGHT, low=1, high=MAX_WEIGHT),
        price=price,
        price_is_faulty=price is None and "price" in section.values.keys() | of_model.values.keys(),
        continuing=section.choice("continuation", Continuing, None, required=False),
    )


def _read_fallbacks(section: Section) -> tuple[str, ...]:
    names: list[str] = []
    for index, name in enumerate(section.array("fallbacks")):
        if not isinstance(name, str):
            section.fault(f"expected a model's name, got {describe(name)}", "fallbacks", index)
        elif name in names:
            section.fault(
                f"expected each model once, got {describe(name)} again", "fallbacks", index
            )
        else:
            names.append(name)
    return tuple(names)

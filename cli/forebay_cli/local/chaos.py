"""`forebay dev --chaos`: what goes wrong on purpose.

Sandboxes are killed by `stack`. The faults of scripted providers are settings of gateway.toml, so
they reach the gateway as a file in front of the person's own: the first that names a provider wins.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from forebay.errors import ConfigurationError
from forebay.settings import parse_faults

Number = int | Decimal

EXPECTED: Final = (
    "expected PROVIDER:FAULT=PROBABILITY,… such as scripted:cut=0.3,server_error=0.1,after_tokens=9"
    " (or an integer: the seed of the kills)"
)


class ChaosError(Exception):
    """What was asked for cannot go wrong; the message says why."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """What goes wrong.

    Attributes:
        kill_seed: seed of the dice that kill sandboxes; None kills none.
        faults: provider -> key of `[providers.NAME.scripted.faults]` -> value.
    """

    kill_seed: int | None = None
    faults: Mapping[str, Mapping[str, Number]] = field(default_factory=dict)

    def and_also(self, spec: str) -> Chaos:
        """Return this with what one more `--chaos SPEC` asks for.

        Raises:
            ChaosError: it is no SPEC, or one of a provider that has one already.
        """
        if re.fullmatch(r"-?[0-9]{1,18}", spec):
            return replace(self, kill_seed=int(spec))
        provider, _, stated = spec.partition(":")
        if not provider or not stated:
            raise ChaosError(f"{EXPECTED}, got {_shown(spec)}")
        if provider in self.faults:
            raise ChaosError(f"{provider} has faults already; expected all of them in one SPEC")
        return replace(self, faults={**self.faults, provider: _faults(provider, stated)})


def _faults(provider: str, stated: str) -> Mapping[str, Number]:
    values: dict[str, Any] = {}
    for each in stated.split(","):
        key, equals, value = each.partition("=")
        if not equals:
            raise ChaosError(f"{EXPECTED}, got {_shown(each)}")
        if key in values:
            raise ChaosError(f"{provider}: {_shown(key)} stands there twice")
        values[key] = _number(value)
    try:
        parse_faults(values)
    except ConfigurationError as error:
        raise ChaosError(f"{provider}: {'; '.join(error.faults)}") from None
    return values


def _number(text: str) -> Number | str:
    """Read a number; what is none stays what it is, for the settings to refuse."""
    try:
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else Decimal(text)
    except InvalidOperation:
        return text


def _shown(text: str) -> str:
    return json.dumps(text[:60])


def write_chaos_config(folder: Path, chaos: Chaos, configs: Sequence[Path]) -> Path:
    """Write the providers that `chaos` names as `configs` have them, with its faults.

    Args:
        folder: Where the file goes.
        chaos: With faults.
        configs: The files in order of precedence; the one that is written belongs before them.

    Raises:
        ChaosError: A provider is in none of them, or is not scripted.
    """
    providers: dict[str, Any] = {}
    for config in reversed(configs):
        providers |= _table(_read(config), "providers")
    lines = [
        line
        for name, faults in chaos.faults.items()
        for line in _provider_lines(name, _scripted(name, providers), faults)
    ]
    path = folder / "chaos.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path.resolve()


def _read(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_bytes().decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, ArithmeticError) as error:
        raise ChaosError(f"{config}: expected TOML; {error}") from error


def _scripted(name: str, providers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the `scripted` table of a provider."""
    scripted = [each for each in providers if _table(providers, each).get("kind") == "scripted"]
    if name in scripted:
        return _table(providers[name], "scripted")
    what = "is not scripted" if name in providers else "is not configured"
    raise ChaosError(
        f"--chaos: the provider {_shown(name)} {what}; faults can be asked of {', '.join(scripted)}"
    )


def _provider_lines(
    name: str, scripted: Mapping[str, Any], faults: Mapping[str, Number]
) -> Iterator[str]:
    table = f"providers.{json.dumps(name, ensure_ascii=False)}"
    yield from (f"[{table}]", 'kind = "scripted"', "", f"[{table}.scripted]")
    yield from (f"{key} = {_toml(value)}" for key, value in scripted.items() if key != "faults")
    yield from ("", f"[{table}.scripted.faults]")
    yield from (f"{key} = {_toml(value)}" for key, value in faults.items())
    yield ""


def _toml(value: object) -> str:
    """Write a number, text or truth; all else is refused where the person wrote it."""
    return str(value).lower() if isinstance(value, Number) else json.dumps(str(value))


def _table(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = values.get(key)
    return value if isinstance(value, dict) else {}

"""gateway.toml, from bytes to settings.

Several files may be given. An earlier one goes before: a later one (the local stack adds one with
its offline models) only adds providers and models that no earlier file names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from forebay.errors import ConfigurationError
from forebay.settings.gateway_config import Drafts, GatewayConfig, link
from forebay.settings.models import read_model
from forebay.settings.positions import key_lines
from forebay.settings.prices import PriceTable
from forebay.settings.providers import read_provider
from forebay.settings.resilience import read_resilience
from forebay.settings.sections import Section, Source

MAX_FILE_BYTES: Final = 1_000_000
"""A thousand models take 200 KB; what is larger is no gateway.toml."""


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """One file as it was found."""

    name: str
    """What faults call it, e.g. `gateway.toml`."""
    data: bytes


def parse_gateway_toml(
    sources: Sequence[ConfigSource], environ: Mapping[str, str], prices: PriceTable
) -> GatewayConfig:
    """Read the configuration; every fault of all files is reported at once.

    Args:
        sources: The files in order of precedence.
        environ: Tells which `env:NAME` are set; keys themselves are not read here.
        prices: Where targets without a stated price are looked up.

    Raises:
        ConfigurationError: A line a fault: `gateway.toml:12: models.fast.targets: expected …`.
    """
    faults: list[str] = []
    roots = [_root(source, faults) for source in sources]
    whole = [root for root in roots if root is not None]
    drafts = Drafts({}, {}, None)
    for root in whole:
        drafts = drafts.completed_by(_read_root(root, environ))
    if len(whole) < len(sources):
        # Names from a file that is no TOML would be reported as unknown.
        raise ConfigurationError(faults)
    if not drafts.models and not faults:
        name = sources[0].name if sources else "FOREBAY_CONFIG"
        faults.append(f"{name}:1: models: expected at least one [models.NAME]")
    config = link(drafts, prices)
    if faults:
        raise ConfigurationError(faults)
    return config


def _read_root(root: Section, environ: Mapping[str, str]) -> Drafts:
    root.only("providers", "models", "resilience")
    stated = root.table("resilience")
    return Drafts(
        {name: read_provider(name, table, environ) for name, table in root.tables("providers")},
        {name: read_model(name, table) for name, table in root.tables("models")},
        read_resilience(stated) if stated.values else None,
    )


def _root(source: ConfigSource, faults: list[str]) -> Section | None:
    """Parse one file; None (and a fault) if it is no TOML."""
    if len(source.data) > MAX_FILE_BYTES:
        faults.append(f"{source.name}:1: expected at most 1 MB, got {len(source.data)} bytes")
        return None
    try:
        # The mark that some editors put in front (BOM) is harmless; TOML 1.1 ignores it as well.
        text = source.data.decode("utf-8-sig").replace("\r\n", "\n")
        document = tomllib.loads(text, parse_float=_decimal)
    except (ValueError, RecursionError) as error:
        faults.append(f"{source.name}:{_fault_line(error, source.data)}: {_fault_text(error)}")
        return None
    return Section(Source(source.name, key_lines(text), faults), (), document)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("a number's exponent is too large") from error


def _fault_line(error: Exception, data: bytes) -> int:
    if isinstance(error, UnicodeDecodeError):
        return data.count(b"\n", 0, error.start) + 1
    if "(at end of document)" in str(error):
        return data.count(b"\n") + 1
    found = re.search(r"\(at line (\d+), column \d+\)$", str(error))
    return int(found[1]) if found else 1


def _fault_text(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return f"expected UTF-8, got byte 0x{error.object[error.start]:02x}"
        case RecursionError():
            return "expected TOML; this is nested too deep"
        case _:
            # TOML's grammar, or what it does not say: a date that no calendar has, too many digits.
            return f"expected TOML; {str(error).splitlines()[0]}"

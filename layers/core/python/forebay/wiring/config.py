"""gateway.toml, read from where the environment says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from forebay.errors import ConfigurationError
from forebay.settings import ConfigSource, GatewayConfig, PriceTable, parse_gateway_toml

PRICES = Path(__file__).parents[1] / "data" / "prices.json"


def read_config(paths: tuple[str, ...], environ: Mapping[str, str]) -> GatewayConfig:
    """Read gateway.toml, and the files that complete it.

    Raises:
        ConfigurationError: One cannot be read, or any fault in any of them.
    """
    root = Path(environ.get("LAMBDA_TASK_ROOT", "."))
    sources: list[ConfigSource] = []
    faults: list[str] = []
    for path in paths:
        try:
            sources.append(ConfigSource(Path(path).name, (root / path).read_bytes()))
        except OSError as error:
            faults.append(f"{path}: expected a file that can be read: {error.strerror}")
    if faults:
        raise ConfigurationError(faults)
    return parse_gateway_toml(sources, environ, PriceTable.from_json(PRICES.read_bytes()))

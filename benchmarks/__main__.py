"""`make bench`: everything that is measured, one after the other."""

from __future__ import annotations

from benchmarks import (
    cold_start,
    dynamodb_clients,
    http_clients,
    path,
    streams,
    telemetry,
    token_bounds,
)

PARTS = (cold_start, path, streams, http_clients, dynamodb_clients, telemetry, token_bounds)


def main() -> None:
    """Run each part under its name."""
    for part in PARTS:
        print(f"\n== {part.__name__.rpartition('.')[2]}", flush=True)
        part.main()


if __name__ == "__main__":
    main()

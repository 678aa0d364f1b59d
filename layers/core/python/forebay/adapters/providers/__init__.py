"""Upstreams: `http` (all that are reached over HTTP) and `scripted` (offline, deterministic)."""

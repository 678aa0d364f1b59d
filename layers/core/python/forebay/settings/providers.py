"""`[providers.NAME]`: whom Forebay asks, where, with which key and how patiently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from forebay.settings.provider_kinds import (
    AWS_REGION,
    AZURE_V1,
    AZURE_VERSION,
    DEFAULT_BASE_URLS,
    KEY_HEADERS,
    PAID_KINDS,
    AzureAuth,
    KeyHeader,
    ProviderKind,
    bedrock_url,
)
from forebay.settings.scripted import ScriptedSettings, read_scripted
from forebay.settings.sections import Section, describe, setting


class SecretOrigin(StrEnum):
    """Where a secret is kept."""

    ENVIRONMENT = "env"
    SECRETS_MANAGER = "secret"
    PARAMETER_STORE = "ssm"


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Says where a secret is, never what it is: `env:OPENAI_API_KEY`, `secret:NAME`, `ssm:NAME`."""

    origin: SecretOrigin
    name: str

    @property
    def label(self) -> str:
        """The reference as gateway.toml writes it."""
        return f"{self.origin}:{self.name}"


@dataclass(frozen=True, slots=True)
class TimeoutSettings:
    """`[providers.NAME.timeouts]`: how long to wait for a provider, in seconds.

    All end at 900: no Lambda invocation lasts longer. They lie within the deadline of the request.
    """

    connect_s: float = setting(5.0, low=0.1, high=60)
    """Until the connection stands, TLS included; a healthy provider needs 0.3 s."""
    first_byte_s: float = setting(60.0, low=0.1, high=900)
    """From the request to the first byte of a streamed reply."""
    whole_answer_s: float = setting(600.0, low=0.1, high=900)
    """From the request to the first byte of a reply that is not streamed: it comes when the answer
    is whole, which takes a reasoning model minutes. 600 is the OpenAI SDK's own patience."""
    idle_s: float = setting(60.0, low=0.1, high=900)
    """Between two chunks of a stream. Models that think in silence need more."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One provider as configured."""

    name: str
    kind: ProviderKind
    base_url: str
    """Without a slash at its end; empty for `scripted`, and while its variable is unset."""
    api_key: SecretReference | None
    key_header: KeyHeader
    region: str
    """Of `bedrock`; empty for the others."""
    api_version: str
    """Of `azure`: `AZURE_V1` or a date; empty for the others."""
    timeouts: TimeoutSettings
    scripted: ScriptedSettings
    unavailable: str | None
    """Why it cannot be called (a variable is not set); None if it can."""


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
# Names that Secrets Manager and Parameter Store allow, their ARNs included.
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,2048}")
_AZURE_URL_HELP: Final = "expected an address like https://RESOURCE.openai.azure.com"
_API_KEY_HELP: Final = 'expected "env:VARIABLE", "secret:NAME" (Secrets Manager) or "ssm:NAME"'


def read_provider(
    name: str, section: Section, environ: Mapping[str, str]
) -> ProviderSettings | None:
    """Read one provider; its faults are in the section's source. None if its kind is unknown."""
    if not _NAME.fullmatch(name):
        section.fault("expected a name of at most 64 letters, digits, '.', '_' and '-'")
    kind = section.choice("kind", ProviderKind, None)
    if kind is None:
        return None
    section.only(*_KEYS.get(kind, ("kind", "base_url", "api_key", "timeouts")))
    region = _read_region(section) if kind is ProviderKind.BEDROCK else ""
    base_url = _read_base_url(section, kind, environ) or (bedrock_url(region) if region else "")
    api_key = _read_api_key(section)
    if _needs_key(kind, section) and "api_key" not in section.values:
        section.fault(f"{_API_KEY_HELP}; it is missing", "api_key")
    is_azure = kind is ProviderKind.AZURE
    return ProviderSettings(
        name=name,
        kind=kind,
        base_url=base_url,
        api_key=api_key,
        key_header=_read_azure_auth(section) if is_azure else _key_header(kind),
        region=region,
        api_version=_read_azure_version(section) if is_azure else "",
        timeouts=section.table("timeouts").record(TimeoutSettings),
        scripted=read_scripted(section.table("scripted")),
        unavailable=_missing_variable(section, api_key, environ),
    )


_KEYS: Final[Mapping[ProviderKind, tuple[str, ...]]] = {
    ProviderKind.SCRIPTED: ("kind", "scripted"),
    ProviderKind.AZURE: ("kind", "base_url", "api_version", "auth", "api_key", "timeouts"),
    ProviderKind.BEDROCK: ("kind", "region", "base_url", "timeouts"),
}
"""What a table may hold, where it differs."""


def _needs_key(kind: ProviderKind, section: Section) -> bool:
    return kind is ProviderKind.AZURE or (kind in PAID_KINDS and "base_url" not in section.values)


def _key_header(kind: ProviderKind) -> KeyHeader:
    return KEY_HEADERS.get(kind, KeyHeader.BEARER)


def _read_azure_auth(section: Section) -> KeyHeader:
    return KeyHeader(section.choice("auth", AzureAuth, AzureAuth.API_KEY) or AzureAuth.API_KEY)


def _read_azure_version(section: Section) -> str:
    version = section.text("api_version") or AZURE_V1
    if not AZURE_VERSION.fullmatch(version):
        expected = 'expected "v1" or a date like "2024-10-21" or "2025-04-01-preview"'
        section.fault(f"{expected}, got {describe(version)}", "api_version")
    return version


def _read_region(section: Section) -> str:
    region = section.text("region", required=True) or ""
    if region and not AWS_REGION.fullmatch(region):
        section.fault(f"expected a region like eu-central-1, got {describe(region)}", "region")
    return region


def _read_base_url(section: Section, kind: ProviderKind, environ: Mapping[str, str]) -> str:
    stated = section.text("base_url")
    if stated is None:
        if kind is ProviderKind.AZURE and "base_url" not in section.values:
            section.fault(f"{_AZURE_URL_HELP}; it is missing", "base_url")
        return DEFAULT_BASE_URLS.get(kind, "")
    variable = _variable(stated)
    url = environ.get(variable, "").strip() if variable else stated
    if variable and not url:
        return ""
    problem = _url_problem(url)
    where = f" (in the variable {variable})" if variable else ""
    if problem:
        # Never quoted: what is wrong with it may be that it holds a password.
        section.fault(f"expected an address like https://host/v1, {problem}{where}", "base_url")
    elif kind is ProviderKind.AZURE and "openai" in urlsplit(url).path.split("/"):
        section.fault(f"{_AZURE_URL_HELP}, without /openai and what follows it{where}", "base_url")
    return url.rstrip("/")


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "this is none"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return "this does not start with http:// or https:// and a host"
    if "@" in parts.netloc:
        return "this holds a user or password; state the key in api_key"
    if parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        return "this holds a query, a fragment, or characters that no address has"
    return None


def _read_api_key(section: Section) -> SecretReference | None:
    if "api_key" not in section.values:
        return None
    text = section.values["api_key"]
    origin, _, name = text.partition(":") if isinstance(text, str) else ("", "", "")
    allowed = _VARIABLE if origin == SecretOrigin.ENVIRONMENT else _SECRET_NAME
    if origin in set(SecretOrigin) and allowed.fullmatch(name):
        return SecretReference(SecretOrigin(origin), name)
    # Never quoted: it may be the key itself.
    section.fault(f"{_API_KEY_HELP}; a key itself does not belong into this file", "api_key")
    return None


def _variable(text: str) -> str | None:
    origin, _, name = text.partition(":")
    return name if origin == SecretOrigin.ENVIRONMENT and _VARIABLE.fullmatch(name) else None


def _missing_variable(
    section: Section, api_key: SecretReference | None, environ: Mapping[str, str]
) -> str | None:
    needed = []
    if api_key is not None and api_key.origin is SecretOrigin.ENVIRONMENT:
        needed.append(api_key.name)
    base_url = section.values.get("base_url")
    if isinstance(base_url, str) and (variable := _variable(base_url)):
        needed.append(variable)
    unset = [name for name in needed if not environ.get(name, "").strip()]
    return f"{' and '.join(unset)} not set in the environment" if unset else None

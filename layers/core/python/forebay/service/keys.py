"""What an operator does with keys: create, list, show, revoke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forebay.admission.secret import (
    ENTROPY_BYTES,
    KEY_ID_LENGTH,
    KeySecret,
    digest,
    matches,
    mint,
)
from forebay.errors import ConditionFailed, InvalidRequest, NotFound
from forebay.model import KeyRecord, KeyStatus
from forebay.ports import Clock, Entropy, KeyAdministration

MAX_NAME_LENGTH = 64
MAX_MODEL_LENGTH = 256
MAX_MODELS = 100


@dataclass(frozen=True, slots=True)
class NewKey:
    """What an operator asks for.

    Args:
        name: 1-64 printable characters. Names need not be unique: to replace a key, create one of
            the same name, hand it out, then revoke the old one by its id.
        tenant: Whose it is; nothing is shared across tenants.
        team: Part of the tenant, if it has parts.
        models: The models that it may call; None: all.

    Raises:
        InvalidRequest: A value is empty, too long or unprintable. An empty list of models is
            refused too: it would read as "none" and work as "all".
    """

    name: str
    tenant: str = "default"
    team: str | None = None
    models: Sequence[str] | None = None

    def __post_init__(self) -> None:
        _check_text("name", self.name)
        _check_text("tenant", self.tenant)
        if self.team is not None:
            _check_text("team", self.team)
        if self.models is not None:
            _check_models(self.models)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key, and the only sight of its secret."""

    record: KeyRecord
    secret: KeySecret


class KeyDesk:
    """What an operator does with keys.

    Args:
        keys: Where the records are.
        clock: Dates what happens.
        entropy: Makes secrets.
    """

    def __init__(self, keys: KeyAdministration, clock: Clock, entropy: Entropy) -> None:
        self._keys = keys
        self._clock = clock
        self._entropy = entropy

    def create(self, wanted: NewKey) -> CreatedKey:
        """Make a key and store its hash; the secret exists only in what is returned.

        Raises:
            StoreUnavailable: The store did not answer; the key may exist, but nobody knows its
                secret.
        """
        secret = mint(self._entropy.token_bytes(ENTROPY_BYTES))
        record = KeyRecord(
            key_id=secret.key_id,
            name=wanted.name,
            secret_sha256=digest(secret.text),
            tenant=wanted.tenant,
            team=wanted.team,
            models=tuple(dict.fromkeys(wanted.models or ())),
            status=KeyStatus.ACTIVE,
            version=1,
            created_at=self._clock.now(),
        )
        try:
            self._keys.create(record)
        except ConditionFailed:
            # A write whose answer was lost is repeated by the store's client and meets itself.
            stored = self._keys.get(record.key_id)
            if stored is None or not matches(stored.secret_sha256, secret.text):
                raise
        return CreatedKey(record, secret)

    def list(self) -> tuple[KeyRecord, ...]:
        """All keys, the oldest first."""
        return tuple(sorted(self._keys.list_all(), key=lambda key: (key.created_at, key.key_id)))

    def show(self, name_or_id: str) -> KeyRecord:
        """Find one key; an id wins over a name. Cost: one read for an id, a scan for a name.

        Raises:
            NotFound: There is none.
            InvalidRequest: Several have this name; the message lists their ids.
        """
        found = self._candidates(name_or_id)
        if not found:
            raise NotFound(f"No key has the name or id {quoted(name_or_id)}.")
        if len(found) > 1:
            ids = ", ".join(f"{key.key_id} ({key.status})" for key in found)
            raise InvalidRequest(
                f"{len(found)} keys are named {quoted(name_or_id)}; say which by its id: {ids}."
            )
        return found[0]

    def known(self, name_or_id: str) -> bool:
        """Whether any key has this name or id."""
        return bool(self._candidates(name_or_id))

    def revoke(self, name_or_id: str) -> KeyRecord:
        """Close one key for good; revoking it again changes nothing.

        Raises:
            NotFound: There is none.
            InvalidRequest: Several have this name; none is revoked.
        """
        key = self.show(name_or_id)
        revoked = self._keys.revoke(key.key_id, at=self._clock.now())
        if revoked is None:
            raise NotFound(f"Key {key.key_id} is gone.")
        return revoked

    def _candidates(self, name_or_id: str) -> Sequence[KeyRecord]:
        by_id = self._keys.get(name_or_id) if len(name_or_id) == KEY_ID_LENGTH else None
        return [by_id] if by_id else [key for key in self.list() if key.name == name_or_id]


def _check_text(param: str, text: str) -> None:
    """Hold a name to what tables, logs and terminals can show without harm."""
    if not 1 <= len(text) <= MAX_NAME_LENGTH:
        raise InvalidRequest(
            f"`{param}` must have 1 to {MAX_NAME_LENGTH} characters, not {len(text)}.", param=param
        )
    if not text.isprintable() or text != text.strip() or not any(map(str.isalnum, text)):
        raise InvalidRequest(
            f"`{param}` must be printable, with a letter or digit in it and no space around it.",
            param=param,
        )


def _check_models(models: Sequence[str]) -> None:
    if not 1 <= len(models) <= MAX_MODELS:
        raise InvalidRequest(
            f"`models` must name 1 to {MAX_MODELS} models, not {len(models)}; "
            "leave it out to allow all.",
            param="models",
        )
    for index, model in enumerate(models):
        if not 1 <= len(model) <= MAX_MODEL_LENGTH or not model.isprintable():
            raise InvalidRequest(
                f"`models[{index}]` must be a name of 1 to {MAX_MODEL_LENGTH} printable "
                "characters.",
                param=f"models[{index}]",
            )


def quoted(text: str) -> str:
    """Quote what a caller sent, short and printable, for a message."""
    return repr(text if len(text) <= MAX_NAME_LENGTH else text[:MAX_NAME_LENGTH] + "…")

"""What an operator does with keys: create, list, show, change, rotate, revoke."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from forebay.admission.secret import (
    ENTROPY_BYTES,
    KEY_ID_LENGTH,
    KeySecret,
    digest,
    holds_secret,
    matches,
    mint,
)
from forebay.errors import ConditionFailed, InvalidRequest, NotFound, StoreUnavailable
from forebay.model import UNLIMITED, FormerSecret, KeyPolicy, KeyRecord, KeyStatus
from forebay.ports import Clock, Entropy
from forebay.ports.administration import KeyAdministration
from forebay.service.policies import check_models, check_policy

MAX_NAME_LENGTH = 64

MAX_OVERLAP_S = 30 * 86_400
"""A former secret that opens for longer than a month is not being replaced."""

CHANGE_ATTEMPTS = 5
"""Operators who change one key at once: all but one read it again, so the last needs as many
attempts as there are operators."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """What an operator asks for.

    Args:
        name: 1-64 printable characters. Names need not be unique: to replace a key, create one of
            the same name, hand it out, then revoke the old one by its id.
        tenant: Whose it is; nothing is shared across tenants.
        team: Part of the tenant, if it has parts.
        models: The models that it may call; None: all.
        policy: What else it may do.

    Raises:
        InvalidRequest: A value is empty, too long, unprintable or out of its range. An empty list
            of models is refused too: it would read as "none" and work as "all".
    """

    name: str
    tenant: str = "default"
    team: str | None = None
    models: Sequence[str] | None = None
    policy: KeyPolicy = UNLIMITED

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_scope(self.tenant, self.team)
        if self.models is not None:
            check_models(self.models)
        check_policy(self.policy)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key with a new secret, and the only sight of that secret."""

    record: KeyRecord
    secret: KeySecret


@dataclass(frozen=True, slots=True)
class ChangedKey:
    """A key before and after a change."""

    before: KeyRecord
    after: KeyRecord


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
            InvalidRequest: It would have expired already.
            StoreUnavailable: The store did not answer; the key may exist, but nobody knows its
                secret.
        """
        self._check_expiry(wanted.policy)
        secret = mint(self._entropy.token_bytes(ENTROPY_BYTES))
        models = tuple(dict.fromkeys(wanted.models or wanted.policy.models))
        record = KeyRecord(
            key_id=secret.key_id,
            name=wanted.name,
            secret_sha256=digest(secret.text),
            tenant=wanted.tenant,
            team=wanted.team,
            models=models,
            status=KeyStatus.ACTIVE,
            version=1,
            created_at=self._clock.now(),
            policy=replace(wanted.policy, models=models),
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

    def change(self, name_or_id: str, revise: Callable[[KeyPolicy], KeyPolicy]) -> ChangedKey:
        """Change a key's policy; its version counts up by one, unless nothing differs.

        Args:
            name_or_id: Which key.
            revise: Makes the new policy of the stored one; called again when somebody else's
                change came in between, which is thereby kept.

        Raises:
            NotFound: There is no such key.
            InvalidRequest: The policy is wrong, several keys have this name, or it is revoked.
            StoreUnavailable: The store did not answer, or too many others change this key.
        """

        def with_new_policy(key: KeyRecord) -> KeyRecord:
            policy = revise(key.policy)
            policy = replace(policy, models=tuple(dict.fromkeys(policy.models)))
            check_policy(policy)
            if policy.expires_at != key.policy.expires_at:
                self._check_expiry(policy)
            return replace(key, policy=policy, models=policy.models)

        return self._change(name_or_id, with_new_policy)

    def rotate(self, name_or_id: str, *, overlap_s: int) -> tuple[ChangedKey, KeySecret]:
        """Give a key a new secret; id, policy and what it has spent stay.

        At most two secrets open at a time: one that an earlier rotation left open is refused from
        now on.

        Args:
            name_or_id: Which key.
            overlap_s: Seconds for which the secret that it has now still opens, 0 to
                `MAX_OVERLAP_S`; 0 for one that leaked.

        Raises:
            NotFound: There is no such key.
            InvalidRequest: `overlap_s` is out of range, several keys have this name, or it is
                revoked.
            StoreUnavailable: The store did not answer (it may have been rotated: do it again), or
                too many others change this key.
        """
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise InvalidRequest(
                f"`overlap_s` must be 0 to {MAX_OVERLAP_S} seconds.", param="overlap_s"
            )
        entropy = self._entropy.token_bytes(ENTROPY_BYTES)
        until = self._clock.now() + overlap_s

        def with_new_secret(key: KeyRecord) -> KeyRecord:
            former = FormerSecret(key.secret_sha256, until) if overlap_s else None
            text = mint(entropy, key_id=key.key_id).text
            return replace(key, secret_sha256=digest(text), former=former)

        changed = self._change(name_or_id, with_new_secret)
        return changed, mint(entropy, key_id=changed.after.key_id)

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

    def _change(self, name_or_id: str, revise: Callable[[KeyRecord], KeyRecord]) -> ChangedKey:
        before = self.show(name_or_id)
        for _ in range(CHANGE_ATTEMPTS):
            if before.status is KeyStatus.REVOKED:
                raise InvalidRequest(f"Key {before.key_id} is revoked, for good: create another.")
            revised = revise(before)
            if revised == before:
                return ChangedKey(before, before)
            after = replace(revised, version=before.version + 1)
            try:
                self._keys.replace(after)
            except ConditionFailed:
                stored = self._keys.get(before.key_id)
                if stored is None:
                    raise NotFound(f"Key {before.key_id} is gone.") from None
                # As in `create`: a repeated write meets itself.
                if stored != after:
                    before = stored
                    continue
            return ChangedKey(before, after)
        raise StoreUnavailable(f"Others keep changing key {before.key_id}; try again.")

    def _check_expiry(self, policy: KeyPolicy) -> None:
        if policy.expires_at is not None and policy.expires_at <= self._clock.now():
            raise InvalidRequest("`expires_at` lies in the past.", param="expires_at")

    def _candidates(self, name_or_id: str) -> Sequence[KeyRecord]:
        # Not all of the store's ids are keys': `audit#…` is none.
        is_id = len(name_or_id) == KEY_ID_LENGTH and name_or_id.isalnum()
        by_id = self._keys.get(name_or_id) if is_id else None
        return [by_id] if by_id else [key for key in self.list() if key.name == name_or_id]


def check_scope(tenant: str, team: str | None) -> None:
    """Hold the names of a tenant and its team to what can be stored, and told apart.

    Raises:
        InvalidRequest: One is empty, too long or unprintable, or has a `#` in it, which separates
            them where limits are kept: team `b#c` of tenant `a` must not be team `c` of `a#b`.
    """
    for param, text in (("tenant", tenant), ("team", team)):
        if text is None:
            continue
        check_text(param, text)
        if "#" in text:
            raise InvalidRequest(f"`{param}` must not have a # in it.", param=param)


def check_text(param: str, text: str) -> None:
    """Hold a name to what tables, logs and terminals can show without harm.

    Raises:
        InvalidRequest: It is empty, too long or unprintable.
    """
    if not 1 <= len(text) <= MAX_NAME_LENGTH:
        raise InvalidRequest(
            f"`{param}` must have 1 to {MAX_NAME_LENGTH} characters, not {len(text)}.", param=param
        )
    if not text.isprintable() or text != text.strip() or not any(map(str.isalnum, text)):
        raise InvalidRequest(
            f"`{param}` must be printable, with a letter or digit in it and no space around it.",
            param=param,
        )
    if holds_secret(text):
        raise InvalidRequest(f"`{param}` holds the secret of a key.", param=param)


def quoted(text: str) -> str:
    """Quote what a caller sent, short and printable, for a message; never a secret."""
    if holds_secret(text):
        return "(a key's secret)"
    return repr(text if len(text) <= MAX_NAME_LENGTH else text[:MAX_NAME_LENGTH] + "…")

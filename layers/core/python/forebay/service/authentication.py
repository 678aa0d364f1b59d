"""Who is calling: a secret becomes a key's record, or a refusal."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from forebay.admission.secret import KeySecret, digest, masked, matches, parse
from forebay.errors import AuthenticationFailed, PermissionDenied
from forebay.model import KeyRecord, KeyStatus
from forebay.ports import Clock, Keys

READ_TTL_S = 1.0
"""How long one read of a key answers for it, in wall time from the read's *start*.

A revoked key must be refused everywhere within 2 s; the store's own replicas may lag by a second,
so a second is what is left. Wall time, because a monotonic clock stands still while Lambda
freezes the sandbox.
"""

READ_CACHE_SIZE = 2048
"""Reads remembered at most, about 1 MB. A flood of made-up keys pushes out real ones, whose next
call costs one read of half a unit: it slows nobody noticeably and fills no memory."""


class Authenticator:
    """Tells who presents a secret, with at most one read a second and key.

    Concurrent calls with one key share one read. When the store is down, a key that was read more
    than `READ_TTL_S` ago is refused with `StoreUnavailable` (503), not let in on its old record:
    a key that was revoked during an outage must stay out, and without the store no request could
    be entered in the ledger either.

    Args:
        keys: Where the records are.
        clock: Tells the age of a read.
        dev_secret: Local stage only: any text that shall open the door as key `dev` of tenant
            `local`, without the store. None or empty: no such key.
    """

    def __init__(self, keys: Keys, clock: Clock, *, dev_secret: str | None = None) -> None:
        self._keys = keys
        self._clock = clock
        self._dev = _dev_record(dev_secret) if dev_secret else None
        self._reads: OrderedDict[str, _Read] = OrderedDict()

    async def authenticate(
        self, presented: str | None, *, source_ip: str | None = None
    ) -> KeyRecord:
        """Find the key that a secret belongs to, and check that it may be used now and from here.

        Args:
            presented: What the caller sent after `Bearer ` or in `x-api-key`; None or empty if
                it sent nothing.
            source_ip: Where the request came from, as API Gateway saw it; None: not known, which
                a key that is bound to networks does not accept.

        Raises:
            AuthenticationFailed: Nothing presented, or malformed (no I/O is done), or unknown,
                wrong, rotated out or revoked, which the message does not tell apart; or expired.
            PermissionDenied: The key is bound to networks, and the request comes from elsewhere.
            StoreUnavailable: The key is not known from the last second, and the store is down.
        """
        if not presented:
            raise AuthenticationFailed(
                "No API key was given. Send it as `Authorization: Bearer fb-…`."
            )
        if self._dev and matches(self._dev.secret_sha256, presented):
            return self._dev
        secret = parse(presented)
        if secret is None:
            raise AuthenticationFailed(
                "The API key is malformed: it is not a Forebay key, or part of it is missing or "
                "mistyped. A key begins with `fb-` and has 51 characters."
            )
        record = await self._find(secret.key_id)
        now = self._clock.now()
        if record is None or not _opens(record, secret, now):
            raise AuthenticationFailed(
                f"The API key {masked(secret)} is unknown or was revoked. "
                "Ask whoever runs this gateway for a new one."
            )
        _check_use(record, secret, now, source_ip)
        return record

    async def _find(self, key_id: str) -> KeyRecord | None:
        now = self._clock.now()
        read = self._reads.get(key_id)
        # A negative age is a clock set back: it proves nothing about freshness.
        if read is None or not 0 <= now - read.started_at < READ_TTL_S:
            read = self._start_read(key_id, now)
        self._reads.move_to_end(key_id)
        # The read is nobody's own: shield it, or a caller that leaves would fail all who share it.
        return await asyncio.shield(read.task)

    def _start_read(self, key_id: str, now: float) -> _Read:
        task = asyncio.get_running_loop().create_task(self._keys.find(key_id))
        read = self._reads[key_id] = _Read(started_at=now, task=task)
        task.add_done_callback(lambda _: self._forget_failure(key_id, read))
        if len(self._reads) > READ_CACHE_SIZE:
            self._reads.popitem(last=False)
        return read

    def _forget_failure(self, key_id: str, read: _Read) -> None:
        """Let the next call ask again after a failed read; those who waited share the failure."""
        failed = read.task.cancelled() or read.task.exception() is not None
        if failed and self._reads.get(key_id) is read:
            del self._reads[key_id]


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A read of one key: under way or done, it is shared and remembered as the same thing."""

    started_at: float
    task: asyncio.Task[KeyRecord | None]


def _opens(record: KeyRecord, secret: KeySecret, now: float) -> bool:
    if record.status is not KeyStatus.ACTIVE:
        return False
    if matches(record.secret_sha256, secret.text):
        return True
    former = record.former
    return former is not None and now < former.opens_until and matches(former.sha256, secret.text)


def _check_use(record: KeyRecord, secret: KeySecret, now: float, source_ip: str | None) -> None:
    """Refuse a key that has expired, or is used from outside of its networks."""
    policy = record.policy
    if policy.expires_at is not None and now >= policy.expires_at:
        raise AuthenticationFailed(
            f"The API key {masked(secret)} has expired. "
            "Ask whoever runs this gateway to extend it, or for a new one."
        )
    if policy.cidrs and not _is_within(policy.cidrs, source_ip):
        raise PermissionDenied(
            f"The API key {masked(secret)} may not be used from {source_ip or 'this address'}."
        )


def _is_within(cidrs: tuple[str, ...], source_ip: str | None) -> bool:
    try:
        address = ip_address(source_ip or "")
    except ValueError:
        return False
    # A dual-stack front may write 192.0.2.1 as ::ffff:192.0.2.1.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in _networks(cidrs))


@lru_cache(maxsize=READ_CACHE_SIZE)
def _networks(cidrs: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Parse a key's networks: 2 microseconds each, so not at every request."""
    return tuple(map(ip_network, cidrs))


def _dev_record(dev_secret: str) -> KeyRecord:
    return KeyRecord(
        key_id="dev",
        name="dev",
        secret_sha256=digest(dev_secret),
        tenant="local",
        team=None,
        models=(),
        status=KeyStatus.ACTIVE,
        version=1,
        created_at=0.0,
    )

"""Who is let in, at how many reads, and how soon a revoked key is not."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from forebay.adapters.memory import ManualClock, MemoryKeys, SeededEntropy
from forebay.admission import ENTROPY_BYTES, mint
from forebay.errors import AuthenticationFailed, PermissionDenied, StoreUnavailable
from forebay.model import KeyPolicy, KeyRecord
from forebay.service.authentication import READ_CACHE_SIZE, Authenticator
from forebay.service.keys import KeyDesk, NewKey


class CountedKeys:
    """The store's edge: counts reads, and can be held up or taken down."""

    def __init__(self, keys: MemoryKeys) -> None:
        self._keys = keys
        self.reads = 0
        self.is_down = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def find(self, key_id: str) -> KeyRecord | None:
        self.reads += 1
        await self.gate.wait()
        if self.is_down:
            raise StoreUnavailable("The keys table did not answer.")
        return await self._keys.find(key_id)


class World:
    def __init__(self, *, dev_secret: str | None = None) -> None:
        self.clock = ManualClock()
        memory = MemoryKeys()
        self.desk = KeyDesk(memory, self.clock, SeededEntropy())
        self.keys = CountedKeys(memory)
        self.authenticator = Authenticator(self.keys, self.clock, dev_secret=dev_secret)
        created = self.desk.create(NewKey("web"))
        self.record, self.secret = created.record, created.secret.text

    async def outcome(self, presented: str | None) -> str:
        try:
            record = await self.authenticator.authenticate(presented)
        except (AuthenticationFailed, StoreUnavailable) as refusal:
            return type(refusal).__name__
        return record.name

    async def message(self, presented: str | None) -> str:
        with pytest.raises(AuthenticationFailed) as refusal:
            await self.authenticator.authenticate(presented)
        return refusal.value.message


def run(scenario: Callable[[World], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def main() -> None:
        await scenario(World(**options))

    asyncio.run(main())


def unknown_secret(seed: int = 1) -> str:
    return mint(SeededEntropy(seed).token_bytes(ENTROPY_BYTES)).text


def test_a_good_key_is_told_by_its_record() -> None:
    async def scenario(world: World) -> None:
        assert await world.authenticator.authenticate(world.secret) == world.record

    run(scenario)


@pytest.mark.parametrize(
    "presented",
    [None, "", "fb-", "sk-proj-abc", "Bearer x", "fb-" + "a" * 48, "x" * 1_000_000, "é\ud800"],
    ids=["none", "empty", "prefix", "openai", "scheme", "checksum", "huge", "unicode"],
)
def test_a_malformed_key_is_refused_without_a_read(presented: str | None) -> None:
    async def scenario(world: World) -> None:
        assert await world.outcome(presented) == "AuthenticationFailed"
        assert world.keys.reads == 0

    run(scenario)


def test_unknown_wrong_and_revoked_keys_are_refused_in_the_same_words() -> None:
    async def scenario(world: World) -> None:
        # A well-formed secret under whose id another hash is stored: only the store can tell.
        forged = world.desk.create(NewKey("forged"))
        world.keys._keys._keys[forged.record.key_id] = world.record
        revoked = world.desk.create(NewKey("revoked"))
        world.desk.revoke(revoked.record.key_id)
        presented = [unknown_secret(), forged.secret.text, revoked.secret.text]
        messages = [
            (await world.message(secret)).replace(secret[:7], "fb-XXXX") for secret in presented
        ]
        assert len(set(messages)) == 1
        assert "fb-XXXX…" in messages[0]

    run(scenario)


def test_a_refusal_shows_no_more_than_four_characters_of_the_id() -> None:
    async def scenario(world: World) -> None:
        secret = unknown_secret()
        assert secret[:8] not in await world.message(secret)

    run(scenario)


def test_calls_within_a_second_cost_one_read() -> None:
    async def scenario(world: World) -> None:
        assert await world.outcome(world.secret) == "web"
        world.clock.advance(0.99)
        assert await world.outcome(world.secret) == "web"
        assert world.keys.reads == 1

    run(scenario)


def test_a_revoked_key_is_refused_within_a_second() -> None:
    async def scenario(world: World) -> None:
        await world.outcome(world.secret)
        world.desk.revoke("web")
        world.clock.advance(1)
        assert await world.outcome(world.secret) == "AuthenticationFailed"

    run(scenario)


def test_a_key_revoked_while_the_sandbox_was_frozen_is_refused() -> None:
    async def scenario(world: World) -> None:
        await world.outcome(world.secret)
        world.desk.revoke("web")
        world.clock.freeze(600)
        assert await world.outcome(world.secret) == "AuthenticationFailed"

    run(scenario)


def test_a_clock_set_back_does_not_stretch_the_second() -> None:
    async def scenario(world: World) -> None:
        await world.outcome(world.secret)
        world.desk.revoke("web")
        world.clock.freeze(-60)
        assert await world.outcome(world.secret) == "AuthenticationFailed"

    run(scenario)


def test_an_unknown_key_is_asked_for_once_a_second() -> None:
    async def scenario(world: World) -> None:
        for _ in range(5):
            assert await world.outcome(unknown_secret()) == "AuthenticationFailed"
        assert world.keys.reads == 1

    run(scenario)


def test_a_new_key_works_within_a_second_of_being_asked_for_in_vain() -> None:
    async def scenario(world: World) -> None:
        future = KeyDesk(world.keys._keys, world.clock, SeededEntropy(7))
        secret = mint(SeededEntropy(7).token_bytes(ENTROPY_BYTES)).text
        assert await world.outcome(secret) == "AuthenticationFailed"
        future.create(NewKey("late"))
        world.clock.advance(1)
        assert await world.outcome(secret) == "late"

    run(scenario)


def test_a_flood_of_wrong_keys_fills_no_memory() -> None:
    async def scenario(world: World) -> None:
        for seed in range(READ_CACHE_SIZE + 100):
            await world.outcome(unknown_secret(seed + 1))
        assert len(world.authenticator._reads) == READ_CACHE_SIZE

    run(scenario)


def test_a_key_in_use_stays_known_through_a_flood() -> None:
    async def scenario(world: World) -> None:
        await world.outcome(world.secret)
        for seed in range(READ_CACHE_SIZE - 1):
            await world.outcome(unknown_secret(seed + 1))
        await world.outcome(world.secret)
        await world.outcome(unknown_secret(READ_CACHE_SIZE))
        reads = world.keys.reads
        await world.outcome(world.secret)
        assert world.keys.reads == reads

    run(scenario)


def test_concurrent_calls_with_one_key_share_one_read() -> None:
    async def scenario(world: World) -> None:
        world.keys.gate.clear()
        calls = [asyncio.create_task(world.outcome(world.secret)) for _ in range(50)]
        await asyncio.sleep(0)
        world.keys.gate.set()
        assert await asyncio.gather(*calls) == ["web"] * 50
        assert world.keys.reads == 1

    run(scenario)


def test_a_caller_that_leaves_does_not_fail_those_who_share_its_read() -> None:
    async def scenario(world: World) -> None:
        world.keys.gate.clear()
        first = asyncio.create_task(world.outcome(world.secret))
        second = asyncio.create_task(world.outcome(world.secret))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        world.keys.gate.set()
        assert await second == "web"
        assert world.keys.reads == 1

    run(scenario)


def test_a_read_that_fails_after_everybody_left_is_forgotten_in_silence() -> None:
    async def scenario(world: World) -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        world.keys.gate.clear()
        world.keys.is_down = True
        only = asyncio.create_task(world.outcome(world.secret))
        await asyncio.sleep(0)
        only.cancel()
        await asyncio.wait([only])
        (read,) = (entry.task for entry in world.authenticator._reads.values())
        world.keys.gate.set()
        await asyncio.wait([read])
        del read
        world.keys.is_down = False
        assert await world.outcome(world.secret) == "web"
        assert complaints == []

    run(scenario)


def test_a_read_that_hangs_for_a_second_is_not_joined_but_repeated() -> None:
    async def scenario(world: World) -> None:
        world.keys.gate.clear()
        early = asyncio.create_task(world.outcome(world.secret))
        await asyncio.sleep(0)
        world.clock.advance(1)
        late = asyncio.create_task(world.outcome(world.secret))
        await asyncio.sleep(0)
        world.keys.gate.set()
        assert (await early, await late) == ("web", "web")
        assert world.keys.reads == 2

    run(scenario)


def test_a_key_is_let_in_for_its_second_while_the_store_is_down() -> None:
    async def scenario(world: World) -> None:
        await world.outcome(world.secret)
        world.keys.is_down = True
        world.clock.advance(0.5)
        assert await world.outcome(world.secret) == "web"

    run(scenario)


def test_a_key_read_longer_ago_is_refused_while_the_store_is_down() -> None:
    async def scenario(world: World) -> None:
        await world.outcome(world.secret)
        world.keys.is_down = True
        world.clock.advance(1)
        assert await world.outcome(world.secret) == "StoreUnavailable"

    run(scenario)


def test_the_store_is_asked_again_at_once_after_a_failed_read() -> None:
    async def scenario(world: World) -> None:
        world.keys.is_down = True
        assert await world.outcome(world.secret) == "StoreUnavailable"
        world.keys.is_down = False
        assert await world.outcome(world.secret) == "web"

    run(scenario)


def test_the_dev_secret_opens_without_a_read_as_key_dev_of_tenant_local() -> None:
    async def scenario(world: World) -> None:
        record = await world.authenticator.authenticate("any text ☃")
        assert record.key_id == record.name == "dev"
        assert record.tenant == "local"
        assert world.keys.reads == 0

    run(scenario, dev_secret="any text ☃")


def test_a_stored_key_works_beside_the_dev_secret() -> None:
    async def scenario(world: World) -> None:
        assert await world.outcome(world.secret) == "web"

    run(scenario, dev_secret="sesame")


@pytest.mark.parametrize("dev_secret", [None, ""], ids=["none", "empty"])
def test_without_a_dev_secret_no_text_opens(dev_secret: str | None) -> None:
    async def scenario(world: World) -> None:
        assert await world.outcome("") == "AuthenticationFailed"
        assert await world.outcome("sesame") == "AuthenticationFailed"

    run(scenario, dev_secret=dev_secret)


# Until when, with which secret, and from where.


def test_a_key_is_refused_from_the_moment_it_expires() -> None:
    async def scenario(world: World) -> None:
        expires_at = world.clock.now() + 100
        secret = world.desk.create(NewKey("guest", policy=KeyPolicy(expires_at=expires_at))).secret
        world.clock.advance(99.5)
        assert await world.outcome(secret.text) == "guest"
        world.clock.advance(0.5)
        message = await world.message(secret.text)
        assert "has expired" in message
        assert secret.text[:8] not in message

    run(scenario)


def test_both_secrets_of_a_rotated_key_open_until_the_overlap_ends() -> None:
    async def scenario(world: World) -> None:
        _, new = world.desk.rotate("web", overlap_s=100)
        assert await world.outcome(new.text) == "web"
        assert await world.outcome(world.secret) == "web"
        world.clock.advance(100)
        assert await world.outcome(new.text) == "web"
        assert await world.outcome(world.secret) == "AuthenticationFailed"

    run(scenario)


def test_a_secret_rotated_without_overlap_is_refused_within_a_second() -> None:
    async def scenario(world: World) -> None:
        assert await world.outcome(world.secret) == "web"
        world.desk.rotate("web", overlap_s=0)
        world.clock.advance(1)
        assert await world.outcome(world.secret) == "AuthenticationFailed"

    run(scenario)


def test_a_secret_that_was_rotated_out_is_refused_in_the_words_for_an_unknown_one() -> None:
    async def scenario(world: World) -> None:
        world.desk.rotate("web", overlap_s=0)
        assert "is unknown or was revoked" in await world.message(world.secret)

    run(scenario)


def test_neither_secret_of_a_revoked_key_opens() -> None:
    async def scenario(world: World) -> None:
        _, new = world.desk.rotate("web", overlap_s=100)
        world.desk.revoke("web")
        assert await world.outcome(world.secret) == "AuthenticationFailed"
        assert await world.outcome(new.text) == "AuthenticationFailed"

    run(scenario)


CIDRS = ("203.0.113.0/24", "2001:db8::/32")


@pytest.mark.parametrize(
    "source_ip",
    ["203.0.113.0", "203.0.113.255", "2001:db8::1", "::ffff:203.0.113.7"],
    ids=["first", "last", "v6", "v4 as v6"],
)
def test_a_key_is_taken_from_its_networks(source_ip: str) -> None:
    async def scenario(world: World) -> None:
        created = world.desk.create(NewKey("office", policy=KeyPolicy(cidrs=CIDRS)))
        found = await world.authenticator.authenticate(created.secret.text, source_ip=source_ip)
        assert found == created.record

    run(scenario)


@pytest.mark.parametrize(
    "source_ip",
    [None, "", "203.0.114.0", "2001:db9::1", "127.0.0.1", "office", "203.0.113.1, 10.0.0.1"],
    ids=["unknown", "empty", "beyond", "v6", "loopback", "name", "list"],
)
def test_a_key_is_refused_from_elsewhere(source_ip: str | None) -> None:
    async def scenario(world: World) -> None:
        created = world.desk.create(NewKey("office", policy=KeyPolicy(cidrs=CIDRS)))
        with pytest.raises(PermissionDenied) as refusal:
            await world.authenticator.authenticate(created.secret.text, source_ip=source_ip)
        assert CIDRS[0] not in refusal.value.message

    run(scenario)


def test_a_wrong_secret_learns_nothing_of_a_keys_networks_or_end() -> None:
    async def scenario(world: World) -> None:
        policy = KeyPolicy(cidrs=CIDRS, expires_at=world.clock.now() + 1)
        created = world.desk.create(NewKey("office", policy=policy))
        world.clock.advance(2)
        wrong = mint(SeededEntropy(9).token_bytes(ENTROPY_BYTES), key_id=created.record.key_id)
        assert "is unknown or was revoked" in await world.message(wrong.text)

    run(scenario)

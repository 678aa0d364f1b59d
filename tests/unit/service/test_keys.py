"""The key desk: what an operator does with keys."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from typing_extensions import override

from forebay.adapters.memory import ManualClock, MemoryKeys, SeededEntropy
from forebay.admission import matches, parse
from forebay.errors import ConditionFailed, InvalidRequest, NotFound, StoreUnavailable
from forebay.model import FormerSecret, KeyPolicy, KeyRecord, KeyStatus
from forebay.ports.administration import KeyAdministration
from forebay.service.keys import CHANGE_ATTEMPTS, MAX_OVERLAP_S, KeyDesk, NewKey


class EchoingKeys:
    """A store whose client repeats each write, as if the first answer had been lost."""

    def __init__(self, keys: MemoryKeys) -> None:
        self._keys = keys

    def create(self, record: KeyRecord) -> None:
        self._keys.create(record)
        self._keys.create(record)

    def get(self, key_id: str) -> KeyRecord | None:
        return self._keys.get(key_id)

    def list_all(self) -> Iterable[KeyRecord]:
        return self._keys.list_all()

    def replace(self, record: KeyRecord) -> None:
        self._keys.replace(record)
        self._keys.replace(record)

    def revoke(self, key_id: str, *, at: float) -> KeyRecord | None:
        return self._keys.revoke(key_id, at=at)


def new_key(*, name: str, tenant: str = "default", team: str | None = None) -> NewKey:
    return NewKey(name, tenant, team)


def make_desk(
    keys: KeyAdministration | None = None, clock: ManualClock | None = None, seed: int = 0
) -> KeyDesk:
    store = MemoryKeys() if keys is None else keys
    return KeyDesk(store, clock or ManualClock(), SeededEntropy(seed))


def test_a_created_key_is_stored_with_its_hash_and_without_its_secret() -> None:
    keys = MemoryKeys()
    created = make_desk(keys).create(NewKey("web"))
    stored = keys.get(created.record.key_id)
    assert stored == created.record
    assert matches(created.record.secret_sha256, created.secret.text)
    assert created.secret.text not in repr(created)


def test_a_created_key_carries_what_was_asked() -> None:
    clock = ManualClock(now=1_000.5)
    wanted = NewKey("web", tenant="acme", team="search", models=["fast", "smart"])
    record = make_desk(clock=clock).create(wanted).record
    assert (record.name, record.tenant, record.team) == ("web", "acme", "search")
    assert record.models == ("fast", "smart")
    assert (record.status, record.version) == (KeyStatus.ACTIVE, 1)
    assert (record.created_at, record.revoked_at) == (1_000.5, None)


def test_a_key_without_models_may_call_all_of_tenant_default() -> None:
    record = make_desk().create(NewKey("web")).record
    assert (record.tenant, record.team, record.models) == ("default", None, ())


def test_a_model_named_twice_counts_once() -> None:
    assert make_desk().create(NewKey("web", models=["b", "a", "b"])).record.models == ("b", "a")


def test_a_secret_of_a_created_key_is_well_formed() -> None:
    created = make_desk().create(NewKey("web"))
    assert parse(created.secret.text) == created.secret


def test_a_create_whose_answer_was_lost_and_was_repeated_succeeds() -> None:
    keys = MemoryKeys()
    created = make_desk(EchoingKeys(keys)).create(NewKey("web"))
    assert list(keys.list_all()) == [created.record]


def test_a_create_that_meets_another_key_of_its_id_fails_and_leaves_it_alone() -> None:
    keys = MemoryKeys()
    first = make_desk(keys, seed=3).create(NewKey("first")).record
    # The same dice give the same id; another secret stands for a true collision.
    keys._keys[first.key_id] = other = KeyRecord(
        key_id=first.key_id, name="other", secret_sha256="0" * 64, tenant="default", team=None,
        models=(), status=KeyStatus.ACTIVE, version=1, created_at=0.0,
    )  # fmt: skip
    with pytest.raises(ConditionFailed):
        make_desk(keys, seed=3).create(NewKey("second"))
    assert list(keys.list_all()) == [other]


@pytest.mark.parametrize(
    "name",
    ["", "x" * 65, " web", "web ", "a\nb", "a\x1b[31m", "a\u202eb", "   ", "..", "/", "\ud800"],
    ids=[
        "empty", "long", "leading", "trailing", "newline", "escape", "bidi", "blank", "dots",
        "slash", "surrogate",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["name", "tenant", "team"])
def test_a_name_that_cannot_be_shown_is_refused(field: str, name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        new_key(**{"name": "web", field: name})
    assert refusal.value.param == field


@pytest.mark.parametrize("name", ["w", "x" * 64, "web app", "team/app-1", "Büro 日本", "50%25"])
def test_a_printable_name_is_taken(name: str) -> None:
    assert make_desk().create(NewKey(name)).record.name == name


@pytest.mark.parametrize(
    ("models", "param"),
    [
        ([], "models"),
        (["fast"] * 101, "models"),
        (["fast", ""], "models[1]"),
        (["x" * 257], "models[0]"),
        (["a\nb"], "models[0]"),
    ],
    ids=["none", "many", "empty", "long", "newline"],
)
def test_a_list_of_models_that_would_surprise_is_refused(models: Sequence[str], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        NewKey("web", models=models)
    assert refusal.value.param == param


def test_keys_are_listed_the_oldest_first() -> None:
    clock = ManualClock()
    desk = make_desk(clock=clock)
    for name in ("c", "a", "b"):
        desk.create(NewKey(name))
        clock.advance(1)
    assert [key.name for key in desk.list()] == ["c", "a", "b"]


def test_a_key_is_found_by_name_and_by_id() -> None:
    desk = make_desk()
    desk.create(NewKey("other"))
    record = desk.create(NewKey("web")).record
    assert desk.show("web") == desk.show(record.key_id) == record


def test_an_id_wins_over_a_key_named_like_it() -> None:
    desk = make_desk()
    record = desk.create(NewKey("web")).record
    desk.create(NewKey(record.key_id))
    assert desk.show(record.key_id) == record


def test_a_name_of_ten_letters_is_not_mistaken_for_an_id() -> None:
    desk = make_desk()
    record = desk.create(NewKey("production")).record
    assert desk.show("production") == record


@pytest.mark.parametrize("text", ["", "nobody", "0123456789", "x" * 100_000])
def test_an_unknown_key_is_not_found(text: str) -> None:
    desk = make_desk()
    desk.create(NewKey("web"))
    with pytest.raises(NotFound) as refusal:
        desk.show(text)
    assert len(refusal.value.message) < 200


def test_a_name_that_two_keys_have_is_refused_with_their_ids() -> None:
    desk = make_desk()
    ids = [desk.create(NewKey("web")).record.key_id for _ in range(2)]
    with pytest.raises(InvalidRequest) as refusal:
        desk.revoke("web")
    assert all(f"{key_id} (active)" in refusal.value.message for key_id in ids)
    assert {key.status for key in desk.list()} == {KeyStatus.ACTIVE}


def test_a_key_is_revoked_by_name_or_id() -> None:
    clock = ManualClock()
    desk = make_desk(clock=clock)
    one, other = (desk.create(NewKey(name)).record for name in ("one", "other"))
    clock.advance(5)
    assert desk.revoke("one").status is KeyStatus.REVOKED
    assert desk.revoke(other.key_id).revoked_at == clock.now()
    assert desk.show(one.key_id).status is KeyStatus.REVOKED


def test_revoking_twice_keeps_the_first_time() -> None:
    clock = ManualClock()
    desk = make_desk(clock=clock)
    desk.create(NewKey("web"))
    first = desk.revoke("web")
    clock.advance(60)
    assert desk.revoke("web") == first


def test_revoking_an_unknown_key_is_refused() -> None:
    with pytest.raises(NotFound):
        make_desk().revoke("web")


def limited(policy: KeyPolicy) -> KeyPolicy:
    return replace(policy, requests_per_minute=60)


class BusyKeys(MemoryKeys):
    """A store where somebody else changes a key before each of the first `times` changes."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    @override
    def replace(self, record: KeyRecord) -> None:
        if self._times:
            self._times -= 1
            stored = self._keys[record.key_id]
            policy = replace(stored.policy, parallel=stored.version)
            self._keys[record.key_id] = replace(stored, policy=policy, version=stored.version + 1)
        super().replace(record)


def test_a_key_has_the_policy_that_was_asked_for() -> None:
    policy = KeyPolicy(requests_per_minute=60, models=("a", "b"), cidrs=("10.0.0.0/8",))
    record = make_desk().create(NewKey("web", policy=policy)).record
    assert (record.policy, record.models) == (policy, ("a", "b"))


def test_a_policy_that_cannot_be_enforced_makes_no_key() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        NewKey("web", policy=KeyPolicy(requests_per_minute=0))
    assert refusal.value.param == "requests_per_minute"


@pytest.mark.parametrize("age_s", [0, 1, 10**9])
def test_a_key_that_has_expired_already_is_not_made(age_s: int) -> None:
    desk = make_desk()
    with pytest.raises(InvalidRequest) as refusal:
        desk.create(NewKey("web", policy=KeyPolicy(expires_at=ManualClock().now() - age_s)))
    assert refusal.value.param == "expires_at"
    assert desk.list() == ()


@pytest.mark.parametrize("field", ["name", "tenant", "team"])
def test_a_secret_is_no_name(field: str) -> None:
    secret = make_desk().create(NewKey("web")).secret.text
    with pytest.raises(InvalidRequest) as refusal:
        new_key(**{"name": "web", field: f"x {secret[:-3]}"})
    assert secret[:20] not in refusal.value.message


@pytest.mark.parametrize("field", ["tenant", "team"])
def test_what_separates_scopes_is_in_no_name_of_one(field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        new_key(**{"name": "web#1", field: "a#b"})
    assert refusal.value.param == field


def test_a_key_that_is_asked_for_by_its_secret_is_not_found_without_a_word_of_it() -> None:
    desk = make_desk()
    secret = desk.create(NewKey("web")).secret.text
    with pytest.raises(NotFound) as refusal:
        desk.show(secret)
    assert secret[3:20] not in refusal.value.message


def test_a_change_keeps_the_rest_and_counts_up() -> None:
    desk = make_desk()
    before = desk.create(NewKey("web", models=["m"], policy=KeyPolicy(parallel=3))).record
    changed = desk.change("web", limited)
    assert changed.before == before
    policy = KeyPolicy(requests_per_minute=60, parallel=3, models=("m",))
    assert changed.after == replace(before, policy=policy, version=2)
    assert desk.show("web") == changed.after


def test_a_change_of_models_is_one_of_the_record_too() -> None:
    desk = make_desk()
    desk.create(NewKey("web", models=["m"]))
    changed = desk.change("web", lambda policy: replace(policy, models=("b", "a", "b")))
    assert changed.after.models == changed.after.policy.models == ("b", "a")


def test_a_change_that_changes_nothing_is_none() -> None:
    desk = make_desk()
    record = desk.create(NewKey("web")).record
    assert desk.change("web", lambda policy: policy).after == record
    assert desk.show("web").version == 1


def test_a_change_whose_answer_was_lost_and_was_repeated_succeeds() -> None:
    desk = make_desk(EchoingKeys(MemoryKeys()))
    desk.create(NewKey("web"))
    assert desk.change("web", limited).after == desk.show("web")


def test_a_change_is_made_on_top_of_what_others_changed_meanwhile() -> None:
    desk = make_desk(BusyKeys(CHANGE_ATTEMPTS - 1))
    desk.create(NewKey("web"))
    changed = desk.change("web", limited)
    assert changed.after.policy == KeyPolicy(requests_per_minute=60, parallel=CHANGE_ATTEMPTS - 1)
    assert changed.after.version == CHANGE_ATTEMPTS + 1


def test_a_key_that_others_keep_changing_is_left_to_them() -> None:
    desk = make_desk(BusyKeys(CHANGE_ATTEMPTS))
    desk.create(NewKey("web"))
    with pytest.raises(StoreUnavailable):
        desk.change("web", limited)
    assert desk.show("web").policy.requests_per_minute is None


def test_a_change_to_a_policy_that_cannot_be_enforced_is_refused() -> None:
    desk = make_desk()
    desk.create(NewKey("web"))
    with pytest.raises(InvalidRequest):
        desk.change("web", lambda policy: replace(policy, parallel=-1))
    assert desk.show("web").version == 1


def test_a_key_can_be_changed_after_it_expired_but_not_be_made_to_expire_in_the_past() -> None:
    clock = ManualClock()
    desk = make_desk(clock=clock)
    desk.create(NewKey("web", policy=KeyPolicy(expires_at=clock.now() + 60)))
    clock.advance(60)
    assert desk.change("web", limited).after.version == 2
    with pytest.raises(InvalidRequest):
        desk.change("web", lambda policy: replace(policy, expires_at=clock.now() - 1))
    assert desk.change("web", lambda policy: replace(policy, expires_at=None)).after.version == 3


def test_a_rotated_key_has_a_new_secret_and_keeps_all_else() -> None:
    clock = ManualClock()
    desk = make_desk(clock=clock)
    created = desk.create(NewKey("web", policy=KeyPolicy(parallel=3)))
    changed, secret = desk.rotate("web", overlap_s=3_600)
    assert parse(secret.text) == secret
    assert secret.key_id == created.record.key_id
    assert secret.text != created.secret.text
    assert changed.after == replace(
        created.record,
        version=2,
        secret_sha256=changed.after.secret_sha256,
        former=FormerSecret(created.record.secret_sha256, clock.now() + 3_600),
    )
    assert matches(changed.after.secret_sha256, secret.text)
    assert desk.show("web") == changed.after


def test_a_rotation_without_overlap_leaves_no_former_secret() -> None:
    desk = make_desk()
    desk.create(NewKey("web"))
    desk.rotate("web", overlap_s=60)
    assert desk.rotate("web", overlap_s=0)[0].after.former is None


def test_a_second_rotation_ends_the_first_secret() -> None:
    desk = make_desk()
    desk.create(NewKey("web"))
    first = desk.rotate("web", overlap_s=60)[0].after
    second = desk.rotate("web", overlap_s=60)[0].after
    assert second.former is not None
    assert second.former.sha256 == first.secret_sha256


def test_a_rotation_whose_answer_was_lost_and_was_repeated_gives_the_secret_that_opens() -> None:
    desk = make_desk(EchoingKeys(MemoryKeys()))
    desk.create(NewKey("web"))
    _, secret = desk.rotate("web", overlap_s=60)
    assert matches(desk.show("web").secret_sha256, secret.text)


@pytest.mark.parametrize("overlap_s", [-1, MAX_OVERLAP_S + 1, 10**30])
def test_an_overlap_out_of_range_is_refused(overlap_s: int) -> None:
    desk = make_desk()
    desk.create(NewKey("web"))
    with pytest.raises(InvalidRequest) as refusal:
        desk.rotate("web", overlap_s=overlap_s)
    assert refusal.value.param == "overlap_s"


def test_a_revoked_key_is_neither_changed_nor_rotated() -> None:
    desk = make_desk()
    desk.create(NewKey("web"))
    revoked = desk.revoke("web")
    with pytest.raises(InvalidRequest, match="revoked"):
        desk.change("web", limited)
    with pytest.raises(InvalidRequest, match="revoked"):
        desk.rotate("web", overlap_s=0)
    assert desk.show("web") == revoked


def test_an_unknown_key_is_neither_changed_nor_rotated() -> None:
    with pytest.raises(NotFound):
        make_desk().change("web", limited)
    with pytest.raises(NotFound):
        make_desk().rotate("web", overlap_s=0)

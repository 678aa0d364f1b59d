"""The key desk: what an operator does with keys."""

from collections.abc import Iterable, Sequence

import pytest

from forebay.adapters.memory import ManualClock, MemoryKeys, SeededEntropy
from forebay.admission import matches, parse
from forebay.errors import ConditionFailed, InvalidRequest, NotFound
from forebay.model import KeyRecord, KeyStatus
from forebay.ports import KeyAdministration
from forebay.service.keys import KeyDesk, NewKey


class EchoingKeys:
    """A store whose client repeats each create, as if the first answer had been lost."""

    def __init__(self, keys: MemoryKeys) -> None:
        self._keys = keys

    def create(self, record: KeyRecord) -> None:
        self._keys.create(record)
        self._keys.create(record)

    def get(self, key_id: str) -> KeyRecord | None:
        return self._keys.get(key_id)

    def list_all(self) -> Iterable[KeyRecord]:
        return self._keys.list_all()

    def revoke(self, key_id: str, *, at: float) -> KeyRecord | None:
        return self._keys.revoke(key_id, at=at)


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
        NewKey(**{"name": "web", field: name})
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

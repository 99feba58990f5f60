from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from automation import log, triggers
from automation.models import LogEntry, LogHead
from tests.factories import House, make_house


@contextmanager
def an_owner_of_the_database() -> Iterator[None]:
    """Somebody who can lift the triggers."""
    with connection.schema_editor() as editor:
        triggers.drop(None, editor)
    yield


def write(house: House, count: int = 5) -> None:
    for number in range(count):
        log.append(tenant_id=house.tenant.pk, event="test", actor="someone", details={"n": number, "text": "café"})


@pytest.mark.usefixtures("everywhere")
class TestChain:
    def test_a_whole_chain_verifies(self, house: House) -> None:
        write(house)
        assert list(log.verify(house.tenant)) == []

    def test_an_empty_chain_verifies(self, house: House) -> None:
        assert list(log.verify(house.tenant)) == []

    def test_each_tenant_has_a_chain_of_its_own(self, house: House) -> None:
        other = make_house("other")
        write(house, 3)
        write(other, 2)
        assert LogEntry.objects.filter(tenant=other.tenant).order_by("-number")[0].number == 2
        assert list(log.verify(house.tenant)) == list(log.verify(other.tenant)) == []

    @pytest.mark.parametrize(
        "change", [{"actor": "another"}, {"details": {"n": 9}}, {"event": "x"}, {"to_state": "applied"}]
    )
    def test_the_database_refuses_to_change_an_entry(self, house: House, change: dict[str, object]) -> None:
        write(house)
        with pytest.raises(DatabaseError), transaction.atomic():
            LogEntry.objects.filter(number=2).update(**change)

    def test_the_database_refuses_to_remove_an_entry(self, house: House) -> None:
        write(house)
        with pytest.raises(DatabaseError), transaction.atomic():
            LogEntry.objects.filter(number=5)._raw_delete("default")


def change_one() -> None:
    LogEntry.objects.filter(number=3).update(actor="another")


def remove_one() -> None:
    LogEntry.objects.filter(number=3)._raw_delete("default")


def cut_the_tail() -> None:
    LogEntry.objects.filter(number=5)._raw_delete("default")


def insert_one() -> None:
    entry = LogEntry.objects.get(number=5)
    entry.pk, entry.number, entry.previous_hash = None, 6, entry.hash
    entry.save(force_insert=True)


def swap_two() -> None:
    for old, new in ((2, 900), (3, 2), (900, 3)):
        LogEntry.objects.filter(number=old).update(number=new)


def rewrite_one_with_a_new_hash() -> None:
    entry = LogEntry.objects.get(number=3)
    entry.actor = "another"
    LogEntry.objects.filter(number=3).update(actor="another", hash=log.entry_hash(entry))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(
    "tamper", [change_one, remove_one, cut_the_tail, insert_one, swap_two, rewrite_one_with_a_new_hash]
)
def test_tampering_behind_the_triggers_is_found(tamper: Callable[[], None]) -> None:
    house = make_house()
    write(house)
    with an_owner_of_the_database():
        try:
            tamper()
        finally:
            with connection.schema_editor() as editor:
                triggers.create(None, editor)
    assert list(log.verify(house.tenant)) != []
    with pytest.raises(CommandError, match="broken"):
        call_command("verify_log")


@pytest.mark.usefixtures("everywhere")
def test_the_head_follows_the_last_entry(house: House) -> None:
    write(house, 2)
    head = LogHead.objects.get(tenant=house.tenant)
    assert (head.number, head.hash) == (2, LogEntry.objects.get(number=2).hash)

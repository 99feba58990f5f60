"""Alerts: one open alert for each thing, however often it repeats."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from accounts.alerts import raise_alert, resolve_alert
from accounts.models import Alert
from accounts.scoping import TenantQuerySet
from tests.factories import House, make_house

pytestmark = pytest.mark.usefixtures("everywhere")


def tell(house: House, message: str = "down", severity: str = "warning", key: str = "sync 1") -> None:
    raise_alert(house.tenant, key=key, severity=severity, message=message)


def alerts(house: House) -> list[tuple[str, str, int, bool]]:
    rows = Alert.objects.filter(tenant=house.tenant).order_by("created_at")
    return [(row.message, row.severity, row.count, row.resolved_at is not None) for row in rows]


def test_a_repeat_counts_on_the_open_alert_and_brings_it_up_to_date(house: House) -> None:
    tell(house)
    first = Alert.objects.get().last_seen_at
    tell(house, "still down", "critical")
    tell(house, "still down", "critical")
    assert alerts(house) == [("still down", "critical", 3, False)]
    assert Alert.objects.get().last_seen_at > first


def test_another_key_and_another_tenant_are_other_alerts(house: House) -> None:
    other = make_house("other")
    tell(house)
    tell(house, key="sync 2")
    tell(other)
    assert [count for _, _, count, _ in alerts(house) + alerts(other)] == [1, 1, 1]


def test_a_resolved_alert_stays_and_its_return_opens_a_new_one(house: House) -> None:
    tell(house)
    resolve_alert(house.tenant, key="sync 1")
    resolved_at = Alert.objects.get().resolved_at
    resolve_alert(house.tenant, key="sync 1")
    assert Alert.objects.get().resolved_at == resolved_at
    tell(house, "down again")
    assert alerts(house) == [("down", "warning", 1, True), ("down again", "warning", 1, False)]


def test_resolving_touches_only_its_own_key(house: House) -> None:
    other = make_house("other")
    tell(house)
    tell(other)
    resolve_alert(house.tenant, key="sync 1")
    resolve_alert(house.tenant, key="never raised")
    assert [done for *_, done in alerts(house) + alerts(other)] == [True, False]


def test_the_database_itself_refuses_a_second_open_alert(house: House) -> None:
    tell(house)
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.create(tenant=house.tenant, key="sync 1", severity="info", message="x")


def test_losing_the_race_to_open_counts_on_the_winners_alert(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(house)
    update = TenantQuerySet.update
    first = iter([lambda rows, **values: 0])  # as if the other alert had not been there yet
    monkeypatch.setattr(TenantQuerySet, "update", lambda rows, **values: next(first, update)(rows, **values))
    tell(house, "lost")
    assert alerts(house) == [("lost", "warning", 2, False)]


def test_a_long_message_is_cut(house: House) -> None:
    tell(house, "x" * 2000)
    tell(house, "y" * 2000)
    assert alerts(house)[0][0] == "y" * 500

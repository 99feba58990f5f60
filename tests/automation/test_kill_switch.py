from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection

from automation import kill_switch
from automation.models import KillSwitch, LogEntry
from tests.factories import House, make_house, make_user


def test_an_open_switch_stops_nothing(house: House) -> None:
    assert kill_switch.stop_reason(house.tenant.pk) == ""


def test_a_missing_row_counts_as_engaged(house: House) -> None:
    for scope in (str(house.tenant.pk), KillSwitch.ALL):
        KillSwitch.objects.filter(scope=scope).delete()
        assert "missing" in kill_switch.stop_reason(house.tenant.pk)
        KillSwitch.objects.create(scope=scope)


def test_a_new_tenant_does_not_open_a_lost_switch_of_all(house: House) -> None:
    KillSwitch.objects.filter(scope=KillSwitch.ALL).delete()
    make_house("other")
    assert "missing" in kill_switch.stop_reason(house.tenant.pk)


@pytest.mark.django_db(transaction=True)
def test_an_unreadable_switch_counts_as_engaged() -> None:
    house = make_house()
    with connection.schema_editor() as editor:
        editor.execute("ALTER TABLE automation_killswitch RENAME TO hidden")
    try:
        assert kill_switch.stop_reason(house.tenant.pk) == "the kill switch could not be read"
    finally:
        with connection.schema_editor() as editor:
            editor.execute("ALTER TABLE hidden RENAME TO automation_killswitch")


def test_the_switch_of_one_tenant_leaves_others_open(house: House) -> None:
    other = make_house("other")
    kill_switch.engage(tenant=house.tenant, reason="odd spend", actor=house.buyer)
    assert "odd spend" in kill_switch.stop_reason(house.tenant.pk)
    assert kill_switch.stop_reason(other.tenant.pk) == ""


def test_the_switch_of_all_stops_every_tenant(house: House) -> None:
    KillSwitch.objects.filter(scope=KillSwitch.ALL).update(is_engaged=True)
    assert "all tenants" in kill_switch.stop_reason(house.tenant.pk)


def test_a_viewer_may_not_stop_and_a_buyer_may_not_release(house: House) -> None:
    with pytest.raises(PermissionDenied):
        kill_switch.engage(tenant=house.tenant, reason="", actor=house.viewer)
    kill_switch.engage(tenant=house.tenant, reason="", actor=house.buyer)
    with pytest.raises(PermissionDenied):
        kill_switch.release(tenant=house.tenant, reason="fine again", actor=house.buyer)


def test_releasing_needs_a_reason(house: House) -> None:
    kill_switch.engage(tenant=house.tenant, reason="", actor=house.owner)
    with pytest.raises(kill_switch.SwitchError):
        kill_switch.release(tenant=house.tenant, reason="  ", actor=house.owner)
    kill_switch.release(tenant=house.tenant, reason="looked at it", actor=house.owner)
    assert kill_switch.stop_reason(house.tenant.pk) == ""


@pytest.mark.usefixtures("everywhere")
def test_a_superuser_stops_all_tenants_and_each_log_has_it(house: House) -> None:
    root, other = make_user("root", is_superuser=True), make_house("other")
    kill_switch.engage_all(reason="outage", actor=root)
    for tenant in (house.tenant, other.tenant):
        assert "all tenants" in kill_switch.stop_reason(tenant.pk)
        assert LogEntry.objects.filter(tenant=tenant, event="kill_switch_of_all_engaged").count() == 1
    kill_switch.release_all(reason="over", actor=root)
    assert kill_switch.stop_reason(house.tenant.pk) == ""


def test_an_owner_cannot_move_the_switch_of_all(house: House) -> None:
    with pytest.raises(PermissionDenied):
        kill_switch.engage_all(reason="", actor=house.owner)
    with pytest.raises(PermissionDenied):
        kill_switch.release_all(reason="please", actor=house.owner)


@pytest.mark.usefixtures("everywhere")
def test_both_moves_are_in_the_log(house: House) -> None:
    kill_switch.engage(tenant=house.tenant, reason="odd", actor=house.owner)
    kill_switch.release(tenant=house.tenant, reason="fine", actor=house.owner)
    events = LogEntry.objects.filter(tenant=house.tenant).order_by("number").values_list("event", "actor")
    assert list(events) == [
        ("kill_switch_engaged", "owner-acme"),
        ("kill_switch_released", "owner-acme"),
    ]

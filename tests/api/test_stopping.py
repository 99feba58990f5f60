from __future__ import annotations

from typing import Any

import pytest

from accounts.scoping import all_tenants
from automation.kill_switch import stop_reason
from automation.models import KillSwitch, LogEntry
from tests.api.partner import Partner, assert_problem
from tests.factories import House


def test_a_partner_stops_every_write_of_its_own_tenant(house: House, other: House, partner: Partner) -> None:
    assert partner.get("kill-switch").json()["is_engaged"] is False
    answer = partner.post("kill-switch", {"is_engaged": True, "reason": "stock is gone"}, key="stop-1")
    assert answer.status_code == 200
    body = answer.json()
    assert body["is_engaged"] and "stock is gone" in body["reason"]
    assert partner.get("kill-switch").json() == body
    assert "stock is gone" in stop_reason(house.tenant.pk)
    assert stop_reason(other.tenant.pk) == ""
    with all_tenants():
        entry = LogEntry.objects.get(tenant=house.tenant)
    assert (entry.event, entry.actor) == ("kill_switch_engaged", f"API key {partner.row}")


def test_releasing_is_for_people(house: House, partner: Partner) -> None:
    partner.post("kill-switch", {"is_engaged": True, "reason": "stop"})
    answer = partner.post("kill-switch", {"is_engaged": False, "reason": "go on"})
    assert_problem(answer, 403, "release_is_for_people")
    assert stop_reason(house.tenant.pk)


def test_a_missing_switch_shows_as_engaged(house: House, partner: Partner) -> None:
    KillSwitch.objects.all().delete()
    assert partner.get("kill-switch").json()["is_engaged"] is True


def test_the_switch_of_all_tenants_shows_without_its_owner(house: House, partner: Partner) -> None:
    KillSwitch.objects.filter(scope=KillSwitch.ALL).update(is_engaged=True, reason="drill")
    assert partner.get("kill-switch").json()["reason"] == "the kill switch of all tenants is engaged: drill"


@pytest.mark.parametrize("wanted", ["true", 1, 0, None, "", [], {}])
def test_only_true_stops(wanted: Any, house: House, partner: Partner) -> None:
    answer = partner.post("kill-switch", {"is_engaged": wanted, "reason": "x"})
    assert_problem(answer, 422, "invalid_request")
    assert stop_reason(house.tenant.pk) == ""


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"is_engaged": True},
        {"is_engaged": True, "reason": ""},
        {"is_engaged": True, "reason": "x", "scope": "all"},
    ],
)
def test_stopping_needs_a_reason_and_nothing_else(body: dict[str, Any], house: House, partner: Partner) -> None:
    assert_problem(partner.post("kill-switch", body), 422, "invalid_request")
    assert stop_reason(house.tenant.pk) == ""

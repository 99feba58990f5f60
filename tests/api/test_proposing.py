from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.api_fields import AD_SET, public_id
from accounts.models import AdAccount, AdSet
from accounts.scoping import all_tenants
from automation.kill_switch import engage, release
from automation.manual import ProposeError, propose_change
from automation.models import Action, Limits
from tests.api.partner import Partner, assert_problem, budget_change
from tests.factories import AS_OF, House, add_history, make_action, make_house


def change(model: Any, row: Any, **values: Any) -> None:
    with all_tenants():
        model.objects.filter(pk=row.pk).update(**values)


def actions() -> int:
    with all_tenants():
        return Action.objects.count()


def test_a_proposal_waits_for_a_person(living: House, partner: Partner) -> None:
    answer = partner.post("actions", budget_change(living))
    body = answer.json()
    assert (answer.status_code, body["state"]) == (201, "awaiting_approval")
    assert (body["source"], body["source_name"]) == ("person", f"API key {partner.row}")
    assert body["reason"] == "the new creative sells"
    assert {verdict["outcome"] for verdict in body["verdicts"]} == {"allow"}
    assert body["log"][0]["actor"] == f"person: API key {partner.row}"
    assert partner.get(f"actions/{body['id']}").json() == body


def test_a_proposal_never_runs_alone_however_small(living: House, partner: Partner) -> None:
    assert partner.post("actions", budget_change(living, dollars=41)).json()["approvals_required"] == 1


def test_a_proposal_beyond_the_step_is_clamped(living: House, partner: Partner) -> None:
    body = partner.post("actions", budget_change(living, dollars=80)).json()
    assert body["proposed_daily_budget"]["amount_micros"] == 80_000_000
    assert body["target_daily_budget"]["amount_micros"] == 48_000_000
    assert [v["guardrail"] for v in body["verdicts"] if v["outcome"] == "clamp"] == ["step"]


def test_a_pause_can_be_proposed(living: House, partner: Partner) -> None:
    wanted = budget_change(living, kind="set_status", status="paused")
    del wanted["daily_budget"]
    body = partner.post("actions", wanted).json()
    assert (body["base_status"], body["target_status"], body["state"]) == ("active", "paused", "awaiting_approval")
    assert body["base_daily_budget"] is None


def test_the_kill_switch_blocks_but_the_proposal_is_recorded(living: House, partner: Partner) -> None:
    with all_tenants():
        engage(tenant=living.tenant, reason="drill", actor=living.owner)
    body = partner.post("actions", budget_change(living)).json()
    assert body["state"] == "rejected"
    assert "kill switch" in body["note"]


def test_without_limits_a_proposal_is_rejected(living: House, partner: Partner) -> None:
    with all_tenants():
        Limits.objects.all().delete()
    assert partner.post("actions", budget_change(living)).json()["state"] == "rejected"


def test_in_shadow_a_proposal_is_only_guarded(living: House, partner: Partner) -> None:
    change(AdAccount, living.account, rollout_stage="shadow")
    assert partner.post("actions", budget_change(living)).json()["state"] == "guarded"


def test_proposing_the_same_again_is_a_conflict(living: House, partner: Partner) -> None:
    partner.post("actions", budget_change(living))
    assert_problem(partner.post("actions", budget_change(living)), 409, "proposal_conflict")
    assert actions() == 1


def test_what_was_rejected_can_be_proposed_again_in_the_same_hour(living: House, partner: Partner) -> None:
    with all_tenants():
        engage(tenant=living.tenant, reason="drill", actor=living.owner)
    assert partner.post("actions", budget_change(living)).json()["state"] == "rejected"
    with all_tenants():
        release(tenant=living.tenant, reason="drill over", actor=living.owner)
    assert partner.post("actions", budget_change(living)).json()["state"] == "awaiting_approval"
    assert actions() == 2


STANDING: dict[str, tuple[Any, dict[str, Any]]] = {
    "switched off": (AdAccount, {"is_active": False}),
    "removed": (AdSet, {"status": "removed"}),
    "no daily budget": (AdSet, {"daily_budget_micros": None}),
    "already": (AdSet, {"daily_budget_micros": 44_000_000}),
    "last read": (AdSet, {"seen_at": AS_OF - timedelta(hours=7)}),
}


@pytest.mark.parametrize("told", STANDING)
def test_refuses_what_cannot_be_changed_now(told: str, living: House, partner: Partner) -> None:
    model, values = STANDING[told]
    change(model, living.account if model is AdAccount else living.ad_sets[0], **values)
    body = assert_problem(partner.post("actions", budget_change(living)), 409, "proposal_conflict")
    assert told in body["detail"]
    assert actions() == 0


def test_refuses_before_any_hour_was_read(house: House, partner: Partner) -> None:
    body = assert_problem(partner.post("actions", budget_change(house)), 409, "proposal_conflict")
    assert "no hour" in body["detail"]


def test_refuses_while_a_write_is_under_way(living: House, partner: Partner) -> None:
    make_action(living, state="dispatching")
    body = assert_problem(partner.post("actions", budget_change(living)), 409, "proposal_conflict")
    assert "under way" in body["detail"]


def test_a_foreign_ad_set_is_not_found_and_nothing_happens(living: House, other: House, partner: Partner) -> None:
    wanted = budget_change(living, ad_set=public_id(AD_SET, other.ad_sets[0].pk))
    assert_problem(partner.post("actions", wanted), 404, "not_found")
    assert actions() == 0


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "no ad set": ({"ad_set": None}, "#/ad_set"),
    "malformed ad set": ({"ad_set": "ads_1"}, "#/ad_set"),
    "ad set of another kind": ({"ad_set": "act_" + "0" * 32}, "#/ad_set"),
    "ad set is a list": ({"ad_set": []}, "#/ad_set"),
    "unknown kind": ({"kind": "launch"}, "#/kind"),
    "kind is an object": ({"kind": {}}, "#/kind"),
    "status in a budget change": ({"status": "paused"}, "#/status"),
    "unknown field": ({"daily/budget": 1}, "#/daily~1budget"),
    "blank reason": ({"reason": "  "}, "#/reason"),
    "long reason": ({"reason": "x" * 501}, "#/reason"),
    "reason is a number": ({"reason": 5}, "#/reason"),
    "money is a number": ({"daily_budget": 44}, "#/daily_budget"),
    "money is null": ({"daily_budget": None}, "#/daily_budget"),
}
AMOUNTS: list[Any] = [
    "44000000",
    True,
    None,
    0,
    -44_000_000,
    10**15 + 1,
    10**30,
    [],
    {},
    "",
    "１",
    "4e7",
    "NaN",
]


@pytest.mark.parametrize("name", INVALID)
def test_refuses_a_body_that_is_not_valid(name: str, living: House, partner: Partner) -> None:
    values, pointer = INVALID[name]
    body = assert_problem(partner.post("actions", budget_change(living, **values)), 422, "invalid_request")
    assert pointer in [error["pointer"] for error in body["errors"]]
    assert actions() == 0


@pytest.mark.parametrize("amount", AMOUNTS)
def test_refuses_an_amount_that_is_not_whole_micros(amount: Any, living: House, partner: Partner) -> None:
    wanted = budget_change(living, daily_budget={"amount_micros": amount, "currency": "USD"})
    body = assert_problem(partner.post("actions", wanted), 422, "invalid_request")
    assert body["errors"][0]["pointer"] == "#/daily_budget/amount_micros"


@pytest.mark.parametrize("currency", ["EUR", "usd", "US", "USD\n", 1, None])
def test_refuses_another_currency(currency: Any, living: House, partner: Partner) -> None:
    wanted = budget_change(living, daily_budget={"amount_micros": 44_000_000, "currency": currency})
    body = assert_problem(partner.post("actions", wanted), 422, "invalid_request")
    assert body["errors"][0]["pointer"] == "#/daily_budget/currency"


def test_refuses_an_amount_that_the_platform_cannot_hold(living: House, partner: Partner) -> None:
    wanted = budget_change(living, daily_budget={"amount_micros": 44_000_001, "currency": "USD"})
    body = assert_problem(partner.post("actions", wanted), 422, "proposal_invalid")
    assert "10000 micros" in body["detail"]


def test_a_person_without_the_right_cannot_propose(living: House, everywhere: None) -> None:
    wanted: dict[str, Any] = {
        "tenant": living.tenant,
        "ad_set": living.ad_sets[0],
        "kind": "set_budget",
        "target": 44_000_000,
        "reason": "why not",
    }
    with pytest.raises(Exception, match="may not propose"):
        propose_change(**wanted, actor=living.viewer)
    action = propose_change(**wanted, actor=living.buyer)
    assert (action.author, action.source_name) == (living.buyer, str(living.buyer))


def test_an_ad_set_of_another_tenant_cannot_be_proposed_for(living: House, everywhere: None) -> None:
    other = make_house("gamma")
    add_history(other)
    with pytest.raises(ProposeError, match="of the tenant"):
        propose_change(
            tenant=living.tenant,
            ad_set=other.ad_sets[0],
            kind="set_budget",
            target=44_000_000,
            reason="x",
            actor=None,
            actor_name="partner",
        )

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from accounts.hours import HOUR, hour_of
from accounts.models import AdAccount, Alert, Store, Tenant
from accounts.money import MICROS
from automation.cycle import claim_run, run_hour
from automation.models import Action, Limits, PolicyRun, ProposalRecord, Verdict
from automation.states import State
from config.summary import disagreement
from connectors.connections import connect_store
from metrics.accounting import REVENUE, account_slot
from metrics.models import HourlyMetric, Order, Reward, SyncedHour
from rules.models import AutomationMode, Rule
from tests.automation.conftest import Town


def spend_served(town: Town, day: str) -> dict[str, int]:
    """Spend in micros per Meta ad set on an account day, read from the sandbox by plain HTTP."""
    given = town.box.get("credentials")["meta"]
    answer = httpx.get(
        f"{town.box.url}/v26.0/{given['account_id']}/insights",
        params={
            "access_token": given["access_token"],
            "level": "adset",
            "fields": "adset_id,spend",
            "limit": "500",
            "time_range": f'{{"since":"{day}","until":"{day}"}}',
            "breakdowns": '["hourly_stats_aggregated_by_advertiser_time_zone"]',
        },
        trust_env=False,
    ).json()
    assert "next" not in answer["paging"]
    found: dict[str, int] = {}
    for row in answer["data"]:
        found[row["adset_id"]] = found.get(row["adset_id"], 0) + int(Decimal(row["spend"]) * MICROS)
    return found


def test_what_is_stored_equals_what_the_sandbox_served_to_the_micro(town: Town) -> None:
    stored: dict[str, int] = {}
    for row in HourlyMetric.objects.filter(
        ad_account__platform="meta", hour__gte="2026-11-17T05:00Z", hour__lt="2026-11-18T05:00Z"
    ).select_related("ad_set"):
        stored[row.ad_set.external_id] = stored.get(row.ad_set.external_id, 0) + row.spend_micros
    served = spend_served(town, "2026-11-17")
    assert served and {key: value for key, value in stored.items() if value} == served


def test_an_hour_proposes_guards_and_routes_once(town: Town) -> None:
    report = run_hour(town.tenant, town.slot)
    assert {run.ad_account.platform for run in report.runs} == {"meta", "tiktok"}
    assert report.actions and Action.objects.count() == len(report.actions)
    assert all(Verdict.objects.filter(action=action).exists() for action in report.actions)


def test_the_same_hour_again_adds_nothing(town: Town) -> None:
    run_hour(town.tenant, town.slot)
    before = [model.objects.count() for model in (Action, ProposalRecord, PolicyRun, Order, HourlyMetric, SyncedHour)]
    again = run_hour(town.tenant, town.slot)
    assert again.runs == [] and again.actions == []
    assert before == [
        model.objects.count() for model in (Action, ProposalRecord, PolicyRun, Order, HourlyMetric, SyncedHour)
    ]


def test_a_slot_before_the_newest_is_missed_not_acted_on(town: Town) -> None:
    run_hour(town.tenant, town.slot)
    report = run_hour(town.tenant, town.slot - HOUR)
    assert report.runs == [] and PolicyRun.objects.filter(slot=town.slot - HOUR).count() == 0


def test_a_run_that_another_worker_holds_is_left_to_it(town: Town) -> None:
    account = town.account("meta")
    assert claim_run(town.tenant, account, town.slot, "hold") is not None
    assert claim_run(town.tenant, account, town.slot, "hold") is None


def test_a_run_whose_worker_died_is_taken_up_three_times_at_most(town: Town) -> None:
    account = town.account("meta")
    for _ in range(3):
        assert claim_run(town.tenant, account, town.slot, "hold") is not None
        PolicyRun.objects.update(lease_until=None)
    assert claim_run(town.tenant, account, town.slot, "hold") is None


def test_in_shadow_everything_is_decided_and_nothing_approved(town: Town) -> None:
    AdAccount.objects.update(rollout_stage="shadow")
    report = run_hour(town.tenant, town.slot)
    assert {action.state for action in report.actions} <= {State.GUARDED, State.REJECTED}
    assert town.writes() == []


def test_in_pilot_only_the_canary_list_gets_further(town: Town) -> None:
    AdAccount.objects.update(rollout_stage="pilot")
    canary = town.ad_set("tiktok")
    Limits.objects.get().canary_ad_sets.add(canary)
    for action in run_hour(town.tenant, town.slot).actions:
        if action.ad_set_id != canary.pk:
            assert action.state == State.REJECTED and "canary" in action.note


def test_without_limits_nothing_is_decided(town: Town) -> None:
    Limits.objects.all().delete()
    Rule.objects.update(is_enabled=True, mode=AutomationMode.AUTO_ALL)
    assert all(action.state == State.REJECTED for action in run_hour(town.tenant, town.slot).actions)


def test_suggestions_wait_for_a_person(town: Town) -> None:
    Rule.objects.update(is_enabled=True, mode=AutomationMode.SUGGEST)
    from_rules = [action for action in run_hour(town.tenant, town.slot).actions if action.source == "rule"]
    assert from_rules
    assert {action.state for action in from_rules} <= {State.AWAITING_APPROVAL, State.REJECTED}


def test_an_unreachable_source_is_told_and_holds_back_no_other(town: Town, settings: Any) -> None:
    settings.TIKTOK_BASE_URL = "http://127.0.0.1:9"
    town.box.post("clock", advance_hours=3)
    report = run_hour(town.tenant, town.slot)
    assert len(report.pulled.problems) == 1
    assert Alert.objects.get(resolved_at__isnull=True).message.startswith("TikTok")
    assert SyncedHour.objects.filter(ad_account__platform="meta", hour=town.slot).exists()
    raises = [action for action in report.actions if action.ad_account.platform == "tiktok" and action.is_raise]
    assert all(action.state == State.REJECTED for action in raises)


def test_a_broken_rule_is_told_and_holds_back_no_other(town: Town) -> None:
    Rule.objects.update(is_enabled=True)
    Rule.objects.filter(preset="cut_losers").update(condition={"metric": "luck"})
    report = run_hour(town.tenant, town.slot)
    assert any(action.source == "rule" for action in report.actions)
    assert "Cut losers" in Alert.objects.get(severity="critical").message


def test_a_dead_token_is_shown_on_its_credential_until_it_works_again(town: Town) -> None:
    credential = town.account("tiktok").credential
    alive = credential.access_token
    for token, is_problem in (("wrong", True), (alive, False)):
        credential.access_token = token
        credential.save()
        run_hour(town.tenant, town.slot)
        credential.refresh_from_db()
        assert bool(credential.problem) is is_problem


def test_twelve_hours_leave_ledger_and_log_in_agreement(town: Town) -> None:
    from automation.dispatch import dispatch
    from automation.log import verify

    Rule.objects.update(is_enabled=True, mode=AutomationMode.AUTO_ALL)
    Limits.objects.update(cooldown_hours=2)
    for _ in range(12):
        town.box.post("clock", advance_hours=1)
        run_hour(town.tenant, town.slot)
        for action in Action.objects.filter(state=State.APPROVED):
            dispatch(action.pk)
    assert Action.objects.filter(state=State.APPLIED).count() > 3
    assert disagreement(town.tenant, town.box.get("ledger")) == ""
    assert list(verify(town.tenant)) == []


def test_the_price_of_money_moves_once_a_day(town: Town) -> None:
    Limits.objects.update(daily_target_micros=1 * MICROS)
    run_hour(town.tenant, town.slot)
    first = Tenant.objects.get(pk=town.tenant.pk)
    assert first.lambda_spend_ppm > 0 and first.lambda_day is not None
    town.box.post("clock", advance_hours=1)
    run_hour(first, town.slot)
    assert Tenant.objects.get(pk=town.tenant.pk).lambda_spend_ppm == first.lambda_spend_ppm


def test_a_day_later_the_price_of_money_has_moved_again(town: Town) -> None:
    Limits.objects.update(daily_target_micros=1 * MICROS)
    run_hour(town.tenant, town.slot)
    before = Tenant.objects.get(pk=town.tenant.pk)
    town.box.post("clock", advance_hours=24)
    run_hour(town.tenant, town.slot)
    after = Tenant.objects.get(pk=town.tenant.pk)
    assert after.lambda_spend_ppm > before.lambda_spend_ppm
    assert after.lambda_day - before.lambda_day == timedelta(days=1)


def accounts_as_stored(town: Town) -> tuple[list[Any], list[Any]]:
    return (
        list(Order.objects.order_by("pk").values_list("pk", "ad_set_id")),
        sorted(Reward.objects.values_list("ad_set_id", "hour", "orders", "revenue_micros", "refunds_micros")),
    )


def test_after_an_outage_of_days_everything_that_arrives_is_accounted(town: Town, settings: Any) -> None:
    settings.SHOPIFY_BASE_URL = "http://127.0.0.1:9"
    for _ in range(2):
        town.box.post("clock", advance_hours=48)
        assert run_hour(town.tenant, town.slot).pulled.problems
    settings.SHOPIFY_BASE_URL = town.box.url
    town.box.post("clock", advance_hours=1)
    run_hour(town.tenant, town.slot)
    before = accounts_as_stored(town)
    account_slot(town.tenant, as_of=town.box.now(), lookback=timedelta(days=8))
    assert before == accounts_as_stored(town)


def test_an_order_cancelled_after_days_leaves_the_profit_of_its_hour(town: Town, monkeypatch: Any) -> None:
    as_of = town.box.now()
    order = Order.objects.filter(REVENUE, ad_set__isnull=False, ordered_at__lt=as_of - timedelta(hours=100)).latest(
        "ordered_at"
    )
    hour = Reward.objects.get(ad_set=order.ad_set_id, hour=hour_of(order.ordered_at))

    def connect(store: Store) -> Any:
        client = connect_store(store)
        found = next(
            row for row in client.orders(as_of - timedelta(days=8), as_of) if row.external_id == order.external_id
        )
        late = replace(found, cancelled_at=as_of, updated_at=as_of)
        monkeypatch.setattr(client, "orders", lambda start, end: iter([late]))
        return client

    monkeypatch.setattr("metrics.pull.connect_store", connect)
    town.box.post("clock", advance_hours=1)
    run_hour(town.tenant, town.slot)
    after = Reward.objects.get(pk=hour.pk)
    assert (after.orders, after.revenue_micros) == (hour.orders - 1, hour.revenue_micros - order.total_micros)


def test_an_hour_of_real_platforms_that_has_not_ended_is_refused(town: Town, settings: Any) -> None:
    settings.META_BASE_URL = "https://127.0.0.1:9"
    before = [model.objects.count() for model in (SyncedHour, PolicyRun, Alert)]
    with pytest.raises(CommandError, match="has not ended"):
        call_command("run_cycle", slot="2051-01-01T00:00Z")
    assert before == [model.objects.count() for model in (SyncedHour, PolicyRun, Alert)]


def test_a_run_that_was_overtaken_is_not_claimed(town: Town) -> None:
    account = town.account("meta")
    assert claim_run(town.tenant, account, town.slot, "hold") is not None
    assert claim_run(town.tenant, account, town.slot - HOUR, "hold") is None

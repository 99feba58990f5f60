"""The runner's commands, as a person types them."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from accounts.money import MICROS
from automation.models import Action, Limits, LogEntry
from automation.states import State
from tests.automation.conftest import Town

FLAGS = {"daily_budget_target": "30", "delta_max": "0.10", "min_hourly": "0.5", "max_hourly": "3.0"}


def run_policy(town: Town, **flags: Any) -> list[dict[str, Any]]:
    out = StringIO()
    call_command("run_policy", slot=town.slot.isoformat(), json=True, stdout=out, **(FLAGS | flags))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def canary(town: Town, platform: str = "tiktok") -> str:
    return town.ad_set(platform).key


def rows_of_every_table() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in apps.get_models()}


def test_shadow_prints_a_line_for_each_ad_set_and_writes_nothing(town: Town) -> None:
    lines = run_policy(town, mode="shadow")
    assert len(lines) == 12 and all(line["reason"] or line["verdict"] in ("allowed", "held") for line in lines)
    assert town.writes() == [] and Action.objects.count() == 0


def test_what_is_allowed_keeps_the_flags(town: Town) -> None:
    for line in run_policy(town, mode="shadow"):
        current, allowed = line["current_daily_micros"], line["allowed_daily_micros"]
        if line["verdict"] not in ("allowed", "clamped"):
            assert allowed == current
            continue
        assert abs(allowed - current) <= current * 0.10
        assert 0.5 * 24 * MICROS <= allowed <= 3.0 * 24 * MICROS


def test_pilot_writes_the_canary_ad_set_and_no_other(town: Town) -> None:
    key = canary(town)
    lines = {line["ad_set"]: line for line in run_policy(town, mode="pilot", canary_list=key)}
    assert lines[key]["state"] == State.APPLIED
    assert [row["object_id"] for row in town.writes()] == [key.partition(":")[2]]
    others = [line for name, line in lines.items() if name != key]
    assert all(line["verdict"] == "refused" and line["state"] is None for line in others)


def test_pilot_twice_in_the_same_hour_writes_once(town: Town) -> None:
    for _ in range(2):
        run_policy(town, mode="pilot", canary_list=canary(town))
    assert len(town.writes()) == 1


def test_the_flags_still_bind_when_the_write_waits_for_a_person(town: Town) -> None:
    from automation import approvals
    from automation.dispatch import dispatch
    from tests.automation.conftest import reread

    Limits.objects.update(approval_above_micros=1)
    key = canary(town)
    run_policy(town, mode="pilot", canary_list=key)
    action = Action.objects.get()
    assert action.state == State.AWAITING_APPROVAL and action.run_limits["canary"] == [key]
    approvals.approve(action_id=action.pk, digest=action.digest, actor=town.people["approver"])
    dispatch(action.pk)
    assert reread(action).state == State.APPLIED


def test_the_platforms_minimum_outranks_max_hourly(town: Town) -> None:
    key = canary(town)
    lines = run_policy(town, mode="pilot", canary_list=key, min_hourly="0.1", max_hourly="0.2", delta_max="1")
    mine = next(line for line in lines if line["ad_set"] == key)
    assert mine["allowed_daily_micros"] >= 20 * MICROS


def test_the_flags_do_not_lift_the_tenants_own_ceiling(town: Town) -> None:
    ceiling = town.ad_set("tiktok").daily_budget_micros
    assert ceiling is not None
    Limits.objects.update(ceiling_micros=ceiling)
    for line in run_policy(town, mode="shadow", daily_budget_target="5000", max_hourly="50"):
        current, allowed = line["current_daily_micros"], line["allowed_daily_micros"]
        assert allowed is None or allowed <= max(ceiling, current)


def test_outside_the_peak_hours_no_budget_is_raised(town: Town) -> None:
    # The sandbox stands at 13:00 in New York.
    lines = run_policy(town, mode="shadow", peak_hours="18-22", daily_budget_target="5000", max_hourly="20")
    raised = [line for line in lines if (line["allowed_daily_micros"] or 0) > (line["current_daily_micros"] or 0)]
    assert raised == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"daily_budget_target": "abc"}, "--daily-budget-target: expected an amount"),
        ({"daily_budget_target": "-5"}, "--daily-budget-target: expected an amount"),
        ({"delta_max": "0"}, "--delta-max: expected a share"),
        ({"delta_max": "1.5"}, "--delta-max: expected a share"),
        ({"min_hourly": "4"}, "min-hourly: expected at most max-hourly"),
        ({"peak_hours": "18"}, "peak hours: expected two local hours"),
        ({"peak_hours": "25-30"}, "peak hours: expected two local hours"),
        ({"canary_list": "tiktok"}, "--canary-list: expected platform:id"),
        ({"canary_list": "tiktok:99"}, "no ad set 'tiktok:99'"),
        ({"mode": "pilot"}, "expected --canary-list"),
        ({"policy": "oracle"}, "expected a policy, one of"),
        ({"tenant": "nobody"}, "no tenant has the slug 'nobody'"),
        ({"slot": "yesterday"}, "expected the UTC start of an hour"),
    ],
)
def test_a_wrong_flag_gets_one_clear_line_and_changes_nothing(town: Town, flags: dict[str, str], message: str) -> None:
    before = rows_of_every_table()
    with pytest.raises(CommandError) as caught:
        call_command("run_policy", **({"slot": town.slot.isoformat()} | FLAGS | flags), stdout=StringIO())
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert rows_of_every_table() == before and town.writes() == []


@pytest.mark.parametrize("platform", ["META", "TIKTOK", "SHOPIFY"])
def test_an_unreachable_platform_gets_one_clear_line_and_changes_nothing(
    town: Town, settings: Any, platform: str
) -> None:
    setattr(settings, f"{platform}_BASE_URL", "http://127.0.0.1:9")
    before = rows_of_every_table()
    with pytest.raises(CommandError, match=platform.lower()):
        run_policy(town)
    assert rows_of_every_table() == before


def test_a_dead_key_gets_one_clear_line_and_changes_nothing(town: Town) -> None:
    credential = town.account("tiktok").credential
    credential.access_token = "wrong"
    credential.save()
    before = rows_of_every_table()
    with pytest.raises(CommandError, match="tiktok"):
        run_policy(town)
    assert rows_of_every_table() == before


def test_without_limits_nothing_is_decided(town: Town) -> None:
    Limits.objects.all().delete()
    with pytest.raises(CommandError, match="no limits"):
        run_policy(town)


def test_run_shadow_replays_days_and_touches_nothing(town: Town) -> None:
    before, ledger = rows_of_every_table(), town.box.get("ledger")
    out = StringIO()
    call_command("run_shadow", episodes=3, slot=town.slot.isoformat(), json=True, stdout=out)
    episodes = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(episodes) == 3
    assert all(episode["hours_known"] == 24 and episode["spend_micros"] > 0 for episode in episodes)
    assert sum(sum(episode["would_have"].values()) for episode in episodes) == 3 * 24 * 6
    assert rows_of_every_table() == before and town.box.get("ledger") == ledger


def test_run_shadow_works_while_the_kill_switch_is_on(town: Town) -> None:
    from automation import kill_switch

    kill_switch.engage(tenant=town.tenant, reason="stop", actor=town.people["owner"])
    entries = LogEntry.objects.count()
    call_command("run_shadow", episodes=1, slot=town.slot.isoformat(), stdout=StringIO())
    assert LogEntry.objects.count() == entries


@pytest.mark.parametrize("episodes", [0, 91, -1])
def test_run_shadow_refuses_a_wrong_number_of_episodes(town: Town, episodes: int) -> None:
    with pytest.raises(CommandError, match="expected 1 to 90"):
        call_command("run_shadow", episodes=episodes, stdout=StringIO())

"""Dispatch against the sandbox over real sockets: its own ledger is the judge."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from django.utils import timezone

from accounts.models import AdAccount, AdSet, Membership
from accounts.money import MICROS
from automation import approvals, kill_switch, reconcile
from automation.dispatch import claim, dispatch, target_of
from automation.manual import propose_change
from automation.models import Action, Approval, Limits, LogEntry
from automation.states import State
from connectors.contracts import AdSetRecord, Platform, Target
from metrics.sync import sync_tree
from tests.automation.conftest import Town, reread

MUCH_LATER = timedelta(hours=1)


def approved(town: Town, *, platform: str = "meta", percent: int = 10, **values: Any) -> Action:
    """A person's change, approved by another one."""
    ad_set = town.ad_set(platform)
    assert ad_set.daily_budget_micros is not None
    action = propose_change(
        tenant=town.tenant,
        ad_set=ad_set,
        kind="set_budget",
        target=ad_set.daily_budget_micros * (100 + percent) // 100,
        reason="try it",
        actor=town.people["buyer"],
        actor_name="buyer",
    )
    assert action.state == State.AWAITING_APPROVAL, action.note
    return approvals.approve(action_id=action.pk, digest=action.digest, actor=town.people["approver"])


def outcomes(town: Town) -> Counter[Any]:
    return Counter((row["object_id"], row["result"]) for row in town.writes())


def held(town: Town, action: Action) -> int | None:
    record = town.box.ads(Platform(action.ad_account.platform)).read(target_of(action))
    return cast(AdSetRecord, record).daily_budget_micros


def decide_unclear(action: Action) -> Action:
    """Let quarantine and evidence gap pass, as the sweeps would see it."""
    past = timezone.now() - MUCH_LATER
    Action.objects.filter(pk=action.pk).update(sent_at=past)
    reconcile.sweep()
    Action.objects.filter(pk=action.pk).update(first_evidence_at=past)
    reconcile.sweep()
    return reread(action)


@pytest.mark.parametrize("platform", ["meta", "tiktok"])
def test_an_approved_change_is_written_once_and_read_back(town: Town, platform: str) -> None:
    action = approved(town, platform=platform)
    dispatch(action.pk)
    assert reread(action).state == State.APPLIED
    assert held(town, action) == action.target_micros == AdSet.objects.get(pk=action.ad_set_id).daily_budget_micros
    assert outcomes(town) == {(action.ad_set.external_id, "applied"): 1}


def test_a_second_delivery_of_the_task_does_nothing(town: Town) -> None:
    action = approved(town)
    dispatch(action.pk)
    assert dispatch(action.pk) is None
    assert len(town.writes()) == 1


def test_an_unknown_id_is_nothing_to_do(town: Town) -> None:
    assert dispatch("00000000-0000-0000-0000-000000000000") is None


def test_every_step_is_in_the_log(town: Town) -> None:
    action = approved(town)
    dispatch(action.pk)
    events = LogEntry.objects.filter(action=action).order_by("number").values_list("event", flat=True)
    assert list(events) == ["proposed", "guarded", "awaiting_approval", "approved", "claimed", "applied"]


def test_a_change_made_outside_wins(town: Town) -> None:
    action = approved(town)
    town.box.post(
        "human_edit",
        platform="meta",
        account=action.ad_account.external_id,
        object_id=action.ad_set.external_id,
        field="daily_budget",
        value="9900",
    )
    dispatch(action.pk)
    assert reread(action).state == State.CONFLICT
    assert held(town, action) == 99 * MICROS and town.writes() == []


def test_nothing_is_written_while_the_kill_switch_is_on(town: Town) -> None:
    action = approved(town)
    kill_switch.engage(tenant=town.tenant, reason="stop", actor=town.people["buyer"])
    dispatch(action.pk)
    assert reread(action).state == State.APPROVED and town.writes() == []


def test_the_switch_thrown_between_claim_and_write_stops_the_write(town: Town, monkeypatch: Any) -> None:
    action = approved(town)
    platform = town.box.ads(Platform.META)
    read = platform.read

    def read_and_stop(target: Target) -> Any:
        kill_switch.engage(tenant=town.tenant, reason="stop", actor=town.people["buyer"])
        return read(target)

    monkeypatch.setattr(platform, "read", read_and_stop)
    dispatch(action.pk, connect=lambda account: platform)
    assert reread(action).state == State.APPROVED and town.writes() == []


def test_the_stop_file_stops_the_write_even_if_the_switch_is_open(town: Town, settings: Any) -> None:
    action = approved(town)
    Path(settings.WRITE_STOP_FILE).touch()
    dispatch(action.pk)
    assert reread(action).state == State.APPROVED and town.writes() == []


@pytest.mark.parametrize(
    ("fault", "settled"),
    [
        ("drop_before_apply", State.FAILED),
        ("drop_after_apply", State.APPLIED),
        ("truncated_body", State.APPLIED),
        ("html_body", State.APPLIED),
        ("server_error", State.FAILED),
    ],
)
@pytest.mark.parametrize("platform", ["meta", "tiktok"])
def test_an_unclear_outcome_is_decided_from_evidence_never_by_writing_again(
    town: Town, platform: str, fault: str, settled: State
) -> None:
    action = approved(town, platform=platform)
    with town.box.fault(fault, Platform(platform), method="POST"):
        dispatch(action.pk)
    assert reread(action).state == State.UNKNOWN
    assert decide_unclear(action).state == settled
    applied = {(action.ad_set.external_id, "applied"): 1} if settled == State.APPLIED else {}
    assert {key: count for key, count in outcomes(town).items() if key[1] == "applied"} == applied
    assert sum(outcomes(town).values()) <= 1


def test_a_write_that_takes_effect_late_is_found_applied(town: Town) -> None:
    action = approved(town)
    with town.box.fault("late_apply", Platform.META, method="POST", seconds=0.3):
        dispatch(action.pk)
        assert reread(action).state == State.UNKNOWN
        while not town.writes():
            pass
    assert decide_unclear(action).state == State.APPLIED


def test_evidence_waits_for_the_quarantine(town: Town) -> None:
    action = approved(town)
    with town.box.fault("drop_after_apply", Platform.META, method="POST"):
        dispatch(action.pk)
    reconcile.sweep()
    reconcile.sweep()
    assert reread(action).state == State.UNKNOWN and reread(action).first_evidence == ""


def test_while_unclear_nothing_else_is_written_to_that_ad_set(town: Town) -> None:
    action = approved(town)
    with town.box.fault("drop_after_apply", Platform.META, method="POST"):
        dispatch(action.pk)
    with pytest.raises(Exception, match="under way"):
        approved(town, percent=5)


def test_a_human_edit_after_an_unclear_write_ends_as_conflict(town: Town) -> None:
    action = approved(town)
    with town.box.fault("drop_after_apply", Platform.META, method="POST"):
        dispatch(action.pk)
    town.box.post(
        "human_edit",
        platform="meta",
        account=action.ad_account.external_id,
        object_id=action.ad_set.external_id,
        field="daily_budget",
        value="9900",
    )
    assert decide_unclear(action).state == State.CONFLICT
    assert held(town, action) == 99 * MICROS


def test_a_throttled_write_comes_back_later_and_is_sent_then(town: Town) -> None:
    action = approved(town)
    with town.box.fault("rate_limit", Platform.META, method="POST"):
        dispatch(action.pk)
    waiting = reread(action)
    assert waiting.state == State.APPROVED and waiting.not_before is not None
    assert dispatch(action.pk) is None
    Action.objects.filter(pk=action.pk).update(not_before=timezone.now())
    dispatch(action.pk)
    assert reread(action).state == State.APPLIED
    assert outcomes(town)[action.ad_set.external_id, "applied"] == 1


def test_what_cannot_be_sent_is_given_up_after_three_attempts(town: Town, settings: Any) -> None:
    action = approved(town)
    settings.META_BASE_URL = "http://127.0.0.1:9"
    for _ in range(3):
        Action.objects.filter(pk=action.pk).update(not_before=None)
        dispatch(action.pk)
    assert reread(action).state == State.FAILED and reread(action).next_step
    assert town.writes() == []


def test_a_definite_refusal_fails_with_the_platforms_words(town: Town) -> None:
    action = approved(town)
    with town.box.fault("expired_token", Platform.META, method="POST"):
        dispatch(action.pk)
    assert reread(action).state == State.FAILED and "refused" in reread(action).note


def test_a_worker_lost_after_its_claim_leaves_an_unclear_action(town: Town) -> None:
    action = approved(town)
    assert claim(action.pk) is not None
    reconcile.sweep()
    assert reread(action).state == State.DISPATCHING
    Action.objects.filter(pk=action.pk).update(lease_until=timezone.now())
    reconcile.sweep()
    assert reread(action).state == State.UNKNOWN
    assert decide_unclear(action).state == State.FAILED
    assert town.writes() == []


def test_only_one_of_two_workers_claims(town: Town) -> None:
    action = approved(town)
    assert claim(action.pk) is not None
    assert claim(action.pk) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda town, action: Membership.objects.filter(user=town.people["approver"]).delete(),
        lambda town, action: Limits.objects.update(hard_daily_cap_micros=1),
        lambda town, action: Limits.objects.update(ceiling_micros=6 * MICROS),
        lambda town, action: Limits.objects.all().delete(),
        lambda town, action: Action.objects.filter(pk=action.pk).update(target_micros=77 * MICROS),
        lambda town, action: AdAccount.objects.update(currency="EUR"),
    ],
    ids=["approver left", "cap lowered", "ceiling lowered", "no limits", "row changed", "currency changed"],
)
def test_everything_is_checked_again_before_the_write(town: Town, spoil: Any) -> None:
    action = approved(town)
    spoil(town, action)
    dispatch(action.pk)
    assert reread(action).state == State.REJECTED and town.writes() == []


def test_what_needs_people_is_not_written_without_them_however_it_came_to_be_approved(town: Town) -> None:
    action = approved(town)
    Approval.objects.all().delete()
    Action.objects.filter(pk=action.pk).update(approvals_required=0)
    dispatch(action.pk)
    assert reread(action).state == State.REJECTED and town.writes() == []


def test_an_approval_that_lies_too_long_expires_unsent(town: Town) -> None:
    action = approved(town)
    Action.objects.filter(pk=action.pk).update(expires_at=timezone.now())
    dispatch(action.pk)
    assert reread(action).state == State.EXPIRED and town.writes() == []


def test_a_tree_that_was_read_before_a_write_does_not_undo_it_in_the_mirror(town: Town, monkeypatch: Any) -> None:
    action, client = approved(town), town.box.ads(Platform.META)
    listed = client.ads

    def ads() -> Any:
        rows = list(listed())
        dispatch(action.pk)
        return rows

    monkeypatch.setattr(client, "ads", ads)
    sync_tree(town.account("meta"), client, as_of=town.box.now())
    assert reread(action).state == State.APPLIED
    assert AdSet.objects.get(pk=action.ad_set_id).daily_budget_micros == action.target_micros


def test_the_sweep_wakes_what_the_queue_lost(town: Town) -> None:
    from django_q.models import OrmQ

    action = approved(town)
    OrmQ.objects.all().delete()
    reconcile.sweep()
    assert [task.args() for task in OrmQ.objects.all()] == [(str(action.pk),)]


def test_the_chain_verifies_after_all_of_it(town: Town) -> None:
    from automation.log import verify

    action = approved(town)
    with town.box.fault("drop_after_apply", Platform.META, method="POST"):
        dispatch(action.pk)
    decide_unclear(action)
    assert list(verify(town.tenant)) == []


def test_a_pause_and_its_undoing_are_both_written(town: Town) -> None:
    ad_set = town.ad_set()
    for status in ("paused", "active"):
        action = propose_change(
            tenant=town.tenant,
            ad_set=AdSet.objects.get(pk=ad_set.pk),
            kind="set_status",
            target=status,
            reason="try it",
            actor=town.people["buyer"],
        )
        assert action.state == State.AWAITING_APPROVAL, action.note
        approvals.approve(action_id=action.pk, digest=action.digest, actor=town.people["approver"])
        dispatch(action.pk)
        assert reread(action).state == State.APPLIED, reread(action).note
        Limits.objects.update(cooldown_hours=0)
    assert [row["new"] for row in town.writes()] == ["PAUSED", "ACTIVE"]


def test_a_credential_that_cannot_be_opened_sends_nothing(town: Town, settings: Any) -> None:
    action = approved(town)
    settings.FIELD_ENCRYPTION_KEYS = ["other:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="]
    dispatch(action.pk)
    assert reread(action).state == State.APPROVED and town.writes() == []

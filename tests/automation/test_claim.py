"""Between the approval and the write: what was decided must still stand, on the figures of now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.hours import HOUR
from accounts.models import AdAccount, AdSet, Membership, Tenant
from accounts.money import MICROS
from automation import approvals, reconcile
from automation.dispatch import claim, dispatch
from automation.limits import save_limits
from automation.models import Action, Limits, PolicyRun
from automation.states import State
from metrics.models import HourlyMetric, StoreCoverage, SyncedHour
from tests.automation.conftest import reread
from tests.factories import AS_OF, House, add_history, awaiting


@pytest.fixture
def busy(house: House) -> House:
    add_history(house)
    return house


def approved(house: House, *, number: int = 0, percent: int = 10) -> Action:
    action = awaiting(house, ad_set=house.ad_sets[number], percent=percent)
    approvals.approve(action_id=action.pk, digest=action.digest, actor=house.approver)
    return reread(action)


def two_people_from_now_on(house: House) -> None:
    limits = Limits.objects.get()
    limits.approvals_required = 2
    save_limits(limits, actor=house.owner)


GONE: dict[str, Callable[[House], object]] = {
    "the approver may only look now": lambda house: Membership.objects.filter(user=house.approver).update(
        role="viewer"
    ),
    "back to shadow": lambda house: AdAccount.objects.update(rollout_stage="shadow"),
    "two people must approve now": two_people_from_now_on,
    "the ad set is gone": lambda house: AdSet.objects.filter(pk=house.ad_sets[0].pk).update(status="removed"),
    "the account is off": lambda house: AdAccount.objects.update(is_active=False),
    "the tenant is off": lambda house: Tenant.objects.update(is_active=False),
}


@pytest.mark.parametrize("go", GONE.values(), ids=GONE.keys())
def test_what_was_approved_is_not_written_on_other_ground(busy: House, go: Callable[[House], object]) -> None:
    action = approved(busy)
    go(busy)
    assert dispatch(action.pk) is None
    assert reread(action).state == State.REJECTED and reread(action).note


def test_on_the_same_ground_it_is_claimed(busy: House) -> None:
    assert claim(approved(busy).pk) is not None


def test_a_late_approval_meets_the_figures_of_the_newest_hour(busy: House) -> None:
    action = approved(busy)
    hours = [AS_OF + i * HOUR for i in range(30)]
    shared = {"tenant": busy.tenant, "ad_account": busy.account}
    for hour in hours:
        SyncedHour.objects.create(hour=hour, known_at=hours[-1], **shared)
        HourlyMetric.objects.bulk_create(
            HourlyMetric(
                hour=hour, known_at=hours[-1], ad_set=ad_set, spend_micros=1, impressions=1, clicks=1, **shared
            )
            for ad_set in busy.ad_sets
        )
    StoreCoverage.objects.update(known_to=hours[-1] + HOUR)
    PolicyRun.objects.create(slot=hours[-1], stage="expand", policy="hold", status="done", **shared)
    assert claim(action.pk) is None
    assert "no order for" in reread(action).note


def test_raises_that_fit_one_by_one_do_not_pass_the_target_together(busy: House) -> None:
    Limits.objects.update(daily_target_micros=157 * MICROS)
    actions = [approved(busy, number=number) for number in range(3)]
    for action in actions:
        claim(action.pk)
    claimed = [action for action in map(reread, actions) if action.state == State.DISPATCHING]
    raised = sum((action.target_micros or 0) - (action.base_micros or 0) for action in claimed)
    assert claimed and 150 * MICROS + raised <= 157 * MICROS


def test_an_absurd_wait_of_a_platform_ends_within_a_day(busy: House) -> None:
    from automation.dispatch import _not_sent

    action = claim(approved(busy).pk)
    assert action is not None
    waiting = _not_sent(action, "throttled", wait=1e13)
    assert waiting.not_before is not None and waiting.not_before <= timezone.now() + timedelta(days=1)


def test_one_row_that_cannot_be_swept_holds_up_no_other(busy: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = approved(busy), approved(busy, number=1)
    woken = []

    def wake(action: Action) -> None:
        woken.append(action.pk)
        raise RuntimeError("the queue is full")

    monkeypatch.setattr(reconcile, "wake_dispatch", wake)
    reconcile.sweep()
    assert set(woken) == {first.pk, second.pk}

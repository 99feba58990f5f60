from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django_q.models import OrmQ

from accounts.models import AdSet, User
from automation import actions, approvals
from automation.approvals import ApprovalError
from automation.models import Action, Approval, Limits
from automation.states import State
from tests.automation.conftest import reread
from tests.factories import House, awaiting, make_house, make_user


def approve(action: Action, actor: User, **values: Any) -> Action:
    return approvals.approve(action_id=action.pk, actor=actor, **({"digest": action.digest} | values))


def test_one_approval_is_enough_when_one_is_required(house: House) -> None:
    action = awaiting(house)
    approve(action, house.approver)
    assert reread(action).state == State.APPROVED


def test_approving_wakes_a_worker_in_the_same_transaction(house: House) -> None:
    action = awaiting(house)
    approve(action, house.approver)
    assert [task.func() for task in OrmQ.objects.all()] == ["automation.tasks.dispatch"]


def test_two_people_must_approve_where_two_are_required(house: House) -> None:
    action = awaiting(house)
    Action.objects.filter(pk=action.pk).update(approvals_required=2)
    approve(action, house.approver)
    assert reread(action).state == State.AWAITING_APPROVAL
    approve(action, house.owner)
    assert reread(action).state == State.APPROVED


def test_nobody_decides_twice(house: House) -> None:
    action = awaiting(house)
    Action.objects.filter(pk=action.pk).update(approvals_required=2)
    approve(action, house.approver)
    with pytest.raises(ApprovalError, match="already"):
        approve(action, house.approver)
    assert Approval.objects.filter(action=action).count() == 1


def test_the_author_cannot_approve(house: House) -> None:
    action = awaiting(house, author=house.approver)
    with pytest.raises(ApprovalError, match="author"):
        approve(action, house.approver)


@pytest.mark.parametrize("role", ["viewer", "buyer"])
def test_only_approvers_and_owners_approve(house: House, role: str) -> None:
    action = awaiting(house)
    with pytest.raises(PermissionDenied):
        approve(action, house.people[role])


def test_an_approver_of_another_tenant_cannot_approve(house: House) -> None:
    action = awaiting(house)
    with pytest.raises(PermissionDenied):
        approve(action, make_house("other").owner)


def test_an_inactive_approver_cannot_approve(house: House) -> None:
    action = awaiting(house)
    house.approver.is_active = False
    with pytest.raises(PermissionDenied):
        approve(action, house.approver)


def test_another_digest_than_the_one_shown_is_refused(house: House) -> None:
    action = awaiting(house)
    with pytest.raises(ApprovalError, match="shown has changed"):
        approve(action, house.approver, digest="0" * 64)


def test_a_row_changed_behind_the_digest_is_refused(house: House) -> None:
    action = awaiting(house)
    Action.objects.filter(pk=action.pk).update(target_micros=900_000_000)
    with pytest.raises(ApprovalError, match="shown has changed"):
        approve(action, house.approver)


def test_a_changed_limit_voids_what_was_shown(house: House) -> None:
    action = awaiting(house)
    Limits.objects.update(version=2)
    with pytest.raises(ApprovalError, match="limits have changed"):
        approve(action, house.approver)


def test_a_changed_ad_set_voids_what_was_shown(house: House) -> None:
    action = awaiting(house)
    AdSet.objects.filter(pk=action.ad_set_id).update(daily_budget_micros=1_000_000)
    with pytest.raises(ApprovalError, match="changed on the platform"):
        approve(action, house.approver)


def test_an_expired_action_cannot_be_approved_even_if_no_sweep_ran(house: House) -> None:
    action = awaiting(house)
    Action.objects.filter(pk=action.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ApprovalError, match="expired"):
        approve(action, house.approver)
    assert reread(action).state == State.EXPIRED


def test_an_expiry_by_the_sweep_at_the_same_moment_is_told_and_not_a_crash(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = awaiting(house)
    Action.objects.filter(pk=action.pk).update(expires_at=timezone.now())
    move = actions.transition

    def overtaken(late: Action, to: State, **values: Any) -> Action:
        move(reread(late), State.EXPIRED, actor="sweep")
        return move(late, to, **values)

    monkeypatch.setattr(approvals, "transition", overtaken)
    with pytest.raises(ApprovalError, match="someone else"):
        approve(action, house.approver)


def test_an_approved_action_cannot_be_approved_again(house: House) -> None:
    action = awaiting(house)
    approve(action, house.approver)
    with pytest.raises(ApprovalError, match="approved"):
        approve(action, house.owner)


def test_refusing_needs_a_reason_and_ends_it(house: House) -> None:
    action = awaiting(house)
    with pytest.raises(ApprovalError, match="reason"):
        approvals.refuse(action_id=action.pk, reason=" ", actor=house.approver)
    approvals.refuse(action_id=action.pk, reason="too early", actor=house.approver)
    assert reread(action).state == State.REJECTED
    assert "too early" in reread(action).note


def test_what_was_refused_cannot_be_approved(house: House) -> None:
    action = awaiting(house)
    approvals.refuse(action_id=action.pk, reason="no", actor=house.approver)
    with pytest.raises(ApprovalError):
        approve(action, house.owner)


def test_a_superuser_who_is_no_member_may_approve(house: House) -> None:
    action = awaiting(house)
    approve(action, make_user("root", is_superuser=True))
    assert reread(action).state == State.APPROVED

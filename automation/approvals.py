"""People's decisions: bound to the digest of exactly what was shown, never by silence, never by the author."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from accounts.clock import wall_now
from accounts.models import User
from accounts.permissions import APPROVE, require
from automation import log
from automation.actions import StaleActionError, digest_of, transition
from automation.limits import why_outdated
from automation.models import Action, Approval
from automation.states import State
from automation.wake import wake_dispatch
from rules.proposals import ChangeKind


class ApprovalError(Exception):
    """The decision cannot be taken; one clear line for the person."""


def approve(*, action_id: object, digest: str, actor: User) -> Action:
    """Record an approval; with enough of them the action is approved and a worker woken.

    Raises `ApprovalError` when what was shown no longer holds, `PermissionDenied` without the right.
    """
    action = _action(action_id)
    require(actor, APPROVE, action.tenant)
    if _expire_if_late(action):
        raise ApprovalError("this action has expired")
    with transaction.atomic():
        log.hold(action.tenant_id)  # of two who approve at once, the second counts the first
        action = _action(action_id)
        problem = why_void(action, digest)
        if problem:
            raise ApprovalError(problem)
        if action.author_id == actor.pk:
            raise ApprovalError("the author of a change cannot approve it")
        _decide(action, actor, Approval.Decision.APPROVE, digest, "")
        given = Approval.objects.filter(action=action, decision=Approval.Decision.APPROVE).count()
        if given >= action.approvals_required:
            _move(action, State.APPROVED, actor, event="approved")
            wake_dispatch(action)
    return action


def refuse(*, action_id: object, reason: str, actor: User) -> Action:
    """End an action that is not under way yet. Raises `ApprovalError` without a reason."""
    action = _action(action_id)
    require(actor, APPROVE, action.tenant)
    if not reason.strip():
        raise ApprovalError("expected a reason for refusing")
    if action.state not in (State.AWAITING_APPROVAL, State.APPROVED, State.GUARDED):
        raise ApprovalError(f"this action is {action.get_state_display().lower()}: it cannot be refused any more")
    with transaction.atomic():
        log.hold(action.tenant_id)
        _decide(action, actor, Approval.Decision.REFUSE, action.digest, reason)
        _move(action, State.REJECTED, actor, event="refused", note=f"Refused by {actor}: {reason}"[:500])
    return action


def why_void(action: Action, digest: str) -> str:
    """Why what was shown is not what would be done; empty when it still is."""
    if action.state != State.AWAITING_APPROVAL:
        return f"this action is {action.get_state_display().lower()}, not awaiting approval"
    if digest != action.digest or digest != digest_of(action):
        return "what was shown has changed: look at it again"
    if outdated := why_outdated(action):
        return outdated
    ad_set = action.ad_set
    held = ad_set.daily_budget_micros if action.kind == ChangeKind.SET_BUDGET else ad_set.status
    if held != action.base:
        return "the ad set has changed on the platform since; a new proposal will follow"
    return ""


def _action(action_id: object) -> Action:
    found: Action = Action.objects.select_related("tenant", "ad_set", "ad_account").get(pk=action_id)
    return found


def _expire_if_late(action: Action) -> bool:
    if action.state == State.AWAITING_APPROVAL and action.expires_at and wall_now() >= action.expires_at:
        _move(action, State.EXPIRED, "clock", note="nobody decided in time")
        return True
    return False


def _decide(action: Action, actor: User, decision: str, digest: str, reason: str) -> None:
    try:
        with transaction.atomic():
            Approval.objects.create(
                tenant=action.tenant,
                action=action,
                approver=actor,
                decision=decision,
                digest=digest,
                reason=reason[:500],
            )
    except IntegrityError as error:
        raise ApprovalError("you have decided on this action already") from error


def _move(action: Action, to: State, actor: User | str, **values: str) -> None:
    try:
        transition(action, to, actor=str(actor), **values)  # type: ignore[arg-type]
    except StaleActionError as error:
        raise ApprovalError("someone else decided first: look at it again") from error

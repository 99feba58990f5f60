"""Dispatch: claim, read, compare, one write ever, read back, settle. Workers may be killed at any line.

The steps are those of the safety protocol: the claim and its intent are committed before anything is sent;
whatever cannot be told apart from "accepted" ends as `unknown`, is never sent again and is decided from
evidence by `automation.reconcile`. Nothing here raises for an outcome: the queue must not retry a write.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Max

from accounts.alerts import raise_alert, resolve_alert
from accounts.clock import wall_now
from accounts.hours import HOUR
from accounts.models import AdSet
from accounts.models.alerts import Severity
from accounts.permissions import APPROVE, may
from accounts.scoping import all_tenants, tenant_scope
from automation.actions import IllegalMoveError, StaleActionError, digest_of, transition
from automation.facts import Change, gather, standing_budgets
from automation.guardrails import Decision, guard
from automation.kill_switch import stop_reason
from automation.limits import RunLimits, limits_of, scope_ids, values_for, why_outdated
from automation.models import Action, Approval, Limits, PolicyRun
from automation.pipeline import index_of, needs_approval
from automation.states import State
from connectors.connections import connect_ad_account
from connectors.contracts import AdPlatform, AdRecord, DeliveryStatus, Family, Held, Level, Target
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    NotSentError,
    PermissionDeniedError,
    RateLimitedError,
    RefusedError,
    UnverifiedError,
)
from metrics.snapshot import load_snapshot
from rules.proposals import ChangeKind

logger = logging.getLogger(__name__)

WORKER = "dispatch"
MAX_ATTEMPTS = 3
RETRY_AFTER = timedelta(seconds=60)
LONGEST_WAIT = timedelta(days=1)
DEFINITE = (RefusedError, AuthenticationError, PermissionDeniedError, NotFoundError, ConfigurationError)
Connect = Callable[..., AdPlatform]


def dispatch(action_id: object, *, connect: Connect = connect_ad_account) -> Action | None:
    """Bring one approved action to the platform. `None` when there was nothing to do here."""
    with all_tenants():
        found = Action.objects.filter(pk=action_id).values_list("tenant_id", flat=True).first()
    if found is None:
        return None
    with tenant_scope(found):
        try:
            action = claim(action_id)
            return _send(action, connect) if action else None
        except (StaleActionError, IllegalMoveError):
            return None
        except DatabaseError as error:
            # A lost COMMIT reply may have committed: the sweep finds out, nothing is decided here.
            logger.warning("dispatch of %s left to the sweep: %s", action_id, type(error).__name__)
            return None


def claim(action_id: object) -> Action | None:
    """Take the action for this worker: every condition again, then intent, token and lease, committed."""
    with transaction.atomic():
        rows = Action.objects.select_related("tenant", "ad_account", "ad_set__ad_account__credential")
        action: Action | None = rows.filter(pk=action_id, state=State.APPROVED).first()
        now = wall_now()
        if action is None or (action.not_before and now < action.not_before):
            return None
        if action.expires_at and now >= action.expires_at:
            transition(action, State.EXPIRED, actor=WORKER, note="approved, but not sent in time")
            return None
        if stop_reason(action.tenant_id):
            return None
        # One claim at a time per tenant: the caps below are checked on sums.
        list(Limits.objects.select_for_update().filter(tenant=action.tenant))
        problem = _why_not(action)
        if problem:
            transition(
                action,
                State.REJECTED,
                actor=WORKER,
                note=problem[:500],
                next_step="A new proposal may follow.",
            )
            return None
        try:
            with transaction.atomic():
                return transition(
                    action,
                    State.DISPATCHING,
                    actor=WORKER,
                    event="claimed",
                    attempt_token=uuid.uuid4(),
                    attempts=action.attempts + 1,
                    sent_at=now,
                    lease_until=now + timedelta(seconds=settings.DISPATCH_LEASE),
                )
        except IntegrityError:
            return None  # another write to this ad set is in flight; the sweep wakes this one later


def _why_not(action: Action) -> str:
    """Approvals and guardrails again, on fresh facts; empty when the write may start."""
    if action.digest != digest_of(action):
        return "the action is not what was approved"
    if outdated := why_outdated(action):
        return outdated
    row = limits_of(action.tenant)
    required = row.approvals_required if row and needs_approval(action, row) else 0
    if len(_valid_approvals(action)) < max(required, action.approvals_required):
        return "it has not the approvals that it needs"
    decision = _guard_again(action)
    if not decision.allowed:
        return decision.reason
    if action.kind == ChangeKind.SET_BUDGET and decision.target_micros != action.target_micros:
        return f"the limits leave less now: {decision.reason}"
    return ""


def _valid_approvals(action: Action) -> list[Approval]:
    given = Approval.objects.filter(
        action=action, decision=Approval.Decision.APPROVE, digest=action.digest
    ).select_related("approver")
    return [
        approval
        for approval in given
        if approval.approver_id != action.author_id and may(approval.approver, APPROVE, action.tenant)
    ]


def _guard_again(action: Action) -> Decision:
    snapshot = load_snapshot(action.tenant, as_of=_newest_slot(action) + HOUR, lookback=timedelta(hours=48))
    change = Change(
        index=index_of(snapshot, action.ad_set_id),
        kind=ChangeKind(action.kind),
        base_micros=action.base_micros,
        target_micros=action.target_micros,
        is_raise=action.is_raise,
        action_id=action.pk,
    )
    run_limits = RunLimits.from_json(action.run_limits) if action.run_limits else None
    facts = gather(
        action.tenant,
        snapshot,
        change,
        budgets=standing_budgets(action.tenant),
        scope=standing_budgets(action.tenant, only=scope_ids(action.tenant, run_limits)),
    )
    return guard(facts, values_for(action, limits_of(action.tenant)))


def _newest_slot(action: Action) -> datetime:
    """Business time now: the newest hour that was decided, so that a late approval meets today's figures."""
    decided = PolicyRun.objects.filter(ad_account=action.ad_account_id, status=PolicyRun.Status.DONE)
    newest: datetime | None = decided.aggregate(slot=Max("slot"))["slot"]
    return max(action.slot, newest or action.slot)


def _send(action: Action, connect: Connect) -> Action:
    """Steps B to H, for the worker that holds the claim."""
    try:
        client = connect(action.ad_set.ad_account)
        client.guard_writes(partial(_may_still_send, action))
        held = client.read(target_of(action))
    except ConnectorError as error:
        return _not_sent(action, f"the platform could not be read: {error}")
    current = held_value(action, held)
    if current == action.target:
        return _settle(action, State.UNKNOWN, "the platform already held the target before the write")
    if current != action.base:
        return _settle(
            action,
            State.CONFLICT,
            f"the platform holds {value_text(current)}, expected {value_text(action.base)}",
            next_step="Look at who changed it; propose again from the new value.",
        )
    return _write(action, client)


def _may_still_send(action: Action) -> bool:
    """The last look, when the request is about to leave: the switch, our own token, the deadline."""
    if stop_reason(action.tenant_id):
        return False
    mine = Action.objects.filter(pk=action.pk, state=State.DISPATCHING, attempt_token=action.attempt_token)
    deadline = timedelta(seconds=settings.DISPATCH_SEND_DEADLINE)
    return mine.exists() and action.sent_at is not None and wall_now() < action.sent_at + deadline


def _write(action: Action, client: AdPlatform) -> Action:
    target = target_of(action)
    try:
        if action.kind == ChangeKind.SET_BUDGET:
            held = client.set_daily_budget(target, action.target_micros or 0)
        else:
            held = client.set_status(target, DeliveryStatus(action.target_status))
    except RateLimitedError as error:
        return _not_sent(action, f"the platform throttles: {error}", wait=error.retry_after)
    except NotSentError as error:
        return _not_sent(action, f"nothing was sent: {error}")
    except DEFINITE as error:
        return _settle(
            action,
            State.FAILED,
            f"the platform refused: {error}",
            code=error.code,
            next_step="Mend the cause; a new proposal may follow.",
        )
    except UnverifiedError as error:
        return _settle(action, State.UNKNOWN, f"written, but it could not be read back: {error}")
    except Exception as error:
        return _settle(action, State.UNKNOWN, f"the outcome is unclear: {type(error).__name__}")
    current = held_value(action, held)
    if current != action.target:
        return _settle(action, State.UNKNOWN, f"written, but the platform holds {value_text(current)}")
    return applied(action, actor=WORKER, note="")


def applied(action: Action, *, actor: str, note: str) -> Action:
    """Settle as verified: the mirror follows, and an undone action is marked so, in one transaction."""
    with transaction.atomic():
        field = "daily_budget_micros" if action.kind == ChangeKind.SET_BUDGET else "status"
        AdSet.objects.filter(pk=action.ad_set_id).update(**{field: action.target})
        transition(
            action,
            State.APPLIED,
            actor=actor,
            note=note,
            read_back=value_text(action.target),
            next_step="",
            lease_until=None,
        )
        resolve_alert(action.tenant, key=f"dispatch {action.ad_set_id}")
        undone = action.reverses
        if undone and undone.state == State.APPLIED:
            transition(undone, State.ROLLED_BACK, actor=actor, note="undone by a later action")
    return action


def _not_sent(action: Action, note: str, *, wait: float | None = None) -> Action:
    """Nothing was applied: back to approved for a later attempt, or failed after the last."""
    if action.attempts >= MAX_ATTEMPTS:
        return _settle(
            action,
            State.FAILED,
            f"given up after {action.attempts} attempts; {note}",
            next_step="Nothing was written. A new proposal may follow.",
        )
    later = wall_now() + (min(timedelta(seconds=wait), LONGEST_WAIT) if wait else RETRY_AFTER)
    return transition(
        action,
        State.APPROVED,
        actor=WORKER,
        event="not_sent",
        note=note[:500],
        not_before=later,
        attempt_token=None,
        lease_until=None,
        sent_at=None,
    )


def _settle(action: Action, to: State, note: str, *, next_step: str = "", code: str = "") -> Action:
    if to is State.UNKNOWN:
        next_step = "Locked until evidence decides; nothing is written again."
    with transaction.atomic():
        tell(action, f"{to.label}: {note}")
        return transition(
            action, to, actor=WORKER, note=note[:500], next_step=next_step, lease_until=None, details={"code": code}
        )


def tell(action: Action, what: str) -> None:
    """An alert about an ad set whose change did not simply work."""
    raise_alert(
        action.tenant, key=f"dispatch {action.ad_set_id}", severity=Severity.WARNING, message=f"{action.ad_set}: {what}"
    )


def target_of(action: Action) -> Target:
    """The object that the action changes, as a connector names it."""
    return Target(Level.AD_SET, action.ad_set.external_id, Family(action.ad_set.family))


def held_value(action: Action, record: Held) -> int | str | None:
    """The platform's present value of what the action changes."""
    if action.kind == ChangeKind.SET_BUDGET:
        if isinstance(record, AdRecord) or record.status is DeliveryStatus.REMOVED:
            return None
        return record.daily_budget_micros
    return record.status.value


def value_text(value: int | str | None) -> str:
    return "no budget of its own" if value is None else str(value)

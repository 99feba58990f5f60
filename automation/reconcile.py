"""The sweep: expire, re-wake, and decide unclear outcomes from evidence. It only reads from platforms.

Evidence, once the quarantine is over: two reads at least a minute apart. Both show the target: applied.
Both show the base: proven not applied. Anything else: conflict, for a person. A read that fails decides
nothing and the ad set stays locked.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from accounts.clock import wall_now
from accounts.scoping import all_tenants, tenant_scope
from automation.actions import StaleActionError, transition
from automation.dispatch import Connect, applied, held_value, target_of, tell, value_text
from automation.models import Action
from automation.states import State
from automation.wake import wake_dispatch
from connectors.connections import connect_ad_account
from connectors.errors import ConnectorError

logger = logging.getLogger(__name__)
SWEEPER = "sweep"


def sweep(*, connect: Connect = connect_ad_account) -> None:
    """One pass over every tenant; safe to run at any time, also twice at once."""
    now = wall_now()
    with all_tenants():
        late = Q(state__in=(State.AWAITING_APPROVAL, State.APPROVED), expires_at__lte=now)
        lost = Q(state=State.DISPATCHING, lease_until__lte=now)
        due = Q(state=State.APPROVED) & (Q(not_before__isnull=True) | Q(not_before__lte=now))
        unclear = Q(state=State.UNKNOWN)
        rows = list(Action.objects.filter(late | lost | due | unclear).select_related("ad_set__ad_account__credential"))
    for action in rows:
        with tenant_scope(action.tenant_id):
            try:
                _sweep_one(action, connect)
            except StaleActionError:
                continue  # someone else moved it meanwhile
            except Exception:  # one row's trouble must not hold up the rows of every other tenant
                logger.exception("the sweep of %s failed", action.pk)


def _sweep_one(action: Action, connect: Connect) -> None:
    now = wall_now()
    if action.state == State.DISPATCHING:
        transition(
            action,
            State.UNKNOWN,
            actor=SWEEPER,
            note="its worker was lost on the way",
            next_step="Locked until evidence decides; nothing is written again.",
        )
    elif action.state == State.UNKNOWN:
        decide(action, connect)
    elif action.expires_at and action.expires_at <= now:
        decided = action.state == State.APPROVED
        note = "approved, but not sent in time" if decided else "nobody decided in time"
        transition(action, State.EXPIRED, actor=SWEEPER, note=note)
    else:
        wake_dispatch(action)


def decide(action: Action, connect: Connect = connect_ad_account) -> Action:
    """Gather the next piece of evidence on an unclear outcome; the second read decides."""
    now = wall_now()
    quarantine = timedelta(seconds=settings.DISPATCH_QUARANTINE)
    if action.sent_at is not None and now < action.sent_at + quarantine:
        return action
    try:
        current = held_value(action, connect(action.ad_set.ad_account).read(target_of(action)))
    except ConnectorError as error:
        logger.warning("evidence on %s is not to be had: %s", action.pk, error)
        return action
    seen = value_text(current)
    if not action.first_evidence:
        _keep_evidence(action, seen)
        return action
    if now < action.first_evidence_at + timedelta(seconds=settings.DISPATCH_EVIDENCE_GAP):  # type: ignore[operator]
        return action
    if action.first_evidence == seen == value_text(action.target):
        return applied(action, actor=SWEEPER, note="found applied by two reads")
    if action.first_evidence == seen == value_text(action.base):
        return transition(
            action,
            State.FAILED,
            actor=SWEEPER,
            note="proven not applied by two reads",
            next_step="A new proposal may follow.",
        )
    tell(action, f"an unclear write ended in a conflict, the platform holds {seen}")
    return transition(
        action,
        State.CONFLICT,
        actor=SWEEPER,
        note=f"two reads show {action.first_evidence} and {seen}",
        next_step="Look at the ad set on the platform.",
    )


def _keep_evidence(action: Action, seen: str) -> None:
    Action.objects.filter(pk=action.pk, state=State.UNKNOWN, version=action.version).update(
        first_evidence=seen[:40], first_evidence_at=wall_now()
    )

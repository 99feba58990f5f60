"""Actions: how one is made, and the one function through which its state changes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.db import transaction
from django.utils import timezone

from automation import log
from automation.models import Action
from automation.states import FINAL_STATES, LOCKED_STATES, MOVES, REPLACEABLE_STATES, State

SETTLED = (*FINAL_STATES, State.APPLIED, State.CONFLICT)


class IllegalMoveError(Exception):
    """The state machine has no such move."""


class StaleActionError(Exception):
    """Someone else moved the action first."""


def transition(
    action: Action,
    to: State,
    *,
    actor: str,
    event: str = "",
    details: dict[str, Any] | None = None,
    **fields: Any,
) -> Action:
    """Move an action, with further fields, in one conditional update and one log entry.

    The row must still be as `action` was read (state and version), else `StaleActionError`; a move that is
    not in the table raises `IllegalMoveError`. Returns the same instance, brought up to date.
    """
    current = State(action.state)
    if to not in MOVES[current]:
        raise IllegalMoveError(f"an action cannot go from {current} to {to}")
    if to in SETTLED:
        fields.setdefault("finished_at", timezone.now())
    with transaction.atomic():
        log.hold(action.tenant_id)
        changed = Action.objects.filter(pk=action.pk, state=current, version=action.version).update(
            state=to, version=action.version + 1, **fields
        )
        if changed != 1:
            raise StaleActionError("the action has changed meanwhile: read it again")
        log.append(
            tenant_id=action.tenant_id,
            event=event or to,
            actor=actor,
            action=action,
            from_state=current,
            to_state=to,
            details={"note": fields.get("note", ""), **(details or {})},
        )
    action.refresh_from_db()
    return action


def digest_of(action: Action) -> str:
    """SHA-256 of exactly what a person approves: what, where, from, to, under which limits, until when."""
    content = {
        "tenant": str(action.tenant_id),
        "account": str(action.ad_account_id),
        "ad_set": str(action.ad_set_id),
        "kind": action.kind,
        "currency": action.currency,
        "base": action.base,
        "target": action.target,
        "limits_version": action.limits_version,
        "run_limits": action.run_limits,
        "slot": action.slot.isoformat(),
        # A person may ask for the same again; a run's repeat is the same action.
        "request": str(action.pk) if action.source == "person" else None,
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def supersede_others(action: Action, *, actor: str) -> int:
    """Replace the actions on the same ad set and kind that have not been claimed yet."""
    older = Action.objects.filter(ad_set_id=action.ad_set_id, kind=action.kind, state__in=REPLACEABLE_STATES).exclude(
        pk=action.pk
    )
    for other in older:
        transition(other, State.SUPERSEDED, actor=actor, note=f"replaced by a newer proposal of {action.slot:%H:%M}")
    return len(older)


def in_flight(ad_set_id: Any, kind: str, *, without: Any = None) -> bool:
    """Whether a write of this kind (other than `without`) is under way or unclear: nothing else may start."""
    rows = Action.objects.filter(ad_set_id=ad_set_id, kind=kind, state__in=LOCKED_STATES)
    return rows.exclude(pk=without).exists()

"""The states of an action and the moves between them: the one table that code, trigger and tests share."""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    PROPOSED = "proposed", "Proposed"
    GUARDED = "guarded", "Guarded"
    AWAITING_APPROVAL = "awaiting_approval", "Awaiting approval"
    APPROVED = "approved", "Approved"
    DISPATCHING = "dispatching", "Dispatching"
    APPLIED = "applied", "Verified"
    UNKNOWN = "unknown", "Unclear outcome"
    FAILED = "failed", "Failed"
    CONFLICT = "conflict", "Conflict"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"
    SUPERSEDED = "superseded", "Superseded"
    ROLLED_BACK = "rolled_back", "Rolled back"


MOVES: dict[State, frozenset[State]] = {
    State.PROPOSED: frozenset({State.GUARDED, State.REJECTED, State.SUPERSEDED}),
    State.GUARDED: frozenset({State.APPROVED, State.AWAITING_APPROVAL, State.REJECTED, State.SUPERSEDED}),
    State.AWAITING_APPROVAL: frozenset({State.APPROVED, State.REJECTED, State.EXPIRED, State.SUPERSEDED}),
    State.APPROVED: frozenset({State.DISPATCHING, State.REJECTED, State.EXPIRED, State.SUPERSEDED}),
    State.DISPATCHING: frozenset({State.APPROVED, State.CONFLICT, State.APPLIED, State.FAILED, State.UNKNOWN}),
    State.UNKNOWN: frozenset({State.APPLIED, State.FAILED, State.CONFLICT}),
    State.CONFLICT: frozenset({State.REJECTED}),
    State.APPLIED: frozenset({State.ROLLED_BACK}),
    State.FAILED: frozenset(),
    State.REJECTED: frozenset(),
    State.EXPIRED: frozenset(),
    State.SUPERSEDED: frozenset(),
    State.ROLLED_BACK: frozenset(),
}

# A newer proposal may replace an action in these; once claimed it may not.
REPLACEABLE_STATES = (State.PROPOSED, State.GUARDED, State.AWAITING_APPROVAL, State.APPROVED)
LOCKED_STATES = (State.DISPATCHING, State.UNKNOWN)
LIVE_STATES = (*REPLACEABLE_STATES, *LOCKED_STATES)
FINAL_STATES = tuple(state for state, moves in MOVES.items() if not moves)

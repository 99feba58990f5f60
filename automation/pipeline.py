"""From proposals to actions: arbitrate, guard, route. No network, one transaction for a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.clock import wall_now
from accounts.hours import HOUR
from accounts.models import RolloutStage, Tenant, User
from accounts.money import scale_ppm
from automation import log
from automation.actions import digest_of, in_flight, supersede_others, transition
from automation.arbitration import Outcome, arbitrate
from automation.facts import Budget, Change, gather, standing_budgets, worst_day_ppm
from automation.guardrails import Decision, LimitValues, guard
from automation.limits import RunLimits, scope_ids
from automation.models import Action, Limits, PolicyRun, ProposalRecord, Verdict
from automation.states import REPLACEABLE_STATES, State
from automation.wake import wake_dispatch
from metrics.snapshot import Snapshot
from rules.proposals import ChangeKind, Proposal

SYSTEM = "automation"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and under what a batch of proposals is decided."""

    tenant: Tenant
    snapshot: Snapshot
    stage: str
    row: Limits | None
    limits: LimitValues | None
    run: PolicyRun | None = None
    author: User | None = None
    run_limits: RunLimits | None = None
    is_replay: bool = False

    def budgets(self) -> tuple[list[Budget], list[Budget]]:
        """The budgets that stand: all of the tenant's, and those that the daily target counts."""
        everything = standing_budgets(self.tenant)
        only = scope_ids(self.tenant, self.run_limits)
        return everything, everything if only is None else standing_budgets(self.tenant, only=only)


def submit(setting: Setting, proposals: Iterable[Proposal]) -> list[Action]:
    """Record every proposal, make an action of each winner, guard it and route it."""
    actions = []
    with transaction.atomic():
        log.hold(setting.tenant.pk)
        for outcome in arbitrate(proposals):
            lost_to = outcome.lost_to or _already_live(outcome.proposal)
            _record(setting, outcome, lost_to)
            if not lost_to:
                actions.append(_act(setting, outcome.proposal))
    return actions


def _already_live(proposal: Proposal) -> str:
    """Why no new action is made although the proposal won: a write under way, or the very same change."""
    if in_flight(proposal.ad_set_id, proposal.kind):
        return "a write to this ad set that is under way or unclear"
    same = Action.objects.filter(ad_set_id=proposal.ad_set_id, kind=proposal.kind, state__in=REPLACEABLE_STATES)
    for action in same:
        wanted = action.proposed_micros if proposal.kind == ChangeKind.SET_BUDGET else action.target
        if (action.base, wanted) == (proposal.base, proposal.target):
            return f"the same change, which is {action.get_state_display().lower()} already"
    return ""


def _columns(proposal: Proposal) -> dict[str, int | str | None]:
    if proposal.kind == ChangeKind.SET_BUDGET:
        return {"base_micros": int(proposal.base), "target_micros": int(proposal.target)}
    return {"base_status": str(proposal.base), "target_status": str(proposal.target)}


def _shared(setting: Setting, proposal: Proposal) -> dict[str, object]:
    index = index_of(setting.snapshot, proposal.ad_set_id)
    ad_set = setting.snapshot.ad_sets[index]
    return {
        "tenant": setting.tenant,
        "ad_account_id": ad_set.ad_account_id,
        "ad_set_id": ad_set.id,
        "kind": proposal.kind,
        "currency": ad_set.currency,
        "source": proposal.source,
        "source_name": proposal.source_name[:120],
        "reason": proposal.reason[:500],
        "evidence": proposal.evidence,
        "run": setting.run,
        **_columns(proposal),
    }


def index_of(snapshot: Snapshot, ad_set_id: UUID) -> int:
    return next(i for i, ad_set in enumerate(snapshot.ad_sets) if ad_set.id == ad_set_id)


def _record(setting: Setting, outcome: Outcome, lost_to: str) -> None:
    ProposalRecord.objects.create(won=not lost_to, lost_to=lost_to[:200], **_shared(setting, outcome.proposal))


def decide(setting: Setting, proposal: Proposal, budgets: tuple[list[Budget], list[Budget]]) -> Decision:
    """The guardrails' decision on a proposal; changes nothing."""
    is_budget = proposal.kind == ChangeKind.SET_BUDGET
    change = Change(
        index=index_of(setting.snapshot, proposal.ad_set_id),
        kind=proposal.kind,
        base_micros=int(proposal.base) if is_budget else None,
        target_micros=int(proposal.target) if is_budget else None,
        is_raise=proposal.is_raise,
    )
    facts = gather(
        setting.tenant,
        setting.snapshot,
        change,
        budgets=budgets[0],
        scope=budgets[1],
        is_replay=setting.is_replay,
    )
    return guard(facts, setting.limits)


def _act(setting: Setting, proposal: Proposal) -> Action:
    """The action of a winner, guarded and routed; one that was blocked is kept as rejected, never live."""
    actor = f"{proposal.source}: {proposal.source_name}"
    decision = decide(setting, proposal, setting.budgets())
    action = _draft(setting, proposal, decision)
    if existing := _twin(action):
        return existing
    if decision.allowed:
        supersede_others(action, actor=actor)
    action.save(force_insert=True)
    details = {"reason": action.reason, "base": action.base, "target": proposal.target}
    _log(action, actor, event="proposed", to_state=State.PROPOSED, details=details)
    _keep_verdicts(action, decision)
    if not decision.allowed:
        moved = {"from_state": State.PROPOSED, "to_state": State.REJECTED}
        _log(action, "guardrails", event=State.REJECTED, details={"note": action.note}, **moved)
        return action
    transition(action, State.GUARDED, actor="guardrails", note=decision.reason[:500])
    return route(action, setting.row)


def _draft(setting: Setting, proposal: Proposal, decision: Decision) -> Action:
    is_budget = proposal.kind == ChangeKind.SET_BUDGET
    action = Action(
        slot=setting.snapshot.as_of - HOUR,
        stage=setting.stage,
        author=setting.author,
        proposed_micros=int(proposal.target) if is_budget else None,
        limits_version=setting.row.version if setting.row else 0,
        may_run_alone=proposal.may_run_alone,
        run_limits=setting.run_limits.as_json() if setting.run_limits else None,
        **_shared(setting, proposal),
    )
    if not decision.allowed:
        action.state, action.note, action.finished_at = State.REJECTED, decision.reason[:500], wall_now()
    elif is_budget:
        action.target_micros = decision.target_micros
    action.maximum_extra_micros = _maximum_extra(setting, action)
    action.digest = digest_of(action)
    return action


def _log(action: Action, actor: str, **entry: Any) -> None:
    log.append(tenant_id=action.tenant_id, actor=actor, action=action, **entry)


def _keep_verdicts(action: Action, decision: Decision) -> None:
    Verdict.objects.bulk_create(
        Verdict(
            tenant_id=action.tenant_id,
            action=action,
            position=position,
            guardrail=verdict.guardrail,
            outcome=verdict.outcome,
            reason=verdict.reason,
            target_micros=verdict.target_micros,
        )
        for position, verdict in enumerate(decision.verdicts)
    )


def _twin(action: Action) -> Action | None:
    """The very same change of the same slot, decided before: a repeat of a run makes no second row."""
    twin: Action | None = Action.objects.filter(
        ad_account_id=action.ad_account_id,
        slot=action.slot,
        ad_set_id=action.ad_set_id,
        kind=action.kind,
        digest=action.digest,
    ).first()
    return twin


def _maximum_extra(setting: Setting, action: Action) -> int:
    """The most that a platform's worst day may cost more than before."""
    if action.kind != ChangeKind.SET_BUDGET or not action.is_raise:
        return 0
    index = index_of(setting.snapshot, action.ad_set_id)
    factor = worst_day_ppm(setting.snapshot.ad_sets[index].platform)
    return scale_ppm((action.target_micros or 0) - (action.base_micros or 0), factor) + 1


def needs_approval(action: Action, row: Limits) -> str:
    """Why a person must decide; empty when the change may run alone."""
    if not action.may_run_alone:
        return "its source only suggests"
    if action.kind == ChangeKind.SET_STATUS:
        return "enabling always needs a person" if action.is_raise else ""
    base, target = action.base_micros or 0, action.target_micros or 0
    change = abs(target - base)
    if change > row.approval_above_micros:
        return "the amount is above the approval threshold"
    if change > scale_ppm(base, row.approval_above_ppm):
        return "the relative change is above the approval threshold"
    return ""


def route(action: Action, row: Limits | None) -> Action:
    """Shadow: stay guarded, logged only. Else approved at once, or waiting for people."""
    if action.stage == RolloutStage.SHADOW or row is None:
        return action
    expires_at = wall_now() + timedelta(hours=row.approval_hours)
    why = needs_approval(action, row)
    if why:
        return transition(
            action,
            State.AWAITING_APPROVAL,
            actor=SYSTEM,
            details={"because": why},
            approvals_required=row.approvals_required,
            expires_at=expires_at,
        )
    with transaction.atomic():
        transition(action, State.APPROVED, actor=SYSTEM, event="approved_automatically", expires_at=expires_at)
        wake_dispatch(action)
    return action

"""A change that a person or a partner suggests, through the same gate as every other: it never runs alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from django.db import IntegrityError, transaction
from django.db.models import Max

from accounts.hours import HOUR
from accounts.models import AdSet, Status, Tenant, User
from accounts.money import MAX_MICROS
from accounts.permissions import PROPOSE, require
from automation.limits import LimitError, limit_values, limits_of
from automation.models import Action, ProposalRecord
from automation.pipeline import Setting, submit
from connectors.units import budget_unit_micros
from metrics.models import SyncedHour
from metrics.snapshot import load_snapshot
from rules.proposals import ChangeKind, Proposal, Source

# What the guardrails read of the past is the last day; a margin for hours that are missing.
LOOKBACK = timedelta(hours=72)
STALE = timedelta(hours=6)
REACHABLE = (Status.ACTIVE, Status.PAUSED)


class Why(StrEnum):
    """What is wrong: with the request as such, or with how things stand now."""

    INVALID = "invalid"
    CONFLICT = "conflict"


class ProposeError(Exception):
    """The change cannot be proposed; one clear line. Nothing was recorded."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


def propose_change(
    *,
    tenant: Tenant,
    ad_set: AdSet,
    kind: str,
    target: int | str,
    reason: str,
    actor: User | None,
    actor_name: str = "",
) -> Action:
    """The guarded action that this change became: rejected, shadowed (`guarded`) or awaiting approval.

    `target` is a daily budget in micros of the account's currency, or `active` or `paused`. A partner has
    no `actor` but a name. Raises `ProposeError`, and `PermissionDenied` without the right.
    """
    if actor is not None:
        require(actor, PROPOSE, tenant)
    name = str(actor) if actor else actor_name
    base = _base(tenant, ad_set, kind)
    _check_target(ad_set, kind, base, target)
    if not reason.strip() or not name:
        raise ProposeError(Why.INVALID, "expected a reason and the name of who proposes")
    proposal = Proposal(
        ad_set_id=ad_set.pk,
        kind=ChangeKind(kind),
        base=base,
        target=target,
        source=Source.PERSON,
        source_name=name,
        reason=reason.strip(),
        may_run_alone=False,
    )
    try:
        with transaction.atomic():
            return _submit(tenant, ad_set, proposal, actor)
    except IntegrityError as error:
        raise ProposeError(Why.CONFLICT, "another change of this ad set came at the same moment") from error
    except LimitError as error:
        raise ProposeError(Why.CONFLICT, f"the limits cannot be read: {error}") from error


def _base(tenant: Tenant, ad_set: AdSet, kind: str) -> int | str:
    """What stands now, as last read from the platform."""
    account = ad_set.ad_account
    if ad_set.tenant_id != tenant.pk or kind not in list(ChangeKind):
        raise ProposeError(Why.INVALID, "expected an ad set of the tenant, and set_budget or set_status")
    if not account.is_active:
        raise ProposeError(Why.CONFLICT, "the ad account is switched off")
    if ad_set.status not in REACHABLE:
        raise ProposeError(Why.CONFLICT, "the ad set was removed from the platform")
    if kind == ChangeKind.SET_STATUS:
        return str(ad_set.status)
    if ad_set.daily_budget_micros is None:
        raise ProposeError(Why.CONFLICT, "the ad set has no daily budget of its own")
    return int(ad_set.daily_budget_micros)


def _check_target(ad_set: AdSet, kind: str, base: int | str, target: int | str) -> None:
    account = ad_set.ad_account
    if kind == ChangeKind.SET_STATUS:
        if target not in list(REACHABLE):
            raise ProposeError(Why.INVALID, "status: expected active or paused")
    else:
        unit = budget_unit_micros(account.platform, account.currency)
        if type(target) is not int or not unit <= target <= MAX_MICROS or target % unit:
            raise ProposeError(Why.INVALID, f"daily budget: expected whole steps of {unit} micros, up to {MAX_MICROS}")
    if target == base:
        raise ProposeError(Why.CONFLICT, "the ad set stands there already")


def _submit(tenant: Tenant, ad_set: AdSet, proposal: Proposal, actor: User | None) -> Action:
    stage, row = ad_set.ad_account.rollout_stage, limits_of(tenant)
    as_of = _as_of(ad_set)
    snapshot = load_snapshot(tenant, as_of=as_of, lookback=LOOKBACK)
    made = submit(Setting(tenant, snapshot, stage, row, limit_values(row, stage), author=actor), [proposal])
    if made:
        return made[0]
    lost = ProposalRecord.objects.filter(ad_set=ad_set, kind=proposal.kind, won=False).latest("created_at")
    raise ProposeError(Why.CONFLICT, f"there is {lost.lost_to}")


def _as_of(ad_set: AdSet) -> datetime:
    """The end of the newest hour read of the account, when the ad set was seen about then."""
    newest = SyncedHour.objects.filter(ad_account=ad_set.ad_account_id).aggregate(hour=Max("hour"))["hour"]
    if newest is None:
        raise ProposeError(Why.CONFLICT, "no hour of the ad account has been read yet")
    as_of: datetime = newest + HOUR
    if ad_set.seen_at < as_of - STALE:
        raise ProposeError(Why.CONFLICT, f"the ad set was last read at {ad_set.seen_at:%Y-%m-%d %H:%M} UTC")
    return as_of

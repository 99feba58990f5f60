"""Gathering what the guardrails judge by: the snapshot, the budgets that stand, the changes under way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q

from accounts.hours import HOUR
from accounts.models import AdSet, Campaign, Status, Tenant
from accounts.money import scale_ppm
from automation.actions import in_flight
from automation.guardrails import Facts
from automation.kill_switch import stop_reason
from automation.models import Action
from automation.states import LOCKED_STATES, State
from connectors.units import budget_unit_micros
from metrics.snapshot import Snapshot
from rules.proposals import ChangeKind

WRITTEN_STATES = (State.APPLIED, State.ROLLED_BACK, *LOCKED_STATES)
RESERVING_STATES = (State.APPROVED, *LOCKED_STATES)


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget that stands on a platform; `amount` is `None` where a day's share cannot be told."""

    ad_set_id: UUID | None
    currency: str
    amount_micros: int | None
    worst_day_ppm: int


@dataclass(frozen=True, slots=True)
class Change:
    """The change to be judged."""

    index: int
    kind: ChangeKind
    base_micros: int | None
    target_micros: int | None
    is_raise: bool
    action_id: UUID | None = None


def standing_budgets(tenant: Tenant, *, only: frozenset[UUID] | None = None) -> list[Budget]:
    """Every active budget of the tenant (or of these ad sets), with raises and enabling in flight counted in."""
    raises = {
        row.ad_set_id: row.target_micros
        for row in Action.objects.filter(tenant=tenant, kind=ChangeKind.SET_BUDGET, state__in=RESERVING_STATES)
    }
    enabling = Action.objects.filter(
        tenant=tenant, kind=ChangeKind.SET_STATUS, target_status=Status.ACTIVE, state__in=RESERVING_STATES
    ).values("ad_set_id")
    live = Q(tenant=tenant, ad_account__is_active=True)
    is_active = Q(status=Status.ACTIVE)
    budgets = [
        Budget(
            row.pk,
            row.ad_account.currency,
            _largest(row, raises.get(row.pk)),
            worst_day_ppm(row.ad_account.platform),
        )
        for row in AdSet.objects.filter(live, is_active | Q(pk__in=enabling)).select_related("ad_account")
        if (only is None or row.pk in only) and (row.daily_budget_micros or row.lifetime_budget_micros)
    ]
    if only is None:
        budgets += [
            Budget(None, row.ad_account.currency, _largest(row, None), worst_day_ppm(row.ad_account.platform))
            for row in Campaign.objects.filter(live, is_active).select_related("ad_account")
            if row.daily_budget_micros or row.lifetime_budget_micros
        ]
    return budgets


def _largest(row: AdSet | Campaign, target_micros: int | None) -> int | None:
    if row.lifetime_budget_micros and not row.daily_budget_micros:
        return None
    return max(row.daily_budget_micros or 0, target_micros or 0)


def worst_day_ppm(platform: str) -> int:
    """What a platform may spend on its worst day, as a share of the nominal budget."""
    return int(settings.WORST_DAY_FACTOR_PPM[platform])


def exposure(budgets: Iterable[Budget], *, without: UUID, currency: str) -> tuple[int | None, int | None]:
    """Nominal and worst-day sums of the budgets besides one ad set's; unknown when any of them is."""
    nominal = maximum = 0
    for budget in budgets:
        if budget.ad_set_id == without:
            continue
        if budget.amount_micros is None or budget.currency != currency:
            return None, None
        nominal += budget.amount_micros
        maximum += scale_ppm(budget.amount_micros, budget.worst_day_ppm) + 1
    return nominal, maximum


def gather(
    tenant: Tenant,
    snapshot: Snapshot,
    change: Change,
    *,
    budgets: list[Budget],
    scope: list[Budget],
    is_replay: bool = False,
) -> Facts:
    """The facts of one change at the snapshot's time. `scope` holds the budgets that the daily target counts.

    A replay of the past knows no kill switch and no write in flight, and only the changes before it.
    """
    ad_set = snapshot.ad_sets[change.index]
    account = snapshot.of_account(ad_set.ad_account_id)
    day = snapshot.window_over(account, "last_24h", ad_set.zone)
    since, lately = _recent_changes(ad_set.id, change, snapshot.as_of, is_replay=is_replay)
    _, maximum = exposure(budgets, without=ad_set.id, currency=tenant.currency)
    nominal, _ = exposure(scope, without=ad_set.id, currency=tenant.currency)
    return Facts(
        kind=change.kind,
        key=ad_set.key,
        currency=ad_set.currency,
        limits_currency=tenant.currency,
        base_micros=change.base_micros,
        target_micros=change.target_micros,
        is_raise=change.is_raise,
        stop_reason="" if is_replay else stop_reason(tenant.pk),
        in_flight=not is_replay and in_flight(ad_set.id, change.kind, without=change.action_id),
        data_problem=day.problem or ("revenue is not known" if day.revenue_micros is None else ""),
        local_hour=snapshot.as_of.astimezone(ZoneInfo(ad_set.zone)).hour,
        roas=day.get("roas"),
        hours_since_sale=_hours_since_sale(snapshot),
        hours_since_change=since,
        changes_last_hour=lately,
        budget_micros=ad_set.daily_budget_micros,
        platform_minimum_micros=ad_set.minimum_daily_budget_micros,
        unit_micros=budget_unit_micros(ad_set.platform, ad_set.currency),
        worst_day_ppm=worst_day_ppm(ad_set.platform),
        other_nominal_micros=nominal,
        other_maximum_micros=maximum,
        active_siblings=len(_active(snapshot, account) - _pausing(tenant, change) - {ad_set.id}),
    )


def _active(snapshot: Snapshot, indexes: Iterable[int]) -> set[UUID]:
    return {snapshot.ad_sets[i].id for i in indexes if snapshot.ad_sets[i].status == Status.ACTIVE}


def _pausing(tenant: Tenant, change: Change) -> set[UUID]:
    """The ad sets whose pause is on its way; asked for where it matters."""
    if change.kind != ChangeKind.SET_STATUS:
        return set()
    rows = Action.objects.filter(
        tenant=tenant, kind=ChangeKind.SET_STATUS, target_status=Status.PAUSED, state__in=RESERVING_STATES
    )
    return set(rows.values_list("ad_set_id", flat=True))


def _recent_changes(ad_set_id: UUID, change: Change, as_of: datetime, *, is_replay: bool) -> tuple[float | None, int]:
    """Hours since the ad set's last write of this kind in business time, and the writes of the last hour.

    A change of budget does not hold back a pause: rule-semantics 5.9, a cooldown is of one family of actions.
    """
    rows = Action.objects.filter(ad_set_id=ad_set_id, kind=change.kind, state__in=WRITTEN_STATES)
    rows = rows.exclude(pk=change.action_id)
    if is_replay:
        rows = rows.filter(slot__lt=as_of)
    slots = list(rows.order_by("-slot").values_list("slot", flat=True)[:10])
    if not slots:
        return None, 0
    slot = as_of - HOUR
    return max(0.0, (slot - slots[0]) / HOUR), sum(past >= slot for past in slots)


def _hours_since_sale(snapshot: Snapshot) -> float | None:
    if snapshot.last_order_at is None or not snapshot.revenue_known[-1:].any():
        return None
    return max(0.0, (snapshot.as_of - snapshot.last_order_at) / HOUR)

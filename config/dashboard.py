"""The first page and the banner: what a tenant spends and earns now, what waits, what is stale.

Times are business time: they end with the newest hour that was read, not with the wall clock.
"""

from __future__ import annotations

import hashlib
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.admin_base import many_tenants
from accounts.clock import wall_now
from accounts.hours import HOUR
from accounts.models import AdAccount, Alert, RolloutStage, Store, StoreKind, Tenant
from accounts.money import MICROS, money_text
from accounts.permissions import VIEW, may
from automation.admin.approvals import card_of, pending
from automation.admin.presentation import STATE_COLOURS, change_text, signed_money
from automation.kill_switch import stop_reason
from automation.models import Action, LogHead, PolicyRun
from config.theme import NAVIGATION
from metrics.marketplace import newest_known
from metrics.models import StoreCoverage, SyncedHour
from metrics.overview import HourOfTenant, Overview, hourly, newest_span, overview

DAY, WEEK = timedelta(hours=24), timedelta(days=7)
CHART_SPAN = timedelta(hours=72)
SHOWN = 6
STAGE_NAMES = {stage.value: stage.label.partition(":")[0] for stage in RolloutStage}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a span with its change against the span before: `trend` is good, bad or even."""

    text: str
    change: str
    trend: str


@dataclass(frozen=True, slots=True)
class Kpi:
    title: str
    hint: str
    day: Figure
    week: Figure


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far one source has been read; `is_late` when it is behind the newest hour of the tenant."""

    name: str
    kind: str
    known_to: datetime | None
    is_late: bool
    run: PolicyRun | None = None


KPIS: tuple[tuple[str, str, str, int], ...] = (
    ("spend_micros", "Spend", "What the ad platforms charged.", 0),
    ("revenue_micros", "Revenue", "All paid orders, before refunds.", 1),
    ("profit_micros", "Profit", "Revenue − refunds − spend − cost of goods.", 1),
    ("roas", "ROAS", "Attributed revenue, net of refunds, ÷ spend.", 1),
    ("mer", "MER", "All revenue, net of refunds, ÷ spend.", 1),
    ("orders", "Orders", "Paid orders.", 1),
)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The admin's index, for the tenant asked for or the first one."""
    tenants = list(Tenant.objects.filter(is_active=True))
    tenant = _chosen(tenants, request.GET.get("tenant", ""))
    return {**context, "title": "Overview", "tenants": tenants, **(_figures(request, tenant) if tenant else {})}


def fragment(request: HttpRequest) -> HttpResponse:
    """The index's figures alone; 204 while nothing has changed since the version that the page shows."""
    if not may(request.user, VIEW):  # type: ignore[arg-type]
        raise PermissionDenied
    tenant = _chosen(list(Tenant.objects.filter(is_active=True)), request.GET.get("tenant", ""))
    if tenant is None or request.GET.get("seen") == version_of(tenant):
        return HttpResponse(status=204)
    return TemplateResponse(request, "bursar/dashboard.html", _figures(request, tenant))


def _chosen(tenants: list[Tenant], slug: str) -> Tenant | None:
    return next((tenant for tenant in tenants if tenant.slug == slug), tenants[0] if tenants else None)


def version_of(tenant: Tenant) -> str:
    """A short text that changes whenever the figures may have."""
    parts = (
        SyncedHour.objects.filter(tenant=tenant).aggregate(a=Max("hour"), b=Max("known_at")),
        StoreCoverage.objects.filter(tenant=tenant).aggregate(Max("known_to")),
        LogHead.objects.filter(tenant=tenant).values_list("number", flat=True).first(),
        PolicyRun.objects.filter(tenant=tenant).aggregate(a=Max("slot"), b=Max("finished_at")),
        Alert.objects.filter(tenant=tenant).aggregate(a=Max("last_seen_at"), b=Max("resolved_at")),
        pending().filter(tenant=tenant).count(),
        stop_reason(tenant.pk),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _figures(request: HttpRequest, tenant: Tenant) -> dict[str, Any]:
    _, end = newest_span(tenant, wall_now())
    waiting = pending().filter(tenant=tenant)
    recent = Action.objects.filter(tenant=tenant).select_related("ad_set", "ad_account")[:SHOWN]
    return {
        "tenant": tenant,
        "version": version_of(tenant),
        "as_of": end,
        "has_figures": SyncedHour.objects.filter(tenant=tenant).exists(),
        "kpis": kpis(tenant, end),
        "chart": chart(tenant, hourly(tenant, end - CHART_SPAN, end)),
        "waiting": waiting.count(),
        "cards": [card_of(action, request.user) for action in waiting[:SHOWN]],  # type: ignore[arg-type]
        "recent_actions": [(action, change_text(action), STATE_COLOURS[action.state]) for action in recent],
        "sources": freshness(tenant, end),
        "alerts": Alert.objects.filter(tenant=tenant, resolved_at__isnull=True)[:SHOWN],
        "is_named": many_tenants(),
    }


def kpis(tenant: Tenant, end: datetime) -> list[Kpi]:
    """Each figure of the last day and week, with its change against the day and week before."""
    day, day_before = overview(tenant, end - DAY, end), overview(tenant, end - 2 * DAY, end - DAY)
    week, week_before = overview(tenant, end - WEEK, end), overview(tenant, end - 2 * WEEK, end - WEEK)
    return [
        Kpi(title, hint, _figure(name, day, day_before, sense), _figure(name, week, week_before, sense))
        for name, title, hint, sense in KPIS
    ]


def _figure(name: str, now: Overview, before: Overview, sense: int) -> Figure:
    value, old = getattr(now, name), getattr(before, name)
    if value is None or old is None:
        return Figure(_text(name, value, now.currency), "", "even")
    difference = value - old
    if old > 0:
        share = (Decimal(difference) * 100 / Decimal(old)).quantize(Decimal(1))
        change = f"{share:+} %".replace("-", "−")
    else:
        change = signed_money(difference, now.currency) if name.endswith("_micros") else ""
    trend = "even" if not sense or not difference else "good" if difference > 0 else "bad"
    return Figure(_text(name, value, now.currency), change, trend)


def _text(name: str, value: Any, currency: str) -> str:
    if value is None:
        return "–"
    if name.endswith("_micros"):
        return money_text(value, currency)
    return f"{value:.2f}" if isinstance(value, Decimal) else f"{value:,}"


def chart(tenant: Tenant, hours: list[HourOfTenant]) -> dict[str, Any]:
    """What the page's script draws: currency units, `None` where unknown."""
    zone = ZoneInfo(tenant.timezone)

    def units(name: str) -> list[float | None]:
        values = (getattr(hour, f"{name}_micros") for hour in hours)
        return [None if value is None else value / MICROS for value in values]

    return {
        "labels": [f"{hour.hour.astimezone(zone):%a %H:%M}" for hour in hours],
        "currency": tenant.currency,
        "series": {name.capitalize(): units(name) for name in ("revenue", "spend", "profit")},
    }


def freshness(tenant: Tenant, end: datetime) -> list[Freshness]:
    runs = {
        run.ad_account_id: run for run in PolicyRun.objects.filter(tenant=tenant, slot__gte=end - WEEK).order_by("slot")
    }
    newest = dict(SyncedHour.objects.filter(tenant=tenant).values_list("ad_account").annotate(Max("hour")))
    covered = dict(StoreCoverage.objects.filter(tenant=tenant).values_list("store", "known_to"))
    found = []
    for account in AdAccount.objects.filter(tenant=tenant, is_active=True):
        known_to = newest[account.pk] + HOUR if account.pk in newest else None
        is_late = known_to is None or known_to < end
        found.append(
            Freshness(str(account), STAGE_NAMES[account.rollout_stage], known_to, is_late, runs.get(account.pk))
        )
    for store in Store.objects.filter(tenant=tenant, is_active=True):
        known_to = covered.get(store.pk) if store.kind == StoreKind.SHOP else newest_known(store)
        found.append(Freshness(str(store), store.get_platform_display(), known_to, known_to is None or known_to < end))
    return found


# --- On every page -----------------------------------------------------------------------------------


def banner(request: HttpRequest) -> dict[str, Any]:
    """How far automation may go, and whether somebody has stopped it, for the tenants in scope."""
    if not request.user.is_authenticated or not may(request.user, VIEW):
        return {}
    tenants = list(Tenant.objects.filter(is_active=True))
    accounts = AdAccount.objects.filter(is_active=True, tenant__in=tenants)
    stages = [
        (STAGE_NAMES[stage], stage, [f"{account}" for account in accounts if account.rollout_stage == stage])
        for stage in RolloutStage.values
    ]
    stopped = [(tenant, reason) for tenant in tenants if (reason := stop_reason(tenant.pk))]
    return {
        "banner": {
            "stopped": stopped,
            "is_named": len(tenants) > 1,
            "stages": [stage for stage in stages if stage[2]],
            "has_tenants": bool(tenants),
        }
    }


def banner_fragment(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, "bursar/banner.html", banner(request))


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, with how many changes wait."""
    groups: list[dict[str, Any]] = deepcopy(NAVIGATION)
    waiting = pending().count()
    if waiting:
        groups[0]["items"][1]["badge"] = str(waiting)
    return groups

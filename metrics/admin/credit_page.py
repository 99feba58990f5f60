"""The page of the credit assessment: score, factors, evidence and history, and the button that makes a new one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from accounts.admin_base import actor_of, many_tenants
from accounts.clock import wall_now
from accounts.models import Store, Tenant
from accounts.money import money_text
from accounts.permissions import CONFIGURE, PROPOSE, VIEW, may, require
from connectors.contracts import Platform
from metrics.admin.credit_words import FACTOR_NAMES, PART_NAMES, TIER_NAMES, read_text
from metrics.assessments import FIGURES, AssessmentError, assess, evidence_counts, recompute, verify
from metrics.credit_reasons import REASONS
from metrics.marketplace import newest_known
from metrics.models import CreditAssessment

SHOWN = 24


@dataclass(frozen=True, slots=True)
class PartRow:
    name: str
    weight_ppm: int
    score_ppm: int | None
    read: str


@dataclass(frozen=True, slots=True)
class FactorCard:
    name: str
    weight_ppm: int
    score_ppm: int | None
    parts: list[PartRow]


def credit_page(request: HttpRequest) -> HttpResponse:
    """`?tenant=` names the tenant, `?assessment=` one of its assessments; without, the newest."""
    if not may(actor_of(request), VIEW):
        raise PermissionDenied
    tenants = list(Tenant.objects.filter(is_active=True))
    tenant = _chosen(tenants, request.GET.get("tenant", ""))
    context: dict[str, Any] = {"title": "Credit assessment", "tenants": tenants, "tenant": tenant}
    if tenant is not None:
        history = list(CreditAssessment.objects.filter(tenant=tenant)[:SHOWN])
        shown = _shown(request.GET.get("assessment", ""), history)
        context |= {
            "is_named": many_tenants(),
            "may_assess": may(actor_of(request), PROPOSE, tenant),
            "may_configure": may(actor_of(request), CONFIGURE, tenant),
            "has_shop": _shops(tenant).exists(),
            "history": [(row, _money(row)) for row in history],
            "chart": _chart(history),
            **(_details(shown) if shown else {}),
        }
    return TemplateResponse(request, "bursar/credit.html", {**admin.site.each_context(request), **context})


def _chosen(tenants: list[Tenant], slug: str) -> Tenant | None:
    return next((tenant for tenant in tenants if tenant.slug == slug), tenants[0] if tenants else None)


def _shown(wanted: str, history: list[CreditAssessment]) -> CreditAssessment | None:
    if not wanted:
        return history[0] if history else None
    found = next((row for row in history if str(row.pk) == wanted), None)
    if found is None:
        raise Http404
    return found


def _details(row: CreditAssessment) -> dict[str, Any]:
    return {
        "row": row,
        "tier": TIER_NAMES.get(row.tier, row.tier),
        "monthly": _money(row),
        "factors": [_card(factor) for factor in row.factors],
        "reasons": [(code, REASONS[code].sentence if code in REASONS else "") for code in row.reasons],
        "evidence": sorted(evidence_counts(row).items()),
    }


def _money(row: CreditAssessment) -> str:
    return money_text(row.monthly_revenue_micros, "USD")


def _card(factor: dict[str, Any]) -> FactorCard:
    parts = [
        PartRow(PART_NAMES.get(p["name"], p["name"]), p["weight_ppm"], p["score_ppm"], read_text(p["read"]))
        for p in factor["parts"]
    ]
    name = FACTOR_NAMES.get(factor["name"], factor["name"])
    return FactorCard(name, factor["weight_ppm"], factor["score_ppm"], parts)


def _chart(history: list[CreditAssessment]) -> dict[str, Any] | None:
    """Scores of 100, the oldest first: what the page's script draws."""
    rows = history[::-1]
    if len(rows) < 2:
        return None
    scores = [None if row.score_ppm is None else row.score_ppm / 10_000 for row in rows]
    return {"labels": [f"{row.period_end:%d %b %Y}" for row in rows], "currency": "of 100", "series": {"Score": scores}}


@require_POST
def assess_now(request: HttpRequest, slug: str) -> HttpResponse:
    tenant = get_object_or_404(Tenant, slug=slug, is_active=True)
    require(actor_of(request), PROPOSE, tenant)
    try:
        made = assess(tenant, period_end=_now_of(tenant), actor=str(request.user))
    except AssessmentError as error:
        messages.error(request, f"No assessment was made: {error}.")
        return _to_page(tenant)
    told = "No score: too little is known." if made.score_ppm is None else f"Score {made.score_ppm // 10_000} of 100."
    messages.success(request, f"Assessed {made}. {told}")
    return _to_page(tenant)


def _now_of(tenant: Tenant) -> datetime:
    """The newest moment that anybody knows of: a sandbox's clock may be ahead of the wall's."""
    return max((end for store in _shops(tenant) if (end := newest_known(store))), default=wall_now())


def _shops(tenant: Tenant) -> QuerySet[Store]:
    rows: QuerySet[Store] = Store.objects.filter(tenant=tenant, platform=Platform.TIKTOK_SHOP, is_active=True)
    return rows


@require_POST
def verify_now(request: HttpRequest, pk: Any) -> HttpResponse:
    """Whether the evidence still says what it said; changes nothing."""
    row = get_object_or_404(CreditAssessment.objects.select_related("tenant"), pk=pk)
    require(actor_of(request), VIEW, row.tenant)
    try:
        is_same = _figures(recompute(row)) == _figures(row)
        found = verify(row)
    except AssessmentError as error:
        messages.error(request, f"The assessment of {row} does not verify: {error}.")
        return _to_page(row.tenant, row)
    if not is_same:
        messages.error(request, f"The assessment of {row} does not verify: its inputs give other figures.")
    elif found.holds:
        messages.success(request, "Every row that it rests on is still there, and gives the same inputs.")
    else:
        gone, dropped = (sum(map(len, part.values())) for part in (found.gone, found.dropped))
        names = ", ".join(sorted(found.changed)).replace("_", " ") or "none"
        messages.warning(
            request,
            f"Its evidence has changed since. Rows that are gone: {gone}; that no longer count: {dropped}; "
            f"inputs that differ: {names}. The stored score stays what it was computed to be.",
        )
    return _to_page(row.tenant, row)


def _figures(of: Any) -> list[Any]:
    return [getattr(of, name) for name in FIGURES]


def _to_page(tenant: Tenant, row: CreditAssessment | None = None) -> HttpResponse:
    asked = {"tenant": tenant.slug} | ({"assessment": str(row.pk)} if row else {})
    return HttpResponseRedirect(f"{reverse('admin:credit')}?{urlencode(asked)}")


def urls() -> list[URLPattern]:
    view = admin.site.admin_view
    return [
        path("credit/", view(credit_page), name="credit"),
        path("credit/<slug:slug>/assess/", view(assess_now), name="credit_assess"),
        path("credit/<uuid:pk>/verify/", view(verify_now), name="credit_verify"),
    ]

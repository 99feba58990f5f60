"""The kill switch: its rows, read-only, and the page where people engage and release it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.decorators import display

from accounts.admin_base import ReadOnlyAdmin, actor_of
from accounts.models import Tenant
from accounts.permissions import RELEASE, STOP, VIEW, may
from accounts.scoping import EVERYTHING, active_scope
from automation.kill_switch import SwitchError, engage, engage_all, release, release_all, stop_reason
from automation.models import KillSwitch


@admin.register(KillSwitch)
class KillSwitchAdmin(ReadOnlyAdmin):
    list_display = ("of", "state", "reason", "changed_by", "changed_at")
    fields = ("of", "state", "reason", "changed_by", "changed_at")
    empty_hint = "A missing switch counts as engaged: release it on the kill switch page."

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[KillSwitch]:
        rows: models.QuerySet[KillSwitch] = super().get_queryset(request)
        scope = active_scope()
        return rows if scope is EVERYTHING else rows.filter(scope__in=[KillSwitch.ALL, *map(str, scope)])

    @display(description="Of")
    def of(self, switch: KillSwitch) -> str:
        if switch.scope == KillSwitch.ALL:
            return "All tenants"
        tenant = Tenant.objects.filter(pk=switch.scope).first()
        return str(tenant) if tenant else switch.scope

    @display(description="State", label={"engaged": "danger", "open": "success"})
    def state(self, switch: KillSwitch) -> Any:
        return ("engaged", "Engaged") if switch.is_engaged else ("open", "Open")


@dataclass(frozen=True, slots=True)
class SwitchCard:
    """One tenant's switch as its page shows it."""

    tenant: Tenant
    stop_reason: str
    row: KillSwitch | None
    may_engage: bool
    may_release: bool


def switch_card(request: HttpRequest, tenant: Tenant) -> SwitchCard:
    user, row = actor_of(request), KillSwitch.objects.filter(scope=str(tenant.pk)).first()
    is_open = row is not None and not row.is_engaged
    return SwitchCard(
        tenant=tenant,
        stop_reason=stop_reason(tenant.pk),
        row=row,
        may_engage=is_open and may(user, STOP, tenant),
        may_release=not is_open and may(user, RELEASE, tenant),
    )


def kill_switch_page(request: HttpRequest) -> HttpResponse:
    if not may(actor_of(request), VIEW):
        raise PermissionDenied
    context = {
        **admin.site.each_context(request),
        "title": "Kill switch",
        "cards": [switch_card(request, tenant) for tenant in Tenant.objects.filter(is_active=True)],
        "may_stop_all": actor_of(request).is_superuser,
        "stop_all": KillSwitch.objects.filter(scope=KillSwitch.ALL).first(),
    }
    return TemplateResponse(request, "bursar/kill_switch.html", context)


@require_POST
def move_switch_of_all(request: HttpRequest, way: str) -> HttpResponse:
    """Engage or release the switch of all tenants; the service lets superusers only."""
    move = engage_all if way == "engage" else release_all
    try:
        move(reason=request.POST.get("reason", ""), actor=actor_of(request))
        messages.warning(request, "The switch of all tenants is engaged." if way == "engage" else "It is open again.")
    except SwitchError as error:
        messages.error(request, str(error).capitalize() + ".")
    return HttpResponseRedirect(reverse("admin:kill_switch"))


@require_POST
def move_switch(request: HttpRequest, way: str) -> HttpResponse:
    """Engage or release one tenant's switch; the service checks the right."""
    tenant, reason = _tenant_or_404(request.POST.get("tenant", "")), request.POST.get("reason", "")
    try:
        if way == "engage":
            engage(tenant=tenant, reason=reason, actor=actor_of(request))
            messages.warning(request, f"Stopped: nothing is written for {tenant} until somebody releases the switch.")
        else:
            release(tenant=tenant, reason=reason, actor=actor_of(request))
            messages.success(request, f"Released: writing for {tenant} is allowed again.")
    except SwitchError as error:
        messages.error(request, str(error).capitalize() + ".")
    return HttpResponseRedirect(reverse("admin:kill_switch"))


def _tenant_or_404(text: str) -> Tenant:
    try:
        found: Tenant | None = Tenant.objects.filter(pk=uuid.UUID(text)).first()
    except ValueError as error:
        raise Http404 from error
    if found is None:
        raise Http404
    return found


def urls() -> list[URLPattern]:
    view = admin.site.admin_view
    return [
        path("kill-switch/", view(kill_switch_page), name="kill_switch"),
        path("kill-switch/engage/", view(move_switch), {"way": "engage"}, name="kill_switch_engage"),
        path("kill-switch/release/", view(move_switch), {"way": "release"}, name="kill_switch_release"),
        path("kill-switch/all/<slug:way>/", view(move_switch_of_all), name="kill_switch_of_all"),
    ]

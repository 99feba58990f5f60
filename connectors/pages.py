"""What the pages of connecting share: whose rows they show, and how they look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.admin_base import actor_of
from accounts.models import Credential
from accounts.models.credentials import CredentialPlatform
from accounts.permissions import CONFIGURE, require
from connectors.advice import next_step
from connectors.contracts import Platform
from connectors.errors import ConnectorError
from connectors.registry import LOGINS, STORES

View = Callable[..., HttpResponse]


def page(view: View) -> Any:
    """A page of the admin: logged in, with CSRF checks, never cached."""
    return admin.site.admin_view(require_http_methods(["GET", "POST"])(view))


def platform_of(text: str) -> Platform:
    if text not in set(map(str, LOGINS)):
        raise Http404
    return Platform(text)


def own(request: HttpRequest, rows: Any, pk: UUID) -> Any:
    """A row of a tenant that this person may configure: another tenant's is not to be found."""
    row = get_object_or_404(rows.select_related("tenant"), pk=pk)
    require(actor_of(request), CONFIGURE, row.tenant)
    return row


def own_credential(request: HttpRequest, pk: UUID) -> Credential:
    found: Credential = own(request, Credential.objects, pk)
    return found


def redirect_uri(request: HttpRequest, platform: Platform) -> str:
    """The address of the callback, the same when a login begins and when its code is exchanged."""
    path = reverse("connect:callback", args=[platform])
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)


def list_of(platform: str) -> str:
    """The list in which what a platform connects is found."""
    return reverse(f"admin:accounts_{'store' if platform in STORES else 'adaccount'}_changelist")


def with_advice(error: Exception) -> str:
    """An error's text, and what to do next where there is something to do."""
    told = str(error).rstrip(".")
    step = next_step(error) if isinstance(error, ConnectorError) else ""
    return f"{told}. {step}".strip()


def failed(request: HttpRequest, platform: Platform, what: str) -> HttpResponse:
    name = CredentialPlatform(platform).label
    context = {"what": what, "platform": platform, "back": list_of(platform)}
    return render(request, "failed", f"{name} is not connected", status=400, **context)


def render(request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any) -> HttpResponse:
    shared = {**admin.site.each_context(request), "title": title}
    return TemplateResponse(request, f"bursar/connect/{template}.html", {**shared, **context}, status=status)

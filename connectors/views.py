"""The pages on which people connect ad accounts and stores. Only the platforms' redirect acts on GET."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET

from accounts.admin_base import actor_of
from accounts.models import Credential, Store, Tenant
from accounts.models.credentials import CredentialPlatform
from connectors.contracts import Platform
from connectors.custom_apps import connect_token
from connectors.errors import ConfigurationError
from connectors.forms import KindForm, StartForm, TokenForm
from connectors.grants import Connection, LoginError, connections_of, names_of, whom
from connectors.login_apps import login_app
from connectors.logins import AT_ONCE, Answer, begin_login, finish_login
from connectors.pages import failed, list_of, own_credential, platform_of, redirect_uri, render
from connectors.registry import STORES

SESSION_KEY = "login_browser"


def start(request: HttpRequest, platform: str) -> HttpResponse:
    """What is about to happen, and for whom; the form sends the browser to the platform."""
    asked = platform_of(platform)
    form = StartForm(actor_of(request), asked, request.POST or None)
    _check_may_configure(request, form)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        return _leave(request, data["tenant"], asked, subject=data.get("subject", ""))
    title = f"Connect {CredentialPlatform(asked).label}"
    return _start_page(request, asked, title, form=form, tenant=_only_tenant(form))


def again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The same for a credential that is to be renewed; whom it speaks for stays."""
    credential = own_credential(request, pk)
    platform = platform_of(credential.platform)
    rows = connections_of(credential)
    subject = whom(credential)
    asks = KindForm if platform is Platform.TIKTOK_SHOP and not subject else None
    form = asks(request.POST or None) if asks else None
    if request.method == "POST" and (form is None or form.is_valid()):
        subject = subject or (form.cleaned_data["subject"] if form else "")
        return _leave(request, credential.tenant, platform, credential, subject=subject)
    title = f"Connect {credential.get_platform_display()} again"
    context = {"tenant": credential.tenant, "credential": credential, "accounts": names_of(rows), "form": form}
    return _start_page(request, platform, title, **context)


def _check_may_configure(request: HttpRequest, form: StartForm) -> None:
    if not form.tenants:
        raise PermissionDenied(f"{request.user} may not configure a tenant")


def _only_tenant(form: StartForm) -> Tenant | None:
    return form.tenants[0] if len(form.tenants) == 1 else None


def _start_page(request: HttpRequest, platform: Platform, title: str, **context: Any) -> HttpResponse:
    context |= {
        "platform": platform,
        "platform_name": CredentialPlatform(platform).label,
        "problem": _setup_problem(platform),
        "redirect_uri": redirect_uri(request, platform),
        "back": list_of(platform),
        "is_store": platform in STORES,
        "is_at_once": platform in AT_ONCE,
    }
    return render(request, "start", title, **context)


def _setup_problem(platform: Platform) -> str:
    try:
        login_app(platform)
    except ConfigurationError as error:
        return str(error)
    return ""


def _leave(
    request: HttpRequest, tenant: Tenant, platform: Platform, credential: Credential | None = None, *, subject: str
) -> HttpResponse:
    """To the platform's consent page; the browser's session keeps what the way back is bound to."""
    browser_secret = request.session.setdefault(SESSION_KEY, secrets.token_urlsafe(32))
    try:
        url = begin_login(
            tenant,
            platform,
            actor=actor_of(request),
            browser_secret=browser_secret,
            redirect_uri=redirect_uri(request, platform),
            credential=credential,
            subject=subject,
        )
    except (ConfigurationError, LoginError) as error:
        return failed(request, platform, f"The login cannot begin: {str(error).rstrip('.')}.")
    return HttpResponseRedirect(url)


@never_cache
@require_GET
@sensitive_variables()
def callback(request: HttpRequest, platform: str) -> HttpResponse:
    """Where the platform sends the browser back to. The state in its address is the proof; nothing else is believed."""
    asked = platform_of(platform)
    browser_secret = request.session.get(SESSION_KEY, "")
    if not admin.site.has_permission(request):
        return failed(request, asked, "Nobody is logged in to Bursar in this browser.")
    answer = Answer(
        state=request.GET.get("state", ""),
        code=request.GET.get("auth_code") or request.GET.get("code", ""),
        is_denied="error" in request.GET,
        query=request.META.get("QUERY_STRING", ""),
    )
    try:
        credential = finish_login(
            asked,
            answer,
            actor=actor_of(request),
            browser_secret=browser_secret,
            redirect_uri=redirect_uri(request, asked),
        )
    except LoginError as error:
        response = failed(request, asked, str(error))
        response["Referrer-Policy"] = "strict-origin"  # this page's own address holds the code
        return response
    rows = connections_of(credential)
    if not rows:
        return HttpResponseRedirect(reverse("connect:choose", args=[credential.pk]))
    return _back_again(request, credential, rows)


def _back_again(request: HttpRequest, credential: Credential, rows: list[Connection]) -> HttpResponse:
    active = [row for row in rows if row.is_active]
    if credential.platform in AT_ONCE and active:
        messages.success(request, f"Connected: {names_of(active)}. Its past orders are read next.")
        return HttpResponseRedirect(reverse("admin:accounts_store_change", args=[active[0].pk]))
    stays = "The new login is stored. What was switched off stays switched off."
    messages.success(request, f"Connected again: {names_of(active)}." if active else stays)
    return HttpResponseRedirect(reverse("admin:accounts_credential_change", args=[credential.pk]))


@sensitive_post_parameters("token", "app_secret")
@sensitive_variables()
def token(request: HttpRequest) -> HttpResponse:
    """A Shopify shop by the token of an app that its owner made for it. The shop is asked before it is stored."""
    form = TokenForm(actor_of(request), request.POST or None)
    _check_may_configure(request, form)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            store = connect_token(
                data["tenant"], data["subject"], data["token"], data["app_secret"], actor=actor_of(request)
            )
        except LoginError as error:
            form.add_error(None, str(error))
        else:
            return _with_token(request, store)
    status = 400 if form.errors else 200
    context = {"form": form, "tenant": _only_tenant(form), "back": reverse("connect:start", args=[Platform.SHOPIFY])}
    return render(request, "token", "Connect Shopify by a token", status=status, **context)


def _with_token(request: HttpRequest, store: Store) -> HttpResponse:
    messages.success(request, f"Connected: {store.name} ({store.external_id}). Its past orders are read next.")
    return HttpResponseRedirect(reverse("admin:accounts_store_change", args=[store.pk]))

"""The pages on which people connect and disconnect ad accounts. Only the platforms' redirect acts on GET."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin_base import actor_of, tenants_to_configure
from accounts.login_states import LoginState, login_state
from accounts.models import AdAccount, Credential, Tenant, User
from accounts.models.credentials import CredentialPlatform
from accounts.permissions import CONFIGURE, require
from connectors.connections import login_app
from connectors.contracts import Platform
from connectors.errors import ConfigurationError, ConnectorError
from connectors.grants import (
    Ended,
    LoginError,
    connect_accounts,
    disconnect,
    names_of,
    obstacle,
    owned_accounts,
    remove,
)
from connectors.login_contracts import OwnedAccount
from connectors.logins import Answer, begin_login, finish_login
from connectors.registry import LOGINS

SESSION_KEY = "login_browser"

View = Callable[..., HttpResponse]


def page(view: View) -> Any:
    """A page of the admin: logged in, with CSRF checks, never cached."""
    return admin.site.admin_view(require_http_methods(["GET", "POST"])(view))


class TenantForm(forms.Form):
    tenant = forms.ModelChoiceField(Tenant._base_manager.none(), widget=UnfoldAdminSelectWidget(), empty_label=None)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = tenants_to_configure(user).filter(is_active=True)  # type: ignore[attr-defined]


def start(request: HttpRequest, platform: str) -> HttpResponse:
    """What is about to happen, and for whom; the form sends the browser to the platform."""
    asked = _platform(platform)
    form = TenantForm(actor_of(request), request.POST or None)
    tenants = list(form.fields["tenant"].queryset)  # type: ignore[attr-defined]
    if not tenants:
        raise PermissionDenied(f"{request.user} may not configure a tenant")
    if request.method == "POST" and form.is_valid():
        return _leave(request, form.cleaned_data["tenant"], asked)
    context = {"form": form if len(tenants) > 1 else None, "tenant": tenants[0]}
    return _start_page(request, asked, f"Connect {CredentialPlatform(asked).label}", **context)


def again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The same for a credential that is to be renewed."""
    credential = _credential(request, pk)
    platform = _platform(credential.platform)
    if request.method == "POST":
        return _leave(request, credential.tenant, platform, credential)
    title = f"Connect {credential.get_platform_display()} again"
    accounts = names_of(credential.ad_accounts.all())
    return _start_page(request, platform, title, tenant=credential.tenant, credential=credential, accounts=accounts)


def _start_page(request: HttpRequest, platform: Platform, title: str, **context: Any) -> HttpResponse:
    context |= {
        "platform": platform,
        "platform_name": CredentialPlatform(platform).label,
        "problem": _setup_problem(platform),
        "redirect_uri": _redirect_uri(request, platform),
    }
    return _page(request, "start", title, **context)


def _setup_problem(platform: Platform) -> str:
    try:
        login_app(platform)
    except ConfigurationError as error:
        return str(error)
    return ""


def _leave(
    request: HttpRequest, tenant: Tenant, platform: Platform, credential: Credential | None = None
) -> HttpResponse:
    """To the platform's consent page; the browser's session keeps what the way back is bound to."""
    browser_secret = request.session.setdefault(SESSION_KEY, secrets.token_urlsafe(32))
    try:
        url = begin_login(
            tenant,
            platform,
            actor=actor_of(request),
            browser_secret=browser_secret,
            redirect_uri=_redirect_uri(request, platform),
            credential=credential,
        )
    except ConfigurationError as error:
        return _failed(request, platform, f"The login cannot begin: {error}.")
    return HttpResponseRedirect(url)


@never_cache
@require_GET
@sensitive_variables()
def callback(request: HttpRequest, platform: str) -> HttpResponse:
    """Where the platform sends the browser back to. The state in its address is the proof; nothing else is believed."""
    asked = _platform(platform)
    browser_secret = request.session.get(SESSION_KEY, "")
    if not admin.site.has_permission(request):
        return _failed(request, asked, "Nobody is logged in to Bursar in this browser.")
    answer = Answer(
        state=request.GET.get("state", ""),
        code=request.GET.get("auth_code") or request.GET.get("code", ""),
        is_denied="error" in request.GET,
    )
    try:
        credential = finish_login(
            asked,
            answer,
            actor=actor_of(request),
            browser_secret=browser_secret,
            redirect_uri=_redirect_uri(request, asked),
        )
    except LoginError as error:
        response = _failed(request, asked, str(error))
        response["Referrer-Policy"] = "strict-origin"  # this page's own address holds the code
        return response
    if credential.ad_accounts.exists():
        active = names_of(credential.ad_accounts.filter(is_active=True))
        stays = "The new login is stored. Its ad accounts stay switched off."
        messages.success(request, f"Connected again: {active}." if active else stays)
        return _to_credential(credential)
    return HttpResponseRedirect(reverse("connect:choose", args=[credential.pk]))


@dataclass(frozen=True, slots=True)
class Choice:
    """An ad account as the page offers it; `obstacle` says why it cannot be connected."""

    account: OwnedAccount
    obstacle: str
    connected: AdAccount | None
    is_held_here: bool
    is_ticked: bool


def choose(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Which of the ad accounts that a login opens are to be connected. GET asks the platform, POST connects."""
    credential = _credential(request, pk)
    _platform(credential.platform)
    problem, is_silent = "", False
    if request.method == "POST":
        try:
            done = connect_accounts(credential, request.POST.getlist("account"), actor=actor_of(request))
        except (LoginError, ConnectorError) as error:
            problem, is_silent = str(error), isinstance(error, ConnectorError)
        else:
            return _connected(request, done.added, done.renewed)
    choices: list[Choice] = []
    if not is_silent:  # nobody waits twice for a platform that has just not answered
        try:
            choices = _choices(credential)
        except ConnectorError as error:
            problem = problem or str(error)
    context = {
        "credential": credential,
        "choices": choices,
        "problem": problem,
        "platform_name": credential.get_platform_display(),
        "is_unused": not credential.ad_accounts.exists(),
    }
    return _page(request, "choose", "Choose ad accounts", status=400 if request.method == "POST" else 200, **context)


def _connected(request: HttpRequest, added: list[AdAccount], renewed: list[AdAccount]) -> HttpResponse:
    if added:
        told = "They are in shadow with autopilot off: they are read, and nothing is changed on the platform."
        messages.success(request, f"Connected: {names_of(added)}. {told}")
    if renewed:
        messages.success(request, f"Connected again: {names_of(renewed)}.")
    return HttpResponseRedirect(reverse("admin:accounts_adaccount_changelist"))


def _choices(credential: Credential) -> list[Choice]:
    owned = owned_accounts(credential)
    rows = AdAccount.objects.filter(
        tenant=credential.tenant, platform=credential.platform, external_id__in=[one.external_id for one in owned]
    )
    has_token = Q(credential__access_token__isnull=False)
    connected = {row.external_id: row for row in rows.select_related("credential").annotate(has_token=has_token)}
    is_unused = not credential.ad_accounts.exists()
    found = []
    for account in sorted(owned, key=lambda one: (one.name.casefold(), one.external_id)):
        row = connected.get(account.external_id)
        hindered = obstacle(account)
        is_wanted = len(owned) == 1 if row is None else is_unused or _needs_login(row)
        is_held_here = row is not None and row.is_active and row.credential_id == credential.pk
        found.append(Choice(account, hindered, row, is_held_here, is_wanted and not hindered))
    return found


def _needs_login(row: Any) -> bool:
    credential = row.credential
    state = login_state(
        has_token=row.has_token, expires_at=credential.expires_at, problem=credential.problem, now=timezone.now()
    )
    return state != LoginState.CONNECTED


def disconnect_account(request: HttpRequest, pk: UUID) -> HttpResponse:
    account = get_object_or_404(AdAccount.objects.select_related("credential", "tenant"), pk=pk)
    require(actor_of(request), CONFIGURE, account.tenant)
    others = account.credential.ad_accounts.exclude(pk=account.pk)
    back = reverse("admin:accounts_adaccount_change", args=[account.pk])
    if request.method == "POST":
        _tell_ended(request, str(account), account.get_platform_display(), disconnect(account, actor=actor_of(request)))
        return HttpResponseRedirect(back)
    context: dict[str, Any] = {"row": account, "accounts": [account], "others": others, "back": back}
    return _page(request, "disconnect", "Disconnect?", platform_name=account.get_platform_display(), **context)


def disconnect_credential(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End a credential with every ad account on it; one that nothing uses is removed."""
    credential = _credential(request, pk)
    accounts = list(credential.ad_accounts.all())
    is_removed = not accounts and not credential.stores.exists()
    if request.method == "POST":
        end = remove if is_removed else disconnect
        try:
            ended = end(credential, actor=actor_of(request))
        except Credential.DoesNotExist as error:  # pressed twice: the first one has removed it
            raise Http404 from error
        _tell_ended(request, str(credential), credential.get_platform_display(), ended)
        return HttpResponseRedirect(reverse("admin:accounts_credential_changelist"))
    context: dict[str, Any] = {
        "row": credential,
        "accounts": accounts,
        "is_removed": is_removed,
        "back": reverse("admin:accounts_credential_change", args=[credential.pk]),
        "platform_name": credential.get_platform_display(),
    }
    return _page(request, "disconnect", "Remove this login?" if is_removed else "Disconnect?", **context)


def _tell_ended(request: HttpRequest, name: str, platform_name: str, ended: Ended) -> None:
    told = {
        Ended.REVOKED: f"{platform_name} has ended the login.",
        Ended.SHARED: "Its login stays alive: another connection uses it.",
        Ended.NOTHING: "No token was stored any more.",
        Ended.UNREACHED: (
            f"{platform_name} could not be told: the secrets are erased here, but the login must be ended there. "
            f"Remove this app's access in the settings of {platform_name}."
        ),
    }[ended]
    level = messages.WARNING if ended is Ended.UNREACHED else messages.SUCCESS
    messages.add_message(request, level, f"{name} is disconnected. {told}")


def _platform(text: str) -> Platform:
    if text not in set(map(str, LOGINS)):
        raise Http404
    return Platform(text)


def _credential(request: HttpRequest, pk: UUID) -> Credential:
    """A credential of a tenant that this person may configure: another tenant's is not to be found."""
    credential: Credential = get_object_or_404(Credential.objects.select_related("tenant"), pk=pk)
    require(actor_of(request), CONFIGURE, credential.tenant)
    return credential


def _redirect_uri(request: HttpRequest, platform: Platform) -> str:
    """The address of the callback, the same when a login begins and when its code is exchanged."""
    path = reverse("connect:callback", args=[platform])
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)


def _to_credential(credential: Credential) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:accounts_credential_change", args=[credential.pk]))


def _failed(request: HttpRequest, platform: Platform, what: str) -> HttpResponse:
    name = CredentialPlatform(platform).label
    return _page(request, "failed", f"{name} is not connected", status=400, what=what, platform=platform)


def _page(request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any) -> HttpResponse:
    shared = {**admin.site.each_context(request), "title": title}
    return TemplateResponse(request, f"bursar/connect/{template}.html", {**shared, **context}, status=status)

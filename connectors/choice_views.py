"""The page on which people choose among what a login opens. GET asks the platform, POST connects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from accounts.admin_base import actor_of
from accounts.login_states import LoginState, login_state
from accounts.models import AdAccount, Credential, Store
from connectors import tokens
from connectors.advice import NO_ACTIVE_SHOP
from connectors.connecting import connect_accounts, obstacle
from connectors.contracts import Platform
from connectors.errors import ConnectorError
from connectors.grants import Connection, LoginError, connections_of, names_of, owned_accounts
from connectors.login_contracts import OwnedAccount
from connectors.pages import list_of, own_credential, platform_of, render, with_advice
from connectors.registry import STORES
from connectors.store_grants import Connected

IN_SHADOW = " They are in shadow with autopilot off: they are read, and nothing is changed on the platform."
READ_NEXT = " Their past orders are read next."


@dataclass(frozen=True, slots=True)
class Choice:
    """An ad account or store as the page offers it; `obstacle` says why it cannot be connected."""

    account: OwnedAccount
    obstacle: str
    connected: Connection | None
    is_held_here: bool
    is_ticked: bool


def choose(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Which of the ad accounts or stores that a login opens are to be connected."""
    credential = own_credential(request, pk)
    platform = platform_of(credential.platform)
    problem, is_silent = "", False
    if request.method == "POST":
        try:
            done = connect_accounts(credential, request.POST.getlist("account"), actor=actor_of(request))
        except (LoginError, ConnectorError) as error:
            problem, is_silent = with_advice(error), isinstance(error, ConnectorError)
        else:
            return _connected(request, platform, done)
    choices: list[Choice] = []
    if not is_silent:  # nobody waits twice for a platform that has just not answered
        try:
            choices = _choices(credential)
        except ConnectorError as error:
            problem = problem or with_advice(error)
    what = "store" if platform in STORES else "ad account"
    context = {
        "credential": credential,
        "choices": choices,
        "problem": problem,
        "platform_name": credential.get_platform_display(),
        "what": what,
        "no_choice": NO_ACTIVE_SHOP if platform is Platform.TIKTOK_SHOP else "",
        "is_unused": not connections_of(credential),
    }
    return render(request, "choose", f"Choose {what}s", status=400 if request.method == "POST" else 200, **context)


def _connected(request: HttpRequest, platform: Platform, done: Connected) -> HttpResponse:
    if done.added:
        told = READ_NEXT if platform in STORES else IN_SHADOW
        messages.success(request, f"Connected: {names_of(done.added)}.{told}")
    if done.renewed:
        messages.success(request, f"Connected again: {names_of(done.renewed)}.")
    return HttpResponseRedirect(list_of(platform))


def _choices(credential: Credential) -> list[Choice]:
    owned = owned_accounts(tokens.fresh(credential))
    rows: Any = (Store if Platform(credential.platform) in STORES else AdAccount).objects.filter(
        tenant=credential.tenant, platform=credential.platform, external_id__in=[one.external_id for one in owned]
    )
    has_token = Q(credential__access_token__isnull=False)
    connected = {row.external_id: row for row in rows.select_related("credential").annotate(has_token=has_token)}
    is_unused = not connections_of(credential)
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
        has_token=row.has_token,
        expires_at=credential.expires_at,
        refresh_expires_at=credential.refresh_expires_at,
        problem=credential.problem,
        now=timezone.now(),
    )
    return state != LoginState.CONNECTED

"""The pages on which people end a connection, or a login with everything on it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.admin_base import actor_of
from accounts.models import AdAccount, Credential, Store
from connectors.grants import Connection, Ended, disconnect, remove
from connectors.pages import own, own_credential, render


def disconnect_account(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _disconnect_one(request, own(request, AdAccount.objects.select_related("credential"), pk))


def disconnect_store(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _disconnect_one(request, own(request, Store.objects.select_related("credential"), pk))


def _disconnect_one(request: HttpRequest, row: Connection) -> HttpResponse:
    held = row.credential
    living = [*held.ad_accounts.filter(is_active=True), *held.stores.filter(is_active=True)]
    back = reverse(f"admin:accounts_{row._meta.model_name}_change", args=[row.pk])
    if request.method == "POST":
        _tell_ended(request, str(row), row.get_platform_display(), disconnect(row, actor=actor_of(request)))
        return HttpResponseRedirect(back)
    context: dict[str, Any] = {"row": row, "rows": [row], "others": [one for one in living if one != row], "back": back}
    return render(request, "disconnect", "Disconnect?", platform_name=row.get_platform_display(), **context)


def disconnect_credential(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End a credential with everything on it; one that nothing uses is removed."""
    credential = own_credential(request, pk)
    rows: list[Connection] = [*credential.ad_accounts.all(), *credential.stores.all()]
    is_removed = not rows
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
        "rows": rows,
        "is_removed": is_removed,
        "back": reverse("admin:accounts_credential_change", args=[credential.pk]),
        "platform_name": credential.get_platform_display(),
    }
    return render(request, "disconnect", "Remove this login?" if is_removed else "Disconnect?", **context)


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

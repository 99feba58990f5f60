"""What a login gave: the token that credentials hold, another login in its place, and its end.

Each connected ad account has a credential row of its own, so that it is renewed and ended by itself; the stores of
one login share one. Rows that came of one login hold the same token, and the platform is told to end it when the
last of them goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Enum
from typing import Any
from uuid import UUID

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db import models, transaction

from accounts.alerts import raise_alert, resolve_alert
from accounts.clock import wall_now
from accounts.encryption import SecretError
from accounts.models import AdAccount, Credential, RolloutStage, Store, User
from accounts.models.alerts import Severity
from accounts.permissions import CONFIGURE, require
from accounts.scoping import all_tenants
from connectors import deadline, token_uses
from connectors.contracts import Platform
from connectors.errors import ConfigurationError, ConnectorError
from connectors.login_apps import login_app
from connectors.login_contracts import Grant, LoginApp, LoginProvider, OwnedAccount
from connectors.registry import LOGINS, login_provider
from connectors.subjects import speaks_for

AS_NEW = {"is_active": True, "autopilot": False, "rollout_stage": RolloutStage.SHADOW}
NAMED_AT_ONCE = 5
_ERASED = dict.fromkeys(
    ("app_secret", "access_token", "refresh_token", "expires_at", "refresh_expires_at", "renewing_until")
) | {"problem": "", "scopes": ""}

Connection = AdAccount | Store


class LoginError(Exception):
    """A login that did not work out; the text says what happened and carries no secret."""


class Ended(Enum):
    """What became of the platform's side when a connection was ended here."""

    REVOKED = "revoked"
    SHARED = "shared"
    UNREACHED = "unreached"
    NOTHING = "nothing"


def app_of(credential: Credential) -> LoginApp:
    """The app that a stored login belongs to. Raises `ConfigurationError` where there is none."""
    own = credential.app_id, _opened(credential, "app_secret")
    return login_app(Platform(credential.platform), own, subject=whom(credential))


def whom(credential: Credential) -> str:
    """Whom the login speaks for (`LoginApp.subject`); of a Shopify token that was typed in, its shop."""
    if credential.subject or credential.platform != Platform.SHOPIFY:
        return credential.subject
    return credential.stores.values_list("external_id", flat=True).filter(platform=Platform.SHOPIFY).first() or ""


def provider_of(credential: Credential) -> LoginProvider:
    platform = Platform(credential.platform)
    if platform not in LOGINS:
        raise ConfigurationError(f"no login for {credential.get_platform_display()}", platform=platform)
    return login_provider(app_of(credential))


def grant_of(credential: Credential) -> Grant:
    """What a credential holds. Raises `ConfigurationError` when there is no token or it cannot be opened."""
    token = _opened(credential, "access_token")
    if not token:
        raise ConfigurationError("no access token is stored", platform=credential.platform)
    return Grant(
        token,
        _opened(credential, "refresh_token"),
        credential.expires_at,
        scopes=tuple(filter(None, credential.scopes.split(","))),
        refresh_expires_at=credential.refresh_expires_at,
        subject=speaks_for(whom(credential)),
    )


def values_of(grant: Grant, app: LoginApp) -> dict[str, Any]:
    """What a credential holds of a grant, by the names of its columns."""
    return {
        "app_id": app.app_id,
        "app_secret": app.app_secret or None,
        "subject": app.subject,
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token or None,
        "expires_at": grant.expires_at,
        "refresh_expires_at": grant.refresh_expires_at,
        "renewing_until": None,
        "scopes": ",".join(grant.scopes)[:1000],
        "problem": "",
    }


def _opened(credential: Credential, name: str) -> str:
    try:
        return getattr(credential, name) or ""
    except SecretError as error:
        raise ConfigurationError(str(error), platform=credential.platform) from error


def owned_accounts(credential: Credential) -> list[OwnedAccount]:
    """The ad accounts or stores that the login opens, asked of the platform now."""
    provider, grant = provider_of(credential), grant_of(credential)
    return token_uses.ask(
        credential, "list what it opens", lambda: provider.owned_accounts(grant), seconds=deadline.LISTING
    )


def connections_of(credential: Credential) -> list[Connection]:
    """The ad accounts and stores of the credential's own platform that live on it."""
    platform = credential.platform
    accounts = AdAccount.objects.filter(credential=credential.pk, platform=platform)
    return [*accounts, *Store.objects.filter(credential=credential.pk, platform=platform)]


def is_used(credential: Credential) -> bool:
    return bool(credential.ad_accounts.exists() or credential.stores.exists())


def _is_needed(credential: Credential) -> bool:
    """Whether anything that is switched on lives on it."""
    switched_on = {"is_active": True}
    return bool(
        credential.ad_accounts.filter(**switched_on).exists() or credential.stores.filter(**switched_on).exists()
    )


# --- Another login -----------------------------------------------------------------------------------


def renew(credential: Credential, grant: Grant, *, app: LoginApp, actor: User, opened: Collection[str]) -> set[UUID]:
    """Put a new login in place of the old one, with everything else that the old one opened.

    Rows with the same old token move along where the new login opens (`opened`, platform ids) all that lives on
    them: on some platforms ending one token of a person ends them all. Ad accounts that had been disconnected come
    back in shadow with autopilot off. Returns the ids of the credentials that hold the new login now.
    """
    if not has_token(credential):
        credential.ad_accounts.filter(external_id__in=opened).update(**AS_NEW)
    old = token_if_readable(credential)
    renewed = [credential, *(_moving_along(credential, old, opened) if old else [])]
    values = values_of(grant, app)
    for row in renewed:
        for name, value in values.items():
            setattr(row, name, value)
        row.save(update_fields=list(values))
        note(actor, row, f"Logged in again at {row.get_platform_display()}.")
        resolve_alerts(row)
    return {row.pk for row in renewed}


def has_token(credential: Credential) -> bool:
    return bool(Credential.objects.filter(pk=credential.pk, access_token__isnull=False).exists())


def holders(platform: str, token: str) -> list[Credential]:
    """The credentials in scope that hold this token, in the order of their ids."""
    rows = Credential.objects.filter(platform=platform, access_token__isnull=False).order_by("pk")
    return [row for row in rows if token_if_readable(row) == token]


def _moving_along(credential: Credential, token: str, opened: Collection[str]) -> list[Credential]:
    """The other credentials of the same tenant that hold this token, for nothing but what is in `opened`."""
    same = [row for row in holders(credential.platform, token) if row.tenant_id == credential.tenant_id]
    return [
        row
        for row in same
        if row.pk != credential.pk and {one.external_id for one in connections_of(row)} <= set(opened)
    ]


def token_if_readable(credential: Credential) -> str:
    try:
        return credential.access_token or ""
    except SecretError:
        return ""


# --- The end -----------------------------------------------------------------------------------------


def disconnect(target: Connection | Credential, *, actor: User) -> Ended:
    """Switch off, erase the secrets, and end the token on the platform unless others still hold it.

    The secrets go first: of two that are ended at once, the later one sees that nobody else holds the token.
    History stays. A credential that other living connections use keeps its secrets when only one is disconnected.
    """
    require(actor, CONFIGURE, target.tenant)
    with transaction.atomic():
        held = _locked(target)
        if isinstance(target, Credential):
            going: list[Connection] = [*held.ad_accounts.all(), *held.stores.all()]
        else:
            going = [type(target).objects.get(pk=target.pk)]
        for row in going:
            _switch_off(row, actor)
        if _is_needed(held):
            return Ended.SHARED
        ending = _ending(held)
        _erase(held)
        note(actor, held, "Disconnected: the secrets are erased.")
    ended = _revoke(held, ending)
    if ended in (Ended.REVOKED, Ended.UNREACHED):
        told = "was told to end the login" if ended is Ended.REVOKED else "could not be told to end the login"
        note(actor, held, f"{held.get_platform_display()} {told}.")
    return ended


def _locked(target: Connection | Credential) -> Credential:
    pk = target.pk
    if not isinstance(target, Credential):
        pk = type(target).objects.values_list("credential", flat=True).get(pk=target.pk)
    found: Credential = Credential.objects.select_for_update().get(pk=pk)
    return found


def _switch_off(row: Connection, actor: User) -> None:
    row.is_active = False
    if isinstance(row, AdAccount):
        row.autopilot = False
        row.save(update_fields=["is_active", "autopilot"])
    else:
        row.save(update_fields=["is_active"])
    told = "switched off, autopilot off" if isinstance(row, AdAccount) else "switched off"
    note(actor, row, f"Disconnected: {told}.")
    resolve_alerts_of(row)


def _erase(held: Credential) -> None:
    for name, value in _ERASED.items():
        setattr(held, name, value)
    held.save(update_fields=list(_ERASED))
    resolve_alerts(held)


Ending = tuple[LoginProvider, Grant] | ConfigurationError | None


def _ending(held: Credential) -> Ending:
    """What ends the token on the platform, while it can still be read."""
    if not has_token(held):
        return None
    try:
        return provider_of(held), grant_of(held)
    except ConfigurationError as error:
        return error


def _revoke(held: Credential, ending: Ending) -> Ended:
    if ending is None:
        return Ended.NOTHING
    if isinstance(ending, ConfigurationError):
        return Ended.UNREACHED
    provider, grant = ending
    with all_tenants():  # of other tenants nothing else is told
        if any(row.pk != held.pk for row in _ending_with(held, grant.access_token)):
            return Ended.SHARED
    try:
        token_uses.ask(held, "end the login", lambda: provider.revoke(grant), seconds=deadline.LISTING)
    except ConnectorError:
        return Ended.UNREACHED
    return Ended.REVOKED


def _ending_with(held: Credential, token: str) -> list[Credential]:
    """The credentials in scope that are dead once the platform ends this token.

    Shopify ends the app at the shop, and with it every token that the app has there.
    """
    rows = holders(held.platform, token)
    if held.platform == Platform.SHOPIFY:
        living = Credential.objects.filter(platform=held.platform, app_id=held.app_id, access_token__isnull=False)
        rows += [row for row in living if whom(row) == whom(held)]
    return rows


def remove(credential: Credential, *, actor: User) -> Ended:
    """Disconnect a credential that nothing uses, and delete it. Raises `LoginError` when something does."""
    require(actor, CONFIGURE, credential.tenant)
    if is_used(credential):
        raise LoginError("An ad account or a store uses this credential: disconnect it instead.")
    ended = disconnect(credential, actor=actor)
    note(actor, credential, "Removed.", flag=DELETION)
    credential.delete()
    return ended


def platform_ended(store: Store, *, reason: str) -> None:
    """The platform itself has ended a store's connection, for a `reason` such as "the app was uninstalled".

    The store is switched off and its secrets are erased, unless another living connection shares them; its history
    stays. People are alerted once. The platform is not asked.
    """
    problem = f"{reason[:1].upper()}{reason[1:]}. Connect it again to have it read."
    with transaction.atomic():
        held = _locked(store)
        was_on = Store.objects.filter(pk=store.pk, is_active=True).exists()
        living = Store.objects.filter(pk=store.pk, uninstalled_at__isnull=True)
        if not living.update(is_active=False, uninstalled_at=wall_now(), problem=problem[:300]):
            return
        if not _is_needed(held):
            _erase(held)
        resolve_alerts_of(store)
        if was_on:
            message = f"{store.get_platform_display()} no longer tells of {store}: {reason}. Connect it again."
            raise_alert(store.tenant, key=f"ended {store.pk}", severity=Severity.CRITICAL, message=message)


# --- What people are told ----------------------------------------------------------------------------


def names_of(rows: Iterable[Connection]) -> str:
    names = [f"{row.name} ({row.external_id})" for row in rows]
    more = len(names) - NAMED_AT_ONCE
    return ", ".join(names[:NAMED_AT_ONCE]) + (f" and {more} more" if more > 0 else "")


def note(actor: User, row: models.Model, message: str, *, flag: int = CHANGE) -> None:
    """An entry of Django's admin log: who did what to which row."""
    LogEntry.objects.log_actions(actor.pk, [row], flag, change_message=message, single_object=True)


def resolve_alerts(credential: Credential) -> None:
    for key in alert_keys(credential):
        resolve_alert(credential.tenant, key=key)


def resolve_alerts_of(row: Connection) -> None:
    for kind in ("sync", "ended"):
        resolve_alert(row.tenant, key=f"{kind} {row.pk}")


def alert_keys(credential: Credential) -> tuple[str, str, str]:
    """Of the alerts about a dead token, one that could not be renewed, and a login that people must renew."""
    return f"credential {credential.pk}", f"renewal {credential.pk}", f"login {credential.pk}"

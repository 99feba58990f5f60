"""What a login gave: which ad accounts it opens, connecting them, and ending it.

Each connected ad account has a credential row of its own, so that it is renewed and ended by itself; rows that
came of one login hold the same token, and the platform is told to end it when the last of them goes.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from uuid import UUID

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db import IntegrityError, models, transaction

from accounts.alerts import resolve_alert
from accounts.encryption import SecretError
from accounts.models import AdAccount, Credential, RolloutStage, User
from accounts.permissions import CONFIGURE, require
from accounts.scoping import all_tenants
from connectors import deadline
from connectors.connections import login_app
from connectors.contracts import Platform
from connectors.errors import ConfigurationError, ConnectorError
from connectors.login_contracts import Grant, LoginApp, LoginProvider, OwnedAccount
from connectors.registry import LOGINS, login_provider

_AS_NEW = {"is_active": True, "autopilot": False, "rollout_stage": RolloutStage.SHADOW}
_CURRENCY = re.compile(r"[A-Z]{3}")
MOST_AT_ONCE = 500
NAMED_AT_ONCE = 5
_known_zones = cache(zoneinfo.available_timezones)  # it searches a directory each time


class LoginError(Exception):
    """A login that did not work out; the text says what happened and carries no secret."""


class Ended(Enum):
    """What became of the platform's side when a connection was ended here."""

    REVOKED = "revoked"
    SHARED = "shared"
    UNREACHED = "unreached"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Connected:
    """What a choice of ad accounts did."""

    added: list[AdAccount]
    renewed: list[AdAccount]


def app_of(credential: Credential) -> LoginApp:
    """The app that a stored login belongs to. Raises `ConfigurationError` where there is none."""
    own = credential.app_id, _opened(credential, "app_secret")
    return login_app(Platform(credential.platform), own)


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
    return Grant(token, _opened(credential, "refresh_token"), credential.expires_at)


def _opened(credential: Credential, name: str) -> str:
    try:
        return getattr(credential, name) or ""
    except SecretError as error:
        raise ConfigurationError(str(error), platform=credential.platform) from error


def owned_accounts(credential: Credential) -> list[OwnedAccount]:
    """The ad accounts that the login opens, asked of the platform now."""
    return _listed(provider_of(credential), grant_of(credential))


def _listed(provider: LoginProvider, grant: Grant) -> list[OwnedAccount]:
    return deadline.within(deadline.LISTING, lambda: provider.owned_accounts(grant), platform=provider.platform)


def obstacle(account: OwnedAccount) -> str:
    """Why this account cannot be connected; empty when it can."""
    if not re.fullmatch(r"[\x21-\x7e]{1,64}", account.external_id):
        return "its id is not one that can be stored"
    if not _CURRENCY.fullmatch(account.currency):
        return "the platform names no currency"
    return "" if account.timezone in _known_zones() else "the platform names no known time zone"


def connect_accounts(credential: Credential, chosen: Iterable[str], *, actor: User) -> Connected:
    """Connect the chosen ad accounts: new ones in shadow with autopilot off, connected ones get this login.

    Names, currencies and zones are those of the platform, asked again here. Raises `LoginError`,
    `ConnectorError` or `PermissionDenied`, and then nothing has changed.
    """
    require(actor, CONFIGURE, credential.tenant)
    grant = grant_of(credential)
    app = app_of(credential)
    ids = set(chosen)
    if not 0 < len(ids) <= MOST_AT_ONCE:
        raise LoginError(f"Choose at least one ad account, and at most {MOST_AT_ONCE} at once.")
    owned = {account.external_id: account for account in _listed(login_provider(app), grant)}
    if not ids <= set(owned):
        raise LoginError("This login does not open all of the ad accounts that were chosen: look at the list again.")
    for account in (owned[external_id] for external_id in ids):
        if problem := obstacle(account):
            raise LoginError(f"{account.name or account.external_id} cannot be connected: {problem}.")
    wanted = [account for external_id, account in owned.items() if external_id in ids]
    try:
        with transaction.atomic():
            held = Credential.objects.select_for_update().get(pk=credential.pk)
            if grant_of(held).access_token != grant.access_token:
                raise LoginError("The login was changed meanwhile: look at the list again.")
            return _connect(held, wanted, grant, app, actor, opened=set(owned))
    except (IntegrityError, Credential.DoesNotExist) as error:
        raise LoginError("Somebody connected these ad accounts meanwhile: look at the list again.") from error


def _connect(
    held: Credential, chosen: list[OwnedAccount], grant: Grant, app: LoginApp, actor: User, *, opened: set[str]
) -> Connected:
    ids = [account.external_id for account in chosen]
    rows = AdAccount.objects.filter(tenant=held.tenant, platform=held.platform, external_id__in=ids)
    existing = {row.external_id: row for row in rows.select_related("credential")}
    done, have_it = Connected([], []), {held.pk}
    free = None if _is_used(held) else held
    for account in chosen:
        row = existing.get(account.external_id)
        if row is not None:
            done.renewed.append(row)
            if row.credential_id not in have_it:
                _own_credential(row, held, ids, grant, app)
                have_it |= renew(row.credential, grant, app=app, actor=actor, opened=opened)
            if AdAccount.objects.filter(pk=row.pk, is_active=False).update(**_AS_NEW):
                note(actor, row, "Switched on again, in shadow with autopilot off.")
            continue
        done.added.append(_add(account, free or _copy(held, grant, app), actor))
        free = None
    if free is not None:
        note(actor, free, "Removed: the ad accounts that it opens have it now.", flag=DELETION)
        free.delete()
    return done


def _is_used(credential: Credential) -> bool:
    return bool(credential.ad_accounts.exists() or credential.stores.exists())


def _copy(held: Credential, grant: Grant, app: LoginApp) -> Credential:
    """A row of its own for the same login."""
    copy: Credential = Credential.objects.create(
        tenant=held.tenant,
        platform=held.platform,
        label=held.label,
        app_id=app.app_id,
        app_secret=app.app_secret,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token or None,
        expires_at=held.expires_at,
    )
    return copy


def _add(account: OwnedAccount, credential: Credential, actor: User) -> AdAccount:
    name = account.name.replace("\x00", "")[:200] or account.external_id
    credential.label = f"{name[:50]} ({account.external_id})"
    credential.save(update_fields=["label"])
    row: AdAccount = AdAccount.objects.create(
        tenant=credential.tenant,
        platform=credential.platform,
        external_id=account.external_id,
        name=name,
        currency=account.currency,
        timezone=account.timezone,
        platform_status=account.status[:64],
        credential=credential,
        **_AS_NEW,
    )
    note(actor, row, f"Connected by a login at {row.get_platform_display()}.")
    return row


def _own_credential(row: AdAccount, held: Credential, ids: Collection[str], grant: Grant, app: LoginApp) -> None:
    """A credential that also opens what was not chosen keeps its own token: the ad account gets another one."""
    others = row.credential.ad_accounts.exclude(external_id__in=ids)
    if others.exists() or row.credential.stores.exists():
        row.credential = _copy(held, grant, app)
        row.save(update_fields=["credential"])


def renew(credential: Credential, grant: Grant, *, app: LoginApp, actor: User, opened: Collection[str]) -> set[UUID]:
    """Put a new login in place of the old one, with everything else that the old one opened.

    Rows with the same old token move along where the new login opens (`opened`, platform ids) all of their ad
    accounts: on some platforms ending one token of a person ends them all. Ad accounts that had been
    disconnected come back in shadow with autopilot off. Returns the ids of the credentials that hold it now.
    """
    if not _has_token(credential):
        credential.ad_accounts.update(**_AS_NEW)
    old = _token_if_readable(credential)
    renewed = [credential, *(_holders(credential, old, opened) if old else [])]
    for row in renewed:
        row.app_id, row.app_secret = app.app_id, app.app_secret or None
        row.access_token, row.refresh_token = grant.access_token, grant.refresh_token or None
        row.expires_at, row.problem = grant.expires_at, ""
        row.save(update_fields=["app_id", "app_secret", "access_token", "refresh_token", "expires_at", "problem"])
        note(actor, row, f"Logged in again at {row.get_platform_display()}.")
        _resolve_alerts(row)
    return {row.pk for row in renewed}


def _has_token(credential: Credential) -> bool:
    return bool(Credential.objects.filter(pk=credential.pk, access_token__isnull=False).exists())


def _holders(credential: Credential, token: str, opened: Collection[str]) -> list[Credential]:
    """The other credentials of the same tenant that hold this token, for nothing but ad accounts in `opened`."""
    rows = Credential.objects.filter(tenant=credential.tenant_id, platform=credential.platform)
    living = rows.filter(access_token__isnull=False).exclude(pk=credential.pk).prefetch_related("ad_accounts")
    same = [row for row in living if _token_if_readable(row) == token]
    return [row for row in same if {account.external_id for account in row.ad_accounts.all()} <= set(opened)]


def _token_if_readable(credential: Credential) -> str:
    try:
        return credential.access_token or ""
    except SecretError:
        return ""


def disconnect(target: AdAccount | Credential, *, actor: User) -> Ended:
    """Switch off, erase the secrets, and end the token on the platform unless others still hold it.

    The secrets go first: of two that are ended at once, the later one sees that nobody else holds the token.
    History stays. A credential that opens further ad accounts or a store keeps its secrets when only one
    ad account is disconnected.
    """
    require(actor, CONFIGURE, target.tenant)
    is_account = isinstance(target, AdAccount)
    with transaction.atomic():
        pk = AdAccount.objects.values_list("credential", flat=True).get(pk=target.pk) if is_account else target.pk
        held = Credential.objects.select_for_update().get(pk=pk)
        accounts = held.ad_accounts.filter(pk=target.pk) if is_account else held.ad_accounts.all()
        for account in accounts:
            account.is_active = account.autopilot = False
            account.save(update_fields=["is_active", "autopilot"])
            note(actor, account, "Disconnected: switched off, autopilot off.")
            resolve_alert(account.tenant, key=f"sync {account.pk}")
        if is_account and (held.ad_accounts.exclude(pk=target.pk).exists() or held.stores.exists()):
            return Ended.SHARED
        ending = _ending(held)
        held.app_secret = held.access_token = held.refresh_token = held.expires_at = None
        held.problem = ""
        held.save(update_fields=["app_secret", "access_token", "refresh_token", "expires_at", "problem"])
        held.stores.update(is_active=False)
        note(actor, held, "Disconnected: the secrets are erased.")
        _resolve_alerts(held)
    ended = _revoke(held, ending)
    if ended in (Ended.REVOKED, Ended.UNREACHED):
        told = "was told to end the login" if ended is Ended.REVOKED else "could not be told to end the login"
        note(actor, held, f"{held.get_platform_display()} {told}.")
    return ended


Ending = tuple[LoginProvider, Grant] | ConfigurationError | None


def _ending(held: Credential) -> Ending:
    """What ends the token on the platform, while it can still be read."""
    if not _has_token(held):
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
    if _is_held_elsewhere(held, grant.access_token):
        return Ended.SHARED
    try:
        deadline.within(deadline.LISTING, lambda: provider.revoke(grant), platform=provider.platform)
    except ConnectorError:
        return Ended.UNREACHED
    return Ended.REVOKED


def _is_held_elsewhere(ended: Credential, token: str) -> bool:
    """Whether any tenant's credential still holds the token; of other tenants nothing else is told."""
    with all_tenants():
        rows = Credential.objects.filter(platform=ended.platform, access_token__isnull=False).exclude(pk=ended.pk)
        return any(_token_if_readable(row) == token for row in rows.only("id", "access_token"))


def remove(credential: Credential, *, actor: User) -> Ended:
    """Disconnect a credential that nothing uses, and delete it. Raises `LoginError` when something does."""
    require(actor, CONFIGURE, credential.tenant)
    if _is_used(credential):
        raise LoginError("An ad account or a store uses this credential: disconnect it instead.")
    ended = disconnect(credential, actor=actor)
    note(actor, credential, "Removed.", flag=DELETION)
    credential.delete()
    return ended


def names_of(accounts: Iterable[AdAccount]) -> str:
    names = [f"{account.name} ({account.external_id})" for account in accounts]
    more = len(names) - NAMED_AT_ONCE
    return ", ".join(names[:NAMED_AT_ONCE]) + (f" and {more} more" if more > 0 else "")


def note(actor: User, row: models.Model, message: str, *, flag: int = CHANGE) -> None:
    """An entry of Django's admin log: who did what to which row."""
    LogEntry.objects.log_actions(actor.pk, [row], flag, change_message=message, single_object=True)


def _resolve_alerts(credential: Credential) -> None:
    for key in alert_keys(credential):
        resolve_alert(credential.tenant, key=key)


def alert_keys(credential: Credential) -> tuple[str, str]:
    """Of the alerts about a dead token, and about one that could not be renewed."""
    return f"credential {credential.pk}", f"renewal {credential.pk}"

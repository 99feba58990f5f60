"""Connecting what a login opens: the chosen ad accounts or stores become rows, as the platform describes them."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Collection, Iterable
from functools import cache

from django.contrib.admin.models import DELETION
from django.db import IntegrityError, transaction

from accounts.models import AdAccount, Credential, User
from accounts.permissions import CONFIGURE, require
from connectors import deadline, store_grants, token_uses, tokens
from connectors.contracts import Platform
from connectors.grants import AS_NEW, LoginError, app_of, grant_of, is_used, note, provider_of, renew, values_of
from connectors.login_contracts import Grant, LoginApp, OwnedAccount
from connectors.registry import STORES
from connectors.store_grants import Connected

_ID = re.compile(r"[\x21-\x7e]{1,64}")
_CIPHER = re.compile(r"[\x21-\x7e]{0,200}")
_CURRENCY = re.compile(r"[A-Z]{3}")
MOST_AT_ONCE = 500
_known_zones = cache(zoneinfo.available_timezones)  # it searches a directory each time


def obstacle(account: OwnedAccount) -> str:
    """Why this account cannot be connected; empty when it can."""
    if account.obstacle:
        return account.obstacle
    if not _ID.fullmatch(account.external_id) or not _CIPHER.fullmatch(account.cipher):
        return "its id is not one that can be stored"
    if not _CURRENCY.fullmatch(account.currency):
        return "the platform names no currency"
    return "" if account.timezone in _known_zones() else "the platform names no known time zone"


def connect_accounts(credential: Credential, chosen: Iterable[str], *, actor: User) -> Connected:
    """Connect what was chosen, by platform ids: new ones, and connected ones get this login.

    Ad accounts begin in shadow with autopilot off. Names, currencies and zones are those of the platform, asked
    again here. Raises `LoginError`, `ConnectorError` or `PermissionDenied`, and then nothing has changed.
    """
    require(actor, CONFIGURE, credential.tenant)
    credential = tokens.fresh(credential)
    grant, app, provider = grant_of(credential), app_of(credential), provider_of(credential)
    what = "store" if provider.platform in STORES else "ad account"
    ids = set(chosen)
    if not 0 < len(ids) <= MOST_AT_ONCE:
        raise LoginError(f"Choose at least one {what}, and at most {MOST_AT_ONCE} at once.")
    listed = token_uses.ask(
        credential, "list what it opens", lambda: provider.owned_accounts(grant), seconds=deadline.LISTING
    )
    owned = {account.external_id: account for account in listed}
    if not ids <= set(owned):
        raise LoginError(f"This login does not open every {what} that was chosen: look at the list again.")
    wanted = [account for external_id, account in owned.items() if external_id in ids]
    try:
        with transaction.atomic():
            held = Credential.objects.select_for_update().get(pk=credential.pk)
            if grant_of(held).access_token != grant.access_token:
                raise LoginError("The login was changed meanwhile: look at the list again.")
            return put(held, wanted, grant, app, actor, opened=set(owned))
    except (IntegrityError, Credential.DoesNotExist) as error:
        raise LoginError("Somebody connected the same meanwhile: look at the list again.") from error


def put(
    held: Credential, chosen: list[OwnedAccount], grant: Grant, app: LoginApp, actor: User, *, opened: set[str]
) -> Connected:
    """The rows of what was chosen, on the credential that holds this grant. Within a transaction."""
    for account in chosen:
        if problem := obstacle(account):
            raise LoginError(f"{account.name or account.external_id} cannot be connected: {problem.rstrip('.')}.")
    if Platform(held.platform) in STORES:
        return store_grants.put(held, chosen, actor, opened=opened)
    return _put_accounts(held, chosen, grant, app, actor, opened=opened)


def _put_accounts(
    held: Credential, chosen: list[OwnedAccount], grant: Grant, app: LoginApp, actor: User, *, opened: set[str]
) -> Connected:
    ids = [account.external_id for account in chosen]
    rows = AdAccount.objects.filter(tenant=held.tenant, platform=held.platform, external_id__in=ids)
    existing = {row.external_id: row for row in rows.select_related("credential")}
    done, have_it = Connected([], []), {held.pk}
    free = None if is_used(held) else held
    for account in chosen:
        row = existing.get(account.external_id)
        if row is not None:
            done.renewed.append(row)
            if row.credential_id not in have_it:
                _own_credential(row, held, ids, grant, app)
                have_it |= renew(row.credential, grant, app=app, actor=actor, opened=opened)
            if AdAccount.objects.filter(pk=row.pk, is_active=False).update(**AS_NEW):
                note(actor, row, "Switched on again, in shadow with autopilot off.")
            continue
        done.added.append(_add(account, free or _copy(held, grant, app), actor))
        free = None
    if free is not None:
        note(actor, free, "Removed: the ad accounts that it opens have it now.", flag=DELETION)
        free.delete()
    return done


def _copy(held: Credential, grant: Grant, app: LoginApp) -> Credential:
    """A row of its own for the same login."""
    copy: Credential = Credential.objects.create(
        tenant=held.tenant, platform=held.platform, label=held.label, **values_of(grant, app)
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
        **AS_NEW,
    )
    note(actor, row, f"Connected by a login at {row.get_platform_display()}.")
    return row


def _own_credential(row: AdAccount, held: Credential, ids: Collection[str], grant: Grant, app: LoginApp) -> None:
    """A credential that also opens what was not chosen keeps its own token: the ad account gets another one."""
    others = row.credential.ad_accounts.exclude(external_id__in=ids)
    if others.exists() or row.credential.stores.exists():
        row.credential = _copy(held, grant, app)
        row.save(update_fields=["credential"])

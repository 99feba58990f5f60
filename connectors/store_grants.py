"""Stores on the logins that open them: those of one login share its credential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django_q.tasks import async_task

from accounts.models import Credential, Store, User
from accounts.models.credentials import StoreKind
from connectors.grants import is_used, note, resolve_alerts, resolve_alerts_of
from connectors.login_contracts import OwnedAccount
from connectors.models import TokenUse


@dataclass(frozen=True, slots=True)
class Connected:
    """What a choice of ad accounts or stores did."""

    added: list[Any]
    renewed: list[Any]


def put(held: Credential, chosen: list[OwnedAccount], actor: User, *, opened: set[str]) -> Connected:
    """The chosen stores on this credential; their older ones give up what it opens (`opened`, platform ids).

    Zone and currency of a store that is known stay as they are: hours were counted in them. Within a transaction.
    """
    ids = [account.external_id for account in chosen]
    rows = Store.objects.filter(tenant=held.tenant, platform=held.platform, external_id__in=ids)
    existing = {row.external_id: row for row in rows.select_related("credential")}
    older = {row.credential for row in existing.values() if row.credential_id != held.pk}
    done = Connected([], [])
    for account in chosen:
        row = existing.get(account.external_id)
        (done.renewed if row else done.added).append(_put(row, account, held, actor))
    for credential in older:
        _fold(credential, held, actor, opened=opened)
    if chosen:
        _name(held)
        async_task("connectors.tasks.subscribe_stores", task_name=f"subscriptions of {held.pk}")
    return done


def _put(row: Store | None, account: OwnedAccount, held: Credential, actor: User) -> Store:
    is_new = row is None
    if row is None:
        row = Store(tenant=held.tenant, platform=held.platform, external_id=account.external_id)
        row.name = account.name.replace("\x00", "")[:120] or account.external_id
        row.currency, row.timezone = account.currency, account.timezone
    row.kind = StoreKind.CREATOR if held.subject == "creator" else StoreKind.SHOP
    row.region, row.seller_type, row.cipher = account.region[:8], account.seller_type[:24], account.cipher
    row.credential, row.is_active = held, True
    row.problem, row.uninstalled_at, row.subscribed_at = "", None, None
    row.save()
    note(actor, row, "Connected." if is_new else "Connected again.", flag=ADDITION if is_new else CHANGE)
    resolve_alerts_of(row)
    return row


def _fold(older: Credential, held: Credential, actor: User, *, opened: set[str]) -> None:
    """What the new login opens as well moves along: tokens of one person may end each other."""
    moving = Store.objects.filter(credential=older, platform=held.platform, external_id__in=opened)
    moving.update(credential=held)
    if is_used(older):
        return
    TokenUse.objects.filter(credential=older).update(credential=held)
    resolve_alerts(older)
    note(actor, older, "Removed: the stores that it opened have a new login.", flag=DELETION)
    older.delete()


def _name(held: Credential) -> None:
    names = list(held.stores.values_list("name", "external_id"))
    name, external_id = names[0]
    held.label = f"{name[:50]} ({external_id})" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    held.save(update_fields=["label"])

"""The kill switch: stops every write at once, of a tenant or of all. Missing or unreadable means engaged."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError

from accounts.models import Tenant, User
from accounts.permissions import RELEASE, STOP, require
from accounts.scoping import all_tenants
from automation import log
from automation.models import KillSwitch


class SwitchError(Exception):
    """The switch cannot be moved so; one clear line."""


def stop_reason(tenant_id: Any) -> str:
    """Why nothing may be written now; empty when writing is allowed."""
    wanted = {KillSwitch.ALL: "all tenants", str(tenant_id): "this tenant"}
    try:
        rows = {row.scope: row for row in KillSwitch.objects.filter(scope__in=list(wanted))}
    except DatabaseError:
        return "the kill switch could not be read"
    for scope, whom in wanted.items():
        row = rows.get(scope)
        if row is None:
            return f"the kill switch of {whom} is missing"
        if row.is_engaged:
            return f"the kill switch of {whom} is engaged: {row.reason or 'no reason given'}"
    return ""


def engage(*, tenant: Tenant, reason: str, actor: User | None, actor_name: str = "") -> None:
    """Stop every write of the tenant from the next attempt on. Anyone who may stop may call it."""
    if actor is not None:
        require(actor, STOP, tenant)
    _move(tenant, True, reason, str(actor) if actor else actor_name)


def release(*, tenant: Tenant, reason: str, actor: User) -> None:
    """Allow writes again. Raises `SwitchError` without a reason."""
    require(actor, RELEASE, tenant)
    if not reason.strip():
        raise SwitchError("expected a reason for releasing the kill switch")
    _move(tenant, False, reason, str(actor))


def engage_all(*, reason: str, actor: User) -> None:
    """Stop every write of every tenant. For superusers."""
    _move_all(True, reason, actor)


def release_all(*, reason: str, actor: User) -> None:
    """Open the switch of all tenants; their own switches stay as they are. For superusers."""
    if not reason.strip():
        raise SwitchError("expected a reason for releasing the kill switch")
    _move_all(False, reason, actor)


def _move_all(is_engaged: bool, reason: str, actor: User) -> None:
    if not (actor.is_active and actor.is_superuser):
        raise PermissionDenied("only a superuser moves the kill switch of all tenants")
    with all_tenants():
        _set(KillSwitch.ALL, is_engaged, reason, str(actor))
        event = "kill_switch_of_all_engaged" if is_engaged else "kill_switch_of_all_released"
        for tenant in Tenant.objects.all():
            log.append(tenant_id=tenant.pk, event=event, actor=str(actor), details={"reason": reason[:300]})


def _move(tenant: Tenant, is_engaged: bool, reason: str, actor: str) -> None:
    _set(str(tenant.pk), is_engaged, reason, actor)
    event = "kill_switch_engaged" if is_engaged else "kill_switch_released"
    log.append(tenant_id=tenant.pk, event=event, actor=actor, details={"reason": reason[:300]})


def _set(scope: str, is_engaged: bool, reason: str, actor: str) -> None:
    """Committed before the log's turn is waited for: a stop must not queue behind anything."""
    values = {"is_engaged": is_engaged, "reason": reason[:300], "changed_by": actor[:200]}
    KillSwitch.objects.update_or_create(scope=scope, defaults=values)


def ensure_switches(tenant: Tenant) -> None:
    """The open switches of a new tenant; those that stand are left, and a lost one of all stays lost: stopped."""
    if not KillSwitch.objects.exists():
        KillSwitch.objects.get_or_create(scope=KillSwitch.ALL)
    KillSwitch.objects.get_or_create(scope=str(tenant.pk))

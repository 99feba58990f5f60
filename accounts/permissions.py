"""Who may do what: one table from role to verbs, used by the admin, the API and every service.

Django's permission strings are mapped onto the verbs, so that `ModelAdmin` and templates ask the same
table. A right in one tenant gives nothing in another: pass the row, and its tenant decides.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied

from accounts.models import Membership, Role, Tenant, User
from accounts.scoping import all_tenants

VIEW, PROPOSE, APPROVE, CONFIGURE, STOP, RELEASE = (
    "view",
    "propose",
    "approve",
    "configure",
    "stop",
    "release",
)

ROLE_VERBS: dict[str, frozenset[str]] = {
    Role.VIEWER: frozenset({VIEW}),
    Role.BUYER: frozenset({VIEW, PROPOSE, STOP}),
    Role.APPROVER: frozenset({VIEW, PROPOSE, STOP, APPROVE}),
    Role.OWNER: frozenset({VIEW, PROPOSE, STOP, APPROVE, CONFIGURE, RELEASE}),
}
VERB_OF_PREFIX = {"view": VIEW, "add": CONFIGURE, "change": CONFIGURE, "delete": CONFIGURE}


def memberships_of(user: User) -> list[Membership]:
    """The user's memberships in active tenants, read once per request (kept on the instance)."""
    cached: list[Membership] | None = getattr(user, "_memberships", None)
    if cached is None:
        with all_tenants():
            rows = Membership.objects.filter(user_id=user.pk, tenant__is_active=True)
            cached = list(rows.select_related("tenant"))
        user._memberships = cached  # type: ignore[attr-defined]
    return cached


def may(user: User, verb: str, tenant: Tenant | None = None) -> bool:
    """Whether the user may do it in this tenant, or in any of theirs when none is given."""
    if not user.is_active:
        return False
    if user.is_superuser:
        return True
    return any(
        verb in ROLE_VERBS[membership.role]
        for membership in memberships_of(user)
        if tenant is None or membership.tenant_id == tenant.pk
    )


def require(user: User, verb: str, tenant: Tenant) -> None:
    """Raises `PermissionDenied` with one line when `may` says no."""
    if not may(user, verb, tenant):
        raise PermissionDenied(f"{user} may not {verb} in {tenant}")


class RoleBackend(ModelBackend):
    """Passwords as usual; permissions from memberships."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        if not user_obj.is_active or user_obj.is_anonymous:
            return False
        prefix = perm.partition(".")[2].partition("_")[0]
        tenant = obj if isinstance(obj, Tenant) else getattr(obj, "tenant", None)
        return may(user_obj, VERB_OF_PREFIX.get(prefix, prefix), tenant)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return bool(user_obj.is_active and may(user_obj, VIEW))

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return set()

"""The active tenants. Managers of tenant-owned models raise outside a scope.

    with tenant_scope(tenant): ...      rows of one tenant
    with tenants_scope(ids): ...        rows of these tenants (none of them: no rows)
    with all_tenants(): ...             every row: superusers, and workers that look for work

The filter sits in the manager, so a caller who forgets it gets an error and not another tenant's rows;
saving a row of a tenant outside the scope, one or many, raises as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import models

Model = TypeVar("Model", bound=models.Model)

EVERYTHING = None
Scope = frozenset[UUID] | None

_scope: ContextVar[Scope] = ContextVar("tenant_scope")


class ScopeError(Exception):
    """A tenant-owned row was touched outside a scope that holds its tenant."""


@contextmanager
def _entered(scope: Scope) -> Iterator[None]:
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def tenant_scope(tenant: Any) -> Any:
    """Scope of one tenant (a `Tenant` or its id)."""
    return _entered(frozenset([tenant.pk if isinstance(tenant, models.Model) else tenant]))


def tenants_scope(tenant_ids: Iterable[UUID]) -> Any:
    return _entered(frozenset(tenant_ids))


def all_tenants() -> Any:
    return _entered(EVERYTHING)


def active_scope() -> Scope:
    """The ids in scope, `None` for all tenants. Raises `ScopeError` outside a scope."""
    try:
        return _scope.get()
    except LookupError:
        raise ScopeError("no tenant scope is active: enter tenant_scope(), or all_tenants() on purpose") from None


def in_scope(tenant_id: UUID) -> bool:
    scope = active_scope()
    return scope is EVERYTHING or tenant_id in scope


class TenantQuerySet(models.QuerySet[Model]):
    """Writes of many rows are held to the scope like `save()` of one."""

    def bulk_create(self, objs: Iterable[Model], *args: Any, **kwargs: Any) -> list[Model]:
        rows = list(objs)
        if not all(in_scope(row.tenant_id) for row in rows if hasattr(row, "tenant_id")):
            raise ScopeError(f"{self.model.__name__} of a tenant outside the active scope")
        return super().bulk_create(rows, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        for name in {"tenant", "tenant_id"} & set(kwargs):
            tenant = kwargs[name]
            if not in_scope(tenant.pk if isinstance(tenant, models.Model) else tenant):
                raise ScopeError(f"{self.model.__name__} cannot move to a tenant outside the active scope")
        return super().update(**kwargs)


class TenantManager(models.Manager[Model], Generic[Model]):
    """Filters every query by the active scope; `lookup` names the way to the tenant's id."""

    _queryset_class = TenantQuerySet

    def __init__(self, lookup: str = "tenant_id") -> None:
        super().__init__()
        self.lookup = lookup

    def get_queryset(self) -> models.QuerySet[Model]:
        scope = active_scope()
        rows = super().get_queryset()
        return rows if scope is EVERYTHING else rows.filter(**{f"{self.lookup}__in": scope})

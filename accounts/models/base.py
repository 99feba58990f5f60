"""What every model of Bursar shares."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models

from accounts.money import MAX_MICROS
from accounts.scoping import ScopeError, TenantManager, in_scope


class UuidModel(models.Model):
    """A row with a UUID that is known before it is saved, and the time it was made (wall time)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    class Meta:
        abstract = True


class TenantOwned(models.Model):
    """A row that belongs to one tenant. Queries and saves need a scope that holds that tenant."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.PROTECT, editable=False)

    objects: TenantManager[Any] = TenantManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not in_scope(self.tenant_id):
            raise ScopeError(f"{type(self).__name__} of a tenant outside the active scope")
        super().save(*args, **kwargs)


def money_constraint(field: str, *, low: int = 0) -> models.CheckConstraint:
    """Bounds on both sides for an amount in micros (`NULL` passes)."""
    return models.CheckConstraint(
        condition=models.Q(**{f"{field}__gte": low, f"{field}__lte": MAX_MICROS})
        | models.Q(**{f"{field}__isnull": True}),
        name=f"%(app_label)s_%(class)s_{field}_in_bounds"[:60],
    )

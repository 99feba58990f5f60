"""Partner keys: `bur_<prefix>_<secret>`, shown once, stored as SHA-256, bound to one tenant."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import ApiKey, Tenant, User
from accounts.models.api_keys import ApiScope
from accounts.scoping import all_tenants

_SHAPE = re.compile(r"bur_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
_LAST_USED_STEP = timedelta(minutes=1)


def create_key(
    *, tenant: Tenant, name: str, scopes: Iterable[str], expires_at: datetime, actor: User | None
) -> tuple[ApiKey, str]:
    """The row and the clear key, which cannot be read again. Raises `ValidationError`."""
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= set(ApiScope.values):
        raise ValidationError(f"scopes: expected some of {', '.join(ApiScope.values)}")
    if expires_at <= timezone.now():
        raise ValidationError("expires_at: expected a time in the future")
    prefix = "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(10))
    secret = secrets.token_urlsafe(32)
    row = ApiKey(
        tenant=tenant,
        name=name,
        prefix=prefix,
        key_hash=_hash(secret),
        scopes=wanted,
        expires_at=expires_at,
        created_by=actor,
    )
    row.full_clean(exclude=["tenant"])
    row.save()
    return row, f"bur_{prefix}_{secret}"


def authenticate(text: str) -> ApiKey | None:
    """The live key that this text is, or `None` (unknown, expired, revoked, inactive tenant)."""
    match = _SHAPE.fullmatch(text)
    if not match:
        return None
    now = timezone.now()
    with all_tenants():
        row: ApiKey | None = ApiKey.objects.select_related("tenant").filter(prefix=match[1]).first()
        if row is None or not hmac.compare_digest(row.key_hash, _hash(match[2])):
            return None
        if row.revoked_at or row.expires_at <= now or not row.tenant.is_active:
            return None
        if row.last_used_at is None or now - row.last_used_at > _LAST_USED_STEP:
            ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)
    return row


def revoke_key(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=timezone.now())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

"""Raising and resolving alerts; the senders of messages come later, as connectors."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Alert, Tenant


def raise_alert(tenant: Tenant, *, key: str, severity: str, message: str) -> None:
    """Open an alert, or count a repeat of the open one."""
    values = {"severity": severity, "message": message[:500], "last_seen_at": timezone.now()}
    open_alert = Alert.objects.filter(tenant=tenant, key=key, resolved_at__isnull=True)
    if open_alert.update(count=F("count") + 1, **values):
        return
    try:
        with transaction.atomic():
            Alert.objects.create(tenant=tenant, key=key, severity=severity, message=message[:500])
    except IntegrityError:
        open_alert.update(count=F("count") + 1, **values)


def resolve_alert(tenant: Tenant, *, key: str) -> None:
    Alert.objects.filter(tenant=tenant, key=key, resolved_at__isnull=True).update(resolved_at=timezone.now())

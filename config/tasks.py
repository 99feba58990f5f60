"""Housekeeping of the queue itself."""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone
from django_q.models import Task

from accounts.models import IdempotentRequest
from accounts.scoping import all_tenants
from connectors.models import Delivery, TokenUse
from connectors.webhooks import LASTING

HEARTBEAT_KEY = "queue-heartbeat"
KEEP_RESULTS = timedelta(days=7)
KEEP_ANSWERS = timedelta(days=2)
KEEP_DELIVERIES = timedelta(days=30)
KEEP_LASTING = timedelta(days=365)  # who asked for an end or an erasure, and when
KEEP_TOKEN_USES = timedelta(days=400)


def heartbeat() -> None:
    """Proof of a full round through the queue; readiness looks at its age."""
    cache.set(HEARTBEAT_KEY, timezone.now().isoformat(), timeout=None)


def purge() -> int:
    """Old results of the queue, answers kept for idempotent requests, deliveries worked off, and uses of tokens.

    Returns the rows deleted.
    """
    now = timezone.now()
    with all_tenants():
        worked_off = Delivery.objects.exclude(state=Delivery.State.WAITING)
        old = (
            Task.objects.filter(stopped__lt=now - KEEP_RESULTS),
            IdempotentRequest.objects.filter(created_at__lt=now - KEEP_ANSWERS),
            worked_off.filter(created_at__lt=now - KEEP_DELIVERIES).exclude(topic__in=LASTING),
            worked_off.filter(created_at__lt=now - KEEP_LASTING),
            TokenUse.objects.filter(at__lt=now - KEEP_TOKEN_USES),
        )
        return sum(int(rows.delete()[0]) for rows in old)

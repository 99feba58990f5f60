"""Housekeeping of the queue itself."""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone
from django_q.models import Task

from accounts.models import IdempotentRequest
from accounts.scoping import all_tenants

HEARTBEAT_KEY = "queue-heartbeat"
KEEP_RESULTS = timedelta(days=7)
KEEP_ANSWERS = timedelta(days=2)


def heartbeat() -> None:
    """Proof of a full round through the queue; readiness looks at its age."""
    cache.set(HEARTBEAT_KEY, timezone.now().isoformat(), timeout=None)


def purge() -> int:
    """Old results of the queue, and answers kept for idempotent requests; returns the rows deleted."""
    now = timezone.now()
    results, _ = Task.objects.filter(stopped__lt=now - KEEP_RESULTS).delete()
    with all_tenants():
        answers, _ = IdempotentRequest.objects.filter(created_at__lt=now - KEEP_ANSWERS).delete()
    return int(results + answers)

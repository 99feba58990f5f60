"""Housekeeping of the queue itself."""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone
from django_q.models import Task

HEARTBEAT_KEY = "queue-heartbeat"
KEEP_RESULTS = timedelta(days=7)


def heartbeat() -> None:
    """Proof of a full round through the queue; readiness looks at its age."""
    cache.set(HEARTBEAT_KEY, timezone.now().isoformat(), timeout=None)


def purge_results() -> int:
    deleted, _ = Task.objects.filter(stopped__lt=timezone.now() - KEEP_RESULTS).delete()
    return int(deleted)

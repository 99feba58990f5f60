"""Whether this installation can do its work: each check gives a problem, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.exceptions import MigrationSchemaMissing
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from redis.exceptions import RedisError

from config.tasks import HEARTBEAT_KEY

HEARTBEAT_LATE = timedelta(minutes=5)
AWAY = (DatabaseError, RedisError, OSError)


def database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def shared_cache() -> str:
    token = timezone.now().isoformat()
    cache.set("readiness", token, timeout=60)
    return "" if cache.get("readiness") is not None else "what was stored is not found"


def migrations() -> str:
    try:
        executor = MigrationExecutor(connection)
    except MigrationSchemaMissing:
        return "no migrations are recorded"
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    return f"{waiting} migrations are not applied" if waiting else ""


def queue() -> str:
    age = heartbeat_age()
    if age is None:
        return "no heartbeat yet"
    return f"the last heartbeat is {age.total_seconds():.0f} s old" if age > HEARTBEAT_LATE else ""


def heartbeat_age() -> timedelta | None:
    """Since the last full round through the queue; `None` before the first."""
    told = cache.get(HEARTBEAT_KEY)
    return timezone.now() - datetime.fromisoformat(told) if told else None


CHECKS: dict[str, Callable[[], str]] = {
    "database": database,
    "cache": shared_cache,
    "migrations": migrations,
    "queue": queue,
}


def problems() -> dict[str, str]:
    """Every check with its problem, `""` when there is none. No secrets, no addresses."""
    return {name: _run(check) for name, check in CHECKS.items()}


def _run(check: Callable[[], str]) -> str:
    try:
        return check()
    except AWAY as error:
        return f"not reachable ({type(error).__name__})"

"""The shared rate budget: one row per platform account or app, moved by one statement per request.

It is a leaky bucket in the form of GCRA: `free_at` is when everything booked so far will have leaked away, so a
booking only moves it. The row lock of that one statement is all the coordination there is between processes
and hosts; on PostgreSQL the time is the database's, on SQLite (one host) the machine's.

Call it outside of transactions: inside one, everybody else waits for its end, and a rollback undoes the booking.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import DatabaseError, connection

from connectors.errors import RateLimitedError
from connectors.models import RateBudget

logger = logging.getLogger(__name__)

SECOND = 1_000_000  # times in the row are in microseconds
LONGEST_HOLD = 86_400.0

_TABLE = RateBudget._meta.db_table
_DATABASE_NOW = "CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS bigint)"
_GREATEST = {"postgresql": "greatest", "sqlite": "max"}

_BOOK = """
INSERT INTO {table} (key, free_at, held_until) VALUES (%(key)s, {now} + %(cost)s, 0)
ON CONFLICT (key) DO UPDATE SET free_at = {greatest}({table}.free_at, {now}) + %(cost)s
WHERE {greatest}({table}.free_at, {now}) + %(cost)s - %(size)s <= {now} + %(patience)s
  AND {table}.held_until <= {now} + %(patience)s
RETURNING {greatest}(free_at - %(size)s, held_until) - {now}
"""
_LOOK = """
SELECT {greatest}({greatest}(free_at, {now}) + %(cost)s - %(size)s, held_until) - {now} FROM {table} WHERE key = %(key)s
"""
_HELD = "SELECT held_until - {now} FROM {table} WHERE key = %(key)s"
_HOLD = """
INSERT INTO {table} (key, free_at, held_until) VALUES (%(key)s, {now}, {now} + %(hold)s)
ON CONFLICT (key) DO UPDATE SET held_until = {greatest}({table}.held_until, {now} + %(hold)s)
"""


class SharedBudget:
    """A `Pace` (`connectors.pace`) of `size` points that refill evenly over `seconds`, in the database.

    In any span of time no more is let through than `size` and what refills meanwhile. `spare` points of it are
    for what is urgent: else a long sync would keep every write waiting.
    """

    def __init__(
        self, key: str, *, size: int, seconds: float, spare: int = 0, read_cost: int = 1, write_cost: int = 1
    ) -> None:
        if not 0 <= spare < size or seconds <= 0:
            raise ValueError("a rate budget needs at least one point and some time to refill")
        self.key, self.size, self.seconds, self.spare = key, size, seconds, spare
        self.read_cost, self.write_cost = read_cost, write_cost

    def reserve(self, cost: int, patience: float) -> float:
        return self._reserve(cost, patience, self.size - self.spare)

    def reserve_urgent(self, cost: int, patience: float) -> float:
        return self._reserve(cost, patience, self.size)

    def _reserve(self, cost: int, patience: float, size: int) -> float:
        point = self.seconds * SECOND / self.size
        values = {
            "key": self.key,
            "cost": round(cost * point),
            "size": round(size * point),
            "patience": round(max(patience, 0.0) * SECOND),
        }
        try:
            booked = _ask(_BOOK, values)
            if booked is not None:
                return max(booked / SECOND, 0.0)
            missing = _ask(_LOOK, values) or 0
        except DatabaseError as error:
            message = f"the shared rate budget could not be asked, nothing was sent: {type(error).__name__}"
            raise RateLimitedError(message) from error
        return max(missing / SECOND, patience + 0.001)  # the row may have become free since

    def held(self) -> float:
        return max((_ask(_HELD, {"key": self.key}) or 0) / SECOND, 0.0)

    def hold(self, seconds: float) -> None:
        """Never shortens. A database that fails here must not hide what the platform answered."""
        values = {"key": self.key, "hold": round(min(max(seconds, 0.0), LONGEST_HOLD) * SECOND)}
        try:
            _ask(_HOLD, values)
        except DatabaseError as error:
            logger.warning("the hold of the rate budget %s was not stored: %s", self.key, type(error).__name__)


def _ask(sql: str, values: dict[str, Any]) -> int | None:
    """The one number that the statement gives, or None without one."""
    now = _DATABASE_NOW if connection.vendor == "postgresql" else "%(now)s"
    statement = sql.format(table=_TABLE, greatest=_GREATEST[connection.vendor], now=now)
    with connection.cursor() as cursor:
        cursor.execute(statement, values | {"now": time.time_ns() // 1000})
        row = cursor.fetchone() if cursor.description else None
    return None if row is None else int(row[0])

"""What a sync counts and tells while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from accounts.hours import hour_of

Progress = Callable[[int], None]


@dataclass(slots=True)
class SyncCounts:
    """What a sync wrote: new or changed rows, and the oldest hour whose profit they concern."""

    hours: int = 0
    ad_days: int = 0
    orders: int = 0
    refunds: int = 0
    oldest: datetime | None = None

    def add(self, other: SyncCounts) -> None:
        self.hours += other.hours
        self.ad_days += other.ad_days
        self.orders += other.orders
        self.refunds += other.refunds
        self.concern(other.oldest)

    def concern(self, *moments: datetime | None) -> None:
        self.oldest = min((hour_of(at) for at in (self.oldest, *moments) if at is not None), default=None)

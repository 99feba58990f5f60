"""Windows over closed hours, and the sums and ratios that rules and guardrails read from them.

Tokens: `today`, `yesterday`, `last_Nh` (N closed hours), `last_Nd` (N complete days before today), all in
the ad account's zone and cut at the run's `as_of` (the end of its slot). Ratios are sums over sums; over a
zero denominator they are undefined. A window with too few known hours has a `problem` and no values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.hours import HOUR, day_bounds, local_day
from accounts.money import MICROS

MINIMUM_COVERAGE = Decimal("0.95")
MAX_HOURS, MAX_DAYS = 336, 28
TODAY, YESTERDAY = "today", "yesterday"

_TOKEN = re.compile(r"last_([1-9][0-9]{0,2})([hd])")


class WindowError(ValueError):
    """Not a window; the message says what was expected."""


def check_window(token: str) -> str:
    """The token itself when it names a window. Raises `WindowError`."""
    match = _TOKEN.fullmatch(token)
    limit = {"h": MAX_HOURS, "d": MAX_DAYS}
    if token in (TODAY, YESTERDAY) or (match and int(match[1]) <= limit[match[2]]):
        return token
    raise WindowError(
        f"expected today, yesterday, last_Nh (N up to {MAX_HOURS}) or last_Nd (N up to {MAX_DAYS}), got {token[:40]!r}"
    )


def window_bounds(token: str, as_of: datetime, zone: str) -> tuple[datetime, datetime]:
    """UTC `[start, end)` of a window at `as_of`, an hour boundary. Raises `WindowError`."""
    check_window(token)
    today = local_day(as_of - HOUR, zone)
    if token == TODAY:
        return day_bounds(today, zone)[0], as_of
    if token == YESTERDAY:
        return day_bounds(today - timedelta(days=1), zone)
    match = _TOKEN.fullmatch(token)
    assert match is not None
    count = int(match[1])
    if match[2] == "h":
        return as_of - count * HOUR, as_of
    return day_bounds(today - timedelta(days=count), zone)[0], day_bounds(today, zone)[0]


def is_whole_days(token: str) -> bool:
    """Whether the window always consists of whole local days, as daily figures need."""
    return token == YESTERDAY or token.endswith("d")


@dataclass(frozen=True, slots=True)
class WindowValues:
    """Sums of one ad set in one window; money in micros of the account's currency, `None` is unknown.

    `coverage` is the share of expected hours that are known.
    """

    token: str
    start: datetime
    end: datetime
    coverage: Decimal
    spend_micros: int | None = None
    revenue_micros: int | None = None
    cogs_micros: int | None = None
    orders: int | None = None
    impressions: int | None = None
    clicks: int | None = None
    conversions: int | None = None
    problem: str = ""

    def get(self, metric: str) -> Decimal | None:
        """The metric in currency units or as a count or ratio; `None` when unknown or undefined."""
        return None if self.problem else METRICS[metric](self)


def _units(micros: int | None) -> Decimal | None:
    return None if micros is None else Decimal(micros) / MICROS


def _count(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def ratio(numerator: Decimal | None, denominator: Decimal | None) -> Decimal | None:
    """Undefined (`None`) where either is unknown or the denominator is zero."""
    return None if numerator is None or not denominator else numerator / denominator


def profit_of(values: WindowValues) -> Decimal | None:
    """Revenue − spend − cost of goods (left out when unknown)."""
    if values.revenue_micros is None or values.spend_micros is None:
        return None
    return Decimal(values.revenue_micros - values.spend_micros - (values.cogs_micros or 0)) / MICROS


METRICS: dict[str, Callable[[WindowValues], Decimal | None]] = {
    "spend": lambda w: _units(w.spend_micros),
    "revenue": lambda w: _units(w.revenue_micros),
    "profit": profit_of,
    "orders": lambda w: _count(w.orders),
    "impressions": lambda w: _count(w.impressions),
    "clicks": lambda w: _count(w.clicks),
    "conversions": lambda w: _count(w.conversions),
    "roas": lambda w: ratio(_units(w.revenue_micros), _units(w.spend_micros)),
    "cpa": lambda w: ratio(_units(w.spend_micros), _count(w.orders)),
    "aov": lambda w: ratio(_units(w.revenue_micros), _count(w.orders)),
    "ctr": lambda w: ratio(_count(w.clicks), _count(w.impressions)),
    "cvr": lambda w: ratio(_count(w.orders), _count(w.clicks)),
    "cpc": lambda w: ratio(_units(w.spend_micros), _count(w.clicks)),
    "cpm": lambda w: ratio(_units(w.spend_micros and w.spend_micros * 1000), _count(w.impressions)),
}

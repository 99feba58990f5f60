"""The least budget that TikTok takes (documents 1739381246298114 and 1737585839634433)."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.contracts import Family, Target
from connectors.fields import Row, text
from connectors.money import tiktok_minimum_daily

SHOPS = frozenset({"STORE", "SHOWCASE"})
SOURCES = ("product_source", "campaign_product_source")  # of an ad group, of a campaign
TIME = "%Y-%m-%d %H:%M:%S"


def floor(target: Target, source: Row, currency: str, *, is_lifetime: bool) -> int | None:
    """Micros: that of a day, lower for a TikTok Shop, times the days of the schedule for a lifetime budget."""
    is_shop = any(text(source, name) in SHOPS for name in SOURCES)
    daily = tiktok_minimum_daily(target.level, Family.GMV_MAX if is_shop else target.family, currency)
    return daily * _days(source) if daily is not None and is_lifetime else daily


def _days(source: Row) -> int:
    """The whole days between start and end, 1 where they are not told: what is less, TikTok may still refuse."""
    try:
        start, end = (
            datetime.strptime(text(source, name), TIME)  # noqa: DTZ007 (both are UTC)
            for name in ("schedule_start_time", "schedule_end_time")
        )
    except ValueError:
        return 1
    return max((end - start) // timedelta(days=1), 1)

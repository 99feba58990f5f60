"""The learning phase of an ad set: it begins with its creation and again with every significant edit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from connectors.sandbox.market import HOUR, Market
from connectors.sandbox.tenants import AdObject

SIGNIFICANT_BUDGET_MOVE = 0.2
ENDS_AFTER = timedelta(days=7)
ENDS_WITH_PURCHASES = 50


def is_significant(thing: AdObject, attribute: str, value: Any) -> bool:
    """Whether the edit makes the platform learn again: a budget moved by more than a fifth, or another bid."""
    if attribute.endswith("_budget"):
        old: int | None = thing.daily_budget if attribute == "scheduled_budget" else getattr(thing, attribute)
        return bool(old and value) and abs(value - (old or 0)) > SIGNIFICANT_BUDGET_MOVE * (old or 0)
    name = attribute.removeprefix("extra.")
    return name != attribute and "bid" in name and thing.extra.get(name) != value


def is_learning(ad_set: AdObject, market: Market, now: datetime) -> bool:
    since = ad_set.learning_since
    if since is None or now - since >= ENDS_AFTER:
        return False
    first = max(int(since.timestamp()) // HOUR - market.first_hour, 0)
    bought = market.known("purchases", [ad_set.column], first, len(market.history))
    return int(bought.sum()) < ENDS_WITH_PURCHASES

"""The words in which the credit assessment is shown to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.money import money_text

FACTOR_NAMES = {
    "revenue": "Revenue",
    "consistency": "Consistency",
    "reliability": "Reliability",
    "growth": "Growth",
}
PART_NAMES = {
    "monthly_revenue": "Monthly revenue",
    "order_regularity": "Days with orders",
    "stability": "Month over month",
    "shop_age": "Age of the shop",
    "seller_type": "Type of seller",
    "rating": "Rating by TikTok",
    "return_rate": "Return rate",
    "violations": "Violations",
    "fulfilment": "Fulfilment",
    "revenue_growth": "Growth of revenue",
    "order_growth": "Growth of orders",
    "product_growth": "Growth of products",
    "affiliate_growth": "Growth through creators",
}
TIER_NAMES = {
    "up_to_1000": "up to 1,000 USD a month",
    "up_to_5000": "up to 5,000 USD a month",
    "up_to_20000": "up to 20,000 USD a month",
    "above_20000": "above 20,000 USD a month",
}


def read_text(read: Mapping[str, Any]) -> str:
    """What a part was computed from, by name: `known days 90, days with orders 71`."""
    return ", ".join(f"{_name(name)} {_value(name, value)}" for name, value in read.items())


def _name(name: str) -> str:
    return name.removesuffix("_micros").removesuffix("_ppm").replace("_", " ")


def _value(name: str, value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return " → ".join(_value(name, item) for item in value) or "none"
    if name.endswith("_micros") or name in ("months_revenue", "months_affiliate"):
        return money_text(value, "USD")
    if name == "rating_ppm":
        return f"{value / 1_000_000:.1f} of 5"
    if name.endswith("_ppm"):
        return f"{value / 10_000:.1f} %"
    return f"{value:,}" if isinstance(value, int) else str(value)

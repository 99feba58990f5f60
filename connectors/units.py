"""The smallest step of a budget on each platform."""

from __future__ import annotations

from connectors.contracts import Platform
from connectors.money import MICROS, TIKTOK_WITHOUT_DECIMALS, meta_offset


def budget_unit_micros(platform: str, currency: str) -> int:
    """Micros of the smallest budget step: Meta's own sub-unit, TikTok's precision of the currency."""
    if platform == Platform.META:
        return MICROS // meta_offset(currency)
    return MICROS if currency in TIKTOK_WITHOUT_DECIMALS else MICROS // 100

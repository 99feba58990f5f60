"""The markets that TikTok Shop's connector serves: what they pay in, and the usual calendar of their shops.

The API names neither currency nor zone of a shop; orders name their currency. Countries with several zones have
the one of their capital of trade here: staff may change a store's zone.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.contracts import Platform
from connectors.replies import plain
from connectors.tiktok_shop.errors import UnsupportedRegionError


class Region(NamedTuple):
    currency: str
    timezone: str


REGIONS: dict[str, Region] = {
    "US": Region("USD", "America/New_York"),
    "CA": Region("CAD", "America/Toronto"),
    "GB": Region("GBP", "Europe/London"),
    "FR": Region("EUR", "Europe/Paris"),
    "DE": Region("EUR", "Europe/Berlin"),
    "IT": Region("EUR", "Europe/Rome"),
    "ES": Region("EUR", "Europe/Madrid"),
    "ID": Region("IDR", "Asia/Jakarta"),
    "MY": Region("MYR", "Asia/Kuala_Lumpur"),
    "TH": Region("THB", "Asia/Bangkok"),
    "VN": Region("VND", "Asia/Ho_Chi_Minh"),
    "PH": Region("PHP", "Asia/Manila"),
    "SG": Region("SGD", "Asia/Singapore"),
}
WITHOUT_PAYMENTS = frozenset({"ID", "MY", "PH", "SG", "TH", "VN"})  # "unavailable to SEA markets" (Get Payments)
RATED = frozenset({"US"})  # "available only for US-region shops" (Get SPS Overview)


def region_of(code: str) -> Region:
    """Raises `UnsupportedRegionError` where the connector does not serve that market."""
    if code not in REGIONS:
        raise UnsupportedRegionError(unsupported(code), platform=Platform.TIKTOK_SHOP)
    return REGIONS[code]


def unsupported(code: str) -> str:
    """What to tell a person about a shop of that market; "" where it is served."""
    if code in REGIONS:
        return ""
    named = plain(code, 20) or "an unnamed region"
    return f"TikTok Shop in {named} is not supported: supported are {', '.join(REGIONS)}"

"""The markets that TikTok Shop's connector serves: what they pay in, and the usual calendar of their shops.

The API names neither currency nor zone of a shop; orders name their currency. Countries with several zones have
the one of their capital of trade here: staff may change a store's zone.
"""

from __future__ import annotations

from typing import NamedTuple


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

"""Money between micros and each platform's way of writing it: exact in both directions, or an error.

Meta counts budgets in its own sub-unit: offset 1 for eleven currencies, 100 for all others, which is not
ISO 4217 (marketing-api/currencies). TikTok sends whole units as JSON numbers, with no decimals for nine
currencies, and sets its floors as 20 for an ad group and day times a ratio per currency (document
1737585839634433). Insights, reports and Shopify use decimal text in whole units.
"""

from __future__ import annotations

import re
from decimal import Decimal

from connectors.errors import ConfigurationError

MICROS = 1_000_000
LARGEST = 10**18  # micros; fits a signed 64-bit column

META_WITHOUT_SUBUNIT = frozenset(["CLP", "COP", "CRC", "HUF", "ISK", "IDR", "JPY", "KRW", "PYG", "TWD", "VND"])

TIKTOK_WITHOUT_DECIMALS = frozenset(["HUF", "TWD", "JPY", "ISK", "KRW", "CLP", "IDR", "PYG", "VND"])
TIKTOK_FLOORS = {"campaign": 50, "ad_set": 20}
TIKTOK_GMV_MAX_FLOOR = 10
TIKTOK_RATIOS: dict[int, str] = {
    1: "USD EUR GBP MYR AED SAR HUF AUD CAD NZD SGD CHF ARS BRL ILS PEN QAR RON",
    4: "PLN",
    10: "HKD ZAR DKK SEK NOK TRY MXN THB CNY BOB CZK EGP GTQ HNL MOP NIO UAH UYU TWD",
    50: "PHP",
    100: "JPY RUB DZD BDT ISK INR KES NGN PKR",
    1_000: "KRW CLP COP CRC",
    10_000: "IDR PYG VND",
    100_000: "VEF",
}
_TIKTOK_RATIO = {currency: ratio for ratio, names in TIKTOK_RATIOS.items() for currency in names.split()}


def decimal_to_micros(amount: str | int | Decimal) -> int:
    """Micros of a non-negative amount in whole units; `ValueError` unless it is plain and exact in micros."""
    if isinstance(amount, str) and not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,20})?", amount):
        raise ValueError("not a plain decimal amount")
    value = Decimal(amount)
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -40 or value.adjusted() > 11 or not value >= 0:
        raise ValueError("not an amount of money")
    numerator, denominator = value.as_integer_ratio()
    micros, rest = divmod(numerator * MICROS, denominator)
    if rest:
        raise ValueError("finer than a micro")
    return micros


def meta_offset(currency: str) -> int:
    """Sub-units in one unit, as Meta counts them."""
    return 1 if _checked(currency) in META_WITHOUT_SUBUNIT else 100


def meta_to_micros(sub_units: str | int, currency: str) -> int:
    """Micros of a budget as Meta sends it: a whole number of sub-units, as text or number."""
    if isinstance(sub_units, bool) or not re.fullmatch(r"[0-9]{1,14}", str(sub_units)):
        raise ValueError("not a whole number of sub-units")
    micros = int(sub_units) * (MICROS // meta_offset(currency))
    if micros > LARGEST:
        raise ValueError("larger than any budget")
    return micros


def micros_to_meta(micros: int, currency: str) -> int:
    """Sub-units of a budget for Meta; `ConfigurationError` when they are not whole or not above zero."""
    return _exactly(micros, MICROS // meta_offset(currency), currency)


def tiktok_to_micros(amount: str | int | Decimal, currency: str) -> int:
    """Micros of a budget as TikTok sends it, in whole units."""
    _checked(currency)
    return decimal_to_micros(amount)


def micros_to_tiktok(micros: int, currency: str) -> Decimal:
    """Whole units of a budget for TikTok; `ConfigurationError` when finer than it takes or not above zero."""
    places = 0 if _checked(currency) in TIKTOK_WITHOUT_DECIMALS else 2
    return Decimal(_exactly(micros, MICROS // 10**places, currency)).scaleb(-places)


def tiktok_minimum_ad_group_daily(currency: str) -> int | None:
    """TikTok's floor for an ad group's daily budget in micros, `None` for a currency that its table lacks."""
    return tiktok_minimum_daily("ad_set", "standard", currency)


def tiktok_minimum_daily(level: str, family: str, currency: str) -> int | None:
    """TikTok's floor of a daily budget in micros: 50 for a campaign, 20 for an ad group, 10 for GMV Max."""
    ratio = _TIKTOK_RATIO.get(_checked(currency))
    floor = TIKTOK_GMV_MAX_FLOOR if family == "gmv_max" else TIKTOK_FLOORS.get(level)
    return None if ratio is None or floor is None else floor * ratio * MICROS


def _exactly(micros: int, step: int, currency: str) -> int:
    if not 0 < micros <= LARGEST or micros % step:
        raise ConfigurationError(f"{micros} micros of {currency} is no budget that the platform can hold exactly")
    return micros // step


def _checked(currency: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise ConfigurationError("a currency is three capital letters")
    return currency

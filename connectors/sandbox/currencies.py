"""How each platform counts money. Sources: Meta's currency page, TikTok's currency page (both in docs)."""

from __future__ import annotations

MICROS = 1_000_000

# Meta's own table, not ISO 4217's: these count in whole units, all others in hundredths.
META_WHOLE = frozenset({"CLP", "COP", "CRC", "HUF", "ISK", "IDR", "JPY", "KRW", "PYG", "TWD", "VND"})

NO_DECIMALS = frozenset({"HUF", "TWD", "JPY", "ISK", "KRW", "CLP", "IDR", "PYG", "VND"})

_RATIOS = {
    4: "PLN",
    10: "HKD ZAR DKK SEK NOK TRY MXN THB CNY BOB CZK EGP GTQ HNL MOP NIO UAH UYU TWD",
    50: "PHP",
    100: "JPY RUB DZD BDT ISK INR KES NGN PKR",
    1000: "KRW CLP COP CRC",
    10_000: "IDR PYG VND",
    100_000: "VEF",
}
TIKTOK_RATIO = {currency: ratio for ratio, names in _RATIOS.items() for currency in names.split()}


def quantum_micros(currency: str) -> int:
    """The smallest amount that is spent or charged, in micros."""
    return MICROS if currency in NO_DECIMALS else MICROS // 100


def decimal_text(micros: int, currency: str) -> str:
    """`"12.30"`, or `"12"` where the currency has no decimals. Exact for multiples of the quantum."""
    sign, micros = ("-" if micros < 0 else ""), abs(micros)
    if currency in NO_DECIMALS:
        return f"{sign}{micros // MICROS}"
    return f"{sign}{micros // MICROS}.{micros % MICROS // 10_000:02d}"


def meta_unit_micros(currency: str) -> int:
    return MICROS if currency in META_WHOLE else MICROS // 100


def tiktok_ratio(currency: str) -> int:
    return TIKTOK_RATIO.get(currency, 1)

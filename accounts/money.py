"""Money: integer micros (millionths of the currency unit) beside an ISO 4217 currency.

Text is the only way in and out; floats are refused. Platform units are the connectors' business.
"""

from __future__ import annotations

import re
from decimal import Decimal

MICROS = 1_000_000
MAX_MICROS = 10**15
PPM = 1_000_000

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


def micros_from_text(text: str) -> int:
    """Micros of a plain decimal such as `"30"` or `"0.5"` (not signed, ASCII digits, up to 6 places).

    Raises `ValueError` that says what was expected.
    """
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise ValueError(f"expected an amount such as 30 or 0.50, got {str(text)[:40]!r}")
    return int(Decimal(text) * MICROS)


def text_from_micros(micros: int, *, places: int = 2) -> str:
    """`30.00`: a fixed number of places, halves away from zero, thousands separated by commas."""
    scale = 10 ** (6 - places)
    whole, rest = divmod(abs(micros) + scale // 2, MICROS)
    sign = "-" if micros < 0 and (whole or rest // scale) else ""
    return f"{sign}{whole:,}" + (f".{rest // scale:0{places}d}" if places else "")


def money_text(micros: int | None, currency: str) -> str:
    """`30.00 USD`, or a dash when unknown."""
    return "–" if micros is None else f"{text_from_micros(micros)} {currency}"


def scale_ppm(micros: int, ppm: int) -> int:
    """`micros × ppm / 1 000 000`, rounded down: a limit is never widened by rounding."""
    return micros * ppm // PPM

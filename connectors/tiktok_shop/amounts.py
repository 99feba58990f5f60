"""Amounts as TikTok Shop writes them where it does not write a plain decimal: below zero, or as shown to people."""

from __future__ import annotations

import re

from connectors.fields import Row, known, malformed, micros

# A number between at most one symbol or code of a currency and the next: "$1,234.50", "12,30 €", "Rp12.345".
SHOWN = re.compile(
    r"(?P<sign>-?)(?:[^\d.,'\s-]{1,5}\s?)?(?P<inner>-?)(?P<digits>[0-9][0-9.,']{0,24})(?:\s?[^\d.,'\s-]{1,5})?"
)
WHOLE = r"[0-9]{1,3}(?:([.,'])[0-9]{3}(?:\1[0-9]{3})*)?|[0-9]{1,15}"
LONGEST = 64
POINT_IS_DECIMAL = frozenset({"CAD", "GBP", "MYR", "PHP", "SGD", "THB", "USD"})


def signed_micros(source: Row, name: str) -> int | None:
    """As `fields.micros`, where an amount may be below zero."""
    value = source.get(name)
    if isinstance(value, str) and re.fullmatch(r"-[0-9].*", value):
        found = micros({name: value[1:]}, name)
        return None if found is None else -found
    return micros(source, name)


def localised_micros(source: Row, name: str, currency: str) -> int:
    """Micros of an amount "as a localized display string": the last separator is the decimal one, unless it sets
    off three digits as thousands do. Raises `MalformedReplyError` for what can be read in no way."""
    value = source.get(name)
    shown = _tidy(value) if isinstance(value, str) and len(value) <= LONGEST else ""
    found = SHOWN.fullmatch(shown)
    if found is None or (found["sign"] and found["inner"]):
        raise malformed(name, value)
    whole, fraction = _parted(found["digits"], currency)
    if not re.fullmatch(WHOLE, whole):
        raise malformed(name, value)
    plain = re.sub(r"[.,']", "", whole) + (f".{fraction}" if fraction else "")
    amount = known(micros({name: plain}, name), name)
    return -amount if found["sign"] or found["inner"] else amount


def _tidy(shown: str) -> str:
    """With one sign for "below zero", and one for thousands that are set off by a space."""
    return re.sub(r"(?<=[0-9])\s(?=[0-9]{3})", "'", shown.strip().replace("\u2212", "-"))


def _parted(digits: str, currency: str) -> tuple[str, str]:
    """The digits before and after the decimal separator."""
    found = re.fullmatch(r"(.+)([.,])([0-9]+)", digits)
    if found is None or found[2] in found[1]:
        return digits, ""
    is_only_one = found[1].isdigit()
    sets_off_thousands = len(found[3]) == 3 and not found[1].startswith("0")
    if is_only_one and sets_off_thousands and not (found[2] == "." and currency in POINT_IS_DECIMAL):
        return digits, ""
    return found[1], found[3]

"""Typed reading of a platform's JSON: the right type or a `MalformedReplyError` that names the field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from connectors.errors import ConfigurationError, MalformedReplyError
from connectors.money import decimal_to_micros
from connectors.redaction import BLOT
from connectors.replies import plain

TEXT_LENGTH = 500
USUAL_AMOUNT = re.compile(r"([0-9]{1,12})\.([0-9]{2})")
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Row = Mapping[str, Any]
T = TypeVar("T")


def malformed(name: str, value: object) -> MalformedReplyError:
    return MalformedReplyError(f"unexpected value in {name!r}: {plain(repr(value), 80)}")


def row(value: Any, name: str) -> Row:
    if not isinstance(value, dict):
        raise malformed(name, value)
    return value


def rows(value: Any, name: str) -> list[Row]:
    if not isinstance(value, list):
        raise malformed(name, value)
    return [row(item, name) for item in value]


def identifier(source: Row, name: str) -> str:
    """An id as text; old payloads send numbers."""
    value = source.get(name)
    text_ = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text_, str) or not re.fullmatch(r"[\x21-\x7e]{1,64}", text_):
        raise malformed(name, value)
    return text_


def digits(external_id: str, platform: str) -> str:
    """An id of ours that may go into a path or body, because it is nothing but digits."""
    if not re.fullmatch(r"[0-9]{1,32}", external_id):
        raise ConfigurationError(f"{platform}: an id is a row of digits", platform=platform)
    return external_id


def access_token(source: Row, platform: str) -> str:
    """The token that a login gives; one that the transport has blotted out is none."""
    value = source.get("access_token")
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]{8,4000}", value) or BLOT in value:
        raise MalformedReplyError(f"{platform}: the answer holds no access token", platform=platform)
    return value


def part(source: Row, name: str) -> Row:
    """An object inside, empty when it is absent or null."""
    value = source.get(name)
    return {} if value is None else row(value, name)


def text(source: Row, name: str, limit: int = TEXT_LENGTH) -> str:
    """A text for people, `""` when absent: no control characters, surrogates or bidi controls, bounded."""
    value = source.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(name, value)
    if value.isascii() and value.isprintable():
        return value[:limit]
    kept = (c for c in value[:limit] if unicodedata.category(c) not in ("Cc", "Cs") and c not in _BIDI)
    return "".join(kept)


def count(source: Row, name: str) -> int | None:
    """A non-negative whole number, sent as a number or as text; absent, null and "-" are unknown."""
    value = source.get(name)
    if value is None or value == "-":
        return None
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,15}(\.0{1,6})?", str(value)):
        raise malformed(name, value)
    return int(str(value).partition(".")[0])


def micros(source: Row, name: str) -> int | None:
    """An amount in whole currency units, sent as text or number; absent, null and "-" are unknown."""
    value = source.get(name)
    if value is None or value == "-":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise malformed(name, value)
    try:
        return decimal_to_micros(value)
    except ValueError as error:
        raise malformed(name, value) from error


def usual_micros(value: Any, name: str) -> int | None:
    """As `micros`, for reports of many rows: the usual spelling goes a shorter way."""
    found = USUAL_AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return micros({name: value}, name)
    return int(found[1]) * 1_000_000 + int(found[2]) * 10_000


def usual_count(value: Any, name: str) -> int | None:
    """As `count`, for reports of many rows: the usual spelling goes a shorter way."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    return count({name: value}, name)


class Once(dict[Any, T]):
    """What `read` makes of each text, made once; what is no text is read each time. Unhashable: `TypeError`."""

    def __init__(self, read: Callable[[Any], T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: Any) -> T:
        made = self._read(value)
        if isinstance(value, str | tuple):
            self[value] = made
        return made


def flag(source: Row, name: str) -> bool:
    value = source.get(name)
    if not isinstance(value, bool):
        raise malformed(name, value)
    return value


def moment(source: Row, name: str) -> datetime | None:
    """An ISO 8601 time with its offset, in UTC; null is `None`."""
    value = source.get(name)
    if value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise malformed(name, value) from error
    if parsed.tzinfo is None:
        raise malformed(name, value)
    return parsed.astimezone(UTC)


def known(value: T | None, name: str) -> T:
    """The value, where the platform must have sent one."""
    if value is None:
        raise malformed(name, value)
    return value

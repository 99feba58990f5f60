"""Reading a platform's JSON: the right type, or an error that names the field."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors import fields
from connectors.errors import MalformedReplyError


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (fields.identifier, 12345678901234567890, "12345678901234567890"),
        (fields.identifier, "gid://shopify/Order/1", "gid://shopify/Order/1"),
        (fields.text, None, ""),
        (fields.text, "a\x00b\u202ec\ud800d 🙂", "abcd 🙂"),
        (fields.text, "x" * 900, "x" * 500),
        (fields.count, "3.00", 3),
        (fields.count, 7, 7),
        (fields.count, "-", None),
        (fields.count, None, None),
        (fields.micros, "-", None),
        (fields.micros, "0", 0),
        (fields.micros, Decimal("20.1"), 20_100_000),
        (fields.flag, False, False),
        (fields.moment, None, None),
        (fields.moment, "2026-11-20T10:00:00+02:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
    ],
)
def test_reads_what_platforms_send(read: Any, value: object, expected: object) -> None:
    assert read({"x": value}, "x") == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (fields.identifier, None),
        (fields.identifier, ""),
        (fields.identifier, True),
        (fields.identifier, "1\n2"),
        (fields.identifier, "a/../b c"),
        (fields.identifier, "9" * 101),
        (fields.identifier, ["1"]),
        (fields.text, 5),
        (fields.text, ["a"]),
        (fields.count, True),
        (fields.count, "-5"),
        (fields.count, "1.5"),
        (fields.count, "1e3"),
        (fields.count, []),
        (fields.micros, "1e3"),
        (fields.micros, False),
        (fields.micros, "-1.00"),
        (fields.micros, Decimal("1E+99999999")),
        (fields.micros, {}),
        (fields.flag, "true"),
        (fields.flag, None),
        (fields.moment, "yesterday"),
        (fields.moment, "2026-11-20T10:00:00"),
        (fields.moment, 1763683200),
        (fields.row, []),
        (fields.rows, {}),
        (fields.rows, [1]),
    ],
)
def test_refuses_everything_else_and_names_the_field(read: Any, value: object) -> None:
    with pytest.raises(MalformedReplyError, match="'x'"):
        read(value if read in (fields.row, fields.rows) else {"x": value}, "x")


def test_an_error_shows_little_of_a_hostile_value() -> None:
    with pytest.raises(MalformedReplyError) as caught:
        fields.count({"x": "\x1b[2J" + "9" * 100_000}, "x")
    assert len(str(caught.value)) < 150
    assert "\x1b" not in str(caught.value)

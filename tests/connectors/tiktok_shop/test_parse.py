"""Amounts as TikTok Shop shows them, and every parser under garbage: a record, or the one error."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConnectorError, MalformedReplyError
from connectors.replies import Reply
from connectors.tiktok_shop import parse, performance
from connectors.tiktok_shop.amounts import localised_micros, signed_micros
from connectors.tiktok_shop.errors import judge
from tests.connectors.tiktok_shop.answers import (
    NOW,
    creator_sku,
    money,
    order,
    product,
    returned,
    seller_sku,
)

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("shown", "currency", "expected"),
    [
        ("12.30", "USD", "12.30"),
        ("$12.30", "USD", "12.30"),
        ("US$ 1,234.50", "USD", "1234.50"),
        ("$1,234", "USD", "1234"),
        ("$1,234,567.89", "USD", "1234567.89"),
        ("1.234", "USD", "1.234"),
        ("-$5.00", "USD", "-5"),
        ("$-5.00", "USD", "-5"),
        ("\u22125.00", "USD", "-5"),
        ("£0.07", "GBP", "0.07"),
        ("12,30 €", "EUR", "12.30"),
        ("1.234,56\u00a0€", "EUR", "1234.56"),
        ("1\u202f234,56 €", "EUR", "1234.56"),
        ("1.234 €", "EUR", "1234"),
        ("0.125", "EUR", "0.125"),
        ("€1,234.56", "EUR", "1234.56"),
        ("1'234.50", "EUR", "1234.50"),
        ("Rp12.345", "IDR", "12345"),
        ("Rp1.234.567", "IDR", "1234567"),
        ("12.345₫", "VND", "12345"),
        ("฿99.5", "THB", "99.5"),
        ("0", "USD", "0"),
    ],
)
def test_an_amount_is_read_as_it_is_shown(shown: str, currency: str, expected: str) -> None:
    assert localised_micros({"amount": shown}, "amount", currency) == int(Decimal(expected) * MILLION)


@pytest.mark.parametrize(
    "shown",
    [
        *("", "$", "free", "1e9", "12 34", "$1 $2", "1" * 40, "$" * 9 + "1", "\u0663", 5),
        *("1,23,4", "1.2.3", "1,234.5.6", "1.234'567", "1,2345.6", "0.12345678"),
        *("--5", "-$-5", "5-"),
    ],
)
def test_what_can_be_read_in_no_way_is_refused(shown: Any) -> None:
    with pytest.raises(MalformedReplyError):
        localised_micros({"amount": shown}, "amount", "USD")


@given(
    st.integers(0, 10**13),
    st.sampled_from(["{}", "-{}", "${}", "{} €", "Rp{}"]),
    st.sampled_from([",.", ".,", "' .", "\u202f,"]),
)
def test_grouping_and_symbols_do_not_change_an_amount(cents: int, form: str, marks: str) -> None:
    plain = f"{cents // 100:,}.{cents % 100:02d}".translate(str.maketrans(",.", marks[0] + marks[-1]))
    expected = cents * 10_000 * (-1 if form.startswith("-") else 1)
    for currency in ("USD", "EUR", "IDR"):
        assert localised_micros({"amount": form.format(plain)}, "amount", currency) == expected


@given(st.text(alphabet="0123456789.,'- $€Rp\u00a0", max_size=24), st.sampled_from(["USD", "EUR", "VND"]))
def test_every_text_is_an_amount_or_refused(shown: str, currency: str) -> None:
    with suppress(MalformedReplyError):
        assert isinstance(localised_micros({"amount": shown}, "amount", currency), int)


@pytest.mark.parametrize(("told", "expected"), [("-0.5", -500_000), ("0.5", 500_000), ("-", None), (None, None)])
def test_an_amount_may_be_below_zero_where_it_may(told: Any, expected: int | None) -> None:
    assert signed_micros({"x": told}, "x") == expected


@pytest.mark.parametrize("told", ["--1", "-1-", "- 1", "-1e3", "-\u0661", True, [1]])
def test_a_sign_alone_makes_no_amount(told: Any) -> None:
    with pytest.raises(MalformedReplyError):
        signed_micros({"x": told}, "x")


DAY, ZONE, MOMENT = date(2026, 11, 1), ZoneInfo("America/New_York"), datetime(2026, 11, 3, tzinfo=UTC)
INTERVAL = {"index": 3, "gmv": money("1"), "orders_count": 2, "visitors": 3, "customers": 1}
REPORT = {"performance": {"intervals": [INTERVAL], "latest_available_timestamp": NOW}}
SALES = {"gmv": money("1"), "orders_count": 2, "creator_live_attributed_gmv": money("1")}
DAYS = {
    "latest_available_date": "2026-11-02",
    "performance": {"intervals": [{"start_date": "2026-11-01", "sales": SALES}]},
}
STATEMENT = {"id": "1", "statement_time": NOW, "currency": "USD", "settlement_amount": "-1", "payment_id": "2"}
PAYMENT = {"id": "1", "create_time": NOW, "status": "PAID", "amount": {"value": "1", "currency": "USD"}}
OVERVIEW = {"sps_score": "4", "update_time": NOW, "dimensions": [{"name": "A", "score": "1"}]}
SALE = {"id": "1", "create_time": NOW, "status": "SETTLED"}

PARSERS: list[tuple[Callable[[Any], Any], dict[str, Any]]] = [
    (parse.order, order()),
    (parse.product, product()),
    (parse.statement, STATEMENT),
    (parse.payment, PAYMENT),
    (lambda row: parse.returned(row, "USD"), returned()),
    (lambda row: list(parse.affiliates(row, parse.SELLER)), SALE | {"skus": [seller_sku()]}),
    (
        lambda row: list(parse.affiliates(row, parse.CREATOR)),
        SALE | {"skus": [creator_sku(actual_commission=money("$1"))]},
    ),
    (lambda row: parse.health(row, [{"metric_code": "OTDR", "value": "1", "value_unit": "PERCENT"}]), OVERVIEW),
    (lambda row: performance.hours(row, DAY, ZONE, MOMENT), REPORT),
    (lambda row: list(performance.days(row)), DAYS),
]

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["", "-", "1e9", "9" * 30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


def spoiled(value: Any, data: st.DataObject) -> Any:
    """The value with one thing in it replaced by junk, or left out."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(value)))
        rest = {key: inner for key, inner in value.items() if key != name}
        return rest if data.draw(st.booleans()) else rest | {name: spoiled(value[name], data)}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        return [spoiled(value[0], data), *value[1:]]
    return data.draw(junk)


@pytest.mark.parametrize(("read", "sound"), PARSERS)
def test_a_sound_row_is_read(read: Callable[[Any], Any], sound: dict[str, Any]) -> None:
    assert read(sound)


@pytest.mark.parametrize(("read", "sound"), PARSERS)
@given(data=st.data())
def test_garbage_is_read_as_something_or_refused_with_the_one_error(
    read: Callable[[Any], Any], sound: dict[str, Any], data: st.DataObject
) -> None:
    source = spoiled(sound, data)
    with suppress(MalformedReplyError):
        read(source if isinstance(source, dict) else {})


@given(st.dictionaries(st.sampled_from(["code", "data", "message"]), junk), st.integers(200, 599))
def test_an_envelope_of_garbage_is_data_or_a_connector_error(document: dict[str, Any], status: int) -> None:
    with suppress(ConnectorError):
        assert isinstance(judge(Reply(status, httpx.Headers(), json.dumps(document).encode())), dict)


def test_what_is_left_blank_is_unknown() -> None:
    told = {"code": 0, "data": {"a": "", "b": None, "c": [{"d": "", "e": 0}], "f": False}}
    assert judge(Reply(200, httpx.Headers(), json.dumps(told).encode())) == {"c": [{"e": 0}], "f": False}

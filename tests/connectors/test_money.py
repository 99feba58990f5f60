"""Money at the edge of each platform: exact, and inverse to itself."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigurationError
from connectors.money import (
    LARGEST,
    META_WITHOUT_SUBUNIT,
    TIKTOK_RATIOS,
    TIKTOK_WITHOUT_DECIMALS,
    decimal_to_micros,
    meta_offset,
    meta_to_micros,
    micros_to_meta,
    micros_to_tiktok,
    tiktok_minimum_ad_group_daily,
    tiktok_to_micros,
)

CURRENCIES = sorted(
    {currency for names in TIKTOK_RATIOS.values() for currency in names.split()}
    | META_WITHOUT_SUBUNIT
    | {"BHD", "JOD", "KWD", "BGN", "LKR"}
)
currencies = st.sampled_from(CURRENCIES)
micros = st.integers(-(10**6), 10**15)


@given(currencies, st.integers(1, 10**12))
def test_meta_budgets_survive_the_way_there_and_back(currency: str, sub_units: int) -> None:
    assert micros_to_meta(meta_to_micros(str(sub_units), currency), currency) == sub_units


@given(currencies, micros)
def test_an_amount_goes_to_meta_exactly_or_not_at_all(currency: str, amount: int) -> None:
    try:
        sent = micros_to_meta(amount, currency)
    except ConfigurationError:
        assert amount <= 0 or amount % (1_000_000 // meta_offset(currency))
    else:
        assert Decimal(sent) / meta_offset(currency) == Decimal(amount) / 1_000_000


@given(currencies, micros)
def test_an_amount_goes_to_tiktok_exactly_or_not_at_all(currency: str, amount: int) -> None:
    try:
        sent = micros_to_tiktok(amount, currency)
    except ConfigurationError:
        assert amount <= 0 or amount % (1_000_000 if currency in TIKTOK_WITHOUT_DECIMALS else 10_000)
    else:
        assert sent == Decimal(amount) / 1_000_000
        on_the_wire = json.dumps(float(sent))
        assert tiktok_to_micros(json.loads(on_the_wire, parse_float=Decimal), currency) == amount


@given(st.integers(0, LARGEST))
def test_decimal_text_becomes_exactly_its_micros(amount: int) -> None:
    whole, part = divmod(amount, 1_000_000)
    if whole < 10**12:
        assert decimal_to_micros(f"{whole}.{part:06d}") == amount
        assert decimal_to_micros(f"{whole}.{part:06d}000") == amount


@pytest.mark.parametrize(
    "bad",
    [
        "",
        " 5",
        "5 ",
        "+5",
        "-5",
        "1e3",
        "1_000",
        "１２３",
        "١٢٣",
        "NaN",
        "Infinity",
        "0x10",
        "5.",
        ".5",
        "1,5",
        "1.0000001",
        "1.00000000000000000001",
        "1" * 13,
        "5\n",
    ],
)
def test_refuses_text_that_is_no_plain_exact_amount(bad: str) -> None:
    with pytest.raises(ValueError):
        decimal_to_micros(bad)


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-1", "1E+999999", "0E-999999", "1E-7", "1e12"])
def test_refuses_numbers_that_are_no_amount(bad: str) -> None:
    with pytest.raises(ValueError):
        decimal_to_micros(Decimal(bad))


def test_takes_numbers_as_they_stand_in_json() -> None:
    assert decimal_to_micros(Decimal("20.10")) == 20_100_000
    assert decimal_to_micros(Decimal("1.0E7")) == 10_000_000_000_000
    assert decimal_to_micros(50) == 50_000_000


@pytest.mark.parametrize("bad", ["5.00", "-5", "", "٣", "1e3", True, "9" * 15, "99999999999999"])
def test_refuses_sub_units_that_are_not_a_whole_number(bad: str) -> None:
    with pytest.raises(ValueError):
        meta_to_micros(bad, "JPY")


def test_meta_counts_by_its_own_table_and_not_by_iso() -> None:
    assert {c: meta_offset(c) for c in ("USD", "HUF", "TWD", "BHD", "JPY", "COP")} == {
        "USD": 100,
        "HUF": 1,
        "TWD": 1,
        "BHD": 100,
        "JPY": 1,
        "COP": 1,
    }
    assert meta_to_micros("5000", "USD") == 50_000_000
    assert meta_to_micros("5000", "HUF") == 5_000_000_000


def test_the_tables_have_the_size_of_the_documented_ones() -> None:
    assert len(META_WITHOUT_SUBUNIT) == 11
    assert len(TIKTOK_WITHOUT_DECIMALS) == 9
    assert sum(len(names.split()) for names in TIKTOK_RATIOS.values()) == 56


def test_the_floor_of_an_ad_group_is_twenty_times_the_ratio_of_its_currency() -> None:
    assert tiktok_minimum_ad_group_daily("USD") == 20_000_000
    assert tiktok_minimum_ad_group_daily("JPY") == 2_000_000_000
    assert tiktok_minimum_ad_group_daily("IDR") == 200_000 * 1_000_000
    assert tiktok_minimum_ad_group_daily("XOF") is None


@pytest.mark.parametrize("currency", ["", "usd", "US", "USDT", "USD\n", "ŪSD"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    with pytest.raises(ConfigurationError):
        meta_offset(currency)
    with pytest.raises(ConfigurationError):
        micros_to_tiktok(1_000_000, currency)

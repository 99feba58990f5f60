"""Money: text in, text out, exact to the micro."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.money import MAX_MICROS, MICROS, micros_from_text, money_text, scale_ppm, text_from_micros

amounts = st.integers(0, MAX_MICROS - 1)


@given(st.integers(0, 999_999_999), st.integers(0, 6).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n)))
def test_text_is_read_exactly(whole: int, places: str) -> None:
    text = f"{whole}.{places}" if places else str(whole)
    assert micros_from_text(text) == Decimal(text) * MICROS


@given(amounts)
def test_six_places_lead_back_to_the_same_micros(micros: int) -> None:
    text = text_from_micros(micros, places=6).replace(",", "")
    assert micros_from_text(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "-1",
        "-0",
        "1e3",
        "1E3",
        "0x10",
        "1_000",
        "1,000",
        "1,5",
        ".5",
        "5.",
        "1.1234567",
        "NaN",
        "nan",
        "Infinity",
        "inf",
        "１",
        "1.５",
        "٣",
        "1٫5",
        "1000000000",
        "1.2.3",
        "$1",
        True,
        False,
        None,
        1,
        1.5,
        b"1",
        Decimal(1),
        ["1"],
    ],
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected an amount such as"):
        micros_from_text(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("micros", "places", "text"),
    [
        (0, 2, "0.00"),
        (30_000_000, 2, "30.00"),
        (1_234_567_890_000, 2, "1,234,567.89"),
        (5_000, 2, "0.01"),
        (4_999, 2, "0.00"),
        (-5_000, 2, "-0.01"),
        (-4_999, 2, "0.00"),
        (-1_500_000, 0, "-2"),
        (1_500_000, 0, "2"),
        (999_999, 2, "1.00"),
        (1, 6, "0.000001"),
        (-1, 6, "-0.000001"),
    ],
)
def test_halves_go_away_from_zero_and_nothing_is_minus_zero(micros: int, places: int, text: str) -> None:
    assert text_from_micros(micros, places=places) == text


@given(st.integers(-MAX_MICROS, MAX_MICROS), st.integers(0, 6))
def test_rounding_is_never_off_by_more_than_half_a_place_and_is_even_in_sign(micros: int, places: int) -> None:
    shown = Decimal(text_from_micros(micros, places=places).replace(",", ""))
    assert abs(shown * MICROS - micros) * 2 <= 10 ** (6 - places)
    assert Decimal(text_from_micros(-micros, places=places).replace(",", "")) == -shown


def test_unknown_money_is_a_dash_and_zero_is_not() -> None:
    assert money_text(None, "USD") == "–"
    assert money_text(0, "USD") == "0.00 USD"


@given(amounts, st.integers(0, 10_000_000))
def test_a_share_is_rounded_down(micros: int, ppm: int) -> None:
    share = scale_ppm(micros, ppm)
    assert share * MICROS <= micros * ppm < (share + 1) * MICROS

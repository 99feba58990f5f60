"""Profit and reward: exact integers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.rewards import Earned, next_lambda_ppm, profit_micros, reward_micros, unit_cost_on

money = st.integers(0, 10**15)
earnings = st.builds(Earned, st.integers(0, 1000), money, money, money, money | st.none())
ppm = st.integers(0, 10**7)


@given(earnings)
def test_profit_is_what_comes_in_less_what_goes_out(earned: Earned) -> None:
    out = earned.refunds_micros + earned.spend_micros + (earned.cogs_micros or 0)
    assert profit_micros(earned) + out == earned.revenue_micros


@given(earnings, ppm)
def test_the_reward_is_profit_less_the_price_of_the_spend(earned: Earned, price: int) -> None:
    exact = profit_micros(earned) - Fraction(earned.spend_micros * price, 10**6)
    assert 0 <= reward_micros(earned, price) - exact < 1
    assert reward_micros(earned, 0) == profit_micros(earned)


@given(earnings, ppm, ppm)
def test_a_higher_price_never_raises_a_reward(earned: Earned, low: int, high: int) -> None:
    low, high = sorted((low, high))
    assert reward_micros(earned, high) <= reward_micros(earned, low)
    free = replace(earned, spend_micros=0)
    assert reward_micros(free, high) == profit_micros(free)


@given(ppm, st.integers(0, 10**6), money, st.integers(1, 10**15))
def test_lambda_moves_towards_the_target_and_never_below_zero(price: int, step: int, spend: int, target: int) -> None:
    moved = next_lambda_ppm(price, step, spend, target)
    assert moved >= 0
    if spend >= target:
        assert moved >= price
    if spend <= target:
        assert moved <= price
    exact = max(Fraction(0), price + step * (Fraction(spend, target) - 1))
    assert 0 <= exact - moved < 1


@pytest.mark.parametrize("target", [0, -5])
def test_without_a_target_lambda_stays(target: int) -> None:
    assert next_lambda_ppm(700, 10_000, 10**9, target) == 700


@pytest.mark.parametrize(
    ("day", "cost"), [(date(2026, 1, 9), 7), (date(2026, 1, 10), 100), (date(2026, 1, 19), 100), (date(2026, 1, 20), 0)]
)
def test_the_cost_in_force_is_the_newest_that_has_begun(day: date, cost: int) -> None:
    dated = [(date(2026, 1, 20), 0), (date(2026, 1, 10), 100)]
    assert unit_cost_on(day, dated, 7) == cost


def test_no_cost_at_all_is_unknown() -> None:
    assert unit_cost_on(date(2026, 1, 1), [(date(2026, 1, 2), 5)], None) is None
    assert unit_cost_on(date(2026, 1, 1), [], None) is None

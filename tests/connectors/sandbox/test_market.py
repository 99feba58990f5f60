"""The market: what holds however it is used."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sandbox.market import META_DAILY_OVERSPEND, Column, Market, Parameters
from connectors.sandbox.tenants import parameters

FIRST = 480_000  # 2024-10-04T00:00Z


def market(seed: int = 7, tenants: int = 2) -> Market:
    made = Market(parameters(seed, tenants, 6), FIRST)
    made.set_delivery(made.parameters.budget, np.ones(len(made.parameters.tenant), dtype=bool))
    return made


def spend(made: Market) -> np.ndarray:
    return np.array([hour.spend_micros for hour in made.history])


def everything(made: Market) -> list[list[float]]:
    return [np.concatenate([np.ravel(part) for part in hour]).tolist() for hour in made.history]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_hours_are_the_same_however_they_are_cut_into_calls(pieces: list[int], seed: int) -> None:
    whole, cut = market(seed), market(seed)
    whole.advance(sum(pieces))
    for piece in pieces:
        cut.advance(piece)
    assert everything(whole) == everything(cut)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 11), st.floats(0, 5), st.integers(0, 40))
def test_a_change_of_one_ad_set_leaves_the_others_alone(column: int, factor: float, hour: int) -> None:
    quiet, changed = market(tenants=1), market(tenants=1)
    for made in (quiet, changed):
        made.advance(hour)
    budget = changed.budget.copy()
    budget[column] *= factor
    changed.set_delivery(budget, changed.active)
    for made in (quiet, changed):
        made.advance(30)
    others = np.arange(12) != column
    assert (spend(quiet)[:, others] == spend(changed)[:, others]).all()
    sold = [np.array([h.value_micros for h in made.history])[:, others] for made in (quiet, changed)]
    assert (sold[0] == sold[1]).all()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_a_new_ad_set_leaves_the_luck_of_the_others_alone(births: list[int], seed: int) -> None:
    quiet, grown = market(seed), market(seed)
    n = len(quiet.parameters.tenant)
    for hour in range(48):
        for _ in range(births.count(hour)):
            place = grown.grow(Column(1, True, 50.0, 3.0, 150.0, 9.0, 0.015))
            budget, active = np.append(grown.budget[:place], 50.0), np.append(grown.active[:place], True)
            grown.set_delivery(budget, active, 0.5)
        for made in (quiet, grown):
            made.step()
    assert [[part[:n].tolist() for part in hour] for hour in grown.history] == [
        [part.tolist() for part in hour] for hour in quiet.history
    ]
    assert grown.known("spend_micros", range(n, n + len(births)), 0, 48).any(axis=0).all()
    claimed = [
        [(by, at) for b in made.purchases for by, at in zip(b.claimed_by, b.claimed_at, strict=True) if 0 <= by < n]
        for made in (quiet, grown)
    ]
    assert claimed[0] == claimed[1]


def by_local_day(made: Market, zone_shift: int) -> np.ndarray:
    table = spend(made)[zone_shift:]
    days: np.ndarray = table[: len(table) // 24 * 24].reshape(-1, 24, table.shape[1]).sum(axis=1) / 1e6
    return days


def test_spend_follows_the_budget_within_the_platforms_bounds() -> None:
    made = market(tenants=1)
    made.advance(24 * 25)
    days = by_local_day(made, 4)  # midnight in New York is 04:00 UTC in October
    p = made.parameters
    assert (days <= p.budget * np.where(p.is_meta, 1 + META_DAILY_OVERSPEND, 1.0) + 1e-9).all()
    assert (np.abs(days.mean(axis=0) / p.budget - 1) < 0.1).all()
    sundays = days[2:23].reshape(3, 7, -1).sum(axis=1)  # 2024-10-06 was a Sunday
    assert (sundays <= 7 * p.budget + 1e-9).all()


def test_a_doubled_budget_doubles_spend_and_brings_less_per_unit() -> None:
    plain, rich = market(tenants=1), market(tenants=1)
    rich.set_delivery(rich.budget * 4, rich.active)
    for made in (plain, rich):
        made.advance(24 * 60)
    ratio = spend(rich).sum() / spend(plain).sum()
    assert 3.5 < ratio < 4.2
    roas = [sum(h.value_micros.sum() for h in m.history) / spend(m).sum() for m in (plain, rich)]
    assert roas[1] < 0.85 * roas[0]


def test_a_paused_ad_set_spends_and_sells_nothing() -> None:
    made = market(tenants=1)
    active = made.active.copy()
    active[3] = False
    made.set_delivery(made.budget, active)
    made.advance(48)
    assert all(not part[3] for hour in made.history for part in hour[:5])


def test_a_budget_raised_at_midday_is_prorated_over_the_rest_of_the_day() -> None:
    plain, raised = market(tenants=1), market(tenants=1)
    for made in (plain, raised):
        made.advance(4 + 12)
    raised.set_delivery(raised.budget * 2, raised.active)
    for made in (plain, raised):
        made.advance(12)
    after = [by_local_day(made, 4)[0].sum() for made in (plain, raised)]
    assert 1.4 < after[1] / after[0] < 1.9


def test_a_pause_in_mid_hour_leaves_a_part_of_the_hour() -> None:
    whole, half = market(tenants=1), market(tenants=1)
    for made in (whole, half):
        made.advance(20)
    half.set_delivery(half.budget, np.zeros(12, dtype=bool), elapsed=0.5)
    for made in (whole, half):
        made.step()
    ratio = spend(half)[-1].sum() / spend(whole)[-1].sum()
    assert 0.48 < ratio < 0.52


def test_more_is_bought_in_the_evening_and_some_only_days_later() -> None:
    made = market()
    made.advance(24 * 40)
    created = np.concatenate([bought.created for bought in made.purchases])
    clicked = np.concatenate([bought.hour for bought in made.purchases])
    delay = created / 3600 - clicked - 1
    assert delay.min() >= 0
    assert np.median(delay) < 1 < 24 < delay.max() <= 145


def test_some_ad_sets_earn_and_some_lose() -> None:
    p: Parameters = parameters(7, 1, 6)
    assert (p.roas > 3).sum() >= 3
    assert (p.roas < 0.8).sum() >= 3
    assert ((p.roas > 1) & (p.roas < 2.2)).sum() >= 3

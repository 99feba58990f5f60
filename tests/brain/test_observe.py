"""From the snapshot to what a policy sees: units, unknowns, local time."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from accounts.hours import HOUR
from accounts.models import AdSet
from accounts.money import MICROS
from brain.observe import observe
from brain.policies import Observation, load, names
from metrics.models import Reward, StoreCoverage, SyncedHour
from metrics.snapshot import load_snapshot
from tests.factories import AS_OF, SLOT, House, add_history

pytestmark = pytest.mark.usefixtures("everywhere")

BOUNDS = {
    "daily_target_micros": 300 * MICROS,
    "floor_micros": 5 * MICROS,
    "ceiling_micros": 200 * MICROS,
    "step_ppm": 150_000,
}


@pytest.fixture
def lived(house: House) -> House:
    """80 hours: each ad set spends 2 an hour, each fourth hour the first one sells for 48."""
    add_history(house)
    return house


def see(house: House, hours: int = 80, as_of: Any = AS_OF) -> Observation:
    house.tenant.refresh_from_db()
    return observe(load_snapshot(house.tenant, as_of=as_of, lookback=hours * HOUR), **BOUNDS)


def test_money_is_in_units_and_time_is_the_tenants(lived: House) -> None:
    seen = see(lived)
    assert (seen.slot_hour, seen.weekday, seen.slot) == (10, 4, SLOT)  # Friday, ten in New York
    assert seen.budgets.tolist() == [40, 50, 60]
    assert (seen.daily_cap, seen.max_step) == (300.0, 0.15)
    assert seen.min_budget.tolist() == [5, 5, 5]
    assert seen.max_budget.tolist() == [200, 200, 200]
    assert seen.platform.tolist() == ["meta"] * 3
    assert seen.ad_set_ids is not None
    assert seen.ad_set_ids.tolist() == [str(a.pk) for a in lived.ad_sets]
    assert seen.spend.shape == (80, 3)
    assert (seen.spend == 2).all()
    assert (seen.impressions == 1000).all()
    assert (seen.clicks == 20).all()
    assert seen.revenue.sum(axis=0).tolist() == [960, 0, 0]
    assert seen.conversions.sum() == 20
    assert seen.revenue[-1, 0] == 48


def test_the_day_so_far_begins_at_local_midnight(lived: House) -> None:
    assert see(lived).spent_today.tolist() == [22, 22, 22]  # 05:00 to 16:00 UTC
    assert see(lived, as_of=SLOT.replace(hour=6)).spent_today.tolist() == [2, 2, 2]
    assert see(lived, as_of=SLOT.replace(hour=5)).spent_today.tolist() == [48, 48, 48]


def test_unknown_is_nan_and_zero_is_zero(lived: House) -> None:
    SyncedHour.objects.filter(hour=SLOT).delete()
    StoreCoverage.objects.update(known_to=AS_OF - HOUR)
    seen = see(lived, 90)
    for column in (seen.spend, seen.impressions, seen.clicks):
        assert np.isnan(column[:10]).all()
        assert np.isnan(column[-1]).all()
        assert np.isfinite(column[10:-1]).all()
    for column in (seen.revenue, seen.conversions):
        assert np.isnan(column[-1]).all()
        assert np.isfinite(column[:-1]).all()
        assert column[-2, 1] == 0
    assert seen.maturity[-1].tolist() == [0, 0, 0]
    assert (seen.maturity[:-1] == 1).all()


def test_no_policy_acts_on_what_is_paused_or_has_no_budget_of_its_own(lived: House) -> None:
    AdSet.objects.filter(pk=lived.ad_sets[0].pk).update(status="paused")
    AdSet.objects.filter(pk=lived.ad_sets[1].pk).update(daily_budget_micros=None)
    seen = see(lived)
    assert np.isnan(seen.budgets[:2]).all()
    assert seen.budgets[2] == 60
    for name in names():
        policy = load(name)
        policy.reset(3, 0)
        assert np.isnan(policy.decide(seen)[:2]).all()


def test_the_platforms_minimum_outranks_a_lower_floor(lived: House) -> None:
    type(lived.account).objects.update(minimum_daily_budget_micros=20 * MICROS)
    assert see(lived).min_budget.tolist() == [20, 20, 20]


def test_refunds_are_taken_off_the_revenue_of_their_hour(lived: House) -> None:
    Reward.objects.filter(ad_set=lived.ad_sets[1], hour=SLOT).update(refunds_micros=7 * MICROS)
    assert see(lived).revenue[-1].tolist() == [48, -7, 0]


def test_the_margin_is_what_the_cost_of_goods_leaves(lived: House) -> None:
    assert see(lived).margin.tolist() == [1, 1, 1]
    Reward.objects.filter(revenue_micros__gt=0).update(cogs_micros=12 * MICROS)
    assert see(lived).margin.tolist() == [0.75] * 3


def test_it_can_be_decided_on_at_once_even_when_nothing_is_known(house: House) -> None:
    seen = see(house, 24)
    assert np.isnan(seen.spend).all()
    assert np.isnan(seen.revenue).all()
    assert seen.spent_today.tolist() == [0, 0, 0]
    for name in names():
        policy = load(name)
        policy.reset(3, 0)
        assert np.isnan(policy.decide(seen)).all()


def test_an_observation_of_the_past_is_the_one_of_then(lived: House) -> None:
    then = AS_OF - timedelta(hours=30)
    now = load_snapshot(lived.tenant, as_of=AS_OF, lookback=80 * HOUR)
    cut = observe(now.cut(then), **BOUNDS)
    whole = observe(load_snapshot(lived.tenant, as_of=then, lookback=50 * HOUR), **BOUNDS)
    for field in fields(Observation):
        one, other = getattr(cut, field.name), getattr(whole, field.name)
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other

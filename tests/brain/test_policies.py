"""What every registered policy promises, and what the plain ones do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain.policies import Explanation, Observation, Policy, PolicyError, load, names, register

ARRAYS = ("spend", "impressions", "clicks", "conversions", "revenue")


def observation(n: int = 3, hours: int = 96, *, seed: int = 0, unknown: float = 0.0, **values: Any) -> Observation:
    """A plausible tenant: budgets of 10 to 100, hours that spend about a 24th of them."""
    random = np.random.default_rng(seed)
    budgets = random.uniform(10, 100, n)
    spend = random.uniform(0.5, 1.5, (hours, n)) * budgets / 24
    history = {
        "spend": spend,
        "impressions": spend * 100,
        "clicks": spend * 2,
        "conversions": random.poisson(0.2, (hours, n)),
        "revenue": spend * random.uniform(0, 6, n) * random.uniform(0.5, 1.5, (hours, n)),
    }
    hidden = random.random((hours, n)) < unknown
    told: dict[str, Any] = {name: np.where(hidden, np.nan, column.astype(float)) for name, column in history.items()}
    made = Observation(
        slot_hour=15,
        weekday=4,
        budgets=budgets,
        **told,
        maturity=np.ones((hours, n)),
        spent_today=budgets / 2,
        daily_cap=float(budgets.sum() * 2),
        margin=np.full(n, 0.6),
        min_budget=np.full(n, 5.0),
        max_budget=np.full(n, 200.0),
        max_step=0.2,
        platform=np.array(["meta"] * n),
    )
    return replace(made, **values)


def optional(n: int, hours: int) -> dict[str, Any]:
    return {
        "ad_set_ids": np.array([f"a{i}" for i in range(n)]),
        "slot": datetime(2026, 11, 20, 15, tzinfo=UTC),
        "budget_history": np.ones((hours, n)),
        "creative_type": np.array(["video"] * n),
        "targeting": np.ones((n, 2)),
    }


def decide(policy: Policy, seen: Observation, seed: int = 1) -> Any:
    policy.reset(seen.budgets.size, seed)
    return policy.decide(seen)


def check(seen: Observation, wanted: Any) -> None:
    """The contract of an answer."""
    assert wanted.shape == seen.budgets.shape
    assert wanted.dtype == np.float64
    acts = ~np.isnan(wanted)
    assert np.isfinite(wanted[acts]).all()
    assert (wanted[acts] >= 0).all()
    slack = 1e-9 * (1 + np.abs(seen.budgets[acts]))
    assert (wanted[acts] >= seen.min_budget[acts] - slack).all()
    assert (wanted[acts] <= seen.max_budget[acts] + slack).all()
    inside = acts & (seen.budgets >= seen.min_budget) & (seen.budgets <= seen.max_budget)
    if np.isfinite(seen.max_step):
        step = np.abs(wanted[inside] - seen.budgets[inside])
        assert (step <= seen.budgets[inside] * seen.max_step + 1e-9 * (1 + seen.budgets[inside])).all()


observations = st.builds(
    observation,
    st.integers(1, 6),
    st.sampled_from([0, 1, 23, 72, 100, 336]),
    seed=st.integers(0, 10**6),
    unknown=st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    slot_hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
    daily_cap=st.sampled_from([0.0, 1.0, 1e9]),
    max_step=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
)


@pytest.mark.parametrize("name", names())
@settings(max_examples=40, deadline=None)
@given(seen=observations, seed=st.integers(0, 2**31))
def test_the_answer_keeps_the_contract_and_the_seed_decides(name: str, seen: Observation, seed: int) -> None:
    wanted = decide(load(name), seen, seed)
    check(seen, wanted)
    np.testing.assert_array_equal(wanted, decide(load(name), seen, seed))
    policy = load(name)
    decide(policy, observation(2, 30, seed=9), 5)
    np.testing.assert_array_equal(wanted, decide(policy, seen, seed))


CORNERS: dict[str, Observation] = {
    "one ad set": observation(1),
    "no history": observation(3, 0),
    "one hour": observation(3, 1),
    "nothing known": observation(3, unknown=1.0),
    "no budgets": observation(3, budgets=np.zeros(3)),
    "budgets elsewhere": observation(3, budgets=np.full(3, np.nan)),
    "one budget elsewhere": observation(3, budgets=np.array([50.0, np.nan, 0.0])),
    "no cap": observation(3, daily_cap=0.0),
    "no step": observation(3, max_step=0.0),
    "any step": observation(3, max_step=np.inf),
    "no room": observation(3, budgets=np.full(3, 50.0), min_budget=np.full(3, 50.0), max_budget=np.full(3, 50.0)),
    "below the floor": observation(3, budgets=np.full(3, 1.0)),
    "above the ceiling": observation(3, budgets=np.full(3, 500.0)),
    "no margin": observation(3, margin=np.zeros(3)),
    "unknown margin": observation(3, margin=np.full(3, np.nan)),
    "no spend": observation(3, spend=np.zeros((96, 3))),
    "no revenue": observation(3, revenue=np.zeros((96, 3))),
    "more refunds than sales": observation(3, revenue=np.full((96, 3), -5.0)),
    "immature": observation(3, maturity=np.zeros((96, 3))),
    "spent everything": observation(3, spent_today=np.full(3, 1e6)),
    "no ad sets": observation(0),
    "everything told": observation(3, **optional(3, 96)),
    "a thousand ad sets": observation(1000, 336),
}


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("corner", CORNERS)
def test_corners(name: str, corner: str) -> None:
    seen = CORNERS[corner]
    policy = load(name)
    wanted = decide(policy, seen)
    check(seen, wanted)
    assert np.isnan(wanted[~(seen.budgets > 0)]).all(), "an ad set without a budget of its own is left alone"
    explained = policy.explain()
    assert isinstance(explained, Explanation)
    n = seen.budgets.size
    parts = (explained.expected_profit_change, explained.low, explained.high)
    assert {part.shape for part in parts} == {(n,)}
    assert all(np.isfinite(part).all() for part in parts)
    assert (explained.low <= explained.expected_profit_change).all()
    assert (explained.expected_profit_change <= explained.high).all()
    assert len(explained.features) == n


@pytest.mark.parametrize("name", names())
def test_ad_sets_may_come_and_go_between_calls(name: str) -> None:
    policy = load(name)
    policy.reset(2, 1)
    for n in (2, 5, 1):
        seen = observation(n)
        check(seen, policy.decide(seen))
        assert len(policy.explain().features) == n


@pytest.mark.parametrize("name", names())
def test_what_was_observed_is_not_written_to(name: str) -> None:
    seen = observation(3)
    for field in (*ARRAYS, "budgets", "maturity", "margin", "min_budget", "max_budget", "spent_today"):
        getattr(seen, field).flags.writeable = False
    decide(load(name), seen)


def test_what_must_be_there_is_there() -> None:
    assert {"hold", "roas_rules"} <= set(names())


@pytest.mark.parametrize("name", ["", "holdd", "Hold", "../hold", "x" * 500])
def test_an_unknown_policy_is_one_clear_error(name: str) -> None:
    with pytest.raises(PolicyError, match=r"expected a policy, one of .*hold") as caught:
        load(name)
    assert len(str(caught.value)) < 300


def test_a_name_is_given_once() -> None:
    with pytest.raises(PolicyError, match="already registered"):
        register("hold")(lambda: load("hold"))
    assert type(load("hold")).__name__ == "Hold"


def test_each_load_is_a_policy_of_its_own() -> None:
    assert load("roas_rules") is not load("roas_rules")


def test_hold_leaves_everything_alone() -> None:
    assert np.isnan(decide(load("hold"), observation(4))).all()


def earning(*contributions: float, **values: Any) -> Observation:
    """Ad sets with a budget of 48 that spent 2 an hour and kept so much per unit of it."""
    n = len(contributions)
    plain = {
        "budgets": np.full(n, 48.0),
        "spend": np.full((96, n), 2.0),
        "margin": np.full(n, 0.5),
        "revenue": np.tile(np.array(contributions) * 4, (96, 1)),
    }
    return observation(n, 96, **plain | values)


def test_winners_go_up_losers_go_down_and_the_rest_stays() -> None:
    wanted = decide(load("roas_rules"), earning(3.0, 1.5, 1.0, 0.4, 0.0))
    assert wanted[0] == pytest.approx(48 * 1.2)
    assert 48 < wanted[1] < wanted[0]
    assert np.isnan(wanted[2])
    assert 48 * 0.8 < wanted[3] < 48
    assert wanted[4] == pytest.approx(48 * 0.8)


def test_a_step_ends_at_the_floor_and_at_the_ceiling() -> None:
    wanted = decide(load("roas_rules"), earning(3.0, 0.0, min_budget=np.full(2, 45.0), max_budget=np.full(2, 50.0)))
    assert wanted.tolist() == [50.0, 45.0]


def test_the_margin_decides_what_is_a_winner() -> None:
    assert decide(load("roas_rules"), earning(2.0))[0] > 48
    assert decide(load("roas_rules"), earning(2.0, margin=np.array([0.1])))[0] < 48


def test_only_the_last_three_days_count() -> None:
    seen = earning(3.0)
    seen.revenue[-72:] = 0.0
    assert decide(load("roas_rules"), seen)[0] < 48


def test_too_little_known_or_spent_holds() -> None:
    assert np.isnan(decide(load("roas_rules"), earning(3.0, spend=np.full((96, 1), 0.5)))).all()
    gaps = earning(3.0)
    gaps.revenue[-72::6] = np.nan
    assert np.isnan(decide(load("roas_rules"), gaps)).all()


def test_an_explanation_points_the_way_the_budget_went() -> None:
    policy = load("roas_rules")
    decide(policy, earning(3.0, 1.0, 0.0))
    explained = policy.explain()
    up, same, down = explained.expected_profit_change
    assert up > 0, "more of what earns"
    assert same == 0
    assert down > 0, "less of what loses"
    assert "3.00" in explained.features[0][0]

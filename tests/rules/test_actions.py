"""What a rule may ask for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.actions import Pause, RuleActionError, ScaleBudget, parse_action


@pytest.mark.parametrize(
    ("data", "action"),
    [
        ({"kind": "pause"}, Pause()),
        ({"kind": "scale_budget", "percent": 15}, ScaleBudget(15)),
        ({"kind": "scale_budget", "percent": -99}, ScaleBudget(-99)),
        ({"kind": "scale_budget", "percent": 100}, ScaleBudget(100)),
    ],
)
def test_what_is_an_action(data: Any, action: Any) -> None:
    assert parse_action(data) == action


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "pause",
        {},
        {"kind": None},
        {"kind": "start"},
        {"kind": ["pause"]},
        {"kind": "pause", "percent": 1},
        {"kind": "scale_budget"},
        {"kind": "scale_budget", "percent": 5, "x": 1},
        *({"kind": "scale_budget", "percent": p} for p in (0, 101, -100, 10**30, 1.5, 5.0, "5", True, None, [5])),
    ],
)
def test_what_is_none(data: Any) -> None:
    with pytest.raises(RuleActionError, match=r"^action"):
        parse_action(data)


@given(st.integers(0, 10**15), st.integers(-99, 100))
def test_a_scaled_budget_is_never_more_than_asked_for(base: int, percent: int) -> None:
    target = ScaleBudget(percent).target(base)
    assert 0 <= target * 100 <= base * (100 + percent) < (target + 1) * 100

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.money import MICROS
from automation.guardrails import (
    GUARDRAILS,
    Decision,
    Facts,
    Guardrail,
    LimitValues,
    Outcome,
    guard,
)
from rules.proposals import ChangeKind

LIMITS = LimitValues(
    hard_daily_cap_micros=1000 * MICROS,
    daily_target_micros=600 * MICROS,
    step_up_ppm=200_000,
    step_down_ppm=300_000,
    floor_micros=12 * MICROS,
    ceiling_micros=72 * MICROS,
    cooldown_hours=6,
    freeze_roas_ppm=800_000,
    freeze_no_sale_hours=24,
    peak_hours=None,
    canary=None,
)
FACTS = Facts(
    kind=ChangeKind.SET_BUDGET,
    key="meta:1",
    currency="USD",
    limits_currency="USD",
    base_micros=40 * MICROS,
    target_micros=44 * MICROS,
    is_raise=True,
    stop_reason="",
    in_flight=False,
    data_problem="",
    local_hour=12,
    roas=Decimal(2),
    hours_since_sale=1.0,
    hours_since_change=None,
    changes_last_hour=0,
    budget_micros=40 * MICROS,
    platform_minimum_micros=5 * MICROS,
    unit_micros=10_000,
    worst_day_ppm=1_750_000,
    other_nominal_micros=100 * MICROS,
    other_maximum_micros=175 * MICROS,
    active_siblings=3,
)


def judge(*, limits: LimitValues | None = LIMITS, **changes: Any) -> Decision:
    facts = replace(FACTS, **changes)
    if facts.base_micros is not None and facts.target_micros is not None and "is_raise" not in changes:
        facts = replace(facts, is_raise=facts.target_micros > facts.base_micros)
    return guard(facts, limits)


def dollars(decision: Decision) -> float:
    assert decision.target_micros is not None
    return decision.target_micros / MICROS


def blocked_by(decision: Decision) -> list[str]:
    return [verdict.guardrail for verdict in decision.verdicts if verdict.outcome == Outcome.BLOCK]


def test_a_small_raise_on_good_figures_is_allowed_as_it_is() -> None:
    decision = judge()
    assert decision.allowed and dollars(decision) == 44


def test_no_limits_configured_blocks() -> None:
    assert not judge(limits=None).allowed


def test_a_guardrail_that_raises_blocks() -> None:
    def broken(facts: Facts, limits: LimitValues, target: int | None) -> tuple[Outcome, str, int | None]:
        raise ZeroDivisionError

    decision = guard(FACTS, LIMITS, (*GUARDRAILS, broken))
    assert blocked_by(decision) == ["broken"]


BLOCKS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("kill_switch", {"stop_reason": "stopped"}, {}),
    ("currency", {"currency": "EUR"}, {}),
    ("canary_list", {}, {"canary": frozenset({"meta:2"})}),
    ("one_in_flight", {"in_flight": True}, {}),
    ("data_health", {"data_problem": "hours are missing"}, {}),
    ("low_roas_freeze", {"roas": Decimal("0.79")}, {}),
    ("low_roas_freeze", {"roas": None}, {}),
    ("no_sale_freeze", {"hours_since_sale": 24.0}, {}),
    ("no_sale_freeze", {"hours_since_sale": None}, {}),
    ("cooldown", {"hours_since_change": 5.0}, {}),
    ("change_rate", {"changes_last_hour": 2}, {}),
    ("peak_hours", {}, {"peak_hours": (18, 22)}),
    ("platform_minimum", {"platform_minimum_micros": None}, {}),
    ("something_left", {"platform_minimum_micros": 60 * MICROS}, {}),
    ("daily_target", {"other_nominal_micros": 560 * MICROS}, {}),
    ("daily_target", {"other_nominal_micros": None}, {}),
    ("hard_cap", {"other_maximum_micros": 930 * MICROS}, {}),
    ("hard_cap", {"other_maximum_micros": None}, {}),
]


@pytest.mark.parametrize(("name", "facts", "limits"), BLOCKS)
def test_each_guardrail_blocks_what_it_is_for(name: str, facts: dict[str, Any], limits: dict[str, Any]) -> None:
    assert name in blocked_by(judge(limits=replace(LIMITS, **limits), **facts))


def _without(name: str) -> tuple[Guardrail, ...]:
    return tuple(guardrail for guardrail in GUARDRAILS if guardrail.__name__ != name)


@pytest.mark.parametrize(("name", "facts", "limits"), BLOCKS)
def test_without_that_guardrail_the_same_change_would_pass(
    name: str, facts: dict[str, Any], limits: dict[str, Any]
) -> None:
    decision = guard(replace(FACTS, **facts), replace(LIMITS, **limits), _without(name))
    assert name not in blocked_by(decision)
    if name != "currency":
        assert decision.allowed


LOWERING: dict[str, Any] = {"target_micros": 32 * MICROS}


@pytest.mark.parametrize(
    "facts",
    [
        {"data_problem": "hours are missing"},
        {"roas": None},
        {"roas": Decimal("0.1")},
        {"hours_since_sale": None},
        {"other_nominal_micros": None, "other_maximum_micros": None},
        {"other_nominal_micros": 10_000 * MICROS, "other_maximum_micros": 10_000 * MICROS},
    ],
)
def test_the_way_to_less_spend_stays_open(facts: dict[str, Any]) -> None:
    decision = judge(**facts, **LOWERING)
    assert decision.allowed and dollars(decision) == 32


def test_peak_hours_bind_raises_only() -> None:
    evening = replace(LIMITS, peak_hours=(18, 22))
    assert judge(limits=evening, local_hour=18).allowed
    assert judge(limits=evening, local_hour=21).allowed
    assert not judge(limits=evening, local_hour=22).allowed
    assert judge(limits=evening, **LOWERING).allowed


def test_peak_hours_may_span_midnight() -> None:
    night = replace(LIMITS, peak_hours=(22, 2))
    assert judge(limits=night, local_hour=23).allowed
    assert judge(limits=night, local_hour=1).allowed
    assert not judge(limits=night, local_hour=2).allowed


def test_a_large_raise_is_clamped_to_one_step() -> None:
    assert dollars(judge(target_micros=70 * MICROS)) == 48


def test_a_large_cut_is_clamped_to_one_step() -> None:
    assert dollars(judge(target_micros=1 * MICROS)) == 28


def test_a_raise_stops_at_the_ceiling() -> None:
    assert dollars(judge(base_micros=70 * MICROS, target_micros=80 * MICROS)) == 72


def test_a_cut_stops_at_the_floor() -> None:
    assert dollars(judge(base_micros=14 * MICROS, target_micros=10 * MICROS)) == 12


def test_the_floor_never_turns_a_cut_into_a_raise() -> None:
    decision = judge(base_micros=8 * MICROS, target_micros=6 * MICROS)
    assert not decision.allowed and blocked_by(decision) == ["something_left"]


def test_the_platforms_minimum_outranks_the_ceiling() -> None:
    decision = judge(base_micros=90 * MICROS, target_micros=60 * MICROS, platform_minimum_micros=80 * MICROS)
    assert decision.allowed and dollars(decision) == 80


def test_above_the_ceiling_the_way_down_is_taken_step_by_step() -> None:
    decision = judge(base_micros=200 * MICROS, target_micros=200 * MICROS, is_raise=False)
    assert decision.allowed and dollars(decision) == 140


def test_the_daily_target_leaves_what_is_left() -> None:
    assert dollars(judge(other_nominal_micros=557 * MICROS)) == 43


def test_the_hard_cap_counts_the_platforms_worst_day() -> None:
    # 74.375 left, divided by 1.75, is 42.50.
    assert dollars(judge(other_maximum_micros=1000 * MICROS - 74_375_000)) == 42.5


def test_the_last_active_ad_set_is_not_paused() -> None:
    pausing: dict[str, Any] = {
        "kind": ChangeKind.SET_STATUS,
        "base_micros": None,
        "target_micros": None,
        "is_raise": False,
    }
    assert judge(**pausing).allowed
    assert blocked_by(judge(**pausing, active_siblings=0)) == ["last_active"]


ENABLING: dict[str, Any] = {
    "kind": ChangeKind.SET_STATUS,
    "base_micros": None,
    "target_micros": None,
    "is_raise": True,
}


def test_enabling_an_ad_set_needs_room_for_its_whole_budget() -> None:
    assert judge(**ENABLING).allowed
    assert blocked_by(judge(**ENABLING, other_nominal_micros=561 * MICROS)) == ["daily_target"]
    assert blocked_by(judge(**ENABLING, other_maximum_micros=931 * MICROS)) == ["hard_cap"]
    assert blocked_by(judge(**ENABLING, budget_micros=None)) == ["daily_target", "hard_cap"]


def test_enabling_meets_the_freezes_like_any_raise() -> None:
    assert blocked_by(judge(**ENABLING, roas=None)) == ["low_roas_freeze"]
    assert blocked_by(judge(**ENABLING, hours_since_sale=30.0)) == ["no_sale_freeze"]


def test_every_verdict_is_kept_even_after_a_block() -> None:
    decision = judge(stop_reason="stopped", roas=None)
    assert len(decision.verdicts) == len(GUARDRAILS)
    assert blocked_by(decision) == ["kill_switch", "low_roas_freeze"]


amounts = st.integers(1, 500 * 100).map(lambda cents: cents * 10_000)


@given(
    base=amounts, target=amounts, minimum=amounts, others=amounts, up=st.integers(0, 10**6), down=st.integers(0, 10**6)
)
def test_whatever_is_allowed_keeps_every_limit(
    base: int, target: int, minimum: int, others: int, up: int, down: int
) -> None:
    limits = replace(LIMITS, step_up_ppm=up, step_down_ppm=down)
    facts = replace(
        FACTS,
        base_micros=base,
        target_micros=target,
        is_raise=target > base,
        platform_minimum_micros=minimum,
        other_nominal_micros=others,
        other_maximum_micros=others * 7 // 4,
    )
    decision = guard(facts, limits)
    if not decision.allowed:
        return
    left = decision.target_micros
    assert left is not None and left != base and left % 10_000 == 0
    assert base - base * down / 10**6 <= left <= base + base * up / 10**6
    if left > base:
        assert target > base
        assert left <= max(limits.ceiling_micros, minimum)
        assert others + left <= limits.daily_target_micros
        assert others * 7 // 4 + left * 7 / 4 <= limits.hard_daily_cap_micros
    else:
        assert left >= min(base, limits.floor_micros)

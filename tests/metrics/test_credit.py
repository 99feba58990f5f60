"""The credit score as arithmetic: the worked figures of docs/credit.md, and what must never happen to a score."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.money import text_from_micros
from metrics.credit import (
    FACTORS,
    MINIMUM_COVERAGE_PPM,
    PPM,
    Inputs,
    Purse,
    assess,
    commission_micros,
    figures_of,
    growth,
    on_curve,
    stability,
    tier_of,
    usd,
)
from metrics.credit_reasons import REASONS

D = 1_000_000  # micros of a dollar
DOCS = Path(__file__).resolve().parents[2] / "docs" / "credit.md"

EMPTY = Purse("USD", "1", 0, 0, 0, 0, (0, 0, 0), (0, 0, 0))
NOTHING = Inputs(
    start="2026-08-22T00:00:00+00:00",
    end="2026-11-20T00:00:00+00:00",
    period_days=90,
    known_days=90,
    stores=1,
    stores_read=1,
    stores_unsupported=0,
    purses=(EMPTY,),
    orders=0,
    paid_orders=0,
    affiliate_orders=0,
    untold_commissions=0,
    months_orders=(0, 0, 0),
    days_with_orders=0,
    shop_age_days=None,
    seller_types=(),
    rating_ppm=None,
    violations=None,
    products_before=None,
    products_now=None,
)


def seller(sales: int = 15_000, refunds: int = 750, orders: int = 150, **more: Any) -> Inputs:
    """A shop of steady months, in whole dollars."""
    month = sales * D // 3
    purse = replace(EMPTY, sales_micros=sales * D, refunds_micros=refunds * D, months=(month,) * 3)
    counts = {"orders": orders, "paid_orders": orders, "months_orders": (orders // 3,) * 3, "days_with_orders": 81}
    values = {"purses": (purse,), "shop_age_days": 400, "seller_types": ("LOCAL",), **counts, **more}
    return replace(NOTHING, **values)


def purse_of(inputs: Inputs, **more: Any) -> Inputs:
    return replace(inputs, purses=(replace(inputs.purses[0], **more), *inputs.purses[1:]))


def dollars(micros: int | None) -> str:
    assert micros is not None
    return text_from_micros(micros)


def test_a_seller_with_150_orders_and_five_percent_back() -> None:
    figures = figures_of(seller())
    assert dollars(figures["net_revenue_micros"]) == "14,250.00"
    assert dollars(figures["monthly_revenue_micros"]) == "4,750.00"
    assert dollars(figures["average_order_micros"]) == "100.00"
    assert figures["return_rate_ppm"] == 50_000
    assert assess(seller()).tier == "up_to_5000"


def test_a_creator_with_200_orders_at_fifteen_percent() -> None:
    commission = commission_micros(30_000 * D, 150_000)
    assert dollars(commission) == "4,500.00"
    purse = replace(EMPTY, settled_micros=commission, months=(commission // 3,) * 3)
    figures = figures_of(replace(NOTHING, purses=(purse,), affiliate_orders=200))
    assert dollars(figures["monthly_revenue_micros"]) == "1,500.00"


def test_own_sales_and_commissions_together() -> None:
    both = purse_of(seller(10_000, 0, 100), settled_micros=1_000 * D, expected_micros=2_000 * D)
    assert dollars(figures_of(both)["monthly_revenue_micros"]) == "4,333.33"
    assert figures_of(both)["monthly_revenue_micros"] == 4_333_333_333


def test_the_whole_worked_example_of_the_documentation() -> None:
    result = assess(replace(seller(), rating_ppm=4_500_000, products_before=20, products_now=22))
    found = {factor.name: factor.score_ppm for factor in result.factors}
    assert found == {"revenue": 484_375, "consistency": 960_000, "reliability": 868_750, "growth": 525_000}
    assert (result.score_ppm, result.coverage_ppm, result.confidence_ppm) == (664_500, 920_000, 920_000)
    assert result.reasons == ("unknown_violations", "unknown_affiliate_growth")
    for figure in ("484,375", "960,000", "868,750", "525,000", "664,500", "920,000"):
        assert figure in DOCS.read_text()


def test_the_documentation_names_every_part_and_every_reason() -> None:
    text = DOCS.read_text()
    for name in [part.name for factor in FACTORS for part in factor.parts]:
        assert f"`{name}`" in text, name
    for reason in REASONS.values():
        assert f"| `{reason.code}` | {reason.sentence} |" in text


def test_weights_are_those_of_the_issue_and_whole() -> None:
    assert {factor.name: factor.weight_ppm for factor in FACTORS} == {
        "revenue": 400_000,
        "consistency": 200_000,
        "reliability": 200_000,
        "growth": 200_000,
    }
    assert {sum(part.weight_ppm for part in factor.parts) for factor in FACTORS} == {PPM}


@pytest.mark.parametrize(
    ("monthly", "tier"),
    [
        (0, "up_to_1000"),
        (1_000 * D, "up_to_1000"),
        (1_000 * D + 1, "up_to_5000"),
        (5_000 * D, "up_to_5000"),
        (20_000 * D, "up_to_20000"),
        (20_000 * D + 1, "above_20000"),
    ],
)
def test_a_tier_includes_its_limit(monthly: int, tier: str) -> None:
    assert tier_of(monthly) == tier


@pytest.mark.parametrize(
    ("monthly", "score"), [(0, 0), (1_000, 250_000), (3_000, 375_000), (20_000, 750_000), (80_000, PPM), (10**6, PPM)]
)
def test_the_score_of_revenue_passes_through_the_tiers(monthly: int, score: int) -> None:
    assert on_curve(monthly * D) == score


@pytest.mark.parametrize(
    ("months", "score"),
    [((100, 100, 100), PPM), ((100, 200, 400), PPM), ((100, 50, 50), 750_000), ((100,), None), ((0, 100), None)],
)
def test_stability_counts_falls_only(months: tuple[int, ...], score: int | None) -> None:
    assert stability(months) == score


@pytest.mark.parametrize(
    ("months", "score"),
    [
        ((100, 100, 100), 500_000),
        ((100, 150), PPM),
        ((100, 50), 0),
        ((50, 150, 90), 400_000),
        ((0, 9), None),
        ((9,), None),
    ],
)
def test_growth_compares_the_newest_month_with_those_before(months: tuple[int, ...], score: int | None) -> None:
    assert growth(months) == score


def test_an_unknown_part_gives_its_weight_to_the_known_ones_and_takes_coverage_away() -> None:
    known = replace(seller(), rating_ppm=5 * PPM)
    unknown = replace(known, rating_ppm=None)
    reliability = [assess(inputs).factors[2] for inputs in (known, unknown)]
    assert reliability[1].score_ppm == (300_000 * 750_000 + 200_000 * PPM) // 500_000
    assert assess(known).coverage_ppm - assess(unknown).coverage_ppm == 60_000
    assert assess(unknown).confidence_ppm < assess(known).confidence_ppm
    assert "unknown_rating" in assess(unknown).reasons


def test_a_currency_without_a_rate_leaves_revenue_unknown_and_no_score() -> None:
    result = assess(purse_of(seller(), currency="THB", usd_rate=None))
    assert (result.score_ppm, result.monthly_revenue_micros, result.tier, result.confidence_ppm) == (None, None, "", 0)
    assert {"no_rate", "unknown_monthly_revenue", "too_little_known"} <= set(result.reasons)


def test_money_is_converted_at_the_rate_that_the_inputs_keep() -> None:
    euros = purse_of(seller(), currency="EUR", usd_rate="1.1")
    assert dollars(figures_of(euros)["net_revenue_micros"]) == "15,675.00"
    assert usd(3, "0.5") == 2 and usd(5, "0.5") == 2  # halves to even
    assert usd(10**15, "0.0000613") == 61_300_000_000


@pytest.mark.parametrize("rate", ["", "0", "-1", "1e3", "NaN", "1,5", " 1", "١", None])
def test_what_is_no_rate_is_refused(rate: str | None) -> None:
    with pytest.raises(ValueError, match="expected dollars"):
        usd(1, rate)


def test_no_orders_are_zero_revenue_with_a_reason_and_not_unknown() -> None:
    result = assess(NOTHING)
    assert (result.monthly_revenue_micros, result.tier, result.factors[0].score_ppm) == (0, "up_to_1000", 0)
    assert "no_orders" in result.reasons


def test_fewer_than_thirty_known_days_give_no_score() -> None:
    short = purse_of(replace(seller(), known_days=29, months_orders=()), months=(), affiliate_months=())
    assert assess(short).score_ppm is None
    assert "period_too_short" in assess(short).reasons


def test_a_period_that_is_known_in_part_counts_the_known_days_with_less_confidence() -> None:
    part = purse_of(replace(seller(), known_days=60, months_orders=(50, 50)), months=(5_000 * D,) * 2)
    part = purse_of(part, affiliate_months=(0, 0), sales_micros=10_000 * D, refunds_micros=500 * D)
    assert dollars(assess(part).monthly_revenue_micros) == "4,750.00"
    assert assess(part).confidence_ppm < assess(seller()).confidence_ppm
    assert "period_partly_known" in assess(part).reasons


def test_expected_commission_counts_and_costs_confidence() -> None:
    settled = purse_of(seller(), settled_micros=1_000 * D)
    expected = purse_of(seller(), expected_micros=1_000 * D)
    assert assess(settled).score_ppm == assess(expected).score_ppm
    assert assess(settled).confidence_ppm == 2 * assess(expected).confidence_ppm
    assert "commission_unsettled" in assess(expected).reasons


LOWERING: list[tuple[dict[str, Any], str]] = [
    ({"orders": 120}, "many_cancellations"),
    ({"rating_ppm": 3_000_000}, "low_rating"),
    ({"violations": 1}, "violations"),
    ({"shop_age_days": 100}, "young_shop"),
    ({"days_with_orders": 40}, "irregular_orders"),
    ({"stores": 2}, "store_not_read"),
    ({"stores": 2, "stores_unsupported": 1}, "market_not_supported"),
    ({"untold_commissions": 1}, "commission_untold"),
    ({"orders": 20, "paid_orders": 20}, "few_orders"),
]


@pytest.mark.parametrize(("values", "code"), LOWERING)
def test_each_reason_stands_where_it_holds_and_only_there(values: dict[str, Any], code: str) -> None:
    assert code not in assess(seller()).reasons
    assert code in assess(replace(seller(), **values)).reasons


def test_what_fell_or_came_back_is_said() -> None:
    fallen = purse_of(seller(), months=(6_000 * D, 6_000 * D, 3_000 * D))
    assert "revenue_falls" in assess(fallen).reasons
    assert "high_returns" in assess(seller(refunds=1_600)).reasons


def test_inputs_survive_json() -> None:
    inputs = replace(seller(), rating_ppm=1)
    assert Inputs.from_json(json.loads(json.dumps(inputs.as_json()))) == inputs


amounts = st.integers(0, 10**12)
optional = st.none() | st.integers(0, 10**4)


def triples(values: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(values, values, values)


@st.composite
def some_inputs(draw: st.DrawFn) -> Inputs:
    months, orders = draw(triples(amounts)), draw(triples(st.integers(0, 10_000)))
    settled, expected = draw(st.integers(0, sum(months))), 0
    purse = Purse(
        currency="EUR",
        usd_rate=draw(st.sampled_from(["1", "1.08", "0.0000613", "3"])),
        sales_micros=sum(months) - settled,
        refunds_micros=draw(amounts),
        settled_micros=settled,
        expected_micros=expected,
        months=months,
        affiliate_months=draw(st.none() | triples(amounts)),
    )
    return replace(
        NOTHING,
        purses=(purse,),
        orders=sum(orders),
        paid_orders=sum(orders) + draw(st.integers(0, 1000)),
        months_orders=orders,
        days_with_orders=draw(st.integers(0, 91)),
        shop_age_days=draw(optional),
        seller_types=draw(st.sampled_from([(), ("LOCAL",), ("CROSS_BORDER", "LOCAL"), ("OTHER",)])),
        rating_ppm=draw(st.none() | st.integers(0, 6 * PPM)),
        violations=draw(optional),
        products_before=draw(optional),
        products_now=draw(optional),
    )


def total(inputs: Inputs) -> int:
    return assess(inputs).score_ppm or 0


@given(some_inputs())
def test_every_figure_is_a_share_and_every_reason_is_on_the_list(inputs: Inputs) -> None:
    result = assess(inputs)
    parts = [part for factor in result.factors for part in factor.parts]
    shares = [result.score_ppm, result.coverage_ppm, result.confidence_ppm]
    shares += [part.score_ppm for part in parts] + [factor.score_ppm for factor in result.factors]
    assert all(share is None or 0 <= share <= PPM for share in shares)
    assert (result.score_ppm is None) == (result.coverage_ppm < MINIMUM_COVERAGE_PPM)
    assert set(result.reasons) <= set(REASONS)
    assert assess(Inputs.from_json(json.loads(json.dumps(inputs.as_json())))) == result


signed = st.integers(-(10**12), 10**12)


@given(some_inputs(), signed, signed, triples(signed))
def test_commission_that_was_taken_back_leaves_every_figure_a_share(
    inputs: Inputs, settled: int, expected: int, months: tuple[int, ...]
) -> None:
    result = assess(purse_of(inputs, settled_micros=settled, expected_micros=expected, months=months))
    parts = [part for factor in result.factors for part in factor.parts]
    shares = [result.score_ppm, result.confidence_ppm, *(part.score_ppm for part in parts)]
    assert all(share is None or 0 <= share <= PPM for share in shares)


@given(some_inputs(), st.integers(1, 50))
def test_more_of_the_same_revenue_never_lowers_the_score(inputs: Inputs, times: int) -> None:
    """In dollars: elsewhere a month of a few micros is rounded to none."""
    inputs = purse_of(inputs, usd_rate="1")
    (purse,) = inputs.purses
    more = purse_of(
        inputs,
        sales_micros=purse.sales_micros * times,
        settled_micros=purse.settled_micros * times,
        months=tuple(month * times for month in purse.months),
    )
    assert total(more) >= total(inputs)


@given(some_inputs(), amounts)
def test_more_revenue_in_the_newest_month_never_lowers_the_score(inputs: Inputs, more: int) -> None:
    (purse,) = inputs.purses
    *before, newest = purse.months
    richer = purse_of(inputs, sales_micros=purse.sales_micros + more, months=(*before, newest + more))
    if figures_of(inputs)["sales_micros"] or not purse.refunds_micros:  # else a return rate becomes known
        assert total(richer) >= total(inputs)


@given(some_inputs(), amounts)
def test_more_returns_never_raise_the_score(inputs: Inputs, more: int) -> None:
    worse = purse_of(inputs, refunds_micros=inputs.purses[0].refunds_micros + more)
    assert total(worse) <= total(inputs)


@given(some_inputs(), st.sampled_from(["rating_ppm", "shop_age_days", "days_with_orders"]), st.integers(0, 1000))
def test_what_speaks_for_a_shop_never_lowers_its_score(inputs: Inputs, name: str, more: int) -> None:
    before = getattr(inputs, name)
    if before is not None:
        assert total(replace(inputs, **{name: before + more})) >= total(inputs)


def test_all_that_the_score_reads_is_among_the_inputs_or_follows_from_them() -> None:
    names = {field.name for field in fields(Inputs)} | set(figures_of(seller()))
    assert {name for factor in FACTORS for part in factor.parts for name in part.reads} <= names

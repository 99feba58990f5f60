"""A score for lenders and partners from verified revenue: a pure function of `Inputs` (docs/credit.md).

Money in micros; scores, weights and rates in millionths (ppm), whole numbers rounded down unless said otherwise, so
that the same inputs give the same figures to the digit. A part that is unknown counts neither for nor against: its
weight is spread over the known parts of its factor, and coverage and confidence fall.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from metrics.credit_reasons import ENOUGH_DAYS, ENOUGH_ORDERS, reasons_of

METHOD = "1"
PPM = 1_000_000
DOLLAR = 1_000_000  # micros

MONTH_DAYS = 30
MINIMUM_COVERAGE_PPM = 600_000

TIERS = ((1_000, "up_to_1000"), (5_000, "up_to_5000"), (20_000, "up_to_20000"))
HIGHEST_TIER = "above_20000"
# Monthly revenue in dollars and its score; straight lines between, all above the last as the last.
REVENUE_CURVE = ((0, 0), (1_000, 250_000), (5_000, 500_000), (20_000, 750_000), (80_000, 1_000_000))

OLD_SHOP_DAYS = 365
BEST_RATING_PPM = 5 * PPM
SELLER_TYPES = {"LOCAL": PPM, "CROSS_BORDER": PPM // 2}
WORST_RETURN_RATE_PPM = 200_000
WORST_CANCELLATION_RATE_PPM = 200_000
EACH_VIOLATION_PPM = 250_000

Values = Mapping[str, Any]
Months = Sequence[int]


@dataclass(frozen=True, slots=True)
class Purse:
    """What was earned in one currency, in micros of it. `usd_rate`: dollars for one unit, as text; unknown is `None`.

    `sales` are the totals of own orders that count, `refunds` what was paid back, `settled` and `expected`
    commissions as a creator. By month, the oldest first: `months` sales and commissions together, before refunds;
    `affiliate_months` what creators sold, `None` where that was not read.
    """

    currency: str
    usd_rate: str | None
    sales_micros: int
    refunds_micros: int
    settled_micros: int
    expected_micros: int
    months: tuple[int, ...]
    affiliate_months: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a score depends on. Months are the whole stretches of 30 days that end with the known days, which are
    those of `[start, end)` (ISO 8601).

    `orders` are own orders that count, `paid_orders` those and the cancelled ones, `affiliate_orders` those that one
    brought to others as a creator; `months_orders` own and brought. Of stores, `stores_read` could be taken in,
    `stores_unsupported` are in other markets. `shop_age_days` is at least, `rating_ppm` of 5,000,000.
    """

    start: str
    end: str
    period_days: int
    known_days: int
    stores: int
    stores_read: int
    stores_unsupported: int
    purses: tuple[Purse, ...]
    orders: int
    paid_orders: int
    affiliate_orders: int
    untold_commissions: int
    months_orders: tuple[int, ...]
    days_with_orders: int
    shop_age_days: int | None
    seller_types: tuple[str, ...]
    rating_ppm: int | None
    violations: int | None
    products_before: int | None
    products_now: int | None

    def as_json(self) -> dict[str, Any]:
        """With lists for tuples: what JSON gives back."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Inputs:
        values: dict[str, Any] = {name: _frozen(value) for name, value in document.items()}
        purses = [Purse(**{name: _frozen(value) for name, value in purse.items()}) for purse in values["purses"]]
        return cls(**{**values, "purses": tuple(purses)})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class ScoredPart:
    """`read` holds what the part was computed from; a score of `None` is unknown."""

    name: str
    weight_ppm: int
    score_ppm: int | None
    read: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ScoredFactor:
    name: str
    weight_ppm: int
    score_ppm: int | None
    parts: tuple[ScoredPart, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """`tier` and `monthly_revenue_micros` (US dollars) are also there without a score, as long as they are known."""

    score_ppm: int | None
    tier: str
    monthly_revenue_micros: int | None
    coverage_ppm: int
    confidence_ppm: int
    factors: tuple[ScoredFactor, ...]
    reasons: tuple[str, ...]
    figures: dict[str, Any]


MONEY = (
    "sales_micros",
    "refunds_micros",
    "commission_micros",
    "net_revenue_micros",
    "monthly_revenue_micros",
    "average_order_micros",
    "return_rate_ppm",
    "unsettled_ppm",
    "months_revenue",
    "months_affiliate",
)


def assess(inputs: Inputs) -> Result:
    figures = figures_of(inputs)
    values: Values = {**asdict(inputs), **figures}
    factors = tuple(_scored(factor, values) for factor in FACTORS)
    coverage = sum(f.weight_ppm * sum(p.weight_ppm for p in f.parts if p.score_ppm is not None) for f in factors) // PPM
    is_enough = factors[0].score_ppm is not None and coverage >= MINIMUM_COVERAGE_PPM
    score = _weighted([(f.weight_ppm, f.score_ppm) for f in factors]) if is_enough else None
    parts = {part.name: part.score_ppm for factor in factors for part in factor.parts}
    monthly = figures["monthly_revenue_micros"]
    return Result(
        score_ppm=score,
        tier="" if monthly is None else tier_of(monthly),
        monthly_revenue_micros=monthly,
        coverage_ppm=coverage,
        confidence_ppm=0 if score is None else _confidence(coverage, inputs, figures["unsettled_ppm"]),
        factors=factors,
        reasons=reasons_of({**values, "score_ppm": score}, parts),
        figures=figures,
    )


def figures_of(inputs: Inputs) -> dict[str, Any]:
    """What follows from the inputs, money in micros of US dollars; all money is unknown where a rate is missing."""
    purses, count = inputs.purses, inputs.paid_orders
    found: dict[str, Any] = dict.fromkeys(MONEY)
    if purses and all(purse.usd_rate is not None for purse in purses):
        sales, refunds, settled, expected = (sum(column) for column in zip(*map(_dollars, purses), strict=True))
        net, days = max(0, sales - refunds + settled + expected), inputs.known_days
        is_told = all(purse.affiliate_months is not None for purse in purses)
        found = {
            "sales_micros": sales,
            "refunds_micros": refunds,
            "commission_micros": settled + expected,
            "net_revenue_micros": net,
            "monthly_revenue_micros": rounded(net * MONTH_DAYS, days) if days >= ENOUGH_DAYS else None,
            "average_order_micros": rounded(sales, inputs.orders),
            "return_rate_ppm": rounded(refunds * PPM, sales),
            "unsettled_ppm": rounded(max(0, expected) * PPM, max(0, settled) + max(0, expected)),
            "months_revenue": _months(purses, "months"),
            "months_affiliate": _months(purses, "affiliate_months") if is_told else None,
        }
    return {**found, "cancellation_rate_ppm": rounded((count - inputs.orders) * PPM, count)}


def _dollars(purse: Purse) -> tuple[int, ...]:
    amounts = purse.sales_micros, purse.refunds_micros, purse.settled_micros, purse.expected_micros
    return tuple(usd(amount, purse.usd_rate) for amount in amounts)


def _months(purses: Sequence[Purse], name: str) -> list[int]:
    """The months of all purses in dollars; one in which more commission was taken back than earned brought nothing."""
    columns = zip(*([usd(m, purse.usd_rate) for m in getattr(purse, name)] for purse in purses), strict=True)
    return [max(0, sum(column)) for column in columns]


def rounded(value: int, by: int) -> int | None:
    """The nearest whole number, halves up; unknown over zero."""
    return (2 * value + by) // (2 * by) if by else None


def usd(micros: int, rate: str | None) -> int:
    """Dollars at a rate, to the nearest micro, halves to even."""
    if rate is None or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,15})?", rate) or not Decimal(rate):
        raise ValueError(f"expected dollars for one unit such as 1.08, got {str(rate)[:40]!r}")
    with localcontext() as context:
        context.prec = 60
        return int((Decimal(micros) * Decimal(rate)).to_integral_value(ROUND_HALF_EVEN))


def commission_micros(sales_micros: int, rate_ppm: int) -> int:
    """What sales bring at a rate of commission, to the nearest micro."""
    return rounded(sales_micros * rate_ppm, PPM) or 0


def tier_of(monthly_micros: int) -> str:
    return next((name for limit, name in TIERS if monthly_micros <= limit * DOLLAR), HIGHEST_TIER)


# --- Parts: what is read, and its score -------------------------------------------------------------------


def share(part: int, whole: int) -> int | None:
    """At most all of it; unknown of nothing."""
    return min(PPM, part * PPM // whole) if whole else None


def on_curve(monthly_micros: int) -> int:
    for (low, base), (high, top) in pairwise(REVENUE_CURVE):
        if monthly_micros <= high * DOLLAR:
            return base + (monthly_micros - low * DOLLAR) * (top - base) // ((high - low) * DOLLAR)
    return REVENUE_CURVE[-1][1]


def stability(months: Months) -> int | None:
    """The mean over consecutive months of next ÷ previous, 1 at most: rises cost nothing, growth tells them."""
    kept = [min(PPM, after * PPM // before) for before, after in pairwise(months) if before]
    return sum(kept) // len(kept) if kept else None


def growth(months: Months) -> int | None:
    """The newest month against the mean of those before: half when equal, all from +50 %, none from −50 %."""
    *earlier, newest = months or (0,)
    if not sum(earlier):
        return None
    change = newest * len(earlier) * PPM // sum(earlier) - PPM
    return min(PPM, max(0, PPM // 2 + change))


def falling(worst: int) -> Callable[[int], int]:
    """All at zero, nothing from `worst` on, a straight line between."""
    return lambda value: max(0, (worst - value) * PPM // worst)


def seller_type(types: Sequence[str]) -> int | None:
    """The lowest of the shops'; of a word that we do not know unknown."""
    scores = [SELLER_TYPES.get(name) for name in types]
    return None if not scores or None in scores else min(score for score in scores if score is not None)


class Part(NamedTuple):
    """`reads` names the inputs or figures that `score` takes; where one of them is unknown, so is the score."""

    name: str
    weight_ppm: int
    reads: tuple[str, ...]
    score: Callable[..., int | None]


class Factor(NamedTuple):
    name: str
    weight_ppm: int
    parts: tuple[Part, ...]


FACTORS = (
    Factor("revenue", 400_000, (Part("monthly_revenue", PPM, ("monthly_revenue_micros",), on_curve),)),
    Factor(
        "consistency",
        200_000,
        (
            Part("order_regularity", 400_000, ("days_with_orders", "known_days"), share),
            Part("stability", 300_000, ("months_revenue",), stability),
            Part("shop_age", 200_000, ("shop_age_days",), lambda days: share(days, OLD_SHOP_DAYS)),
            Part("seller_type", 100_000, ("seller_types",), seller_type),
        ),
    ),
    Factor(
        "reliability",
        200_000,
        (
            Part("rating", 300_000, ("rating_ppm",), lambda rating: share(rating, BEST_RATING_PPM)),
            Part("return_rate", 300_000, ("return_rate_ppm",), falling(WORST_RETURN_RATE_PPM)),
            Part("violations", 200_000, ("violations",), lambda count: max(0, PPM - count * EACH_VIOLATION_PPM)),
            Part("fulfilment", 200_000, ("cancellation_rate_ppm",), falling(WORST_CANCELLATION_RATE_PPM)),
        ),
    ),
    Factor(
        "growth",
        200_000,
        (
            Part("revenue_growth", 400_000, ("months_revenue",), growth),
            Part("order_growth", 200_000, ("months_orders",), growth),
            Part("product_growth", 200_000, ("products_before", "products_now"), lambda *counts: growth(counts)),
            Part("affiliate_growth", 200_000, ("months_affiliate",), growth),
        ),
    ),
)


def _scored(factor: Factor, values: Values) -> ScoredFactor:
    parts = []
    for part in factor.parts:
        read = {name: values[name] for name in part.reads}
        score = None if None in read.values() else part.score(*read.values())
        parts.append(ScoredPart(part.name, part.weight_ppm, score, read))
    score = _weighted([(part.weight_ppm, part.score_ppm) for part in parts])
    return ScoredFactor(factor.name, factor.weight_ppm, score, tuple(parts))


def _weighted(scores: Sequence[tuple[int, int | None]]) -> int | None:
    """The mean of the known scores by their weights."""
    known = [(weight, score) for weight, score in scores if score is not None]
    return sum(weight * score for weight, score in known) // sum(weight for weight, _ in known) if known else None


def _confidence(coverage: int, inputs: Inputs, unsettled_ppm: int | None) -> int:
    """Coverage, less what days, stores, orders and settlements are missing."""
    orders = min(ENOUGH_ORDERS, inputs.orders + inputs.affiliate_orders)
    days, stores = Fraction(inputs.known_days, inputs.period_days), Fraction(inputs.stores_read, inputs.stores)
    settled = 1 - Fraction(unsettled_ppm or 0, 2 * PPM)
    return int(coverage * min(days, Fraction(1)) * stores * Fraction(orders, ENOUGH_ORDERS) * settled)

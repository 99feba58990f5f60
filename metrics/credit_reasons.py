"""Why a credit score is what it is: the closed list of reason codes, each with a sentence for people.

A code is never reused for something else: lenders keep them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Values = Mapping[str, Any]
Scores = Mapping[str, int | None]

ENOUGH_DAYS = 30
ENOUGH_ORDERS = 30
FELL_BY_A_FIFTH_PPM = 300_000  # what growth scores then
HALF_A_YEAR = 182


class Reason(NamedTuple):
    """`holds` is asked with inputs and figures by name, and with the scores of the parts."""

    code: str
    sentence: str
    holds: Callable[[Values, Scores], bool]


def reasons_of(values: Values, scores: Scores) -> tuple[str, ...]:
    """The codes that hold, in the order of the list."""
    return tuple(reason.code for reason in REASONS.values() if reason.holds(values, scores))


def _above(name: str, limit: int) -> Callable[[Values, Scores], bool]:
    return lambda v, s: v[name] is not None and v[name] > limit


def _below(name: str, limit: int) -> Callable[[Values, Scores], bool]:
    return lambda v, s: v[name] is not None and v[name] < limit


def _all_orders(values: Values) -> int:
    return int(values["orders"] + values["affiliate_orders"])


def _unknown(part: str, sentence: str) -> Reason:
    return Reason(f"unknown_{part}", sentence, lambda v, s: s[part] is None)


_LIST = (
    Reason("no_store", "No TikTok Shop of a supported market could be read.", lambda v, s: v["stores_read"] == 0),
    Reason(
        "store_not_read",
        "A connected store has not been read for long enough, and is left out.",
        lambda v, s: v["stores"] - v["stores_unsupported"] > v["stores_read"],
    ),
    Reason(
        "market_not_supported",
        "A store of a market that is not supported is left out.",
        _above("stores_unsupported", 0),
    ),
    Reason(
        "no_rate",
        "There is no dollar rate for a currency of these stores, so their revenue is unknown.",
        lambda v, s: any(purse["usd_rate"] is None for purse in v["purses"]),
    ),
    Reason("period_too_short", "Fewer than 30 days of the period are known.", _below("known_days", ENOUGH_DAYS)),
    Reason(
        "period_partly_known",
        "A part of the period is not known; the figures are those of the known days.",
        lambda v, s: ENOUGH_DAYS <= v["known_days"] < v["period_days"],
    ),
    Reason(
        "no_orders",
        "Nothing was sold in the period: revenue is zero.",
        lambda v, s: v["stores_read"] > 0 and _all_orders(v) == 0,
    ),
    Reason(
        "few_orders",
        "Fewer than 30 orders are little to judge by.",
        lambda v, s: 0 < _all_orders(v) < ENOUGH_ORDERS,
    ),
    Reason(
        "revenue_falls",
        "The newest month brought over a fifth less than those before.",
        lambda v, s: (score := s["revenue_growth"]) is not None and score < FELL_BY_A_FIFTH_PPM,
    ),
    Reason(
        "irregular_orders",
        "On more than half of the days nothing was sold.",
        lambda v, s: v["stores_read"] > 0 and 2 * v["days_with_orders"] < v["known_days"],
    ),
    Reason(
        "young_shop", "Nothing is known of the shops before the last half year.", _below("shop_age_days", HALF_A_YEAR)
    ),
    Reason("low_rating", "The platform rates a shop below 3.5 of 5.", _below("rating_ppm", 3_500_000)),
    Reason("high_returns", "More than a tenth of the sales was paid back.", _above("return_rate_ppm", 100_000)),
    Reason(
        "many_cancellations",
        "More than a tenth of the paid orders was cancelled.",
        _above("cancellation_rate_ppm", 100_000),
    ),
    Reason("violations", "The platform has noted violations.", _above("violations", 0)),
    Reason(
        "commission_unsettled",
        "More than half of the commission is expected and not settled yet.",
        _above("unsettled_ppm", 500_000),
    ),
    Reason(
        "commission_untold",
        "Sales whose commission the platform does not tell are left out.",
        _above("untold_commissions", 0),
    ),
    _unknown("monthly_revenue", "Monthly revenue is unknown."),
    _unknown("order_regularity", "On how many days orders came in is unknown."),
    _unknown("stability", "Two months, the earlier with revenue, are needed to see how stable it is."),
    _unknown("shop_age", "How old the shop is, is unknown."),
    _unknown("seller_type", "The platform does not say of which type the seller is."),
    _unknown("rating", "The platform does not rate these shops, or not yet."),
    _unknown("return_rate", "Without sales there is no return rate."),
    _unknown("violations", "The platform does not tell violations."),
    _unknown("fulfilment", "Without paid orders there is nothing to fulfil."),
    _unknown("revenue_growth", "Two months are needed to see growth, the earlier with revenue."),
    _unknown("order_growth", "Two months are needed to see growth, the earlier with orders."),
    _unknown("product_growth", "How many products there were when the period began is unknown, or none."),
    _unknown("affiliate_growth", "Two months are needed to see growth, the earlier with sales through creators."),
    Reason(
        "too_little_known",
        "Too little is known for a score: monthly revenue and three fifths of all weights are needed.",
        lambda v, s: v["score_ppm"] is None,
    ),
)
REASONS: dict[str, Reason] = {reason.code: reason for reason in _LIST}

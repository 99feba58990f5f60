"""A bid as the fields of an update (documents of `/adgroup/create/` and `/adgroup/update/`).

A price belongs to `BID_TYPE_CUSTOM`. A minimum return belongs to ad groups that are optimised for value, which bid
without a price: for the highest value, or for no less than that return.
"""

from __future__ import annotations

from typing import Any

from connectors.contracts import Bid, BidStrategy, Family, Platform
from connectors.errors import ConfigurationError
from connectors.fields import Row, micros, text
from connectors.money import micros_to_tiktok

CUSTOM, NO_BID = "BID_TYPE_CUSTOM", "BID_TYPE_NO_BID"
HIGHEST_VALUE, MINIMUM_RETURN = "VO_HIGHEST_VALUE", "VO_MIN_ROAS"
PRICES = {BidStrategy.COST_CAP: "conversion_bid_price", BidStrategy.BID_CAP: "bid_price"}
TYPES = frozenset({"bid_type", "deep_bid_type"})
FIELDS = frozenset({*TYPES, *PRICES.values(), "roas_bid"})
ROI_STEP_PPM = 10_000  # hundredths
SMALLEST_ROI, LARGEST_ROI = 10_000, 1_000_000_000


def read(source: Row) -> Bid | None:
    """How an object bids; a price or return of 0 is none. `None`: a bid with a price that TikTok does not tell."""
    wanted = minimum_return(source)
    if wanted is not None and text(source, "deep_bid_type") in ("", MINIMUM_RETURN):
        return wanted
    if text(source, "bid_type") != CUSTOM:
        return Bid(BidStrategy.LOWEST_COST)
    for strategy, name in PRICES.items():
        if price := micros(source, name):
            return Bid(strategy, amount_micros=price)
    return None


def minimum_return(source: Row) -> Bid | None:
    roas = micros(source, "roas_bid")
    return Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=roas) if roas else None


def check(bid: Bid) -> None:
    """Raise `ConfigurationError` unless the figures are those of the strategy."""
    is_priced, is_return = bid.strategy in PRICES, bid.strategy is BidStrategy.MINIMUM_ROAS
    if (bid.amount_micros is not None) != is_priced or (bid.roas_ppm is not None) != is_return:
        raise ConfigurationError(f"tiktok: these figures are no bid of {bid.strategy}", platform=Platform.TIKTOK)


def change(bid: Bid, currency: str, held: Bid | None, family: Family) -> dict[str, Any]:
    """What sets that bid in place of the `held` one. An update of Smart+ knows prices and returns, but no types."""
    told = _told(bid, currency)
    if family is Family.SMART_PLUS:
        if held is None or held.strategy is not bid.strategy or not told.keys() - TYPES:
            message = f"tiktok: a Smart+ ad group cannot be made to bid by {bid.strategy}"
            raise ConfigurationError(message, platform=Platform.TIKTOK)
        return {name: value for name, value in told.items() if name not in TYPES}
    if held is not None and held.strategy is BidStrategy.MINIMUM_ROAS:
        return {"deep_bid_type": HIGHEST_VALUE} | told
    return told


def _told(bid: Bid, currency: str) -> dict[str, Any]:
    if bid.roas_ppm is not None:
        return {"bid_type": NO_BID, "deep_bid_type": MINIMUM_RETURN, "roas_bid": roi(bid.roas_ppm)}
    if bid.amount_micros is not None:
        return {"bid_type": CUSTOM, PRICES[bid.strategy]: float(micros_to_tiktok(bid.amount_micros, currency))}
    return {"bid_type": NO_BID}


def roi(roas_ppm: int) -> float:
    """A target return as TikTok counts it, in hundredths; refused where it cannot be held."""
    if roas_ppm % ROI_STEP_PPM or not SMALLEST_ROI <= roas_ppm <= LARGEST_ROI:
        message = f"tiktok: {roas_ppm} millionths is no return of 0.01 to 1000 in hundredths"
        raise ConfigurationError(message, platform=Platform.TIKTOK)
    return roas_ppm / 1_000_000

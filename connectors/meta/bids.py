"""A bid as the parameters of a write (marketing-api ad set and campaign reference; SDK enum BidStrategy)."""

from __future__ import annotations

import json

from connectors.contracts import Bid, BidStrategy, Level, Platform
from connectors.errors import ConfigurationError
from connectors.meta.parse import BID_WORDS, CAPS, ROAS_STEP
from connectors.money import micros_to_meta


def change(level: Level, bid: Bid, currency: str) -> dict[str, str]:
    """What sets that bid; `ConfigurationError` for one that the level does not carry or Meta cannot hold.

    Where the campaign carries the budget it carries the strategy too, but the amounts of caps stay with its
    ad sets.
    """
    if level is Level.AD:
        raise _refusal("an ad does not bid")
    takes_amount = bid.strategy in CAPS and level is Level.AD_SET
    takes_return = bid.strategy is BidStrategy.MINIMUM_ROAS
    if (bid.amount_micros is not None) != takes_amount or (bid.roas_ppm is not None) != takes_return:
        raise _refusal(f"a bid of {bid.strategy} with these figures is none for a {level}")
    told = {"bid_strategy": BID_WORDS[bid.strategy]}
    if bid.amount_micros is not None:
        told["bid_amount"] = str(micros_to_meta(bid.amount_micros, currency))
    if bid.roas_ppm is not None:
        told["bid_constraints"] = json.dumps({"roas_average_floor": _floor(bid.roas_ppm)})
    return told


def _floor(roas_ppm: int) -> int:
    """The return in Meta's ten-thousandths."""
    floor, rest = divmod(roas_ppm, ROAS_STEP)
    if rest or floor <= 0:
        raise _refusal(f"{roas_ppm} millionths is no return that Meta can hold exactly")
    return floor


def _refusal(why: str) -> ConfigurationError:
    return ConfigurationError(f"meta: {why}", platform=Platform.META)

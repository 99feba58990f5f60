"""What TikTok takes in a write: units, floors, the 105 % rule, the lock before midnight, bids.

Sources: the documents of `/campaign/update/` and `/adgroup/update/`. Codes of the floor, 105 % and lock refusals are
not documented; 40002 is assumed. Bounds of a target ROI are those of `roas_bid`, 0.01 to 1000.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.sandbox.currencies import MICROS, quantum_micros, tiktok_ratio
from connectors.sandbox.tenants import AdObject
from connectors.sandbox.tiktok_fields import is_pooled
from connectors.sandbox.tiktok_terms import GMV_MAX, NAME_AT_MOST, TikTokError
from connectors.sandbox.world import Change, World

DAILY_FLOOR = {"campaign": 50, "ad_set": 20}  # times the currency's ratio
STORE_FLOOR = 10  # of a campaign that sells from a TikTok Shop
BUDGET_CEILING = 10_000_000
ROAS_AT_LEAST, ROAS_AT_MOST = 0.01, 1000.0
STATUSES = ("ENABLE", "DISABLE", "DELETE")
BID_TYPES = ("BID_TYPE_NO_BID", "BID_TYPE_CUSTOM")
PRICES = ("conversion_bid_price", "bid_price")

Reader = Callable[[Any, str], Any]  # (what was sent, the account's currency) -> what is kept, None if it cannot be


@dataclass(frozen=True)
class Attempt:
    """A write as asked for. `immediate_lifetime` marks the bulk call that takes lifetime budgets only."""

    change: Change
    immediate_lifetime: bool = False


def money(given: Any, currency: str) -> int | None:
    """Micros of a JSON number in whole currency, None when it cannot stand for one exactly."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1e12:
        return None
    quantum = quantum_micros(currency)
    quanta = given * MICROS / quantum
    if abs(quanta - round(quanta)) > 1e-4:
        return None
    return round(quanta) * quantum


def price(given: Any, currency: str) -> float | None:
    micros = money(given, currency)
    return None if micros is None else micros / 1e6


def ratio(given: Any, currency: str) -> float | None:
    """A return on ad spend."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return float(given) if ROAS_AT_LEAST <= given <= ROAS_AT_MOST else None


def word(given: Any, currency: str) -> str | None:
    return given if isinstance(given, str) and 0 < len(given) <= NAME_AT_MOST else None


def words(given: Any, currency: str) -> list[str] | None:
    if not isinstance(given, list) or len(given) > 1000 or not all(isinstance(each, str) for each in given):
        return None
    return given


def flag(given: Any, currency: str) -> bool | None:
    return given if isinstance(given, bool) else None


def one_of(*choices: str) -> Reader:
    return lambda given, currency: given if isinstance(given, str) and given in choices else None


BIDS: dict[str, Reader] = {
    "bid_type": one_of(*BID_TYPES),
    "bid_price": price,
    "conversion_bid_price": price,
    "deep_bid_type": word,
    "roas_bid": ratio,
}


def check(world: World, asked: Attempt) -> None:
    """Raise TikTokError unless TikTok would take the change."""
    change = asked.change
    target = change.target
    if change.value is None:
        raise TikTokError(40002, f"{change.field}: Not a valid value.")
    if any(thing.status == "DELETE" for thing in _line(world, target)):
        raise TikTokError(40007, "The object is deleted.")
    if not change.attribute.endswith("_budget"):
        return
    if not (target.daily_budget or target.lifetime_budget):
        raise TikTokError(40002, "The budget is carried by another level and is not editable here.")
    if asked.immediate_lifetime and target.lifetime_budget is None:
        raise TikTokError(40002, "budget: only lifetime budgets change at once; use scheduled_budget.")
    if change.field == "scheduled_budget" and target.daily_budget is None:
        raise TikTokError(40002, "scheduled_budget: only daily budgets can be scheduled.")
    local = world.now.astimezone(world.zone(world.accounts[target.account]))
    if (asked.immediate_lifetime or change.field == "scheduled_budget") and _is_locked(local):
        raise TikTokError(40002, "Budgets cannot be changed between 23:55 and 00:00.")
    if change.value == getattr(target, change.attribute):
        raise TikTokError(40012, "Nothing to update: the budget is already this.")
    currency = world.accounts[target.account].currency
    check_budget(target.kind, target.family, currency, int(change.value))
    if change.attribute != "scheduled_budget" and int(change.value) < 1.05 * _spent(world, target) * MICROS:
        raise TikTokError(40002, "The budget must be at least 105% of what is already spent.")


def check_budget(kind: str, family: str, currency: str, micros: int, days: int = 1) -> None:
    """Raise TikTokError below the floor (per day for a lifetime budget) or above the ceiling."""
    floor = (STORE_FLOOR if family == GMV_MAX else DAILY_FLOOR[kind]) * tiktok_ratio(currency) * days
    if micros < floor * MICROS:
        raise TikTokError(40002, f"The budget must be at least {floor} {currency}.")
    if micros >= BUDGET_CEILING * tiktok_ratio(currency) * MICROS:
        raise TikTokError(40002, "The budget is too large.")


def check_bids(held: dict[str, Any]) -> None:
    """Raise TikTokError unless the bid fields, as they would be after the write, agree with each other."""
    has_price = any(held.get(name) for name in PRICES)
    is_custom = held.get("bid_type", BID_TYPES[0]) == "BID_TYPE_CUSTOM"
    if is_custom and not has_price:
        raise TikTokError(40002, "conversion_bid_price: Missing data for BID_TYPE_CUSTOM.")
    if has_price and not is_custom:
        raise TikTokError(40002, "bid_type: a bid needs BID_TYPE_CUSTOM.")


def _line(world: World, thing: AdObject) -> list[AdObject]:
    """The object and everything above it."""
    above = world.objects.get(thing.parent)
    return [thing, *(_line(world, above) if above else [])]


def _is_locked(local: datetime) -> bool:
    return (local.hour, local.minute) >= (23, 55)


def _spent(world: World, target: AdObject) -> float:
    """Currency units that count against the budget: of today, or of the whole life of a lifetime budget."""
    ad_sets = [target] if target.kind == "ad_set" else world.children[target.id]
    if target.kind == "campaign" and target.family != GMV_MAX and not is_pooled(target):
        return 0.0
    columns = sorted(thing.column for thing in ad_sets)
    if target.lifetime_budget is None:
        return sum(float(world.market.spent_today[column]) for column in columns)
    spent = world.market.known("spend_micros", columns, 0, len(world.market.history))
    return float(spent.sum()) / MICROS

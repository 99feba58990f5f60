"""Changes of Meta's objects: what a request asks for, and whether Meta takes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from connectors.sandbox import meta_fields
from connectors.sandbox.answers import loads
from connectors.sandbox.meta_creative import find
from connectors.sandbox.meta_errors import MetaError, invalid
from connectors.sandbox.meta_fields import (
    BID_STRATEGIES,
    WITH_AMOUNT,
    WITH_FLOOR,
    bid_strategy,
    carries_budget,
    minimum_units,
    unit_of,
)
from connectors.sandbox.meta_session import Call, Params, many
from connectors.sandbox.tenants import AdObject
from connectors.sandbox.world import Change, World

STATUSES = ("ACTIVE", "PAUSED", "DELETED", "ARCHIVED")
BUDGETS = ("daily_budget", "lifetime_budget")
BUDGET_CHANGES_PER_HOUR = 4
LEAST_OF_SPENT = 110  # percent of what is spent that a lowered lifetime budget must still hold
CAMPAIGN_CARRIES = "The campaign carries the budget"
AMOUNTS = "adset_bid_amounts"
GLOBAL = frozenset(
    ("access_token", "appsecret_proof", "execution_options", "fields", "locale", "pretty", "format", "date_format")
)

Asked = Callable[[World, AdObject, str], Any]


def _status(world: World, target: AdObject, text: str) -> str | None:
    return text if text in STATUSES else None


def _name(world: World, target: AdObject, text: str) -> str | None:
    return text if text.strip() and len(text) <= 400 else None


def _money(world: World, target: AdObject, text: str) -> int | None:
    return int(text) * unit_of(world, target) if re.fullmatch(r"[0-9]{1,15}", text) else None


def _units(world: World, target: AdObject, text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) and int(text) else None


def _strategy(world: World, target: AdObject, text: str) -> str | None:
    return text if text in BID_STRATEGIES else None


def floor_of(text: str) -> dict[str, int] | None:
    """`{"roas_average_floor": 12000}`: the least return, in ten-thousandths."""
    asked = loads(text)
    floor = asked.get("roas_average_floor") if isinstance(asked, dict) else None
    if isinstance(floor, bool) or not isinstance(floor, int) or not 100 <= floor <= 10_000_000:
        return None
    return {"roas_average_floor": floor}


def creative_id(world: World, account: str, text: str) -> str | None:
    """The id in `{"creative_id": …}`, when it is a creative of the account."""
    asked = loads(text)
    named = str(asked.get("creative_id") or asked.get("id")) if isinstance(asked, dict) else ""
    thing = find(world, named)
    is_shown = thing is not None and thing.kind == "creative" and "material" not in thing.extra
    return named if thing and is_shown and thing.account == account else None


COMMON: dict[str, tuple[str, Asked]] = {"name": ("name", _name), "status": ("status", _status)}
BUDGETED: dict[str, tuple[str, Asked]] = {
    **COMMON,
    "daily_budget": ("daily_budget", _money),
    "lifetime_budget": ("lifetime_budget", _money),
    "bid_strategy": ("extra.bid_strategy", _strategy),
}
# Field → where the world keeps it, and how its text is read (None: it means nothing to Meta).
WRITABLE: dict[str, dict[str, tuple[str, Asked]]] = {
    "campaign": BUDGETED,
    "ad_set": {
        **BUDGETED,
        "bid_amount": ("extra.bid_amount", _units),
        "bid_constraints": ("extra.bid_constraints", lambda w, o, text: floor_of(text)),
        "end_time": ("extra.end_time", lambda w, o, text: moment_text(w, o, text)),
    },
    "ad": {**COMMON, "creative": ("extra.creative_id", lambda w, o, text: creative_id(w, o.account, text))},
    "creative": COMMON,
}
# What Meta's own review finds; a person's edit stands in for it.
FOUND: dict[str, tuple[str, Asked]] = {"issues_info": ("extra.issues_info", lambda w, o, text: _issues(text))}


def moment_text(world: World, target: AdObject, text: str) -> str | None:
    """A moment as Meta writes it back, in the account's zone; `None` for a text that is none."""
    zone = world.zone(world.accounts[target.account])
    try:
        given = datetime.fromtimestamp(int(text), zone) if text.isdecimal() else datetime.fromisoformat(text)
        aware = given if given.tzinfo else given.replace(tzinfo=zone)
        return aware.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S%z")
    except (ValueError, OverflowError, OSError):
        return None


def _issues(text: str) -> list[Any] | None:
    found = loads(text)
    return found if isinstance(found, list) else None


def changes(world: World, target: AdObject, params: Params, *, by_person: bool = False) -> list[Change]:
    """The writes that `params` ask for; `value` is None where the text means nothing to Meta."""
    found = []
    for field, (attribute, read) in (WRITABLE[target.kind] | (FOUND if by_person else {})).items():
        if field in params:
            text = params[field]
            value = read(world, target, text)
            old = meta_fields.value(world, target, field)
            new = str(int(text)) if field in BUDGETS and value is not None else text
            if attribute.startswith("extra.") and value is not None:
                old, new = target.extra.get(attribute.removeprefix("extra.")), value
            found.append(Change(target, field, attribute, old, new, value))
    if target.kind == "campaign" and AMOUNTS in params:
        found += _amounts(world, target, params[AMOUNTS])
    return found


def _amounts(world: World, campaign: AdObject, text: str) -> list[Change]:
    """`{"<ad set>": amount, …}`, with which a campaign's strategy gets its terms."""
    asked = loads(text)
    below = {o.id: o for o in world.children[campaign.id]}
    if not isinstance(asked, dict) or not asked or not set(asked) <= set(below):
        return [Change(campaign, AMOUNTS, "", None, text, None)]
    given = [(below[node], str(amount)) for node, amount in asked.items()]
    return [changed for ad_set, amount in given for changed in changes(world, ad_set, {"bid_amount": amount})]


def deletion(world: World, target: AdObject) -> Change:
    return Change(target, "status", "status", target.status, "DELETED", "DELETED")


def check(world: World, target: AdObject, wanted: list[Change]) -> None:
    """Raise MetaError unless Meta would take all of the changes. How often is checked elsewhere."""
    if target.extra.get("is_planted"):
        raise MetaError(10, "(#10) Application does not have permission for this action")
    for change in wanted:
        if change.value is None:
            raise invalid(change.field)
        if change.target.status == "DELETED":
            raise MetaError(100, "The object is deleted and cannot be changed", 1487866)
        if change.field in BUDGETS:
            _check_budget(world, change)
    _check_bid(world, target, wanted)


def _check_budget(world: World, change: Change) -> None:
    target, field = change.target, change.field
    above = world.objects.get(target.parent) if target.kind == "ad_set" else None
    if above and carries_budget(above):
        raise MetaError(100, CAMPAIGN_CARRIES, 1885621, blame=field)
    if target.kind == "campaign" and not carries_budget(target):
        raise MetaError(100, "The ad sets carry the budgets", 1885621, blame=field)
    held = getattr(target, field)
    if held is None:
        raise MetaError(100, "A daily budget cannot become a lifetime budget, nor back", blame=field)
    micros = int(change.value or 0)
    check_minimum(world, target, field, micros)
    if field == "lifetime_budget" and micros < held:
        least = meta_fields.spent_micros(world, target) * LEAST_OF_SPENT // 100
        if micros < least:
            text = f"A lifetime budget must stay at least {LEAST_OF_SPENT - 100} percent above what is spent"
            raise MetaError(100, text, 1885272, blame=field)


def check_minimum(world: World, target: AdObject, field: str, micros: int) -> None:
    if micros < minimum_units(world.accounts[target.account].currency) * unit_of(world, target):
        raise MetaError(100, "Your budget is too low", 1885272, blame=field)


def _check_bid(world: World, target: AdObject, asked: list[Change]) -> None:
    if not {"bid_strategy", "bid_amount", "bid_constraints"} & {change.field for change in asked}:
        return
    wanted = _given(asked, target)
    above = world.objects.get(target.parent) if target.kind == "ad_set" else None
    if "bid_strategy" in wanted and above and carries_budget(above):
        raise invalid("bid_strategy", "the campaign carries the budget and with it the bid strategy")
    if "bid_strategy" in wanted and target.kind == "campaign" and not carries_budget(target):
        raise invalid("bid_strategy", "the ad sets carry the budgets and with them the bid strategies")
    strategy = wanted.get("bid_strategy") or bid_strategy(world, target)
    bidders = [target] if target.kind == "ad_set" else [o for o in world.children[target.id] if o.status != "DELETED"]
    for bidder in bidders:
        check_terms(str(strategy), _given(asked, bidder), bidder.extra)


def _given(asked: list[Change], target: AdObject) -> dict[str, Any]:
    return {change.field: change.value for change in asked if change.target is target}


def check_terms(strategy: str, wanted: dict[str, Any], held: dict[str, Any]) -> None:
    """A strategy with an amount or a floor needs it, and only that strategy may have it."""
    for field, strategies in (("bid_amount", WITH_AMOUNT), ("bid_constraints", (WITH_FLOOR,))):
        if strategy in strategies and not (wanted.get(field) or held.get(field)):
            raise MetaError(100, f"{field} is required for the bid strategy {strategy}", 1815857, blame=field)
        if strategy not in strategies and field in wanted:
            raise invalid(field, f"not with the bid strategy {strategy}")


def check_frequency(world: World, wanted: list[Change]) -> None:
    """Meta takes four budget changes of an ad set within an hour (market time)."""
    since = world.now - timedelta(hours=1)
    for change in wanted:
        if change.field in BUDGETS and world.budget_changes_since(change.target, since) >= BUDGET_CHANGES_PER_HOUR:
            text = "You can change the budget of an ad set at most 4 times an hour."
            raise MetaError(613, text, 1487632)


def is_rehearsal(params: Params) -> bool:
    """Whether the request only asks if it would be taken."""
    return "validate_only" in many(params.get("execution_options", "[]"))


def update(call: Call) -> dict[str, Any]:
    """Apply all that a request asks for, or nothing of it."""
    target = call.target
    if not isinstance(target, AdObject):
        raise MetaError(3, "Application does not have the capability to make this API call.")
    more = {AMOUNTS} if target.kind == "campaign" else set()
    if unknown := sorted(set(call.params) - GLOBAL - set(WRITABLE[target.kind]) - more):
        raise invalid(unknown[0])
    return _apply(call, target, changes(call.world, target, call.params))


def delete(call: Call) -> dict[str, Any]:
    target = call.target
    if not isinstance(target, AdObject):
        raise MetaError(3, "Application does not have the capability to make this API call.")
    return _apply(call, target, [deletion(call.world, target)])


def _apply(call: Call, target: AdObject, wanted: list[Change]) -> dict[str, Any]:
    check(call.world, target, wanted)
    check_frequency(call.world, wanted)
    if not is_rehearsal(call.params):
        for change in wanted:
            call.world.write(change, "api")
    return {"success": True}

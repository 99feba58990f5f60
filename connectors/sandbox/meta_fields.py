"""Fields of Meta's objects: what can be asked for, and what the answer is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from connectors.sandbox import reports
from connectors.sandbox.currencies import meta_unit_micros
from connectors.sandbox.meta_creative import CREATIVE, creative_of
from connectors.sandbox.meta_errors import MetaError as MetaError
from connectors.sandbox.meta_selection import Field, field_list
from connectors.sandbox.meta_session import Node, Params
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import World

Reader = Callable[[World, Any], Any]

NODE_TYPES = {
    "account": "AdAccount",
    "campaign": "AdCampaignGroup",
    "ad_set": "AdCampaign",
    "ad": "Adgroup",
    "creative": "AdCreative",
}
GONE = ("DELETED", "ARCHIVED")
WITHOUT_CAP = "LOWEST_COST_WITHOUT_CAP"
WITH_AMOUNT = ("LOWEST_COST_WITH_BID_CAP", "COST_CAP")
WITH_FLOOR = "LOWEST_COST_WITH_MIN_ROAS"
BID_STRATEGIES = (WITHOUT_CAP, *WITH_AMOUNT, WITH_FLOOR)
PURCHASES_TO_LEARN = 50

# Meta's own numbers for time zones, for those that the demo tenants live in.
TIMEZONE_IDS = {"America/New_York": 7, "America/Sao_Paulo": 25, "Europe/Berlin": 47, "Europe/London": 58}

# The floor of an ad set's daily budget, in Meta's units (one US dollar or about as much).
_MINIMUM_UNITS = {"JPY": 150, "BRL": 500}


def minimum_units(currency: str) -> int:
    return _MINIMUM_UNITS.get(currency, 100)


def unit_of(world: World, thing: AdObject) -> int:
    """Micros in one of Meta's units of the object's money."""
    return meta_unit_micros(world.accounts[thing.account].currency)


def carries_budget(thing: AdObject) -> bool:
    return bool(thing.daily_budget or thing.lifetime_budget)


def bid_strategy(world: World, thing: AdObject) -> str | None:
    """The strategy in force: a campaign that carries the budget sets it for its ad sets."""
    if thing.kind == "campaign" and not carries_budget(thing):
        return None
    above = world.objects.get(thing.parent)
    owner = above if above is not None and carries_budget(above) else thing
    return str(owner.extra.get("bid_strategy") or WITHOUT_CAP)


def spent_micros(world: World, thing: Node) -> int:
    """Spend of the object's whole life, as Meta knows it now."""
    account = thing if isinstance(thing, Account) else world.accounts[thing.account]
    mine = world.account_objects(account.id, "ad_set")
    if isinstance(thing, AdObject):
        mine = [o for o in mine if thing.id in (o.id, o.parent)]
    days = (date(1970, 1, 1), world.now.astimezone(world.zone(account)).date())
    found = reports.rows(world, account, mine, days, level="account", by_day=False, by_hour=False)
    return found[0].figures.spend if found else 0


def effective_status(world: World, thing: AdObject) -> str:
    """What the object really does, with what stands above it."""
    parent = world.objects.get(thing.parent)
    above = effective_status(world, parent) if parent is not None else "ACTIVE"
    if thing.status in GONE:
        return thing.status
    if above in GONE:
        return above
    if thing.status != "ACTIVE":
        return thing.status
    if above == "CAMPAIGN_PAUSED":
        return above
    if parent is not None and above == "PAUSED":
        return "CAMPAIGN_PAUSED" if parent.kind == "campaign" else "ADSET_PAUSED"
    return "WITH_ISSUES" if thing.extra.get("issues_info") else "ACTIVE"


def _time(world: World, thing: Node, moment: datetime) -> str:
    account = thing if isinstance(thing, Account) else world.accounts[thing.account]
    return moment.astimezone(world.zone(account)).strftime("%Y-%m-%dT%H:%M:%S%z")


def _budget(name: str) -> Reader:
    """A budget as a string; "0" for the unused kind; absent on a campaign that carries none."""

    def read_budget(world: World, thing: AdObject) -> str | None:
        if thing.kind == "campaign" and not carries_budget(thing):
            return None
        return str((getattr(thing, name) or 0) // unit_of(world, thing))

    return read_budget


def _budget_remaining(world: World, thing: AdObject) -> str:
    if thing.lifetime_budget:
        spent = spent_micros(world, thing)
    else:
        columns = [thing.column] if thing.kind == "ad_set" else [child.column for child in world.children[thing.id]]
        spent = round(float(world.market.spent_today[columns].sum()) * 1e6)
    left = max((thing.daily_budget or thing.lifetime_budget or 0) - spent, 0)
    return str(left // unit_of(world, thing))


def _learning(world: World, thing: AdObject) -> dict[str, Any]:
    since = thing.learning_since or thing.created
    return {
        "status": "LEARNING" if world.in_learning(thing) else "SUCCESS",
        "attribution_windows": ["7d_click", "1d_view"],
        "last_sig_edit_ts": int(since.timestamp()),
    }


def _bid_amount(world: World, thing: AdObject) -> Any:
    return thing.extra.get("bid_amount") if bid_strategy(world, thing) in WITH_AMOUNT else None


def _bid_constraints(world: World, thing: AdObject) -> Any:
    return thing.extra.get("bid_constraints") if bid_strategy(world, thing) == WITH_FLOOR else None


def _offset(world: World, account: Account) -> float:
    offset = world.now.astimezone(world.zone(account)).utcoffset()
    return offset.total_seconds() / 3600 if offset is not None else 0.0


def extra(name: str, otherwise: Any = None) -> Reader:
    """A field that the world keeps in Meta's own words."""
    return lambda w, o: o.extra.get(name, otherwise)


def always(known: Any) -> Reader:
    return lambda w, o: known


def _extras(*names: str) -> dict[str, Reader]:
    return {name: extra(name) for name in names}


ACCOUNT: dict[str, Reader] = {
    "id": lambda w, a: a.id,
    "account_id": lambda w, a: a.id.removeprefix("act_"),
    "name": lambda w, a: a.name,
    "currency": lambda w, a: a.currency,
    "timezone_id": lambda w, a: TIMEZONE_IDS.get(a.zone),
    "timezone_name": lambda w, a: a.zone,
    "timezone_offset_hours_utc": _offset,
    "account_status": always(1),
    "disable_reason": always(0),
    "min_daily_budget": lambda w, a: minimum_units(a.currency),
    "min_campaign_group_spend_cap": lambda w, a: str(minimum_units(a.currency) * 100),
    "amount_spent": lambda w, a: str(spent_micros(w, a) // meta_unit_micros(a.currency)),
    "balance": always("0"),
    "spend_cap": always("0"),
    "business_name": lambda w, a: w.shops[a.tenant].name,
    "age": lambda w, a: (w.now - a.created).total_seconds() / 86400,
    "is_personal": always(0),
    "is_prepay_account": always(False),
    "capabilities": always([]),
    "created_time": lambda w, a: _time(w, a, a.created),
}
COMMON: dict[str, Reader] = {
    "id": lambda w, o: o.id,
    "account_id": lambda w, o: o.account.removeprefix("act_"),
    "name": lambda w, o: o.name,
    "status": lambda w, o: o.status,
    "configured_status": lambda w, o: o.status,
    "effective_status": effective_status,
    "issues_info": extra("issues_info"),
    "created_time": lambda w, o: _time(w, o, o.created),
    "updated_time": lambda w, o: _time(w, o, o.updated),
}
BUDGETS: dict[str, Reader] = {
    "daily_budget": _budget("daily_budget"),
    "lifetime_budget": _budget("lifetime_budget"),
    "budget_remaining": _budget_remaining,
    "bid_strategy": bid_strategy,
    "bid_constraints": _bid_constraints,
    "pacing_type": always(["standard"]),
    "start_time": lambda w, o: o.extra.get("start_time") or _time(w, o, o.created),
    "promoted_object": extra("promoted_object"),
}
FIELDS: dict[str, dict[str, Reader]] = {
    "account": ACCOUNT,
    "campaign": COMMON
    | BUDGETS
    | {
        "objective": extra("objective", "OUTCOME_SALES"),
        "buying_type": extra("buying_type", "AUCTION"),
        "special_ad_categories": extra("special_ad_categories", []),
        "is_adset_budget_sharing_enabled": extra("is_adset_budget_sharing_enabled", False),
        "stop_time": extra("stop_time"),
        "spend_cap": extra("spend_cap"),
        "smart_promotion_type": extra("smart_promotion_type", "GUIDED_CREATION"),
    },
    "ad_set": COMMON
    | BUDGETS
    | {
        "campaign_id": lambda w, o: o.parent,
        "optimization_goal": extra("optimization_goal", "OFFSITE_CONVERSIONS"),
        "billing_event": extra("billing_event", "IMPRESSIONS"),
        "bid_amount": _bid_amount,
        "targeting": extra("targeting", {"age_min": 18, "age_max": 65, "geo_locations": {"countries": ["US"]}}),
        "attribution_spec": extra(
            "attribution_spec",
            [
                {"event_type": "CLICK_THROUGH", "window_days": 7},
                {"event_type": "VIEW_THROUGH", "window_days": 1},
            ],
        ),
        "learning_stage_info": _learning,
        "is_dynamic_creative": extra("is_dynamic_creative", False),
        **_extras("end_time", "destination_type", "dsa_beneficiary", "dsa_payor"),
        **_extras("daily_min_spend_target", "daily_spend_cap", "lifetime_min_spend_target", "lifetime_spend_cap"),
    },
    "ad": COMMON
    | {
        "adset_id": lambda w, o: o.parent,
        "campaign_id": lambda w, o: w.objects[o.parent].parent,
        **_extras("tracking_specs", "conversion_domain"),
    },
    "creative": CREATIVE,
}


def _parent(steps: int) -> Reader:
    def climb(world: World, thing: AdObject) -> AdObject | None:
        for _ in range(steps):
            thing = world.objects[thing.parent]
        return thing

    return climb


# The objects that another one names: of which kind, and which.
LINKS: dict[tuple[str, str], tuple[str, Reader]] = {
    ("ad_set", "campaign"): ("campaign", _parent(1)),
    ("ad", "adset"): ("ad_set", _parent(1)),
    ("ad", "campaign"): ("campaign", _parent(2)),
    ("ad", "creative"): ("creative", creative_of),
}


def kind_of(thing: Node) -> str:
    return "account" if isinstance(thing, Account) else thing.kind


def value(world: World, thing: Node, name: str) -> Any:
    """The field as Meta writes it, None where the object does not have it."""
    reader = FIELDS[kind_of(thing)].get(name)
    return reader(world, thing) if reader else None


def read(world: World, thing: Node, params: Params) -> dict[str, Any]:
    """The object with the fields asked for; `id` always. Raises MetaError for one it does not have."""
    wanted = field_list(params.get("fields", ""))
    _check(kind_of(thing), wanted)
    return _select(world, thing, wanted)


def check(kind: str, params: Params) -> None:
    """Raise MetaError for a field that objects of this kind do not have."""
    _check(kind, field_list(params.get("fields", "")))


def _check(kind: str, wanted: list[Field]) -> None:
    for field in wanted:
        if (kind, field.name) in LINKS:
            _check(LINKS[kind, field.name][0], field.inner)
        elif field.name not in FIELDS[kind] or field.inner:
            text = f"(#100) Tried accessing nonexisting field ({field.name}) on node type ({NODE_TYPES[kind]})"
            raise MetaError(100, text)


def _select(world: World, thing: Node, wanted: list[Field]) -> dict[str, Any]:
    kind = kind_of(thing)
    body: dict[str, Any] = {}
    for field in wanted:
        if (kind, field.name) in LINKS:
            linked = LINKS[kind, field.name][1](world, thing)
            found = None if linked is None else _select(world, linked, field.inner)
        else:
            found = FIELDS[kind][field.name](world, thing)
        body |= {} if found is None else {field.name: found}
    return body | {"id": thing.id}

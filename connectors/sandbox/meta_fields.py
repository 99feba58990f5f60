"""Fields of Meta's objects: what can be asked for, and what the answer is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from connectors.sandbox import reports
from connectors.sandbox.answers import loads
from connectors.sandbox.currencies import meta_unit_micros
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import World

Reader = Callable[[World, Any], Any]


class MetaError(Exception):
    """An error in Meta's terms. `label` is how the ledger names it: `code` or `code/subcode`."""

    def __init__(
        self,
        code: int,
        message: str,
        subcode: int = 0,
        *,
        blame: str = "",
        status: int = 400,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.code, self.subcode, self.message = code, subcode, message
        self.blame, self.status, self.transient = blame, status, transient

    @property
    def label(self) -> str:
        return f"{self.code}/{self.subcode}" if self.subcode else str(self.code)


# The floor of an ad set's daily budget, in Meta's units (one US dollar or about as much).
_MINIMUM_UNITS = {"JPY": 150, "BRL": 500}


def minimum_units(currency: str) -> int:
    return _MINIMUM_UNITS.get(currency, 100)


def _time(world: World, thing: AdObject | Account, moment: datetime) -> str:
    account = thing if isinstance(thing, Account) else world.accounts[thing.account]
    return moment.astimezone(world.zone(account)).strftime("%Y-%m-%dT%H:%M:%S%z")


def _units(world: World, thing: AdObject, micros: int | None) -> str:
    return str((micros or 0) // meta_unit_micros(world.accounts[thing.account].currency))


def _budget(name: str) -> Reader:
    """A budget as a string; "0" for the unused kind; absent on a campaign that carries none."""

    def read_budget(world: World, thing: AdObject) -> str | None:
        if thing.kind == "campaign" and not (thing.daily_budget or thing.lifetime_budget):
            return None
        return _units(world, thing, getattr(thing, name))

    return read_budget


def _budget_remaining(world: World, thing: AdObject) -> str:
    if thing.kind == "ad_set":
        spent = round(float(world.market.spent_today[thing.column]) * 1e6)
    else:
        columns = [child.column for child in world.children[thing.id]]
        spent = round(float(world.market.spent_today[columns].sum()) * 1e6)
    return _units(world, thing, max((thing.daily_budget or thing.lifetime_budget or 0) - spent, 0))


def _effective(world: World, thing: AdObject) -> str:
    parent = world.objects.get(thing.parent)
    if thing.status != "ACTIVE" or parent is None:
        return thing.status
    above = _effective(world, parent)
    if above == "ACTIVE":
        return "ACTIVE"
    if above == "CAMPAIGN_PAUSED" or parent.kind == "campaign":
        return "CAMPAIGN_PAUSED"
    return "ADSET_PAUSED"


def _offset(world: World, account: Account) -> float:
    offset = world.now.astimezone(world.zone(account)).utcoffset()
    return offset.total_seconds() / 3600 if offset is not None else 0.0


def _amount_spent(world: World, account: Account) -> str:
    ad_sets = world.account_objects(account.id, "ad_set")
    days = (date(1970, 1, 1), world.now.astimezone(world.zone(account)).date())
    found = reports.rows(world, account, ad_sets, days, level="account", by_day=False, by_hour=False)
    return str((found[0].figures.spend if found else 0) // meta_unit_micros(account.currency))


ACCOUNT: dict[str, Reader] = {
    "id": lambda w, a: a.id,
    "account_id": lambda w, a: a.id.removeprefix("act_"),
    "name": lambda w, a: a.name,
    "currency": lambda w, a: a.currency,
    "timezone_name": lambda w, a: a.zone,
    "timezone_offset_hours_utc": _offset,
    "account_status": lambda w, a: 1,
    "min_daily_budget": lambda w, a: minimum_units(a.currency),
    "amount_spent": _amount_spent,
    "balance": lambda w, a: "0",
    "spend_cap": lambda w, a: "0",
    "created_time": lambda w, a: _time(w, a, a.created),
}
COMMON: dict[str, Reader] = {
    "id": lambda w, o: o.id,
    "account_id": lambda w, o: o.account.removeprefix("act_"),
    "name": lambda w, o: o.name,
    "status": lambda w, o: o.status,
    "configured_status": lambda w, o: o.status,
    "effective_status": _effective,
    "created_time": lambda w, o: _time(w, o, o.created),
    "updated_time": lambda w, o: _time(w, o, o.updated),
}
BUDGETS: dict[str, Reader] = {
    "daily_budget": _budget("daily_budget"),
    "lifetime_budget": _budget("lifetime_budget"),
    "budget_remaining": _budget_remaining,
    "bid_strategy": lambda w, o: "LOWEST_COST_WITHOUT_CAP",
    "start_time": lambda w, o: _time(w, o, o.created),
}
FIELDS: dict[str, dict[str, Reader]] = {
    "account": ACCOUNT,
    "campaign": COMMON
    | BUDGETS
    | {
        "objective": lambda w, o: "OUTCOME_SALES",
        "buying_type": lambda w, o: "AUCTION",
        "special_ad_categories": lambda w, o: [],
        "is_adset_budget_sharing_enabled": lambda w, o: False,
    },
    "ad_set": COMMON
    | BUDGETS
    | {
        "campaign_id": lambda w, o: o.parent,
        "optimization_goal": lambda w, o: "OFFSITE_CONVERSIONS",
        "billing_event": lambda w, o: "IMPRESSIONS",
        "learning_stage_info": lambda w, o: {"status": "SUCCESS"},
    },
    "ad": COMMON
    | {
        "adset_id": lambda w, o: o.parent,
        "campaign_id": lambda w, o: w.objects[o.parent].parent,
    },
}
_PARENTS = {("ad_set", "campaign"): 1, ("ad", "adset"): 1, ("ad", "campaign"): 2}


def kind_of(thing: Account | AdObject) -> str:
    return "account" if isinstance(thing, Account) else thing.kind


def value(world: World, thing: Account | AdObject, name: str) -> Any:
    """The field as Meta writes it, None where the object does not have it."""
    reader = FIELDS[kind_of(thing)].get(name)
    return reader(world, thing) if reader else None


def read(world: World, thing: Account | AdObject, params: Mapping[str, str]) -> dict[str, Any]:
    """The object with the fields asked for; `id` always. Raises MetaError for one it does not have."""
    return _select(world, thing, field_names(params))


def _select(world: World, thing: Account | AdObject, names: list[str]) -> dict[str, Any]:
    kind = kind_of(thing)
    body: dict[str, Any] = {}
    for name in names:
        outer, _, inner = name.partition("{")
        if inner and (kind, outer) in _PARENTS and isinstance(thing, AdObject):
            parent = thing
            for _ in range(_PARENTS[kind, outer]):
                parent = world.objects[parent.parent]
            body[outer] = _select(world, parent, _split(inner.removesuffix("}")))
        elif name in FIELDS[kind]:
            found = FIELDS[kind][name](world, thing)
            body |= {} if found is None else {name: found}
        else:
            node = {"account": "AdAccount", "campaign": "Campaign", "ad_set": "AdSet", "ad": "Ad"}[kind]
            raise MetaError(100, f"(#100) Tried accessing nonexisting field ({name}) on node type ({node})")
    return body | {"id": thing.id}


def field_names(params: Mapping[str, str]) -> list[str]:
    text = params.get("fields", "")
    listed_names = loads(text)
    return [str(name) for name in listed_names] if isinstance(listed_names, list) else _split(text)


def _split(text: str) -> list[str]:
    """`a,b{c,d}` as `["a", "b{c,d}"]`: commas outside braces."""
    return [part.strip() for part in re.findall(r"[^,{}]+(?:\{[^{}]*\})?", text) if part.strip()]


def listed(
    world: World, account: Account, target: Account | AdObject, kind: str, params: Mapping[str, str]
) -> list[AdObject]:
    """What an edge shows: not what is deleted or archived, unless the filter asks for it."""
    things = world.account_objects(account.id, kind)
    if isinstance(target, AdObject):
        things = [o for o in things if target.id in (o.parent, world.objects[o.parent].parent)]
    asked = loads(params.get("effective_status", "[]"), [])
    conditions = loads(params.get("filtering", "[]"), None)
    if not isinstance(conditions, list) or not isinstance(asked, list):
        raise MetaError(100, "(#100) filtering must be a JSON array")
    hidden = {"DELETED", "ARCHIVED"} - set(map(str, asked)) - _named_statuses(conditions)
    things = [o for o in things if o.status not in hidden]
    if asked:
        things = [o for o in things if _effective(world, o) in asked]
    return [o for o in things if all(passes(world, o, c) for c in conditions)]


def _named_statuses(conditions: list[Any]) -> set[str]:
    found: set[str] = set()
    for condition in conditions:
        if isinstance(condition, dict) and str(condition.get("field", "")).endswith("effective_status"):
            found |= {str(v) for v in _many(condition.get("value"))}
    return found


def _many(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def passes(world: World, thing: AdObject, condition: Any) -> bool:
    """One `{"field", "operator", "value"}`, the field with or without the name of its level."""
    if not isinstance(condition, dict):
        raise MetaError(100, "(#100) filtering must be an array of objects")
    name = str(condition.get("field", "")).rpartition(".")[2]
    wanted, operator = condition.get("value"), condition.get("operator")
    held = int(thing.updated.timestamp()) if name == "updated_time" else value(world, thing, name)
    if held is None:
        raise MetaError(100, f"(#100) Filtering field {condition.get('field')} is invalid")
    if operator in ("IN", "EQUAL"):
        return held in _many(wanted) or str(held) in map(str, _many(wanted))
    if operator == "NOT_IN":
        return str(held) not in map(str, _many(wanted))
    if operator in ("GREATER_THAN", "LESS_THAN") and re.fullmatch(r"\d{1,12}", str(wanted)):
        return int(held) > int(str(wanted)) if operator == "GREATER_THAN" else int(held) < int(str(wanted))
    raise MetaError(100, f"(#100) Filtering operator {operator} is invalid")

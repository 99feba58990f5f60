"""TikTok's writes: budgets and statuses of campaigns, ad groups and ads, with the platform's own limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.sandbox.currencies import MICROS, quantum_micros, tiktok_ratio
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import Change, World

DAILY_FLOOR = {"campaign": 50, "ad_set": 20}  # times the currency's ratio
BUDGET_CEILING = 10_000_000
MAX_IDS = 20
STATUSES = ("ENABLE", "DISABLE", "DELETE")
UPDATES = {"campaign/update/": ("campaign", "campaign_id"), "adgroup/update/": ("ad_set", "adgroup_id")}
STATUS_UPDATES = {
    "campaign/status/update/": ("campaign", "campaign_ids"),
    "adgroup/status/update/": ("ad_set", "adgroup_ids"),
    "ad/status/update/": ("ad", "ad_ids"),
}
BULK = "adgroup/budget/update/"


class TikTokError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Outcome:
    data: dict[str, Any]
    code: int = 0
    message: str = "OK"


@dataclass(frozen=True)
class Attempt:
    """A write as asked for. `immediate_lifetime` marks the bulk call that takes lifetime budgets only."""

    change: Change
    immediate_lifetime: bool = False


def attempt(world: World, target: AdObject, field: str, given: Any) -> Attempt | None:
    """One field of one object; None for a field that is not written."""
    if field == "operation_status":
        status = given if given in STATUSES else None
        return Attempt(Change(target, field, "status", target.status, given, status))
    if field not in ("budget", "scheduled_budget"):
        return None
    lifetime = target.lifetime_budget is not None
    attribute = "scheduled_budget" if field == "scheduled_budget" else "daily_budget"
    attribute = "lifetime_budget" if lifetime and field == "budget" else attribute
    value = _micros(given, world.accounts[target.account].currency)
    new = given if value is None else value / 1e6
    return Attempt(Change(target, field, attribute, (getattr(target, attribute) or 0) / 1e6, new, value))


def attempts(world: World, path: str, body: dict[str, Any]) -> list[Attempt] | None:
    """Every write that a request asks for on objects that exist; None when the path writes nothing."""
    found: list[Attempt | None] = []
    if path in UPDATES:
        target = _target(world, body.get(UPDATES[path][1]), UPDATES[path][0])
        if target and "budget" in body:
            found.append(attempt(world, target, "budget", body["budget"]))
    elif path in STATUS_UPDATES:
        kind, key = STATUS_UPDATES[path]
        targets = [_target(world, identity, kind) for identity in _many(body.get(key))]
        given = body.get("operation_status")
        found = [attempt(world, target, "operation_status", given) for target in targets if target]
    elif path == BULK:
        for field in ("budget", "scheduled_budget"):
            for item in _many(body.get(field)):
                target = _target(world, item.get("adgroup_id"), "ad_set") if isinstance(item, dict) else None
                if target:
                    asked = attempt(world, target, field, item.get(field))
                    found.append(Attempt(asked.change, field == "budget") if asked else None)
    else:
        return None
    return [asked for asked in found if asked is not None]


def perform(world: World, account: Account, path: str, body: dict[str, Any]) -> Outcome:
    """Check everything, then write everything. A refusal is booked and raised as TikTokError."""
    asked = attempts(world, path, body)
    if asked is None:
        raise TikTokError(40400, "The requested path does not exist")
    mine = [each for each in asked if each.change.target.account == account.id]
    try:
        count = _counted(world, account, path, body)
        if not asked or count > len(mine):
            raise TikTokError(40002, "Nothing to update, or an object does not exist.")
        for each in mine:
            check(world, each)
    except TikTokError as error:
        for each in mine:
            world.refuse(each.change, str(error.code))
        raise
    for each in mine:
        world.write(each.change, "api")
    return Outcome(_confirmation(path, body, mine))


def check(world: World, asked: Attempt) -> None:
    """Raise TikTokError unless TikTok would take the change."""
    change = asked.change
    target = change.target
    if change.value is None:
        raise TikTokError(40002, f"{change.field}: Not a valid value.")
    if target.status == "DELETE":
        raise TikTokError(40007, "The object is deleted.")
    if change.field == "operation_status":
        return
    if not (target.daily_budget or target.lifetime_budget):
        raise TikTokError(40002, "The budget is carried by another level and is not editable here.")
    if asked.immediate_lifetime and target.lifetime_budget is None:
        raise TikTokError(40002, "budget: only lifetime budgets change at once; use scheduled_budget.")
    if change.field == "scheduled_budget" and target.daily_budget is None:
        raise TikTokError(40002, "scheduled_budget: only daily budgets can be scheduled.")
    local = world.now.astimezone(world.zone(world.accounts[target.account]))
    if (asked.immediate_lifetime or change.field == "scheduled_budget") and _locked(local):
        raise TikTokError(40002, "Budgets cannot be changed between 23:55 and 00:00.")
    if change.value == getattr(target, change.attribute):
        raise TikTokError(40012, "Nothing to update: the budget is already this.")
    _check_amount(world, change)


def _locked(local: datetime) -> bool:
    return (local.hour, local.minute) >= (23, 55)


def _check_amount(world: World, change: Change) -> None:
    target, micros = change.target, int(change.value or 0)
    currency = world.accounts[target.account].currency
    floor = DAILY_FLOOR[target.kind] * tiktok_ratio(currency)
    if micros < floor * MICROS:
        raise TikTokError(40002, f"The budget must be at least {floor} {currency}.")
    if micros >= BUDGET_CEILING * tiktok_ratio(currency) * MICROS:
        raise TikTokError(40002, "The budget is too large.")
    if change.attribute == "daily_budget":
        ad_sets = [target] if target.kind == "ad_set" else world.children[target.id]
        spent = sum(float(world.market.spent_today[o.column]) for o in ad_sets)
        if micros < 1.05 * spent * MICROS:
            raise TikTokError(40002, "The budget must be at least 105% of what is already spent.")


def _micros(given: Any, currency: str) -> int | None:
    """Micros of a JSON number in whole currency, None when it cannot stand for one exactly."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1e12:
        return None
    quantum = quantum_micros(currency)
    quanta = given * MICROS / quantum
    if abs(quanta - round(quanta)) > 1e-4:
        return None
    return round(quanta) * quantum


def _counted(world: World, account: Account, path: str, body: dict[str, Any]) -> int:
    """How many objects the request names. Raises TikTokError for too many."""
    if path in UPDATES:
        kind, key = UPDATES[path]
        target = _target(world, body.get(key), kind)
        if target is None or target.account != account.id:
            raise TikTokError(40007, f"{key}: the object does not exist.")
        if "budget" not in body:
            raise TikTokError(40012, "Nothing to update.")
        return 1
    keys = ("budget", "scheduled_budget") if path == BULK else (STATUS_UPDATES[path][1],)
    counts = [len(_many(body.get(key))) for key in keys]
    if max(counts) > MAX_IDS:
        raise TikTokError(40011, f"At most {MAX_IDS} ids are allowed.")
    return sum(counts)


def _confirmation(path: str, body: dict[str, Any], done: list[Attempt]) -> dict[str, Any]:
    if path in STATUS_UPDATES:
        key = STATUS_UPDATES[path][1]
        return {key: [each.change.target.id for each in done], "status": body["operation_status"]}
    if path in UPDATES:
        target = done[0].change.target
        named = {UPDATES[path][1]: target.id, "advertiser_id": target.account}
        mode = "BUDGET_MODE_TOTAL" if target.lifetime_budget is not None else "BUDGET_MODE_DAY"
        return named | {"budget": done[0].change.new, "budget_mode": mode, "operation_status": target.status}
    return {}


def _target(world: World, identity: Any, kind: str) -> AdObject | None:
    thing = world.objects.get(str(identity))
    return thing if thing and thing.kind == kind and thing.platform == "tiktok" else None


def _many(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []

"""TikTok's writes on objects that exist: budgets, bids, names, settings and statuses.

An omitted field keeps its value. The documents call `/adgroup/update/` a full replacement, public clients send single
fields and report success; the sandbox sides with the clients. Every change asked for is booked once, applied or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.tiktok_checks import (
    BIDS,
    PRICES,
    STATUSES,
    Attempt,
    Reader,
    check,
    check_bids,
    flag,
    money,
    one_of,
    ratio,
    word,
    words,
)
from connectors.sandbox.tiktok_fields import CREATIVE, show, told
from connectors.sandbox.tiktok_terms import GMV_MAX, SMART_PLUS, STANDARD, Outcome, TikTokError, found, many
from connectors.sandbox.world import Change, World

__all__ = ["Outcome", "TikTokError", "attempt", "attempts", "check", "perform"]

MAX_IDS = 20
SETTINGS: dict[str, Reader] = {
    **dict.fromkeys(
        ("pacing", "schedule_type", "schedule_start_time", "schedule_end_time", "dayparting", "gender"), word
    ),
    **dict.fromkeys(
        (
            "age_groups",
            "languages",
            "location_ids",
            "audience_ids",
            "excluded_audience_ids",
            "interest_category_ids",
            "operating_systems",
        ),
        words,
    ),
    **dict.fromkeys(("comment_disabled", "share_disabled"), flag),
}
CAMPAIGN_SETTINGS: dict[str, Reader] = {"po_number": word, "special_industries": words}
AD_SETTINGS: dict[str, Reader] = {
    **{name: word for name in CREATIVE if name not in ("image_ids", "ad_texts")},
    "image_ids": words,
    "ad_texts": words,
}
NAMES = {"campaign_name": "campaign", "adgroup_name": "ad_set", "ad_name": "ad"}


@dataclass(frozen=True)
class Update:
    """An update endpoint: which objects it takes, what names one, and which settings beside budget and name."""

    kind: str
    key: str
    families: tuple[str, ...]
    settings: dict[str, Reader]
    has_budget: bool = True


UPDATES = {
    "campaign/update/": Update("campaign", "campaign_id", (STANDARD,), CAMPAIGN_SETTINGS),
    "adgroup/update/": Update("ad_set", "adgroup_id", (STANDARD,), BIDS | SETTINGS),
    "smart_plus/campaign/update/": Update("campaign", "campaign_id", (SMART_PLUS,), CAMPAIGN_SETTINGS),
    "smart_plus/adgroup/update/": Update("ad_set", "adgroup_id", (SMART_PLUS,), BIDS | SETTINGS),
    "smart_plus/ad/update/": Update("ad", "smart_plus_ad_id", (SMART_PLUS,), {}, has_budget=False),
    "campaign/gmv_max/update/": Update("campaign", "campaign_id", (GMV_MAX,), {"roas_bid": ratio}),
}
CREATIVES_UPDATE = "ad/update/"
ONE_CREATIVE = Update("ad", "ad_id", (STANDARD,), AD_SETTINGS, has_budget=False)
# A GMV Max campaign is paused where an ordinary one is; it has no status endpoint of its own.
STATUS_UPDATES = {
    "campaign/status/update/": ("campaign", "campaign_ids", (STANDARD, GMV_MAX)),
    "adgroup/status/update/": ("ad_set", "adgroup_ids", (STANDARD,)),
    "ad/status/update/": ("ad", "ad_ids", (STANDARD,)),
    "smart_plus/campaign/status/update/": ("campaign", "campaign_ids", (SMART_PLUS,)),
    "smart_plus/adgroup/status/update/": ("ad_set", "adgroup_ids", (SMART_PLUS,)),
    "smart_plus/ad/status/update/": ("ad", "smart_plus_ad_ids", (SMART_PLUS,)),
}
BULK = "adgroup/budget/update/"
BULK_FIELDS = ("budget", "scheduled_budget")


def attempt(world: World, target: AdObject, field: str, given: Any) -> Attempt | None:
    """One field of one object; None for a field that is not written."""
    currency = world.accounts[target.account].currency
    if field == "operation_status":
        return Attempt(Change(target, field, "status", target.status, given, one_of(*STATUSES)(given, currency)))
    if field in BULK_FIELDS and target.kind != "ad":
        return _budget_attempt(target, field, given, currency)
    if NAMES.get(field) == target.kind:
        return Attempt(Change(target, field, "name", target.name, given, word(given, currency)))
    settings = {"campaign": CAMPAIGN_SETTINGS | {"roas_bid": ratio}, "ad_set": BIDS | SETTINGS, "ad": AD_SETTINGS}
    read = settings[target.kind].get(field) if target.kind in settings else None
    if read is None:
        return None
    held = told(world, target, field)
    return Attempt(Change(target, field, f"extra.{field}", held, given, read(given, currency)))


def attempts(world: World, path: str, body: dict[str, Any]) -> list[Attempt] | None:
    """Every write that a request asks for on objects that exist; None when the path writes nothing of that kind."""
    if path in UPDATES:
        return _update_attempts(world, UPDATES[path], body)
    if path == CREATIVES_UPDATE:
        creatives = [each for each in many(body.get("creatives")) if isinstance(each, dict)]
        return [asked for each in creatives for asked in _update_attempts(world, ONE_CREATIVE, each)]
    if path in STATUS_UPDATES:
        kind, key, families = STATUS_UPDATES[path]
        targets = [found(world, identity, kind, families) for identity in _ids(body, key)]
        given = body.get("operation_status")
        return _some(attempt(world, target, "operation_status", given) for target in targets if target)
    return _bulk_attempts(world, body) if path == BULK else None


def perform(world: World, account: Account, path: str, body: dict[str, Any]) -> Outcome:
    """Check everything, then write everything. A refusal is booked and raised as TikTokError."""
    asked = attempts(world, path, body)
    if asked is None:
        raise TikTokError(40400, "The requested path does not exist")
    mine = [each for each in asked if each.change.target.account == account.id]
    if path in STATUS_UPDATES and body.get("allow_partial_success") is True:
        return _partly(world, account, path, body, mine)
    try:
        _check_count(world, account, path, body, mine)
        for each in mine:
            check(world, each)
        _check_together(mine)
    except TikTokError as error:
        for each in mine:
            world.refuse(each.change, str(error.code))
        raise
    for each in mine:
        world.write(each.change, "api")
    return Outcome(_confirmation(world, path, body, mine))


def _budget_attempt(target: AdObject, field: str, given: Any, currency: str) -> Attempt:
    lifetime = target.lifetime_budget is not None and field == "budget"
    attribute = "scheduled_budget" if field == "scheduled_budget" else "daily_budget"
    attribute = "lifetime_budget" if lifetime else attribute
    value = money(given, currency)
    new = given if value is None else value / 1e6
    return Attempt(Change(target, field, attribute, (getattr(target, attribute) or 0) / 1e6, new, value))


def _update_attempts(world: World, update: Update, body: dict[str, Any]) -> list[Attempt]:
    """What the body would change. A field that repeats what is held is no change, unless it stands alone."""
    target = found(world, body.get(update.key), update.kind, update.families)
    if target is None:
        return []
    names = [name for name, kind in NAMES.items() if kind == update.kind] + list(update.settings)
    given = {name: body[name] for name in names if body.get(name) is not None}
    if update.has_budget and "budget" in body:
        given = {"budget": body["budget"], **given}
    asked = _some(attempt(world, target, field, value) for field, value in (given | _ended(target, given)).items())
    changed = [each for each in asked if each.change.value is None or each.change.new != each.change.old]
    return changed or asked[:1]


def _ended(target: AdObject, given: dict[str, Any]) -> dict[str, Any]:
    """The kept prices that a new bid ends: an ad group has one, and none without `BID_TYPE_CUSTOM`."""
    named = [name for name in PRICES if name in given]
    ends = named or given.get("bid_type") == "BID_TYPE_NO_BID"
    return {name: 0.0 for name in PRICES if ends and name not in named and target.extra.get(name)}


def _bulk_attempts(world: World, body: dict[str, Any]) -> list[Attempt]:
    asked = []
    for field in BULK_FIELDS:
        for item in many(body.get(field)):
            target = found(world, item.get("adgroup_id"), "ad_set", (STANDARD,)) if isinstance(item, dict) else None
            one = attempt(world, target, field, item.get(field)) if target else None
            asked += [Attempt(one.change, field == "budget")] if one else []
    return asked


def _check_count(world: World, account: Account, path: str, body: dict[str, Any], mine: list[Attempt]) -> None:
    """Raise TikTokError for objects that do not exist, too many of them, or nothing to do."""
    if path in UPDATES:
        update = UPDATES[path]
        target = found(world, body.get(update.key), update.kind, update.families)
        if target is None or target.account != account.id:
            raise TikTokError(40007, f"{update.key}: the object does not exist.")
        if not mine:
            raise TikTokError(40012, "Nothing to update.")
        return
    named = _named(path, body)
    if any(len(identities) > MAX_IDS for identities in named):
        raise TikTokError(40011, f"At most {MAX_IDS} ids are allowed.")
    wanted = len(_ids(body, STATUS_UPDATES[path][1])) if path in STATUS_UPDATES else sum(map(len, named))
    count = len({each.change.target.id for each in mine}) if path == CREATIVES_UPDATE else len(mine)
    if not mine or wanted > count:
        raise TikTokError(40002, "Nothing to update, or an object does not exist.")


def _named(path: str, body: dict[str, Any]) -> list[list[Any]]:
    """The lists in which a request names its objects."""
    if path == BULK:
        return [many(body.get(field)) for field in BULK_FIELDS]
    if path == CREATIVES_UPDATE:
        return [many(body.get("creatives"))]
    return [many(body.get(STATUS_UPDATES[path][1]))]


def _ids(body: dict[str, Any], key: str) -> list[str]:
    """The ids of a status request, each once."""
    return list(dict.fromkeys(str(identity) for identity in many(body.get(key))))


def _check_together(mine: list[Attempt]) -> None:
    """Bids of one object must agree after all of its changes."""
    for target in {each.change.target.id: each.change.target for each in mine}.values():
        fields = {each.change.field: each.change.value for each in mine if each.change.target is target}
        if set(fields) & set(BIDS) and target.kind == "ad_set":
            check_bids(target.extra | fields)


def _partly(world: World, account: Account, path: str, body: dict[str, Any], mine: list[Attempt]) -> Outcome:
    """A status update that does what it can and lists what it could not: code 20001."""
    key = STATUS_UPDATES[path][1]
    identities = _ids(body, key)
    if len(many(body.get(key))) > MAX_IDS:
        for each in mine:
            world.refuse(each.change, "40011")
        raise TikTokError(40011, f"At most {MAX_IDS} ids are allowed.")
    wrong = dict.fromkeys(identities, "The object does not exist.")
    done = []
    for each in mine:
        try:
            check(world, each)
        except TikTokError as error:
            world.refuse(each.change, str(error.code))
            wrong[each.change.target.id] = error.message
        else:
            world.write(each.change, "api")
            del wrong[each.change.target.id]
            done.append(each)
    if not done:
        raise TikTokError(40002, next(iter(wrong.values()), "Nothing to update."))
    errors = [{key.removesuffix("s"): identity, "error_message": message} for identity, message in wrong.items()]
    data = _confirmation(world, path, body, done) | {"error_list": errors}
    return Outcome(data, 20001, "Partial success") if errors else Outcome(data)


def _confirmation(world: World, path: str, body: dict[str, Any], done: list[Attempt]) -> dict[str, Any]:
    if path in STATUS_UPDATES:
        key = STATUS_UPDATES[path][1]
        return {key: [each.change.target.id for each in done], "status": body["operation_status"]}
    if path in UPDATES:
        return show(world, done[0].change.target)
    if path == CREATIVES_UPDATE:
        ads = {each.change.target.id: each.change.target for each in done}
        return {"ad_ids": list(ads), "creatives": [show(world, ad) for ad in ads.values()]}
    return {}


def _some(asked: Iterable[Attempt | None]) -> list[Attempt]:
    return [each for each in asked if each is not None]

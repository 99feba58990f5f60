"""TikTok's creates: campaigns, ad groups and ads of all families, each held by the world and booked once.

Required fields are those of the official client's models. A `request_id` that comes again within ten seconds of market
time is refused with 40050, an assumed code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.tiktok_checks import BIDS, Reader, check_bids, check_budget, flag, money, one_of, word, words
from connectors.sandbox.tiktok_fields import is_pooled, show
from connectors.sandbox.tiktok_gmv_max import campaign_body, draft_extra
from connectors.sandbox.tiktok_terms import (
    GMV_MAX,
    SMART_PLUS,
    STANDARD,
    Outcome,
    TikTokError,
    found,
    many,
    text,
)
from connectors.sandbox.tiktok_writes import AD_SETTINGS, CAMPAIGN_SETTINGS, SETTINGS
from connectors.sandbox.world import Change, World

REPEAT_WITHIN = timedelta(seconds=10)
MAX_CREATIVES = 20
MAX_ADS = 20  # alive, per ad group
OBJECTIVES = (
    "REACH",
    "TRAFFIC",
    "VIDEO_VIEWS",
    "LEAD_GENERATION",
    "ENGAGEMENT",
    "APP_PROMOTION",
    "WEB_CONVERSIONS",
    "PRODUCT_SALES",
)
DAILY_MODES = ("BUDGET_MODE_DAY", "BUDGET_MODE_DYNAMIC_DAILY_BUDGET")
MODES = ("BUDGET_MODE_INFINITE", "BUDGET_MODE_TOTAL", *DAILY_MODES)
GROUP_WORDS = (
    "billing_event",
    "optimization_goal",
    "optimization_event",
    "promotion_type",
    "placement_type",
    "pixel_id",
)
GROUP_EXTRA: dict[str, Reader] = BIDS | SETTINGS | dict.fromkeys(GROUP_WORDS, word) | {"placements": words}
CAMPAIGN_EXTRA: dict[str, Reader] = CAMPAIGN_SETTINGS | {
    "objective_type": one_of(*OBJECTIVES),
    "campaign_type": word,
    "budget_optimize_on": flag,
    "sales_destination": word,
}
GROUP_REQUIRED = ("billing_event", "optimization_goal", "schedule_type", "schedule_start_time")
SMART_PLUS_LISTS = ("creative_list", "ad_text_list", "call_to_action_list", "landing_page_url_list")


@dataclass(frozen=True)
class Draft:
    """An object about to be created. Budgets in micros."""

    kind: str
    parent: str
    name: str
    status: str
    family: str
    daily_budget: int | None = None
    lifetime_budget: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def perform(world: World, account: Account, path: str, body: dict[str, Any]) -> Outcome:
    """Create everything that the request asks for, or nothing. A refusal is booked and raised as TikTokError."""
    kind, family, draft = CREATES[path]
    try:
        extra = _request_id(world, account, body, is_needed=family != STANDARD and kind != "ad")
        drafts = draft(world, account, body, family)
    except TikTokError as error:
        world.refuse_create(account, kind, str(error.code))
        raise
    made = [_create(world, account, each, extra) for each in drafts]
    return Outcome(_confirmation(world, path, made))


def received(account: Account, path: str) -> Change:
    """The creation that a request asks for, before it is looked at: an object without an id."""
    return creation(account, CREATES[path][0])


def creation(account: Account, kind: str) -> Change:
    """A creation as it is booked when it is refused."""
    nothing = AdObject("tiktok", kind, "", account.id, "", "", account.created, account.created, "")
    return Change(nothing, "created", "", None, kind, None)


def _create(world: World, account: Account, draft: Draft, extra: dict[str, Any]) -> AdObject:
    made = world.create(
        account,
        draft.kind,
        draft.parent,
        draft.name,
        status=draft.status,
        daily_budget=draft.daily_budget,
        lifetime_budget=draft.lifetime_budget,
        family=draft.family,
        extra=draft.extra | extra,
    )
    if made.family == GMV_MAX:  # its place in the market, which nobody asked for and no list shows
        world.create(account, "ad_set", made.id, made.name, status="ENABLE", family=GMV_MAX, actor="platform")
    return made


def _request_id(world: World, account: Account, body: dict[str, Any], *, is_needed: bool) -> dict[str, Any]:
    given = body.get("request_id")
    if given is None and not is_needed:
        return {}
    if not isinstance(given, str) or not re.fullmatch("[0-9]{1,19}", given):
        raise TikTokError(40002, "request_id: must be a 64-bit integer as text.")
    recent = (o for o in world.objects.values() if o.account == account.id and world.now - o.created < REPEAT_WITHIN)
    if any(thing.extra.get("request_id") == given for thing in recent):
        raise TikTokError(40050, "Duplicated request: this request_id has been used.")
    return {"request_id": given}


def _campaign(world: World, account: Account, body: dict[str, Any], family: str) -> list[Draft]:
    text(body, "objective_type")
    name, extra = text(body, "campaign_name"), _extra(body, CAMPAIGN_EXTRA, account.currency)
    mode = _mode(body, "BUDGET_MODE_INFINITE")
    shares = extra.setdefault("budget_optimize_on", False)
    if shares and mode == "BUDGET_MODE_INFINITE":
        raise TikTokError(40002, "budget_mode: a shared budget cannot be infinite.")
    daily, lifetime = _budgets(body, "campaign", family, account.currency, mode)
    return [Draft("campaign", account.id, name, _status(body), family, daily, lifetime, extra | {"budget_mode": mode})]


def _ad_group(world: World, account: Account, body: dict[str, Any], family: str) -> list[Draft]:
    campaign = _parent(world, account, body, "campaign_id", "campaign", family)
    name, extra = text(body, "adgroup_name"), _extra(body, GROUP_EXTRA, account.currency)
    for needed in GROUP_REQUIRED:
        text(body, needed)
    check_bids(extra)
    _moment(body, "schedule_start_time")
    if is_pooled(campaign):
        return [Draft("ad_set", campaign.id, name, _status(body), family, extra=extra)]
    mode = _mode(body, "")
    if mode == "BUDGET_MODE_INFINITE":
        raise TikTokError(40002, "budget_mode: an ad group needs a budget when its campaign shares none.")
    daily, lifetime = _budgets(body, "ad_set", family, account.currency, mode)
    extra["budget_mode"] = mode
    return [Draft("ad_set", campaign.id, name, _status(body), family, daily, lifetime, extra)]


def _ads(world: World, account: Account, body: dict[str, Any], family: str) -> list[Draft]:
    group = _parent(world, account, body, "adgroup_id", "ad_set", family)
    creatives = [each for each in many(body.get("creatives")) if isinstance(each, dict)]
    if not 1 <= len(creatives) <= MAX_CREATIVES:
        raise TikTokError(40002, f"creatives: between 1 and {MAX_CREATIVES}.")
    _room(world, group, len(creatives))
    return [_ad(group, each, account.currency, family) for each in creatives]


def _ad(group: AdObject, creative: dict[str, Any], currency: str, family: str) -> Draft:
    extra = _extra(creative, AD_SETTINGS, currency)
    if not any(extra.get(name) for name in ("video_id", "image_ids", "tiktok_item_id")):
        raise TikTokError(40002, "creatives.video_id: an ad needs a video, images or a post.")
    if not extra.get("identity_id"):
        raise TikTokError(40002, "creatives.identity_id: Missing data for required field.")
    return Draft("ad", group.id, text(creative, "ad_name"), _status(creative), family, extra=extra)


def _smart_plus_ad(world: World, account: Account, body: dict[str, Any], family: str) -> list[Draft]:
    group = _parent(world, account, body, "adgroup_id", "ad_set", family)
    if not all(isinstance(each, dict) for name in SMART_PLUS_LISTS for each in many(body.get(name))):
        raise TikTokError(40002, "creative_list: Not a valid list.")
    _room(world, group, 1)
    extra = {name: body[name] for name in SMART_PLUS_LISTS if many(body.get(name))}
    return [Draft("ad", group.id, text(body, "ad_name"), _status(body), family, extra=extra)]


def _gmv_max(world: World, account: Account, body: dict[str, Any], family: str) -> list[Draft]:
    name, extra = text(body, "campaign_name"), draft_extra(account, body)
    _moment(body, "schedule_start_time")
    daily, _ = _budgets(body, "campaign", family, account.currency, "BUDGET_MODE_DAY")
    return [Draft("campaign", account.id, name, "ENABLE", family, daily, None, extra)]


def _parent(world: World, account: Account, body: dict[str, Any], key: str, kind: str, family: str) -> AdObject:
    parent = found(world, text(body, key), kind, (family,))
    if parent is None or parent.account != account.id or parent.status == "DELETE":
        raise TikTokError(40007, f"{key}: the object does not exist.")
    return parent


def _room(world: World, group: AdObject, more: int) -> None:
    alive = sum(ad.status != "DELETE" for ad in world.children[group.id])
    if alive + more > MAX_ADS:
        raise TikTokError(40502, f"At most {MAX_ADS} ads are allowed in an ad group.")


def _status(body: dict[str, Any]) -> str:
    """Enabled unless the request says otherwise, as on TikTok."""
    given = body.get("operation_status", "ENABLE")
    if given not in ("ENABLE", "DISABLE"):
        raise TikTokError(40002, "operation_status: Not a valid choice.")
    return str(given)


def _extra(body: dict[str, Any], readers: dict[str, Reader], currency: str) -> dict[str, Any]:
    extra = {name: read(body[name], currency) for name, read in readers.items() if body.get(name) is not None}
    for name, value in extra.items():
        if value is None:
            raise TikTokError(40002, f"{name}: Not a valid value.")
    return extra


def _mode(body: dict[str, Any], otherwise: str) -> str:
    given = body.get("budget_mode") or otherwise
    if given not in MODES:
        raise TikTokError(40002, "budget_mode: Not a valid choice.")
    return str(given)


def _budgets(body: dict[str, Any], kind: str, family: str, currency: str, mode: str) -> tuple[int | None, int | None]:
    """Daily and lifetime budget in micros, of which at most one is set."""
    if mode == "BUDGET_MODE_INFINITE":
        return None, None
    micros = money(body.get("budget"), currency)
    if micros is None:
        raise TikTokError(40002, "budget: Not a valid value.")
    if mode != "BUDGET_MODE_TOTAL":
        check_budget(kind, family, currency, micros)
        return micros, None
    check_budget(kind, family, currency, micros, _days(body) if kind == "ad_set" else 1)
    return None, micros


def _days(body: dict[str, Any]) -> int:
    """Begun days between the two ends of the schedule."""
    if body.get("schedule_type") != "SCHEDULE_START_END":
        raise TikTokError(40002, "schedule_type: a total budget needs SCHEDULE_START_END.")
    length = _moment(body, "schedule_end_time") - _moment(body, "schedule_start_time")
    if length <= timedelta(0):
        raise TikTokError(40002, "schedule_end_time: must be later than schedule_start_time.")
    return -(-length // timedelta(days=1))


def _moment(body: dict[str, Any], name: str) -> datetime:
    try:
        return datetime.strptime(text(body, name), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise TikTokError(40002, f"{name}: Not a valid datetime.") from error


def _confirmation(world: World, path: str, made: list[AdObject]) -> dict[str, Any]:
    if path == "ad/create/":
        return {"ad_ids": [ad.id for ad in made], "creatives": [show(world, ad) for ad in made], "need_audit": True}
    return campaign_body(world, made[0]) if made[0].family == GMV_MAX else show(world, made[0])


Drafter = Callable[[World, Account, dict[str, Any], str], list[Draft]]
CREATES: dict[str, tuple[str, str, Drafter]] = {
    "campaign/create/": ("campaign", STANDARD, _campaign),
    "adgroup/create/": ("ad_set", STANDARD, _ad_group),
    "ad/create/": ("ad", STANDARD, _ads),
    "smart_plus/campaign/create/": ("campaign", SMART_PLUS, _campaign),
    "smart_plus/adgroup/create/": ("ad_set", SMART_PLUS, _ad_group),
    "smart_plus/ad/create/": ("ad", SMART_PLUS, _smart_plus_ad),
    "campaign/gmv_max/create/": ("campaign", GMV_MAX, _gmv_max),
}

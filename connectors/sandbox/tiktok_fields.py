"""TikTok's objects as it shows them: fields of campaigns, ad groups and ads, their statuses and filters.

Field names: the documents of `/campaign/get/`, `/adgroup/get/`, `/ad/get/` and their Smart+ namesakes. Budgets are
numbers in whole currency, times are UTC. `learning_phase` is the sandbox's own name: the documents show none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.sandbox.answers import loads
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.tiktok_terms import SMART_PLUS, TikTokError, listed, objects, page, utc
from connectors.sandbox.world import World

Fields = dict[str, Callable[[World, AdObject], Any]]

PRIMARY = {
    "STATUS_NOT_DELETE": ("ENABLE", "DISABLE"),
    "STATUS_ALL": ("ENABLE", "DISABLE", "DELETE"),
    "STATUS_DELIVERY_OK": ("ENABLE",),
    "STATUS_DISABLE": ("DISABLE",),
    "STATUS_DELETE": ("DELETE",),
    "STATUS_NOT_DELIVERY": ("DISABLE",),
    "STATUS_TIME_DONE": (),
    "STATUS_FROZEN": (),
}
LEVEL_WORD = {"campaign": "CAMPAIGN", "ad_set": "ADGROUP", "ad": "AD"}
OBJECTIVE = "WEB_CONVERSIONS"
OPTIONAL = ("budget_optimize_on",)  # absent, not null, when it is not so


def secondary_status(world: World, thing: AdObject) -> str:
    name = LEVEL_WORD[thing.kind]
    if thing.status != "ENABLE":
        return f"{name}_STATUS_{thing.status}"
    above = world.objects.get(thing.parent)
    if thing.kind == "ad" and above is not None:
        if above.status != "ENABLE":
            return f"AD_STATUS_ADGROUP_{above.status}"
        above = world.objects.get(above.parent)
    if above is not None and above.status != "ENABLE":
        return f"{name}_STATUS_CAMPAIGN_{above.status}"
    return "CAMPAIGN_STATUS_ENABLE" if thing.kind == "campaign" else f"{name}_STATUS_DELIVERY_OK"


def campaign_of(world: World, thing: AdObject) -> AdObject:
    while thing.kind != "campaign":
        thing = world.objects[thing.parent]
    return thing


def is_pooled(campaign: AdObject) -> bool:
    """Whether the campaign's budget is shared out among its ad groups."""
    has_budget = bool(campaign.daily_budget or campaign.lifetime_budget)
    return has_budget and bool(campaign.extra.get("budget_optimize_on", True))


def budget_mode(thing: AdObject) -> str:
    if thing.lifetime_budget:
        return "BUDGET_MODE_TOTAL"
    if not thing.daily_budget:
        return "BUDGET_MODE_INFINITE"
    usual = "BUDGET_MODE_DYNAMIC_DAILY_BUDGET" if thing.family == SMART_PLUS else "BUDGET_MODE_DAY"
    return str(thing.extra.get("budget_mode", usual))


def kept(name: str, otherwise: Any = None) -> Callable[[World, AdObject], Any]:
    """A field that is told as it was written."""
    return lambda world, thing: thing.extra.get(name, otherwise)


def _landing_page(world: World, thing: AdObject) -> Any:
    shop = world.shops[world.accounts[thing.account].tenant]
    return thing.extra.get("landing_page_url", f"https://{shop.domain}/")


def _above(kind: str, attribute: str) -> Callable[[World, AdObject], Any]:
    def read(world: World, thing: AdObject) -> Any:
        while thing.kind != kind:
            thing = world.objects[thing.parent]
        return getattr(thing, attribute)

    return read


def _learning(world: World, thing: AdObject) -> str:
    return "PHASE_LEARNING" if world.in_learning(thing) else "PHASE_LEARNED"


def _video(world: World, thing: AdObject) -> Any:
    return thing.extra.get("video_id", f"v10044g50000{thing.id}")


COMMON: Fields = {
    "advertiser_id": lambda w, o: o.account,
    "operation_status": lambda w, o: o.status,
    "secondary_status": secondary_status,
    "create_time": lambda w, o: utc(o.created),
    "modify_time": lambda w, o: utc(o.updated),
}
CAMPAIGN_NAMES: Fields = {
    "campaign_id": _above("campaign", "id"),
    "campaign_name": _above("campaign", "name"),
    "objective_type": lambda w, o: campaign_of(w, o).extra.get("objective_type", OBJECTIVE),
    "campaign_automation_type": lambda w, o: "UPGRADED_SMART_PLUS" if o.family == SMART_PLUS else "MANUAL",
}
BUDGETS: Fields = {
    "budget": lambda w, o: (o.daily_budget or o.lifetime_budget or 0) / 1e6,
    "budget_mode": lambda w, o: budget_mode(o),
    "budget_optimize_on": lambda w, o: True if is_pooled(campaign_of(w, o)) else None,
}
BIDS: Fields = {
    "bid_type": kept("bid_type", "BID_TYPE_NO_BID"),
    "bid_price": kept("bid_price", 0.0),
    "conversion_bid_price": kept("conversion_bid_price", 0.0),
    "deep_bid_type": kept("deep_bid_type"),
    "roas_bid": kept("roas_bid", 0.0),
}
GROUP_SETTINGS: Fields = {
    "billing_event": kept("billing_event", "OCPM"),
    "optimization_goal": kept("optimization_goal", "CONVERT"),
    "optimization_event": kept("optimization_event", "SHOPPING"),
    "pacing": kept("pacing", "PACING_MODE_SMOOTH"),
    "promotion_type": kept("promotion_type", "WEBSITE"),
    "placement_type": kept("placement_type", "PLACEMENT_TYPE_NORMAL"),
    "placements": kept("placements", ["PLACEMENT_TIKTOK"]),
    "pixel_id": kept("pixel_id"),
    "schedule_type": kept("schedule_type", "SCHEDULE_FROM_NOW"),
    "schedule_start_time": lambda w, o: o.extra.get("schedule_start_time", utc(o.created)),
    "schedule_end_time": kept("schedule_end_time"),
    "dayparting": kept("dayparting", "1" * 336),
    "gender": kept("gender", "GENDER_UNLIMITED"),
    "age_groups": kept("age_groups"),
    "languages": kept("languages", []),
    "location_ids": kept("location_ids", ["6252001"]),
    "audience_ids": kept("audience_ids", []),
    "excluded_audience_ids": kept("excluded_audience_ids", []),
    "interest_category_ids": kept("interest_category_ids", []),
    "operating_systems": kept("operating_systems", []),
    "comment_disabled": kept("comment_disabled", False),
    "share_disabled": kept("share_disabled", False),
}
AD_GROUP_NAMES: Fields = {"adgroup_id": _above("ad_set", "id"), "adgroup_name": _above("ad_set", "name")}
CREATIVE: Fields = {
    "ad_format": kept("ad_format", "SINGLE_VIDEO"),
    "ad_text": lambda w, o: o.extra.get("ad_text", f"{o.name}: made to last."),
    "ad_texts": kept("ad_texts"),
    "call_to_action": kept("call_to_action", "SHOP_NOW"),
    "landing_page_url": _landing_page,
    "identity_type": kept("identity_type", "CUSTOMIZED_USER"),
    "identity_id": kept("identity_id"),
    "display_name": kept("display_name"),
    "video_id": _video,
    "image_ids": kept("image_ids", []),
    "tiktok_item_id": kept("tiktok_item_id"),
    "creative_type": kept("creative_type"),
}
FIELDS: dict[str, Fields] = {
    "campaign": COMMON
    | CAMPAIGN_NAMES
    | BUDGETS
    | {
        "campaign_type": kept("campaign_type", "REGULAR_CAMPAIGN"),
        "is_smart_performance_campaign": lambda w, o: False,
        "bid_type": kept("bid_type"),
        "deep_bid_type": kept("deep_bid_type"),
        "roas_bid": kept("roas_bid", 0.0),
        "special_industries": kept("special_industries", []),
        "po_number": kept("po_number"),
    },
    "ad_set": COMMON
    | CAMPAIGN_NAMES
    | AD_GROUP_NAMES
    | BUDGETS
    | BIDS
    | GROUP_SETTINGS
    | {"scheduled_budget": lambda w, o: (o.scheduled_budget or 0) / 1e6, "learning_phase": _learning},
    "ad": COMMON
    | CAMPAIGN_NAMES
    | AD_GROUP_NAMES
    | CREATIVE
    | {"ad_id": lambda w, o: o.id, "ad_name": lambda w, o: o.name},
}
SMART_PLUS_AD: Fields = (
    COMMON
    | CAMPAIGN_NAMES
    | AD_GROUP_NAMES
    | {
        "smart_plus_ad_id": lambda w, o: o.id,
        "ad_name": lambda w, o: o.name,
        "creative_list": lambda w, o: o.extra.get(
            "creative_list",
            [{"creative_info": {"ad_format": "SINGLE_VIDEO", "video_info": {"video_id": _video(w, o)}}}],
        ),
        "ad_text_list": lambda w, o: o.extra.get("ad_text_list", [{"ad_text": f"{o.name}: made to last."}]),
        "call_to_action_list": kept("call_to_action_list", [{"call_to_action": "SHOP_NOW"}]),
        "landing_page_url_list": lambda w, o: o.extra.get(
            "landing_page_url_list", [{"landing_page_url": _landing_page(w, o)}]
        ),
        "ad_configuration": kept("ad_configuration"),
    }
)
ID_FILTERS = {
    "campaign_ids": "campaign_id",
    "adgroup_ids": "adgroup_id",
    "ad_ids": "ad_id",
    "smart_plus_ad_ids": "smart_plus_ad_id",
}
EQUAL_FILTERS = ("objective_type", "secondary_status", "optimization_goal")
PART_FILTERS = ("campaign_name", "adgroup_name", "ad_name")
SINCE_FILTERS = {"creation_filter_start_time": "create_time", "modified_after": "modify_time"}
KNOWN_FILTERS = {
    *ID_FILTERS,
    *EQUAL_FILTERS,
    *PART_FILTERS,
    *SINCE_FILTERS,
    "creation_filter_end_time",
    "primary_status",
}


def fields_of(kind: str, family: str) -> Fields:
    return SMART_PLUS_AD if (kind, family) == ("ad", SMART_PLUS) else FIELDS[kind]


def told(world: World, thing: AdObject, name: str) -> Any:
    """One field, None when objects of this kind have no such field."""
    read = fields_of(thing.kind, thing.family).get(name)
    return read(world, thing) if read else None


def show(world: World, thing: AdObject, wanted: list[Any] | None = None) -> dict[str, Any]:
    """The object as TikTok writes it, all of it unless `wanted` names the fields."""
    fields = fields_of(thing.kind, thing.family)
    body = {name: fields[name](world, thing) for name in (fields if wanted is None else wanted)}
    return {name: value for name, value in body.items() if value is not None or name not in OPTIONAL}


def listing(world: World, account: Account, kind: str, family: str, params: Mapping[str, str]) -> dict[str, Any]:
    """One page of a tree endpoint. Raises TikTokError for unknown fields and filters."""
    wanted = listed(params, "fields")
    unknown = [name for name in wanted or [] if str(name) not in fields_of(kind, family)]
    if unknown:
        raise TikTokError(40002, f"fields: {unknown[0]} is not a field of this object.")
    things = _filtered(world, objects(world, account, kind, family), loads(params.get("filtering", "{}")))
    shown, info = page(things, params)
    return {"list": [show(world, thing, wanted) for thing in shown], "page_info": info}


def _filtered(world: World, things: list[AdObject], filtering: Any) -> list[AdObject]:
    if not isinstance(filtering, dict):
        raise TikTokError(40002, "filtering: Not a valid mapping type.")
    statuses = PRIMARY.get(str(filtering.get("primary_status", "STATUS_NOT_DELETE")))
    if statuses is None:
        raise TikTokError(40002, "filtering.primary_status: Not a valid choice.")
    for name, wanted in filtering.items():
        if name in ID_FILTERS and not (isinstance(wanted, list) and 1 <= len(wanted) <= 100):
            raise TikTokError(40002, f"filtering.{name}: between 1 and 100 ids.")
        if name not in KNOWN_FILTERS:
            raise TikTokError(40002, f"filtering.{name}: the sandbox does not filter by this.")
    things = [thing for thing in things if thing.status in statuses]
    for name, wanted in filtering.items():
        things = [thing for thing in things if _passes(world, thing, name, wanted)]
    return things


def _passes(world: World, thing: AdObject, name: str, wanted: Any) -> bool:
    if name in ID_FILTERS:
        return told(world, thing, ID_FILTERS[name]) in map(str, wanted)
    if name in SINCE_FILTERS:
        return bool(told(world, thing, SINCE_FILTERS[name]) >= str(wanted))
    if name == "creation_filter_end_time":
        return bool(told(world, thing, "create_time") <= str(wanted))
    if name in PART_FILTERS:
        return str(wanted).lower() in str(told(world, thing, name)).lower()
    return name == "primary_status" or told(world, thing, name) == wanted

"""GMV Max, the campaigns that sell from a TikTok Shop: their lists, their details, their own report.

The list tells names and statuses only; budget and target ROI are in `/campaign/gmv_max/info/`. A campaign is paused
through the ordinary `/campaign/status/update/`. Sources: the documents of `/gmv_max/campaign/get/`,
`/campaign/gmv_max/info/`, `/gmv_max/store/list/` and `/gmv_max/report/get/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.sandbox import reports, tiktok_shop_sellers
from connectors.sandbox.answers import loads
from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.reports import Row
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.tiktok_checks import ratio
from connectors.sandbox.tiktok_fields import COMMON, PRIMARY, told
from connectors.sandbox.tiktok_terms import GMV_MAX, TikTokError, found, listed, objects, page, span, text
from connectors.sandbox.world import World

LIST_AT_MOST = 100  # rows of a page of the list
TYPES = {"PRODUCT_GMV_MAX": "PRODUCT", "LIVE_GMV_MAX": "LIVE"}
LIST_STATUSES = ("STATUS_DELIVERY_OK", "STATUS_DISABLE", "STATUS_DELETE")  # the list knows no STATUS_ALL
LIST_FIELDS = (*COMMON, "campaign_id", "campaign_name", "objective_type")
REQUIRED = ("schedule_type", "store_authorized_bc_id")
ONLY = {"deep_bid_type": "VO_MIN_ROAS", "optimization_goal": "VALUE"}
KEPT = ("product_specific_type", "product_video_specific_type", "schedule_start_time", "schedule_end_time")
DIMENSIONS = {"stat_time_hour": 1, "stat_time_day": 30, "": 365}


def store_id(account: Account) -> str:
    """The one TikTok Shop whose sales an advertiser promotes: the merchant's main shop."""
    return tiktok_shop_sellers.store_id(account.tenant)


def business_center_id(account: Account) -> str:
    return str(7_100_000_000_000_000_000 + account.tenant)


def stores(world: World, account: Account, params: Mapping[str, str]) -> dict[str, Any]:
    business_center = business_center_id(account)
    owner = {
        "advertiser_id": account.id,
        "advertiser_name": account.name,
        "advertiser_status": "STATUS_ENABLE",
    }
    store = {
        "store_id": store_id(account),
        "store_code": f"SHOP{account.tenant + 1}",
        "store_name": world.shops[account.tenant].name,
        "store_authorized_bc_id": business_center,
        "store_authorized_bc_info": {"bc_id": business_center, "bc_name": world.shops[account.tenant].name},
        "is_gmv_max_available": True,
        "is_owner_bc": True,
        "exclusive_authorized_advertiser_info": owner,
    }
    return {"store_list": [store]}


def campaigns(world: World, account: Account, params: Mapping[str, str]) -> dict[str, Any]:
    """One page of GMV Max campaigns. `filtering.gmv_max_promotion_types` must be there."""
    filtering = loads(params.get("filtering", "{}"))
    if not isinstance(filtering, dict) or not isinstance(filtering.get("gmv_max_promotion_types"), list):
        raise TikTokError(40002, "filtering.gmv_max_promotion_types: Missing data for required field.")
    if filtering.get("primary_status", LIST_STATUSES[0]) not in LIST_STATUSES:
        raise TikTokError(40002, f"filtering.primary_status: one of {', '.join(LIST_STATUSES)}.")
    wanted = listed(params, "fields")
    unknown = [name for name in wanted or [] if name not in LIST_FIELDS]
    if unknown:
        raise TikTokError(40002, f"fields: {unknown[0]} is not a field of this object.")
    things = [thing for thing in objects(world, account, "campaign", GMV_MAX) if _passes(account, thing, filtering)]
    shown, info = page(things, params, LIST_AT_MOST)
    names = LIST_FIELDS if wanted is None else wanted
    return {"list": [{name: told(world, thing, name) for name in names} for thing in shown], "page_info": info}


def info(world: World, account: Account, params: Mapping[str, str]) -> dict[str, Any]:
    campaign = found(world, params.get("campaign_id"), "campaign", (GMV_MAX,))
    if campaign is None or campaign.account != account.id:
        raise TikTokError(40007, "campaign_id: the object does not exist.")
    return campaign_body(world, campaign)


def campaign_body(world: World, campaign: AdObject) -> dict[str, Any]:
    """All that TikTok tells about one campaign. `budget` is daily, in whole currency."""
    account = world.accounts[campaign.account]
    return {
        "advertiser_id": campaign.account,
        "campaign_id": campaign.id,
        "campaign_name": campaign.name,
        "operation_status": campaign.status,
        "store_id": store_id(account),
        "store_authorized_bc_id": business_center_id(account),
        "shopping_ads_type": _type(campaign),
        "product_specific_type": campaign.extra.get("product_specific_type", "ALL"),
        "optimization_goal": "VALUE",
        "roi_protection_enabled": True,
        "deep_bid_type": "VO_MIN_ROAS",
        "roas_bid": campaign.extra.get("roas_bid", 0.0),
        "budget": (campaign.daily_budget or 0) / 1e6,
        "auto_budget_enabled": False,
        "schedule_type": campaign.extra.get("schedule_type", "SCHEDULE_FROM_NOW"),
        "schedule_start_time": campaign.extra.get("schedule_start_time", told(world, campaign, "create_time")),
        "schedule_end_time": campaign.extra.get("schedule_end_time"),
        "placements": ["PLACEMENT_TIKTOK"],
        "location_ids": ["6252001"],
        "product_video_specific_type": campaign.extra.get("product_video_specific_type", "AUTO_SELECTION"),
        "affiliate_posts_enabled": True,
        "identity_list": [],
        "item_list": [],
    }


def draft_extra(account: Account, body: dict[str, Any]) -> dict[str, Any]:
    """What a campaign to be created keeps beside name and budget. Raises TikTokError."""
    for name in REQUIRED:
        text(body, name)
    if text(body, "store_id") != store_id(account):
        raise TikTokError(40002, "store_id: this TikTok Shop is not available to the advertiser.")
    if text(body, "shopping_ads_type") not in TYPES.values():
        raise TikTokError(40002, "shopping_ads_type: Not a valid choice.")
    for name, choice in ONLY.items():
        if text(body, name) != choice:
            raise TikTokError(40002, f"{name}: Not a valid choice.")
    roas_bid = ratio(body.get("roas_bid"), account.currency)
    if roas_bid is None:
        raise TikTokError(40002, "roas_bid: Not a valid value.")
    extra = {"roas_bid": roas_bid, "objective_type": "PRODUCT_SALES", "shopping_ads_type": body["shopping_ads_type"]}
    return extra | {name: text(body, name) for name in ("schedule_type", *KEPT) if body.get(name) is not None}


def report(world: World, account: Account, params: Mapping[str, str]) -> dict[str, Any]:
    """The GMV Max report by campaign and, if asked, by hour (one day) or day (30 days) of the advertiser's clock."""
    if listed(params, "store_ids") != [store_id(account)]:
        raise TikTokError(40002, "store_ids: exactly one available TikTok Shop.")
    time_name = _time_dimension(params)
    names = listed(params, "metrics")
    if not names or any(str(name) not in METRICS for name in names):
        raise TikTokError(40002, "metrics: Not a valid list of metrics.")
    days = span(params, DIMENSIONS[time_name])
    chosen = _reported(world, account, loads(params.get("filtering", "{}")))
    ad_sets = [child for thing in chosen for child in world.children[thing.id]]
    rows = reports.rows(
        world,
        account,
        ad_sets,
        days,
        level="campaign",
        by_day=bool(time_name),
        by_hour=time_name == "stat_time_hour",
    )
    shown, page_info = page(rows, params)
    listing = [{"dimensions": _dimensions(row, time_name), "metrics": _figures(account, row, names)} for row in shown]
    return {"list": listing, "page_info": page_info}


def _passes(account: Account, thing: AdObject, filtering: dict[str, Any]) -> bool:
    shops, identities = filtering.get("store_ids"), filtering.get("campaign_ids")
    statuses = PRIMARY.get(str(filtering.get("primary_status", "STATUS_NOT_DELETE")), ())
    is_of_type = _type(thing) in [TYPES.get(str(name)) for name in filtering["gmv_max_promotion_types"]]
    is_of_shop = not isinstance(shops, list) or store_id(account) in map(str, shops)
    is_named = not isinstance(identities, list) or thing.id in map(str, identities)
    is_called = str(filtering.get("campaign_name", "")).lower() in thing.name.lower()
    return thing.status in statuses and is_of_type and is_of_shop and is_named and is_called


def _type(campaign: AdObject) -> str:
    return str(campaign.extra.get("shopping_ads_type", "PRODUCT"))


def _time_dimension(params: Mapping[str, str]) -> str:
    asked = listed(params, "dimensions") or []
    rest = [name for name in asked if name != "campaign_id"]
    if "campaign_id" not in asked or len(rest) > 1 or any(str(name) not in DIMENSIONS for name in rest):
        raise TikTokError(40002, "dimensions: campaign_id and at most one time dimension.")
    return str(rest[0]) if rest else ""


def _reported(world: World, account: Account, filtering: Any) -> list[AdObject]:
    """The campaigns to sum; deleted ones only when the filter asks for them."""
    if not isinstance(filtering, dict):
        raise TikTokError(40002, "filtering: Not a valid mapping type.")
    names = filtering.get("campaign_statuses", ["STATUS_NOT_DELETE"])
    statuses = {status for name in (names if isinstance(names, list) else []) for status in PRIMARY.get(str(name), ())}
    identities = filtering.get("campaign_ids")
    return [
        thing
        for thing in objects(world, account, "campaign", GMV_MAX)
        if thing.status in statuses and (not isinstance(identities, list) or thing.id in map(str, identities))
    ]


def _dimensions(row: Row, time_name: str) -> dict[str, str]:
    told_as = {"campaign_id": row.target.id if row.target else ""}
    if time_name and row.day is not None:
        told_as[time_name] = f"{row.day.isoformat()} {row.hour or 0:02d}:00:00"
    return told_as


def _figures(account: Account, row: Row, names: list[Any]) -> dict[str, str]:
    return {name: METRICS[name](account, row) for name in names}


def _quotient(top: int, bottom: int) -> str:
    return f"{top / bottom:.2f}" if bottom else "-"


METRICS: dict[str, Callable[[Account, Row], str]] = {
    "campaign_id": lambda a, r: r.target.id if r.target else "-",
    "campaign_name": lambda a, r: r.target.name if r.target else "-",
    "operation_status": lambda a, r: r.target.status if r.target else "-",
    "roas_bid": lambda a, r: f"{r.target.extra.get('roas_bid', 0.0):.2f}" if r.target else "-",
    "target_roi_budget": lambda a, r: decimal_text((r.target and r.target.daily_budget) or 0, a.currency),
    "cost": lambda a, r: decimal_text(r.figures.spend, a.currency),
    "net_cost": lambda a, r: decimal_text(r.figures.spend, a.currency),
    "orders": lambda a, r: str(r.figures.purchases),
    "cost_per_order": lambda a, r: _quotient(r.figures.spend, r.figures.purchases * 1_000_000),
    "gross_revenue": lambda a, r: decimal_text(r.figures.value, a.currency),
    "roi": lambda a, r: _quotient(r.figures.value, r.figures.spend),
}

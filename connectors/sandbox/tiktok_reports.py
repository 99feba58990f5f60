"""TikTok's synchronous report and its page numbers. All metrics are strings; "-" where there is no figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from connectors.sandbox import reports
from connectors.sandbox.answers import loads
from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.reports import Row
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.tiktok_writes import TikTokError
from connectors.sandbox.world import World

T = TypeVar("T")

LEVELS = {
    "AUCTION_ADVERTISER": ("account", "advertiser_id"),
    "AUCTION_CAMPAIGN": ("campaign", "campaign_id"),
    "AUCTION_ADGROUP": ("ad_set", "adgroup_id"),
    "AUCTION_AD": ("ad", "ad_id"),
}
DAYS_AT_MOST = {"stat_time_hour": 1, "stat_time_day": 30, "": 365}
STATUS_FILTERS = ("ad_status", "adgroup_status", "campaign_status")


def page(things: list[T], params: dict[str, str]) -> tuple[list[T], dict[str, int]]:
    """The page asked for and its `page_info`. Raises TikTokError for a page that cannot be."""
    number, size = params.get("page", "1"), params.get("page_size", "10")
    if not re.fullmatch("[0-9]{1,9}", number) or int(number) < 1:
        raise TikTokError(40002, "page: Must be greater than or equal to 1.")
    if not re.fullmatch("[0-9]{1,4}", size) or not 1 <= int(size) <= 1000:
        raise TikTokError(40002, "page_size: Must be between 1 and 1000.")
    first = (int(number) - 1) * int(size)
    info = {
        "page": int(number),
        "page_size": int(size),
        "total_number": len(things),
        "total_page": -(-len(things) // int(size)),
    }
    return things[first : first + int(size)], info


def report(world: World, account: Account, params: dict[str, str]) -> dict[str, Any]:
    if params.get("report_type") != "BASIC":
        raise TikTokError(40002, "report_type: the sandbox serves BASIC.")
    if params.get("service_type", "AUCTION") != "AUCTION":
        raise TikTokError(40002, "service_type: the sandbox serves AUCTION.")
    if params.get("data_level") not in LEVELS:
        raise TikTokError(40002, "data_level: Not a valid choice.")
    level, id_name = LEVELS[params["data_level"]]
    time_name = _time_dimension(params, id_name)
    days = _days(params, DAYS_AT_MOST[time_name])
    names = _metrics(params)
    ad_sets = _ad_sets(world, account, level, loads(params.get("filtering", "[]")))
    found = reports.rows(
        world,
        account,
        ad_sets,
        days,
        level=level,
        by_day=bool(time_name),
        by_hour=time_name == "stat_time_hour",
    )
    shown, info = page(found, params)
    listed = [
        {
            "dimensions": _dimensions(account, row, id_name, time_name),
            "metrics": {name: METRICS[name](world, account, row) for name in names},
        }
        for row in shown
    ]
    return {"list": listed, "page_info": info}


def _time_dimension(params: dict[str, str], id_name: str) -> str:
    asked = loads(params.get("dimensions", ""))
    if not isinstance(asked, list) or id_name not in asked:
        raise TikTokError(40002, f"dimensions: must hold {id_name} at this data level.")
    rest = [name for name in asked if name != id_name]
    if len(rest) > 1 or any(str(name) not in DAYS_AT_MOST for name in rest):
        raise TikTokError(40002, "dimensions: one id and one time dimension are allowed.")
    return str(rest[0]) if rest else ""


def _days(params: dict[str, str], at_most: int) -> tuple[date, date]:
    try:
        first = date.fromisoformat(params.get("start_date", ""))
        last = date.fromisoformat(params.get("end_date", ""))
    except ValueError as error:
        raise TikTokError(40002, "start_date, end_date: Not a valid date.") from error
    if first > last:
        raise TikTokError(40002, "start_date is after end_date.")
    if (last - first).days + 1 > at_most:
        raise TikTokError(40002, f"The time span must be at most {at_most} day(s) with these dimensions.")
    return first, last


def _metrics(params: dict[str, str]) -> list[str]:
    asked = loads(params.get("metrics", '["spend","impressions"]'))
    if not isinstance(asked, list):
        raise TikTokError(40002, "metrics: Not a valid list.")
    unknown = [name for name in asked if str(name) not in METRICS]
    if unknown:
        raise TikTokError(40002, f"metrics: {unknown[0]} is not a valid metric.")
    return asked


def _ad_sets(world: World, account: Account, level: str, filtering: Any) -> list[AdObject]:
    """Ad sets to sum: without those of deleted objects unless the filter asks for all; by id if asked."""
    if not isinstance(filtering, list):
        raise TikTokError(40002, "filtering: Not a valid list.")
    found, show_deleted = world.account_objects(account.id, "ad_set"), False
    for condition in filtering:
        name = condition.get("field_name") if isinstance(condition, dict) else None
        values = loads(str(condition.get("filter_value", ""))) if name else None
        if not isinstance(values, list):
            raise TikTokError(40002, "filtering: filter_value must be JSON text of a list.")
        if name in STATUS_FILTERS:
            show_deleted = show_deleted or "STATUS_ALL" in values
        elif name == "adgroup_ids":
            found = [o for o in found if o.id in map(str, values)]
        elif name == "campaign_ids":
            found = [o for o in found if o.parent in map(str, values)]
        else:
            raise TikTokError(40002, f"filtering: {name} is not served by the sandbox.")
    if show_deleted or level == "account":
        return found
    return [o for o in found if "DELETE" not in (o.status, world.objects[o.parent].status)]


def _dimensions(account: Account, row: Row, id_name: str, time_name: str) -> dict[str, str]:
    told = {id_name: row.target.id if row.target else account.id}
    if time_name and row.day is not None:
        told[time_name] = f"{row.day.isoformat()} {row.hour or 0:02d}:00:00"
    return told


def _ratio(top: int, bottom: int) -> str:
    return f"{top / bottom:.2f}" if bottom else "-"


def _named(kind: str, attribute: str) -> Callable[[World, Account, Row], str]:
    def name(world: World, account: Account, row: Row) -> str:
        thing = row.target
        while thing is not None and thing.kind != kind:
            thing = world.objects.get(thing.parent)
        return str(getattr(thing, attribute)) if thing else "-"

    return name


METRICS: dict[str, Callable[[World, Account, Row], str]] = {
    "spend": lambda w, a, r: decimal_text(r.figures.spend, a.currency),
    "billed_cost": lambda w, a, r: "-",
    "reach": lambda w, a, r: "-",
    "impressions": lambda w, a, r: str(r.figures.impressions),
    "clicks": lambda w, a, r: str(r.figures.clicks),
    "ctr": lambda w, a, r: _ratio(r.figures.clicks * 100, r.figures.impressions),
    "cpc": lambda w, a, r: _ratio(r.figures.spend, r.figures.clicks * 1_000_000),
    "cpm": lambda w, a, r: _ratio(r.figures.spend, r.figures.impressions * 1000),
    "conversion": lambda w, a, r: str(r.figures.purchases),
    "real_time_conversion": lambda w, a, r: str(r.figures.purchases_by_own_time),
    "cost_per_conversion": lambda w, a, r: _ratio(r.figures.spend, r.figures.purchases * 1_000_000),
    "complete_payment": lambda w, a, r: str(r.figures.purchases),
    "total_complete_payment_rate": lambda w, a, r: decimal_text(r.figures.value, a.currency),
    "complete_payment_roas": lambda w, a, r: _ratio(r.figures.value, r.figures.spend),
    "value_per_complete_payment": lambda w, a, r: _ratio(r.figures.value, r.figures.purchases * 1_000_000),
    "campaign_id": _named("campaign", "id"),
    "campaign_name": _named("campaign", "name"),
    "adgroup_id": _named("ad_set", "id"),
    "adgroup_name": _named("ad_set", "name"),
    "ad_name": _named("ad", "name"),
}

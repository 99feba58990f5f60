"""TikTok's report on auction ads. All metrics are strings; "-" where there is no figure.

`rows` gives what a query asks for, `report` one page of it. Smart+ ad groups are in it, GMV Max campaigns are not: they
have a report of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from connectors.sandbox import reports
from connectors.sandbox.answers import loads
from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.reports import Row
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.tiktok_fields import OBJECTIVE
from connectors.sandbox.tiktok_terms import SMART_PLUS, STANDARD, TikTokError, found, listed, objects, page, span
from connectors.sandbox.world import World

LEVELS = {
    "AUCTION_ADVERTISER": ("account", "advertiser_id"),
    "AUCTION_CAMPAIGN": ("campaign", "campaign_id"),
    "AUCTION_ADGROUP": ("ad_set", "adgroup_id"),
    "AUCTION_AD": ("ad", "ad_id"),
}
DAYS_AT_MOST = {"stat_time_hour": 1, "stat_time_day": 30, "": 365}
STATUS_FILTERS = ("ad_status", "adgroup_status", "campaign_status")
ID_FILTERS = {"campaign_ids": "campaign", "adgroup_ids": "ad_set", "ad_ids": "ad"}
BILLED_AFTER = timedelta(hours=11)


@dataclass(frozen=True)
class Query:
    """A report as asked for; `days` are account-local and inclusive."""

    level: str
    id_name: str
    time_name: str
    days: tuple[date, date]
    metrics: tuple[str, ...]
    ids: dict[str, frozenset[str]]  # by kind of object
    with_deleted: bool


def read(params: Mapping[str, Any], *, is_limited: bool = True) -> Query:
    """The query of a request whose lists are lists already. Raises TikTokError."""
    if params.get("report_type") != "BASIC":
        raise TikTokError(40002, "report_type: the sandbox serves BASIC.")
    if params.get("service_type", "AUCTION") != "AUCTION":
        raise TikTokError(40002, "service_type: the sandbox serves AUCTION.")
    if str(params.get("data_level")) not in LEVELS:
        raise TikTokError(40002, "data_level: Not a valid choice.")
    level, id_name = LEVELS[str(params["data_level"])]
    time_name = _time_dimension(params.get("dimensions"), id_name)
    days = span(params, DAYS_AT_MOST[time_name] if is_limited else None)
    ids, with_deleted = _filters(params.get("filtering"))
    return Query(level, id_name, time_name, days, _metrics(params.get("metrics")), ids, with_deleted)


def report(world: World, account: Account, params: Mapping[str, str]) -> dict[str, Any]:
    """One page of the synchronous report."""
    lists = {name: listed(params, name) for name in ("dimensions", "metrics")}
    query = read({**params, **lists, "filtering": loads(params.get("filtering", "[]"))})
    shown, info = page(rows(world, account, query), params)
    return {"list": [told(world, account, query, row) for row in shown], "page_info": info}


def rows(world: World, account: Account, query: Query) -> list[Row]:
    gathered = reports.rows(
        world,
        account,
        _ad_sets(world, account, query),
        query.days,
        level=query.level,
        by_day=bool(query.time_name),
        by_hour=query.time_name == "stat_time_hour",
    )
    return [row for row in gathered if _is_wanted(query, row)]


def told(world: World, account: Account, query: Query, row: Row) -> dict[str, dict[str, str]]:
    """A row as TikTok writes it."""
    dimensions = {query.id_name: row.target.id if row.target else account.id}
    if query.time_name and row.day is not None:
        dimensions[query.time_name] = f"{row.day.isoformat()} {row.hour or 0:02d}:00:00"
    figures = {name: METRICS[name](world, account, row) for name in query.metrics}
    if "billed_cost" in figures and not _is_billed(world, account, query, row):
        figures["billed_cost"] = "-"
    return {"dimensions": dimensions, "metrics": figures}


def _time_dimension(asked: Any, id_name: str) -> str:
    if not isinstance(asked, list) or id_name not in asked:
        raise TikTokError(40002, f"dimensions: must hold {id_name} at this data level.")
    rest = [name for name in asked if name != id_name]
    if len(rest) > 1 or any(str(name) not in DAYS_AT_MOST for name in rest):
        raise TikTokError(40002, "dimensions: one id and one time dimension are allowed.")
    return str(rest[0]) if rest else ""


def _metrics(asked: Any) -> tuple[str, ...]:
    if asked is None:
        return ("spend", "impressions")
    if not isinstance(asked, list):
        raise TikTokError(40002, "metrics: Not a valid list.")
    unknown = [name for name in asked if str(name) not in METRICS]
    if unknown:
        raise TikTokError(40002, f"metrics: {unknown[0]} is not a valid metric.")
    return tuple(map(str, asked))


def _filters(conditions: Any) -> tuple[dict[str, frozenset[str]], bool]:
    """Ids by kind of object, and whether deleted objects are wanted too."""
    ids: dict[str, frozenset[str]] = {}
    with_deleted = False
    if not isinstance(conditions, list | None):
        raise TikTokError(40002, "filtering: Not a valid list.")
    for condition in conditions or []:
        name = condition.get("field_name") if isinstance(condition, dict) else None
        values = loads(str(condition.get("filter_value", ""))) if name else None
        if not isinstance(values, list):
            raise TikTokError(40002, "filtering: filter_value must be JSON text of a list.")
        if name in STATUS_FILTERS:
            with_deleted = with_deleted or "STATUS_ALL" in values
        elif name in ID_FILTERS:
            ids[ID_FILTERS[name]] = frozenset(map(str, values))
        else:
            raise TikTokError(40002, f"filtering: {name} is not served by the sandbox.")
    return ids, with_deleted


def _ad_sets(world: World, account: Account, query: Query) -> list[AdObject]:
    """Ad groups to sum: those asked for, without those of deleted objects unless the query wants them."""
    chosen = objects(world, account, "ad_set", STANDARD, SMART_PLUS)
    if "ad_set" in query.ids:
        chosen = [thing for thing in chosen if thing.id in query.ids["ad_set"]]
    if "campaign" in query.ids:
        chosen = [thing for thing in chosen if thing.parent in query.ids["campaign"]]
    if "ad" in query.ids:
        ads = [found(world, identity, "ad", (STANDARD, SMART_PLUS)) for identity in query.ids["ad"]]
        groups = {ad.parent for ad in ads if ad}
        chosen = [thing for thing in chosen if thing.id in groups]
    if query.with_deleted or query.level == "account":
        return chosen
    return [thing for thing in chosen if "DELETE" not in (thing.status, world.objects[thing.parent].status)]


def _is_wanted(query: Query, row: Row) -> bool:
    if query.level != "ad" or row.target is None:
        return True
    is_named = "ad" not in query.ids or row.target.id in query.ids["ad"]
    return is_named and (query.with_deleted or row.target.status != "DELETE")


def _is_billed(world: World, account: Account, query: Query, row: Row) -> bool:
    """Billing is about eleven hours late."""
    last = row.day or query.days[1]
    end = datetime.combine(last, time(row.hour or 0), world.zone(account))
    end += timedelta(hours=1) if query.time_name == "stat_time_hour" else timedelta(days=1)
    return world.now >= end + BILLED_AFTER


def _ratio(top: int, bottom: int) -> str:
    return f"{top / bottom:.2f}" if bottom else "-"


def _above(world: World, row: Row, kind: str) -> AdObject | None:
    thing = row.target
    while thing is not None and thing.kind != kind:
        thing = world.objects.get(thing.parent)
    return thing


def _named(kind: str, attribute: str) -> Callable[[World, Account, Row], str]:
    def name(world: World, account: Account, row: Row) -> str:
        thing = _above(world, row, kind)
        return str(getattr(thing, attribute)) if thing else "-"

    return name


def _objective(world: World, account: Account, row: Row) -> str:
    campaign = _above(world, row, "campaign")
    return str(campaign.extra.get("objective_type", OBJECTIVE)) if campaign else "-"


METRICS: dict[str, Callable[[World, Account, Row], str]] = {
    "spend": lambda w, a, r: decimal_text(r.figures.spend, a.currency),
    "billed_cost": lambda w, a, r: decimal_text(r.figures.spend, a.currency),
    "reach": lambda w, a, r: "-",
    "frequency": lambda w, a, r: "-",
    "impressions": lambda w, a, r: str(r.figures.impressions),
    "clicks": lambda w, a, r: str(r.figures.clicks),
    "ctr": lambda w, a, r: _ratio(r.figures.clicks * 100, r.figures.impressions),
    "cpc": lambda w, a, r: _ratio(r.figures.spend, r.figures.clicks * 1_000_000),
    "cpm": lambda w, a, r: _ratio(r.figures.spend, r.figures.impressions * 1000),
    "conversion": lambda w, a, r: str(r.figures.purchases),
    "real_time_conversion": lambda w, a, r: str(r.figures.purchases_by_own_time),
    "cost_per_conversion": lambda w, a, r: _ratio(r.figures.spend, r.figures.purchases * 1_000_000),
    "conversion_rate": lambda w, a, r: _ratio(r.figures.purchases * 100, r.figures.clicks),
    "complete_payment": lambda w, a, r: str(r.figures.purchases),
    "total_complete_payment_rate": lambda w, a, r: decimal_text(r.figures.value, a.currency),
    "complete_payment_roas": lambda w, a, r: _ratio(r.figures.value, r.figures.spend),
    "value_per_complete_payment": lambda w, a, r: _ratio(r.figures.value, r.figures.purchases * 1_000_000),
    "onsite_shopping": lambda w, a, r: "0",
    "total_onsite_shopping_value": lambda w, a, r: decimal_text(0, a.currency),
    "currency": lambda w, a, r: a.currency,
    "objective_type": _objective,
    "campaign_id": _named("campaign", "id"),
    "campaign_name": _named("campaign", "name"),
    "adgroup_id": _named("ad_set", "id"),
    "adgroup_name": _named("ad_set", "name"),
    "ad_name": _named("ad", "name"),
}

"""Meta's insights: figures per object and day, or per hour of the account's wall clock.

An hourly breakdown drops what pixels report (purchases and their values); hours without delivery are absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from connectors.sandbox import reports
from connectors.sandbox.answers import loads
from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.meta_fields import MetaError, field_names, kind_of, passes
from connectors.sandbox.reports import Row
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import World

HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"
LEVELS = {"account": "account", "campaign": "campaign", "adset": "ad_set", "ad": "ad"}
PURCHASE_ALIASES = ("omni_purchase", "purchase", "offsite_conversion.fb_pixel_purchase", "onsite_web_purchase")
PRESETS = {
    "today": (0, 0),
    "yesterday": (1, 1),
    "last_3d": (3, 1),
    "last_7d": (7, 1),
    "last_14d": (14, 1),
    "last_28d": (28, 1),
    "last_30d": (30, 1),
    "last_90d": (90, 1),
    "maximum": (1125, 0),
}
FIELDS = frozenset(
    [
        "account_id",
        "account_name",
        "account_currency",
        "campaign_id",
        "campaign_name",
        "adset_id",
        "adset_name",
        "ad_id",
        "ad_name",
        "date_start",
        "date_stop",
        "spend",
        "impressions",
        "clicks",
        "inline_link_clicks",
        "cpc",
        "cpm",
        "ctr",
        "objective",
        "actions",
        "action_values",
        "purchase_roas",
    ]
)


def rows(world: World, account: Account, target: Account | AdObject, params: Mapping[str, str]) -> list[dict[str, Any]]:
    names = field_names(params) or ["impressions", "spend"]
    for name in names:
        if name not in FIELDS:
            raise MetaError(100, f"(#100) {name} is not valid for fields param.")
    days = _days(world, account, params)
    hourly = _hourly(params)
    level = LEVELS.get(params.get("level", ""), kind_of(target))
    if params.get("level", "account") not in LEVELS:
        raise MetaError(100, "(#100) level must be one of account, campaign, adset, ad")
    by_day = params.get("time_increment", "all_days") != "all_days"
    if params.get("time_increment", "1") not in ("1", "all_days"):
        raise MetaError(100, "(#100) the sandbox knows time_increment 1 and all_days")
    ad_sets = _ad_sets(world, account, target, params)
    found = reports.rows(world, account, ad_sets, days, level=level, by_day=by_day, by_hour=hourly)
    return [_body(world, account, row, names, days) for row in found]


def _ad_sets(world: World, account: Account, target: Account | AdObject, params: Mapping[str, str]) -> list[AdObject]:
    conditions = loads(params.get("filtering", "[]"), None)
    if not isinstance(conditions, list):
        raise MetaError(100, "(#100) filtering must be a JSON array")
    found = world.account_objects(account.id, "ad_set")
    if isinstance(target, AdObject):
        found = [o for o in found if target.id in (o.id, o.parent)]
    return [o for o in found if all(_meets(world, o, condition) for condition in conditions)]


def _meets(world: World, ad_set: AdObject, condition: Any) -> bool:
    field = str(condition.get("field", "")) if isinstance(condition, dict) else ""
    subject = world.objects[ad_set.parent] if field.startswith("campaign.") else ad_set
    return passes(world, subject, condition)


def _hourly(params: Mapping[str, str]) -> bool:
    text = params.get("breakdowns", "[]")
    asked = loads(text, [text])
    asked = asked if isinstance(asked, list) else [asked]
    for name in asked:
        if name != HOURLY:
            raise MetaError(100, f"(#100) breakdowns: {name} is not served by the sandbox")
    return bool(asked)


def _days(world: World, account: Account, params: Mapping[str, str]) -> tuple[date, date]:
    today = world.now.astimezone(world.zone(account)).date()
    if "time_range" not in params:
        preset = params.get("date_preset", "last_30d")
        if preset not in PRESETS:
            raise MetaError(100, f"(#100) date_preset {preset} is invalid")
        since, until = PRESETS[preset]
        return today - timedelta(days=since), today - timedelta(days=until)
    span = loads(params["time_range"], {})
    try:
        first, last = date.fromisoformat(span["since"]), date.fromisoformat(span["until"])
    except (KeyError, TypeError, ValueError) as error:
        raise MetaError(100, "(#100) time_range must be {'since':'YYYY-MM-DD','until':'YYYY-MM-DD'}") from error
    if first > last:
        raise MetaError(100, "(#100) time_range: since is after until", 1487756)
    if first < today - timedelta(days=1125):
        raise MetaError(3018, "The start date of the time range cannot be beyond 37 months")
    return first, last


def _body(world: World, account: Account, row: Row, names: list[str], days: tuple[date, date]) -> dict[str, Any]:
    figures = row.figures
    spend = decimal_text(figures.spend, account.currency)
    every: dict[str, Any] = {
        "account_id": account.id.removeprefix("act_"),
        "account_name": account.name,
        "account_currency": account.currency,
        "objective": "OUTCOME_SALES",
        **_names(world, row.target),
        "spend": spend,
        "impressions": str(figures.impressions),
        "clicks": str(figures.clicks),
        "inline_link_clicks": str(figures.clicks),
        "cpc": _ratio(figures.spend, figures.clicks * 1_000_000),
        "cpm": _ratio(figures.spend, figures.impressions * 1000),
        "ctr": _ratio(figures.clicks * 100, figures.impressions),
    }
    if row.hour is None:
        every |= _purchases(account, row)
    else:
        every["actions"] = [{"action_type": "link_click", "value": str(figures.clicks)}]
    body = {name: every[name] for name in names if every.get(name) is not None}
    body["date_start"] = (row.day or days[0]).isoformat()
    body["date_stop"] = (row.day or days[1]).isoformat()
    if row.hour is not None:
        body[HOURLY] = f"{row.hour:02d}:00:00 - {row.hour:02d}:59:59"
    return body


def _names(world: World, target: AdObject | None) -> dict[str, str]:
    named: dict[str, str] = {}
    levels = {"campaign": "campaign", "ad_set": "adset", "ad": "ad"}
    while target is not None:
        named[f"{levels[target.kind]}_id"] = target.id
        named[f"{levels[target.kind]}_name"] = target.name
        target = world.objects.get(target.parent)
    return named


def _purchases(account: Account, row: Row) -> dict[str, Any]:
    """One sale shows under several names; whoever adds them up counts it more than once."""
    figures = row.figures
    clicks = [{"action_type": "link_click", "value": str(figures.clicks)}]
    if not figures.purchases:
        return {"actions": clicks}
    count, value = str(figures.purchases), decimal_text(figures.value, account.currency)
    return {
        "actions": clicks + [{"action_type": name, "value": count} for name in PURCHASE_ALIASES],
        "action_values": [{"action_type": name, "value": value} for name in PURCHASE_ALIASES],
        "purchase_roas": [
            {"action_type": "omni_purchase", "value": _ratio(figures.value, figures.spend)},
        ],
    }


def _ratio(top: int, bottom: int) -> str | None:
    return f"{top / bottom:.6f}" if bottom else None

"""Meta's rows as records: budgets in Meta's own sub-units, spend as decimal text in whole units."""

from __future__ import annotations

import re
from datetime import date
from zoneinfo import ZoneInfo

from connectors.contracts import (
    AccountRecord,
    AdRecord,
    AdSetRecord,
    CampaignRecord,
    DeliveryStatus,
    HourRecord,
)
from connectors.fields import Row, count, identifier, known, malformed, micros, part, text
from connectors.hours import start_of_local_hour
from connectors.money import meta_to_micros

HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"

STATUSES = {
    "ACTIVE": DeliveryStatus.ACTIVE,
    "PAUSED": DeliveryStatus.PAUSED,
    "ARCHIVED": DeliveryStatus.REMOVED,
    "DELETED": DeliveryStatus.REMOVED,
}
STATUS_WORDS = {DeliveryStatus.ACTIVE: "ACTIVE", DeliveryStatus.PAUSED: "PAUSED"}
LEARNING = {"LEARNING": True, "SUCCESS": False, "FAIL": False}


def account(source: Row) -> AccountRecord:
    currency = text(source, "currency")
    return AccountRecord(
        external_id=identifier(source, "id"),
        name=text(source, "name"),
        currency=currency,
        timezone=text(source, "timezone_name"),
        status=str(known(count(source, "account_status"), "account_status")),
        minimum_daily_budget_micros=_budget(source, "min_daily_budget", currency),
    )


def campaign(source: Row, currency: str) -> CampaignRecord:
    return CampaignRecord(
        external_id=identifier(source, "id"),
        name=text(source, "name"),
        status=_status(source),
        effective_status=text(source, "effective_status"),
        objective=text(source, "objective"),
        daily_budget_micros=_budget(source, "daily_budget", currency),
        lifetime_budget_micros=_budget(source, "lifetime_budget", currency),
    )


def ad_set(source: Row, currency: str) -> AdSetRecord:
    return AdSetRecord(
        external_id=identifier(source, "id"),
        campaign_external_id=identifier(source, "campaign_id"),
        name=text(source, "name"),
        status=_status(source),
        effective_status=text(source, "effective_status"),
        daily_budget_micros=_budget(source, "daily_budget", currency),
        lifetime_budget_micros=_budget(source, "lifetime_budget", currency),
        in_learning=LEARNING.get(text(part(source, "learning_stage_info"), "status")),
    )


def ad(source: Row) -> AdRecord:
    return AdRecord(
        external_id=identifier(source, "id"),
        ad_set_external_id=identifier(source, "adset_id"),
        name=text(source, "name"),
        status=_status(source),
        effective_status=text(source, "effective_status"),
    )


def hour(source: Row, zone: ZoneInfo) -> HourRecord | None:
    """One insights row, `None` when a figure is missing. Hourly purchases do not exist here (NOTES.md)."""
    spend, impressions, clicks = (
        micros(source, "spend"),
        count(source, "impressions"),
        count(source, "clicks"),
    )
    if spend is None or impressions is None or clicks is None:
        return None
    if not (spend or impressions or clicks) and HOURLY not in source:
        return None
    label = re.fullmatch(r"([01][0-9]|2[0-3]):00:00 - \1:59:59", text(source, HOURLY))
    if label is None:
        raise malformed(HOURLY, source.get(HOURLY))
    return HourRecord(
        ad_set_external_id=identifier(source, "adset_id"),
        hour=start_of_local_hour(_day(source), int(label[1]), zone),
        spend_micros=spend,
        impressions=impressions,
        clicks=clicks,
        conversions=None,
        conversion_value_micros=None,
    )


def _day(source: Row) -> date:
    try:
        return date.fromisoformat(text(source, "date_start"))
    except ValueError as error:
        raise malformed("date_start", source.get("date_start")) from error


def _status(source: Row) -> DeliveryStatus:
    """A status that we do not know counts as paused: nothing acts on it, and its text is kept beside it."""
    word = text(source, "configured_status") or text(source, "status")
    return STATUSES.get(word, DeliveryStatus.PAUSED)


def _budget(source: Row, name: str, currency: str) -> int | None:
    """The unused one of daily and lifetime budget reads "0"."""
    value = source.get(name)
    if value is None:
        return None
    try:
        return meta_to_micros(value, currency) or None
    except ValueError as error:
        raise malformed(name, value) from error

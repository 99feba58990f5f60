"""TikTok's rows as records: budgets as numbers in whole units, report figures as text, "-" for unknown."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.contracts import (
    AccountRecord,
    AdRecord,
    AdSetRecord,
    CampaignRecord,
    DeliveryStatus,
    HourRecord,
)
from connectors.fields import Row, count, identifier, malformed, micros, row, text
from connectors.hours import start_of_local_hour
from connectors.money import tiktok_minimum_ad_group_daily

STATUSES = {
    "ENABLE": DeliveryStatus.ACTIVE,
    "DISABLE": DeliveryStatus.PAUSED,
    "FROZEN": DeliveryStatus.PAUSED,
    "DELETE": DeliveryStatus.REMOVED,
}
STATUS_WORDS = {DeliveryStatus.ACTIVE: "ENABLE", DeliveryStatus.PAUSED: "DISABLE"}
DAILY = frozenset({"BUDGET_MODE_DAY", "BUDGET_MODE_DYNAMIC_DAILY_BUDGET"})
LIFETIME = frozenset({"BUDGET_MODE_TOTAL"})

# The platform's names mislead: `total_complete_payment_rate` is the purchase value.
METRICS = ("spend", "impressions", "clicks", "complete_payment", "total_complete_payment_rate")


def account(source: Row) -> AccountRecord:
    currency = text(source, "currency")
    return AccountRecord(
        external_id=identifier(source, "advertiser_id"),
        name=text(source, "name"),
        currency=currency,
        timezone=text(source, "display_timezone") or text(source, "timezone"),
        status=text(source, "status"),
        minimum_daily_budget_micros=tiktok_minimum_ad_group_daily(currency),
    )


def campaign(source: Row) -> CampaignRecord:
    return CampaignRecord(
        external_id=identifier(source, "campaign_id"),
        name=text(source, "campaign_name"),
        status=_status(source),
        effective_status=text(source, "secondary_status"),
        objective=text(source, "objective_type"),
        daily_budget_micros=_budget(source, DAILY),
        lifetime_budget_micros=_budget(source, LIFETIME),
    )


def ad_set(source: Row) -> AdSetRecord:
    return AdSetRecord(
        external_id=identifier(source, "adgroup_id"),
        campaign_external_id=identifier(source, "campaign_id"),
        name=text(source, "adgroup_name"),
        status=_status(source),
        effective_status=text(source, "secondary_status"),
        daily_budget_micros=_budget(source, DAILY),
        lifetime_budget_micros=_budget(source, LIFETIME),
        in_learning=None,
    )


def ad(source: Row) -> AdRecord:
    return AdRecord(
        external_id=identifier(source, "ad_id"),
        ad_set_external_id=identifier(source, "adgroup_id"),
        name=text(source, "ad_name"),
        status=_status(source),
        effective_status=text(source, "secondary_status"),
    )


def hour(source: Row, zone: ZoneInfo) -> HourRecord | None:
    """One report row, `None` while spend, impressions or clicks are not available."""
    figures = row(source.get("metrics"), "metrics")
    spend, impressions, clicks = (
        micros(figures, "spend"),
        count(figures, "impressions"),
        count(figures, "clicks"),
    )
    if spend is None or impressions is None or clicks is None:
        return None
    ad_group, label = hour_key(source)
    start = _hour_label(label)
    return HourRecord(
        ad_set_external_id=ad_group,
        hour=start_of_local_hour(start.date(), start.hour, zone),
        spend_micros=spend,
        impressions=impressions,
        clicks=clicks,
        conversions=count(figures, "complete_payment"),
        conversion_value_micros=micros(figures, "total_complete_payment_rate"),
    )


def hour_key(source: Row) -> tuple[str, str]:
    """What tells one report row from another: the ad group and the label of its hour."""
    dimensions = row(source.get("dimensions"), "dimensions")
    return identifier(dimensions, "adgroup_id"), text(dimensions, "stat_time_hour")


def _hour_label(label: str) -> datetime:
    try:
        start = datetime.strptime(label, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 (the account's wall clock)
    except ValueError as error:
        raise malformed("stat_time_hour", label) from error
    if start.minute or start.second:
        raise malformed("stat_time_hour", label)
    return start


def _status(source: Row) -> DeliveryStatus:
    """A status that we do not know counts as paused: nothing acts on it, and its text is kept beside it."""
    if text(source, "secondary_status").endswith("_STATUS_DELETE"):
        return DeliveryStatus.REMOVED
    return STATUSES.get(text(source, "operation_status"), DeliveryStatus.PAUSED)


def _budget(source: Row, modes: frozenset[str]) -> int | None:
    """The budget when its mode is one of `modes`; 0 means that another level carries it."""
    return (micros(source, "budget") or None) if text(source, "budget_mode") in modes else None

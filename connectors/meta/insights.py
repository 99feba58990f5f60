"""Meta's insights: what is asked for, and its rows as records.

A sync of a large account reads 12,000 hourly rows a day, so `hours` goes over them once: each text is
validated when it is first met and looked up afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from connectors.contracts import AdDayRecord, HourRecord, PurchaseRecord
from connectors.fields import Once, Row, count, identifier, malformed, micros, rows, text, usual_count, usual_micros
from connectors.hours import in_order, start_of_local_hour

HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"
HOUR_LABEL = re.compile(r"([01][0-9]|2[0-3]):00:00 - \1:59:59")
DAY_LABEL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
PLAIN_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,20})?")

ATTRIBUTION_WINDOWS = ("default", "1d_click", "7d_click", "28d_click", "1d_view")
PURCHASES = (
    "omni_purchase",
    "purchase",
    "offsite_conversion.fb_pixel_purchase",
    "onsite_web_purchase",
    "onsite_web_app_purchase",
    "web_in_store_purchase",
    "web_app_in_store_purchase",
    "onsite_conversion.purchase",
)
LEADS = ("lead", "onsite_conversion.lead_grouped", "leadgen_grouped", "offsite_conversion.fb_pixel_lead")


class Query(NamedTuple):
    """What is asked for, whatever the days: rows are small for hours, and long where actions are told."""

    fields: tuple[str, ...]
    page_size: int
    params: Mapping[str, str]


HOURS = Query(
    ("adset_id", "spend", "impressions", "clicks"),
    page_size=2_000,
    params={"level": "adset", "time_increment": "1", "breakdowns": json.dumps([HOURLY])},
)
AD_DAYS = Query(
    ("ad_id", "adset_id", "spend", "impressions", "clicks", "actions", "action_values"),
    page_size=500,
    params={
        "level": "ad",
        "time_increment": "1",
        "action_attribution_windows": json.dumps(ATTRIBUTION_WINDOWS),
    },
)

Slot = tuple[datetime, dict[str, HourRecord]]


def hours(found: Iterable[Row], first_day: date, last_day: date, zone: ZoneInfo) -> list[HourRecord]:
    """The rows as records in ascending hours. Hourly purchases do not exist here (NOTES.md).

    A row that lacks a figure is a missing hour, and so is one of zeros without an hour.
    """

    def slot(labels: tuple[object, object]) -> Slot:
        day, label = labels
        return _hour(_day(day, first_day, last_day), label, zone), {}

    slots = Once(slot)
    amounts = Once(lambda value: usual_micros(value, "spend"))
    views = Once(lambda value: usual_count(value, "impressions"))
    clicked = Once(lambda value: usual_count(value, "clicks"))
    ids = Once(lambda value: identifier({"adset_id": value}, "adset_id"))
    for row in found:
        get = row.get
        try:
            spend, impressions, clicks = amounts[get("spend")], views[get("impressions")], clicked[get("clicks")]
            if spend is None or impressions is None or clicks is None:
                continue
            label = get(HOURLY)
            if label is None and not (spend or impressions or clicks):
                continue
            ad_set = ids[get("adset_id")]
            hour, records = slots[get("date_start"), label]
        except TypeError:  # a list or an object where a text belongs
            raise malformed("insights", row) from None
        if ad_set in records:
            raise malformed(HOURLY, "the same hour twice")
        records[ad_set] = HourRecord(ad_set, hour, spend, impressions, clicks, None, None)
    ordered = sorted(slots.values(), key=itemgetter(0))
    told = [record for _, records in ordered for record in records.values()]
    return told if len({hour for hour, _ in ordered}) == len(ordered) else in_order(told)


def ad_days(found: Iterable[Row], first_day: date, last_day: date) -> list[AdDayRecord]:
    """The rows as records in ascending days; a row that lacks a figure is a day without delivery."""
    days = Once(lambda value: _day(value, first_day, last_day))
    records: dict[tuple[date, str], AdDayRecord] = {}
    for row in found:
        spend, impressions, clicks = micros(row, "spend"), count(row, "impressions"), count(row, "clicks")
        if spend is None or impressions is None or clicks is None:
            continue
        day, ad = days[text(row, "date_start")], identifier(row, "ad_id")
        if (day, ad) in records:
            raise malformed("insights", "the same day of an ad twice")
        records[day, ad] = AdDayRecord(
            ad_external_id=ad,
            ad_set_external_id=identifier(row, "adset_id"),
            day=day,
            spend_micros=spend,
            impressions=impressions,
            clicks=clicks,
            leads=count(_first(row, "actions", LEADS), "value"),
            purchases=_purchases(row),
        )
    return [records[key] for key in sorted(records)]


def _hour(day: date, label: object, zone: ZoneInfo) -> datetime:
    found = HOUR_LABEL.fullmatch(label) if isinstance(label, str) else None
    if found is None:
        raise malformed(HOURLY, label)
    return start_of_local_hour(day, int(found[1]), zone)


def _day(value: object, first_day: date, last_day: date) -> date:
    """A day that was asked for."""
    if not isinstance(value, str) or not DAY_LABEL.fullmatch(value):
        raise malformed("date_start", value)
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise malformed("date_start", value) from error
    if not first_day <= day <= last_day:
        raise malformed("date_start", value)
    return day


def _purchases(row: Row) -> tuple[PurchaseRecord, ...]:
    """The purchases of each window; one without any is left out, as Meta leaves it out."""
    counts, values = _first(row, "actions", PURCHASES), _first(row, "action_values", PURCHASES)
    made = []
    for window in ATTRIBUTION_WINDOWS:
        key = "value" if window == "default" else window
        purchases = count(counts, key)
        if purchases is not None:
            made.append(PurchaseRecord(window, purchases, _value(values, key)))
    return tuple(made)


def _first(row: Row, name: str, aliases: tuple[str, ...]) -> Row:
    """The entry of the first alias that is there: one sale shows under several, so they are never added up."""
    told = row.get(name)
    entries = {} if told is None else {text(entry, "action_type"): entry for entry in rows(told, name)}
    return next((entries[alias] for alias in aliases if alias in entries), {})


def _value(entry: Row, key: str) -> int | None:
    """What purchases are said to be worth, rounded to a micro: Meta's sums can carry the dust of floats."""
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not PLAIN_AMOUNT.fullmatch(value):
        raise malformed(key, value)
    return int((Decimal(value) * 1_000_000).to_integral_value())

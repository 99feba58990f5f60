"""TikTok's reports: what is asked for, and their rows as records.

Figures are text, "-" is unknown. The names mislead: `total_complete_payment_rate` is the value of purchases. A
sync of a large account reads 12,000 hourly rows a day, so each text is validated when it is first met and
looked up afterwards.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from connectors.contracts import AdDayRecord, HourRecord, PurchaseRecord
from connectors.fields import Once, Row, count, identifier, malformed, micros, usual_count, usual_micros
from connectors.hours import in_order, start_of_local_hour
from connectors.tiktok.api import Api
from connectors.tiktok.errors import TooMuchDataError, judge_report
from connectors.tiktok.leads import leads

DAYS_PER_REPORT = 30  # with a dimension of days; with hours it is one
PATH = "report/integrated/get/"
GMV_MAX_PATH = "gmv_max/report/get/"
HOUR, DAY = "stat_time_hour", "stat_time_day"
AD_GROUPS_AT_ONCE = 100
HOUR_METRICS = ("spend", "impressions", "clicks", "conversion", "complete_payment", "total_complete_payment_rate")
DAY_METRICS = ("adgroup_id", *HOUR_METRICS)
GMV_MAX_METRICS = ("cost", "orders", "gross_revenue")
GMV_MAX_STATUSES = ["STATUS_DELIVERY_OK", "STATUS_DISABLE", "STATUS_DELETE"]  # there is no STATUS_ALL here

Objectives = Mapping[str, str]  # campaign objective by ad group
Days = tuple[date, date]  # both inclusive
Key = tuple[str, str, str]  # what a row is about, its label of time, and what tells two rows of one label apart
Cell = tuple[Key, Row]


class Ask(NamedTuple):
    """What is asked for, whatever the days. `repeats`: one label of time may stand in two rows of an object."""

    data_level: str
    status_filter: str
    id_name: str
    time_name: str
    metrics: tuple[str, ...]
    repeats: bool = False


HOURS = Ask("AUCTION_ADGROUP", "adgroup_status", "adgroup_id", HOUR, HOUR_METRICS)
AD_DAYS = Ask("AUCTION_AD", "ad_status", "ad_id", DAY, DAY_METRICS)


def hours(api: Api, advertiser_id: str, day: date, zone: ZoneInfo, objectives: Objectives) -> list[HourRecord]:
    """One account-local day of ad groups, in ascending hours; a row that lacks spend, views or clicks is unknown."""
    ask = HOURS._replace(repeats=_has_repeated_hour(day, zone))
    starts = Once(lambda label: _start(label, day, zone))
    money = Once(lambda value: usual_micros(value, "spend"))
    number = Once(lambda value: usual_count(value, "count"))
    records = []
    for (ad_group, label, _), figures in _cells(api, advertiser_id, (day, day), ask, objectives):
        get = figures.get
        try:
            spend, impressions, clicks = money[get("spend")], number[get("impressions")], number[get("clicks")]
            if spend is None or impressions is None or clicks is None:
                continue
            bought, value = number[get("complete_payment")], money[get("total_complete_payment_rate")]
            counted = leads(objectives.get(ad_group, ""), clicks, number[get("conversion")])
        except TypeError:  # a list or an object where a text belongs
            raise malformed("metrics", figures) from None
        records.append(HourRecord(ad_group, starts[label], spend, impressions, clicks, bought, value, counted))
    return in_order(records)


def gmv_max_hours(api: Api, advertiser_id: str, store_id: str, day: date, zone: ZoneInfo) -> list[HourRecord]:
    """One day of GMV Max campaigns. Their report tells neither views nor clicks: both are 0 here (NOTES.md)."""
    repeats = _has_repeated_hour(day, zone)
    found: list[Cell] = api.listed(
        GMV_MAX_PATH,
        itemgetter(0),
        reading=lambda rows: _keyed(rows, "campaign_id", HOUR, repeats=repeats),
        advertiser_id=advertiser_id,
        store_ids=[store_id],
        dimensions=["campaign_id", HOUR],
        metrics=list(GMV_MAX_METRICS),
        start_date=day.isoformat(),
        end_date=day.isoformat(),
        filtering={"campaign_statuses": GMV_MAX_STATUSES},
    )
    records = []
    for (campaign, label, _), figures in found:
        cost, orders = micros(figures, "cost"), count(figures, "orders")
        if cost is not None:
            start = _start(label, day, zone)
            records.append(HourRecord(campaign, start, cost, 0, 0, orders, micros(figures, "gross_revenue"), orders))
    return in_order(records)


def ad_days(api: Api, advertiser_id: str, first_day: date, last_day: date, objectives: Objectives) -> list[AdDayRecord]:
    """Daily figures of ads for at most `DAYS_PER_REPORT` days; purchases by the account's own window alone."""
    records: dict[tuple[date, str], AdDayRecord] = {}
    for (ad, label, _), figures in _cells(api, advertiser_id, (first_day, last_day), AD_DAYS, objectives):
        spend, impressions, clicks = micros(figures, "spend"), count(figures, "impressions"), count(figures, "clicks")
        if spend is None or impressions is None or clicks is None:
            continue
        day, ad_group = _moment(label, DAY).date(), identifier(figures, "adgroup_id")
        if not first_day <= day <= last_day or (day, ad) in records:
            raise malformed(DAY, label)
        bought, value = count(figures, "complete_payment"), micros(figures, "total_complete_payment_rate")
        records[day, ad] = AdDayRecord(
            ad_external_id=ad,
            ad_set_external_id=ad_group,
            day=day,
            spend_micros=spend,
            impressions=impressions,
            clicks=clicks,
            leads=leads(objectives.get(ad_group, ""), clicks, count(figures, "conversion")),
            purchases=(PurchaseRecord("default", bought, value),) if bought is not None else (),
        )
    return [records[key] for key in sorted(records)]


def _cells(api: Api, advertiser_id: str, days: Days, ask: Ask, objectives: Objectives) -> list[Cell]:
    """The rows of a report; of one that is too much, the rows by a hundred ad groups at a time."""
    try:
        return _report(api, advertiser_id, days, ask)
    except TooMuchDataError:
        ids = sorted(objectives)
        if not ids:
            raise
    parts = (ids[start : start + AD_GROUPS_AT_ONCE] for start in range(0, len(ids), AD_GROUPS_AT_ONCE))
    return [cell for part in parts for cell in _part(api, advertiser_id, days, ask, part)]


def _part(api: Api, advertiser_id: str, days: Days, ask: Ask, ad_groups: list[str]) -> list[Cell]:
    """The rows of these ad groups, of halves of them where they are still too much."""
    try:
        return _report(api, advertiser_id, days, ask, ad_groups)
    except TooMuchDataError:
        if len(ad_groups) == 1:
            raise
    middle = len(ad_groups) // 2
    halves = ad_groups[:middle], ad_groups[middle:]
    return [cell for half in halves for cell in _part(api, advertiser_id, days, ask, half)]


def _report(api: Api, advertiser_id: str, days: Days, ask: Ask, ad_groups: list[str] | None = None) -> list[Cell]:
    filters = {ask.status_filter: ["STATUS_ALL"], **({"adgroup_ids": ad_groups} if ad_groups else {})}
    return api.listed(
        PATH,
        itemgetter(0),
        reading=lambda rows: _keyed(rows, ask.id_name, ask.time_name, repeats=ask.repeats),
        judge=judge_report,
        advertiser_id=advertiser_id,
        service_type="AUCTION",
        report_type="BASIC",
        data_level=ask.data_level,
        dimensions=[ask.id_name, ask.time_name],
        metrics=list(ask.metrics),
        start_date=days[0].isoformat(),
        end_date=days[1].isoformat(),
        filtering=[
            {"field_name": name, "filter_type": "IN", "filter_value": json.dumps(values)}
            for name, values in filters.items()
        ],
    )


def _keyed(rows: list[Row], id_name: str, time_name: str, *, repeats: bool) -> list[Cell]:
    """A page's rows. Where labels may repeat, rows that are alike but for their figures are not the same."""
    ids: Once[str] = Once(lambda value: identifier({id_name: value}, id_name))
    cells: list[Cell] = []
    for source in rows:
        dimensions, figures = source.get("dimensions"), source.get("metrics")
        if not isinstance(dimensions, dict) or not isinstance(figures, dict):
            raise malformed("dimensions, metrics", source)
        label = dimensions.get(time_name)
        if not isinstance(label, str):
            raise malformed(time_name, label)
        try:
            thing = ids[dimensions.get(id_name)]
        except TypeError:  # a list or an object where a text belongs
            raise malformed(id_name, dimensions) from None
        cells.append(((thing, label, ""), figures))
    if repeats:
        return _told_apart(cells)
    if len({key for key, _ in cells}) < len(cells):
        raise malformed(time_name, "the same twice")
    return cells


def _told_apart(cells: list[Cell]) -> list[Cell]:
    """The rows with their figures in their keys, and a number where even those are alike."""
    seen: Counter[Key] = Counter()
    told = []
    for (thing, label, _), figures in cells:
        key = (thing, label, repr(sorted(figures.items())))
        seen[key] += 1
        told.append(((thing, label, f"{key[2]} {seen[key]}"), figures))
    return told


def _start(label: str, day: date, zone: ZoneInfo) -> datetime:
    """The UTC start of a labelled hour of the day that was asked for."""
    moment = _moment(label, HOUR)
    if moment.minute or moment.second or moment.date() != day:
        raise malformed(HOUR, label)
    return start_of_local_hour(day, moment.hour, zone)


def _has_repeated_hour(day: date, zone: ZoneInfo) -> bool:
    start, end = (start_of_local_hour(each, 0, zone) for each in (day, day + timedelta(days=1)))
    return end - start > timedelta(days=1)


def _moment(label: str, name: str) -> datetime:
    try:
        return datetime.strptime(label, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 (the account's wall clock)
    except ValueError as error:
        raise malformed(name, label) from error

"""TikTok Shop's own statistics by hour and by day, in the shop's calendar: a cross-check, not a source of revenue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.fields import Row, count, known, malformed, micros, part, row, rows, text
from connectors.hours import start_of_local_hour
from connectors.store_contracts import ShopDayRecord, ShopHourRecord
from connectors.tiktok_shop.parse import currency_in, instant

HOUR = timedelta(hours=1)
LAST_INDEX = 23
# In the name of creators: their videos, their live sessions, and the product cards of their showcases.
BY_CREATORS = ("creator_live_attributed_gmv", "creator_video_attributed_gmv", "affiliate_product_card_attributed_gmv")


def hours(data: Row, day: date, zone: ZoneInfo, now: datetime) -> list[ShopHourRecord]:
    """The hours of a local day that have ended, by TikTok's own account or else at `now`.

    There are 24 labels on every day. In autumn the label that occurs twice is given to its first hour, and the
    second has no record; in spring that which does not occur falls together with the next one. So the sum of a
    day is right on all of them (as in `connectors.hours`).
    """
    performance = part(data, "performance")
    ended = instant(performance, "latest_available_timestamp") or now
    found: dict[datetime, ShopHourRecord] = {}
    seen: set[int] = set()
    for source in rows(performance.get("intervals", []), "intervals"):
        index = known(count(source, "index"), "index")
        if index > LAST_INDEX or index in seen:
            raise malformed("index", index)
        seen.add(index)
        record = _hour(source, start_of_local_hour(day, index, zone))
        if record.hour + HOUR <= ended:
            found[record.hour] = _together(found[record.hour], record) if record.hour in found else record
    return [found[hour] for hour in sorted(found)]


def _hour(source: Row, hour: datetime) -> ShopHourRecord:
    gmv = row(source.get("gmv"), "gmv")
    customers = count(source, "customers_count")
    return ShopHourRecord(
        hour=hour,
        currency=currency_in(gmv),
        gmv_micros=known(micros(gmv, "amount"), "amount"),
        orders=known(count(source, "orders_count"), "orders_count"),
        visitors=count(source, "visitors"),
        customers=count(source, "customers") if customers is None else customers,
    )


def _together(one: ShopHourRecord, other: ShopHourRecord) -> ShopHourRecord:
    """People may have been there under both labels, so how many there were is unknown, unless one had none."""
    return one._replace(
        gmv_micros=one.gmv_micros + other.gmv_micros,
        orders=one.orders + other.orders,
        visitors=_people(one.visitors, other.visitors),
        customers=_people(one.customers, other.customers),
    )


def _people(one: int | None, other: int | None) -> int | None:
    if one is None or other is None or (one and other):
        return None
    return one + other


def days(data: Row) -> Iterator[ShopDayRecord]:
    """The days that are ready, of a report with one interval a day."""
    ready = text(data, "latest_available_date")
    last = _day(data, "latest_available_date") if ready else date.max
    for source in rows(part(data, "performance").get("intervals", []), "intervals"):
        if (day := _day(source, "start_date")) <= last:
            yield _of_day(source, day)


def _of_day(source: Row, day: date) -> ShopDayRecord:
    sales = row(source.get("sales"), "sales")
    gmv = row(sales.get("gmv"), "gmv")
    told = {**sales, **part(source, "breakdowns")}
    by_creators = [micros(row(told[name], name), "amount") for name in BY_CREATORS if name in told]
    amounts = [amount for amount in by_creators if amount is not None]
    return ShopDayRecord(
        day=day,
        currency=currency_in(gmv),
        gmv_micros=known(micros(gmv, "amount"), "amount"),
        orders=known(count(sales, "orders_count"), "orders_count"),
        units=count(sales, "items_sold"),
        visitors=count(part(source, "traffic"), "avg_visitors"),
        affiliate_gmv_micros=sum(amounts) if amounts else None,
    )


def _day(source: Row, name: str) -> date:
    try:
        return date.fromisoformat(text(source, name))
    except ValueError as error:
        raise malformed(name, source.get(name)) from error

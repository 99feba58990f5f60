"""What a store sold, by the UTC hour or by the store's own day: the one place where sales are added up.

Orders that count are paid (also in part), real and not cancelled. An order is booked when it was placed, with its
total of that time; edits and refunds when they happened. Money in micros of the store's currency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncHour

from accounts.hours import HOUR, hours_between
from accounts.models import Store
from connectors.hours import days_between
from metrics.accounting import REVENUE, booked
from metrics.costs import goods_costs
from metrics.models import Order, OrderEdit, OrderLine, Refund, SourceCoverage, StoreCoverage
from metrics.sync.marketplace import RETURNS
from metrics.sync.orders import REFUNDS_FROM_RETURNS

DAY = timedelta(days=1)

At = TypeVar("At", datetime, date)
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Sales:
    """Sales of an hour or a day. `revenue_micros`: its orders' totals and its edits, which may be negative.

    `new_customers` and `cogs_micros` are `None` where one order does not tell, or one product's cost is unknown;
    refunds where a platform tells returns apart and those were not read. The attributed revenue is net of refunds.
    """

    revenue_micros: int
    refunds_micros: int | None
    orders: int
    units: int
    new_customers: int | None
    cogs_micros: int | None
    attributed_orders: int
    attributed_revenue_micros: int | None


def store_hours(store: Store, start: datetime, end: datetime) -> dict[datetime, Sales | None]:
    """Every hour of `[start, end)` (whole hours) by its UTC start; `None` where it is not known.

    Not known is what was not read, and what holds money of another currency than the store's.
    """
    hours = {hour: (hour, hour + HOUR) for hour in hours_between(start, end)}
    return _sales(store, hours, lambda moment: TruncHour(moment, tzinfo=UTC))


def store_days(store: Store, first: date, last: date) -> dict[date, Sales | None]:
    """Every day of the store's own calendar, of 23, 24 or 25 hours, from the first to the last; as `store_hours`."""
    zone = ZoneInfo(store.timezone)
    days = {day: (_midnight(day, zone), _midnight(day + DAY, zone)) for day in days_between(first, last)}
    return _sales(store, days, lambda moment: TruncDate(moment, tzinfo=zone))


def added(parts: Iterable[Sales | None]) -> Sales | None:
    """The sum of several stores' sales of one time; a figure that one of them does not know is unknown."""
    known = list(parts)
    if not known or None in known:
        return None
    columns: dict[str, list[Any]] = {f.name: [getattr(part, f.name) for part in known] for f in fields(Sales)}
    sums: dict[str, Any] = {name: None if None in column else sum(column) for name, column in columns.items()}
    return Sales(**sums)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins, to the minute: in half-hour zones that is no whole hour of UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _sales(store: Store, spans: Mapping[At, Span], bucket: Callable[[str], Any]) -> dict[At, Sales | None]:
    """The sales of each span, as contiguous as they are ordered, by what `bucket` makes of a time in it."""
    if not spans:
        return {}
    bounds = list(spans.values())
    start, end = bounds[0][0], bounds[-1][1]
    orders = Order.objects.filter(REVENUE, store=store, ordered_at__gte=start, ordered_at__lt=end)
    edits = booked(OrderEdit, "edited_at", start, end).filter(order__store=store)
    refunds = booked(Refund, "refunded_at", start, end).filter(order__store=store)
    sold = _grouped(orders, bucket("ordered_at"), ORDER_SUMS | _foreign(store, "currency"))
    edited = _grouped(edits, bucket("edited_at"), PART_SUMS | _foreign(store, "order__currency"))
    back = _grouped(refunds, bucket("refunded_at"), PART_SUMS | _foreign(store, "order__currency"))
    costs = goods_costs(store, OrderLine.objects.filter(order__in=orders), at=bucket("order__ordered_at"))
    is_known = _within(StoreCoverage.objects.filter(store=store))
    knows_refunds = _within(SourceCoverage.objects.filter(store=store, kind=RETURNS))
    found: dict[At, Sales | None] = {}
    for at, span in spans.items():
        parts = sold.get(at, {}), edited.get(at, {}), back.get(at, {})
        is_foreign = any(part.get("foreign") for part in parts)
        sales = None if is_foreign or not is_known(span) else _sales_of(*parts, cogs=costs.get((at,), 0))
        if sales and store.platform in REFUNDS_FROM_RETURNS and not knows_refunds(span):
            sales = replace(sales, refunds_micros=None, attributed_revenue_micros=None)
        found[at] = sales
    return found


def _within(coverage: QuerySet[Any]) -> Callable[[Span], bool]:
    """Whether all of a span was read."""
    read = list(coverage.values_list("known_from", "known_to"))
    return lambda span: any(low <= span[0] and span[1] <= high for low, high in read)


ORDER_SUMS = {
    "count": Count("pk"),
    "total": Sum("total_micros"),
    "units_sold": Sum("units"),
    "attributed": Count("pk", filter=Q(ad_set__isnull=False)),
    "attributed_total": Sum("total_micros", filter=Q(ad_set__isnull=False)),
    "new": Count("pk", filter=Q(is_new_customer=True)),
    "untold": Count("pk", filter=Q(is_new_customer__isnull=True)),
}
PART_SUMS = {
    "total": Sum("amount_micros"),
    "attributed_total": Sum("amount_micros", filter=Q(order__ad_set__isnull=False)),
}


def _foreign(store: Store, currency: str) -> dict[str, Any]:
    return {"foreign": Count("pk", filter=~Q(**{currency: store.currency}))}


def _grouped(rows: QuerySet[Any], at: Any, sums: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    found = rows.order_by().annotate(at=at).values("at").annotate(**sums)
    return {row.pop("at"): row for row in found}


def _sales_of(sold: dict[str, Any], edited: dict[str, Any], back: dict[str, Any], *, cogs: int | None) -> Sales:
    def total(part: dict[str, Any], name: str = "total") -> int:
        return part.get(name) or 0

    return Sales(
        revenue_micros=total(sold) + total(edited),
        refunds_micros=total(back),
        orders=total(sold, "count"),
        units=total(sold, "units_sold"),
        new_customers=None if total(sold, "untold") else total(sold, "new"),
        cogs_micros=cogs,
        attributed_orders=total(sold, "attributed"),
        attributed_revenue_micros=sum(
            sign * total(part, "attributed_total") for sign, part in ((1, sold), (1, edited), (-1, back))
        ),
    )

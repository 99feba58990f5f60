"""What a TikTok Shop sold and a creator earned over a span, and whose doing the platform says that was.

Money in micros of the store's currency; unknown is `None`: what was not read for the whole span, and sums that
would mix currencies. Orders are booked when they were placed, at their total of that time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncHour

from accounts.hours import HOUR, hour_of
from accounts.models import Campaign, Family, Store
from connectors.hours import days_between
from metrics.models import (
    AffiliateSale,
    HourlyMetric,
    Order,
    Payment,
    Refund,
    ShopHour,
    ShopReturn,
    SourceCoverage,
    Statement,
    StoreCoverage,
    SyncedHour,
)
from metrics.overview import divided
from metrics.sync.marketplace import AFFILIATE, RETURNS
from metrics.windows import ratio

ORDERS = ""  # in the place of a kind of `SourceCoverage`: the store's orders

# GMV, as TikTok counts it: real orders that were paid, those among them that were cancelled later.
PAID = Q(is_paid=True, is_test=False)


@dataclass(frozen=True, slots=True)
class ShopFigures:
    """`[start, end)` of a shop. Of the orders placed in it: `gmv`, `orders`, `units`, `cancelled_orders`, those of
    them that a creator brought, and what these cost in commission, paid or only expected as yet.

    `refunds` are those booked in the span, of orders of any time. `return_rate`: of the units sold in the span the
    share that was returned and refunded by now; it grows for weeks. `settled` and `fees` are of the statements of
    the span, `paid_out` of the payments that began in it.
    """

    start: datetime
    end: datetime
    currency: str
    gmv_micros: int | None
    orders: int | None
    cancelled_orders: int | None
    units: int | None
    refunds_micros: int | None
    returned_units: int | None
    affiliate_orders: int | None
    affiliate_sales_micros: int | None
    commission_paid_micros: int | None
    commission_expected_micros: int | None
    settled_micros: int | None
    fees_micros: int | None
    paid_out_micros: int | None

    @property
    def average_order_micros(self) -> int | None:
        return divided(self.gmv_micros, self.orders)

    @property
    def return_rate(self) -> Decimal | None:
        units, returned = self.units, self.returned_units
        return ratio(None if returned is None else Decimal(returned), None if units is None else Decimal(units))


class Sold(NamedTuple):
    orders: int | None
    micros: int | None


@dataclass(frozen=True, slots=True)
class Split:
    """Paid orders of `[start, end)` by whose doing they are said to be.

    `affiliate`: orders that a creator brought. `credited`: what GMV Max reports of the campaigns that sell from
    this shop claim. It claims organic orders and those of creators as well and names none, so how far the two
    overlap is unknown: the rest is a range, from `rest_low` (no overlap) to `rest_high` (the whole of the smaller).
    """

    start: datetime
    end: datetime
    currency: str
    total: Sold
    affiliate: Sold
    credited: Sold
    rest_low: Sold
    rest_high: Sold
    spend_micros: int | None

    @property
    def reported_not_incremental_roi(self) -> Decimal | None:
        """Credited value ÷ spend, as the platform reports it: not what the ads added."""
        value, spend = self.credited.micros, self.spend_micros
        return ratio(None if value is None else Decimal(value), None if spend is None else Decimal(spend))


@dataclass(frozen=True, slots=True)
class HourCheck:
    """An hour by our orders and by the platform's own statistics; one that either side does not know is `None`."""

    hour: datetime
    currency: str
    orders: int | None
    gmv_micros: int | None
    platform_orders: int | None
    platform_gmv_micros: int | None

    @property
    def is_equal(self) -> bool | None:
        told = (self.orders, self.gmv_micros, self.platform_orders, self.platform_gmv_micros)
        return None if None in told else told[:2] == told[2:]


@dataclass(frozen=True, slots=True)
class Commissions:
    """What creators' sales of a day brought: `paid` is settled, `expected` stands out."""

    orders: int
    sales_micros: int | None
    paid_micros: int | None
    expected_micros: int | None


def shop_figures(store: Store, start: datetime, end: datetime) -> ShopFigures:
    orders = paid_orders(store, start, end)
    sold = _sums(orders, store, gmv_micros=Sum("total_micros"), orders=Count("pk"), units=Sum("units"))
    sold["cancelled_orders"] = orders.exclude(cancelled_at=None).count()
    refunds = Refund.objects.filter(order__store=store, refunded_at__gte=start, refunded_at__lt=end)
    refunded = _sums(refunds, store, "order__currency", refunds_micros=Sum("amount_micros"))
    of_span = Exists(orders.filter(external_id=OuterRef("order_external_id")))
    returns = ShopReturn.objects.filter(of_span, store=store, is_refunded=True)
    returned = _sums(returns, store, returned_units=Sum("units"))
    sales = AffiliateSale.objects.filter(store=store, sold_at__gte=start, sold_at__lt=end)
    statements = Statement.objects.filter(store=store, statement_at__gte=start, statement_at__lt=end)
    payments = Payment.objects.filter(store=store, initiated_at__gte=start, initiated_at__lt=end)
    settled = _sums(statements, store, settled_micros=Sum("settlement_micros"), fees_micros=Sum("fee_micros"))
    if statements.filter(fee_micros=None).exists():
        settled["fees_micros"] = None
    paid_out = _sums(payments, store, paid_out_micros=Sum("amount_micros"))

    def known(found: dict[str, int | None], *kinds: str) -> dict[str, int | None]:
        return found if all(is_known(store, kind, start, end) for kind in kinds) else dict.fromkeys(found)

    return ShopFigures(
        start,
        end,
        store.currency,
        **known(sold, ORDERS),
        **known(refunded, ORDERS, RETURNS),
        **known(returned, ORDERS, RETURNS),
        **known(_commissions(sales, store), AFFILIATE),
        **known(settled, "statements"),
        **known(paid_out, "payments"),
    )


def paid_orders(store: Store, start: datetime, end: datetime) -> QuerySet[Order]:
    rows: QuerySet[Order] = Order.objects.filter(PAID, store=store, ordered_at__gte=start, ordered_at__lt=end)
    return rows


def is_known(store: Store, kind: str, start: datetime, end: datetime) -> bool:
    """Whether all of `[start, end)` was read of this kind (`ORDERS`, or one of `SourceCoverage`)."""
    return _is_within(_span_of(store, kind), start, end)


def _span_of(store: Store, kind: str) -> StoreCoverage | SourceCoverage | None:
    if kind == ORDERS:
        return StoreCoverage.objects.filter(store=store).first()
    return SourceCoverage.objects.filter(store=store, kind=kind).first()


def _is_within(span: StoreCoverage | SourceCoverage | None, start: datetime, end: datetime) -> bool:
    return span is not None and span.known_from <= start and end <= span.known_to


def newest_known(store: Store) -> datetime | None:
    """The end of the newest hour that was read of the store: of its orders, for a creator of the commissions."""
    rows = StoreCoverage.objects.filter(store=store), SourceCoverage.objects.filter(store=store, kind=AFFILIATE)
    ends = [end for found in rows for end in found.values_list("known_to", flat=True)]
    return hour_of(ends[0]) if ends else None


def _sums(rows: QuerySet[Any], store: Store, currency: str = "currency", **sums: Any) -> dict[str, int | None]:
    """The sums, where `None` is what would add up money of several currencies."""
    found = rows.order_by().aggregate(foreign=Count("pk", filter=~Q(**{currency: store.currency})), **sums)
    is_foreign = found.pop("foreign")
    return {name: None if is_foreign and name.endswith("_micros") else value or 0 for name, value in found.items()}


OPEN = Q(commission_micros=None)
COMMISSION_SUMS: dict[str, Any] = {
    "affiliate_orders": Count("external_id", distinct=True),
    "affiliate_sales_micros": Sum("sales_micros"),
    "commission_paid_micros": Sum("commission_micros"),
    "commission_expected_micros": Sum("estimated_micros", filter=OPEN),
    "untold": Count("pk", filter=OPEN & Q(estimated_micros=None)),
}


def _commissions(sales: QuerySet[AffiliateSale], store: Store) -> dict[str, int | None]:
    found = _sums(sales, store, **COMMISSION_SUMS)
    return found | {"commission_expected_micros": None} if found.pop("untold") else found


def hour_checks(store: Store, start: datetime, end: datetime) -> list[HourCheck]:
    """Every hour that the platform's statistics tell of the span, beside our orders; neither corrects the other."""
    orders = paid_orders(store, start, end).order_by().annotate(hour=TruncHour("ordered_at", tzinfo=UTC))
    groups = orders.values("hour").annotate(
        count=Count("pk"), total=Sum("total_micros"), foreign=Count("pk", filter=~Q(currency=store.currency))
    )
    ours = {row["hour"]: (row["count"], None if row["foreign"] else row["total"]) for row in groups}
    told = ShopHour.objects.filter(store=store, hour__gte=start, hour__lt=end).order_by("hour")
    span = _span_of(store, ORDERS)
    checks = []
    for row in told:
        is_read = _is_within(span, row.hour, row.hour + HOUR)
        count, total = ours.get(row.hour, (0, 0)) if is_read else (None, None)
        gmv = row.gmv_micros if row.currency == store.currency else None
        checks.append(HourCheck(row.hour, store.currency, count, total, row.orders, gmv))
    return checks


def commission_days(store: Store, first: date, last: date) -> dict[date, Commissions | None]:
    """A creator's commissions by the local day of the sale, from the first day to the last; `None` is unknown."""
    zone = ZoneInfo(store.timezone)
    span = _span_of(store, AFFILIATE)
    days = days_between(first, last)
    start, end = (datetime.combine(day, datetime.min.time(), zone) for day in (first, last + timedelta(days=1)))
    sales = AffiliateSale.objects.filter(store=store, sold_at__gte=start, sold_at__lt=end).order_by()
    foreign = Count("pk", filter=~Q(currency=store.currency))
    groups = sales.annotate(day=TruncDate("sold_at", tzinfo=zone)).values("day")
    found = {row["day"]: row for row in groups.annotate(foreign=foreign, **COMMISSION_SUMS)}

    def of_day(day: date) -> Commissions | None:
        begin, over = (datetime.combine(d, datetime.min.time(), zone) for d in (day, day + timedelta(days=1)))
        return _commissions_of(found.get(day, {})) if _is_within(span, begin, over) else None

    return {day: of_day(day) for day in days}


def _commissions_of(row: dict[str, Any]) -> Commissions:
    def money(name: str) -> int | None:
        return None if row.get("foreign") else row.get(name) or 0

    expected = None if row.get("untold") else money("commission_expected_micros")
    paid = money("commission_paid_micros")
    return Commissions(row.get("affiliate_orders", 0), money("affiliate_sales_micros"), paid, expected)


def split_of(store: Store, start: datetime, end: datetime) -> Split:
    """The split of `[start, end)`, whole hours."""
    orders = paid_orders(store, start, end)
    by_creators = Exists(AffiliateSale.objects.filter(store=store, external_id=OuterRef("external_id")))
    is_read = is_known(store, ORDERS, start, end)
    total = _sold(orders, store, is_read)
    affiliate = _sold(orders.filter(by_creators), store, is_read and is_known(store, AFFILIATE, start, end))
    credited, spend = _credited(store, start, end)
    ranges = [_rest(*parts) for parts in zip(total, affiliate, credited, strict=True)]
    low, high = (Sold(*(one[place] for one in ranges)) for place in (0, 1))
    return Split(start, end, store.currency, total, affiliate, credited, low, high, spend)


def _sold(orders: QuerySet[Order], store: Store, is_read: bool) -> Sold:
    found = _sums(orders, store, orders=Count("pk"), total_micros=Sum("total_micros"))
    return Sold(found["orders"], found["total_micros"]) if is_read else Sold(None, None)


def _rest(total: int | None, affiliate: int | None, credited: int | None) -> tuple[int | None, int | None]:
    """The least and the most that neither of the two accounts for; a part that is unknown may be anything."""
    if total is None:
        return None, None
    parts: Iterable[int] = [part for part in (affiliate, credited) if part is not None]
    low = 0 if affiliate is None or credited is None else max(0, total - affiliate - credited)
    return low, max(0, total - max(parts, default=0))


def _credited(store: Store, start: datetime, end: datetime) -> tuple[Sold, int | None]:
    """What GMV Max claims of this shop's sales and what it spent, by the hours of the advertisers that sell from it.

    Unknown where none of the tenant's advertisers does, and where one of their hours was not read.
    """
    campaigns = Campaign.objects.filter(
        tenant=store.tenant_id, family=Family.GMV_MAX, store_external_id=store.external_id
    )
    accounts = set(campaigns.values_list("ad_account", flat=True))
    hours = {"hour__gte": start, "hour__lt": end}
    read = SyncedHour.objects.filter(ad_account__in=accounts, **hours).count()
    if not accounts or read < len(accounts) * ((end - start) // HOUR):
        return Sold(None, None), None
    rows = HourlyMetric.objects.filter(ad_set__campaign__in=campaigns, **hours)
    found = _sums(
        rows,
        store,
        "ad_account__currency",
        orders=Sum("conversions"),
        value_micros=Sum("conversion_value_micros"),
        spend_micros=Sum("spend_micros"),
    )
    spending = rows.filter(spend_micros__gt=0)  # an hour without delivery claims nothing
    if spending.filter(Q(conversions=None) | Q(conversion_value_micros=None)).exists():
        return Sold(None, None), found["spend_micros"]
    return Sold(found["orders"], found["value_micros"]), found["spend_micros"]

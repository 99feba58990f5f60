"""What a tenant spent and earned over a span, by the hour and in sum: for the dashboard and the API.

All orders of the tenant's stores count, attributed or not; refunds at their own time. Money in micros of
the tenant's currency, where nothing is converted: an account or store in another currency makes the sum
unknown. `None` is unknown, or undefined.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import TruncHour

from accounts.hours import HOUR, hour_of, hours_between
from accounts.models import AdAccount, Store, Tenant
from metrics.accounting import REVENUE, Revenue, add_costs
from metrics.models import HourlyMetric, Order, Refund, StoreCoverage, SyncedHour
from metrics.windows import MINIMUM_COVERAGE, ratio

DEFAULT_SPAN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class HourOfTenant:
    """One hour; `profit` is revenue − refunds − spend − cost of goods, all of them known."""

    hour: datetime
    currency: str
    spend_micros: int | None = None
    revenue_micros: int | None = None
    refunds_micros: int | None = None
    cogs_micros: int | None = None
    orders: int | None = None
    attributed_orders: int | None = None
    attributed_revenue_micros: int | None = None
    new_customers: int | None = None

    @property
    def profit_micros(self) -> int | None:
        return profit(self.revenue_micros, self.refunds_micros, self.spend_micros, self.cogs_micros)


@dataclass(frozen=True, slots=True)
class Overview:
    """A span `[start, end)`. A sum is known when 95 % of its hours are.

    `roas`: attributed revenue, net of refunds, ÷ spend. `mer`: all revenue, net of refunds, ÷ spend.
    `cpa`: spend ÷ attributed orders. `aov`: revenue ÷ orders. Coverage is the share of hours known.
    """

    start: datetime
    end: datetime
    currency: str
    hours: tuple[HourOfTenant, ...]
    spend_coverage: Decimal
    revenue_coverage: Decimal
    spend_micros: int | None
    revenue_micros: int | None
    refunds_micros: int | None
    cogs_micros: int | None
    profit_micros: int | None
    orders: int | None
    attributed_orders: int | None
    new_customers: int | None
    roas: Decimal | None
    mer: Decimal | None
    cpa_micros: int | None
    aov_micros: int | None


def profit(revenue: int | None, refunds: int | None, spend: int | None, cogs: int | None) -> int | None:
    if revenue is None or refunds is None or spend is None or cogs is None:
        return None
    return revenue - refunds - spend - cogs


def newest_span(tenant: Tenant, now: datetime) -> tuple[datetime, datetime]:
    """The last seven days that end with the newest hour read from an ad account, else with this hour."""
    newest = SyncedHour.objects.filter(tenant=tenant).aggregate(hour=Max("hour"))["hour"]
    end = newest + HOUR if newest else hour_of(now)
    return end - DEFAULT_SPAN, end


def overview(tenant: Tenant, start: datetime, end: datetime) -> Overview:
    """The KPIs of `[start, end)`, whole hours, with the hours they are made of."""
    hours = hourly(tenant, start, end)
    sums = {name: _total(name, hours) for name in SUMMED}
    spend, revenue, orders = sums["spend_micros"], sums["revenue_micros"], sums["orders"]
    attributed = sums.pop("attributed_revenue_micros")
    net = None if revenue is None or sums["refunds_micros"] is None else revenue - sums["refunds_micros"]
    return Overview(
        start=start,
        end=end,
        currency=tenant.currency,
        hours=tuple(hours),
        spend_coverage=_coverage("spend_micros", hours),
        revenue_coverage=_coverage("revenue_micros", hours),
        profit_micros=profit(revenue, sums["refunds_micros"], spend, sums["cogs_micros"]),
        roas=ratio(_decimal(attributed), _decimal(spend)),
        mer=ratio(_decimal(net), _decimal(spend)),
        cpa_micros=divided(spend, sums["attributed_orders"]),
        aov_micros=divided(revenue, orders),
        **sums,
    )


SUMMED = (
    "spend_micros",
    "revenue_micros",
    "refunds_micros",
    "cogs_micros",
    "orders",
    "attributed_orders",
    "attributed_revenue_micros",
    "new_customers",
)


def _coverage(name: str, hours: Iterable[HourOfTenant]) -> Decimal:
    known = [getattr(hour, name) is not None for hour in hours]
    return Decimal(sum(known)) / len(known) if known else Decimal(0)


def _total(name: str, hours: list[HourOfTenant]) -> int | None:
    if _coverage(name, hours) < MINIMUM_COVERAGE:
        return None
    return sum(getattr(hour, name) or 0 for hour in hours)


def _decimal(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def divided(micros: int | None, count: int | None) -> int | None:
    """The nearest whole micro of a share, halves up; over zero undefined."""
    return None if micros is None or not count else (2 * micros + count) // (2 * count)


def hourly(tenant: Tenant, start: datetime, end: datetime) -> list[HourOfTenant]:
    """Every hour of `[start, end)`, oldest first, with what is known of it."""
    spend = _spend(tenant, start, end)
    sales = _sales(tenant, start, end)
    return [
        HourOfTenant(hour, tenant.currency, spend_micros=spend.get(hour), **sales.get(hour, {}))
        for hour in hours_between(start, end)
    ]


def _spend(tenant: Tenant, start: datetime, end: datetime) -> dict[datetime, int]:
    """Spend of the hours that were read from every active ad account."""
    span = {"tenant": tenant, "hour__gte": start, "hour__lt": end}
    rows = HourlyMetric.objects.filter(**span)
    accounts = AdAccount.objects.filter(tenant=tenant, is_active=True)
    foreign = ~Q(currency=tenant.currency)
    if accounts.filter(foreign).exists() or rows.exclude(ad_account__currency=tenant.currency).exists():
        return {}
    spent = dict(rows.order_by("hour").values_list("hour").annotate(spent=Sum("spend_micros")))
    read = SyncedHour.objects.filter(**span, ad_account__is_active=True)
    wanted = accounts.count()
    counts = read.order_by("hour").values_list("hour").annotate(accounts=Count("ad_account"))
    return {hour: spent.get(hour, 0) for hour, count in counts if count == wanted}


def _sales(tenant: Tenant, start: datetime, end: datetime) -> dict[datetime, dict[str, int | None]]:
    """Orders, refunds and costs of the hours that every active store covers."""
    orders = Order.objects.filter(REVENUE, tenant=tenant, ordered_at__gte=start, ordered_at__lt=end)
    refunds = _refunds(tenant, start, end)
    foreign = refunds.exclude(order__currency=tenant.currency)
    if orders.exclude(currency=tenant.currency).exists() or foreign.exists():
        return {}
    covered = _covered(tenant, start, end)
    sold = {row.pop("at"): row for row in _by_hour(orders, "ordered_at").annotate(**ORDER_SUMS)}
    back = {row.pop("at"): row for row in _by_hour(refunds, "refunded_at").annotate(**REFUND_SUMS)}
    costs = _costs(tenant, orders)
    return {hour: _hour_of_sales(sold.get(hour, {}), back.get(hour, {}), costs.get(hour, 0)) for hour in covered}


ORDER_SUMS = {
    "count": Count("pk"),
    "total": Sum("total_micros"),
    "attributed": Count("pk", filter=Q(ad_set__isnull=False)),
    "attributed_total": Sum("total_micros", filter=Q(ad_set__isnull=False)),
    "new": Count("pk", filter=Q(is_new_customer=True)),
    "untold": Count("pk", filter=Q(is_new_customer__isnull=True)),
}
REFUND_SUMS = {
    "total": Sum("amount_micros"),
    "attributed_total": Sum("amount_micros", filter=Q(order__ad_set__isnull=False)),
}


def _by_hour(rows: Any, field: str) -> Any:
    return rows.order_by().annotate(at=TruncHour(field, tzinfo=UTC)).values("at")


def _refunds(tenant: Tenant, start: datetime, end: datetime) -> Any:
    return Refund.objects.filter(
        tenant=tenant,
        refunded_at__gte=start,
        refunded_at__lt=end,
        order__is_test=False,
        order__is_paid=True,
        order__cancelled_at__isnull=True,
    )


def _hour_of_sales(sold: dict[str, Any], back: dict[str, Any], cogs: int | None) -> dict[str, int | None]:
    attributed = (sold.get("attributed_total") or 0) - (back.get("attributed_total") or 0)
    return {
        "revenue_micros": sold.get("total") or 0,
        "refunds_micros": back.get("total") or 0,
        "cogs_micros": cogs,
        "orders": sold.get("count", 0),
        "attributed_orders": sold.get("attributed", 0),
        "attributed_revenue_micros": attributed,
        "new_customers": None if sold.get("untold") else sold.get("new", 0),
    }


def _covered(tenant: Tenant, start: datetime, end: datetime) -> list[datetime]:
    """The hours that every active store has read; none without stores or with one in another currency."""
    stores = Store.objects.filter(tenant=tenant, is_active=True)
    spans = list(StoreCoverage.objects.filter(store__in=stores).values_list("known_from", "known_to"))
    if not spans or len(spans) != stores.count() or stores.exclude(currency=tenant.currency).exists():
        return []
    low, high = max(low for low, _ in spans), min(high for _, high in spans)
    return [hour for hour in hours_between(start, end) if low <= hour and hour + HOUR <= high]


def _costs(tenant: Tenant, orders: Any) -> dict[datetime, int | None]:
    """Cost of goods by hour; unknown where a product of an order has no cost."""
    found = Revenue()
    add_costs(tenant, found, orders.values("pk"))
    costs: dict[datetime, int | None] = {}
    for (_, hour), row in found.sums.items():
        before = costs.get(hour, 0)
        costs[hour] = None if before is None or row.cost_missing else before + row.cogs_micros
    return costs

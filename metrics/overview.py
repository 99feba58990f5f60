"""What a tenant spent and earned over a span, by the hour and in sum: for the dashboard and the API.

All orders of the tenant's active stores count (`metrics.store_hours`), attributed or not. Money in micros of
the tenant's currency, where nothing is converted: an account or store in another currency makes the sum
unknown. `None` is unknown, or undefined.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Max, Q, Sum

from accounts.hours import HOUR, hour_of, hours_between
from accounts.models import AdAccount, Store, StoreKind, Tenant
from metrics.models import HourlyMetric, SyncedHour
from metrics.store_hours import added, store_hours
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

SOLD = [name for name in SUMMED if name != "spend_micros"]


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
    """Orders, refunds and costs of the hours that are known of every active store; none of them in another currency."""
    stores = list(Store.objects.filter(tenant=tenant, is_active=True, kind=StoreKind.SHOP).select_related("tenant"))
    if any(store.currency != tenant.currency for store in stores):
        return {}
    by_store = [store_hours(store, start, end) for store in stores]
    sums = {hour: added(hours[hour] for hours in by_store) for hour in hours_between(start, end)}
    return {hour: {name: getattr(sales, name) for name in SOLD} for hour, sales in sums.items() if sales is not None}

"""The account step: orders attributed to ad sets, and each hour's profit and reward stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import TruncHour

from accounts.hours import HOUR, hour_of
from accounts.models import Ad, AdSet, Store, Tenant
from metrics.attribution import AdIndex, Touch, attribute
from metrics.costs import goods_costs
from metrics.facts import REWARDS, Row, add, merge
from metrics.models import HourlyMetric, Order, OrderEdit, OrderLine, Refund, Reward
from metrics.rewards import Earned, profit_micros, reward_micros
from metrics.sync.orders import lock_store

BATCH = 500
CHUNK = 5000
SLICE = timedelta(days=1)

# Orders that are revenue: paid, real, not cancelled.
REVENUE = Q(is_paid=True, is_test=False, cancelled_at__isnull=True)


def attribute_orders(tenant: Tenant, *, since: datetime, among: Iterable[str] | None = None) -> int:
    """Join the orders since then to ad sets, or those `among` them with these external ids; returns how many changed.

    One that was redacted stays where it is.
    """
    index = ad_index(tenant)
    changed = []
    of_interest = Order.objects.filter(tenant=tenant, ordered_at__gte=since)
    if among is not None:
        of_interest = of_interest.filter(external_id__in=list(among))
    rows = of_interest.only(
        "ad_set", "attribution", "click_platform", "utm_source", "utm_campaign", "utm_content", "utm_term"
    )
    for order in rows.filter(redacted_at=None).iterator(chunk_size=2000):
        touch = Touch(order.click_platform, order.utm_source, order.utm_campaign, order.utm_content, order.utm_term)
        ad_set_id, method = attribute(touch, index)
        if (order.ad_set_id, order.attribution) != (ad_set_id, method):
            order.ad_set_id, order.attribution = ad_set_id, method
            changed.append(order)
    with transaction.atomic():
        for store in Store.objects.filter(tenant=tenant).order_by("pk") if changed else ():
            lock_store(store)
        Order.objects.bulk_update(changed, ["ad_set", "attribution"], batch_size=BATCH)
    return len(changed)


def ad_index(tenant: Tenant) -> AdIndex:
    ad_sets = AdSet.objects.filter(tenant=tenant).values_list(
        "ad_account__platform", "external_id", "campaign__external_id", "pk"
    )
    ads = Ad.objects.filter(tenant=tenant).values_list("ad_account__platform", "external_id", "ad_set_id")
    return AdIndex.build(ad_sets, ads)


@dataclass(slots=True)
class _Sum:
    orders: int = 0
    revenue_micros: int = 0
    refunds_micros: int = 0
    cogs_micros: int = 0
    cost_missing: bool = False


NOTHING = _Sum()


@dataclass(slots=True)
class Revenue:
    """Attributed revenue by (ad set, hour), for one tenant and span."""

    sums: dict[tuple[UUID, datetime], _Sum] = field(default_factory=lambda: defaultdict(_Sum))
    currencies: set[str] = field(default_factory=set)


def attributed_revenue(tenant: Tenant, start: datetime, end: datetime) -> Revenue:
    """Orders booked at order time with their cost of goods, edits and refunds at their own.

    What an edit takes off a total stands among the refunds: neither part of a reward is negative.
    """
    found = Revenue()
    orders = Order.objects.filter(
        REVENUE, tenant=tenant, ad_set__isnull=False, ordered_at__gte=start, ordered_at__lt=end
    )
    for ad_set, at, total, currency in orders.values_list("ad_set_id", "ordered_at", "total_micros", "currency"):
        row = found.sums[ad_set, hour_of(at)]
        row.orders += 1
        row.revenue_micros += total
        found.currencies.add(currency)
    for model, moment, sign in ((OrderEdit, "edited_at", 1), (Refund, "refunded_at", -1)):
        rows = booked(model, moment, start, end).filter(tenant=tenant, order__ad_set__isnull=False)
        for ad_set, at, amount, currency in rows.values_list(
            "order__ad_set_id", moment, "amount_micros", "order__currency"
        ):
            row = found.sums[ad_set, hour_of(at)]
            row.revenue_micros += max(sign * amount, 0)
            row.refunds_micros += max(-sign * amount, 0)
            found.currencies.add(currency)
    _add_costs(tenant, found, orders)
    return found


def booked(model: Any, moment: str, start: datetime, end: datetime) -> QuerySet[Any]:
    """What is booked in `[start, end)` at a time of its own, of orders that are revenue."""
    of_revenue = {"order__is_paid": True, "order__is_test": False, "order__cancelled_at": None}
    found: QuerySet[Any] = model.objects.filter(**of_revenue, **{f"{moment}__gte": start, f"{moment}__lt": end})
    return found


def _add_costs(tenant: Tenant, found: Revenue, orders: QuerySet[Order]) -> None:
    for store in Store.objects.filter(tenant=tenant):
        lines = OrderLine.objects.filter(order__in=orders.filter(store=store))
        hour = TruncHour("order__ordered_at", tzinfo=UTC)
        for key, cost in goods_costs(store, lines, ad_set=F("order__ad_set_id"), hour=hour).items():
            row = found.sums[key]
            row.cost_missing |= cost is None
            row.cogs_micros += cost or 0


def store_rewards(tenant: Tenant, *, start: datetime, as_of: datetime, end: datetime | None = None) -> int:
    """Compute the reward of each (ad set, closed hour) in `[start, end)` again; returns how many changed.

    `end` is `as_of` if it is not given. Ad sets whose account has another currency than the orders get no
    reward: there is no rate to convert. Nor do those of accounts that report no hours: what they spent in one is
    unknown.
    """
    end = end or as_of
    with transaction.atomic():
        # Two who compute the same hours do so one after the other, each from what is stored by then.
        Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
        rows = [(*key, *values) for key, values in _rewards(tenant, start, end).items()]
        is_known = Reward.objects.filter(tenant=tenant, hour__gte=start, hour__lt=end).exists()
        store = merge if is_known else add
        return store(REWARDS, rows, owner={"tenant_id": tenant.pk}, as_of=as_of - HOUR).count


def _rewards(tenant: Tenant, start: datetime, end: datetime) -> dict[tuple[UUID, datetime], Row]:
    """The values of `metrics.facts.REWARDS` by ad set and hour."""
    revenue = attributed_revenue(tenant, start, end)
    spent = HourlyMetric.objects.filter(tenant=tenant, hour__gte=start, hour__lt=end, ad_account__reports_hours=True)
    rows: dict[tuple[UUID, datetime], Row] = {}
    seen: set[tuple[UUID, datetime]] = set()
    for ad_set, hour, micros, currency in spent.values_list(
        "ad_set_id", "hour", "spend_micros", "ad_account__currency"
    ).iterator(chunk_size=CHUNK):
        seen.add((ad_set, hour))
        if revenue.currencies <= {currency}:
            rows[ad_set, hour] = _reward(tenant, micros, currency, revenue.sums.get((ad_set, hour)))
    stored = Reward.objects.filter(tenant=tenant, hour__gte=start, hour__lt=end)
    late = (set(revenue.sums) | set(stored.values_list("ad_set_id", "hour"))) - seen
    hourly = AdSet.objects.filter(pk__in={ad_set for ad_set, _ in late}, ad_account__reports_hours=True)
    currencies = dict(hourly.values_list("pk", "ad_account__currency"))
    for ad_set, hour in late:
        if ad_set in currencies and revenue.currencies <= {currencies[ad_set]}:
            rows[ad_set, hour] = _reward(tenant, 0, currencies[ad_set], revenue.sums.get((ad_set, hour)))
    return rows


def _reward(tenant: Tenant, spend: int, currency: str, found: _Sum | None) -> Row:
    row = found or NOTHING
    cogs = None if row.cost_missing else row.cogs_micros
    earned = Earned(row.orders, row.revenue_micros, row.refunds_micros, spend, cogs)
    reward = reward_micros(earned, tenant.lambda_spend_ppm)
    return (
        currency,
        row.orders,
        row.revenue_micros,
        row.refunds_micros,
        spend,
        cogs,
        profit_micros(earned),
        tenant.lambda_spend_ppm,
        reward,
    )


def account_slot(
    tenant: Tenant, *, as_of: datetime, lookback: timedelta, progress: Callable[[datetime], None] = lambda end: None
) -> None:
    """Attribution and rewards of the hours that late orders, refunds and restatements may still move.

    Rewards are stored a day at a time, the newest last; `progress` is told of the end of each.
    """
    attribute_orders(tenant, since=as_of - lookback)
    start = as_of - lookback
    while start < as_of:
        end = min(start + SLICE, as_of)
        store_rewards(tenant, start=start, end=end, as_of=as_of)
        progress(end)
        start = end

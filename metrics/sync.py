"""Pulling what happened: the ad tree, the hours that may still change, orders and refunds.

Each function is idempotent and commits in slices (an account day, a batch of orders), so a killed sync
starts again without loss or doubling. `as_of` is business time: the end of the slot that the sync is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import models, transaction

from accounts.hours import HOUR, day_bounds, hour_of, hours_between, lag_of, local_day
from accounts.models import Ad, AdAccount, AdSet, Campaign, Store
from connectors.contracts import AdPlatform, AdSetRecord, DeliveryStatus, HourRecord, OrderRecord, StorePlatform
from metrics.models import (
    HourlyMetric,
    HourlyMetricRevision,
    Order,
    OrderLine,
    Refund,
    StoreCoverage,
    SyncedHour,
)

ORDER_BATCH = 200
ORDER_OVERLAP = timedelta(minutes=10)
ATTRIBUTION_PATIENCE = timedelta(hours=48)
TEXTS = {"name": 400, "effective_status": 64, "objective": 64}
FIGURES = ("spend_micros", "impressions", "clicks", "conversions", "conversion_value_micros")

Progress = Callable[[int], None]


@dataclass(slots=True)
class SyncCounts:
    """What a sync wrote: new or changed rows, and the oldest hour whose profit they concern."""

    hours: int = 0
    orders: int = 0
    refunds: int = 0
    oldest: datetime | None = None

    def add(self, other: SyncCounts) -> None:
        self.hours += other.hours
        self.orders += other.orders
        self.refunds += other.refunds
        self.concern(other.oldest)

    def concern(self, *moments: datetime | None) -> None:
        self.oldest = min((hour_of(at) for at in (self.oldest, *moments) if at is not None), default=None)


def sync_tree(account: AdAccount, client: AdPlatform, *, as_of: datetime) -> None:
    """Mirror account, campaigns, ad sets and ads. What the platform no longer lists is marked removed."""
    before = _steered(AdSet.objects.filter(ad_account=account))
    record = client.account()
    AdAccount.objects.filter(pk=account.pk).update(
        name=record.name[:200],
        currency=record.currency,
        timezone=record.timezone,
        platform_status=record.status[:64],
        minimum_daily_budget_micros=record.minimum_daily_budget_micros,
    )
    account.refresh_from_db()
    campaigns, ad_sets, ads = list(client.campaigns()), list(client.ad_sets()), list(client.ads())
    shared = ("name", "status", "effective_status")
    budgets = ("daily_budget_micros", "lifetime_budget_micros")
    with transaction.atomic():
        campaign_ids = _mirror(Campaign, account, campaigns, (*shared, *budgets, "objective"), as_of)
        held = _steered(AdSet.objects.select_for_update(no_key=True).filter(ad_account=account))
        ad_sets = [_newest(record, before, held) for record in ad_sets]
        ad_set_ids = _mirror(
            AdSet,
            account,
            ad_sets,
            (*shared, *budgets, "in_learning"),
            as_of,
            parent=("campaign", "campaign_external_id", campaign_ids),
        )
        _mirror(Ad, account, ads, shared, as_of, parent=("ad_set", "ad_set_external_id", ad_set_ids))


Steered = dict[str, tuple[int | None, str]]


def _steered(rows: models.QuerySet[AdSet]) -> Steered:
    """Budget and status by external id: what a dispatch changes of the mirror."""
    values = rows.values_list("external_id", "daily_budget_micros", "status")
    return {external_id: (budget, status) for external_id, budget, status in values}


def _newest(record: AdSetRecord, before: Steered, held: Steered) -> AdSetRecord:
    """What was verified while the tree was being read is newer than what was read."""
    now = held.get(record.external_id)
    if now is None or now == before.get(record.external_id):
        return record
    return replace(record, daily_budget_micros=now[0], status=DeliveryStatus(now[1]))


def _mirror(
    model: type[models.Model],
    account: AdAccount,
    records: Sequence[Any],
    fields: Sequence[str],
    as_of: datetime,
    parent: tuple[str, str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Upsert the records of one level; returns external id to primary key."""
    rows = {}
    for record in records:
        values = {name: getattr(record, name) for name in fields}
        values |= {name: values[name][:limit] for name, limit in TEXTS.items() if name in values}
        if parent:
            name, key, ids = parent
            if getattr(record, key) not in ids:
                continue
            values[f"{name}_id"] = ids[getattr(record, key)]
        rows[record.external_id] = model(
            tenant_id=account.tenant_id,
            ad_account=account,
            external_id=record.external_id,
            seen_at=as_of,
            **values,
        )
    updated = [*fields, "seen_at", *([parent[0]] if parent else [])]
    model._default_manager.bulk_create(
        list(rows.values()),
        update_conflicts=True,
        unique_fields=["ad_account", "external_id"],
        update_fields=updated,
    )
    mirrored = model._default_manager.filter(ad_account=account)
    ids = dict(mirrored.values_list("external_id", "pk"))
    gone = [pk for external_id, pk in ids.items() if external_id not in rows]
    mirrored.filter(pk__in=gone).exclude(status="removed").update(status="removed")
    return ids


def sync_hours(
    account: AdAccount,
    client: AdPlatform,
    *,
    first_day: date,
    last_day: date,
    as_of: datetime,
    progress: Progress = lambda hours: None,
) -> SyncCounts:
    """Read the hours of account-local days again, one day at a time, and store what changed.

    A day is read whole, so an hour that the platform leaves out had no delivery: it is stored as zero for
    ad sets that were delivering that day, and every closed hour is marked as synced. Open hours are left.
    """
    counts = SyncCounts()
    ids = dict(AdSet.objects.filter(ad_account=account).values_list("external_id", "pk"))
    day = first_day
    while day <= last_day:
        records = [record for record in client.hours(day, day) if record.ad_set_external_id in ids]
        _store_day(account, ids, day, records, as_of, counts)
        progress(1)
        day += timedelta(days=1)
    return counts


def _store_day(
    account: AdAccount, ids: dict[str, Any], day: date, records: list[HourRecord], as_of: datetime, counts: SyncCounts
) -> None:
    start, end = day_bounds(day, account.timezone)
    closed = list(hours_between(start, min(end, hour_of(as_of - lag_of(start, account.timezone)))))
    served = {
        (ids[record.ad_set_external_id], hour_of(record.hour)): replace(record, hour=hour_of(record.hour))
        for record in records
        if hour_of(record.hour) in closed
    }
    delivering = {ad_set for ad_set, _ in served}
    with transaction.atomic():
        stored = {
            (row.ad_set_id, row.hour): row
            for row in HourlyMetric.objects.filter(ad_account=account, hour__gte=start, hour__lt=end)
        }
        delivering |= {ad_set for ad_set, _ in stored}
        wanted = {
            (ad_set, hour): HourRecord(str(ad_set), hour, 0, 0, 0, None, None)
            for ad_set in delivering
            for hour in closed
        } | served
        changed = [
            (key, record)
            for key, record in wanted.items()
            if key not in stored or any(getattr(stored[key], f) != getattr(record, f) for f in FIGURES)
        ]
        _store_hours(account, changed, as_of)
        SyncedHour.objects.bulk_create(
            [SyncedHour(tenant_id=account.tenant_id, ad_account=account, hour=hour, known_at=as_of) for hour in closed],
            update_conflicts=True,
            unique_fields=["ad_account", "hour"],
            update_fields=["known_at"],
        )
    counts.hours += len(changed)
    counts.concern(*(hour for (_, hour), _ in changed))


def _store_hours(account: AdAccount, changed: list[tuple[Any, HourRecord]], as_of: datetime) -> None:
    def values(ad_set: Any, record: HourRecord) -> dict[str, Any]:
        figures = {name: getattr(record, name) for name in FIGURES}
        return {
            "tenant_id": account.tenant_id,
            "ad_set_id": ad_set,
            "hour": record.hour,
            "known_at": as_of,
        } | figures

    current = [HourlyMetric(ad_account=account, **values(key[0], record)) for key, record in changed]
    revisions = [HourlyMetricRevision(**values(key[0], record)) for key, record in changed]
    for model, rows, unique in (
        (HourlyMetric, current, ["ad_set", "hour"]),
        (HourlyMetricRevision, revisions, ["ad_set", "hour", "known_at"]),
    ):
        model.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=unique,
            update_fields=[*FIGURES, "known_at"],
            batch_size=500,
        )


def restatement_days(account: AdAccount, as_of: datetime) -> tuple[date, date]:
    """The account-local days whose hours may still change, both inclusive."""
    today = local_day(as_of - HOUR, account.timezone)
    return today - timedelta(days=settings.RESTATEMENT_DAYS[account.platform]), today


def sync_orders(
    store: Store,
    client: StorePlatform,
    *,
    since: datetime,
    as_of: datetime,
    progress: Progress = lambda orders: None,
) -> SyncCounts:
    """Read the orders that changed since the last sync (first time: since `since`), and store them.

    Orders whose attribution was not ready are read again for two days. The coverage moves only when all
    pages have been stored.
    """
    shop = client.shop()
    Store.objects.filter(pk=store.pk).update(name=shop.name[:120], currency=shop.currency, timezone=shop.timezone)
    coverage = StoreCoverage.objects.filter(store=store).first()
    resume = coverage is not None and coverage.known_from <= since
    start = _changed_since(store, coverage.known_to, as_of) if resume and coverage else since
    counts = SyncCounts()
    records = client.orders(start, as_of)
    while batch := list(islice(records, ORDER_BATCH)):
        _store_orders(store, batch, counts)
        progress(len(batch))
    if not resume:
        StoreCoverage.objects.update_or_create(
            store=store,
            defaults={"tenant_id": store.tenant_id, "known_from": since, "known_to": as_of},
        )
    else:
        StoreCoverage.objects.filter(store=store, known_to__lt=as_of).update(known_to=as_of)
    return counts


def _changed_since(store: Store, known_to: datetime, as_of: datetime) -> datetime:
    waiting = Order.objects.filter(
        store=store, attribution_ready=False, ordered_at__gte=as_of - ATTRIBUTION_PATIENCE
    ).aggregate(first=models.Min("platform_updated_at"))["first"]
    start = known_to - ORDER_OVERLAP
    return min(start, waiting) if waiting else start


def _store_orders(store: Store, batch: Iterable[OrderRecord], counts: SyncCounts) -> None:
    records = {record.external_id: record for record in batch}
    with transaction.atomic():
        stored = {row.external_id: row for row in Order.objects.filter(store=store, external_id__in=list(records))}
        fresh = [r for r in records.values() if _is_news(r, stored.get(r.external_id))]
        Order.objects.bulk_create(
            [Order(**_order_values(store, record)) for record in fresh],
            update_conflicts=True,
            unique_fields=["store", "external_id"],
            update_fields=ORDER_FIELDS,
        )
        ids = dict(
            Order.objects.filter(store=store, external_id__in=[r.external_id for r in fresh]).values_list(
                "external_id", "pk"
            )
        )
        lines = list(_lines(store, ids, fresh))
        refunds = list(_refunds(store, ids, fresh))
        OrderLine.objects.bulk_create(
            lines,
            update_conflicts=True,
            unique_fields=["order", "external_id"],
            update_fields=["quantity", "unit_price_micros", "title"],
        )
        Refund.objects.bulk_create(
            refunds,
            update_conflicts=True,
            unique_fields=["order", "external_id"],
            update_fields=["refunded_at", "amount_micros"],
        )
    counts.orders += len(fresh)
    counts.refunds += len(refunds)
    counts.concern(*(at for record in fresh for at in _concerned(record, stored.get(record.external_id))))


def _is_news(record: OrderRecord, stored: Order | None) -> bool:
    return (
        stored is None
        or record.updated_at > stored.platform_updated_at
        or (record.updated_at == stored.platform_updated_at and record.attribution_ready > stored.attribution_ready)
    )


def _concerned(record: OrderRecord, stored: Order | None) -> Iterator[datetime]:
    """The moments whose profit this news changes: the order's own, and that of each refund since the last news."""
    if stored is None or any(getattr(stored, name) != getattr(record, name) for name in COUNTED):
        yield record.created_at
    for refund in record.refunds:
        if stored is None or refund.processed_at >= stored.platform_updated_at:
            yield refund.processed_at


COUNTED = ("cancelled_at", "is_test", "is_paid", "currency", "total_micros", "attribution_ready")
ORDER_FIELDS = [
    "ordered_at",
    "platform_updated_at",
    "cancelled_at",
    "is_test",
    "is_paid",
    "currency",
    "total_micros",
    "units",
    "is_new_customer",
    "attribution_ready",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
    "click_platform",
    "click_id",
]


def _order_values(store: Store, record: OrderRecord) -> dict[str, Any]:
    texts = {name: getattr(record, name)[:255] for name in ORDER_FIELDS if name.startswith("utm_")}
    plain = {
        name: getattr(record, name)
        for name in (
            "cancelled_at",
            "is_test",
            "is_paid",
            "currency",
            "total_micros",
            "is_new_customer",
            "attribution_ready",
            "external_id",
        )
    }
    return (
        plain
        | texts
        | {
            "tenant_id": store.tenant_id,
            "store": store,
            "ordered_at": record.created_at,
            "platform_updated_at": record.updated_at,
            "units": sum(line.quantity for line in record.lines),
            "click_platform": record.click_platform or "",
            "click_id": record.click_id[:500],
        }
    )


def _lines(store: Store, ids: dict[str, Any], records: Iterable[OrderRecord]) -> Iterator[OrderLine]:
    for record in records:
        for line in record.lines:
            yield OrderLine(
                tenant_id=store.tenant_id,
                order_id=ids[record.external_id],
                external_id=line.external_id,
                product_external_id=line.product_external_id or "",
                variant_external_id=line.variant_external_id or "",
                title=line.title[:255],
                quantity=line.quantity,
                unit_price_micros=line.unit_price_micros,
            )


def _refunds(store: Store, ids: dict[str, Any], records: Iterable[OrderRecord]) -> Iterator[Refund]:
    for record in records:
        for refund in record.refunds:
            yield Refund(
                tenant_id=store.tenant_id,
                order_id=ids[record.external_id],
                external_id=refund.external_id,
                refunded_at=refund.processed_at,
                amount_micros=refund.amount_micros,
            )

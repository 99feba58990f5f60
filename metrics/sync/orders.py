"""Orders and refunds, by what changed since the last sync."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import models, transaction

from accounts.models import Store
from connectors.store_contracts import OrderRecord, StorePlatform
from metrics.models import Order, OrderLine, Refund, StoreCoverage
from metrics.sync.counts import Progress, SyncCounts
from metrics.sync.refusals import storable

ORDER_BATCH = 200
ORDER_OVERLAP = timedelta(minutes=10)
ATTRIBUTION_PATIENCE = timedelta(hours=48)


def sync_orders(
    store: Store,
    client: StorePlatform,
    *,
    since: datetime,
    as_of: datetime,
    counts: SyncCounts | None = None,
    progress: Progress = lambda orders: None,
) -> SyncCounts:
    """Read the orders that changed since the last sync (first time: since `since`), and store them.

    Orders whose attribution was not ready are read again for two days. The coverage moves only when all
    pages have been stored. Each batch is added to `counts` as it is stored.
    """
    shop = client.shop()
    Store.objects.filter(pk=store.pk).update(name=shop.name[:120], currency=shop.currency, timezone=shop.timezone)
    coverage = StoreCoverage.objects.filter(store=store).first()
    resume = coverage is not None and coverage.known_from <= since
    start = _changed_since(store, coverage.known_to, as_of) if resume and coverage else since
    counts = SyncCounts() if counts is None else counts
    records = client.orders(start, as_of)
    while batch := list(islice(records, ORDER_BATCH)):
        with storable("orders"):
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

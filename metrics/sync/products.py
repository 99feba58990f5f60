"""Products of a store, and what they cost it from which day on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from accounts.hours import local_day
from accounts.models import Store
from connectors.store_contracts import ProductRecord, StorePlatform
from metrics.models import Product, ProductCost, SourceCoverage
from metrics.sync.coverage import batches, note
from metrics.sync.orders import lock_store
from metrics.sync.refusals import storable

PRODUCTS = "products"  # `SourceCoverage`: from when all were read to when the newest changes were
EVERY = timedelta(days=1)
WHOLE_EVERY = timedelta(days=7)  # a new cost may leave the product's own time of change as it was
OVERLAP = timedelta(minutes=10)
FIELDS = ("title", "status", "listed_at", "platform_updated_at")

PLATFORM = ProductCost.Source.PLATFORM


def sync_products(store: Store, client: StorePlatform, *, as_of: datetime) -> None:
    """Once a day: the products that changed since the last time, now and then all of them."""
    read = SourceCoverage.objects.filter(store=store, kind=PRODUCTS).first()
    if read is not None and as_of < read.known_to + EVERY:
        return
    is_whole = read is None or as_of >= read.known_from + WHOLE_EVERY
    since = None if read is None or is_whole else read.known_to - OVERLAP
    for batch in batches(client.products(since)):
        store_products(store, batch, day=local_day(as_of, store.timezone))
    note(store, PRODUCTS, as_of if read is None or is_whole else read.known_from, as_of)


def store_products(store: Store, records: Iterable[ProductRecord], *, day: date) -> None:
    """Store products as they were read on this day of the store's calendar, with the costs of their variants."""
    newest: dict[str, ProductRecord] = {}
    for record in records:
        if record.external_id not in newest or record.updated_at >= newest[record.external_id].updated_at:
            newest[record.external_id] = record
    with storable("products"), transaction.atomic():
        lock_store(store)
        stored = dict(
            Product.objects.filter(store=store, external_id__in=list(newest)).values_list(
                "external_id", "platform_updated_at"
            )
        )
        current = [r for r in newest.values() if stored.get(r.external_id, r.updated_at) <= r.updated_at]
        Product.objects.bulk_create(
            [_product(store, record) for record in current],
            update_conflicts=True,
            unique_fields=["store", "external_id"],
            update_fields=FIELDS,
        )
        _store_costs(store, current, day)


def _product(store: Store, record: ProductRecord) -> Product:
    return Product(
        tenant_id=store.tenant_id,
        store=store,
        external_id=record.external_id,
        title=record.title[:255],
        status=record.status[:32],
        listed_at=record.created_at,
        platform_updated_at=record.updated_at,
    )


class _Cost(NamedTuple):
    product: str
    variant: str
    start: date
    micros: int


def _store_costs(store: Store, records: list[ProductRecord], day: date) -> None:
    """The first cost that is read of a variant counts from the day it was listed, a change from the day it is read.

    Costs that staff entered stay; where one begins on that very day, the store's is left out.
    """
    rows = ProductCost.objects.filter(store=store, product_external_id__in=[record.external_id for record in records])
    by_platform = rows.filter(source=PLATFORM)
    known = {
        (product, variant): (start, micros)
        for product, variant, start, micros in by_platform.order_by("effective_from").values_list(
            "product_external_id", "variant_external_id", "effective_from", "unit_cost_micros"
        )
    }
    costs = [cost for record in records for cost in _costs_read(store, record, known, day)]
    for cost in costs:
        if (cost.product, cost.variant) in known and known[cost.product, cost.variant][0] == cost.start:
            same = {"product_external_id": cost.product, "variant_external_id": cost.variant}
            by_platform.filter(**same, effective_from=cost.start).update(unit_cost_micros=cost.micros)
    ProductCost.objects.bulk_create(
        [
            ProductCost(
                tenant_id=store.tenant_id,
                store=store,
                product_external_id=cost.product,
                variant_external_id=cost.variant,
                unit_cost_micros=cost.micros,
                effective_from=cost.start,
                source=PLATFORM,
            )
            for cost in costs
        ],
        ignore_conflicts=True,
    )


def _costs_read(
    store: Store, record: ProductRecord, known: dict[tuple[str, str], tuple[date, int]], day: date
) -> list[_Cost]:
    """Those of the product's costs that are news, with the day from which they count."""
    found = []
    for variant in record.variants:
        before = known.get((record.external_id, variant.external_id))
        start = day if before else local_day(record.created_at, store.timezone)
        is_news = before is None or (before[0] <= day and before[1] != variant.unit_cost_micros)
        if variant.unit_cost_micros is not None and is_news:
            found.append(_Cost(record.external_id, variant.external_id, start, variant.unit_cost_micros))
    return found

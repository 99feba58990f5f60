"""Orders with their lines, refunds and edits: each as its newest record says, in whatever order records arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import models, transaction

from accounts.clock import wall_now
from accounts.models import Store
from connectors.contracts import Platform
from connectors.hours import zone_named
from connectors.models import PrivacyRequest
from connectors.store_contracts import OrderRecord, ShopRecord, StorePlatform
from metrics.models import Order, OrderEdit, OrderLine, Refund, StoreCoverage
from metrics.sync.counts import Progress, SyncCounts
from metrics.sync.coverage import batches, cover, note, reach
from metrics.sync.refusals import storable

ORDER_OVERLAP = timedelta(minutes=10)
QUICKLY = timedelta(seconds=10)  # what changes within such a reading is left to the next
ATTRIBUTION_PATIENCE = timedelta(hours=48)
CHANGES = "orders"  # `SourceCoverage`: how far the changes of orders were read, also by a sync that was cut short

# Platforms that tell returns apart: their refunds are stored from those, and no order takes them away.
REFUNDS_FROM_RETURNS = frozenset({Platform.TIKTOK_SHOP})

PartKey = tuple[UUID, str]  # the order, and the part's own id in it


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

    How far it read is noted with each batch, and a sync that was cut short goes on there. The coverage moves only
    when all pages have been stored: an order of an hour that is read may have changed later, and stand on the
    last page. Orders whose attribution was not ready are read again for two days.
    """
    store_shop(store, client.shop())
    counts = SyncCounts() if counts is None else counts
    low, high = _read_before(store, since)
    note(store, CHANGES, low, high)
    for batch in batches(_changes(client, _changed_since(store, low, high, as_of), as_of)):
        store_records(store, batch, counts)
        reach(store, CHANGES, low, min(batch[-1].updated_at, as_of))
        progress(len(batch))
    reach(store, CHANGES, low, as_of)
    cover(store, low, as_of)
    return counts


def store_shop(store: Store, shop: ShopRecord) -> None:
    """Take over what the platform says of the shop itself. Raises `ConfigurationError` for an unknown zone."""
    zone_named(shop.timezone)
    store.name, store.currency, store.timezone = shop.name[:120], shop.currency, shop.timezone
    with storable("the shop"), transaction.atomic():
        store.save(update_fields=["name", "currency", "timezone"])


def _read_before(store: Store, since: datetime) -> tuple[datetime, datetime]:
    """The stretch of changes that begins by `since` and was read furthest: by whole syncs, or by one cut short."""
    spans: list[tuple[datetime, datetime]] = []
    for rows in (store.further_coverage.filter(kind=CHANGES), StoreCoverage.objects.filter(store=store)):
        spans += rows.filter(known_from__lte=since).values_list("known_from", "known_to")
    return max(spans, key=lambda span: span[1], default=(since, since))


def _changed_since(store: Store, low: datetime, high: datetime, as_of: datetime) -> datetime:
    waiting = Order.objects.filter(
        store=store, attribution_ready=False, redacted_at=None, ordered_at__gte=as_of - ATTRIBUTION_PATIENCE
    ).aggregate(first=models.Min("platform_updated_at"))["first"]
    start = max(low, high - ORDER_OVERLAP)
    return min(start, waiting) if waiting else start


def _changes(client: StorePlatform, start: datetime, as_of: datetime) -> Iterator[OrderRecord]:
    """The orders that changed from `start` on.

    One of the newest hour may have changed since that ended, so everything up to now is news. One that changes
    while a long list is read has left that list: what changed meanwhile is listed as well.
    """
    while True:
        end = max(as_of, wall_now())
        yield from client.orders(start, end)
        if wall_now() - end < QUICKLY:
            return
        start = end


class Part(NamedTuple):
    """Rows that belong to an order: their columns besides order and external id, and where a record has them.

    `is_dated`: booked at the time in the first column, otherwise with the order.
    """

    model: type[models.Model]
    columns: tuple[str, ...]
    of: Callable[[OrderRecord], Iterable[tuple[Any, ...]]]
    is_dated: bool


LINES = Part(
    OrderLine,
    ("product_external_id", "variant_external_id", "title", "quantity", "unit_price_micros", "discount_micros"),
    lambda record: (
        (
            line.external_id,
            line.product_external_id or "",
            line.variant_external_id or "",
            line.title[:255],
            line.quantity,
            line.unit_price_micros,
            line.discount_micros,
        )
        for line in record.lines
    ),
    is_dated=False,
)
REFUNDS = Part(
    Refund,
    ("refunded_at", "amount_micros"),
    lambda record: ((refund.external_id, refund.processed_at, refund.amount_micros) for refund in record.refunds),
    is_dated=True,
)
EDITS = Part(
    OrderEdit,
    ("edited_at", "amount_micros"),
    lambda record: ((edit.external_id, edit.edited_at, edit.amount_micros) for edit in record.edits),
    is_dated=True,
)

TEXTS = {f"utm_{name}": 255 for name in ("source", "medium", "campaign", "content", "term")} | {"click_id": 500}
SOURCE = (*TEXTS, "click_platform")
SAME = ("cancelled_at", "is_test", "is_paid", "currency", "total_micros", "is_new_customer", "attribution_ready")
ORDER_FIELDS = ("ordered_at", "platform_updated_at", "units", *SAME, *SOURCE)


def store_records(store: Store, records: Iterable[OrderRecord], counts: SyncCounts) -> None:
    """Store orders as their newest records say: what vanished from an order is removed, an older record is ignored.

    One transaction, and one writer of a store's orders at a time: whoever comes second compares with what the
    first has stored. Times of platforms are whole seconds, so of two records of one second the later to arrive
    counts. What is new or has changed is added to `counts`. Raises `MalformedReplyError` for what no row can hold.
    """
    newest: dict[str, OrderRecord] = {}
    for record in records:
        if record.external_id not in newest or _age(record) >= _age(newest[record.external_id]):
            newest[record.external_id] = record
    with storable("orders"), transaction.atomic():
        lock_store(store)
        stored = {row.external_id: row for row in Order.objects.filter(store=store, external_id__in=list(newest))}
        current = [record for record in newest.values() if not _is_older(record, stored.get(record.external_id))]
        keys, changed, moments = _store_orders(store, current, stored)
        for part in (LINES, EDITS) if store.platform in REFUNDS_FROM_RETURNS else (LINES, EDITS, REFUNDS):
            touched = _store_part(part, store, keys, {row.pk for row in stored.values()})
            changed |= {order for (order, _), _ in touched}
            moments += [at for _, at in touched]
            counts.refunds += len(dict(touched)) if part is REFUNDS else 0
    counts.orders += len(changed)
    counts.concern(*moments)


def lock_store(store: Store) -> None:
    """One writer of a store's orders and products at a time, until the transaction ends."""
    Store.objects.select_for_update(no_key=True).get(pk=store.pk)


def _age(record: OrderRecord) -> tuple[datetime, bool]:
    return record.updated_at, record.attribution_ready


def _is_older(record: OrderRecord, stored: Order | None) -> bool:
    return stored is not None and _age(record) < (stored.platform_updated_at, stored.attribution_ready)


def _store_orders(
    store: Store, records: Iterable[OrderRecord], stored: dict[str, Order]
) -> tuple[dict[UUID, OrderRecord], set[UUID], list[datetime]]:
    """The records by the keys of their orders, the keys of those that changed, and the moments that this concerns."""
    keys: dict[UUID, OrderRecord] = {}
    changed: dict[UUID, Order] = {}
    moments = []
    erased = _erased(store)
    for record in records:
        known = stored.get(record.external_id)
        values = _order_values(record, known, is_erased=record.external_id in erased)
        row = Order(tenant_id=store.tenant_id, store=store, external_id=record.external_id, **values)
        row.redacted_at = wall_now() if record.external_id in erased else None  # of a row that is new
        pk = known.pk if known else row.pk
        keys[pk] = record
        differing = {name for name in values if known is None or getattr(known, name) != values[name]}
        if differing:
            changed[pk] = row
        if differing - {"platform_updated_at"}:
            moments.append(record.created_at)
    Order.objects.bulk_create(
        changed.values(),
        update_conflicts=True,
        unique_fields=["store", "external_id"],
        update_fields=ORDER_FIELDS,
    )
    return keys, set(changed), moments


def _erased(store: Store) -> set[str]:
    """The orders of which a customer has had erased where they came from, those among them that come later too."""
    requests = PrivacyRequest.objects.filter(store=store, kind=PrivacyRequest.Kind.REDACT_CUSTOMER)
    return {order for orders in requests.values_list("orders", flat=True) for order in orders}


def _order_values(record: OrderRecord, known: Order | None, *, is_erased: bool) -> dict[str, Any]:
    """`ORDER_FIELDS` of a record. Where an order came from is not taken again once that was erased."""
    values = {name: getattr(record, name) for name in SAME}
    if known is not None and known.redacted_at is not None:
        values |= {name: getattr(known, name) for name in SOURCE}
    elif is_erased:
        values |= dict.fromkeys(SOURCE, "")
    else:
        values |= {name: getattr(record, name)[:length] for name, length in TEXTS.items()}
        values["click_platform"] = str(record.click_platform or "")
    return values | {
        "ordered_at": record.created_at,
        "platform_updated_at": record.updated_at,
        "units": sum(line.quantity for line in record.lines),
    }


def _store_part(
    part: Part, store: Store, records: dict[UUID, OrderRecord], known: set[UUID]
) -> list[tuple[PartKey, datetime]]:
    """Make the rows of these orders those of their records; returns which ones changed, and when each is booked."""
    wanted = {(pk, name): values for pk, record in records.items() for name, *values in part.of(record)}
    rows = part.model._default_manager.filter(order_id__in=[pk for pk in records if pk in known])
    held = {
        (order, name): (row, values)
        for row, order, name, *values in rows.values_list("pk", "order_id", "external_id", *part.columns)
    }
    changed = {key: values for key, values in wanted.items() if key not in held or held[key][1] != values}
    gone = {key: held[key] for key in held if key not in wanted}
    part.model._default_manager.bulk_create(
        [
            part.model(
                tenant_id=store.tenant_id,
                order_id=order,
                external_id=name,
                **dict(zip(part.columns, values, strict=True)),
            )
            for (order, name), values in changed.items()
        ],
        update_conflicts=True,
        unique_fields=["order", "external_id"],
        update_fields=part.columns,
    )
    part.model._default_manager.filter(pk__in=[row for row, _ in gone.values()]).delete()
    before = [(key, held[key][1]) for key in held if key in changed or key in gone]
    return [
        (key, values[0] if part.is_dated else records[key[0]].created_at) for key, values in (*changed.items(), *before)
    ]

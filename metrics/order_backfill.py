"""Reading a store's past orders: as one file where its platform collects such, else page by page.

Resumable after any interruption, with its progress stored. A batch is stored before `orders_read` moves, so a
worker that is killed between the two reads one batch twice, which changes nothing. Whoever works on a backfill
holds its lease, and stops when another has taken it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.clock import wall_now
from accounts.hours import hour_of
from accounts.models import Store, StoreKind
from connectors.errors import TransientError
from connectors.store_contracts import BulkOrders, BulkState, OrderRecord, StorePlatform
from metrics.accounting import attribute_orders, store_rewards
from metrics.backfill import FRESH, LEASE
from metrics.models import OrderBackfill, StoreCoverage
from metrics.sync.counts import Progress, SyncCounts
from metrics.sync.coverage import batches, cover, note, noted, reach
from metrics.sync.orders import lock_store, store_records

ASKED, RUNNING, READING = OrderBackfill.State.ASKED, OrderBackfill.State.RUNNING, OrderBackfill.State.READING
DONE, STOPPED = OrderBackfill.State.DONE, OrderBackfill.State.STOPPED
LIVING = (ASKED, RUNNING, READING)

# A file holds orders by when they were created: those of the time before may have been refunded in the span.
LATE_REFUNDS = timedelta(days=30)
PAUSE = 1.0  # seconds between two questions whether the platform has collected all
PATIENCE = timedelta(minutes=30)
DAY = timedelta(days=1)

# `SourceCoverage`: how far past orders were read where that goes by pages, and how far they are accounted.
PAGES = "past orders"
ACCOUNTED = "rewards of past orders"


def request(store: Store, created_from: datetime, created_to: datetime, *, actor: str) -> OrderBackfill:
    """The backfill of the orders created in `[created_from, created_to)`, to be run by a worker.

    One that lives, has moved lately and begins as early is carried on; another one is stopped. Raises `ValueError`
    with one clear line for a span that is none.
    """
    if created_from >= created_to:
        raise ValueError(f"expected a start before {created_to:%Y-%m-%d %H:%M} UTC, got {created_from:%Y-%m-%d %H:%M}")
    with transaction.atomic():
        lock_store(store)
        living = OrderBackfill.objects.filter(store=store, state__in=LIVING)
        fresh = living.filter(created_from__lte=created_from, updated_at__gte=wall_now() - FRESH)
        found: OrderBackfill | None = fresh.select_related("store__tenant").first()
        if found is not None:
            return found
        living.update(state=STOPPED, lease_until=None, updated_at=wall_now())
        store.further_coverage.filter(kind__in=(PAGES, ACCOUNTED)).delete()
        made: OrderBackfill = OrderBackfill.objects.create(
            tenant_id=store.tenant_id,
            store=store,
            created_from=created_from,
            created_to=created_to,
            asked_by=actor[:150],
        )
    return made


def waiting() -> QuerySet[OrderBackfill]:
    """Living backfills that nobody holds, of shops that are switched on."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=wall_now())
    stores = Store.objects.filter(is_active=True, tenant__is_active=True, kind=StoreKind.SHOP)
    return OrderBackfill.objects.filter(free, state__in=LIVING, store__in=stores)


def give_up() -> list[OrderBackfill]:
    """Stop those that failed and have not moved for a day."""
    stuck = waiting().exclude(problem="").filter(updated_at__lt=wall_now() - FRESH)
    found = list(stuck.select_related("store__tenant"))
    stuck.filter(pk__in=[row.pk for row in found]).update(state=STOPPED)
    return found


def claim(backfill_id: UUID | str) -> OrderBackfill | None:
    """Take a backfill that is waiting; `None` when there is nothing to do."""
    free = waiting().filter(pk=backfill_id)
    free.filter(lease_until__isnull=False, problem="").update(problem="the last worker did not come back")
    if not free.update(lease_until=wall_now() + LEASE):
        return None
    claimed: OrderBackfill = OrderBackfill.objects.select_related("store__credential", "store__tenant").get(
        pk=backfill_id
    )
    return claimed


def run(
    row: OrderBackfill,
    client: StorePlatform,
    *,
    counts: SyncCounts | None = None,
    progress: Progress = lambda orders: None,
    until: datetime | None = None,
) -> bool:
    """Go on with a backfill, up to `until` (wall time); whether every order is read: then `finish` it.

    It takes the lease, whoever holds it, and keeps it only when all is read. While the platform is still
    collecting, there is nothing to do. What is read is added to `counts`. Any error passes through with the
    problem noted; the backfill stays where it is, but for one that the platform has failed to collect.
    """
    row.lease_until = wall_now() + LEASE
    if not OrderBackfill.objects.filter(pk=row.pk, state__in=LIVING).update(lease_until=row.lease_until):
        row.refresh_from_db(fields=["state"])
        return False
    try:
        is_read = _is_collected(row, client) and _read(row, client, counts or SyncCounts(), progress, until)
    except Exception as error:
        release(row, problem=str(error))
        raise
    if not is_read:
        release(row, problem="")
    row.refresh_from_db(fields=["state", "orders_read", "objects_found"])
    return is_read


def run_through(
    row: OrderBackfill, client: StorePlatform, *, counts: SyncCounts, progress: Progress = lambda orders: None
) -> None:
    """Wait until the platform has collected, read all, and finish; what takes too long is left to workers."""
    deadline = wall_now() + PATIENCE
    while not run(row, client, counts=counts, progress=progress):
        if row.state != RUNNING or wall_now() >= deadline:
            raise TransientError(f"past orders are not read yet ({row.get_state_display()}): workers go on with it")
        time.sleep(PAUSE)
    finish(row)


def release(row: OrderBackfill, *, problem: str) -> None:
    """Give the lease back, if it is still held, and say why the work stopped."""
    _held(row).update(problem=problem[:300], lease_until=None)


def finish(row: OrderBackfill) -> None:
    """All is read: what is known of the store's orders begins as early as the backfill, not later than before."""
    with transaction.atomic():
        if _held(row).update(state=DONE, lease_until=None, problem="", updated_at=wall_now()):
            cover(row.store, row.created_from, min(row.created_to, _known_to(row) or row.created_to))
    row.refresh_from_db(fields=["state"])


def account(row: OrderBackfill, *, until: datetime | None = None) -> bool:
    """Attribute what was read and store the rewards again, a day at a time; whether all of them are.

    Begins no day after `until` (wall time); the next call goes on there.
    """
    store, first = row.store, hour_of(row.created_from)
    as_of = hour_of(max(row.created_to, _known_to(row) or row.created_to))
    start = noted(store, ACCOUNTED, first)
    if start is None:
        attribute_orders(store.tenant, since=first - LATE_REFUNDS)
        note(store, ACCOUNTED, first, start := first)
    while start < as_of and _renew(row):
        end = min(start + DAY, as_of)
        store_rewards(store.tenant, start=start, end=end, as_of=as_of)
        reach(store, ACCOUNTED, first, end)
        start = end
        if until is not None and wall_now() >= until:
            break
    return start >= as_of


def is_read(row: OrderBackfill) -> bool:
    """Whether only the accounting is left of it."""
    return noted(row.store, ACCOUNTED, hour_of(row.created_from)) is not None


def _known_to(row: OrderBackfill) -> datetime | None:
    found: datetime | None = StoreCoverage.objects.filter(store=row.store_id).values_list("known_to", flat=True).first()
    return found


def _held(row: OrderBackfill) -> QuerySet[OrderBackfill]:
    """The row, while it lives under the lease that was taken."""
    return OrderBackfill.objects.filter(pk=row.pk, state__in=LIVING, lease_until=row.lease_until)


def _renew(row: OrderBackfill, **values: Any) -> bool:
    """Keep the lease, with these values stored; false when it was lost meanwhile."""
    now = wall_now()
    if not _held(row).update(lease_until=now + LEASE, updated_at=now, **values):
        return False
    row.lease_until = now + LEASE
    return True


def _is_collected(row: OrderBackfill, client: StorePlatform) -> bool:
    """Ask the platform to collect, and whether it has; what needs no collecting is read at once."""
    if row.state == ASKED:
        operation = ""
        if isinstance(client, BulkOrders):
            operation = client.start_bulk_orders(row.created_from - LATE_REFUNDS, row.created_to)
        _move_to(row, RUNNING if operation else READING, operation_id=operation)
    if row.state == RUNNING and isinstance(client, BulkOrders):
        status = client.bulk_status(row.operation_id)
        if status.state is BulkState.FAILED:
            problem = f"the platform could not collect the orders: {status.problem}"
            _move_to(row, STOPPED, problem=problem[:300])
            raise TransientError(problem)
        is_done = status.state is BulkState.DONE
        _move_to(row, READING if is_done else RUNNING, objects_found=status.objects)
    return row.state == READING


def _move_to(row: OrderBackfill, state: str, **values: Any) -> None:
    if not _renew(row, state=state, **values):
        return
    row.state = state
    for name, value in values.items():
        setattr(row, name, value)


def _read(
    row: OrderBackfill, client: StorePlatform, counts: SyncCounts, progress: Progress, until: datetime | None
) -> bool:
    for batch in _batches(row, client):
        store_records(row.store, batch, counts)
        if not _renew(row, orders_read=F("orders_read") + len(batch), problem=""):
            return False
        if not row.operation_id:
            reach(row.store, PAGES, row.created_from, batch[-1].updated_at)
        progress(len(batch))
        if until is not None and wall_now() >= until:
            return False
    return True


def _batches(row: OrderBackfill, client: StorePlatform) -> Iterator[list[OrderRecord]]:
    """What is left to read. Pages come by the time of change, so they go on at a time and not at a number."""
    if row.operation_id and isinstance(client, BulkOrders):
        return batches(client.bulk_orders(row.operation_id, row.orders_read))
    start = noted(row.store, PAGES, row.created_from)
    if start is None:
        note(row.store, PAGES, row.created_from, start := row.created_from)
    return batches(client.orders(start, max(row.created_to, wall_now())))

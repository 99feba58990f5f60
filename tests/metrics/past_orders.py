"""Past orders read in a process of its own, to be killed: `python -m tests.metrics.past_orders make|run|digest`."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import django

ORDERS = 700


def make() -> None:
    """A database with one store."""
    from django.core.management import call_command

    from tests.factories import make_house

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    make_house()


def run() -> None:
    """Go on with the backfill; tells what was skipped, and each batch when it is stored."""
    from accounts.models import Store
    from accounts.scoping import all_tenants
    from connectors.store_contracts import OrderRecord
    from metrics import order_backfill
    from metrics.sync import SyncCounts, coverage
    from tests.metrics.stores import NOON, BulkShop, hourly_orders

    @dataclass
    class Slow(BulkShop):
        def bulk_orders(self, operation_id: str, skip: int = 0) -> Iterator[OrderRecord]:
            print("skipped", skip, flush=True)
            for record in BulkShop.bulk_orders(self, operation_id, skip):
                time.sleep(0.001)
                yield record

    coverage.BATCH = 20
    start = NOON - timedelta(hours=ORDERS)
    shop = Slow(hourly_orders(ORDERS))
    shop.start_bulk_orders(start - order_backfill.LATE_REFUNDS, NOON)
    with all_tenants():
        store = Store.objects.select_related("tenant").get()
        asked = order_backfill.request(store, start, NOON, actor="test")
        order_backfill.run_through(
            asked, shop, counts=SyncCounts(), progress=lambda orders: print("stored", orders, flush=True)
        )


def digest() -> None:
    from accounts.scoping import all_tenants
    from metrics.models import OrderBackfill, StoreCoverage
    from tests.metrics.stores import held

    with all_tenants():
        print(OrderBackfill.objects.get().state, StoreCoverage.objects.get().known_from.isoformat())
        print(hashlib.sha256(repr(held()).encode()).hexdigest())


if __name__ == "__main__":
    django.setup()
    {"make": make, "run": run, "digest": digest}[sys.argv[1]]()

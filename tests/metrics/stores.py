"""Stores that say what a test says, and orders as they would tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.hours import HOUR
from accounts.models import Store
from connectors.contracts import Platform
from connectors.errors import NotFoundError
from connectors.store_contracts import (
    BulkState,
    BulkStatus,
    EditRecord,
    LineRecord,
    OrderRecord,
    ProductRecord,
    RefundRecord,
    ShopRecord,
)
from metrics.models import Order, OrderEdit, OrderLine, Refund
from metrics.sync import SyncCounts, store_records

UNIT = 1_000_000
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def line(number: int = 1, quantity: int = 1, **values: Any) -> LineRecord:
    return LineRecord(f"l{number}", "p", f"v{number}", "A thing", quantity, 10 * UNIT, **values)


def refund(number: int, at: datetime, units: int) -> RefundRecord:
    return RefundRecord(f"r{number}", at, units * UNIT)


def edit(number: int, at: datetime, units: int) -> EditRecord:
    return EditRecord(f"e{number}", at, units * UNIT)


def order(name: str = "o1", at: datetime = NOON, total: int = 50, **values: Any) -> OrderRecord:
    """A paid order of one unit of one thing."""
    plain = OrderRecord(
        external_id=name,
        created_at=at,
        updated_at=at,
        cancelled_at=None,
        is_test=False,
        is_paid=True,
        currency="USD",
        total_micros=total * UNIT,
        is_new_customer=True,
        attribution_ready=True,
        utm_source="facebook",
        utm_medium="paid",
        utm_campaign="c",
        utm_content="a",
        utm_term="s",
        click_platform=Platform.META,
        click_id="click",
        lines=(line(),),
        refunds=(),
    )
    return replace(plain, **values)


def later(record: OrderRecord, hours: float = 1, **values: Any) -> OrderRecord:
    """The same order as it is after a change."""
    return replace(record, updated_at=record.updated_at + hours * HOUR, **values)


def receive(store: Store, *records: OrderRecord) -> SyncCounts:
    counts = SyncCounts()
    store_records(store, records, counts)
    return counts


def held() -> dict[str, list[tuple[Any, ...]]]:
    """Every order and what belongs to it, under the platform's own ids."""
    tables: dict[Any, tuple[str, ...]] = {
        Order: (
            "external_id",
            "ordered_at",
            "platform_updated_at",
            "cancelled_at",
            "is_paid",
            "is_test",
            "currency",
            "total_micros",
            "units",
            "is_new_customer",
            "attribution_ready",
            "utm_source",
            "utm_term",
            "click_platform",
            "click_id",
        ),
        OrderLine: (
            "order__external_id",
            "external_id",
            "product_external_id",
            "variant_external_id",
            "quantity",
            "unit_price_micros",
            "discount_micros",
        ),
        Refund: ("order__external_id", "external_id", "refunded_at", "amount_micros"),
        OrderEdit: ("order__external_id", "external_id", "edited_at", "amount_micros"),
    }
    return {model.__name__: sorted(model.objects.order_by().values_list(*names)) for model, names in tables.items()}


@dataclass
class Shop:
    """A store that reads from a list, page by page; `asked` are the spans of its orders that were asked for."""

    records: list[OrderRecord] = field(default_factory=list)
    listed: list[ProductRecord] = field(default_factory=list)
    zone: str = "America/New_York"
    currency: str = "USD"
    platform: Platform = Platform.SHOPIFY
    fails_after: int | None = None
    failure: BaseException = field(default_factory=lambda: NotFoundError("told to fail"))
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    asked_products: list[datetime | None] = field(default_factory=list)

    def shop(self) -> ShopRecord:
        return ShopRecord("1", "Shop", "shop.myshopify.com", self.currency, self.zone)

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        self.asked.append((updated_from, updated_to))
        wanted = (record for record in self.records if updated_from <= record.updated_at < updated_to)
        return self._until_failure(sorted(wanted, key=lambda record: record.updated_at))

    def orders_by_id(self, external_ids: Iterable[str]) -> Iterator[OrderRecord]:
        return (record for record in self.records if record.external_id in set(external_ids))

    def products(self, updated_from: datetime | None = None) -> Iterator[ProductRecord]:
        self.asked_products.append(updated_from)
        return iter([one for one in self.listed if updated_from is None or one.updated_at >= updated_from])

    def _until_failure(self, records: Iterable[OrderRecord]) -> Iterator[OrderRecord]:
        for number, record in enumerate(records):
            if number == self.fails_after:
                raise self.failure
            yield record


@dataclass
class BulkShop(Shop):
    """One that hands out past orders as a file, which it collects while it is asked `patience` times."""

    patience: int = 0
    state: BulkState = BulkState.DONE
    started: list[tuple[datetime, datetime]] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)

    def start_bulk_orders(self, created_from: datetime, created_to: datetime) -> str:
        if (created_from, created_to) not in self.started:
            self.started.append((created_from, created_to))
        return f"operation {self.started.index((created_from, created_to))}"

    def bulk_status(self, operation_id: str) -> BulkStatus:
        self.patience -= 1
        if self.patience >= 0:
            return BulkStatus(BulkState.RUNNING, objects=1)
        problem = "TIMEOUT" if self.state is BulkState.FAILED else ""
        return BulkStatus(self.state, objects=len(self.records), url="https://file", problem=problem)

    def bulk_orders(self, operation_id: str, skip: int = 0) -> Iterator[OrderRecord]:
        self.skipped.append(skip)
        low, high = self.started[int(operation_id.split()[1])]
        return self._until_failure([r for r in self.records if low <= r.created_at < high][skip:])


def hourly_orders(count: int, *, end: datetime = NOON) -> list[OrderRecord]:
    """An order an hour up to `end`, oldest first; every fourth is refunded in part two hours after it."""
    found = []
    for number in range(count):
        at = end - (count - number) * HOUR + timedelta(minutes=10)
        back = (refund(1, at + 2 * HOUR, 5),) if number % 4 == 0 else ()
        found.append(order(f"o{number:05}", at, 20 + number % 7, refunds=back, updated_at=at + timedelta(minutes=3)))
    return found

"""A store that serves the orders that a test says by their ids, and deliveries about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from accounts.hours import HOUR
from accounts.models import Store
from accounts.scoping import all_tenants
from connectors.models import Delivery
from connectors.store_contracts import OrderRecord, ShopRecord
from tests.factories import SLOT
from tests.metrics import stores

_number = count(1)


def gid(number: int) -> str:
    return f"gid://shopify/Order/{number}"


def order(number: int, *, at: datetime = SLOT - 2 * HOUR, version: int = 0, **changes: Any) -> OrderRecord:
    """An order of 100; each version is a minute younger than the one before."""
    return stores.order(gid(number), at, 100, updated_at=at + timedelta(minutes=version), **changes)


@dataclass
class ServedShop(stores.Shop):
    """Serves by id what it was told last; `refusal` is raised, `asked_ids` are the questions."""

    served: dict[str, OrderRecord] = field(default_factory=dict)
    refusal: BaseException | None = None
    asked_ids: list[list[str]] = field(default_factory=list)

    def serve(self, *records: OrderRecord) -> None:
        self.served |= {record.external_id: record for record in records}

    def shop(self) -> ShopRecord:
        if self.refusal:
            raise self.refusal
        return super().shop()

    def orders_by_id(self, external_ids: Iterable[str]) -> Iterator[OrderRecord]:
        self.asked_ids.append(list(external_ids))
        if self.refusal:
            raise self.refusal
        yield from (self.served[name] for name in self.asked_ids[-1] if name in self.served)


def deliver(store: Store, topic: str, resource: str = "", **values: Any) -> Delivery:
    """A delivery in the inbox of the store."""
    number = next(_number)
    with all_tenants():
        row: Delivery = Delivery.objects.create(
            tenant_id=store.tenant_id,
            store=store,
            topic=topic,
            webhook_id=f"w{number}",
            body_sha256=f"{number:064}",
            resource=resource,
            **values,
        )
    return row

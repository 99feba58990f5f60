"""A TikTok Shop as rows, and one that answers what a test says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from accounts.models import Credential, Store, StoreKind
from accounts.scoping import all_tenants
from connectors.contracts import Platform
from connectors.errors import ConnectorError
from connectors.store_contracts import (
    AffiliateRecord,
    LineRecord,
    OrderRecord,
    PaymentRecord,
    ProductRecord,
    ReturnRecord,
    ShopDayRecord,
    ShopHealthRecord,
    ShopHourRecord,
    ShopRecord,
    StatementRecord,
)
from metrics.models import Order, SourceCoverage, StoreCoverage
from tests.factories import AS_OF, House

MICROS = 1_000_000
DAY = timedelta(days=1)


def make_shop(house: House, external_id: str = "7495", *, kind: str = StoreKind.SHOP, **values: Any) -> Store:
    """A shop, or a creator, in New York that sells in dollars."""
    with all_tenants():
        credential = Credential.objects.create(tenant=house.tenant, platform="tiktok_shop", label="shop")
        usual = {"name": "Tok", "currency": "USD", "timezone": "America/New_York", "region": "US"}
        usual |= {"seller_type": "LOCAL"} if kind == StoreKind.SHOP else {}
        store: Store = Store.objects.create(
            tenant=house.tenant,
            platform=Platform.TIKTOK_SHOP,
            external_id=external_id,
            credential=credential,
            kind=kind,
            **{**usual, **values},
        )
    return store


def cover(store: Store, *kinds: str, low: datetime = AS_OF - 90 * DAY, high: datetime = AS_OF) -> None:
    """The store's orders ("" among the kinds) and further kinds are known."""
    span = {"tenant_id": store.tenant_id, "known_from": low, "known_to": high}
    with all_tenants():
        for kind in kinds:
            if kind:
                SourceCoverage.objects.update_or_create(store=store, kind=kind, defaults=span)
            else:
                StoreCoverage.objects.update_or_create(store=store, defaults=span)


def sell(store: Store, external_id: str, at: datetime, dollars: int = 100, **values: Any) -> Order:
    with all_tenants():
        row: Order = Order.objects.create(
            tenant_id=store.tenant_id,
            store=store,
            external_id=external_id,
            ordered_at=at,
            platform_updated_at=at,
            attribution_ready=True,
            **{
                "is_paid": True,
                "currency": store.currency,
                "total_micros": dollars * MICROS,
                "units": 1,
                **values,
            },
        )
    return row


def order_record(external_id: str, at: datetime, dollars: int = 100, currency: str = "USD") -> OrderRecord:
    line = LineRecord("1", "p", "v", "Thing", 1, dollars * MICROS)
    return OrderRecord(
        external_id=external_id,
        created_at=at,
        updated_at=at,
        cancelled_at=None,
        is_test=False,
        is_paid=True,
        currency=currency,
        total_micros=dollars * MICROS,
        is_new_customer=None,
        attribution_ready=True,
        utm_source="",
        utm_medium="",
        utm_campaign="",
        utm_content="",
        utm_term="",
        click_platform=None,
        click_id="",
        lines=(line,),
        refunds=(),
    )


def statement_record(external_id: str, at: datetime, **values: Any) -> StatementRecord:
    usual = StatementRecord(external_id, at, "USD", "PAID", "pay1", 80 * MICROS, None, 100 * MICROS, 20 * MICROS, 0, 0)
    return usual._replace(**values)


def payment_record(external_id: str, at: datetime, **values: Any) -> PaymentRecord:
    return PaymentRecord(external_id, at, at + DAY, "PAID", "USD", 80 * MICROS)._replace(**values)


def affiliate_record(order: str, at: datetime, **values: Any) -> AffiliateRecord:
    usual = AffiliateRecord(
        order_external_id=order,
        sku_external_id="sku",
        created_at=at,
        status="SETTLED",
        content_type="VIDEO",
        quantity=1,
        currency="USD",
        sales_micros=100 * MICROS,
        commission_rate_ppm=150_000,
        estimated_micros=15 * MICROS,
        commission_micros=15 * MICROS,
        creator="ann",
    )
    return usual._replace(**values)


def return_record(external_id: str, order: str, at: datetime, **values: Any) -> ReturnRecord:
    usual = ReturnRecord(
        external_id=external_id,
        order_external_id=order,
        created_at=at - DAY,
        updated_at=at,
        status="RETURN_OR_REFUND_REQUEST_COMPLETE",
        is_refunded=True,
        currency="USD",
        amount_micros=100 * MICROS,
        units=1,
    )
    return usual._replace(**values)


@dataclass
class Tok:
    """Answers with what a test has put in place; `asked` notes each question, `broken` what fails instead."""

    told: dict[str, list[Any]] = field(default_factory=dict)
    rating: ShopHealthRecord | None = None
    broken: dict[str, ConnectorError] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    platform: Platform = Platform.TIKTOK_SHOP

    def questions(self, name: str) -> list[tuple[Any, ...]]:
        return [question[1:] for question in self.asked if question[0] == name]

    def _answer(self, name: str, moment: str, *span: Any) -> Iterator[Any]:
        self.asked.append((name, *span))
        if name in self.broken:
            raise self.broken[name]
        low, high = span
        yield from (record for record in self.told.get(name, ()) if low <= getattr(record, moment) < high)

    def statements(self, start: datetime, end: datetime) -> Iterator[StatementRecord]:
        return self._answer("statements", "statement_at", start, end)

    def payments(self, start: datetime, end: datetime) -> Iterator[PaymentRecord]:
        return self._answer("payments", "created_at", start, end)

    def affiliate_orders(self, start: datetime, end: datetime) -> Iterator[AffiliateRecord]:
        return self._answer("affiliate", "created_at", start, end)

    commissions = affiliate_orders

    def returns(self, updated_from: datetime, updated_to: datetime) -> Iterator[ReturnRecord]:
        return self._answer("returns", "updated_at", updated_from, updated_to)

    def shop_hours(self, day: date) -> list[ShopHourRecord]:
        self.asked.append(("hours", day))
        if "hours" in self.broken:
            raise self.broken["hours"]
        return [record for record in self.told.get("hours", ()) if record.hour.astimezone(UTC).date() == day]

    def shop_days(self, first_day: date, last_day: date) -> Iterator[ShopDayRecord]:
        return self._answer("days", "day", first_day, last_day + DAY)

    def health(self) -> ShopHealthRecord | None:
        self.asked.append(("health",))
        return self.rating

    def orders_by_id(self, external_ids: Iterable[str]) -> Iterator[OrderRecord]:
        wanted = list(external_ids)
        self.asked.append(("orders_by_id", *wanted))
        yield from (record for record in self.told.get("orders", ()) if record.external_id in wanted)

    def shop(self) -> ShopRecord:
        raise NotImplementedError

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        raise NotImplementedError

    def products(self, updated_from: datetime | None = None) -> Iterator[ProductRecord]:
        raise NotImplementedError

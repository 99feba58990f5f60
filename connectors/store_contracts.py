"""What stores tell, as records, and what a connector of a store can do. As in `connectors.contracts`: money in
integer micros, times in aware UTC, ids as strings, `None` for "the platform did not say"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from connectors.contracts import Platform


@dataclass(frozen=True, slots=True)
class ShopRecord:
    """A shop. `domain` is Shopify's; `region` and `seller_type` are TikTok Shop's own words."""

    external_id: str
    name: str
    domain: str
    currency: str
    timezone: str
    region: str = ""
    seller_type: str = ""


@dataclass(frozen=True, slots=True)
class LineRecord:
    """One line of an order at order time; `discount_micros` is what all discounts took off the whole line."""

    external_id: str
    product_external_id: str | None
    variant_external_id: str | None
    title: str
    quantity: int
    unit_price_micros: int
    discount_micros: int = 0


@dataclass(frozen=True, slots=True)
class RefundRecord:
    """A refund, booked at its own date, never netted from the order."""

    external_id: str
    processed_at: datetime
    amount_micros: int


@dataclass(frozen=True, slots=True)
class EditRecord:
    """A change of an order's total after order time, booked at its own date: positive adds revenue."""

    external_id: str
    edited_at: datetime
    amount_micros: int


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order at order time: `total_micros` is the total before refunds and edits.

    `is_paid` is true for paid, partially paid and later refunded orders. `is_new_customer` and the
    attribution fields are unknown (`None`, `""`) until the platform has them; `attribution_ready` says so.
    A platform that tells returns apart (`ReturnRecord`) leaves `refunds` empty.
    """

    external_id: str
    created_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None
    is_test: bool
    is_paid: bool
    currency: str
    total_micros: int
    is_new_customer: bool | None
    attribution_ready: bool
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_content: str
    utm_term: str
    click_platform: Platform | None
    click_id: str
    lines: tuple[LineRecord, ...]
    refunds: tuple[RefundRecord, ...]
    edits: tuple[EditRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class VariantRecord:
    """`unit_cost_micros` is in the shop's currency; `None` where the shop keeps none."""

    external_id: str
    title: str
    sku: str
    price_micros: int | None
    unit_cost_micros: int | None


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product; `status` is the platform's own word, in lower case."""

    external_id: str
    title: str
    status: str
    created_at: datetime
    updated_at: datetime
    variants: tuple[VariantRecord, ...]


class StorePlatform(Protocol):
    platform: Platform

    def shop(self) -> ShopRecord: ...

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        """Orders updated in `[updated_from, updated_to)`, ascending by `updated_at`."""
        ...

    def orders_by_id(self, external_ids: Iterable[str]) -> Iterator[OrderRecord]:
        """These orders as they are now; one that does not exist (any more) is left out."""
        ...

    def products(self, updated_from: datetime | None = None) -> Iterator[ProductRecord]:
        """Products that changed since then, or all."""
        ...


class BulkState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BulkStatus:
    """How a bulk operation stands. `url` is "" while it runs and for an empty result; `problem` why it failed."""

    state: BulkState
    objects: int = 0
    url: str = ""
    problem: str = ""


@runtime_checkable
class BulkOrders(Protocol):
    """A store that hands out its past orders as one file."""

    def start_bulk_orders(self, created_from: datetime, created_to: datetime) -> str:
        """The id of an operation that collects the orders created in `[created_from, created_to)`.

        It is found again where one for the same span is still running or done. Raises `RateLimitedError` where
        the platform runs as many as it will.
        """
        ...

    def bulk_status(self, operation_id: str) -> BulkStatus: ...

    def bulk_orders(self, operation_id: str, skip: int = 0) -> Iterator[OrderRecord]:
        """The orders of a finished operation in the file's own order, streamed; the first `skip` are left out."""
        ...


@runtime_checkable
class Subscribing(Protocol):
    """A store that pushes news to an address."""

    def subscribe(self, address: str) -> int:
        """See to it that every topic that we need is pushed there, and none twice; returns how many were changed."""
        ...


class StatementRecord(NamedTuple):
    """A daily settlement statement. Amounts that the region does not have are `None`; they may be negative."""

    external_id: str
    statement_at: datetime
    currency: str
    status: str
    payment_external_id: str
    settlement_micros: int
    revenue_micros: int | None
    net_sales_micros: int | None
    fee_micros: int | None
    adjustment_micros: int | None
    shipping_cost_micros: int | None


class PaymentRecord(NamedTuple):
    """Money sent to the seller's bank. The account's number is not read."""

    external_id: str
    created_at: datetime
    paid_at: datetime | None
    status: str
    currency: str
    amount_micros: int


class AffiliateRecord(NamedTuple):
    """One SKU of an order that a creator brought: seller's side and creator's side have the same shape.

    `commission_micros` is what was paid, `None` until it is settled; `estimated_micros` what is expected.
    `creator` is the creator's public name (seller's side), `shop_name` the shop's (creator's side).
    """

    order_external_id: str
    sku_external_id: str
    created_at: datetime
    status: str
    content_type: str
    quantity: int
    currency: str
    sales_micros: int
    commission_rate_ppm: int | None
    estimated_micros: int | None
    commission_micros: int | None
    creator: str = ""
    shop_name: str = ""


class ReturnRecord(NamedTuple):
    """A return or refund request. `amount_micros` is what the buyer gets back, `is_refunded` whether that is final."""

    external_id: str
    order_external_id: str
    created_at: datetime
    updated_at: datetime
    status: str
    is_refunded: bool
    currency: str
    amount_micros: int
    units: int


class ShopHourRecord(NamedTuple):
    """One hour of the shop by the platform's own statistics: a cross-check, not a source of revenue."""

    hour: datetime
    currency: str
    gmv_micros: int
    orders: int
    visitors: int | None
    customers: int | None


class ShopDayRecord(NamedTuple):
    """One local day of the shop by the platform's own statistics; unknown parts are `None`."""

    day: date
    currency: str
    gmv_micros: int
    orders: int
    units: int | None
    visitors: int | None
    affiliate_gmv_micros: int | None


class ShopHealthRecord(NamedTuple):
    """How the platform rates a shop: `score_ppm` of 5.0 is 5,000,000; rates and percentages in millionths of 1.

    `dimensions` and `metrics` are the platform's own names with score (ppm) and, for a metric, value and unit.
    """

    evaluated_at: datetime
    score_ppm: int | None
    tier: str
    dimensions: tuple[tuple[str, int], ...]
    metrics: tuple[tuple[str, int | None, int | None, str], ...]


@runtime_checkable
class Marketplace(Protocol):
    """A shop on TikTok Shop beyond its orders. Times are of creation, half-open, unless said otherwise."""

    def statements(self, start: datetime, end: datetime) -> Iterator[StatementRecord]: ...

    def payments(self, start: datetime, end: datetime) -> Iterator[PaymentRecord]: ...

    def affiliate_orders(self, start: datetime, end: datetime) -> Iterator[AffiliateRecord]: ...

    def returns(self, updated_from: datetime, updated_to: datetime) -> Iterator[ReturnRecord]: ...

    def shop_hours(self, day: date) -> list[ShopHourRecord]:
        """The hours of a local day (in the shop's zone) that have ended."""
        ...

    def shop_days(self, first_day: date, last_day: date) -> Iterator[ShopDayRecord]: ...

    def health(self) -> ShopHealthRecord | None:
        """`None` where the platform does not rate shops of this region, or not yet."""
        ...


@runtime_checkable
class CreatorPlatform(Protocol):
    """A creator's own connection: commissions, no shop."""

    def commissions(self, start: datetime, end: datetime) -> Iterator[AffiliateRecord]: ...

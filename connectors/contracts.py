"""The records that cross the border between a platform and Bursar, and what a connector can do.

Records are frozen and already normalised: money in integer micros, times in aware UTC, ids as strings,
`None` for "the platform did not say". Every method may raise the errors of `connectors.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol


class Platform(StrEnum):
    META = "meta"
    TIKTOK = "tiktok"
    SHOPIFY = "shopify"
    TIKTOK_SHOP = "tiktok_shop"


class DeliveryStatus(StrEnum):
    """What a person configured; the platform's own effective status is kept as its text beside it."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An ad account. `minimum_daily_budget_micros` is the platform's floor for one ad set per day."""

    external_id: str
    name: str
    currency: str
    timezone: str
    status: str
    minimum_daily_budget_micros: int | None


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    external_id: str
    name: str
    status: DeliveryStatus
    effective_status: str
    objective: str
    daily_budget_micros: int | None
    lifetime_budget_micros: int | None


@dataclass(frozen=True, slots=True)
class AdSetRecord:
    """An ad set (TikTok: ad group). Budgets are `None` when the campaign carries the budget."""

    external_id: str
    campaign_external_id: str
    name: str
    status: DeliveryStatus
    effective_status: str
    daily_budget_micros: int | None
    lifetime_budget_micros: int | None
    in_learning: bool | None


@dataclass(frozen=True, slots=True)
class AdRecord:
    external_id: str
    ad_set_external_id: str
    name: str
    status: DeliveryStatus
    effective_status: str


@dataclass(frozen=True, slots=True)
class HourRecord:
    """One ad set's figures for the hour that starts at `hour` (UTC). Unknown figures are `None`, never 0."""

    ad_set_external_id: str
    hour: datetime
    spend_micros: int
    impressions: int
    clicks: int
    conversions: int | None
    conversion_value_micros: int | None


@dataclass(frozen=True, slots=True)
class ShopRecord:
    external_id: str
    name: str
    domain: str
    currency: str
    timezone: str


@dataclass(frozen=True, slots=True)
class LineRecord:
    external_id: str
    product_external_id: str | None
    variant_external_id: str | None
    title: str
    quantity: int
    unit_price_micros: int


@dataclass(frozen=True, slots=True)
class RefundRecord:
    """A refund, booked at its own date, never netted from the order."""

    external_id: str
    processed_at: datetime
    amount_micros: int


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order at order time: `total_micros` is the total before refunds and edits.

    `is_paid` is true for paid, partially paid and later refunded orders. `is_new_customer` and the
    attribution fields are unknown (`None`, `""`) until the platform has them; `attribution_ready` says so.
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


class AdPlatform(Protocol):
    """An ad account on a platform. The three `set_*` and `read_*` methods carry the dispatch protocol."""

    platform: Platform

    def account(self) -> AccountRecord: ...

    def campaigns(self) -> Iterator[CampaignRecord]: ...

    def ad_sets(self) -> Iterator[AdSetRecord]: ...

    def ads(self) -> Iterator[AdRecord]: ...

    def hours(self, first_day: date, last_day: date) -> Iterator[HourRecord]:
        """Hourly figures of every ad set for account-local days, both inclusive, in ascending days.

        Hours without delivery may be absent: the platforms leave them out.
        """
        ...

    def read_ad_set(self, external_id: str) -> AdSetRecord:
        """The ad set as the platform holds it now (never cached)."""
        ...

    def set_daily_budget(self, external_id: str, budget_micros: int) -> None:
        """Send exactly one write request. Returns when the platform accepted it; see `connectors.errors`.

        Raises `ConfigurationError` before sending when the amount cannot be represented exactly.
        """
        ...

    def set_status(self, external_id: str, status: DeliveryStatus) -> None:
        """Send exactly one write request that pauses or enables the ad set."""
        ...


class StorePlatform(Protocol):
    platform: Platform

    def shop(self) -> ShopRecord: ...

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        """Orders updated in `[updated_from, updated_to)`, ascending by `updated_at`."""
        ...

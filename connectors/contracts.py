"""The records that cross the border between an ad platform and Bursar, and what its connector can do.

Records are frozen and already normalised: money in integer micros, times in aware UTC, ids as strings,
`None` for "the platform did not say". Every method may raise the errors of `connectors.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol


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


class Level(StrEnum):
    """Where in the ad tree an object stands."""

    CAMPAIGN = "campaign"
    AD_SET = "ad_set"
    AD = "ad"


class Family(StrEnum):
    """Which of a platform's families of endpoints speaks for an object.

    TikTok answers for Smart+ and GMV Max campaigns at endpoints of their own. A GMV Max campaign has no ad
    groups: it is kept as a campaign with one ad set of the same id, so that its spend has a place.
    """

    STANDARD = "standard"
    SMART_PLUS = "smart_plus"
    GMV_MAX = "gmv_max"


class BidStrategy(StrEnum):
    LOWEST_COST = "lowest_cost"
    BID_CAP = "bid_cap"
    COST_CAP = "cost_cap"
    MINIMUM_ROAS = "minimum_roas"


@dataclass(frozen=True, slots=True)
class Bid:
    """How a campaign or ad set bids: an amount for the two caps, a ratio in millionths for a minimum ROAS."""

    strategy: BidStrategy
    amount_micros: int | None = None
    roas_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What a read or a write of one object names."""

    level: Level
    external_id: str
    family: Family = Family.STANDARD


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An ad account. `minimum_daily_budget_micros` is the platform's floor for one ad set per day.

    `spend_cap_micros` is the platform's own cap on the account's whole life (`None`: there is none);
    `reports_hours` is false where the platform gives this account daily figures only.
    """

    external_id: str
    name: str
    currency: str
    timezone: str
    status: str
    minimum_daily_budget_micros: int | None
    spend_cap_micros: int | None = None
    spent_micros: int | None = None
    reports_hours: bool = True


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    external_id: str
    name: str
    status: DeliveryStatus
    effective_status: str
    objective: str
    daily_budget_micros: int | None
    lifetime_budget_micros: int | None
    bid: Bid | None = None
    family: Family = Family.STANDARD
    store_external_id: str = ""


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
    bid: Bid | None = None
    family: Family = Family.STANDARD

    @property
    def target(self) -> Target:
        return Target(Level.AD_SET, self.external_id, self.family)


@dataclass(frozen=True, slots=True)
class AdRecord:
    external_id: str
    ad_set_external_id: str
    name: str
    status: DeliveryStatus
    effective_status: str
    creative_external_id: str = ""
    family: Family = Family.STANDARD


@dataclass(frozen=True, slots=True)
class CreativeRecord:
    """What an ad shows. `format` is the platform's own word; texts are the platform's, hostile as all texts."""

    external_id: str
    name: str
    format: str
    title: str
    body: str
    call_to_action: str
    link: str


class HourRecord(NamedTuple):
    """One ad set's figures for the hour that starts at `hour` (UTC). Unknown figures are `None`, never 0.

    `conversions` are purchases that the platform claims; `leads` is what counts for the campaign's objective.
    """

    ad_set_external_id: str
    hour: datetime
    spend_micros: int
    impressions: int
    clicks: int
    conversions: int | None
    conversion_value_micros: int | None
    leads: int | None = None


@dataclass(frozen=True, slots=True)
class PurchaseRecord:
    """Purchases that the platform claims by one attribution window, such as "7d_click"; `value_micros` in all."""

    window: str
    count: int
    value_micros: int | None


@dataclass(frozen=True, slots=True)
class AdDayRecord:
    """One ad's figures for one day of the account's own calendar."""

    ad_external_id: str
    ad_set_external_id: str
    day: date
    spend_micros: int
    impressions: int
    clicks: int
    leads: int | None
    purchases: tuple[PurchaseRecord, ...]


Held = CampaignRecord | AdSetRecord | AdRecord


class AdPlatform(Protocol):
    """An ad account on a platform.

    A write sends exactly one request that changes something, reads the object back, and returns what the
    platform then holds; whether that is what was asked for is the caller's to compare. It raises
    `ConfigurationError` before sending what the platform cannot hold exactly or is below its floor,
    `RateLimitedError` or `NotSentError` when nothing was applied, `RefusedError` when the platform said no,
    and `OutcomeUnknownError` when that is unclear (`UnverifiedError`: accepted, but not read back).
    """

    platform: Platform

    def account(self) -> AccountRecord: ...

    def campaigns(self) -> Iterator[CampaignRecord]: ...

    def ad_sets(self) -> Iterator[AdSetRecord]: ...

    def ads(self) -> Iterator[AdRecord]: ...

    def creatives(self) -> Iterator[CreativeRecord]: ...

    def hours(self, first_day: date, last_day: date) -> Iterator[HourRecord]:
        """Hourly figures of every ad set for account-local days, both inclusive, in ascending days.

        Hours without delivery may be absent: the platforms leave them out.
        """
        ...

    def ad_days(self, first_day: date, last_day: date) -> Iterator[AdDayRecord]:
        """Daily figures of every ad, with its purchases by attribution window; days without delivery are absent."""
        ...

    def read(self, target: Target) -> Held:
        """The object as the platform holds it now (never cached)."""
        ...

    def guard_writes(self, may_write: Callable[[], bool]) -> None:
        """Ask this at the last moment before a write leaves; when it says no, nothing is sent: `NotSentError`."""
        ...

    def set_daily_budget(self, target: Target, budget_micros: int) -> Held: ...

    def set_lifetime_budget(self, target: Target, budget_micros: int) -> Held: ...

    def set_status(self, target: Target, status: DeliveryStatus) -> Held: ...

    def set_bid(self, target: Target, bid: Bid) -> Held: ...

    def set_target_roi(self, target: Target, roas_ppm: int) -> Held:
        """The return that a GMV Max campaign aims at, in millionths; elsewhere a `ConfigurationError`."""
        ...

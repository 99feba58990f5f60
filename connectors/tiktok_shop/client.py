"""A TikTok Shop and a creator as Bursar sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from connectors.contracts import Platform
from connectors.store_contracts import (
    AffiliateRecord,
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


class TikTokShop:
    """One shop. `cipher` names it in requests; `timezone` is its own calendar's; others are of the transport."""

    platform = Platform.TIKTOK_SHOP

    def __init__(
        self,
        *,
        base_url: str,
        app_key: str,
        app_secret: str,
        access_token: str,
        shop_id: str,
        cipher: str,
        timezone: str,
        **transport: Any,
    ) -> None:
        raise NotImplementedError

    def shop(self) -> ShopRecord:
        raise NotImplementedError

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        raise NotImplementedError

    def orders_by_id(self, external_ids: Iterable[str]) -> Iterator[OrderRecord]:
        raise NotImplementedError

    def products(self, updated_from: datetime | None = None) -> Iterator[ProductRecord]:
        raise NotImplementedError

    def subscribe(self, address: str) -> int:
        raise NotImplementedError

    def statements(self, start: datetime, end: datetime) -> Iterator[StatementRecord]:
        raise NotImplementedError

    def payments(self, start: datetime, end: datetime) -> Iterator[PaymentRecord]:
        raise NotImplementedError

    def affiliate_orders(self, start: datetime, end: datetime) -> Iterator[AffiliateRecord]:
        raise NotImplementedError

    def returns(self, updated_from: datetime, updated_to: datetime) -> Iterator[ReturnRecord]:
        raise NotImplementedError

    def shop_hours(self, day: date) -> list[ShopHourRecord]:
        raise NotImplementedError

    def shop_days(self, first_day: date, last_day: date) -> Iterator[ShopDayRecord]:
        raise NotImplementedError

    def health(self) -> ShopHealthRecord | None:
        raise NotImplementedError


class TikTokCreator:
    """A creator: commissions only."""

    platform = Platform.TIKTOK_SHOP

    def __init__(self, *, base_url: str, app_key: str, app_secret: str, access_token: str, **transport: Any) -> None:
        raise NotImplementedError

    def commissions(self, start: datetime, end: datetime) -> Iterator[AffiliateRecord]:
        raise NotImplementedError

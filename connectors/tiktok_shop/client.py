"""A TikTok Shop and a creator as Bursar sees them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from itertools import islice
from typing import Any, TypeVar

from connectors.contracts import Platform
from connectors.errors import ConfigurationError, NotFoundError, TransientError
from connectors.fields import Row, digits, identifier, rows, text
from connectors.hours import spans, zone_named
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
from connectors.tiktok_shop import parse, performance, webhooks
from connectors.tiktok_shop.api import Api
from connectors.tiktok_shop.regions import RATED, WITHOUT_PAYMENTS, region_of

SHOPS = "/authorization/202309/shops"
PAGE_SIZE = 100
SMALL_PAGE_SIZE = 50  # where the largest is not documented
IDS_AT_ONCE = 50
LISTING_ATTEMPTS = 100
SETTLING = timedelta(minutes=1)  # by more than TikTok lets a clock be ahead of its own
LONGEST_WINDOW = timedelta(days=89)  # "must not exceed three months": the shortest three have so many days
DAYS_PER_REPORT = 30
HOURS_KEPT = timedelta(days=30)  # "within the last 30 days, including today"
BY_UPDATE = {"sort_field": "update_time", "sort_order": "ASC"}

Changing = TypeVar("Changing", OrderRecord, ReturnRecord)


class TikTokShop:
    """One shop. `cipher` names it in requests; `timezone` is its own calendar's ("": the usual one of its region);
    others are of the transport."""

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
        self._shop_id, self._timezone = shop_id, timezone
        self._api = Api(
            base_url=base_url,
            app_key=app_key,
            app_secret=app_secret,
            access_token=access_token,
            cipher=cipher,
            **transport,
        )

    def shop(self) -> ShopRecord:
        """Raises `NotFoundError` where the token does not open it, `UnsupportedRegionError` for its market."""
        for source in authorised_shops(self._api):
            if identifier(source, "id") == self._shop_id:
                code = text(source, "region", 16)
                region = region_of(code)
                return ShopRecord(
                    external_id=self._shop_id,
                    name=text(source, "name"),
                    domain="",
                    currency=region.currency,
                    timezone=self._timezone or region.timezone,
                    region=code,
                    seller_type=text(source, "seller_type", 32),
                )
        raise NotFoundError("tiktok shop: the login does not open this shop", platform=Platform.TIKTOK_SHOP)

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        return self._changed("/order/202309/orders/search", "orders", PAGE_SIZE, parse.order, updated_from, updated_to)

    def orders_by_id(self, external_ids: Iterable[str]) -> Iterator[OrderRecord]:
        ids = iter(dict.fromkeys(digits(one, Platform.TIKTOK_SHOP) for one in external_ids))
        while chunk := list(islice(ids, IDS_AT_ONCE)):
            data = self._api.ask("GET", "/order/202507/orders", {"ids": ",".join(chunk)})
            yield from map(parse.order, rows(data.get("orders", []), "orders"))

    def products(self, updated_from: datetime | None = None) -> Iterator[ProductRecord]:
        since = {} if updated_from is None else {"update_time_ge": math.floor(updated_from.timestamp())}
        path, body = "/product/202502/products/search", {"status": "ALL", **since}
        return map(parse.product, self._api.listed("POST", path, "products", PAGE_SIZE, body=body))

    def subscribe(self, address: str) -> int:
        return webhooks.subscribe(self._api, address)

    def statements(self, start: datetime, end: datetime) -> Iterator[StatementRecord]:
        for source in self._listed_by("statement_time", "/finance/202309/statements", "statements", start, end):
            record = parse.statement(source)
            if start <= record.statement_at < end:
                yield record

    def payments(self, start: datetime, end: datetime) -> Iterator[PaymentRecord]:
        """None in South East Asia, where TikTok does not tell them."""
        if self._facts.region in WITHOUT_PAYMENTS:
            return
        for source in self._listed_by("create_time", "/finance/202605/payments", "payments", start, end):
            record = parse.payment(source)
            if start <= record.created_at < end:
                yield record

    def affiliate_orders(self, start: datetime, end: datetime) -> Iterator[AffiliateRecord]:
        return _affiliates(self._api, "/affiliate_seller/202410/orders/search", parse.SELLER, start, end)

    def returns(self, updated_from: datetime, updated_to: datetime) -> Iterator[ReturnRecord]:
        make = partial(parse.returned, currency=self._facts.currency)
        path = "/return_refund/202602/returns/search"
        return self._changed(path, "return_orders", SMALL_PAGE_SIZE, make, updated_from, updated_to)

    def shop_hours(self, day: date) -> list[ShopHourRecord]:
        """As `Marketplace.shop_hours`; a day that TikTok keeps no longer has none."""
        path = f"/analytics/202510/shop/performance/{day.isoformat()}/performance_per_hour"
        zone, now = zone_named(self._facts.timezone), datetime.fromtimestamp(self._api.clock(), UTC)
        try:
            data = self._api.ask("GET", path, {"currency": "LOCAL"})
        except ConfigurationError:
            if day <= (now - HOURS_KEPT).astimezone(zone).date():
                return []
            raise
        return performance.hours(data, day, zone, now)

    def shop_days(self, first_day: date, last_day: date) -> Iterator[ShopDayRecord]:
        for first, last in spans(first_day, last_day, DAYS_PER_REPORT):
            span = {"start_date_ge": first.isoformat(), "end_date_lt": (last + timedelta(days=1)).isoformat()}
            asked = {**span, "granularity": "1D", "currency": "LOCAL"}
            yield from performance.days(self._api.ask("GET", "/analytics/202609/shop/performance", asked))

    def health(self) -> ShopHealthRecord | None:
        if self._facts.region not in RATED:
            return None
        root = "/analytics/202606/shop_performances/"
        overview, metrics = self._api.ask("GET", f"{root}overview"), self._api.ask("GET", f"{root}metrics")
        return parse.health(overview, rows(metrics.get("metrics", []), "metrics"))

    @cached_property
    def _facts(self) -> ShopRecord:
        """Region, currency and zone, which a shop keeps for life."""
        return self.shop()

    def _listed_by(self, field: str, path: str, name: str, start: datetime, end: datetime) -> Iterator[Row]:
        bounds = {bound: str(seconds) for bound, seconds in _window(field, start, end).items()}
        asked = {"sort_field": field, "sort_order": "ASC", **bounds}
        return self._api.listed("GET", path, name, PAGE_SIZE, asked)

    def _changed(
        self, path: str, name: str, size: int, make: Callable[[Row], Changing], start: datetime, end: datetime
    ) -> Iterator[Changing]:
        """What changed in `[start, end)`, ascending; the last minute by itself.

        What changes while one reads would move to the end of a listing that reaches the present, and the listing be
        as long as before; of one that ends earlier it is gone, and that shows.
        """
        settled = datetime.fromtimestamp(self._api.clock(), UTC) - SETTLING
        between = min(max(start, settled), end)
        for first, last in ((start, between), (between, end)):
            if first < last:
                yield from self._changed_within(path, name, size, make, first, last)

    def _changed_within(
        self, path: str, name: str, size: int, make: Callable[[Row], Changing], start: datetime, end: datetime
    ) -> Iterator[Changing]:
        """As `_changed`, of one listing.

        What changes while one reads leaves its place, and those behind it may slip over the edge between two
        pages: when the listing has become shorter, it is read again from where it had come to.
        """
        newest, told = start, set()
        for _ in range(LISTING_ATTEMPTS):
            total: int | None = None
            window = _window("update_time", newest, end)
            for page in self._api.pages("POST", path, name, size, BY_UPDATE, window):
                if total is not None and page.total is not None and page.total < total:
                    break
                total = page.total
                for record in map(make, page.rows):
                    state = record.external_id, record.updated_at
                    if start <= record.updated_at < end and state not in told:
                        told.add(state)
                        newest = max(newest, record.updated_at)
                        yield record
            else:
                return
        raise TransientError(f"tiktok shop: the list of {name} does not hold still", platform=Platform.TIKTOK_SHOP)


class TikTokCreator:
    """A creator: commissions only."""

    platform = Platform.TIKTOK_SHOP

    def __init__(self, *, base_url: str, app_key: str, app_secret: str, access_token: str, **transport: Any) -> None:
        self._api = Api(
            base_url=base_url, app_key=app_key, app_secret=app_secret, access_token=access_token, **transport
        )

    def commissions(self, start: datetime, end: datetime) -> Iterator[AffiliateRecord]:
        return _affiliates(self._api, "/affiliate_creator/202410/orders/search", parse.CREATOR, start, end)


def authorised_shops(api: Api) -> list[Row]:
    """The shops that the login opens; asked without naming one."""
    return rows(api.ask("GET", SHOPS, of_shop=False).get("shops", []), "shops")


def _affiliates(api: Api, path: str, side: parse.Side, start: datetime, end: datetime) -> Iterator[AffiliateRecord]:
    """The SKUs of the orders created in `[start, end)`, asked in windows that TikTok takes."""
    while start < end:
        until = min(start + LONGEST_WINDOW, end)
        window = _window("create_time", start, until)
        for source in api.listed("POST", path, "orders", SMALL_PAGE_SIZE, body=window):
            yield from (record for record in parse.affiliates(source, side) if start <= record.created_at < until)
        start = until


def _window(field: str, start: datetime, end: datetime) -> dict[str, int]:
    """TikTok counts in whole seconds: what it is asked for covers the span, and the rest is left out here."""
    return {f"{field}_ge": math.floor(start.timestamp()), f"{field}_lt": math.ceil(end.timestamp())}

"""The connector against the sandbox's TikTok Shop, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from connectors.contracts import Platform
from connectors.errors import AuthenticationError, ConfigurationError
from connectors.login_contracts import Grant, LoginApp
from connectors.sandbox.server import running_sandbox
from connectors.store_contracts import OrderRecord
from connectors.tiktok_shop.client import TikTokCreator, TikTokShop
from connectors.tiktok_shop.login import TikTokShopLogin
from tests.connectors.control import Control

BACK = "https://bursar.example/connect/tiktok_shop/callback"
DAYS = 20

pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    with running_sandbox(days=DAYS, tenants=2) as running:
        yield Control(running.url)


def shop_of(control: Control, **changes: Any) -> TikTokShop:
    own = control.get("credentials")["tiktok_shop"]
    names = {"cipher": "shop_cipher", "shop_id": "shop_id", "access_token": "access_token"}
    given = {name: own[told] for name, told in names.items()}
    given |= {"app_key": own["app_key"], "app_secret": own["app_secret"], "timezone": ""}
    return TikTokShop(base_url=control.url, **(given | changes))


@pytest.fixture
def shop(control: Control) -> TikTokShop:
    return shop_of(control)


@pytest.fixture(scope="module")
def span(control: Control) -> tuple[datetime, datetime]:
    now = control.now()
    return now - timedelta(days=DAYS), now


@pytest.fixture(scope="module")
def orders(control: Control, span: tuple[datetime, datetime]) -> list[OrderRecord]:
    return list(shop_of(control).orders(*span))


def test_the_shop_is_found(shop: TikTokShop) -> None:
    found = shop.shop()
    assert (found.region, found.currency, found.timezone) == ("US", "USD", "America/New_York")


def test_orders_come_ascending_over_several_pages_each_once(
    orders: list[OrderRecord], span: tuple[datetime, datetime]
) -> None:
    assert len(orders) > 200
    assert len({order.external_id for order in orders}) == len(orders)
    times = [order.updated_at for order in orders]
    assert times == sorted(times)
    assert span[0] <= times[0] <= times[-1] < span[1]
    assert {order.is_paid for order in orders} == {True, False}
    assert any(order.cancelled_at for order in orders)


def test_windows_that_touch_give_what_one_window_gives(
    shop: TikTokShop, orders: list[OrderRecord], span: tuple[datetime, datetime]
) -> None:
    middle = orders[len(orders) // 2].updated_at
    assert [*shop.orders(span[0], middle), *shop.orders(middle, span[1])] == orders


def test_orders_by_id_are_those_of_the_search(shop: TikTokShop, orders: list[OrderRecord]) -> None:
    wanted = orders[:60]
    found = shop.orders_by_id([*(order.external_id for order in wanted), "570000000000000001"])
    assert {order.external_id: order for order in found} == {order.external_id: order for order in wanted}


def test_nothing_of_a_buyer_is_read(orders: list[OrderRecord]) -> None:
    told = str(orders)
    assert not [word for word in ("Robin", "Buyer", "Example Street", "scs.tiktokw", "(+1)") if word in told]


def test_lines_are_of_products_that_the_shop_has(shop: TikTokShop, orders: list[OrderRecord]) -> None:
    products = {product.external_id: product for product in shop.products()}
    skus = {variant.external_id for product in products.values() for variant in product.variants}
    lines = [line for order in orders for line in order.lines]
    assert {line.product_external_id for line in lines} <= set(products)
    assert {line.variant_external_id for line in lines} <= skus
    assert {line.quantity for line in lines} == {1}


def test_a_refund_is_of_an_order_and_no_larger(
    shop: TikTokShop, orders: list[OrderRecord], span: tuple[datetime, datetime]
) -> None:
    totals = {order.external_id: order.total_micros for order in orders}
    refunds = [record for record in shop.returns(*span) if record.is_refunded]
    assert refunds
    assert all(0 < record.amount_micros <= totals[record.order_external_id] for record in refunds)


def test_settlements_and_payments_agree(shop: TikTokShop, span: tuple[datetime, datetime]) -> None:
    settled = {record.payment_external_id: record.settlement_micros for record in shop.statements(*span)}
    paid = list(shop.payments(*span))
    assert paid
    assert all(settled[record.external_id] == record.amount_micros for record in paid)


def test_what_creators_brought_are_orders_of_the_shop(
    shop: TikTokShop, orders: list[OrderRecord], span: tuple[datetime, datetime]
) -> None:
    sales = list(shop.affiliate_orders(*span))
    assert sales
    assert {sale.order_external_id for sale in sales} <= {order.external_id for order in orders}
    settled = [sale for sale in sales if sale.status == "SETTLED"]
    assert all(sale.commission_micros is not None for sale in settled)
    assert all(sale.commission_micros is None for sale in sales if sale.status == "To-SETTLE")


def test_a_creator_sees_their_commissions(control: Control, span: tuple[datetime, datetime]) -> None:
    own = control.get("credentials")["tiktok_shop"]
    keys = {"app_key": own["app_key"], "app_secret": own["app_secret"]}
    creator = TikTokCreator(base_url=control.url, access_token=own["creator_access_token"], **keys)
    sales = list(creator.commissions(*span))
    assert sales
    assert all(sale.shop_name and sale.estimated_micros is not None for sale in sales)


def test_hours_add_up_to_their_day(shop: TikTokShop, control: Control) -> None:
    zone = ZoneInfo("America/New_York")
    today = control.now().astimezone(zone).date()
    yesterday = today - timedelta(days=1)
    (day,) = shop.shop_days(yesterday, yesterday)
    hours = shop.shop_hours(yesterday)
    assert len(hours) == 24
    assert sum(hour.gmv_micros for hour in hours) == day.gmv_micros
    assert sum(hour.orders for hour in hours) == day.orders > 0
    assert all(hour.hour + timedelta(hours=1) <= control.now() for hour in shop.shop_hours(today))
    assert shop.shop_hours(today - timedelta(days=400)) == []


def test_the_shop_has_a_score(shop: TikTokShop) -> None:
    health = shop.health()
    assert health is not None
    assert health.score_ppm is not None
    assert 0 < health.score_ppm <= 5_000_000
    assert {name for name, *_ in health.metrics} == {"NRR", "NBFR", "SFCR", "OTDR", "AHT", "IM_DSAT"}


def test_news_are_subscribed_once(shop: TikTokShop) -> None:
    assert shop.subscribe(f"{BACK}/news") == 6
    assert shop.subscribe(f"{BACK}/news") == 0
    assert shop.subscribe(BACK) == 6


def test_another_shop_of_the_login_has_orders_of_its_own(
    control: Control, orders: list[OrderRecord], span: tuple[datetime, datetime]
) -> None:
    second = control.get("credentials")["tiktok_shop"]["shops"][1]
    other = list(shop_of(control, shop_id=second["shop_id"], cipher=second["shop_cipher"]).orders(*span))
    assert other
    assert not {order.external_id for order in other} & {order.external_id for order in orders}


def test_a_foreign_cipher_and_a_wrong_secret_are_told_apart_from_a_dead_token(
    control: Control, span: tuple[datetime, datetime]
) -> None:
    wrong = [{"cipher": "ROW_foreign"}, {"app_secret": "another secret"}, {"app_key": "nobody"}, {"cipher": ""}]
    for changes in wrong:
        with pytest.raises(ConfigurationError):
            next(shop_of(control, **changes).orders(*span))
    with pytest.raises(AuthenticationError):
        next(shop_of(control, access_token="ROW_of-nobody").orders(*span))


def test_a_token_that_expires_between_two_pages_ends_the_listing(
    control: Control, span: tuple[datetime, datetime]
) -> None:
    records = shop_of(control).orders(*span)
    next(records)
    with control.fault("expired_token", Platform.TIKTOK_SHOP, count=10), pytest.raises(AuthenticationError) as caught:
        list(records)
    assert caught.value.code == "105002"


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "truncated_body", "html_body"])
def test_a_listing_gets_over_what_passes(
    control: Control, orders: list[OrderRecord], span: tuple[datetime, datetime], kind: str
) -> None:
    records = shop_of(control).orders(*span)
    first = next(records)
    with control.fault(kind, Platform.TIKTOK_SHOP, count=1):
        assert [first, *records] == orders


def login(control: Control, subject: str) -> TikTokShopLogin:
    own = control.get("credentials")["tiktok_shop"]
    app: dict[str, Any] = {"app_id": own["app_key"], "app_secret": own["app_secret"], "service_id": own["service_id"]}
    urls: dict[str, Any] = {"base_url": control.url, "dialog_url": control.url, "api_url": control.url}
    return TikTokShopLogin(LoginApp(Platform.TIKTOK_SHOP, version="", subject=subject, **urls, **app))


def agreed(provider: TikTokShopLogin) -> str:
    """The code that comes back when the first merchant agrees."""
    asked = provider.consent_url(redirect_uri=BACK, state="a state")
    answer = httpx.get(f"{asked}&tenant=0&allow=1", trust_env=False)
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert back["state"] == ["a state"]
    return back["code"][0]


def test_a_seller_logs_in_chooses_a_shop_and_stays_logged_in(control: Control) -> None:
    provider, own = login(control, "seller"), control.get("credentials")["tiktok_shop"]
    code = agreed(provider)
    grant = provider.exchange(code, redirect_uri=BACK)
    assert grant.subject == "seller"
    assert grant.expires_at is not None
    assert grant.refresh_expires_at is not None
    assert "seller.order.info" in grant.scopes
    with pytest.raises(AuthenticationError):
        provider.exchange(code, redirect_uri=BACK)
    shops = provider.owned_accounts(grant)
    assert {found.external_id for found in shops} == set(own["shop_ids"])
    assert {(found.currency, found.obstacle) for found in shops} == {("USD", "")}
    younger = provider.refresh(grant)
    assert younger.access_token != grant.access_token
    assert younger.refresh_token != grant.refresh_token
    assert shop_of(control, access_token=younger.access_token).shop().external_id == own["shop_id"]
    with pytest.raises(AuthenticationError):
        provider.refresh(Grant("ROW_x", "ROW_refresh-of-nobody"))


def test_a_creator_logs_in_as_themselves(control: Control) -> None:
    provider = login(control, "creator")
    grant = provider.exchange(agreed(provider), redirect_uri=BACK)
    (found,) = provider.owned_accounts(grant)
    assert (grant.subject, found.external_id) == ("creator", control.get("credentials")["tiktok_shop"]["creator_id"])
    with pytest.raises(AuthenticationError):
        login(control, "seller").exchange(agreed(provider), redirect_uri=BACK)

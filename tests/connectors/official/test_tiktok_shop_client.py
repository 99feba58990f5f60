"""The published client for Python of the TikTok Shop Partner API against the sandbox, over real HTTP.

The client is used as its documents show, with nothing changed but the host.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tiktok_shop_api import TikTokShop, TikTokShopAuth, TikTokShopError
from tiktok_shop_api.generated import models
from tiktok_shop_api.generated.types import UNSET
from tiktok_shop_api.webhooks import Webhooks, WebhookSignatureError

from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.receiver import Delivery, Receiver, receiving
from tests.connectors.sandbox.seller import Seller
from tests.connectors.sandbox.test_tiktok_shop_login import allowed

NOW, DAY = int(START.timestamp()), 86400


class Client:
    """The published client for the first tenant's main shop, and a visitor beside it who looks behind the scenes."""

    def __init__(self, running: Sandbox) -> None:
        self.running, self.visitor = running, Seller(running.url)
        keys = self.visitor.keys
        self.app = keys["app_key"], keys["app_secret"]
        self.shop = TikTokShop(
            *self.app, access_token=keys["access_token"], shop_cipher=keys["shop_cipher"], base_url=running.url
        )
        self.creator = self.shop.with_shop(access_token=keys["creator_access_token"], shop_cipher=None)
        self.auth = TikTokShopAuth(*self.app, keys["service_id"], base_url=running.url)

    def data(self, answer: Any) -> Any:
        assert (answer.code, bool(answer.request_id)) == (0, True)
        return answer.data


@pytest.fixture(scope="module")
def reader() -> Iterator[Client]:
    """A client for tests that only read."""
    with running_sandbox(start=START, days=30) as running:
        client = Client(running)
        with client.shop:
            yield client


@pytest.fixture
def client() -> Iterator[Client]:
    with running_sandbox(start=START, days=3) as running:
        client = Client(running)
        with client.shop:
            yield client


@pytest.fixture
def address() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def failure(read: Any, *args: Any, **options: Any) -> tuple[int, int | None]:
    with pytest.raises(TikTokShopError) as caught:
        read(*args, **options)
    assert caught.value.message
    return caught.value.code, caught.value.http_status


def test_orders_are_read_over_several_pages(reader: Client) -> None:
    wanted = models.GetOrderListRequest(create_time_ge=NOW - 2 * DAY, create_time_lt=NOW)
    found: list[Any] = []
    token: Any = UNSET
    while True:
        page = reader.data(reader.shop.orders.get_order_list(page_size=30, body=wanted, page_token=token))
        found += page.orders
        if not page.next_page_token:
            break
        token = page.next_page_token
    assert len({order.id for order in found}) == len(found) == page.total_count > 60
    for order in found:
        assert NOW - 2 * DAY <= order.create_time < NOW
        assert Decimal(order.payment.total_amount) >= 0
        assert all(line.sku_id and line.product_name for line in order.line_items)
        assert not order.additional_properties
        assert not order.payment.additional_properties
        assert not any(line.additional_properties for line in order.line_items)


def test_details_of_several_orders_are_asked_with_repeated_parameters(reader: Client) -> None:
    page = reader.data(reader.shop.orders.get_order_list(page_size=3))
    ids = [order.id for order in page.orders]
    assert [order.id for order in reader.data(reader.shop.orders.get_order_detail(ids=ids)).orders] == ids


def test_shops_statements_and_payments_are_read(reader: Client) -> None:
    shops = reader.data(reader.shop.authorization.get_authorized_shops()).shops
    assert [shop.cipher for shop in shops] == [shop["shop_cipher"] for shop in reader.visitor.keys["shops"]]
    assert [shop.id for shop in reader.data(reader.shop.seller.get_active_shops()).shops] == [shop.id for shop in shops]
    statements = reader.data(reader.shop.finance.get_statements(sort_field="statement_time", page_size=5))
    assert len(statements.statements) == 5
    assert statements.next_page_token
    payments = reader.data(reader.shop.finance.get_payments(sort_field="create_time")).payments
    settled = {each.payment_id: each.settlement_amount for each in statements.statements if each.payment_id}
    assert settled.items() <= {each.id: each.amount.value for each in payments}.items()
    assert not any(each.additional_properties for each in [*shops, *statements.statements, *payments])


def test_commissions_are_read_on_both_sides(reader: Client) -> None:
    orders = reader.data(reader.shop.affiliate_seller.search_seller_affiliate_orders(page_size=20)).orders
    assert all(sku.creator_username and sku.settlement_status for order in orders for sku in order.skus)
    side = reader.creator.affiliate_creator
    earned = reader.data(side.search_creator_affiliate_orders(page_size=20)).orders
    assert all(sku.shop_name and sku.commission_rate for order in earned for sku in order.skus)
    assert not any(sku.additional_properties for order in [*orders, *earned] for sku in order.skus)
    assert reader.data(side.get_creator_profile()).creator_user_open_id == reader.visitor.keys["creator_id"]


def test_returns_and_products_are_read(reader: Client) -> None:
    returns = reader.data(reader.shop.return_and_refund.search_returns(page_size="20")).return_orders
    assert all(Decimal(each.refund_amount.refund_total) > 0 for each in returns)
    products = reader.data(reader.shop.products.search_products(page_size=20)).products
    assert all(product.skus[0].price.currency == "USD" for product in products)
    assert not any(each.additional_properties for each in [*returns, *products])


def test_statistics_are_read(reader: Client) -> None:
    analytics = reader.shop.analytics
    hours = reader.data(analytics.get_shop_performance_per_hour(date=date(2026, 11, 3))).performance
    (day,) = reader.data(
        analytics.get_shop_performance(start_date_ge=date(2026, 11, 3), end_date_lt=date(2026, 11, 4))
    ).performance.intervals
    assert day.sales.gmv.amount == hours.overall.gmv.amount
    assert not (day.sales.additional_properties or day.breakdowns.additional_properties)
    assert not any(each.additional_properties for each in [*hours.intervals, day, day.traffic])
    overview, metrics = reader.data(analytics.get_sps_overview()), reader.data(analytics.get_sps_metrics()).metrics
    assert overview.sps_tier in ("EXCELLENT", "GOOD", "POOR", "CRITICAL")
    assert not any(each.additional_properties for each in [overview, *overview.dimensions, *metrics])


def test_a_login_leads_from_the_clients_address_to_tokens_and_a_refresh(client: Client) -> None:
    addresses = (
        ("seller", 0, client.auth.authorization_url(type="seller", region="row", state="s")),
        ("creator", 1, client.auth.authorization_url(type="creator", region="row", state="s")),
    )
    for kind, user_type, address in addresses:
        url = urlsplit(address)
        page = httpx.get(f"{client.running.url}{url.path}?{url.query}&redirect_uri=https://a.example", trust_env=False)
        assert page.status_code == 200
        tokens = client.auth.exchange_code(allowed(client.visitor, kind)["code"])
        assert tokens.user_type == user_type
        assert tokens.granted_scopes
        assert 604_790 < tokens.access_token_expire_in - time.time() <= 604_800
        fresh = client.auth.refresh(tokens.refresh_token)
        assert fresh.access_token != tokens.access_token
        if kind == "seller":
            assert client.data(
                client.shop.with_shop(access_token=fresh.access_token).orders.get_order_list(page_size=1)
            )


def test_a_bad_code_a_bad_refresh_and_a_bad_secret_raise_its_own_error(client: Client) -> None:
    assert failure(client.auth.exchange_code, "nonsense") == (36004004, 200)
    assert failure(client.auth.refresh, "nonsense") == (36004005, 200)
    wrong = TikTokShopAuth(client.app[0], "wrong", base_url=client.running.url)
    assert failure(wrong.exchange_code, allowed(client.visitor)["code"])[0] == 36009004


def test_refusals_raise_its_own_error(client: Client) -> None:
    def orders(shop: TikTokShop) -> Any:
        return shop.orders.get_order_list(page_size=1)

    token = {"platform": "tiktok_shop", "access_token": client.visitor.keys["access_token"]}
    other = Seller(client.running.url, tenant=1).keys["shop_cipher"]
    assert failure(orders, client.shop.with_shop(shop_cipher=other)) == (101000, 403)
    assert failure(orders, client.shop.with_shop(shop_cipher=None)) == (106013, 400)
    assert failure(orders, client.shop.with_shop(access_token="ROW_unknown")) == (105001, 403)
    assert failure(orders, client.creator.with_shop(shop_cipher="x")) == (105001, 403)
    forger = TikTokShop(client.app[0], "wrong", access_token=token["access_token"], base_url=client.running.url)
    assert failure(forger.authorization.get_authorized_shops) == (106001, 401)
    client.visitor.control("faults", fault="rate_limit", platform="tiktok_shop")
    assert failure(orders, client.shop) == (36009002, 429)
    client.visitor.control("token", **token, scopes=["seller.finance.info"])
    assert failure(orders, client.shop) == (105005, 403)
    client.visitor.control("token", **token, expire=True)
    assert failure(orders, client.shop) == (105002, 401)


def parsed(client: Client, delivery: Delivery) -> Any:
    app_key, app_secret = client.app
    signature = delivery.headers["authorization"]
    return Webhooks.verify_and_parse(
        app_key=app_key, app_secret=app_secret, raw_body=delivery.body, signature=signature
    )


def test_webhooks_pass_its_verifier_and_are_of_its_types(client: Client, address: Receiver) -> None:
    events = models.UpdateShopWebhookRequestEventType
    for name in (
        "ORDER_STATUS_CHANGE",
        "CANCELLATION_STATUS_CHANGE",
        "RETURN_STATUS_CHANGE",
        "PRODUCT_STATUS_CHANGE",
        "SELLER_DEAUTHORIZATION",
    ):
        body = models.UpdateShopWebhookRequest(address=address.url, event_type=events(name))
        client.data(client.shop.event.update_shop_webhook(body=body))
    assert client.data(client.shop.event.get_shop_webhooks()).total_count == 5
    client.visitor.advance(24 * 8)
    client.visitor.control("deauthorize", shop_id=client.visitor.keys["shop_id"])
    assert client.running.application.pushes.drain(30)
    news = [parsed(client, delivery) for delivery in address.got]
    assert {each.type_ for each in news} == {1, 5, 6, 11, 12}
    assert not any(each.additional_properties or each.data.additional_properties for each in news)
    first = address.got[0]
    with pytest.raises(WebhookSignatureError):
        parsed(client, Delivery(first.path, first.headers, first.body + b" "))


def test_a_webhook_is_removed(client: Client) -> None:
    event = models.UpdateShopWebhookRequestEventType.ORDER_STATUS_CHANGE
    body = models.UpdateShopWebhookRequest(address="https://a.example/x", event_type=event)
    client.data(client.shop.event.update_shop_webhook(body=body))
    (kept,) = client.data(client.shop.event.get_shop_webhooks()).webhooks
    assert (kept.event_type, kept.address) == ("ORDER_STATUS_CHANGE", "https://a.example/x")
    gone = models.DeleteWebhookForAnEventRequest.from_dict({"event_type": event.value})
    client.data(client.shop.event.delete_webhook_for_an_event(body=gone))
    assert client.data(client.shop.event.get_shop_webhooks()).total_count == 0

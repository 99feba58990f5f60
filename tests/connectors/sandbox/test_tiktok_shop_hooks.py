"""Webhooks of TikTok Shop: who asked for what, and what arrives when the clock moves."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.receiver import Delivery, Receiver, receiving
from tests.connectors.sandbox.seller import Seller
from tests.connectors.sandbox.test_tiktok_shop_login import granted

HOOKS = "/event/202309/webhooks"
NOW = int(START.timestamp())


@pytest.fixture
def running() -> Iterator[Sandbox]:
    with running_sandbox(start=START, days=10) as running:
        yield running


@pytest.fixture
def seller(running: Sandbox) -> Seller:
    return Seller(running.url)


@pytest.fixture
def address() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def subscribed(seller: Seller, address: str, *events: str) -> None:
    for event in events:
        seller.data(seller.raw("PUT", HOOKS, {"event_type": event, "address": address}))


def wanted(seller: Seller) -> dict[str, str]:
    answer = seller.asks(HOOKS)
    assert answer["total_count"] == len(answer["webhooks"])
    return {each["event_type"]: each["address"] for each in answer["webhooks"]}


def told(running: Sandbox, address: Receiver) -> list[Any]:
    assert running.application.pushes.drain()
    return [json.loads(delivery.body) for delivery in address.got]


def signed(seller: Seller, delivery: Delivery) -> str:
    text = seller.keys["app_key"].encode() + delivery.body
    return hmac.new(seller.keys["app_secret"].encode(), text, hashlib.sha256).hexdigest()


def test_a_webhook_is_set_moved_listed_and_removed(seller: Seller) -> None:
    assert wanted(seller) == {}
    subscribed(seller, "https://a.example/1", "ORDER_STATUS_CHANGE", "RETURN_STATUS_CHANGE")
    subscribed(seller, "https://a.example/2", "ORDER_STATUS_CHANGE")
    assert wanted(seller) == {
        "ORDER_STATUS_CHANGE": "https://a.example/2",
        "RETURN_STATUS_CHANGE": "https://a.example/1",
    }
    for _ in range(2):  # there need not be one
        seller.data(seller.raw("DELETE", HOOKS, {"event_type": "ORDER_STATUS_CHANGE"}))
    assert list(wanted(seller)) == ["RETURN_STATUS_CHANGE"]
    seller.shop = 1
    assert wanted(seller) == {}


@pytest.mark.parametrize(
    "body",
    [
        {"event_type": "ORDER_STATUS_CHANGE"},
        {"address": "https://a.example"},
        {"event_type": "WEATHER", "address": "https://a.example"},
        {"event_type": ["ORDER_STATUS_CHANGE"], "address": "https://a.example"},
        {"event_type": "ORDER_STATUS_CHANGE", "address": "ftp://a.example"},
        {"event_type": "ORDER_STATUS_CHANGE", "address": "https://"},
        {"event_type": "ORDER_STATUS_CHANGE", "address": "https://[::1"},
        {"event_type": "ORDER_STATUS_CHANGE", "address": f"https://a.example/{'x' * 255}"},
        {"event_type": "ORDER_STATUS_CHANGE", "address": 7},
    ],
)
def test_a_bad_subscription_is_refused(seller: Seller, body: dict[str, Any]) -> None:
    assert seller.refused(seller.raw("PUT", HOOKS, body)) == (400, 36009004)
    assert wanted(seller) == {}


def test_every_change_of_an_orders_status_is_pushed_once_and_signed(
    running: Sandbox, seller: Seller, address: Receiver
) -> None:
    before = {order["id"]: order["status"] for order in seller.all_orders()}
    subscribed(seller, address.url, "ORDER_STATUS_CHANGE")
    for hours in (0.5, 2, 9.5):
        seller.advance(hours)
    news = told(running, address)
    assert {delivery.headers["authorization"] == signed(seller, delivery) for delivery in address.got} == {True}
    assert {(each["type"], each["shop_id"]) for each in news} == {(1, seller.keys["shop_id"])}
    assert len({each["tts_notification_id"] for each in news}) == len(news)
    assert {NOW < each["timestamp"] == each["data"]["update_time"] <= seller.now() for each in news} == {True}
    last: dict[str, str] = {}
    for each in news:
        last[each["data"]["order_id"]] = each["data"]["order_status"]
    after = {order["id"]: order["status"] for order in seller.all_orders()}
    changed = {identity: status for identity, status in after.items() if before.get(identity) != status}
    assert "CANCELLED" in changed.values()
    assert last == {k: "CANCEL" if status == "CANCELLED" else status for k, status in changed.items()}


def test_cancellations_and_returns_are_pushed(running: Sandbox, seller: Seller, address: Receiver) -> None:
    subscribed(seller, address.url, "CANCELLATION_STATUS_CHANGE", "RETURN_STATUS_CHANGE")
    seller.advance(48)
    by_type = defaultdict(list)
    for each in told(running, address):
        by_type[each["type"]].append(each["data"])
    cancelled = {o["id"]: o["cancellation_initiator"] for o in seller.all_orders() if o.get("cancel_time", 0) > NOW}
    assert {each["order_id"]: each["cancellations_role"] for each in by_type[11]} == cancelled != {}
    body = {"update_time_ge": NOW + 1}
    returns = seller.pages("/return_refund/202602/returns/search", "return_orders", body, page_size="50")
    last = {each["return_id"]: each["return_status"] for each in by_type[12]}
    assert last == {each["return_id"]: each["return_status"] for each in returns} != {}


def test_a_product_that_was_looked_through_is_pushed(running: Sandbox, seller: Seller, address: Receiver) -> None:
    subscribed(seller, address.url, "PRODUCT_STATUS_CHANGE")
    seller.advance(24 * 13)
    news = told(running, address)
    products = {
        each["id"]: each for each in seller.posts("/product/202502/products/search", {"status": "ACTIVATE"})["products"]
    }
    assert {str(each["data"]["product_id"]) for each in news} == set(products)
    for each in news:
        assert (each["type"], each["data"]["status"]) == (5, "PRODUCT_STATUS_CHANGED")
    latest = {str(each["data"]["product_id"]): each["data"]["update_time"] for each in news}
    assert latest == {identity: each["update_time"] for identity, each in products.items()}


def test_the_end_of_an_authorization_is_pushed_for_each_shop(
    running: Sandbox, seller: Seller, address: Receiver
) -> None:
    subscribed(seller, f"{address.url}/1", "SELLER_DEAUTHORIZATION")
    seller.shop = 1
    subscribed(seller, f"{address.url}/2", "SELLER_DEAUTHORIZATION")
    assert seller.control("deauthorize", shop_id="1")["error"]
    assert seller.control("deauthorize")["error"]
    seller.control("deauthorize", shop_id=seller.keys["shop_id"])
    assert [(each["type"], each["shop_id"]) for each in told(running, address)] == [
        (6, shop["shop_id"]) for shop in seller.keys["shops"]
    ]


def test_an_authorization_near_its_end_is_pushed_every_midnight(
    running: Sandbox, seller: Seller, address: Receiver
) -> None:
    ends = granted(seller)["refresh_token_expire_in"]
    subscribed(seller, address.url, "UPCOMING_AUTHORIZATION_EXPIRATION")
    seller.advance(48)
    assert told(running, address) == []
    wall = running.world.logins.wall
    running.world.logins.wall = lambda: wall() + timedelta(days=340)
    seller.advance(48)
    news = told(running, address)
    assert [(each["type"], each["timestamp"] % 86400) for each in news] == [(7, 0), (7, 0)]
    assert {each["data"]["expiration_time"] for each in news} == {str(ends)}


def test_nothing_is_pushed_to_whom_did_not_ask(running: Sandbox, seller: Seller, address: Receiver) -> None:
    subscribed(seller, address.url, "ORDER_STATUS_CHANGE")
    seller.data(seller.raw("DELETE", HOOKS, {"event_type": "ORDER_STATUS_CHANGE"}))
    seller.advance(24)
    assert told(running, address) == []


def test_subscriptions_outlive_a_restart_and_the_past_is_not_pushed_again(tmp_path: Path, address: Receiver) -> None:
    state = tmp_path / "state"
    with running_sandbox(start=START, days=2, state=state) as running:
        seller = Seller(running.url)
        subscribed(seller, address.url, "ORDER_STATUS_CHANGE")
        subscribed(seller, address.url, "RETURN_STATUS_CHANGE")
        seller.data(seller.raw("DELETE", HOOKS, {"event_type": "RETURN_STATUS_CHANGE"}))
        listed = seller.asks(HOOKS)
        seller.advance(3)
        first = told(running, address)
    with running_sandbox(days=2, state=state) as running:
        seller = Seller(running.url)
        assert seller.asks(HOOKS) == listed
        assert told(running, address) == first
        seller.advance(3)
        assert len(told(running, address)) > len(first)
    assert len({delivery.body for delivery in address.got}) == len(address.got)


def test_the_same_seed_tells_the_same(address: Receiver) -> None:
    bodies = []
    for _ in range(2):
        with running_sandbox(start=START, days=2) as running:
            seller = Seller(running.url)
            subscribed(seller, address.url, "ORDER_STATUS_CHANGE")
            seller.advance(6)
            told(running, address)
            bodies.append([delivery.body for delivery in address.got])
            address.got.clear()
    assert bodies[0] == bodies[1] != []

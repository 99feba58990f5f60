"""Orders, returns and products of TikTok Shop: searches, pages, and lives that follow the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.seller import ORDERS, Seller
from tests.connectors.sandbox.test_tiktok_families import gmv_max_made

NOW, DAY = int(START.timestamp()), 86400
DETAILS = "/order/202507/orders"
RETURNS, PRODUCTS = "/return_refund/202602/returns/search", "/product/202502/products/search"
COURSE = ["UNPAID", "ON_HOLD", "AWAITING_SHIPMENT", "AWAITING_COLLECTION", "IN_TRANSIT", "DELIVERED", "COMPLETED"]


@pytest.fixture(scope="module")
def seller() -> Iterator[Seller]:
    with running_sandbox(start=START, days=40) as running:
        yield Seller(running.url)


@pytest.fixture
def own() -> Iterator[Seller]:
    with running_sandbox(start=START, days=3) as running:
        yield Seller(running.url)


@pytest.fixture(scope="module")
def orders(seller: Seller) -> list[dict[str, Any]]:
    return seller.all_orders()


def ids(orders: list[dict[str, Any]]) -> list[str]:
    return [order["id"] for order in orders]


@pytest.mark.parametrize("size", ["7", "100"])
@pytest.mark.parametrize("order", ["ASC", "DESC"])
@pytest.mark.parametrize("field", ["create_time", "update_time"])
def test_pages_hold_every_order_once_and_in_the_order_asked_for(
    seller: Seller, field: str, order: str, size: str
) -> None:
    body = {"create_time_ge": NOW - 3 * DAY}
    found = seller.pages(ORDERS, "orders", body, page_size=size, sort_field=field, sort_order=order)
    times = [each[field] for each in found]
    assert times == sorted(times, reverse=order == "DESC")
    assert len(set(ids(found))) == len(found)
    assert seller.posts(ORDERS, body)["total_count"] == len(found) > 100


def test_windows_are_half_open_and_join_without_a_gap(seller: Seller, orders: list[dict[str, Any]]) -> None:
    for field in ("create_time", "update_time"):
        edge = orders[200][field]
        early = seller.all_orders({f"{field}_ge": 0, f"{field}_lt": edge})
        late = seller.all_orders({f"{field}_ge": edge})
        assert max(each[field] for each in early) < edge == min(each[field] for each in late)
        assert sorted(ids(early) + ids(late)) == sorted(ids(orders))


def test_a_status_is_filtered_and_others_are_refused(seller: Seller, orders: list[dict[str, Any]]) -> None:
    counted = Counter(order["status"] for order in orders)
    for status in ("DELIVERED", "CANCELLED", "COMPLETED"):
        assert len(seller.all_orders({"order_status": status})) == counted[status] > 0
    assert seller.refused(seller.raw("POST", ORDERS, {"order_status": "SHIPPED"})) == (400, 36009004)


def test_a_buyers_orders_are_found(seller: Seller, orders: list[dict[str, Any]]) -> None:
    buyer, count = Counter(order["user_id"] for order in orders).most_common(1)[0]
    assert len(seller.all_orders({"buyer_user_id": buyer})) == count > 1


@pytest.mark.parametrize(
    "params",
    [
        {"page_size": "0"},
        {"page_size": "101"},
        {"page_size": "ten"},
        {"page_token": "x"},
        {"page_token": "A" * 60_000},
        {"page_token": "AAAAAAAAAAAAAAAAMTcvMQ=="},
        {"sort_field": "total"},
        {"sort_order": "UP"},
    ],
    ids=lambda params: next(iter(params)) + next(iter(params.values()))[:20],
)
def test_bad_pages_and_sorts_are_refused(seller: Seller, params: dict[str, str]) -> None:
    assert seller.refused(seller.raw("POST", ORDERS, {}, params=params)) == (400, 36009004)


@pytest.mark.parametrize(
    "body", [{"create_time_ge": "x"}, {"update_time_lt": -1}, {"create_time_ge": 5, "create_time_lt": 4}]
)
def test_bad_windows_are_refused(seller: Seller, body: dict[str, Any]) -> None:
    assert seller.refused(seller.raw("POST", ORDERS, body)) == (400, 36009004)


def test_a_page_token_fits_its_own_search_and_shop_alone(seller: Seller) -> None:
    token = seller.posts(ORDERS, {}, page_size="5")["next_page_token"]
    assert seller.posts(ORDERS, {}, page_size="9", page_token=token)["orders"]
    other = {"order_status": "COMPLETED"}
    assert seller.refused(seller.raw("POST", ORDERS, other, params={"page_token": token})) == (400, 36009004)
    assert seller.refused(seller.raw("POST", ORDERS, {}, params={"page_token": token, "sort_order": "ASC"})) == (
        400,
        36009004,
    )
    outlet = seller.keys["shops"][1]["shop_cipher"]
    assert seller.refused(seller.raw("POST", ORDERS, {}, params={"page_token": token, "shop_cipher": outlet})) == (
        400,
        36009004,
    )


def test_a_window_in_the_future_is_empty_and_cheap(seller: Seller) -> None:
    page = seller.posts(ORDERS, {"create_time_ge": 10**10, "create_time_lt": 10**11})
    assert page == {"orders": [], "next_page_token": "", "total_count": 0}
    assert seller.posts(ORDERS, {"update_time_ge": 0, "update_time_lt": 10**11})["total_count"] > 0


def test_details_are_those_of_the_search_by_either_version(seller: Seller, orders: list[dict[str, Any]]) -> None:
    wanted = ids(orders)[:50]
    for version in ("202309", "202507"):
        found = seller.asks(f"/order/{version}/orders", ids=",".join(wanted))["orders"]
        assert found == orders[:50]


def test_orders_that_are_not_there_are_left_out_and_fifty_are_the_most(
    seller: Seller, orders: list[dict[str, Any]]
) -> None:
    foreign = Seller(seller.url, tenant=1).all_orders({"create_time_ge": NOW - DAY})[0]["id"]
    strange = ["1", "x" * 18, "576600000000000000", "576600099999990000", foreign]
    found = seller.asks(DETAILS, ids=",".join([*strange, orders[3]["id"], orders[3]["id"]]))["orders"]
    assert ids(found) == [orders[3]["id"]]
    for bad in ("", ",".join(ids(orders)[:51])):
        assert seller.refused(seller.raw("GET", DETAILS, params={"ids": bad})) == (400, 36009004)


def test_what_a_buyer_pays_adds_up_in_every_order(orders: list[dict[str, Any]]) -> None:
    for order in orders:
        pay = {name: Decimal(text) for name, text in order["payment"].items() if name != "currency"}
        lines = order["line_items"]
        assert pay["sub_total"] == (
            pay["original_total_product_price"] - pay["seller_discount"] - pay["platform_discount"]
        )
        assert pay["total_amount"] == pay["sub_total"] + pay["shipping_fee"] + pay["tax"]
        for name, total in (("sale_price", "sub_total"), ("original_price", "original_total_product_price")):
            assert sum(Decimal(line[name]) for line in lines) == pay[total]
        assert len({line["id"] for line in lines}) == len(lines)
    discounts = [(Decimal(o["payment"]["seller_discount"]), Decimal(o["payment"]["platform_discount"])) for o in orders]
    assert {(by_seller > 0, by_platform > 0) for by_seller, by_platform in discounts} == {
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    }


def test_orders_are_in_the_shops_currency_and_its_shop_has_its_own(seller: Seller) -> None:
    german = Seller(seller.url, tenant=1).all_orders({"create_time_ge": NOW - DAY})
    assert {order["payment"]["currency"] for order in german} == {"EUR"}
    outlet = Seller(seller.url)
    outlet.shop = 1
    own, main = (set(ids(each.all_orders({"create_time_ge": NOW - 5 * DAY}))) for each in (outlet, seller))
    assert not own & main
    assert 0 < len(own) < len(main) / 2


def test_a_payment_is_told_as_soon_as_it_is_made_and_a_cancellation_too(orders: list[dict[str, Any]]) -> None:
    for order in orders:
        assert ("cancel_time" in order) == (order["status"] == "CANCELLED") == ("cancellation_initiator" in order)
        if order["status"] == "UNPAID":
            assert "paid_time" not in order
        elif order["status"] != "CANCELLED":
            assert order["create_time"] <= order["paid_time"] <= order["update_time"]
    unpaid = [order for order in orders if order["status"] == "CANCELLED" and "paid_time" not in order]
    assert {order["cancellation_initiator"] for order in unpaid} == {"SYSTEM"}
    assert {o["cancellation_initiator"] for o in orders if "cancel_time" in o} == {"SYSTEM", "BUYER", "SELLER"}


def test_there_are_orders_of_every_kind_and_pace(orders: list[dict[str, Any]]) -> None:
    assert 1 < len(orders) / 40 / 24 < 3
    counted = Counter(order["status"] for order in orders)
    assert set(counted) >= {"AWAITING_SHIPMENT", "IN_TRANSIT", "DELIVERED", "COMPLETED", "CANCELLED"}
    assert 0 < sum(order["is_sample_order"] for order in orders) < len(orders) / 25
    assert 0 < sum(order["is_on_hold_order"] for order in orders) < len(orders) / 4
    assert sum(bool(line["room_id"]) for order in orders for line in order["line_items"]) > 0


def test_nights_are_quieter_than_evenings(orders: list[dict[str, Any]]) -> None:
    local = Counter((order["create_time"] // 3600 - 5) % 24 for order in orders)
    assert sum(local[hour] for hour in range(1, 5)) * 3 < sum(local[hour] for hour in range(18, 22))


def test_an_orders_life_goes_one_way(own: Seller) -> None:
    body = {"create_time_ge": NOW - DAY, "create_time_lt": NOW}
    seen: dict[str, list[str]] = {}
    for _ in range(30):
        for order in own.all_orders(body):
            told = seen.setdefault(order["id"], [])
            if not told or told[-1] != order["status"]:
                told.append(order["status"])
        own.advance(12)
    for course in seen.values():
        assert course[-1] in ("COMPLETED", "CANCELLED")
        places = [COURSE.index(status) for status in course if status != "CANCELLED"]
        assert places == sorted(places)


def test_an_order_appears_when_it_is_made_and_moves_in_the_search_by_update(own: Seller) -> None:
    before = own.all_orders()
    own.advance(0.5)
    own.advance(5.5)
    now = own.now()
    changed = own.all_orders({"update_time_ge": NOW, "update_time_lt": now})
    old = {order["id"]: order for order in before}
    after = {order["id"]: order for order in own.all_orders()}
    assert set(ids(changed)) >= {identity for identity, order in after.items() if old.get(identity) != order}
    assert all(order["create_time"] <= now for order in after.values())
    assert set(ids(changed)) - set(old)
    assert set(ids(changed)) & set(old)


def test_the_same_seed_sells_the_same_however_the_clock_is_cut_and_another_does_not(own: Seller) -> None:
    for _ in range(6):
        own.advance(1)
    first = own.all_orders()
    with running_sandbox(start=START, days=3) as running:
        other = Seller(running.url)
        other.advance(6)
        assert other.all_orders() == first
    with running_sandbox(start=START, days=3, seed=8) as running:
        other = Seller(running.url)
        other.advance(6)
        assert other.all_orders() != first


def test_what_gmv_max_sells_is_an_order_of_the_tiktok_shop_and_none_of_shopifys(own: Seller, tmp_path: Path) -> None:
    own.advance(48)
    organic, shopify = own.all_orders(), own.orders("createdAt")
    state = tmp_path / "state"
    with running_sandbox(start=START, days=3, state=state) as running:
        seller = Seller(running.url)
        assert gmv_max_made(seller, budget=600)["code"] == 0
        seller.advance(48)
        sold = seller.all_orders()
        assert seller.orders("createdAt") == shopify
    more = [order for order in sold if order["id"] not in set(ids(organic))]
    assert len(more) > 5
    assert [order for order in sold if order not in more] == organic
    assert min(order["create_time"] for order in more) > NOW
    with running_sandbox(days=3, state=state) as running:
        seller = Seller(running.url)
        assert seller.all_orders() == sold
        assert ids(seller.asks(DETAILS, ids=more[0]["id"])["orders"]) == [more[0]["id"]]


def test_returns_are_of_delivered_orders_and_refund_what_was_paid(seller: Seller, orders: list[dict[str, Any]]) -> None:
    held = {order["id"]: order for order in orders}
    returns = seller.pages(RETURNS, "return_orders", {}, page_size="50")
    assert len(returns) == len({each["return_id"] for each in returns}) > 50
    partial = 0
    for each in returns:
        order = held[each["order_id"]]
        assert each["create_time"] > order["delivery_time"]
        prices = {line["id"]: Decimal(line["sale_price"]) for line in order["line_items"]}
        lines = each["return_line_items"]
        assert (
            each["refund_amount"]["refund_total"] == f"{sum(prices[line['order_line_item_id']] for line in lines):.2f}"
        )
        partial += len(lines) < len(prices)
    assert 0 < partial < len(returns)
    assert {each["return_status"] for each in returns} >= {
        "RETURN_OR_REFUND_REQUEST_COMPLETE",
        "REFUND_OR_RETURN_REQUEST_REJECT",
        "RETURN_OR_REFUND_REQUEST_CANCEL",
    }


def test_returns_are_filtered_and_come_in_pages_of_fifty_at_most(seller: Seller) -> None:
    returns = seller.pages(RETURNS, "return_orders", {}, page_size="50")
    for name, field, value in (
        ("return_status", "return_status", "RETURN_OR_REFUND_REQUEST_COMPLETE"),
        ("return_types", "return_type", "REFUND"),
        ("order_ids", "order_id", returns[4]["order_id"]),
    ):
        found = seller.pages(RETURNS, "return_orders", {name: [value]}, page_size="50")
        assert found == [each for each in returns if each[field] == value]
    edge = sorted(each["update_time"] for each in returns)[len(returns) // 2]
    found = seller.pages(RETURNS, "return_orders", {"update_time_ge": edge}, page_size="50")
    assert found == [each for each in returns if each["update_time"] >= edge]
    assert len(seller.posts(RETURNS, {})["return_orders"]) == 10
    assert seller.refused(seller.raw("POST", RETURNS, {}, params={"page_size": "51"})) == (400, 36009004)
    assert "return_orders" not in seller.posts(RETURNS, {"order_ids": ["1"]})


def test_a_return_goes_through_its_steps(own: Seller) -> None:
    own.advance(24 * 6)
    first = own.now()
    seen: dict[str, list[str]] = {}
    for _ in range(24):
        for each in own.pages(RETURNS, "return_orders", {"create_time_ge": first - DAY}, page_size="50"):
            seen.setdefault(each["return_id"], []).append(each["return_status"])
        own.advance(12)
    courses = {tuple(dict.fromkeys(course)) for course in seen.values()}
    assert any(course[-1] == "RETURN_OR_REFUND_REQUEST_COMPLETE" for course in courses)
    assert any("AWAITING_BUYER_SHIP" in course and "BUYER_SHIPPED_ITEM" in course for course in courses)


def test_products_are_the_catalogue_and_some_that_are_not_sold(seller: Seller, orders: list[dict[str, Any]]) -> None:
    products = seller.pages(PRODUCTS, "products", {}, page_size="3")
    sold = {line["product_id"]: line["original_price"] for order in orders for line in order["line_items"]}
    active = seller.posts(PRODUCTS, {"status": "ACTIVATE"})["products"]
    assert {each["id"]: each["skus"][0]["price"]["sale_price"] for each in active} == sold
    assert {each["status"] for each in products} == {"ACTIVATE", "DRAFT", "SELLER_DEACTIVATED"}
    assert all(each["create_time"] <= each["update_time"] <= NOW for each in products)


def test_products_that_changed_are_found_by_an_inclusive_window(seller: Seller) -> None:
    products = seller.posts(PRODUCTS, {})["products"]
    latest = max(each["update_time"] for each in products)
    (found,) = seller.posts(PRODUCTS, {"update_time_ge": latest, "update_time_le": latest})["products"]
    assert found == max(products, key=lambda each: each["update_time"])
    sku = found["skus"][0]["id"]
    assert seller.posts(PRODUCTS, {"sku_ids": [sku]})["products"] == [found]
    assert seller.refused(seller.raw("POST", PRODUCTS, {"status": "SOLD"})) == (400, 36009004)

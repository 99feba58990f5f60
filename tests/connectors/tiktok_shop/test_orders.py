"""Shop, orders and products: what counts as a sale, what a line is, and that nobody's data is read."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import ConfigurationError, MalformedReplyError, NotFoundError, TransientError
from connectors.store_contracts import LineRecord, ProductRecord, ShopRecord, StorePlatform, Subscribing, VariantRecord
from connectors.tiktok_shop.errors import UnsupportedRegionError
from connectors.tiktok_shop.parse import order as parsed
from connectors.tiktok_shop.regions import REGIONS
from tests.connectors.tiktok_shop.answers import (
    NOW,
    ORDERS,
    SHOPS,
    body,
    client,
    data,
    error,
    line,
    order,
    product,
    query,
    raw_body,
    sent,
    shop,
    tiktok_shop,
    verb,
)

END = datetime.fromtimestamp(NOW, UTC)
START = END - timedelta(hours=1)
DETAIL, PRODUCTS, WEBHOOKS = "/order/202507/orders", "/product/202502/products/search", "/event/202309/webhooks"
ADDRESS = "https://bursar.example/webhooks/tiktok-shop"
NEEDED = {
    "ORDER_STATUS_CHANGE",
    "PRODUCT_STATUS_CHANGE",
    "SELLER_DEAUTHORIZATION",
    "UPCOMING_AUTHORIZATION_EXPIRATION",
    "CANCELLATION_STATUS_CHANGE",
    "RETURN_STATUS_CHANGE",
}

pytestmark = pytest.mark.usefixtures("quick_retries")


def test_a_shop_is_found_among_those_that_the_login_opens() -> None:
    with tiktok_shop({SHOPS: data(shops=[shop(id="6", name="Other"), shop(id=7, region="GB")])}) as served:
        found = client(served)
        assert isinstance(found, Subscribing)
        platform: StorePlatform = found
        assert platform.shop() == ShopRecord("7", "Tea", "", "GBP", "Europe/London", "GB", "LOCAL")


def test_the_zone_that_staff_have_set_is_kept() -> None:
    with tiktok_shop({}) as served:
        assert client(served, timezone="America/Chicago").shop().timezone == "America/Chicago"


def test_a_shop_that_the_login_does_not_open_is_not_found() -> None:
    with tiktok_shop({SHOPS: data(shops=[shop(id="6")])}) as served, pytest.raises(NotFoundError):
        client(served).shop()


@pytest.mark.parametrize("region", ["JP", "", "us", "\u202eUS" * 40])
def test_a_market_that_is_not_served_is_named(region: str) -> None:
    told = data(shops=[shop(region=region)])
    with tiktok_shop({SHOPS: told}) as served, pytest.raises(UnsupportedRegionError) as caught:
        client(served).shop()
    assert isinstance(caught.value, ConfigurationError)
    assert "is not supported: supported are US, CA, GB" in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_order_is_its_total_at_order_time_with_one_line_for_each_unit() -> None:
    source = order(5, line_items=[line(1), line(2), line(3, product_id="", sku_id=None)])
    with tiktok_shop({ORDERS: data(orders=[source])}) as served:
        (record,) = client(served).orders(START, END)
    assert (record.external_id, record.currency, record.total_micros) == ("5", "USD", 23_450_000)
    assert record.created_at == END - timedelta(seconds=900)
    assert record.updated_at == END - timedelta(seconds=100)
    assert (record.is_paid, record.is_test, record.cancelled_at) == (True, False, None)
    assert (record.is_new_customer, record.attribution_ready, record.click_platform) == (None, True, None)
    assert (record.refunds, record.edits) == ((), ())
    first = LineRecord("l1", "11", "22", "Cup", 1, 12_500_000, 2_500_000)
    assert record.lines[:2] == (first, LineRecord("l2", "11", "22", "Cup", 1, 12_500_000, 2_500_000))
    assert (record.lines[2].product_external_id, record.lines[2].variant_external_id) == (None, None)


@pytest.mark.parametrize(
    ("changes", "is_paid", "is_cancelled"),
    [
        ({"status": "UNPAID", "paid_time": 0}, False, False),
        ({"status": "UNPAID"}, False, False),
        ({"status": "ON_HOLD"}, True, False),
        ({"status": "ON_HOLD", "paid_time": None}, False, False),
        ({"status": "AWAITING_SHIPMENT"}, True, False),
        ({"status": "PARTIALLY_SHIPPING"}, True, False),
        ({"status": "COMPLETED"}, True, False),
        ({"status": "A_NEW_ONE"}, True, False),
        ({"status": "CANCELLED", "cancel_time": NOW - 100}, True, True),
        ({"status": "CANCELLED", "paid_time": None}, False, True),
        ({"status": "CANCEL"}, True, True),
        ({"status": "COMPLETED", "cancel_time": NOW - 100}, True, False),
    ],
)
def test_an_order_is_paid_once_its_buyer_has_paid_whether_or_not_it_is_cancelled_later(
    changes: dict[str, Any], is_paid: bool, is_cancelled: bool
) -> None:
    record = parsed({name: value for name, value in order(**changes).items() if value is not None})
    assert record.is_paid == is_paid
    assert record.cancelled_at == (END - timedelta(seconds=100) if is_cancelled else None)


@pytest.mark.parametrize("kind", ["is_sample_order", "is_exchange_order", "is_replacement_order"])
def test_what_was_not_sold_is_no_sale(kind: str) -> None:
    assert parsed(order(**{kind: True})).is_test
    assert not parsed(order(**{kind: False})).is_test


def test_nothing_of_a_person_is_in_a_record() -> None:
    told = str(asdict(parsed(order())))
    assert not [word for word in ("Robin", "p@x.test", "ring twice", "u1") if word in told]


def test_orders_of_a_window_are_those_in_it() -> None:
    times = [NOW - 3601, NOW - 3600, NOW - 1, NOW, NOW + 5]  # TikTok: "update times may exceed the search range"
    told = [order(number, update_time=time) for number, time in enumerate(times)]
    with tiktok_shop({ORDERS: data(orders=told)}) as served:
        assert [record.external_id for record in client(served).orders(START, END)] == ["1", "2"]


def test_a_listing_that_shrinks_while_it_is_read_is_read_again_from_where_it_had_come_to() -> None:
    def at(number: int) -> dict[str, Any]:
        return order(number, update_time=NOW - 1000 + number)

    told = [
        data(orders=[at(1), at(2)], next_page_token="x", total_count=4),
        data(orders=[at(4)], total_count=3),  # order 1 was updated: order 3 slipped over the edge of the first page
        data(orders=[at(2), at(3)], next_page_token="y", total_count=3),
        data(orders=[at(4)], total_count=3),
    ]
    with tiktok_shop({ORDERS: told}) as served:
        assert [record.external_id for record in client(served).orders(START, END)] == ["1", "2", "3", "4"]
        assert body(served.requests[2])["update_time_ge"] == NOW - 998


def test_what_changes_meanwhile_moves_to_no_end_of_the_listing_that_is_read() -> None:
    """The listing would be as long as before, though an order has slipped over the edge between two pages."""
    with tiktok_shop({ORDERS: data(orders=[])}) as served:
        assert list(client(served).orders(START, END + timedelta(seconds=5))) == []
        assert list(client(served).orders(START, END - timedelta(minutes=2))) == []
        windows = [(asked["update_time_ge"], asked["update_time_lt"]) for asked in map(body, served.requests)]
    assert windows == [(NOW - 3600, NOW - 60), (NOW - 60, NOW + 5), (NOW - 3600, NOW - 120)]


def test_a_listing_that_shrinks_for_ever_is_given_up() -> None:
    first = data(orders=[order(1)], next_page_token="x", total_count=4)
    told = [first, data(orders=[], total_count=3)] * 100
    with tiktok_shop({ORDERS: told}) as served, pytest.raises(TransientError):
        list(client(served).orders(START, END))


def test_orders_by_id_are_asked_fifty_at_a_time_each_once() -> None:
    told = [data(orders=[order(1)]), data(orders=[order(2)]), data()]
    ids = [str(number) for number in range(101)]
    with tiktok_shop({DETAIL: told}) as served:
        found = client(served).orders_by_id(iter([*ids, *ids]))
        assert [record.external_id for record in found] == ["1", "2"]
        asked = [query(request)["ids"].split(",") for request in served.requests]
    assert asked == [ids[:50], ids[50:100], ids[100:]]


@pytest.mark.parametrize("bad", ["", "1,2", "1 or 1", "gid://1", "9" * 40])
def test_an_id_that_is_none_is_not_sent(bad: str) -> None:
    with tiktok_shop({}) as served:
        with pytest.raises(ConfigurationError):
            list(client(served).orders_by_id([bad]))
        assert served.requests == []


def test_no_ids_are_no_request() -> None:
    with tiktok_shop({}) as served:
        assert list(client(served).orders_by_id([])) == []
        assert served.requests == []


def test_products_come_with_their_skus_as_variants_and_without_a_cost() -> None:
    price = {"currency": "USD", "tax_exclusive_price": "12.50", "sale_price": "13.75"}
    skus = [{"id": "22", "seller_sku": "A", "price": price}, {"id": "23"}]
    told = [data(products=[product(1, skus=skus)], next_page_token="x"), data(products=[product(2, status="DELETED")])]
    with tiktok_shop({PRODUCTS: told}) as served:
        first, second = client(served).products()
        assert body(served.requests[0]) == {"status": "ALL"}
    assert first == ProductRecord(
        "1",
        "Cup",
        "activate",
        END - timedelta(seconds=900),
        END,
        (VariantRecord("22", "", "A", 13_750_000, None), VariantRecord("23", "", "", None, None)),
    )
    assert (second.status, second.variants[0].price_micros) == ("deleted", 12_500_000)


def test_products_that_changed_since_are_asked_for() -> None:
    with tiktok_shop({}) as served:
        assert list(client(served).products(START + timedelta(milliseconds=900))) == []
        assert body(served.requests[0]) == {"status": "ALL", "update_time_ge": NOW - 3600}


@pytest.mark.parametrize(
    "changes",
    [
        {"payment": None},
        {"payment": {"currency": "usd", "total_amount": "1"}},
        {"payment": {"currency": "USD", "total_amount": "-1"}},
        {"payment": {"currency": "USD", "total_amount": ""}},
        {"payment": {"currency": "USD", "total_amount": "1e9"}},
        {"create_time": 0},
        {"update_time": "soon"},
        {"update_time": 10**15},
        {"update_time": True},
        {"id": None},
        {"id": "a b"},
        {"line_items": {"id": "1"}},
        {"line_items": [line(original_price=None)]},
        {"is_sample_order": "yes"},
        {"paid_time": -5},
    ],
)
def test_an_order_of_an_unknown_shape_is_refused(changes: dict[str, Any]) -> None:
    with tiktok_shop({ORDERS: data(orders=[order(**changes)])}) as served, pytest.raises(MalformedReplyError):
        list(client(served).orders(START, END))


def webhook(event: str, address: str = ADDRESS) -> dict[str, Any]:
    return {"event_type": event, "address": address, "create_time": NOW * 1000}


def test_every_event_that_is_needed_is_pushed_to_the_address() -> None:
    with tiktok_shop({WEBHOOKS: data()}) as served:
        assert client(served).subscribe(ADDRESS) == len(NEEDED)
        first, *puts = sent(served, WEBHOOKS)
    assert (verb(first), raw_body(first)) == (f"GET {WEBHOOKS}", b"")
    assert {verb(request) for request in puts} == {f"PUT {WEBHOOKS}"}
    assert {body(request)["event_type"] for request in puts} == NEEDED
    assert {body(request)["address"] for request in puts} == {ADDRESS}


def test_what_is_subscribed_already_is_left_alone() -> None:
    with tiktok_shop({WEBHOOKS: data(webhooks=[webhook(event) for event in NEEDED])}) as served:
        assert client(served).subscribe(ADDRESS) == 0
        assert len(served.requests) == 1


def test_an_old_address_is_replaced_and_what_is_not_needed_any_more_ended() -> None:
    held = [webhook(event) for event in sorted(NEEDED)]
    held[0]["address"] = "https://old.example/"
    foreign = webhook("INVOICE_STATUS_CHANGE", "https://elsewhere.example/")
    told = [data(webhooks=[*held, webhook("NEW_MESSAGE"), foreign]), data()]
    with tiktok_shop({WEBHOOKS: told}) as served:
        assert client(served).subscribe(ADDRESS) == 2
        _, put, delete = sent(served, WEBHOOKS)
    assert (verb(put), body(put)["event_type"]) == (f"PUT {WEBHOOKS}", held[0]["event_type"])
    assert (verb(delete), body(delete)) == (f"DELETE {WEBHOOKS}", {"event_type": "NEW_MESSAGE"})


@pytest.mark.parametrize("address", ["", "ftp://x", "https://", "https://a b", "https://x/" + "a" * 250])
def test_an_address_that_is_none_is_not_sent(address: str) -> None:
    with tiktok_shop({}) as served:
        with pytest.raises(ConfigurationError):
            client(served).subscribe(address)
        assert served.requests == []


def test_a_subscription_whose_answer_is_lost_is_asked_for_again() -> None:
    told = [data(), error(36009003, status=500), data()]
    with tiktok_shop({WEBHOOKS: told}) as served:
        assert client(served).subscribe(ADDRESS) == len(NEEDED)


def test_the_markets_are_those_that_are_promised() -> None:
    assert " ".join(REGIONS) == "US CA GB FR DE IT ES ID MY TH VN PH SG"

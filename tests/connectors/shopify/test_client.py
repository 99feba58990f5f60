"""The Shopify client: against the sandbox, and over a real socket for what the sandbox does not say."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    MalformedReplyError,
    RateLimitedError,
    TransientError,
)
from connectors.shopify.client import ShopifyStore, shop_host
from connectors.shopify.errors import TooCostlyError
from connectors.store_contracts import OrderRecord
from tests.connectors.control import Control
from tests.connectors.shopify.test_parse import money, node
from tests.connectors.wire import Script, Wire, says, wire

START = datetime(2026, 11, 20, 10, tzinfo=UTC)
END = START + timedelta(hours=2)


def client(served: Wire) -> ShopifyStore:
    return ShopifyStore(
        base_url=served.url, version="2026-10", shop="Demo.myshopify.com", access_token="shpat_0123456789"
    )


def connection(found: list[Any], cursor: str | None = None) -> dict[str, Any]:
    return {"nodes": found, "pageInfo": {"hasNextPage": cursor is not None, "endCursor": cursor}}


def order(number: int = 1, lines: Any = None, refunds: Any = (), **changes: Any) -> dict[str, Any]:
    changes = {"id": f"gid://shopify/Order/{number}", **changes}
    return node(lineItems=lines or connection([]), refunds=list(refunds), **changes)


def line(number: int) -> dict[str, Any]:
    named = {"id": f"gid://l/{number}", "title": "T", "quantity": 1, "product": None, "variant": None}
    return named | {"originalUnitPriceSet": money("1.00")}


def refund(number: int) -> dict[str, Any]:
    return {"id": f"gid://r/{number}", "processedAt": START.isoformat(), "totalRefundedSet": money("1.00")}


def orders(*found: dict[str, Any], cursor: str | None = None) -> Script:
    return says({"data": {"orders": connection(list(found), cursor)}})


def failing(code: str, cost: Any = None) -> Script:
    error = {"message": code, "extensions": {"code": code}}
    return says({"errors": [error], "extensions": {"cost": cost}})


def read(served: Wire) -> list[OrderRecord]:
    return list(client(served).orders(START, END))


def variables(request: str) -> dict[str, Any]:
    return dict(json.loads(request.partition("\r\n\r\n")[2])["variables"])


def test_names_the_shop_by_its_host_and_the_token_by_a_header() -> None:
    with wire(orders()) as served:
        assert read(served) == []
        head = served.requests[0].lower()
    assert head.startswith("post /admin/api/2026-10/graphql.json ")
    assert "host: demo.myshopify.com\r\n" in head
    assert "x-shopify-access-token: shpat_0123456789\r\n" in head


def test_asks_for_the_window_and_keeps_only_what_lies_in_it() -> None:
    times = ["2026-11-20T09:59:59Z", "2026-11-20T10:00:00Z", "2026-11-20T11:59:59Z", "2026-11-20T12:00:00Z"]
    with wire(orders(*(order(n, updatedAt=t) for n, t in enumerate(times)))) as served:
        assert [o.external_id[-1] for o in read(served)] == ["1", "2"]
        asked = variables(served.requests[0])["query"]
    assert asked == "updated_at:>='2026-11-20T10:00:00Z' updated_at:<='2026-11-20T12:00:01Z'"


def test_follows_the_cursor_and_fetches_the_rest_of_a_long_order() -> None:
    long = order(1, connection([line(1)], "L1"))
    more = [
        says({"data": {"order": {"lineItems": connection([line(2)], "L2")}}}),
        says({"data": {"order": {"lineItems": connection([line(3)])}}}),
    ]
    with wire(orders(long, cursor="O1"), *more, orders(order(2))) as served:
        found = read(served)
        asked = [variables(request) for request in served.requests]
    assert [len(o.lines) for o in found] == [3, 0]
    assert [v.get("after") for v in asked] == [None, "L1", "L2", "O1"]


def test_a_full_list_of_refunds_may_be_cut_and_is_asked_for_again() -> None:
    every = says({"data": {"order": {"refunds": [refund(n) for n in range(8)]}}})
    with wire(orders(order(refunds=[refund(n) for n in range(5)])), every) as served:
        assert len(read(served)[0].refunds) == 8


def test_a_page_that_costs_too_much_is_halved_until_it_fits() -> None:
    costly = failing("MAX_COST_EXCEEDED")
    with wire(costly, costly, orders(order(1), cursor="c"), orders(order(2))) as served:
        assert len(read(served)) == 2
        assert [variables(request)["orders"] for request in served.requests] == [15, 7, 3, 3]


def test_a_single_order_that_costs_too_much_is_an_error() -> None:
    with wire(failing("MAX_COST_EXCEEDED")) as served, pytest.raises(TooCostlyError):
        read(served)


def test_waits_until_the_bucket_has_refilled() -> None:
    cost = {"requestedQueryCost": 100, "throttleStatus": {"currentlyAvailable": 60, "restoreRate": 100}}
    with wire(failing("THROTTLED", cost), orders()) as served:
        started = time.monotonic()
        assert read(served) == []
        assert 0.4 <= time.monotonic() - started < 3


@pytest.mark.usefixtures("quick_retries")
def test_a_bucket_that_never_refills_is_told() -> None:
    with wire(failing("THROTTLED")) as served, pytest.raises(RateLimitedError):
        read(served)


def test_another_version_than_asked_for_is_refused() -> None:
    served_as = says({"data": {"orders": connection([])}}, 200, "X-Shopify-API-Version: 2025-10\r\n")
    with wire(served_as) as served, pytest.raises(ConfigurationError, match="2025-10"):
        read(served)


@pytest.mark.parametrize(
    "data", [{}, {"orders": None}, {"orders": {"nodes": []}}, {"orders": {"nodes": [], "pageInfo": {}}}]
)
def test_an_answer_of_an_unknown_shape_is_refused(data: dict[str, Any]) -> None:
    with wire(says({"data": data})) as served, pytest.raises(MalformedReplyError):
        read(served)


def test_a_cursor_that_repeats_is_an_error() -> None:
    with wire(orders(order(1), cursor="c")) as served, pytest.raises(MalformedReplyError):
        read(served)


@pytest.mark.parametrize(
    "shop",
    [
        "",
        "demo",
        "demo.myshopify.com\n",
        "demo.myshopify.com.evil.example",
        "evil.example/demo.myshopify.com",
        "-demo.myshopify.com",
        "a.b.myshopify.com",
        "demo_1.myshopify.com",
        "d" * 80 + ".myshopify.com",
        "user@demo.myshopify.com",
        "dеmo.myshopify.com",
        "demo.myshopify.com:80",
    ],
)
def test_a_shop_is_one_label_before_the_known_domain(shop: str) -> None:
    with pytest.raises(ConfigurationError):
        shop_host(shop)


@pytest.mark.parametrize("version", ["", "2026-11", "unstable", "2026-10/..", "2026-10\n"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError):
        ShopifyStore(base_url="", version=version, shop="demo.myshopify.com", access_token="t")


def test_tells_what_shop_it_is(sandbox: Control) -> None:
    shop = sandbox.store().shop()
    assert shop.domain == sandbox.get("credentials")["shopify"]["shop"]
    assert (shop.currency, shop.timezone) == ("USD", "America/New_York")


def test_orders_ascend_by_update_and_tell_where_they_came_from(sandbox: Control) -> None:
    store, now = sandbox.store(), sandbox.now()
    found = list(store.orders(now - timedelta(days=2), now + timedelta(seconds=1)))
    assert found
    assert [o.updated_at for o in found] == sorted(o.updated_at for o in found)
    assert len({o.external_id for o in found}) == len(found)
    assert {o.currency for o in found} == {"USD"}
    assert all(o.total_micros > 0 and o.lines for o in found)
    assert {Platform.META, Platform.TIKTOK} <= {o.click_platform for o in found}
    assert any(o.utm_content for o in found)


def test_two_windows_side_by_side_hold_what_one_holds(sandbox: Control) -> None:
    store, now = sandbox.store(), sandbox.now()
    start, middle = now - timedelta(days=1), now - timedelta(hours=11, minutes=17)
    parts = [*store.orders(start, middle), *store.orders(middle, now)]
    assert parts == list(store.orders(start, now))


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("drop_before_apply", TransientError),
        ("drop_after_apply", TransientError),
        ("truncated_body", TransientError),
        ("html_body", TransientError),
        ("server_error", TransientError),
        ("rate_limit", RateLimitedError),
        ("expired_token", AuthenticationError),
    ],
)
def test_a_query_that_keeps_failing_says_how(sandbox: Control, fault: str, kind: type[Exception]) -> None:
    store = sandbox.store()
    with sandbox.fault(fault, Platform.SHOPIFY, count=50), pytest.raises(kind):
        store.shop()
    if kind is TransientError:
        with sandbox.fault(fault, Platform.SHOPIFY, count=2):
            assert store.shop().currency == "USD"

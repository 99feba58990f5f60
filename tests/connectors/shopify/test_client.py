"""The Shopify client: against the sandbox, and over a real socket for what the sandbox does not say."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    MalformedReplyError,
    NotFoundError,
    RateLimitedError,
)
from connectors.shopify import graph
from connectors.shopify.client import ShopifyStore, shop_host
from connectors.shopify.errors import TooCostlyError
from connectors.store_contracts import EditRecord, OrderRecord, RefundRecord
from tests.connectors.shopify.answers import (
    TOKEN,
    agreement,
    agreements,
    asked,
    connection,
    data,
    failing,
    line,
    order,
    refund,
    store,
)
from tests.connectors.wire import Script, Wire, says, wire

START = datetime(2026, 11, 20, 10, tzinfo=UTC)
END = START + timedelta(hours=2)


def orders(*found: dict[str, Any], cursor: str | None = None) -> Script:
    return data(orders=connection(list(found), cursor))


def read(served: Wire) -> list[OrderRecord]:
    return list(store(served).orders(START, END))


def test_names_the_shop_by_its_host_and_the_token_by_a_header() -> None:
    with wire(orders()) as served:
        assert read(served) == []
        head = served.requests[0].lower()
    assert head.startswith("post /admin/api/2026-10/graphql.json ")
    assert "host: demo.myshopify.com\r\n" in head
    assert f"x-shopify-access-token: {TOKEN}\r\n" in head


def test_asks_for_the_window_and_keeps_only_what_lies_in_it() -> None:
    times = ["2026-11-20T09:59:59Z", "2026-11-20T10:00:00Z", "2026-11-20T11:59:59Z", "2026-11-20T12:00:00Z"]
    with wire(orders(*(order(n, updatedAt=t) for n, t in enumerate(times)))) as served:
        assert [o.external_id[-1] for o in read(served)] == ["1", "2"]
        ((_, asked_for),) = asked(served)
    assert asked_for["query"] == "updated_at:>='2026-11-20T10:00:00Z' updated_at:<='2026-11-20T12:00:01Z'"


def test_follows_the_cursor_and_fetches_the_rest_of_a_long_order() -> None:
    long = order(1, connection([line(1)], "L1"))
    more = [
        data(order={"lineItems": connection([line(2)], "L2")}),
        data(order={"lineItems": connection([line(3)])}),
    ]
    with wire(orders(long, cursor="O1"), *more, orders(order(2))) as served:
        found = read(served)
        sent = asked(served)
    assert [len(o.lines) for o in found] == [3, 0]
    assert [(name, v["after"]) for name, v in sent] == [
        ("orders", None),
        ("order_lines", "L1"),
        ("order_lines", "L2"),
        ("orders", "O1"),
    ]


def test_a_full_list_of_refunds_may_be_cut_and_is_asked_for_again() -> None:
    every = data(order={"refunds": [refund(n) for n in range(8)]})
    with wire(orders(order(refunds=[refund(n) for n in range(5)])), every) as served:
        assert len(read(served)[0].refunds) == 8


def test_a_page_that_costs_too_much_is_halved_until_it_fits() -> None:
    costly = failing("MAX_COST_EXCEEDED")
    with wire(costly, costly, orders(order(1), cursor="c"), orders(order(2))) as served:
        assert len(read(served)) == 2
        assert [variables["first"] for _, variables in asked(served)] == [12, 6, 3, 3]


def test_a_listing_is_begun_anew_before_it_becomes_too_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "DEEPEST", 2)
    at = [f"2026-11-20T10:00:0{n}Z" for n in range(4)]
    found = [order(n, updatedAt=at[n]) for n in range(4)]
    with wire(orders(*found[:3]), orders(*found[1:3], cursor="c"), orders(found[2])) as served:
        assert [one.updated_at.second for one in read(served)] == [0, 1, 1, 2, 2]
        asked_for = [variables["query"].partition(" ")[0] for _, variables in asked(served)]
    assert asked_for == [f"updated_at:>='{moment}'" for moment in at[:3]]


def test_more_changes_within_a_second_than_can_be_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "DEEPEST", 2)
    found = [order(n, updatedAt="2026-11-20T10:00:00Z") for n in range(3)]
    with wire(orders(*found)) as served, pytest.raises(MalformedReplyError):
        read(served)


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


def test_a_refusal_is_told_in_shopifys_words() -> None:
    answer, words = says({"errors": "[API] Invalid API key"}, 401), r"HTTP status 401: \[API\] Invalid API key"
    with wire(answer) as served, pytest.raises(AuthenticationError, match=words) as caught:
        read(served)
    assert caught.value.code == "401"


def test_what_changed_an_edited_order_is_told_by_all_of_its_agreements() -> None:
    edited = order(1, refunds=[refund(1, "20.00")] * 5, edited=True)
    paid_back = agreement(2, "REFUND", "-1.00", refund={"id": "gid://shopify/Refund/1"})
    told = [
        agreements([agreement(0, "ORDER", "49.90")], "A0"),
        agreements([agreement(1, "ORDER_EDIT", "-20.00", sales="S1")], "A1"),
        agreements([agreement(1, "ORDER_EDIT", "5.00")], "A1"),
        agreements([paid_back]),
    ]
    with wire(orders(edited), *told) as served:
        (found,) = read(served)
        sent = asked(served)
    assert found.edits == (EditRecord("gid://a/1", datetime(2026, 11, 20, 11, tzinfo=UTC), -15_000_000),)
    assert found.refunds == (RefundRecord("gid://shopify/Refund/1", datetime(2026, 11, 20, 12, tzinfo=UTC), 1_000_000),)
    assert [(name, variables["after"], variables.get("sales")) for name, variables in sent[1:]] == [
        ("order_agreements", None, None),
        ("order_agreements", "A0", None),
        ("order_agreements", "A0", "S1"),
        ("order_agreements", "A1", None),
    ]


def test_further_sales_of_another_agreement_are_refused() -> None:
    told = [agreements([agreement(1, "ORDER_EDIT", sales="S")]), agreements([agreement(2, "ORDER_EDIT", "5.00")])]
    with wire(orders(order(1, edited=True)), *told) as served, pytest.raises(MalformedReplyError):
        read(served)


@pytest.mark.parametrize("vanished", [order(1, edited=True), order(1, connection([line(1)], "L1"))])
def test_an_order_that_vanishes_while_it_is_read_is_told(vanished: dict[str, Any]) -> None:
    with wire(orders(vanished), data(order=None)) as served, pytest.raises(NotFoundError):
        read(served)


def gid(number: int) -> str:
    return f"gid://shopify/Order/{number}"


def by_id(served: Wire, *ids: str) -> list[str]:
    return [found.external_id for found in store(served).orders_by_id(ids)]


def test_orders_are_read_by_their_ids_and_one_that_is_no_more_is_left_out() -> None:
    with wire(data(nodes=[order(1), None, order(3)])) as served:
        assert by_id(served, gid(1), gid(2), gid(3), gid(1)) == [gid(1), gid(3)]
        assert [(name, variables["ids"]) for name, variables in asked(served)] == [
            ("orders_by_id", [gid(1), gid(2), gid(3)])
        ]


def test_many_ids_are_asked_for_in_batches_that_shrink_when_they_cost_too_much() -> None:
    batches = [failing("MAX_COST_EXCEEDED"), *(data(nodes=[order(n) for n in part]) for part in ([0, 1, 2, 3, 4, 5],))]
    with wire(*batches, data(nodes=[order(n) for n in range(6, 12)]), data(nodes=[order(12)])) as served:
        assert by_id(served, *map(gid, range(13))) == [gid(n) for n in range(13)]
        assert [len(variables["ids"]) for _, variables in asked(served)] == [12, 6, 6, 1]


@pytest.mark.parametrize("nodes", [None, [], [order(1), order(2)], [[]]])
def test_an_answer_that_does_not_fit_the_ids_is_refused(nodes: Any) -> None:
    with wire(data(nodes=nodes)) as served, pytest.raises(MalformedReplyError):
        by_id(served, gid(1))


def test_what_is_no_id_of_an_order_is_never_asked_for() -> None:
    with wire(failing("INTERNAL")) as served:
        assert by_id(served, "", "1", "gid://shopify/Refund/1", 'gid://shopify/Order/1" }', gid(10**30)) == []
        assert served.requests == []


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

"""Orders as Shopify sends them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.contracts import Platform
from connectors.errors import MalformedReplyError
from connectors.shopify import parse
from connectors.store_contracts import LineRecord, OrderRecord, RefundRecord
from tests.connectors.shopify.answers import line, money, node, refund


def order(**changes: Any) -> OrderRecord:
    return parse.order(node(**changes), [], ())


def visit(landing_page: str | None, **utm: str) -> dict[str, Any]:
    return {"landingPage": landing_page, "utmParameters": utm or None}


def journey(last: Any = None, first: Any = None, index: int | None = None) -> dict[str, Any]:
    return {"ready": True, "customerOrderIndex": index, "firstVisit": first, "lastVisit": last}


def test_reads_a_whole_order() -> None:
    sold = line(1, "2.50", "1.25") | {"title": "Mug", "quantity": 2, "product": {"id": "gid://p/1"}}
    sold |= {"originalUnitPriceSet": money("24.95")}
    found = parse.order(node(), [sold], parse.refunds([refund(1, "5.0")]))
    assert found.total_micros == 49_900_000
    assert found.currency == "USD"
    assert found.created_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert found.lines == (LineRecord("gid://l/1", "gid://p/1", None, "Mug", 2, 24_950_000, 3_750_000),)
    assert found.refunds == (RefundRecord("gid://shopify/Refund/1", datetime(2026, 11, 20, 10, tzinfo=UTC), 5_000_000),)
    assert found.edits == ()


@pytest.mark.parametrize(
    ("status", "paid"),
    [
        ("PAID", True),
        ("PARTIALLY_PAID", True),
        ("REFUNDED", True),
        ("PARTIALLY_REFUNDED", True),
        ("PENDING", False),
        ("AUTHORIZED", False),
        ("VOIDED", False),
        (None, False),
        ("NEW_WORD", False),
    ],
)
def test_paid_means_that_money_came_in(status: str | None, paid: bool) -> None:
    assert order(displayFinancialStatus=status).is_paid is paid


@pytest.mark.parametrize(("index", "new"), [(None, None), (0, True), (1, True), (2, False), (50, False)])
def test_a_new_customer_is_known_by_the_index_at_order_time(index: int | None, new: bool | None) -> None:
    assert order(customerJourneySummary=journey(index=index)).is_new_customer is new


def test_attribution_is_unknown_until_shopify_has_it() -> None:
    assert order().attribution_ready is False
    waiting = order(customerJourneySummary=journey() | {"ready": False})
    assert (waiting.attribution_ready, waiting.utm_source, waiting.click_platform) == (False, "", None)


def test_the_last_marked_visit_wins() -> None:
    first = visit("https://shop.example/?ttclid=T1", source="tiktok")
    last = visit("https://shop.example/?fbclid=F1&utm_id=9", source="facebook", campaign="a", content="b")
    found = order(customerJourneySummary=journey(last, first))
    assert (found.utm_source, found.utm_campaign, found.utm_content) == ("facebook", "a", "b")
    assert (found.click_platform, found.click_id) == (Platform.META, "F1")


def test_an_unmarked_last_visit_leaves_it_to_the_first() -> None:
    first = visit("https://shop.example/?ttclid=T1", source="tiktok")
    found = order(customerJourneySummary=journey(visit("https://shop.example/"), first))
    assert (found.utm_source, found.click_platform, found.click_id) == ("tiktok", Platform.TIKTOK, "T1")


@pytest.mark.parametrize(
    "page", [None, "", "not a url", "http://[::1", "https://x/?" + "&".join(["a=1"] * 400), "?fbclid="]
)
def test_a_hostile_landing_page_says_nothing(page: str | None) -> None:
    assert order(customerJourneySummary=journey(visit(page))).click_id == ""


def test_a_click_id_at_the_end_of_a_long_address_is_whole() -> None:
    page = "https://x/?" + "utm_term=" + "w" * 3000 + "&fbclid=" + "F" * 200
    assert order(customerJourneySummary=journey(visit(page))).click_id == "F" * 200


def test_control_characters_never_get_in() -> None:
    found = order(customerJourneySummary=journey(visit("https://x/?fbclid=a%00b%0Ac", source="s\x00t\u202e")))
    assert (found.click_id, found.utm_source) == ("abc", "st")


@pytest.mark.parametrize(
    "change",
    [
        {"originalTotalPriceSet": None},
        {"originalTotalPriceSet": money("-1.00")},
        {"originalTotalPriceSet": money("NaN")},
        {"originalTotalPriceSet": {"shopMoney": {"amount": "1.0", "currencyCode": "DOLLARS"}}},
        {"originalTotalPriceSet": {"shopMoney": {"amount": None, "currencyCode": "USD"}}},
        {"createdAt": None},
        {"updatedAt": "soon"},
        {"test": None},
        {"id": None},
        {"customerJourneySummary": []},
    ],
)
def test_an_order_of_an_unknown_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        order(**change)

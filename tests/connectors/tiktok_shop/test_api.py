"""How the connector asks: signed bytes, the token in a header, a cipher only where one belongs, pages to the end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import AuthenticationError, MalformedReplyError, PermissionDeniedError
from connectors.tiktok_shop.signing import sign
from tests.connectors.tiktok_shop.answers import (
    CIPHER,
    KEY,
    NOW,
    ORDERS,
    SECRET,
    SHOPS,
    TOKEN,
    body,
    client,
    creator,
    data,
    error,
    order,
    query,
    raw_body,
    sent,
    tiktok_shop,
    verb,
)
from tests.connectors.wire import Wire

END = datetime.fromtimestamp(NOW - 60, UTC)  # the last minute is asked for by itself
START = END - timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("quick_retries")


def search(served: Wire, **options: Any) -> list[str]:
    return [record.external_id for record in client(served, **options).orders(START, END)]


def test_the_bytes_that_are_sent_are_the_bytes_that_are_signed() -> None:
    with tiktok_shop({ORDERS: data(orders=[])}) as served:
        assert search(served) == []
        (request,) = served.requests
    asked = query(request)
    assert asked.pop("sign") == sign(ORDERS, asked, raw_body(request), "application/json", SECRET)
    assert raw_body(request) == json.dumps(body(request), separators=(",", ":")).encode()
    assert "content-type: application/json\r\n" in request.lower()
    assert asked == {
        "app_key": KEY,
        "timestamp": str(NOW),
        "shop_cipher": CIPHER,
        "page_size": "100",
        "sort_field": "update_time",
        "sort_order": "ASC",
    }
    assert f"x-tts-access-token: {TOKEN}\r\n" in request
    assert TOKEN not in request.split("\r\n")[0]


def test_what_is_not_of_one_shop_names_none_and_has_no_body() -> None:
    with tiktok_shop({}) as served:
        client(served).shop()
        (request,) = served.requests
    assert verb(request) == f"GET {SHOPS}"
    assert set(query(request)) == {"app_key", "timestamp", "sign"}
    assert raw_body(request) == b""
    assert "content-type" not in request.lower()


def test_a_creator_names_no_shop() -> None:
    with tiktok_shop({}) as served:
        assert list(creator(served).commissions(START, END)) == []
        assert "shop_cipher" not in query(served.requests[0])


def test_a_listing_is_read_to_the_page_that_names_no_next() -> None:
    pages = [
        data(orders=[order(1), order(2)], next_page_token="a/b+c==", total_count=3),
        data(orders=[order(3)], next_page_token="", total_count=3),
    ]
    with tiktok_shop({ORDERS: pages}) as served:
        assert search(served) == ["1", "2", "3"]
        first, second = served.requests
    assert "page_token" not in query(first)
    assert query(second)["page_token"] == "a/b+c=="
    assert body(first) == body(second)
    asked = query(second)
    assert asked.pop("sign") == sign(ORDERS, asked, raw_body(second), "application/json", SECRET)


def test_a_page_without_rows_may_leave_the_list_out() -> None:
    pages = [data(orders=[order()], next_page_token="x", total_count=1), data(total_count=1)]
    with tiktok_shop({ORDERS: pages}) as served:
        assert search(served) == ["1"]


@pytest.mark.parametrize(
    "answer",
    [
        {"orders": [], "next_page_token": "same", "total_count": 9},
        {"orders": [], "next_page_token": 7},
        {"orders": [], "next_page_token": ["x"]},
        {"orders": [], "next_page_token": "x" * 5000},
        {"orders": [], "next_page_token": "new\nline"},
        {"orders": {"1": {}}},
        {"orders": ["1"]},
        {"total_count": 4},
    ],
)
def test_a_listing_that_turns_in_circles_or_hides_rows_is_refused(answer: dict[str, Any]) -> None:
    with tiktok_shop({ORDERS: data(**answer)}) as served, pytest.raises(MalformedReplyError):
        search(served)


def test_a_token_that_expires_on_the_way_ends_the_listing_with_what_was_read() -> None:
    pages = [data(orders=[order(1)], next_page_token="x"), error(105002, "access token is expired", 401)]
    with tiktok_shop({ORDERS: pages}) as served:
        records = client(served).orders(START, END)
        assert next(records).external_id == "1"
        with pytest.raises(AuthenticationError) as caught:
            next(records)
        assert len(served.requests) == 2
    assert caught.value.code == "105002"


def test_each_use_of_the_token_is_witnessed_with_how_it_ended() -> None:
    uses: list[list[str]] = []

    def witness(method: str, path: str) -> Any:
        uses.append([f"{method} {path}"])
        return uses[-1].append

    told = [data(orders=[], next_page_token="x"), error(105005, status=403)]
    with tiktok_shop({ORDERS: told}) as served, pytest.raises(PermissionDeniedError):
        search(served, witness=witness)
    assert uses == [[f"POST {ORDERS}", "200"], [f"POST {ORDERS}", "403"]]


def test_sent_is_what_was_asked() -> None:
    with tiktok_shop({}) as served:
        list(client(served).orders(START + timedelta(milliseconds=1), END - timedelta(milliseconds=1)))
        (request,) = sent(served, ORDERS)
    assert body(request) == {"update_time_ge": NOW - 3660, "update_time_lt": NOW - 60}

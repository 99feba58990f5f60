"""What a request to TikTok Shop must bring: app, time, signature, token, scope, shop; and how refusals look."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from connectors.sandbox.answers import Request
from connectors.sandbox.server import Sandbox, running_sandbox
from connectors.sandbox.tiktok_shop_terms import signature
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.seller import ORDERS, Seller

SHOPS = "/authorization/202309/shops"


@pytest.fixture(scope="module")
def seller() -> Iterator[Seller]:
    """A sandbox for tests that only read."""
    with running_sandbox(start=START, days=14) as running:
        yield Seller(running.url)


@pytest.fixture
def own() -> Iterator[tuple[Sandbox, Seller]]:
    """A sandbox of one's own, and a visitor of it."""
    with running_sandbox(start=START, days=2) as running:
        yield running, Seller(running.url)


def built(method: str, path: str, query: dict[str, str], body: bytes = b"", content_type: str = "") -> Request:
    builder = EnvironBuilder(path, method=method, query_string=query, data=body, content_type=content_type or None)
    return Request(builder.get_environ())


OURS = {"app_key": "6a1b2c3d4e5f", "timestamp": "1732147200"}


@pytest.mark.parametrize(
    ("request_", "secret", "sign"),
    [
        (
            built("GET", SHOPS, {"app_key": "29a39d", "timestamp": "1623812664"}),
            "e59af819cc",
            "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8",
        ),
        (
            built(
                "POST",
                ORDERS,
                {
                    **OURS,
                    "shop_cipher": "ROW_TESTcipher==",
                    "page_size": "50",
                    "sort_field": "create_time",
                    "sort_order": "ASC",
                    "access_token": "x",
                    "sign": "x",
                },
                b'{"create_time_ge":1732060800,"create_time_lt":1732147200}',
                "application/json",
            ),
            "s3cr3t_app_secret",
            "a6cc23dc80cf1a25dd70e17b7d7fc1fcc665586788ffb893427da990ee9bc3a6",
        ),
        (
            built("GET", SHOPS, OURS),
            "s3cr3t_app_secret",
            "f5cf41fa991e3e7a06eff3acf0110b5aaff5829f088fcf885224294b36e8ab53",
        ),
        (
            built("POST", "/product/202309/images/upload", OURS, b"x", "multipart/form-data; boundary=a"),
            "s3cr3t_app_secret",
            "57f4e8314c762c7ce8666904ce58f68612d91fc0494f2f454e6b133ad78f72b0",
        ),
    ],
    ids=["the platform's own", "a body", "no body", "a form's body is not signed"],
)
def test_signatures_are_those_of_the_published_vectors(request_: Request, secret: str, sign: str) -> None:
    assert signature(request_, secret) == sign


def test_a_signed_request_is_answered_in_an_envelope(seller: Seller) -> None:
    answer = seller.raw("GET", SHOPS, cipher=False).json()
    assert set(answer) == {"code", "message", "data", "request_id"}
    assert (answer["code"], answer["message"]) == (0, "Success")


def test_a_connection_opens_all_shops_of_its_seller_and_no_others(seller: Seller) -> None:
    shops = seller.data(seller.raw("GET", SHOPS, cipher=False))["shops"]
    assert [shop["cipher"] for shop in shops] == [shop["shop_cipher"] for shop in seller.keys["shops"]]
    assert {shop["region"] for shop in shops} == {"US"}
    assert all(shop["name"] and shop["code"] and shop["seller_type"] == "LOCAL" for shop in shops)
    active = seller.data(seller.raw("GET", "/seller/202309/shops", cipher=False))["shops"]
    assert active == [{"id": shop["id"], "region": shop["region"]} for shop in shops]
    other = Seller(seller.url, tenant=1)
    (foreign,) = other.data(other.raw("GET", SHOPS, cipher=False))["shops"]
    assert foreign["region"] == "DE"
    assert foreign["id"] not in [shop["id"] for shop in shops]


def test_a_shop_of_an_unsupported_market_is_there_to_be_refused() -> None:
    with running_sandbox(start=START, days=1, tenants=5) as running:
        regions = [Seller(running.url, tenant=tenant).keys["region"] for tenant in range(5)]
    assert regions == ["US", "DE", "JP", "GB", "BR"]


def test_the_ad_account_promotes_the_main_shop(seller: Seller) -> None:
    (store,) = seller.tiktok("gmv_max/store/list/")["data"]["store_list"]
    assert store["store_id"] == seller.keys["shop_id"]


def altered(seller: Seller, what: str) -> Any:
    """A good request for orders with one thing wrong."""
    url, raw = seller.signed("POST", ORDERS, {"page_size": "10"}, b'{"order_status":"COMPLETED"}')
    if what == "sign":
        url = url[:-4] + ("aaaa" if url[-4:] != "aaaa" else "bbbb")
    if what == "query":
        url = url.replace("page_size=10", "page_size=11")
    if what == "body":
        raw = b'{"order_status": "COMPLETED"}'
    if what == "another path":
        url = url.replace("/order/202309/orders/search", "/product/202502/products/search")
    return seller.refused(seller.sent("POST", url, raw))


@pytest.mark.parametrize("what", ["sign", "query", "body", "another path"])
def test_whatever_was_changed_after_signing_is_found(seller: Seller, what: str) -> None:
    assert altered(seller, what) == (401, 106001)


@pytest.mark.parametrize(
    "params",
    [
        {"timestamp": str(int(time.time()) - 400)},
        {"timestamp": str(int(time.time()) + 4000)},
        {"timestamp": "soon"},
        {"timestamp": "١٧٣"},
        {"timestamp": "-1"},
        {"timestamp": "1" * 40},
        {"app_key": "another"},
    ],
)
def test_an_old_or_future_time_and_a_strange_app_are_refused(seller: Seller, params: dict[str, str]) -> None:
    assert seller.refused(seller.raw("POST", ORDERS, {}, params=params)) == (400, 36009004)


def test_a_time_at_the_edge_is_taken(seller: Seller) -> None:
    for late in (-290, 25):
        assert seller.posts(ORDERS, {}, timestamp=str(int(time.time()) + late))["orders"]


def test_a_missing_signature_or_token_is_a_bad_request(seller: Seller) -> None:
    url, _ = seller.signed("POST", ORDERS, {}, b"{}")
    assert seller.refused(seller.sent("POST", url.partition("&sign=")[0], b"{}")) == (400, 36009004)
    assert seller.refused(seller.raw("POST", ORDERS, {}, token="")) == (400, 36009004)
    assert seller.refused(seller.raw("POST", ORDERS, {}, token="ROW_unknown")) == (403, 105001)


def test_a_cipher_must_be_there_where_it_is_needed_nowhere_else_and_be_ones_own(seller: Seller) -> None:
    other = Seller(seller.url, tenant=1).keys["shop_cipher"]
    assert seller.refused(seller.raw("POST", ORDERS, {}, cipher=False)) == (400, 106013)
    assert seller.refused(seller.raw("POST", ORDERS, {}, params={"shop_cipher": ""})) == (400, 106013)
    assert seller.refused(seller.raw("GET", SHOPS)) == (400, 36009004)
    assert seller.refused(seller.raw("POST", ORDERS, {}, params={"shop_cipher": other})) == (403, 101000)
    assert seller.refused(seller.raw("POST", ORDERS, {}, params={"shop_cipher": "ROW_é"})) == (403, 101000)


def test_sellers_and_creators_have_apis_of_their_own(seller: Seller) -> None:
    profiles = "/affiliate_creator/202508/profiles"
    creator = seller.keys["creator_access_token"]
    assert seller.refused(seller.raw("GET", profiles, cipher=False)) == (403, 105001)
    assert seller.refused(seller.raw("POST", ORDERS, {}, token=creator)) == (403, 105001)
    assert seller.creator("GET", profiles)["creator_user_open_id"] == seller.keys["creator_id"]


def test_an_unknown_path_method_version_or_content_is_told_apart(seller: Seller) -> None:
    assert seller.refused(seller.raw("GET", "/order/202309/nothing")) == (403, 40006)
    assert seller.refused(seller.raw("POST", "/order/202001/orders/search")) == (403, 40006)
    assert seller.refused(seller.raw("GET", ORDERS)) == (405, 36009010)
    assert seller.refused(seller.raw("GET", "/finance/202309/payments", params={"sort_field": "create_time"})) == (
        400,
        36009014,
    )
    url, raw = seller.signed("POST", ORDERS, {}, b"{}")
    headers = {"x-tts-access-token": seller.keys["access_token"], "Content-Type": "text/plain"}
    assert seller.refused(seller.send("POST", url, content=raw, headers=headers)) == (400, 36009022)


@pytest.mark.parametrize("raw", [b"[]", b"no", b'{"a":{"b":1}}', b'{"a":[[1]]}', b"[" * 5000, b"\xff\xfe"])
def test_a_body_that_is_no_plain_object_is_refused(seller: Seller, raw: bytes) -> None:
    url, raw = (
        seller.signed("POST", ORDERS, {}, raw) if raw != b"\xff\xfe" else (seller.signed("POST", ORDERS, {})[0], raw)
    )
    assert seller.refused(seller.sent("POST", url, raw)) in ((400, 36009004), (401, 106001))


def test_a_token_expires_loses_scopes_and_is_revoked(own: tuple[Sandbox, Seller]) -> None:
    _, seller = own
    token = {"platform": "tiktok_shop", "access_token": seller.keys["access_token"]}
    seller.control("token", **token, scopes=["seller.finance.info"])
    assert seller.refused(seller.raw("POST", ORDERS, {})) == (403, 105005)
    assert seller.asks("/finance/202309/statements", sort_field="statement_time")["next_page_token"] == ""
    seller.control("token", **token, expire=True)
    assert seller.refused(seller.raw("POST", ORDERS, {})) == (401, 105002)
    seller.control("token", **token, revoke=True)
    assert seller.refused(seller.raw("POST", ORDERS, {})) == (403, 105001)


def test_each_shop_has_an_allowance_of_its_own(own: tuple[Sandbox, Seller], monkeypatch: pytest.MonkeyPatch) -> None:
    running, seller = own
    monkeypatch.setattr(running.application._tiktok_shop, "allowance", (3, 0.0001))
    for _ in range(3):
        seller.posts(ORDERS, {})
    refused = seller.raw("POST", ORDERS, {})
    assert seller.refused(refused) == (429, 36009002)
    assert int(refused.headers["Retry-After"]) >= 1
    seller.shop = 1
    seller.posts(ORDERS, {})


@pytest.mark.parametrize(
    ("kind", "told"),
    [("rate_limit", (429, 36009002)), ("server_error", (500, 36009003)), ("expired_token", (401, 105002))],
)
def test_faults_answer_in_this_platforms_form(own: tuple[Sandbox, Seller], kind: str, told: tuple[int, int]) -> None:
    _, seller = own
    seller.control("faults", fault=kind, platform="tiktok_shop")
    response = seller.raw("POST", ORDERS, {})
    assert seller.refused(response) == told
    assert ("Retry-After" in response.headers) == (kind == "rate_limit")
    seller.posts(ORDERS, {})


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=30), st.floats(), st.lists(st.text(), max_size=3)
)
NAMES = st.sampled_from(
    [
        "create_time_ge",
        "create_time_lt",
        "create_time_le",
        "update_time_ge",
        "update_time_lt",
        "update_time_le",
        "order_status",
        "status",
        "buyer_user_id",
        "warehouse_ids",
        "return_ids",
        "return_status",
        "sku_ids",
        "event_type",
        "address",
    ]
)
QUERY = st.dictionaries(
    st.sampled_from(
        ["page_size", "page_token", "sort_field", "sort_order", "currency", "granularity", "start_date_ge"]
    ),
    st.text(max_size=40),
    max_size=4,
)
PATHS = [
    ("POST", ORDERS),
    ("POST", "/affiliate_seller/202410/orders/search"),
    ("POST", "/return_refund/202602/returns/search"),
    ("POST", "/product/202502/products/search"),
    ("PUT", "/event/202309/webhooks"),
    ("DELETE", "/event/202309/webhooks"),
    ("GET", "/order/202507/orders"),
    ("GET", "/finance/202309/statements"),
    ("GET", "/finance/202605/payments"),
    ("GET", "/analytics/202609/shop/performance"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PATHS), query=QUERY, body=st.dictionaries(NAMES, ODD, max_size=4))
def test_no_request_is_answered_with_anything_but_an_envelope(
    seller: Seller, place: tuple[str, str], query: dict[str, str], body: dict[str, Any]
) -> None:
    method, path = place
    raw = json.dumps(body).encode() if method != "GET" else b""
    url, raw = seller.signed(method, path, query, raw)
    answer = seller.sent(method, url, raw)
    assert answer.status_code < 500, answer.text
    assert (answer.json()["code"] == 0) == (answer.status_code == 200)

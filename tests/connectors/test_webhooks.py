"""Deliveries that arrive: what is taken, what is refused and how, and that nothing else changes."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.clock import wall_now
from accounts.models import Alert, Credential, Store
from accounts.scoping import all_tenants
from connectors import webhooks
from connectors.errors import TransientError
from connectors.models import Delivery
from connectors.signals import delivery_received
from connectors.tasks import refresh_logins
from tests.connectors import pushing
from tests.connectors.pushing import APP_KEY, SECRET, Push, order, shopify, tiktok_shop
from tests.factories import House, make_house

SHOP = "acme.myshopify.com"
pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def app(settings: Any, house: House) -> None:
    settings.LOGIN_APPS = settings.LOGIN_APPS | {
        "shopify": {"app_id": "key", "app_secret": SECRET},
        "tiktok_shop": {"app_id": APP_KEY, "app_secret": SECRET},
    }
    settings.SHOPIFY_OLD_APP_SECRET = ""


@pytest.fixture
def woken() -> Any:
    found: list[Any] = []

    def note(store_id: Any, **_: Any) -> None:
        found.append(store_id)

    delivery_received.connect(note)
    yield found
    delivery_received.disconnect(note)


def send(push: Push, method: str = "POST", **extra: Any) -> int:
    headers = {name: value for name, value in push.headers.items() if name != "Content-Type"}
    content_type = push.headers.get("Content-Type", "")
    extra = {"CONTENT_TYPE": content_type} | extra
    answer = Client(enforce_csrf_checks=True).generic(method, push.path, push.body, headers=headers, **extra)
    return int(answer.status_code)


def inbox(**where: Any) -> list[Delivery]:
    with all_tenants():
        return list(Delivery.objects.filter(**where).order_by("created_at"))


def own_app(house: House, secret: str) -> None:
    with all_tenants():
        credential = Credential.objects.create(
            tenant=house.tenant, platform="shopify", label="own", app_secret=secret, access_token="shpat_own"
        )
        Store.objects.filter(pk=house.store.pk).update(credential=credential)


def also_connected(house: House, shop: str = SHOP, **values: Any) -> Store:
    with all_tenants():
        Store.objects.filter(pk=house.store.pk).update(external_id=shop, **values)
        store: Store = Store.objects.get(pk=house.store.pk)
    return store


# --- What is taken -----------------------------------------------------------------------------------


def test_a_delivery_is_kept_as_ids_and_wakes_a_worker(house: House, woken: list[Any]) -> None:
    push = order(
        "orders/updated", number=820982911946154508, shop=SHOP.upper().replace("MYSHOPIFY.COM", "myshopify.com")
    )
    assert send(push) == 200
    (row,) = inbox()
    assert (row.store_id, row.topic, row.state) == (house.store.pk, "orders/updated", "waiting")
    assert row.resource == "gid://shopify/Order/820982911946154508"
    assert row.triggered_at == datetime(2026, 11, 20, 15, 30, 0, 123456, UTC)
    assert row.webhook_id == push.headers["X-Shopify-Webhook-Id"]
    assert "jon@example.com" not in json.dumps({name: str(value) for name, value in vars(row).items()})
    assert woken == [house.store.pk]


def test_the_documented_vectors_are_taken(settings: Any, house: House) -> None:
    settings.LOGIN_APPS["shopify"]["app_secret"] = "hush"
    body = '{"id":820982911946154508,"test":false,"total_price":"403.00","note":"café"}'.encode()
    push = shopify("orders/create", body, shop=SHOP, secret="hush")
    assert push.headers["X-Shopify-Hmac-Sha256"] == "OAOuESw2L1DoqjhnNmRnSa9x5vSWw8GwUAL2TPe4e2I="
    assert send(push) == 200 and len(inbox()) == 1
    settings.LOGIN_APPS["tiktok_shop"] = {"app_id": "abcdef", "app_secret": "123"}
    store = also_connected(make_house("tok"), "7495540735365777507", platform="tiktok_shop")
    body = (
        b'{"type":1,"tts_notification_id":"7380066284010030890","shop_id":"7495540735365777507",'
        b'"timestamp":1718305585,"data":{"is_on_hold_order":true,"order_id":"576653688135258178",'
        b'"order_status":"UNPAID","update_time":1718305585}}'
    )
    push = pushing.signed_tiktok_shop(body, key="abcdef", secret="123")
    assert push.headers["Authorization"] == "5dec0f11ec2f6783b8deee53c9ffbf8d024302f7c7e7fa55a35d17629031ac05"
    assert send(push) == 200
    (row,) = inbox(store=store)
    assert (row.topic, row.resource) == ("1", "576653688135258178")
    assert (row.webhook_id, row.triggered_at) == ("7380066284010030890", datetime.fromtimestamp(1718305585, UTC))


@pytest.mark.parametrize(
    ("topic", "body", "resource", "details"),
    [
        ("refunds/create", {"id": 5, "order_id": 7}, "gid://shopify/Order/7", {"refund": "gid://shopify/Refund/5"}),
        ("orders/paid", {"id": 7}, "gid://shopify/Order/7", {}),
        ("shop/update", {"id": 9, "myshopify_domain": SHOP}, "gid://shopify/Shop/9", {}),
        ("app/uninstalled", {"id": 9, "myshopify_domain": "ACME.myshopify.com"}, "gid://shopify/Shop/9", {}),
        (
            "bulk_operations/finish",
            {"admin_graphql_api_id": "gid://shopify/BulkOperation/3", "status": "completed"},
            "gid://shopify/BulkOperation/3",
            {},
        ),
        (
            "customers/data_request",
            {
                "shop_id": 9,
                "shop_domain": SHOP,
                "orders_requested": [1, 2],
                "customer": {"id": 4, "email": "jon@example.com", "phone": "555"},
                "data_request": {"id": 99},
            },
            "99",
            {"customer": "4", "orders": ["gid://shopify/Order/1", "gid://shopify/Order/2"]},
        ),
        (
            "customers/redact",
            {"shop_id": 9, "shop_domain": SHOP, "customer": {"id": 4}, "orders_to_redact": [1]},
            "",
            {"customer": "4", "orders": ["gid://shopify/Order/1"]},
        ),
        ("shop/redact", {"shop_id": 9, "shop_domain": SHOP}, "9", {}),
    ],
)
def test_each_topic_names_what_it_is_about(
    topic: str, body: dict[str, Any], resource: str, details: dict[str, Any]
) -> None:
    assert send(shopify(topic, body, shop=SHOP)) == 200
    assert [(row.resource, row.details) for row in inbox()] == [(resource, details)]


@pytest.mark.parametrize(
    ("kind", "data", "resource"),
    [
        (11, {"order_id": "576653688135258178"}, "576653688135258178"),
        (12, {"order_id": "5", "return_id": "6"}, "5"),
        (6, {"message": "…"}, ""),
        (7, None, ""),
        (5, {"product_id": 6}, ""),
    ],
)
def test_each_type_of_tiktok_shop_names_what_it_is_about(house: House, kind: int, data: Any, resource: str) -> None:
    also_connected(house, "749", platform="tiktok_shop")
    push = tiktok_shop(kind, "749", data, tts_notification_id=None)
    assert [send(push), send(push)] == [200, 200]
    (row,) = inbox()
    assert (row.topic, row.resource) == (str(kind), resource)
    assert row.webhook_id == hashlib.sha256(push.body).hexdigest()


def test_a_duplicate_is_answered_with_200_and_changes_nothing(house: House, woken: list[Any]) -> None:
    push = order(shop=SHOP)
    assert [send(push) for _ in range(3)] == [200] * 3
    assert len(inbox()) == 1 and woken == [house.store.pk]


def test_a_replay_under_a_forged_webhook_id_is_the_same_delivery() -> None:
    push = order(shop=SHOP)
    assert send(push) == 200
    assert send(push.with_headers(x_shopify_webhook_id="another")) == 200
    assert len(inbox()) == 1


@pytest.mark.parametrize("topic", ["app/uninstalled", "shop/redact"])
def test_a_shop_that_ends_twice_is_heard_twice_though_the_bodies_are_the_same(topic: str) -> None:
    body = {"id": 9, "shop_id": 9, "shop_domain": SHOP}
    first = shopify(topic, body, shop=SHOP)
    assert [send(push) for push in (first, first, shopify(topic, body, shop=SHOP))] == [200] * 3
    assert len(inbox()) == 2


def test_one_shop_of_two_tenants_is_told_to_each_once(house: House) -> None:
    other = also_connected(make_house("other"))
    push = order(shop=SHOP)
    assert [send(push), send(push)] == [200, 200]
    assert {row.store_id for row in inbox()} == {house.store.pk, other.pk} and len(inbox()) == 2


def test_a_shop_that_is_not_here_is_answered_with_200_and_forgotten(woken: list[Any]) -> None:
    assert send(order(shop="elsewhere.myshopify.com")) == 200
    assert send(tiktok_shop(1, "749", {"order_id": "5"})) == 200
    assert inbox() == [] and woken == []


def test_a_store_that_was_switched_off_is_told_of_its_end_and_of_erasures_only(house: House) -> None:
    also_connected(house, is_active=False)
    for push in (
        order(shop=SHOP),
        shopify("app/uninstalled", {"id": 9}, shop=SHOP),
        shopify("shop/redact", {"shop_id": 9, "shop_domain": SHOP}, shop=SHOP),
    ):
        assert send(push) == 200
    assert [row.topic for row in inbox()] == ["app/uninstalled", "shop/redact"]


def test_a_worker_that_cannot_be_woken_is_no_reason_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("the queue is away")

    delivery_received.connect(broken)
    try:
        assert send(order(shop=SHOP)) == 200
    finally:
        delivery_received.disconnect(broken)
    assert len(inbox()) == 1


# --- Who may sign ------------------------------------------------------------------------------------


def test_after_a_rotation_the_new_and_the_old_secret_sign(settings: Any) -> None:
    settings.SHOPIFY_OLD_APP_SECRET = "the-old-one"
    assert send(order(shop=SHOP, secret="the-old-one")) == 200
    assert send(order(shop=SHOP)) == 200
    assert send(order(shop=SHOP, secret="the-one-before")) == 401
    assert len(inbox()) == 2


def test_a_store_with_an_app_of_its_own_takes_what_that_signs(house: House) -> None:
    own_app(house, "custom-app-secret")
    assert send(order(shop=SHOP, secret="custom-app-secret")) == 200
    assert len(inbox()) == 1


def test_nobody_signs_for_the_same_shop_of_another_tenant(house: House) -> None:
    """A secret that one tenant has entered counts for its own store only, and for no other shop."""
    rogue = make_house("rogue")
    own_app(rogue, "rogue-secret")
    store = also_connected(rogue)
    assert send(order(shop=SHOP, secret="rogue-secret")) == 200
    assert [row.store_id for row in inbox()] == [store.pk]
    victim = make_house("victim")
    assert send(order(shop="victim.myshopify.com", secret="rogue-secret")) == 401
    assert inbox(store=victim.store) == []


def test_an_app_without_a_secret_signs_nothing(settings: Any) -> None:
    settings.LOGIN_APPS = {"shopify": {"app_id": "", "app_secret": ""}, "tiktok_shop": {"app_id": "", "app_secret": ""}}
    assert send(order(shop=SHOP, secret="")) == 401
    assert send(tiktok_shop(1, "749", {"order_id": "5"}, key="", secret="")) == 401


# --- What is refused ---------------------------------------------------------------------------------

GOOD = {"id": 1}
ELSEWHERE = "b.myshopify.com"
DEEP = b'{"id":1,"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
OF_CUSTOMER = {"shop_id": 9, "shop_domain": SHOP, "customer": {"id": 4}, "orders_to_redact": [1]}


def redact(**changes: Any) -> Push:
    return shopify("customers/redact", OF_CUSTOMER | changes, shop=SHOP)


REFUSED = {
    "forged": (401, order(shop=SHOP, secret="guessed")),
    "forged, of a shop that is not here": (401, order(shop="elsewhere.myshopify.com", secret="guessed")),
    "forged, compliance": (401, shopify("shop/redact", {"shop_id": 9, "shop_domain": SHOP}, shop=SHOP, secret="x")),
    "signature of no kind": (401, order(shop=SHOP).with_headers(x_shopify_hmac_sha256="ü" * 4000)),
    "signature in hex": (401, order(shop=SHOP).with_headers(x_shopify_hmac_sha256="0" * 64)),
    "body changed": (401, Push(**{**vars(order(shop=SHOP)), "body": b'{"id": 2}'})),
    "no signature": (400, order(shop=SHOP).with_headers(x_shopify_hmac_sha256=None)),
    "no topic": (400, order(shop=SHOP).with_headers(x_shopify_topic=None)),
    "no shop": (400, order(shop=SHOP).with_headers(x_shopify_shop_domain=None)),
    "no id": (400, order(shop=SHOP).with_headers(x_shopify_webhook_id=None)),
    "long id": (400, order(shop=SHOP).with_headers(x_shopify_webhook_id="7" * 121)),
    "empty": (400, shopify("orders/create", b"", shop=SHOP)),
    "another host": (400, order(shop="acme.myshopify.com.evil.example")),
    "another host behind": (400, order(shop="evil.example/acme.myshopify.com")),
    "no JSON type": (415, order(shop=SHOP).with_headers(content_type="application/x-www-form-urlencoded")),
    "oversized": (413, shopify("orders/create", b" " * (256 * 1024 + 1), shop=SHOP)),
    "unknown topic": (404, shopify("products/create", GOOD, shop=SHOP)),
    "malformed": (400, shopify("orders/create", b'{"id": 1', shop=SHOP)),
    "no UTF-8": (400, shopify("orders/create", b'{"id": 1, "x": "\xff"}', shop=SHOP)),
    "UTF-16": (400, shopify("orders/create", '{"id": 1}'.encode("utf-16"), shop=SHOP)),
    "no object": (400, shopify("orders/create", [1], shop=SHOP)),
    "null": (400, shopify("orders/create", None, shop=SHOP)),
    "deep": (400, shopify("orders/create", DEEP, shop=SHOP)),
    "NaN": (400, shopify("orders/create", b'{"id": NaN}', shop=SHOP)),
    "endless number": (400, shopify("orders/create", b'{"id": ' + b"9" * 100_000 + b"}", shop=SHOP)),
    "missing id": (400, shopify("orders/create", {"order_id": 1}, shop=SHOP)),
    "id of another type": (400, shopify("orders/create", {"id": True}, shop=SHOP)),
    "negative id": (400, shopify("orders/create", {"id": -1}, shop=SHOP)),
    "id that is a query": (400, shopify("orders/create", {"id": "1'); DROP"}, shop=SHOP)),
    "refund of no order": (400, shopify("refunds/create", GOOD, shop=SHOP)),
    "uninstalled elsewhere": (400, shopify("app/uninstalled", GOOD | {"myshopify_domain": ELSEWHERE}, shop=SHOP)),
    "erasure of another shop": (400, shopify("shop/redact", {"shop_id": 9, "shop_domain": ELSEWHERE}, shop=SHOP)),
    "erasure of a customer as one of a shop": (400, shopify("shop/redact", OF_CUSTOMER, shop=SHOP)),
    "order as an erasure": (400, shopify("shop/redact", GOOD, shop=SHOP)),
    "erasure of orders of another type": (400, redact(orders_to_redact="all")),
    "erasure of an order without id": (400, redact(orders_to_redact=[None])),
    "customer of another type": (400, redact(customer=4)),
    "tiktok: forged": (401, tiktok_shop(1, "749", {"order_id": "5"}, secret="guessed")),
    "tiktok: another app": (401, tiktok_shop(1, "749", {"order_id": "5"}, key="other")),
    "tiktok: bearer": (401, tiktok_shop(1, "749", {"order_id": "5"}).with_headers(authorization="Bearer x")),
    "tiktok: no signature": (400, tiktok_shop(1, "749", {"order_id": "5"}).with_headers(authorization=None)),
    "tiktok: unknown type": (404, tiktok_shop(99, "749", {})),
    "tiktok: no shop": (400, tiktok_shop(1, "749", {"order_id": "5"}, shop_id={"a": 1})),
    "tiktok: type of another type": (400, tiktok_shop([1], "749", {"order_id": "5"})),
    "tiktok: flag as type": (400, tiktok_shop(True, "749", {"order_id": "5"})),
    "tiktok: no order": (400, tiktok_shop(1, "749", {"order_status": "UNPAID"})),
    "tiktok: no data": (400, tiktok_shop(1, "749", None)),
    "tiktok: time of another type": (400, tiktok_shop(1, "749", {"order_id": "5"}, timestamp="soon")),
    "tiktok: time out of reach": (400, tiktok_shop(1, "749", {"order_id": "5"}, timestamp=10**14)),
    "tiktok: id of another type": (400, tiktok_shop(1, "749", {"order_id": "5"}, tts_notification_id=[1])),
    "tiktok: malformed": (400, pushing.signed_tiktok_shop(b"{")),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing(name: str, house: House, woken: list[Any]) -> None:
    also_connected(make_house("tok"), "749", platform="tiktok_shop")
    status, push = REFUSED[name]
    assert send(push) == status
    assert inbox() == [] and woken == []


def test_a_body_that_says_to_be_large_is_refused_before_it_is_read() -> None:
    push = order(shop=SHOP)
    assert send(push, CONTENT_LENGTH=str(256 * 1024 + 1)) == 413
    assert send(push, CONTENT_LENGTH="1" + "0" * 4000) == 413
    assert send(push, CONTENT_LENGTH="1" + "0" * 6000) == 413  # more digits than Python makes a number of
    assert send(push, CONTENT_LENGTH="20") == 401  # what is left of the body is another one
    assert inbox() == []


@pytest.mark.parametrize("path", [pushing.SHOPIFY_PATH, pushing.TIKTOK_PATH])
def test_only_posts_are_taken(path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert send(Push(path, b"", {"Content-Type": "application/json"}), method) == 405


def test_a_person_who_is_logged_in_has_no_more_rights_here(house: House) -> None:
    client = Client()
    client.force_login(house.owner)
    assert client.post(pushing.SHOPIFY_PATH, data=b"{}", content_type="application/json").status_code == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["id", "order_id", "shop_id", "type", "data", "customer", "shop_domain", "orders_to_redact", "timestamp"]
)
BODIES = st.binary(max_size=60) | st.dictionaries(NAMES, JSON, max_size=6).map(lambda found: json.dumps(found).encode())


@hypothesis_settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, topic=st.sampled_from([*webhooks.SHOPIFY_TOPICS, "x"]))
def test_whatever_stands_in_a_signed_body_the_answer_is_one_of_ours(body: bytes, topic: str) -> None:
    assert send(shopify(topic, body, shop=SHOP)) in (200, 400, 404)
    assert send(pushing.signed_tiktok_shop(body)) in (200, 400, 404)


# --- Subscriptions -----------------------------------------------------------------------------------


class Told:
    """A store that takes subscriptions."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.failure: Exception | None = None

    def subscribe(self, address: str) -> int:
        if self.failure:
            raise self.failure
        self.addresses.append(address)
        return 1


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Told:
    settings.PUBLIC_URL = "https://bursar.example"
    found = Told()
    monkeypatch.setattr(webhooks, "connect_store", lambda store: found)
    return found


@pytest.mark.usefixtures("everywhere")
def test_platforms_are_told_the_address_now_and_once_a_week(house: House, told: Told) -> None:
    refresh_logins()
    refresh_logins()
    assert told.addresses == ["https://bursar.example/webhooks/shopify/"]
    Store.objects.update(subscribed_at=wall_now() - timedelta(days=8))
    refresh_logins()
    assert len(told.addresses) == 2
    also_connected(house, "749", platform="tiktok_shop", subscribed_at=None)
    refresh_logins()
    assert told.addresses[2:] == ["https://bursar.example/webhooks/tiktok-shop/"]


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("values", [{"is_active": False}, {"kind": "creator"}])
def test_stores_that_push_nothing_are_not_subscribed(house: House, told: Told, values: dict[str, Any]) -> None:
    also_connected(house, **values)
    refresh_logins()
    assert told.addresses == []


@pytest.mark.usefixtures("everywhere", "house")
@pytest.mark.parametrize(
    ("public", "base", "times"),
    [
        ("", "", 0),
        ("http://bursar.example", "", 0),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9400", 1),
        ("https://bursar.example", "", 1),
    ],
)
def test_no_address_is_told_that_the_platform_cannot_reach(
    settings: Any, told: Told, public: str, base: str, times: int
) -> None:
    settings.PUBLIC_URL, settings.SHOPIFY_BASE_URL = public, base
    refresh_logins()
    assert len(told.addresses) == times


@pytest.mark.usefixtures("everywhere")
def test_a_subscription_that_fails_is_told_and_tried_again(house: House, told: Told) -> None:
    told.failure = TransientError("the platform is away")
    refresh_logins()
    alert = Alert.objects.get(tenant=house.tenant)
    assert "could not be told where to push" in alert.message and alert.resolved_at is None
    told.failure = None
    refresh_logins()
    alert.refresh_from_db()
    assert len(told.addresses) == 1 and alert.resolved_at is not None

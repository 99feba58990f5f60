"""Connecting stores in the admin: a Shopify shop by its login or its token, TikTok Shops and creators by choice."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Credential, Membership, Role, Store
from accounts.scoping import all_tenants
from connectors import custom_apps
from connectors.contracts import Platform
from connectors.errors import AuthenticationError, PermissionDeniedError, TransientError
from connectors.grants import platform_ended
from connectors.models import Login
from connectors.store_contracts import ShopRecord
from tests.admin.conftest import FOREIGN, As
from tests.admin.test_connecting import admin_page, count, fresh, page, queries
from tests.connectors.fake_login import CODE, SHOP, FakeLogin, fake, market_shop, shopify_shop
from tests.factories import House, add_history, make_house

__all__ = ["fake"]
pytestmark = pytest.mark.usefixtures("fake")

SHOPIFY, MARKET = (reverse("connect:start", args=[name]) for name in ("shopify", "tiktok_shop"))
TOKEN = reverse("connect:token")
TYPED = {"subject": "some-shop", "token": "shpat_the-token", "app_secret": "the-app-secret"}


@pytest.fixture
def owner(house: House, log_in: As) -> Client:
    return log_in(house.owner)


def begin(client: Client, house: House, url: str, **values: str) -> str:
    response = client.post(url, {"tenant": str(house.tenant.pk), **values})
    assert response.status_code == 302, page(response)
    return parse_qs(urlsplit(response["Location"]).query)["state"][0]


def come_back(client: Client, platform: str, state: str, **values: str) -> Any:
    url = reverse("connect:callback", args=[platform])
    return client.get(url, {"state": state, "code": CODE, **values})


def connect_shop(client: Client, house: House, fake: FakeLogin, url: str = SHOPIFY, **values: str) -> Any:
    fake.platform, fake.accounts = Platform.SHOPIFY, [shopify_shop()]
    state = begin(client, house, url, **({"subject": "some-shop"} | values))
    return come_back(client, "shopify", state, shop=SHOP)


def log_in_to_market(client: Client, house: House, fake: FakeLogin, *numbers: int, kind: str = "seller") -> str:
    """The address of the choice that a login at TikTok Shop leads to."""
    fake.platform, fake.accounts = Platform.TIKTOK_SHOP, [market_shop(number) for number in numbers]
    response = come_back(client, "tiktok_shop", begin(client, house, MARKET, subject=kind))
    assert response.status_code == 302, page(response)
    return str(response["Location"])


def store(external_id: str = SHOP) -> Any:
    with all_tenants():
        return Store.objects.select_related("credential").get(external_id=external_id)


# --- Who may, and what begins ------------------------------------------------------------------------


def test_the_lists_offer_to_connect_stores_to_owners_only(house: House, log_in: As) -> None:
    for model in ("adaccount", "credential", "store"):
        url = reverse(f"admin:accounts_{model}_changelist")
        shown = page(log_in(house.owner).get(url))
        assert SHOPIFY in shown and MARKET in shown and "Connect TikTok Shop" in shown
        for role in ("viewer", "buyer", "approver"):
            assert SHOPIFY not in page(log_in(house.people[role]).get(url)), role


@pytest.mark.parametrize("url", [SHOPIFY, MARKET, TOKEN])
def test_only_owners_begin_and_only_for_their_own_tenants(house: House, log_in: As, url: str) -> None:
    other = make_house("other")
    form = {"tenant": str(house.tenant.pk), "subject": "some-shop"}
    for role in ("viewer", "buyer", "approver"):
        client = log_in(house.people[role])
        assert client.get(url).status_code == 403 and client.post(url, form).status_code == 403
    assert Client().post(url, form)["Location"].startswith(reverse("admin:login"))
    response = log_in(house.owner).post(url, {**form, "tenant": str(other.tenant.pk)})
    assert response.status_code in (200, 400)
    assert count(Login) == 0 and count(Store) == 2


@pytest.mark.parametrize("name", ["shopify", "token", "tiktok_shop", "choose", "again", "disconnect_store"])
def test_a_post_without_a_csrf_token_is_refused(house: House, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(house.owner)
    urls = {"shopify": SHOPIFY, "tiktok_shop": MARKET, "token": TOKEN}
    row = house.store.pk if name == "disconnect_store" else house.store.credential_id
    url = urls.get(name) or reverse(f"connect:{name}", args=[row])
    assert client.post(url, {"tenant": str(house.tenant.pk), **TYPED, "account": "1"}).status_code == 403
    assert fresh(house.store).is_active and count(Login) == 0 and count(Store) == 1


def test_stores_of_others_are_not_to_be_found(house: House, foreign: House, log_in: As) -> None:
    url = reverse("connect:disconnect_store", args=[foreign.store.pk])
    client = log_in(house.owner)
    for ask in (client.get, client.post):
        assert ask(url).status_code == 404 and FOREIGN not in page(ask(url))
        assert ask(reverse("connect:disconnect_store", args=[uuid4()])).status_code == 404
    ours = reverse("connect:disconnect_store", args=[house.store.pk])
    assert log_in(house.approver).post(ours).status_code == 403
    assert fresh(foreign.store).is_active and fresh(house.store).is_active


@pytest.mark.parametrize(
    "typed", ["", "evil.example", "https://evil.example/x.myshopify.com", f"{SHOP}:443", "<script>alert(1)</script>"]
)
def test_an_address_that_is_no_shops_is_told_beside_its_box(
    house: House, owner: Client, fake: FakeLogin, typed: str
) -> None:
    response = owner.post(SHOPIFY, {"tenant": str(house.tenant.pk), "subject": typed})
    assert response.status_code == 200 and "<script>alert" not in page(response)
    told = "such as some-shop.myshopify.com" if typed else "This field is required"
    assert told in page(response)
    assert fake.apps == [] and count(Login) == 0


def test_looking_at_the_pages_begins_nothing(house: House, owner: Client) -> None:
    shown = page(owner.get(SHOPIFY))
    assert "Continue to Shopify" in shown and TOKEN in shown and 'name="subject"' in shown
    assert "http://testserver" + reverse("connect:callback", args=["shopify"]) in shown
    shown = page(owner.get(MARKET))
    for kind in ("seller", "seller_us", "creator"):
        assert f'value="{kind}"' in shown
    assert "the-token" not in page(owner.get(TOKEN)) and count(Login) == 0


# --- Shopify -----------------------------------------------------------------------------------------


def test_a_shop_is_connected_when_the_browser_comes_back(house: House, owner: Client, fake: FakeLogin) -> None:
    response = connect_shop(owner, house, fake)
    row = store()
    assert response["Location"] == admin_page(row)
    shown = page(owner.get(response["Location"]))
    assert "Connected: Some Shop" in shown and "No order has been read." in shown
    listed = page(owner.get(reverse("admin:accounts_store_changelist")))
    assert "Some Shop" in listed and SHOP in listed


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"shop": "other.myshopify.com"}, "answered for another shop"),
        ({}, "answered for another shop"),
        ({"error": "access_denied"}, "access was not granted"),
    ],
)
def test_an_answer_that_proves_nothing_is_a_clear_page(
    house: House, owner: Client, fake: FakeLogin, values: dict[str, str], told: str
) -> None:
    response = come_back(owner, "shopify", begin(owner, house, SHOPIFY, subject="some-shop"), **values)
    assert response.status_code == 400 and told in page(response)
    assert SHOPIFY in page(response) and "Start again" in page(response)
    assert fake.issued == 0 and count(Store) == 1


def test_a_forged_answer_is_a_clear_page(house: House, owner: Client, fake: FakeLogin) -> None:
    fake.is_forged = True
    assert "not signed" in page(connect_shop(owner, house, fake))
    assert fake.issued == 0 and count(Store) == 1


def test_an_error_page_says_what_to_do_next(house: House, owner: Client, fake: FakeLogin) -> None:
    fake.failure = PermissionDeniedError("shopify: access denied", platform="shopify")
    shown = page(connect_shop(owner, house, fake))
    assert "access denied" in shown and "Grant the missing permission to the app at Shopify" in shown


def test_the_page_of_a_store_tells_how_it_stands_and_what_to_do(house: House, owner: Client, fake: FakeLogin) -> None:
    fake.refresh_ends = timezone.now() + timedelta(days=90)
    fake.expires_at = timezone.now() + timedelta(hours=1)
    connect_shop(owner, house, fake)
    row = store()
    shown = page(owner.get(admin_page(row)))
    again, end = reverse("connect:again", args=[row.credential_id]), reverse("connect:disconnect_store", args=[row.pk])
    assert again in shown and end in shown and "Ends soon" not in shown
    assert f"lasts until {fake.refresh_ends:%Y-%m-%d}" in shown
    with all_tenants():
        Store.objects.filter(pk=row.pk).update(problem="The shop is frozen: have its bill paid.", notice="No orders.")
    shown = page(owner.get(admin_page(row)))
    assert "have its bill paid" in shown and "No orders." in shown
    with all_tenants():
        platform_ended(fresh(row), reason="the app was uninstalled")
    shown = page(owner.get(admin_page(row)))
    assert "Disconnected" in shown and "The app was uninstalled. Connect it again" in shown and again in shown
    response = connect_shop(owner, house, fake, again)
    assert response["Location"] == admin_page(row) and fresh(row).is_active


def test_a_viewer_sees_the_state_and_no_way_to_change_it(house: House, owner: Client, log_in: As) -> None:
    add_history(house)
    shown = page(log_in(house.viewer).get(admin_page(house.store)))
    assert "Orders are read to 2026-11-20 16:00 UTC" in shown
    assert reverse("connect:disconnect_store", args=[house.store.pk]) not in shown


def test_a_store_is_disconnected_after_asking(house: House, owner: Client, fake: FakeLogin) -> None:
    connect_shop(owner, house, fake)
    row = store()
    url = reverse("connect:disconnect_store", args=[row.pk])
    assert "is switched off" in page(owner.get(url)) and fresh(row).is_active
    assert "Shopify has ended the login" in page(owner.post(url, follow=True))
    assert not fresh(row).is_active and fresh(row.credential).access_token is None
    assert fake.revoked == ["token-1"]


def test_a_store_switched_off_beside_a_living_login_is_chosen_again(
    house: House, owner: Client, fake: FakeLogin
) -> None:
    connect_shop(owner, house, fake)
    row = store()
    with all_tenants():
        Store.objects.update(is_active=False)
    choose = reverse("connect:choose", args=[row.credential_id])
    assert choose in page(owner.get(admin_page(row)))
    offered = page(owner.get(choose))
    assert "Switched off" in offered and "switches it on again" in offered and "Already connected" not in offered
    owner.post(choose, {"account": SHOP})
    assert fresh(row).is_active


# --- The token of a custom app -----------------------------------------------------------------------


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    told: dict[str, Any] = {"failure": None}

    class Shop:
        def shop(self) -> ShopRecord:
            if told["failure"]:
                raise told["failure"]
            return ShopRecord("1", "Some Shop", SHOP, "EUR", "Europe/Berlin")

    monkeypatch.setattr(custom_apps, "connect_store", lambda store: Shop())
    return told


def test_a_shop_is_connected_by_its_token(
    house: House, owner: Client, shop: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    response = owner.post(TOKEN, {"tenant": str(house.tenant.pk), **TYPED})
    assert response["Location"] == admin_page(store())
    shown = page(owner.get(response["Location"])) + page(owner.get(admin_page(store().credential)))
    told = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("django.db"))
    assert not [secret for secret in ("the-token", "the-app-secret") if secret in shown + told]
    assert store().credential.access_token == "shpat_the-token"


@pytest.mark.parametrize("missing", ["subject", "token"])
def test_what_is_missing_is_told_beside_its_box(
    house: House, owner: Client, shop: dict[str, Any], missing: str
) -> None:
    response = owner.post(TOKEN, {"tenant": str(house.tenant.pk), **TYPED, missing: ""})
    assert response.status_code == 400 and "This field is required" in page(response)
    assert count(Store) == 1


def test_a_token_that_is_refused_is_told_and_shown_nowhere(house: House, owner: Client, shop: dict[str, Any]) -> None:
    shop["failure"] = TransientError("shopify does not answer")
    response = owner.post(TOKEN, {"tenant": str(house.tenant.pk), **TYPED})
    assert response.status_code == 400 and "shopify does not answer" in page(response)
    assert "the-token" not in page(response) and "the-app-secret" not in page(response)
    assert count(Store) == 1 and count(Credential) == 1


def test_a_token_that_the_shop_does_not_know_is_told_with_what_to_do(
    house: House, owner: Client, shop: dict[str, Any]
) -> None:
    shop["failure"] = AuthenticationError("shopify: unreadable answer, HTTP status 401", platform="shopify", code="401")
    told = page(owner.post(TOKEN, {"tenant": str(house.tenant.pk), **TYPED}))
    assert f"{SHOP} does not know this token: copy it again" in told
    shop["failure"] = PermissionDeniedError("shopify error ACCESS_DENIED", platform="shopify", code="ACCESS_DENIED")
    told = page(owner.post(TOKEN, {"tenant": str(house.tenant.pk), **TYPED}))
    assert "ACCESS_DENIED. Grant the missing permission" in told
    assert count(Store) == 1


def test_a_crash_shows_no_typed_secret(
    house: House, owner: Client, shop: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    shop["failure"] = ZeroDivisionError()
    owner.raise_request_exception = False
    response = owner.post(TOKEN, {"tenant": str(house.tenant.pk), **TYPED})
    told = page(response) + caplog.text
    assert response.status_code == 500 and "ZeroDivisionError" in told
    assert "the-token" not in told and "the-app-secret" not in told


# --- TikTok Shop -------------------------------------------------------------------------------------


def test_of_the_shops_of_a_seller_the_chosen_ones_are_connected(house: House, owner: Client, fake: FakeLogin) -> None:
    choose = log_in_to_market(owner, house, fake, 1, 2)
    fake.accounts = [market_shop(1), market_shop(2), market_shop(3, region="BR", obstacle="its market is not served")]
    shown = page(owner.get(choose))
    assert "opens 3 stores of TikTok Shop" in shown and "Europe/London · GB · LOCAL" in shown
    assert "Cannot be connected: its market is not served." in shown and 'value="shop-3" disabled' in shown
    response = owner.post(choose, {"account": ["shop-1", "shop-2"]}, follow=True)
    assert "Connected: Shop 1 (shop-1), Shop 2 (shop-2)" in page(response)
    assert store("shop-1").credential_id == store("shop-2").credential_id
    assert owner.post(choose, {"account": ["shop-3"]}).status_code == 400


def test_a_creator_is_ticked_already_and_connected(house: House, owner: Client, fake: FakeLogin) -> None:
    choose = log_in_to_market(owner, house, fake, 7, kind="creator")
    assert 'value="shop-7" checked' in page(owner.get(choose))
    owner.post(choose, {"account": "shop-7"})
    assert store("shop-7").kind == "creator"


def test_a_seller_without_an_active_shop_is_told_what_to_do(house: House, owner: Client, fake: FakeLogin) -> None:
    choose = log_in_to_market(owner, house, fake)
    shown = page(owner.get(choose))
    assert "This login opens no store" in shown and "activate one in TikTok Shop's seller centre" in shown.replace(
        "&#x27;", "'"
    )


def test_a_kind_that_is_none_is_refused(house: House, owner: Client, fake: FakeLogin) -> None:
    for kind in ("", "partner", "<script>"):
        assert owner.post(MARKET, {"tenant": str(house.tenant.pk), "subject": kind}).status_code == 200
    assert count(Login) == 0 and fake.apps == []


def test_a_login_that_was_stored_without_its_kind_asks_for_it(house: House, owner: Client, fake: FakeLogin) -> None:
    with all_tenants():
        row = Credential.objects.create(tenant=house.tenant, platform="tiktok_shop", label="typed", access_token="t0k")
    url = reverse("connect:again", args=[row.pk])
    assert 'value="seller_us"' in page(owner.get(url))
    begin(owner, house, url, subject="seller_us")
    with all_tenants():
        assert Login.objects.get().subject == "seller_us"


def test_each_subject_is_asked_for_at_its_own_app(house: House, owner: Client, fake: FakeLogin) -> None:
    begin(owner, house, MARKET, subject="seller_us")
    begin(owner, house, SHOPIFY, subject="some-shop")
    assert [(app.platform, app.subject) for app in fake.apps] == [("tiktok_shop", "seller_us"), ("shopify", SHOP)]


def test_whoever_has_several_tenants_says_for_which(house: House, owner: Client, fake: FakeLogin) -> None:
    other = make_house("other")
    with all_tenants():
        Membership.objects.create(tenant=other.tenant, user=house.owner, role=Role.OWNER)
    assert str(other.tenant.pk) in page(owner.get(SHOPIFY))
    connect_shop(owner, other, fake)
    assert store().tenant_id == other.tenant.pk


def test_the_list_of_stores_asks_the_database_as_often_for_many_rows_as_for_few(
    house: House, owner: Client, fake: FakeLogin
) -> None:
    make_house("other")
    choose = log_in_to_market(owner, house, fake, *range(30))
    urls = [reverse("admin:accounts_store_changelist"), choose]
    owner.post(choose, {"account": ["shop-1", "shop-2"]})
    few = [queries(owner, url) for url in urls]
    owner.post(choose, {"account": [f"shop-{number}" for number in range(30)]})
    assert [queries(owner, url) for url in urls] == few

"""From the consent pages of the sandbox to connected stores that are read, renewed and ended, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from accounts.clock import wall_now
from accounts.models import Credential, Store
from connectors.connecting import connect_accounts
from connectors.connections import connect_creator, connect_store
from connectors.contracts import Platform
from connectors.custom_apps import connect_token
from connectors.errors import AuthenticationError
from connectors.grants import Ended, LoginError, disconnect, grant_of, owned_accounts, provider_of
from connectors.logins import Answer, begin_login, finish_login
from connectors.models import TokenUse
from connectors.renewal import refresh_logins
from connectors.sandbox.server import running_sandbox
from tests.connectors.control import Control
from tests.factories import House

pytestmark = pytest.mark.usefixtures("everywhere", "quick_retries")

BACK = "http://bursar.example/admin/connect/{platform}/callback/"


@pytest.fixture(scope="module")
def running() -> Iterator[Control]:
    with running_sandbox(seed=7, days=2, tenants=2, accounts=1) as sandbox:
        yield Control(sandbox.url)


@pytest.fixture
def box(running: Control, settings: Any) -> Control:
    for name in ("SHOPIFY_BASE_URL", "TIKTOK_SHOP_BASE_URL", "TIKTOK_SHOP_AUTH_URL"):
        setattr(settings, name, running.url)
    settings.TIKTOK_SHOP_DIALOG_URLS = dict.fromkeys(settings.TIKTOK_SHOP_DIALOG_URLS, running.url)
    given = running.get("credentials")
    shopify, market = given["shopify"], given["tiktok_shop"]
    settings.TIKTOK_SHOP_SERVICE_ID = market["service_id"]
    settings.LOGIN_APPS = {
        "shopify": {"app_id": shopify["client_id"], "app_secret": shopify["client_secret"]},
        "tiktok_shop": {"app_id": market["app_key"], "app_secret": market["app_secret"]},
    }
    return running


def consent(url: str) -> str:
    """The query with which the first merchant of the sandbox sends the browser back."""
    answer = httpx.get(f"{url}&tenant=0&allow=1", trust_env=False)
    return urlsplit(answer.headers["Location"]).query


def log_in(house: House, platform: Platform, subject: str, *, query: str | None = None, **values: Any) -> Credential:
    shared: dict[str, Any] = {
        "actor": house.owner,
        "browser_secret": "browser",
        "redirect_uri": BACK.format(platform=platform),
    }
    given = consent(begin_login(house.tenant, platform, subject=subject, **shared, **values))
    told = dict(parse_qsl(given if query is None else given + query))
    answer = Answer(told["state"], told["code"], "error" in told, given if query is None else given + query)
    return finish_login(platform, answer, **shared)


def shop_of(box: Control) -> str:
    return str(box.get("credentials")["shopify"]["shop"])


def stores(house: House) -> list[Store]:
    return list(Store.objects.filter(tenant=house.tenant).exclude(pk=house.store.pk).order_by("external_id"))


def end_soon(credential: Credential) -> Credential:
    """Its token is over by our clock, as if an hour or a week had gone by."""
    Credential.objects.filter(pk=credential.pk).update(expires_at=wall_now() - timedelta(minutes=1))
    found: Credential = Credential.objects.get(pk=credential.pk)
    return found


# --- Shopify -----------------------------------------------------------------------------------------


def test_a_shopify_shop_is_connected_read_renewed_and_ended(house: House, box: Control) -> None:
    credential = log_in(house, Platform.SHOPIFY, shop_of(box).removesuffix(".myshopify.com"))
    (store,) = stores(house)
    record = connect_store(store).shop()
    assert (store.external_id, store.currency, store.timezone) == (record.domain, record.currency, record.timezone)
    held = Credential.objects.get(pk=credential.pk)
    assert timedelta(minutes=50) < held.expires_at - wall_now() <= timedelta(hours=1)
    assert timedelta(days=89) < held.refresh_expires_at - wall_now() <= timedelta(days=90)
    assert "read_orders" in held.scopes

    old = held.access_token
    connect_store(Store.objects.get(pk=store.pk))
    assert Credential.objects.get(pk=held.pk).access_token == old
    end_soon(held)
    assert connect_store(Store.objects.get(pk=store.pk)).shop() == record
    renewed = Credential.objects.get(pk=held.pk)
    assert renewed.access_token != old and renewed.expires_at > wall_now()

    grant, provider = grant_of(renewed), provider_of(renewed)
    assert disconnect(Store.objects.get(pk=store.pk), actor=house.owner) is Ended.REVOKED
    with pytest.raises(AuthenticationError):
        provider.owned_accounts(grant)


@pytest.mark.parametrize("more", ["&x=1", "&shop=other.myshopify.com", "&hmac=0"])
def test_an_answer_that_was_changed_on_the_way_connects_nothing(house: House, box: Control, more: str) -> None:
    with pytest.raises(LoginError, match="did not complete"):
        log_in(house, Platform.SHOPIFY, shop_of(box), query=more)
    assert stores(house) == []


def test_the_answer_of_another_shop_connects_nothing(house: House, box: Control) -> None:
    """Its signature is right: it is the same app's."""
    other = box.get("credentials")["tenants"][1]["shopify"]["shop"]
    begun = begin_login(
        house.tenant,
        Platform.SHOPIFY,
        actor=house.owner,
        browser_secret="browser",
        redirect_uri="http://x/",
        subject=shop_of(box),
    )
    parts = urlsplit(begun)
    asked = {**dict(parse_qsl(parts.query)), "shop": other}
    query = consent(parts._replace(query=urlencode(asked)).geturl())
    told = dict(parse_qsl(query))
    assert told["shop"] == other
    answer = Answer(told["state"], told["code"], is_denied=False, query=query)
    with pytest.raises(LoginError, match="another shop"):
        finish_login(Platform.SHOPIFY, answer, actor=house.owner, browser_secret="browser", redirect_uri="http://x/")
    assert stores(house) == []


def test_an_idle_shop_stays_connected_by_the_hourly_job(house: House, box: Control) -> None:
    credential = end_soon(log_in(house, Platform.SHOPIFY, shop_of(box)))
    assert refresh_logins() == 1
    held = Credential.objects.get(pk=credential.pk)
    assert held.expires_at > wall_now() and connect_store(stores(house)[0]).shop().domain == shop_of(box)
    assert refresh_logins() == 0


def test_a_refresh_answer_that_was_lost_costs_nothing(house: House, box: Control) -> None:
    credential = log_in(house, Platform.SHOPIFY, shop_of(box))
    held = Credential.objects.get(pk=credential.pk)
    assert provider_of(held).refresh(grant_of(held)) is not None  # what it gave is forgotten
    end_soon(held)
    assert connect_store(stores(house)[0]).shop().domain == shop_of(box)


def test_a_shop_is_connected_by_the_token_of_its_own_app(house: House, box: Control) -> None:
    other, given = (tenant["shopify"] for tenant in box.get("credentials")["tenants"])
    store = connect_token(house.tenant, given["shop"], given["access_token"], "the-app-secret", actor=house.owner)
    assert connect_store(store).shop().name == store.name
    for shop, token in ((given["shop"], "shpat_wrong-token"), (other["shop"], given["access_token"])):
        with pytest.raises(LoginError):
            connect_token(house.tenant, shop, token, "", actor=house.owner)
    assert [row.external_id for row in stores(house)] == [given["shop"]]


# --- TikTok Shop -------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", ["seller", "seller_us"])
def test_the_shops_of_a_seller_are_connected_read_renewed_and_ended(house: House, box: Control, subject: str) -> None:
    credential = log_in(house, Platform.TIKTOK_SHOP, subject)
    ids = [account.external_id for account in owned_accounts(credential)]
    assert sorted(ids) == sorted(box.get("credentials")["tiktok_shop"]["shop_ids"])
    connect_accounts(credential, ids, actor=house.owner)
    first, second = stores(house)
    for store in (first, second):
        assert store.cipher and connect_store(store).shop().external_id == store.external_id
    held = Credential.objects.get(pk=credential.pk)
    assert held.subject == subject and "seller.order.info" in held.scopes
    assert timedelta(days=6) < held.expires_at - wall_now() <= timedelta(days=7)
    assert held.refresh_expires_at > wall_now() + timedelta(days=300)

    old = held.access_token
    end_soon(held)
    assert connect_store(Store.objects.get(pk=second.pk)).shop().external_id == second.external_id
    assert Credential.objects.get(pk=held.pk).access_token != old
    told = set(TokenUse.objects.filter(credential=held).values_list("operation", "outcome"))
    assert {("renew the token", "done"), ("GET /authorization/202309/shops", "200")} <= told

    assert disconnect(first, actor=house.owner) is Ended.SHARED
    assert disconnect(second, actor=house.owner) is Ended.UNREACHED  # the platform has no request for it
    assert Credential.objects.get(pk=held.pk).access_token is None


def test_a_creator_is_connected_and_read(house: House, box: Control) -> None:
    credential = log_in(house, Platform.TIKTOK_SHOP, "creator")
    (account,) = owned_accounts(credential)
    connect_accounts(credential, [account.external_id], actor=house.owner)
    (store,) = stores(house)
    assert store.kind == "creator"
    now = wall_now()
    assert list(connect_creator(store).commissions(now - timedelta(days=1), now)) is not None


def test_a_dead_tiktok_shop_login_is_replaced_by_a_new_one(house: House, box: Control) -> None:
    credential = log_in(house, Platform.TIKTOK_SHOP, "seller")
    (first, *_) = connect_accounts(
        credential, [account.external_id for account in owned_accounts(credential)], actor=house.owner
    ).added
    held = Credential.objects.get(pk=credential.pk)
    box.post("token", platform="tiktok_shop", access_token=held.access_token, revoke=True)
    with pytest.raises(AuthenticationError):
        connect_store(first).shop()
    log_in(house, Platform.TIKTOK_SHOP, "seller", credential=held)
    assert connect_store(Store.objects.get(pk=first.pk)).shop().external_id == first.external_id

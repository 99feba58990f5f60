"""A person connects ad accounts and a shop by logging in at the platform, and disconnects them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import AdAccount, Credential, Store
from connectors.errors import AuthenticationError
from connectors.grants import grant_of, provider_of
from connectors.sandbox.server import running_sandbox
from tests.browser.conftest import Visitor
from tests.connectors.control import Control
from tests.factories import House, make_house

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def platforms(settings: Any) -> Iterator[Control]:
    """A sandbox whose two merchants have two ad accounts each, and the app that asks them."""
    with running_sandbox(seed=7, days=2, tenants=2, accounts=2) as running:
        box = Control(running.url)
        for name in ("META_BASE_URL", "META_DIALOG_URL", "TIKTOK_BASE_URL", "TIKTOK_DIALOG_URL", "SHOPIFY_BASE_URL"):
            setattr(settings, name, box.url)
        given = box.get("credentials")
        settings.LOGIN_APPS = {name: given[name] for name in ("meta", "tiktok")} | {
            "shopify": {"app_id": given["shopify"]["client_id"], "app_secret": given["shopify"]["client_secret"]},
            "tiktok_shop": {"app_id": "", "app_secret": ""},
        }
        yield box


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def connected(house: House) -> list[AdAccount]:
    """What was connected by the login, without the ad account that the house began with."""
    rows = AdAccount.objects.filter(tenant=house.tenant).exclude(pk=house.account.pk).select_related("credential")
    return list(rows.order_by("external_id"))


def go_to_platform(visitor: Visitor) -> None:
    """From the list of ad accounts to the platform's own page."""
    visitor.open("/admin/accounts/adaccount/")
    visitor.do(lambda page: page.get_by_role("link", name="Connect Meta").click())
    visitor.press("Continue to Meta")
    visitor.sees("asks for access")


def test_two_accounts_are_connected_in_shadow_and_the_token_ends_with_the_last(
    house: House, platforms: Control, visitor: Visitor
) -> None:
    visitor.log_in(house.owner)
    go_to_platform(visitor)
    visitor.press("Continue")
    visitor.sees("This login opens 2 ad accounts of Meta")
    assert connected(house) == []
    visitor.do(lambda page: page.locator("input[name=account]").first.check())
    visitor.do(lambda page: page.locator("input[name=account]").last.check())
    visitor.press("Connect the chosen ones")
    visitor.sees("in shadow with autopilot off")
    first, second = connected(house)
    for row in (first, second):
        visitor.sees(row.name, inside="#result_list")
        assert (row.rollout_stage, row.autopilot, row.is_active) == ("shadow", False, True)
    grant, provider = grant_of(first.credential), provider_of(first.credential)

    disconnect(visitor, first)
    visitor.sees("another connection uses it")
    assert [account.external_id for account in provider.owned_accounts(grant)]
    disconnect(visitor, second)
    visitor.sees("Meta has ended the login")
    with pytest.raises(AuthenticationError) as dead:
        provider.owned_accounts(grant)
    assert dead.value.code.startswith("190")
    # The platform's own pages are elsewhere, and it has no icon for the browser.
    assert [seen for seen in visitor.troubles if not seen.startswith(platforms.url) and "NOT FOUND" not in seen] == []


def disconnect(visitor: Visitor, account: AdAccount) -> None:
    visitor.open(f"/admin/accounts/adaccount/{account.pk}/change/")
    visitor.do(lambda page: page.get_by_role("link", name="Disconnect").click())
    visitor.press("Disconnect")
    visitor.sees("is disconnected")


def test_a_refused_consent_is_told_and_connects_nothing(house: House, platforms: Control, visitor: Visitor) -> None:
    visitor.log_in(house.owner)
    go_to_platform(visitor)
    visitor.press("Cancel")
    visitor.sees("access was not granted")
    assert connected(house) == []


def test_a_dead_token_is_shown_and_replaced_by_logging_in_again(
    house: House, platforms: Control, visitor: Visitor
) -> None:
    visitor.log_in(house.owner)
    go_to_platform(visitor)
    visitor.press("Continue")
    visitor.do(lambda page: page.locator("input[name=account]").first.check())
    visitor.press("Connect the chosen ones")
    (row,) = connected(house)
    Credential.objects.filter(pk=row.credential_id).update(problem="the person has withdrawn it")
    visitor.open(f"/admin/accounts/adaccount/{row.pk}/change/")
    visitor.sees("Login needed")
    visitor.do(lambda page: page.get_by_role("link", name="Connect again").click())
    visitor.press("Continue to Meta")
    visitor.press("Continue")
    visitor.sees("Connected again")
    visitor.open(f"/admin/accounts/adaccount/{row.pk}/change/")
    assert "Login needed" not in visitor.do(lambda page: page.content())


def test_a_shop_is_connected_and_disconnected_from_its_page(house: House, platforms: Control, visitor: Visitor) -> None:
    shop = platforms.get("credentials")["shopify"]["shop"]
    visitor.log_in(house.owner)
    visitor.open("/admin/accounts/store/")
    visitor.do(lambda page: page.get_by_role("link", name="Connect Shopify").click())
    visitor.do(lambda page: page.get_by_label("The shop's address at Shopify").fill("evil.example"))
    visitor.press("Continue to Shopify")
    visitor.sees("such as some-shop.myshopify.com")
    address = f"https://admin.shopify.com/store/{shop.partition('.')[0]}/orders"
    visitor.do(lambda page: page.get_by_label("The shop's address at Shopify").fill(address))
    visitor.press("Continue to Shopify")
    visitor.sees("Install this app?")
    assert not Store.objects.filter(external_id=shop).exists()
    visitor.do(lambda page: page.get_by_role("link", name="Install in").click())
    visitor.sees("Its past orders are read next")
    store = Store.objects.select_related("credential").get(external_id=shop)
    assert (store.kind, store.is_active) == ("shop", True)
    grant, provider = grant_of(store.credential), provider_of(store.credential)
    assert [account.external_id for account in provider.owned_accounts(grant)] == [shop]

    visitor.do(lambda page: page.get_by_role("link", name="Disconnect").click())
    visitor.press("Disconnect")
    visitor.sees("Shopify has ended the login")
    visitor.sees("Disconnected")
    with pytest.raises(AuthenticationError):
        provider.owned_accounts(grant)


def test_the_pages_of_connecting_fit_a_phone_in_light_and_dark(
    house: House, platforms: Control, visitor: Visitor
) -> None:
    visitor.log_in(house.owner)
    go_to_platform(visitor)
    visitor.press("Continue")
    visitor.sees("This login opens")
    pending = Credential.objects.get(label__startswith="Login of")
    pages = (
        "/admin/connect/meta/",
        f"/admin/connect/choose/{pending.pk}/",
        f"/admin/connect/again/{pending.pk}/",
        f"/admin/connect/disconnect/login/{pending.pk}/",
        f"/admin/connect/disconnect/account/{house.account.pk}/",
        f"/admin/accounts/credential/{pending.pk}/change/",
        f"/admin/accounts/adaccount/{house.account.pk}/change/",
        "/admin/accounts/adaccount/",
        "/admin/connect/shopify/",
        "/admin/connect/shopify/token/",
        "/admin/connect/tiktok_shop/",
        f"/admin/connect/disconnect/store/{house.store.pk}/",
        f"/admin/accounts/store/{house.store.pk}/change/",
        "/admin/accounts/store/",
        "/admin/metrics/backfill/add/",
    )
    visitor.do(lambda page: page.set_viewport_size({"width": 390, "height": 844}))
    for theme in ("light", "dark"):
        visitor.wear(theme)
        for path in pages:
            visitor.open(path)
            assert visitor.do(lambda page: page.evaluate("document.documentElement.scrollWidth")) <= 392, path
            assert visitor.do(lambda page: page.locator("html").get_attribute("class")) == theme, path

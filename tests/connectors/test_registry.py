"""The table of connectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.contracts import Platform
from connectors.errors import ConfigurationError
from connectors.login_contracts import LoginApp
from connectors.registry import Connection, ad_platform, login_provider, store_platform, table

OWN = {
    Platform.META: ("v26.0", "act_7"),
    Platform.TIKTOK: ("v1.3", "7"),
    Platform.SHOPIFY: ("2026-10", "demo.myshopify.com"),
}


def connection(platform: Any, **secrets: str) -> Connection:
    version, external_id = OWN.get(platform, ("v1", "1"))
    return Connection(platform, "", version, external_id, secrets)


@pytest.mark.parametrize("platform", [Platform.META, Platform.TIKTOK])
def test_an_ad_account_gets_the_connector_of_its_platform(platform: Platform) -> None:
    assert ad_platform(connection(platform, access_token="t")).platform is platform


def test_a_store_gets_the_connector_of_its_platform() -> None:
    assert store_platform(connection(Platform.SHOPIFY, access_token="t")).platform is Platform.SHOPIFY


@pytest.mark.parametrize("platform", [Platform.SHOPIFY, Platform.TIKTOK_SHOP, "myspace"])
def test_an_unknown_ad_platform_is_refused(platform: Any) -> None:
    with pytest.raises(ConfigurationError):
        ad_platform(connection(platform, access_token="t"))


@pytest.mark.parametrize("platform", [Platform.META, Platform.TIKTOK_SHOP])
def test_an_unknown_store_is_refused(platform: Platform) -> None:
    with pytest.raises(ConfigurationError):
        store_platform(connection(platform, access_token="t"))


def test_two_connectors_for_one_platform_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        table([(Platform.META, 1), (Platform.META, 2)])


@pytest.mark.parametrize("secrets", [{}, {"access_token": ""}])
def test_a_connection_without_its_token_is_refused(secrets: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="access_token"):
        ad_platform(connection(Platform.META, **secrets))


def test_a_connection_does_not_show_its_secrets() -> None:
    assert "s3cr3t" not in repr(connection(Platform.META, access_token="s3cr3t"))


def app(platform: Any) -> LoginApp:
    version = OWN.get(platform, ("v1", ""))[0]
    subject = {Platform.SHOPIFY: "demo.myshopify.com", Platform.TIKTOK_SHOP: "seller"}.get(platform, "")
    return LoginApp(platform, "", "https://dialog.example", version, "12", "s3cr3t-of-an-app", subject)


@pytest.mark.parametrize("platform", list(Platform))
def test_an_app_gets_the_login_of_its_platform(platform: Platform) -> None:
    assert login_provider(app(platform)).platform is platform


def test_a_platform_without_a_login_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        login_provider(app("myspace"))


@pytest.mark.parametrize("shop", ["", "evil.example", "demo.myshopify.com.evil.example"])
def test_shopifys_login_is_for_a_shop(shop: str) -> None:
    with pytest.raises(ConfigurationError):
        login_provider(replace(app(Platform.SHOPIFY), subject=shop))


def test_an_app_does_not_show_its_secret() -> None:
    assert "s3cr3t" not in repr(app(Platform.META))

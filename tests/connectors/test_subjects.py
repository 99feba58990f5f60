"""What people type for a shop: its addresses are understood, and whatever is not a shop's leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Credential, Store
from connectors.contracts import Platform
from connectors.custom_apps import connect_token
from connectors.grants import LoginError
from connectors.models import Login
from connectors.shopify.client import shop_host
from connectors.subjects import SubjectError, speaks_for, subject_of
from tests.connectors.fake_login import FakeLogin, begin, fake
from tests.factories import House

__all__ = ["fake"]

SHOP = "some-shop.myshopify.com"
HOSTILE = [
    "",
    " ",
    "evil.example",
    "some-shop.myshopify.com.evil.example",
    "evil.example/some-shop.myshopify.com",
    "evil.example?.myshopify.com",
    "evil.example#.myshopify.com",
    "evil.example\\.myshopify.com",
    "https://evil.example/.myshopify.com",
    "https://evil.example\\@some-shop.myshopify.com",
    "https://some-shop.myshopify.com@evil.example/",
    "https://user:word@some-shop.myshopify.com/",
    "user@some-shop.myshopify.com",
    "some-shop.myshopify.com:8080",
    "https://some-shop.myshopify.com:443/admin",
    "some-shop.myshopify.com\n",
    "\nsome-shop.myshopify.com",
    "some-shop.myshopify.com\r\nHost: evil.example",
    "some-shop\n",
    "some-shop.myshopify.com\x00",
    "some-shop\x00.myshopify.com",
    " some-shop.myshopify.com",
    "some shop.myshopify.com",
    "deep.some-shop.myshopify.com",
    ".myshopify.com",
    "-some-shop.myshopify.com",
    "some_shop.myshopify.com",
    "söme-shop.myshopify.com",
    "some-shop.myshopify.cöm",
    "ｓome-shop.myshopify.com",
    "some-shop。myshopify。com",
    "some-shop.myshopify.com.",
    "some-shop.myshopify.com\u200b",
    "\u202esome-shop.myshopify.com",
    "some-shop.myshopify.io",
    "some-shopmyshopify.com",
    "127.0.0.1",
    "http://127.0.0.1/some-shop.myshopify.com",
    "[::1]",
    "http://localhost/",
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "javascript:alert(1)//.myshopify.com",
    "ftp://some-shop.myshopify.com",
    "//some-shop.myshopify.com",
    "%73ome-shop.myshopify.com",
    "https://admin.shopify.com/store/",
    "https://admin.shopify.com/store/../evil",
    "https://admin.shopify.com.evil.example/store/some-shop",
    "https://evil.example/admin.shopify.com/store/some-shop",
    "a" * 64 + ".myshopify.com",
    "a" * 100_000,
    "<script>alert(1)</script>.myshopify.com",
    "' OR 1=1 --.myshopify.com",
]


@pytest.mark.parametrize(
    "typed",
    [
        "some-shop",
        "Some-Shop",
        SHOP,
        "SOME-SHOP.MYSHOPIFY.COM",
        f"https://{SHOP}",
        f"http://{SHOP}/",
        f"HTTPS://{SHOP}/admin/orders?status=open#top",
        f"{SHOP}/admin",
        "admin.shopify.com/store/some-shop",
        "https://admin.shopify.com/store/some-shop",
        "https://admin.shopify.com/store/some-shop/settings/domains?x=1",
    ],
)
def test_each_way_to_name_a_shop_is_its_host(typed: str) -> None:
    assert subject_of(Platform.SHOPIFY, typed) == SHOP


@pytest.mark.parametrize("typed", HOSTILE)
def test_what_names_no_shop_leads_to_no_redirect_and_no_request(
    house: House, fake: FakeLogin, everywhere: None, typed: str
) -> None:
    with pytest.raises(SubjectError, match=r"such as some-shop\.myshopify\.com"):
        subject_of(Platform.SHOPIFY, typed)
    with pytest.raises(LoginError):
        begin(house, Platform.SHOPIFY, subject=typed)
    with pytest.raises(LoginError):
        connect_token(house.tenant, typed, "shpat_some-token", "", actor=house.owner)
    assert fake.apps == [] and not Login.objects.exists()
    assert Store.objects.count() == 1 and Credential.objects.count() == 1


@given(st.text(max_size=80) | st.text(alphabet="ab-.:/@?#\\%\n myshopifc", max_size=60).map(lambda t: f"x{t}"))
def test_whatever_is_typed_becomes_a_strict_host_or_nothing(text: str) -> None:
    try:
        host = subject_of(Platform.SHOPIFY, text)
    except SubjectError:
        return
    assert shop_host(host) == host and host.removesuffix(".myshopify.com") in text.lower()


@pytest.mark.parametrize("kind", ["seller", "seller_us", "creator"])
def test_the_kinds_of_tiktok_shop_are_taken_as_they_are(kind: str) -> None:
    assert subject_of(Platform.TIKTOK_SHOP, kind) == kind
    assert speaks_for(kind) in ("seller", "creator")


@pytest.mark.parametrize(
    ("platform", "text"),
    [(Platform.TIKTOK_SHOP, ""), (Platform.TIKTOK_SHOP, "partner"), (Platform.META, SHOP), (Platform.TIKTOK, "seller")],
)
def test_other_subjects_are_refused(platform: Any, text: str) -> None:
    with pytest.raises(SubjectError):
        subject_of(platform, text)

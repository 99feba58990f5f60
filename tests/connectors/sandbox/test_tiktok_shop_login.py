"""Consent of sellers and creators at TikTok Shop, codes, tokens, refreshes, and the end of an authorization."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.seller import ORDERS, Seller

BACK = "https://bursar.example/back"
SHOPS = "/authorization/202309/shops"
PAGES = {"seller": ("/open/authorize", "service_id"), "creator": ("/alliance/creator/auth", "app_key")}
WEEK, YEAR = 604_800, 365 * 86400


@pytest.fixture
def running() -> Iterator[Sandbox]:
    with running_sandbox(start=START, days=2) as running:
        yield running


@pytest.fixture
def seller(running: Sandbox) -> Seller:
    return Seller(running.url)


def consent(seller: Seller, kind: str = "seller", **params: str) -> httpx.Response:
    path, name = PAGES[kind]
    return seller.send("GET", path, params={name: seller.keys[name], "redirect_uri": BACK, "state": "s&1", **params})


def allowed(seller: Seller, kind: str = "seller", **params: str) -> dict[str, str]:
    response = consent(seller, kind, tenant=str(seller.tenant), allow="1", **params)
    assert response.status_code == 302
    assert response.headers["Location"].startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def exchanged(seller: Seller, code: str, **others: str) -> Any:
    asked = {"auth_code": code, "grant_type": "authorized_code"}
    return token(seller, "get", **{**asked, **others})


def refreshed(seller: Seller, refresh: str, **others: str) -> Any:
    return token(seller, "refresh", **{"refresh_token": refresh, "grant_type": "refresh_token", **others})


def token(seller: Seller, name: str, **params: str) -> Any:
    ours = {"app_key": seller.keys["app_key"], "app_secret": seller.keys["app_secret"]}
    response = seller.send("GET", f"/api/v2/token/{name}", params={**ours, **params})
    assert response.status_code == 200
    return response.json()


def granted(seller: Seller, kind: str = "seller") -> dict[str, Any]:
    answer = exchanged(seller, allowed(seller, kind)["code"])
    assert answer["code"] == 0
    return dict(answer["data"])


def opens(seller: Seller, access: str) -> tuple[int, int]:
    response = seller.raw("GET", SHOPS, token=access, cipher=False)
    return response.status_code, response.json()["code"]


@pytest.mark.parametrize(("kind", "name"), [("seller", "Alder &amp; Pine Outlet"), ("creator", "alder.and.pine.picks")])
def test_the_page_offers_everybody_and_leads_back_with_code_and_state(seller: Seller, kind: str, name: str) -> None:
    page = consent(seller, kind)
    assert page.headers["Content-Type"].startswith("text/html")
    assert name in page.text
    told = allowed(seller, kind)
    assert set(told) == {"code", "state"}
    assert told["state"] == "s&1"


@pytest.mark.parametrize("kind", ["seller", "creator"])
@pytest.mark.parametrize("back", ["", "javascript:alert(1)", "https://x/\r\nSet-Cookie: a=b", "ftp://x/y"])
def test_a_way_back_that_is_none_is_refused(seller: Seller, kind: str, back: str) -> None:
    assert consent(seller, kind, redirect_uri=back, tenant="0", allow="1").status_code == 400


def test_each_page_knows_the_app_by_its_own_name(seller: Seller) -> None:
    assert consent(seller, "seller", service_id=seller.keys["app_key"]).status_code == 400
    assert consent(seller, "creator", app_key=seller.keys["service_id"]).status_code == 400


def test_what_is_asked_is_shown_escaped(seller: Seller) -> None:
    assert "<script>" not in consent(seller, state='"><script>alert(1)</script>').text


def test_a_sellers_token_opens_all_his_shops_and_tells_when_it_ends(seller: Seller) -> None:
    data = granted(seller)
    assert abs(data["access_token_expire_in"] - WEEK - time.time()) < 5
    assert abs(data["refresh_token_expire_in"] - YEAR - time.time()) < 5
    assert (data["user_type"], data["seller_name"], data["seller_base_region"]) == (0, "Alder & Pine", "US")
    assert "seller.order.info" in data["granted_scopes"]
    assert data["open_id"]
    response = seller.raw("GET", SHOPS, token=data["access_token"], cipher=False)
    assert len(seller.data(response)["shops"]) == 2
    seller.shop = 1
    assert seller.data(seller.raw("POST", ORDERS, {}, token=data["access_token"]))["orders"]


def test_a_creators_token_opens_commissions_and_no_shop(seller: Seller) -> None:
    data = granted(seller, "creator")
    assert (data["user_type"], data["open_id"]) == (1, seller.keys["creator_id"])
    assert all(scope.startswith("creator.") for scope in data["granted_scopes"])
    path = "/affiliate_creator/202410/orders/search"
    found = seller.data(seller.raw("POST", path, {}, token=data["access_token"], cipher=False))
    assert found["orders"]
    assert opens(seller, data["access_token"]) == (403, 105001)


def test_a_code_is_used_once_and_within_half_an_hour(running: Sandbox, seller: Seller) -> None:
    code = allowed(seller)["code"]
    assert exchanged(seller, code)["code"] == 0
    assert exchanged(seller, code)["code"] == 36004004
    assert exchanged(seller, "nonsense")["code"] == 36004004
    late = allowed(seller)["code"]
    wall = running.world.logins.wall
    running.world.logins.wall = lambda: wall() + timedelta(minutes=31)
    assert exchanged(seller, late)["code"] == 36004004


def test_only_the_app_gets_tokens_and_only_with_the_platforms_words(seller: Seller) -> None:
    code = allowed(seller)["code"]
    for wrong in ({"app_secret": "x"}, {"app_key": "x"}, {"grant_type": "authorization_code"}):
        assert exchanged(seller, code, **wrong)["code"] not in (0, 36004004)
    assert token(seller, "nothing", grant_type="authorized_code", auth_code=code)["code"] != 0
    assert seller.send("POST", "/api/v2/token/get", json={}).status_code == 404
    assert exchanged(seller, code)["code"] == 0


def test_a_token_expires_after_a_week_and_is_refreshed(running: Sandbox, seller: Seller) -> None:
    data = granted(seller)
    assert opens(seller, data["access_token"]) == (200, 0)
    wall = running.world.logins.wall
    running.world.logins.wall = lambda: wall() + timedelta(seconds=WEEK)
    assert opens(seller, data["access_token"]) == (401, 105002)
    fresh = refreshed(seller, data["refresh_token"])["data"]
    assert opens(seller, fresh["access_token"]) == (200, 0)
    assert fresh["refresh_token"] != data["refresh_token"]
    assert fresh["user_type"] == 0


def test_a_lost_answer_to_a_refresh_is_made_good_until_the_new_one_is_used(seller: Seller) -> None:
    first = granted(seller)["refresh_token"]
    refreshed(seller, first)
    second = refreshed(seller, first)["data"]["refresh_token"]
    assert refreshed(seller, second)["code"] == 0
    assert refreshed(seller, first)["code"] == 36004005


def test_unknown_and_ended_refresh_tokens_are_told_apart(running: Sandbox, seller: Seller) -> None:
    data = granted(seller)
    assert refreshed(seller, "nonsense")["code"] == 36004005
    wall = running.world.logins.wall
    running.world.logins.wall = lambda: wall() + timedelta(days=366)
    assert refreshed(seller, data["refresh_token"])["code"] == 36004001


def test_the_planted_tokens_are_refreshed_too(seller: Seller) -> None:
    for name, scope in (("refresh_token", "seller.order.info"), ("creator_refresh_token", "creator.")):
        data = refreshed(seller, seller.keys[name])["data"]
        assert any(each.startswith(scope) for each in data["granted_scopes"])


def test_a_deauthorized_seller_is_out_until_he_consents_again(seller: Seller) -> None:
    data = granted(seller)
    assert seller.control("deauthorize", shop_id=seller.keys["shops"][1]["shop_id"]) == {"done": True}
    for access in (data["access_token"], seller.keys["access_token"]):
        assert opens(seller, access) == (403, 105001)
    for refresh in (data["refresh_token"], seller.keys["refresh_token"]):
        assert refreshed(seller, refresh)["code"] == 36004005
    assert seller.creator("GET", "/affiliate_creator/202508/profiles")
    other = Seller(seller.url, tenant=1)
    assert opens(other, other.keys["access_token"]) == (200, 0)
    assert opens(seller, granted(seller)["access_token"]) == (200, 0)


def test_tokens_and_deauthorizations_outlive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running_sandbox(start=START, days=1, state=state) as running:
        seller, other = Seller(running.url), Seller(running.url, tenant=1)
        kept, creator = granted(seller), granted(other, "creator")
        other.control("deauthorize", shop_id=other.keys["shop_id"])
    with running_sandbox(days=1, state=state) as running:
        seller, other = Seller(running.url), Seller(running.url, tenant=1)
        assert opens(seller, kept["access_token"]) == (200, 0)
        assert refreshed(seller, kept["refresh_token"])["code"] == 0
        assert opens(other, other.keys["access_token"]) == (403, 105001)
        profile = other.raw("GET", "/affiliate_creator/202508/profiles", token=creator["access_token"], cipher=False)
        assert other.data(profile)["creator_user_open_id"] == creator["open_id"]

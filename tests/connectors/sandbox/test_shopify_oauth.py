"""Shopify's consent page and token endpoint: every grant, signatures, rotation, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from connectors.sandbox.logins import SCOPES
from connectors.sandbox.server import Sandbox, running_sandbox
from connectors.sandbox.shopify_oauth import EXCHANGE, OFFLINE, ONLINE, SESSION, signature
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import GRAPHQL, Visitor

BACK = "https://bursar.test/callback?from=us"
AUTHORIZE, TOKEN = "/admin/oauth/authorize", "/admin/oauth/access_token"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox(start=START, days=1) as sandbox:
        yield sandbox


class Guest(Visitor):
    """Someone with the app's keys at one shop."""

    @property
    def app(self) -> dict[str, str]:
        return {name: self.who["shopify"][name] for name in ("client_id", "client_secret")}

    @property
    def shop(self) -> str:
        return str(self.who["shopify"]["shop"])

    def page(self, **changed: str) -> httpx.Response:
        asked = {"client_id": self.app["client_id"], "scope": "read_orders,read_products", "redirect_uri": BACK}
        return self.send("GET", AUTHORIZE, params={**asked, "state": "a1b2", "shop": self.shop, **changed})

    def callback(self, **changed: str) -> dict[str, str]:
        answer = self.page(allow="1", **changed)
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def token(self, **body: Any) -> httpx.Response:
        return self.send("POST", TOKEN, json={**self.app, **body})

    def granted(self, **body: Any) -> dict[str, Any]:
        answer = self.token(**body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def refused(self, **body: Any) -> tuple[int, str]:
        answer = self.token(**body)
        assert set(answer.json()) == {"error", "error_description"}
        return answer.status_code, answer.json()["error"]

    def name(self, token: str) -> str | None:
        """The shop that a token opens."""
        headers = {"X-Shopify-Access-Token": token}
        answer = self.send("POST", GRAPHQL, headers=headers, json={"query": "{ shop { myshopifyDomain } }"})
        return answer.json()["data"]["shop"]["myshopifyDomain"] if answer.status_code == 200 else None


@pytest.fixture
def guest(running: Sandbox) -> Guest:
    return Guest(running.url)


@pytest.fixture
def other(running: Sandbox) -> Guest:
    return Guest(running.url, tenant=1)


def test_the_page_asks_in_the_shops_name_and_leads_back_with_a_signed_code(guest: Guest) -> None:
    page = guest.page(state='"><script>')
    assert page.status_code == 200 and "read_products" in page.text and "<script>" not in page.text
    told = guest.callback()
    assert set(told) == {"from", "code", "hmac", "host", "shop", "state", "timestamp"}
    assert (told["from"], told["shop"], told["state"]) == ("us", guest.shop, "a1b2")
    store = base64.b64decode(told["host"] + "=" * (-len(told["host"]) % 4)).decode()
    assert store == f"admin.shopify.com/store/{guest.shop.removesuffix('.myshopify.com')}"
    signed = "&".join(f"{name}={text}" for name, text in sorted(told.items()) if name != "hmac")
    digest = hmac.new(guest.app["client_secret"].encode(), signed.encode(), hashlib.sha256)
    assert told["hmac"] == digest.hexdigest()


def test_the_signature_holds_the_documented_vector() -> None:
    params = {
        "code": "0907a61c0c8d55e99db179b68161bc00",
        "shop": "some-shop.myshopify.com",
        "state": "0.6784241404160823",
        "timestamp": "1337178173",
    }
    assert signature(params, "hush") == "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf"


def test_the_shop_is_known_by_its_host_too_and_without_either_the_page_offers_all(guest: Guest, other: Guest) -> None:
    asked = urlencode({"client_id": guest.app["client_id"], "redirect_uri": BACK, "allow": "1"})
    answer = guest.send("GET", f"{AUTHORIZE}?{asked}", headers={"Host": other.shop})
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["shop"] == [other.shop]
    page = guest.send("GET", f"{AUTHORIZE}?{asked}")
    assert page.status_code == 200 and guest.shop in page.text and other.shop in page.text


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"client_id": "other"}, 400),
        ({"redirect_uri": "javascript:alert(1)"}, 400),
        ({"redirect_uri": "https://a b"}, 400),
        ({"redirect_uri": "https://["}, 400),
        ({"redirect_uri": "https://bursar.test/\nSet-Cookie: a=b"}, 400),
        ({"scope": "read_orders,read_minds"}, 400),
        ({"shop": "nobody.myshopify.com"}, 404),
    ],
)
def test_a_wrong_question_leads_nowhere(guest: Guest, changed: dict[str, str], status: int) -> None:
    answer = guest.page(allow="1", **changed)
    assert answer.status_code == status and "Location" not in answer.headers


def test_a_code_gives_a_lasting_token_once(guest: Guest) -> None:
    code = guest.callback()["code"]
    told = guest.granted(code=code)
    assert set(told) == {"access_token", "scope"}
    assert told["scope"] == "read_orders,read_products"
    assert guest.name(told["access_token"]) == guest.shop
    assert guest.refused(code=code) == (400, "invalid_request")


@pytest.mark.parametrize("expiring", ["1", 1])
def test_a_code_gives_an_expiring_token_where_that_is_asked_for(guest: Guest, expiring: object) -> None:
    told = guest.granted(code=guest.callback()["code"], expiring=expiring)
    assert (told["expires_in"], told["refresh_token_expires_in"]) == (3600, 7_776_000)
    assert guest.name(told["access_token"]) == guest.shop


def test_forms_are_taken_as_well_as_json(guest: Guest) -> None:
    answer = guest.send("POST", TOKEN, data={**guest.app, "code": guest.callback()["code"], "expiring": "0"})
    assert set(answer.json()) == {"access_token", "scope"}


def test_a_code_belongs_to_its_shop(guest: Guest, other: Guest) -> None:
    code = guest.callback()["code"]
    answer = guest.send("POST", TOKEN, headers={"Host": other.shop}, json={**guest.app, "code": code})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_refresh_rotates_and_forgives_a_lost_answer(guest: Guest) -> None:
    first = guest.granted(code=guest.callback()["code"], expiring="1")
    old = first["refresh_token"]
    lost = guest.granted(grant_type="refresh_token", refresh_token=old)
    second = guest.granted(grant_type="refresh_token", refresh_token=old)
    assert len({old, lost["refresh_token"], second["refresh_token"]}) == 3
    assert guest.name(second["access_token"]) == guest.shop
    guest.granted(grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert guest.refused(grant_type="refresh_token", refresh_token=old) == (400, "invalid_grant")
    assert guest.refused(grant_type="refresh_token", refresh_token="") == (400, "invalid_grant")


def test_an_expired_token_is_refused_and_refreshed() -> None:
    with running_sandbox(start=START, days=1) as sandbox:
        guest = Guest(sandbox.url)
        told = guest.granted(code=guest.callback()["code"], expiring="1")
        now = sandbox.world.logins.wall()
        sandbox.world.logins.wall = lambda: now + timedelta(hours=1, seconds=1)
        assert guest.name(told["access_token"]) is None
        fresh = guest.granted(grant_type="refresh_token", refresh_token=told["refresh_token"])
        assert guest.name(fresh["access_token"]) == guest.shop
        assert guest.name(guest.who["shopify"]["access_token"]) == guest.shop


def test_client_credentials_give_a_token_for_a_day_without_refresh(guest: Guest) -> None:
    answer = guest.send(
        "POST", TOKEN, headers={"Host": guest.shop}, json={**guest.app, "grant_type": "client_credentials"}
    )
    told = answer.json()
    assert (told["expires_in"], "refresh_token" in told) == (86_399, False)
    assert set(told["scope"].split(",")) == set(SCOPES["shopify"])
    assert guest.name(told["access_token"]) == guest.shop
    assert guest.refused(grant_type="client_credentials") == (400, "invalid_request")


def session_token(guest: Guest, sandbox: Sandbox, **changed: Any) -> str:
    now = int(sandbox.world.logins.wall().timestamp())
    claims = {
        "dest": f"https://{guest.shop}",
        "aud": guest.app["client_id"],
        "nbf": now - 5,
        "exp": now + 60,
        **changed,
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    digest = hmac.new(guest.app["client_secret"].encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()


def test_a_session_token_is_exchanged(guest: Guest, running: Sandbox) -> None:
    body = {"grant_type": EXCHANGE, "subject_token_type": SESSION, "subject_token": session_token(guest, running)}
    offline = guest.granted(**body, requested_token_type=OFFLINE, expiring=1)
    assert offline["refresh_token"] and guest.name(offline["access_token"]) == guest.shop
    online = guest.granted(**body, requested_token_type=ONLINE)
    assert online["associated_user"]["id"] and "refresh_token" not in online


@pytest.mark.parametrize(
    "changed", [{"exp": 1}, {"aud": "other"}, {"dest": "https://nobody.myshopify.com"}, {"exp": "soon"}, {"nbf": None}]
)
def test_a_wrong_session_token_is_refused(guest: Guest, running: Sandbox, changed: dict[str, Any]) -> None:
    text = session_token(guest, running, **changed)
    body = {"grant_type": EXCHANGE, "subject_token_type": SESSION}
    assert guest.refused(**body, subject_token=text) == (400, "invalid_subject_token")
    assert guest.refused(**body, subject_token=text[:-2]) == (400, "invalid_subject_token")
    assert guest.refused(**body, subject_token="é.é.é") == (400, "invalid_subject_token")


def test_a_lasting_token_is_exchanged_for_an_expiring_one_and_is_dead_then(guest: Guest) -> None:
    old = guest.granted(code=guest.callback()["code"])["access_token"]
    body = {"grant_type": EXCHANGE, "subject_token_type": OFFLINE, "requested_token_type": OFFLINE}
    assert guest.refused(**body, subject_token=old) == (400, "invalid_request")
    told = guest.granted(**body, subject_token=old, expiring="1")
    assert told["refresh_token"] and told["scope"] == "read_orders,read_products"
    assert guest.name(old) is None
    assert guest.refused(**body, subject_token=old, expiring="1") == (400, "invalid_subject_token")


def test_wrong_keys_grants_and_bodies_are_refused(guest: Guest) -> None:
    assert guest.refused(client_secret="wrong", code="x") == (401, "invalid_client")
    assert guest.refused(client_id="wrong", code="x") == (401, "invalid_client")
    assert guest.refused(grant_type="password") == (400, "unsupported_grant_type")
    assert guest.refused(code="x") == (400, "invalid_request")
    assert guest.send("POST", TOKEN, content="[1", headers={"Content-Type": "application/json"}).status_code == 401
    assert guest.send("GET", TOKEN).status_code == 404
    unknown = guest.send("POST", TOKEN, headers={"Host": "nobody.myshopify.com"}, json={**guest.app, "code": "x"})
    assert unknown.status_code == 404

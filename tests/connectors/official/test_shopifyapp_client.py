"""Shopify's newer client for Python (`shopifyapp`) against the sandbox: tokens, queries, webhooks.

It speaks to `https://{shop}.myshopify.com` only; a transport of the tests' leads that to the sandbox and leaves the
Host header as it is, by which the sandbox knows the shop.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.receiver import Receiver, receiving
from tests.connectors.sandbox.visitor import Visitor

shopify_app: Any = import_module("shopify_app")
VERSION = "2026-10"
ORDERS = """query($first: Int!, $after: String) { orders(first: $first, after: $after) {
  nodes { id } pageInfo { hasNextPage endCursor } } }"""


class ToSandbox(httpx.BaseTransport):
    def __init__(self, url: str) -> None:
        self._to = httpx.URL(url)
        self._real = httpx.HTTPTransport(trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The Host header was set from the first address and stays."""
        request.url = request.url.copy_with(scheme="http", host=self._to.host, port=self._to.port)
        return self._real.handle_request(request)


class Desk:
    """The client as the app, and one shop."""

    def __init__(self, sandbox: Sandbox, tenant: int = 0) -> None:
        self.visitor = Visitor(sandbox.url, tenant)
        self.who: dict[str, str] = self.visitor.who["shopify"]
        self.shop = self.who["shop"].removesuffix(".myshopify.com")
        self.http = httpx.Client(transport=ToSandbox(sandbox.url))
        self.app = shopify_app.ShopifyApp(self.who["client_id"], self.who["client_secret"])

    def ask(self, query: str, token: str = "", **options: Any) -> Any:
        token = token or self.who["access_token"]
        return self.app.admin_graphql_request(query, self.shop, token, VERSION, http_client=self.http, **options)

    def expiring(self) -> dict[str, Any]:
        """A token of a login, in the shape that the client keeps."""
        asked = {"client_id": self.who["client_id"], "redirect_uri": "https://bursar.test/", "shop": self.who["shop"]}
        page = self.visitor.send("GET", "/admin/oauth/authorize", params={**asked, "allow": "1"})
        code = dict(parse_qsl(urlsplit(page.headers["Location"]).query))["code"]
        keys = {name: self.who[name] for name in ("client_id", "client_secret")}
        told = self.visitor.send(
            "POST", "/admin/oauth/access_token", json={**keys, "code": code, "expiring": "1"}
        ).json()
        return {
            "access_mode": "offline",
            "shop": self.shop,
            "token": told["access_token"],
            "expires": "2020-01-01T00:00:00Z",
            "scope": told["scope"],
            "refresh_token": told["refresh_token"],
            "refresh_token_expires": "2099-01-01T00:00:00Z",
            "user": None,
        }

    def session_token(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {"dest": f"https://{self.who['shop']}", "aud": self.who["client_id"], "nbf": now - 5, "exp": now + 60}
        parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
        digest = hmac.new(self.who["client_secret"].encode(), signed, hashlib.sha256).digest()
        token = signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")
        return {"exchangeable": True, "token": token.decode(), "claims": claims}

    def close(self) -> None:
        self.http.close()
        self.visitor.client.close()


@pytest.fixture
def running() -> Iterator[Sandbox]:
    with running_sandbox(start=START, days=3) as sandbox:
        yield sandbox
        sandbox.application.pushes.close()


@pytest.fixture
def desk(running: Sandbox) -> Iterator[Desk]:
    made = Desk(running)
    yield made
    made.close()


def test_orders_are_read_over_several_pages_with_their_cost(desk: Desk) -> None:
    found: list[str] = []
    after = None
    while True:
        answer = desk.ask(ORDERS, variables={"first": 20, "after": after})
        assert answer.ok and answer.extensions["cost"]["actualQueryCost"] > 0
        page = answer.data["orders"]
        found += [order["id"] for order in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(set(found)) == len(found) == desk.ask("{ ordersCount { count } }").data["ordersCount"]["count"] > 40


def test_each_shop_is_known_by_its_host(running: Sandbox, desk: Desk) -> None:
    other = Desk(running, tenant=1)
    text = "{ shop { myshopifyDomain } }"
    assert other.ask(text).data["shop"]["myshopifyDomain"] == other.who["shop"] != desk.who["shop"]
    assert desk.ask(text, other.who["access_token"]).log.code == "unauthorized"
    other.close()


def test_tokens_are_refreshed(desk: Desk) -> None:
    old = desk.expiring()
    first = desk.app.refresh_token_exchanged_access_token(old, http_client=desk.http)
    assert first.ok and first.access_token.refresh_token != old["refresh_token"]
    assert desk.ask("{ shop { name } }", first.access_token.token).ok
    newer = {**old, "refresh_token": first.access_token.refresh_token}
    assert desk.app.refresh_token_exchanged_access_token(newer, http_client=desk.http).ok
    late = desk.app.refresh_token_exchanged_access_token(old, http_client=desk.http)
    assert (late.ok, late.log.code, late.response.status) == (False, "invalid_grant", 401)


def test_client_credentials_are_exchanged_and_wrong_ones_are_refused(desk: Desk) -> None:
    answer = desk.app.exchange_using_client_credentials(desk.shop, http_client=desk.http)
    assert answer.ok and desk.ask("{ shop { name } }", answer.access_token.token).ok
    thief = shopify_app.ShopifyApp(desk.who["client_id"], "guessed")
    refused = thief.exchange_using_client_credentials(desk.shop, http_client=desk.http)
    assert (refused.ok, refused.log.code) == (False, "invalid_client")


def test_a_session_token_is_exchanged_for_either_kind_of_token(desk: Desk) -> None:
    offline = desk.app.exchange_using_token_exchange("offline", desk.session_token(), http_client=desk.http)
    assert offline.ok and offline.access_token.refresh_token
    online = desk.app.exchange_using_token_exchange("online", desk.session_token(), http_client=desk.http)
    assert online.ok and online.access_token.user.account_owner
    lasting = desk.app.exchange_using_token_exchange(
        "offline", desk.session_token(), expiring=False, http_client=desk.http
    )
    assert lasting.ok and lasting.access_token.expires is None
    forged = desk.session_token() | {"token": "a.b.c"}
    refused = desk.app.exchange_using_token_exchange("offline", forged, http_client=desk.http)
    assert (refused.ok, refused.log.code) == (False, "invalid_subject_token")


def test_our_errors_are_the_clients_own(desk: Desk) -> None:
    assert desk.ask("{ shop { name } }", "shpat_dead").log.code == "unauthorized"
    assert desk.ask("{ shop { colour } }").log.code == "graphql_errors"
    desk.visitor.control("faults", fault="rate_limit", platform="shopify")
    throttled = desk.ask("{ shop { name } }")
    assert throttled.log.code == "graphql_errors"
    assert json.loads(throttled.response.body)["errors"][0]["extensions"]["code"] == "THROTTLED"
    desk.visitor.control("faults", fault="server_error", platform="shopify")
    assert desk.ask("{ shop { name } }").log.code == "http_error_500"
    desk.visitor.control("faults", fault="html_body", platform="shopify")
    assert desk.ask("{ shop { name } }", max_retries=0).log.code == "http_error_504"


def test_too_many_requests_are_retried_by_the_client_and_given_up(desk: Desk) -> None:
    desk.visitor.control("faults", fault="too_many_requests", platform="shopify", count=2)
    assert desk.ask("{ shop { name } }", max_retries=0).log.code == "rate_limited"
    assert desk.ask("{ shop { name } }").ok


def test_our_webhooks_pass_the_clients_check_and_changed_ones_do_not(running: Sandbox, desk: Desk) -> None:
    with receiving() as receiver:
        pushed(running, desk, receiver)
        assert len(receiver.got) > 3
        for delivery in receiver.got:
            request: dict[str, Any] = {
                "method": "POST",
                "url": receiver.url,
                "headers": delivery.headers,
                "body": delivery.body.decode(),
            }
            answer = desk.app.verify_webhook_req(request)
            assert (answer.ok, answer.shop) == (True, desk.shop)
            changed = desk.app.verify_webhook_req({**request, "body": request["body"].replace('"id":', '"id": ')})
            assert (changed.ok, changed.response.status) == (False, 401)
            stranger = shopify_app.ShopifyApp(desk.who["client_id"], "new", old_client_secret="older")
            assert not stranger.verify_webhook_req(request).ok
            rotated = shopify_app.ShopifyApp(desk.who["client_id"], "new", desk.who["client_secret"])
            assert rotated.verify_webhook_req(request).ok


def pushed(running: Sandbox, desk: Desk, receiver: Receiver) -> None:
    """A few hours of orders."""
    text = """mutation($uri: String!) { webhookSubscriptionCreate(topic: ORDERS_CREATE,
      webhookSubscription: { uri: $uri }) { userErrors { message } } }"""
    assert desk.ask(text, variables={"uri": receiver.url}).ok
    desk.visitor.advance(8)
    assert running.application.pushes.drain()

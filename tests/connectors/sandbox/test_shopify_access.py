"""Who may see what: tokens, scopes, old orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.sandbox.logins import SCOPES
from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import GRAPHQL, Visitor

DENIED = [
    ("{ orders(first: 1) { nodes { id } } }", "read_orders", "orders"),
    ("{ ordersCount { count } }", "read_orders", "ordersCount"),
    ('{ order(id: "gid://shopify/Order/1") { id } }', "read_orders", "order"),
    ('{ node(id: "gid://shopify/Order/1") { id } }', "read_orders", "node"),
    ("{ orders(first: 9) { nodes { customer { id } } } }", "read_customers", "customer"),
    ("{ orders(first: 1) { nodes { lineItems(first: 1) { nodes { product { id } } } } } }", "read_products", "product"),
    ("{ orders(first: 1) { nodes { lineItems(first: 1) { nodes { variant { id } } } } } }", "read_products", "variant"),
    ("{ products(first: 1) { nodes { id } } }", "read_products", "products"),
    ("{ productVariants(first: 1) { nodes { inventoryItem { id } } } }", "read_inventory", "inventoryItem"),
    ('{ inventoryItem(id: "gid://shopify/InventoryItem/1") { id } }', "read_inventory", "inventoryItem"),
]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox(start=START, days=65) as sandbox:
        yield sandbox


def asked(running: Sandbox, query: str, *scopes: str) -> Any:
    with running.world.lock:
        token = running.world.logins.issue("shopify", 0, scopes)
    headers = {"X-Shopify-Access-Token": token.text}
    return Visitor(running.url).send("POST", GRAPHQL, headers=headers, json={"query": query}).json()


@pytest.mark.parametrize(("query", "scope", "field"), DENIED)
def test_a_field_needs_its_scope(running: Sandbox, query: str, scope: str, field: str) -> None:
    others = [each for each in SCOPES["shopify"] if each != scope]
    error = asked(running, query, *others)["errors"][0]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    assert error["message"] == f"Access denied for {field} field. Required access: `{scope}` access scope."
    assert error["path"][-1] == field
    assert "errors" not in asked(running, query, *SCOPES["shopify"])


def test_what_may_be_seen_comes_beside_the_refusal(running: Sandbox) -> None:
    answer = asked(running, "{ orders(first: 9) { nodes { id customer { id } } } }", "read_orders")
    assert answer["errors"]
    assert [set(order) for order in answer["data"]["orders"]["nodes"]] == [{"id", "customer"}] * 9


def test_orders_older_than_sixty_days_need_a_scope_of_their_own(running: Sandbox) -> None:
    query = (
        '{ orders(first: 1, sortKey: CREATED_AT) { nodes { id createdAt } } old: ordersCount(query: "%s") { count } }'
    )
    query %= "created_at:<2026-09-06T15:00:00Z"
    oldest = asked(running, query, "read_orders", "read_all_orders")["data"]
    assert oldest["old"]["count"] > 0
    recent = asked(running, query, "read_orders")["data"]
    assert recent["old"]["count"] == 0
    assert recent["orders"]["nodes"][0]["createdAt"] >= "2026-09-06T15" > oldest["orders"]["nodes"][0]["createdAt"]
    one = f'{{ order(id: "{oldest["orders"]["nodes"][0]["id"]}") {{ id }} }}'
    assert asked(running, one, "read_orders")["data"]["order"] is None


def test_the_installation_tells_the_scopes(running: Sandbox) -> None:
    found = asked(running, "{ currentAppInstallation { accessScopes { handle } } }", "read_orders", "read_customers")
    scopes = found["data"]["currentAppInstallation"]["accessScopes"]
    assert [scope["handle"] for scope in scopes] == ["read_customers", "read_orders"]


def test_an_uninstalled_app_is_locked_out_at_once() -> None:
    with running_sandbox(start=START, days=1) as sandbox:
        visitor = Visitor(sandbox.url)
        answer = visitor.graphql("mutation { appUninstall { app { id } userErrors { message } } }")
        assert answer["data"]["appUninstall"]["userErrors"] == []
        assert answer["extensions"]["cost"]["requestedQueryCost"] == 10
        assert visitor.graphql("{ shop { name } }")["errors"].startswith("[API] Invalid API key or access token")
        assert Visitor(sandbox.url, tenant=1).graphql("{ shop { name } }")["data"]

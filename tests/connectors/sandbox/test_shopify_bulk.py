"""Bulk operations: how they run, what they leave, and which queries they refuse."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import Visitor

RUN = """mutation($q: String!, $g: Boolean! = false) { bulkOperationRunQuery(query: $q, groupObjects: $g) {
  bulkOperation { id status createdAt completedAt url } userErrors { field message code } } }"""
LOOK = """query($id: ID!) { bulkOperation(id: $id) { id status errorCode objectCount rootObjectCount fileSize url
  partialDataUrl completedAt query type } }"""
ORDERS = """{ orders { edges { node { id createdAt lineItems { edges { node { id quantity } } }
  refunds { id } agreements { edges { node { id sales { edges { node { id } } } } } } } } } }"""
EMPTY = '{ orders(query: "created_at:<2020-01-01") { edges { node { id } } } }'


@pytest.fixture
def running() -> Iterator[Sandbox]:
    with running_sandbox(start=START, days=5) as sandbox:
        yield sandbox


@pytest.fixture
def visitor(running: Sandbox) -> Visitor:
    return Visitor(running.url)


def started(visitor: Visitor, query: str, grouped: bool = False) -> str:
    told = visitor.graphql(RUN, q=query, g=grouped)["data"]["bulkOperationRunQuery"]
    assert told["userErrors"] == [], told
    assert told["bulkOperation"]["status"] == "CREATED" and told["bulkOperation"]["url"] is None
    return str(told["bulkOperation"]["id"])


def refused(visitor: Visitor, query: str) -> tuple[str, str]:
    told = visitor.graphql(RUN, q=query)["data"]["bulkOperationRunQuery"]
    assert told["bulkOperation"] is None
    return told["userErrors"][0]["code"], told["userErrors"][0]["message"]


def look(visitor: Visitor, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = visitor.graphql(LOOK, id=identity)["data"]["bulkOperation"]
    return found


def finished(visitor: Visitor, identity: str) -> dict[str, Any]:
    assert look(visitor, identity)["status"] == "RUNNING"
    return look(visitor, identity)


def lines(operation: dict[str, Any]) -> list[dict[str, Any]]:
    raw = httpx.get(operation["url"], trust_env=False).content
    assert len(raw) == int(operation["fileSize"])
    return [json.loads(line) for line in raw.splitlines()]


def test_it_is_created_runs_and_leaves_every_object_as_a_line(visitor: Visitor) -> None:
    done = finished(visitor, started(visitor, ORDERS))
    assert (done["status"], done["errorCode"], done["type"], done["query"]) == ("COMPLETED", None, "QUERY", ORDERS)
    found = lines(done)
    roots = [each for each in found if "__parentId" not in each]
    assert len(found) == int(done["objectCount"]) and len(roots) == int(done["rootObjectCount"])
    paged = visitor.orders("createdAt lineItems(first: 3) { nodes { id quantity } } refunds { id }")
    assert {each["id"]: each["createdAt"] for each in roots} == {each["id"]: each["createdAt"] for each in paged}
    children = {(each["__parentId"], each["id"]) for each in found if "LineItem" in each["id"]}
    assert children == {(order["id"], line["id"]) for order in paged for line in order["lineItems"]["nodes"]}
    assert sum(len(each["refunds"]) for each in roots) == sum(len(order["refunds"]) for order in paged)
    agreements = {each["id"] for each in found if "SalesAgreement" in each["id"]}
    sales = [each for each in found if "/Sale/" in each["id"]]
    assert sales and {each["__parentId"] for each in sales} <= agreements


def test_children_follow_their_parents_only_where_that_was_asked_for(visitor: Visitor) -> None:
    query = "{ orders { edges { node { id lineItems { edges { node { id } } } } } } }"
    loose, grouped = (lines(finished(visitor, started(visitor, query, wish))) for wish in (False, True))
    assert sorted(map(str, loose)) == sorted(map(str, grouped))

    def follows(found: list[dict[str, Any]]) -> list[bool]:
        """Of each child: whether the last parent before it is its own."""
        last, seen = "", []
        for each in found:
            last = last if "__parentId" in each else each["id"]
            seen += [each["__parentId"] == last] if "__parentId" in each else []
        return seen

    assert all(follows(grouped)) and not all(follows(loose)[:20])


def test_it_ends_by_itself_after_a_second(visitor: Visitor) -> None:
    identity = started(visitor, ORDERS)
    time.sleep(1.1)
    assert look(visitor, identity)["status"] == "COMPLETED"


def test_an_empty_result_has_no_address(visitor: Visitor) -> None:
    done = finished(visitor, started(visitor, EMPTY))
    assert (done["status"], done["objectCount"], done["url"], done["fileSize"]) == ("COMPLETED", "0", None, None)


def test_the_address_needs_no_token_is_the_sandboxes_own_and_ends_after_a_week(visitor: Visitor) -> None:
    shop = visitor.who["shopify"]
    identity = finished(visitor, started(visitor, ORDERS))["id"]
    headers = {"X-Shopify-Access-Token": shop["access_token"], "Host": shop["shop"]}
    body = {"query": LOOK, "variables": {"id": identity}}
    named = visitor.send("POST", "/admin/api/2026-10/graphql.json", headers=headers, json=body).json()
    url = named["data"]["bulkOperation"]["url"]
    assert url.startswith(visitor.url)
    assert httpx.get(url, trust_env=False).status_code == 200
    assert httpx.get(url[:-8], trust_env=False).status_code == 403
    visitor.advance(24 * 7 + 1)
    assert (look(visitor, identity)["status"], look(visitor, identity)["url"]) == ("EXPIRED", None)
    assert httpx.get(url, trust_env=False).status_code == 403


def test_five_run_at_a_time(visitor: Visitor) -> None:
    held = [started(visitor, EMPTY) for _ in range(5)]
    assert refused(visitor, EMPTY)[0] == "LIMIT_REACHED"
    started(Visitor(visitor.url, tenant=1), EMPTY)
    finished(visitor, held[0])
    started(visitor, EMPTY)


def test_operations_are_listed_and_belong_to_their_shop(visitor: Visitor) -> None:
    held = [started(visitor, EMPTY) for _ in range(3)]
    text = '{ bulkOperations(first: 2, query: "operation_type:query") { nodes { id } pageInfo { hasNextPage } } }'
    page = visitor.graphql(text)["data"]["bulkOperations"]
    assert [each["id"] for each in page["nodes"]] == held[:2] and page["pageInfo"]["hasNextPage"]
    assert Visitor(visitor.url, tenant=1).graphql(LOOK, id=held[0])["data"]["bulkOperation"] is None


def test_a_running_one_is_cancelled_and_a_finished_one_is_not(visitor: Visitor) -> None:
    text = "mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }"
    identity = started(visitor, ORDERS)
    told = visitor.graphql(text, id=identity)["data"]["bulkOperationCancel"]
    assert told == {"bulkOperation": {"status": "CANCELING"}, "userErrors": []}
    look(visitor, identity)
    assert (look(visitor, identity)["status"], look(visitor, identity)["url"]) == ("CANCELED", None)
    assert visitor.graphql(text, id=identity)["data"]["bulkOperationCancel"]["userErrors"]
    assert visitor.graphql(text, id="gid://shopify/BulkOperation/99")["data"]["bulkOperationCancel"]["userErrors"]


def test_without_the_scope_it_fails_and_says_so(running: Sandbox, visitor: Visitor) -> None:
    token = visitor.who["shopify"]["access_token"]
    visitor.control("token", platform="shopify", access_token=token, scopes=["read_products"])
    done = finished(visitor, started(visitor, ORDERS))
    assert (done["status"], done["errorCode"], done["url"]) == ("FAILED", "ACCESS_DENIED", None)


NESTED = "{ orders { edges { node { id agreements { edges { node { id sales { edges { node { id %s } } } } } } } } } }"
LINES = " ".join(f"a{k}: lineItems {{ edges {{ node {{ id }} }} }}" for k in range(5))
SIX = f"{{ orders {{ edges {{ node {{ id {LINES} }} }} }} }}"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("{", "Invalid bulk query"),
        ("", "Invalid bulk query"),
        ("{ orders { edges { node { colour } } } }", "Invalid bulk query"),
        ("mutation { appUninstall { userErrors { message } } }", "Only `query` operations"),
        ("query($n: Int) { orders(first: $n) { edges { node { id } } } }", "variables"),
        ("{ shop { name } }", "at least one connection"),
        ("{ shop { name } orders { edges { node { id } } } }", "exactly one top-level field"),
        ('{ node(id: "gid://shopify/Order/1") { id } }', "top level `node`"),
        ("{ orders { nodes { id } } }", "edges"),
        ("{ orders { edges { node { name lineItems { edges { node { id } } } } } } }", "must select the 'id' field"),
        ("{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }", "within a list"),
        (SIX, "more than 5 connections"),
        (NESTED % "... on ProductSale { lineItem { product { id variants { edges { node { id } } } } } }", "depth"),
    ],
)
def test_queries_that_cannot_run_in_bulk_are_refused_with_the_reason(visitor: Visitor, query: str, says: str) -> None:
    code, message = refused(visitor, query)
    assert code == "INVALID" and says in message


def test_pages_mean_nothing_in_bulk(visitor: Visitor) -> None:
    done = finished(visitor, started(visitor, "{ orders(first: 1) { edges { node { id } } } }"))
    assert int(done["rootObjectCount"]) > 1

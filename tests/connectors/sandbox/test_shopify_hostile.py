"""Whatever comes, the Shopify face answers in the platform's own form, and never breaks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import GRAPHQL, Visitor

ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
QUERIES = (
    """query($first: Int, $after: String, $q: String) {
       orders(first: $first, after: $after, query: $q) { nodes { id } } }""",
    "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
    "query($first: Int, $q: String) { products(first: $first, query: $q) { nodes { id } } }",
    "mutation($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id } userErrors { message } } }",
    "mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { userErrors { message } } }",
    """mutation($input: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: ORDERS_PAID,
       webhookSubscription: $input) { userErrors { message } } }""",
)
CURSORS = [b"", b"[]", b"{}", b'{"last_id": Infinity, "last_value": ""}', b'{"last_id": [], "last_value": 1}', b"\xff"]


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    with running_sandbox(start=START, days=2) as running:
        yield Visitor(running.url)


def posted(visitor: Visitor, path: str, **options: Any) -> Any:
    headers = {"X-Shopify-Access-Token": visitor.who["shopify"]["access_token"], **options.pop("headers", {})}
    return visitor.send("POST", path, headers=headers, **options)


def sent(visitor: Visitor, body: Any) -> Any:
    return posted(visitor, GRAPHQL, content=json.dumps(body).encode(errors="replace"))


@settings(max_examples=60, deadline=None)
@given(
    query=st.sampled_from(QUERIES),
    variables=st.dictionaries(st.sampled_from(["first", "after", "q", "ids", "id", "input"]), ODD, max_size=4),
)
def test_odd_variables_are_answered_with_data_or_errors(visitor: Visitor, query: str, variables: Any) -> None:
    answer = sent(visitor, {"query": query, "variables": variables})
    assert answer.status_code == 200 and ({"data", "errors"} & set(answer.json()))


@settings(max_examples=40, deadline=None)
@given(body=st.one_of(ODD, st.fixed_dictionaries({"query": ODD, "variables": ODD, "operationName": ODD})))
def test_odd_bodies_are_refused(visitor: Visitor, body: Any) -> None:
    answer = sent(visitor, body)
    assert answer.status_code in (200, 400) and answer.json()["errors"]


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=60))
def test_odd_bulk_queries_and_searches_are_refused_in_words(visitor: Visitor, text: str) -> None:
    told = sent(visitor, {"query": QUERIES[3], "variables": {"q": text}}).json()
    assert told["data"]["bulkOperationRunQuery"]["userErrors"]
    assert set(sent(visitor, {"query": QUERIES[0], "variables": {"first": 1, "q": text}}).json()) & {"data", "errors"}


@settings(max_examples=60, deadline=None)
@given(
    body=st.dictionaries(
        st.sampled_from(["client_id", "client_secret", "code", "grant_type", "refresh_token", "subject_token"]), ODD
    ),
    is_known=st.booleans(),
)
def test_odd_token_requests_are_refused(visitor: Visitor, body: dict[str, Any], is_known: bool) -> None:
    keys = {name: visitor.who["shopify"][name] for name in ("client_id", "client_secret")} if is_known else {}
    answer = posted(visitor, "/admin/oauth/access_token", json={**body, **keys} if is_finite(body) else keys)
    assert answer.status_code in (400, 401) and set(answer.json()) == {"error", "error_description"}


def is_finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("raw", CURSORS)
def test_a_bad_cursor_is_named_as_such(visitor: Visitor, raw: bytes) -> None:
    cursor = base64.urlsafe_b64encode(raw).decode()
    answer = visitor.graphql(QUERIES[0], first=1, after=cursor)
    assert answer["errors"][0]["message"] == "Invalid cursor for current pagination sort."


def test_a_cursor_stays_good_when_its_order_has_moved_on(visitor: Visitor) -> None:
    text = "query($a: String) { orders(first: 5, after: $a, sortKey: UPDATED_AT) { edges { cursor node { id } } } }"
    edges = visitor.graphql(text)["data"]["orders"]["edges"]
    visitor.advance(48)
    rest = visitor.graphql(text, a=edges[0]["cursor"])["data"]["orders"]["edges"]
    assert rest and edges[0]["node"]["id"] not in {edge["node"]["id"] for edge in rest}


@pytest.mark.parametrize("path", ["/admin/", "/admin/bulk/", "/admin/bulk/1-x.jsonl", "/admin/oauth/", "/admin/api/x"])
def test_paths_that_are_none_are_refused(visitor: Visitor, path: str) -> None:
    assert visitor.send("GET", path).status_code in (403, 404)
    assert posted(visitor, path, json={}).status_code in (403, 404)


def test_forty_aliases_are_weighed_and_deep_nesting_is_refused(visitor: Visitor) -> None:
    aliases = " ".join(f"a{k}: orders(first: 250) {{ nodes {{ id }} }}" for k in range(40))
    answer = visitor.graphql(f"{{ {aliases} }}")
    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    deep = "{ orders(first: 1) { nodes { refunds { order " + "{ refunds { order " * 200 + "{ id }" + " } }" * 200
    assert visitor.graphql(deep + " } } } }")["errors"]

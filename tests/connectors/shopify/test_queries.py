"""Our queries against Shopify's own schema, deprecated fields included; and what they leave out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_client_schema,
    get_named_type,
    parse,
    validate,
    visit,
)
from graphql.validation import NoDeprecatedCustomRule, specified_rules

from connectors.shopify.graph import QUERIES

REPOSITORY = Path(__file__).parents[3]
SHARED = REPOSITORY.parent / "shared"
SCHEMA = SHARED / "reference" / "shopify" / "admin_2026-10.introspection.min.json.gz"
RULES = [*specified_rules, NoDeprecatedCustomRule]

PERSONAL_TYPES = {"Customer", "MailingAddress", "StaffMember", "PurchasingEntity", "CustomerJourney", "Attribute"}
PERSONAL_FIELDS = {
    *("email", "phone", "note", "clientIp", "customerLocale", "statusPageUrl", "confirmationNumber", "name"),
    *("firstName", "lastName", "displayName", "tags", "poNumber", "referrerUrl", "cartToken", "checkoutToken"),
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    if not SHARED.exists():
        pytest.skip("Shopify's schema lives in the shared directory, which is not here")
    with gzip.open(SCHEMA) as packed:
        document = json.load(packed)
    return build_client_schema(document.get("data", document), assume_valid=True)


class Selected(Visitor):
    """The fields that a document selects: each with its type, how deep in connections, and its arguments."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self.info = info
        self.fields: list[tuple[str, str]] = []
        self.depth = 0
        self.depths: list[int] = []
        self.arguments: list[tuple[str, int]] = []

    def _type(self) -> str:
        found = self.info.get_type()
        return get_named_type(found).name if found is not None else ""

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.fields.append((node.name.value, self._type()))
        if self._type().endswith("Connection"):
            self.depth += 1
            self.depths.append(self.depth)
            self.arguments += [(argument.name.value, self.depth) for argument in node.arguments]

    def leave_field(self, node: FieldNode, *_: Any) -> None:
        self.depth -= self._type().endswith("Connection")


def selected(name: str, schema: GraphQLSchema) -> Selected:
    info = TypeInfo(schema)
    found = Selected(info)
    visit(parse(QUERIES[name]), TypeInfoVisitor(info, found))
    return found


def test_every_query_is_one_that_the_connector_sends() -> None:
    """And there are no others: `Graph` takes the names of these files only."""
    package = REPOSITORY / "connectors" / "shopify"
    source = "".join(path.read_text("utf-8") for path in package.glob("*.py"))
    assert [name for name in QUERIES if f'"{name}"' not in source] == []
    assert source.count('"query": ') == source.count('"query": QUERIES[name]') == 2


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_is_valid_and_names_nothing_deprecated(name: str, schema: GraphQLSchema) -> None:
    assert validate(schema, parse(QUERIES[name]), RULES) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("createdAt", "landingSite"),
        ("createdAt", "landingPageUrl"),
        ("originalTotalPriceSet", "totalPrice"),
        ("$ids: [ID!]!", "$ids: [Int!]!"),
        ("refunds(first: $refunds)", "refunds(last: $refunds)"),
    ],
)
def test_a_wrong_or_deprecated_name_in_a_query_is_found(right: str, wrong: str, schema: GraphQLSchema) -> None:
    assert right in QUERIES["orders_by_id"]
    assert validate(schema, parse(QUERIES["orders_by_id"].replace(right, wrong)), RULES)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_no_personal_data_is_selected(name: str, schema: GraphQLSchema) -> None:
    fields = selected(name, schema).fields
    assert fields
    own_name = {("name", "String")} if name == "shop" else set()
    chosen = {field for field in fields if field[0] in PERSONAL_FIELDS or field[1] in PERSONAL_TYPES}
    assert chosen == own_name


@pytest.mark.parametrize("field", ["email", "customer { id }", "note", "shippingAddress { city }"])
def test_the_check_finds_personal_data(field: str, schema: GraphQLSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUERIES, "shop", f"{{ order(id: 1) {{ {field} }} }}")
    chosen = selected("shop", schema).fields
    assert [one for one in chosen if one[0] in PERSONAL_FIELDS or one[1] in PERSONAL_TYPES]


def test_the_bulk_query_is_one_that_shopify_runs(schema: GraphQLSchema) -> None:
    """At least one connection and at most five, at most two deep, no variables, no pages, edges and nodes by name."""
    found = selected("bulk_orders", schema)
    assert 1 <= len(found.depths) <= 5
    assert max(found.depths) <= 2
    assert found.arguments == [("query", 1)]
    assert "$" not in QUERIES["bulk_orders"]
    assert "nodes" not in [name for name, _ in found.fields]


def test_orders_are_read_with_the_same_fields_wherever_they_come_from(schema: GraphQLSchema) -> None:
    paging = {"nodes", "edges", "node", "pageInfo", "hasNextPage", "endCursor", "orders"}
    kinds = {
        name: sorted({one for one in selected(name, schema).fields if one[0] not in paging})
        for name in ("orders", "orders_by_id", "bulk_orders")
    }
    assert kinds["orders"] == kinds["orders_by_id"] == kinds["bulk_orders"]

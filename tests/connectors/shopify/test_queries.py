"""Our queries against Shopify's own schema, deprecated and protected fields included."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_client_schema, parse, validate
from graphql.validation import NoDeprecatedCustomRule, specified_rules

from connectors.shopify.client import QUERIES

REPOSITORY = Path(__file__).parents[3]
SHARED = REPOSITORY.parent / "shared"
SCHEMA = SHARED / "reference" / "shopify" / "admin_2026-10.introspection.min.json.gz"
PERSONAL = ("customer {", "email", "phone", "address", "Address", "firstName", "lastName", "clientIp", "note")


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    if not SHARED.exists():
        pytest.skip("Shopify's schema lives in the shared directory, which is not here")
    with gzip.open(SCHEMA) as packed:
        document = json.load(packed)
    return build_client_schema(document.get("data", document), assume_valid=True)


def test_the_queries_are_there() -> None:
    assert set(QUERIES) == {"shop", "orders", "order_lines", "order_refunds"}


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_is_valid_and_names_nothing_deprecated(name: str, schema: GraphQLSchema) -> None:
    assert validate(schema, parse(QUERIES[name]), [*specified_rules, NoDeprecatedCustomRule]) == []


@pytest.mark.parametrize("wrong", ["{ order(id: 1) { landingSite } }", "{ order(id: 1) { landingPageUrl } }"])
def test_the_check_finds_removed_and_deprecated_fields(wrong: str, schema: GraphQLSchema) -> None:
    assert validate(schema, parse(wrong), [*specified_rules, NoDeprecatedCustomRule])


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_no_personal_data_is_selected(name: str) -> None:
    assert not [word for word in PERSONAL if word in QUERIES[name]]

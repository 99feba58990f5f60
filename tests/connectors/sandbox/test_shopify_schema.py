"""The schema that the Shopify face serves is a part of Shopify's own: no invented name, no other nullability."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_client_schema,
    build_schema,
)

from connectors.sandbox.shopify import schema

REFERENCE = Path(__file__).parents[4] / "shared/reference/shopify/admin_2026-10.introspection.min.json.gz"


@pytest.fixture(scope="module")
def real() -> GraphQLSchema:
    if not REFERENCE.exists():
        pytest.skip("the reference schema is not here")
    found = json.loads(gzip.decompress(REFERENCE.read_bytes()))
    return build_client_schema(found.get("data", found), assume_valid=True)


def differences(own: GraphQLSchema, real: GraphQLSchema) -> list[str]:
    """Everything in `own` that is not so in `real`."""
    found = []
    for name, kind in own.type_map.items():
        if name.startswith("__") or name in ("Boolean", "Float", "ID", "Int", "String"):
            continue
        true = real.type_map.get(name)
        if true is None or type(true) is not type(kind):
            found.append(name)
        else:
            found += [f"{name}.{part}" for part in _parts(kind, true)]
    for operation in ("query_type", "mutation_type"):
        mine, theirs = getattr(own, operation), getattr(real, operation)
        found += [operation] if mine is not None and mine.name != theirs.name else []
    return found


def _parts(kind: Any, true: Any) -> list[str]:
    if isinstance(kind, GraphQLEnumType):
        return [value for value in kind.values if value not in true.values or _gone(true.values[value])]
    if isinstance(kind, GraphQLUnionType):
        return sorted({each.name for each in kind.types} - {each.name for each in true.types})
    if isinstance(kind, GraphQLInputObjectType):
        required = [name for name, each in true.fields.items() if str(each.type).endswith("!")]
        missing = [name for name in required if name not in kind.fields]
        return missing + [name for name, each in kind.fields.items() if _differs(each, true.fields.get(name))]
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        others = {each.name for each in kind.interfaces} - {each.name for each in true.interfaces}
        return sorted(others) + [part for name in kind.fields for part in _field(name, kind, true)]
    return []


def _field(name: str, kind: Any, true: Any) -> list[str]:
    mine, theirs = kind.fields[name], true.fields.get(name)
    if theirs is None or str(mine.type) != str(theirs.type) or _gone(theirs):
        return [name]
    required = {n for n, each in theirs.args.items() if str(each.type).endswith("!")} - set(mine.args)
    return [f"{name}({n})" for n, each in mine.args.items() if _differs(each, theirs.args.get(n))] + sorted(required)


def _differs(mine: Any, theirs: Any) -> bool:
    if theirs is None or _gone(theirs):
        return True
    return str(mine.type) != str(theirs.type) or mine.default_value != theirs.default_value


def _gone(thing: Any) -> bool:
    return thing.deprecation_reason is not None


def test_the_schema_is_a_part_of_the_real_one(real: GraphQLSchema) -> None:
    assert differences(schema(), real) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("type QueryRoot { shop: Shop! } type Shop { landing: String }", "Shop.landing"),
        ("type QueryRoot { shop: Shop! } type Shop { name: String }", "Shop.name"),
        ("type QueryRoot { shop: Shop! } type Shop { domains: Int }", "Shop.domains"),
        ("type QueryRoot { order(id: ID!): Order } type Order { number: Int! landingPageUrl: URL } scalar URL",
         "Order.landingPageUrl"),
        ("type QueryRoot { order(id: ID): Order } type Order { number: Int! }", "QueryRoot.order(id)"),
        ("type QueryRoot { order: Order } type Order { number: Int! }", "QueryRoot.id"),
        ("type QueryRoot { shop: Shop! } type Shop { currencyCode: CurrencyCode! } enum CurrencyCode { XXL }",
         "CurrencyCode.XXL"),
        ("type QueryRoot { shop: Shop! } type Shop { name: String! } type Invented { id: ID! }", "Invented"),
    ],
)  # fmt: skip
def test_the_comparison_finds_what_is_not_so(real: GraphQLSchema, text: str, wrong: str) -> None:
    assert wrong in differences(build_schema(f"schema {{ query: QueryRoot }} {text}"), real)

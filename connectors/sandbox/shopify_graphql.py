"""Requests in GraphQL: read, checked against the schema, weighed, executed; the answers as Shopify words them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLInterfaceType,
    GraphQLSchema,
    GraphQLSyntaxError,
    GraphQLUnionType,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute,
    parse,
    validate,
)

from connectors.sandbox.answers import Bucket
from connectors.sandbox.shopify_cost import Meter
from connectors.sandbox.shopify_nodes import Resolver, Session

SINGLE_QUERY_MAX = 1000
TOKENS_MAX = 5000
Body = dict[str, Any]


@cache
def schema() -> GraphQLSchema:
    built = build_schema((Path(__file__).parent / "shopify.graphql").read_text())
    for kind in built.type_map.values():
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            kind.resolve_type = lambda value, info, abstract: value["__typename"]
    return built


@dataclass(frozen=True)
class Query:
    """A document that is valid, and the one operation of it that is to run."""

    document: DocumentNode
    operation: OperationDefinitionNode
    variables: dict[str, Any]

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        found = (each for each in self.document.definitions if isinstance(each, FragmentDefinitionNode))
        return {each.name.value: each for each in found}

    def run(self, root: Mapping[str, Resolver], session: Session) -> ExecutionResult:
        result = execute(
            schema(),
            self.document,
            root,
            session,
            self.variables,
            self.operation.name.value if self.operation.name else None,
        )
        assert isinstance(result, ExecutionResult)
        return result


class QueryError(Exception):
    """A request that is not executed; `errors` is what is answered."""

    def __init__(self, *errors: Any) -> None:
        super().__init__(errors)
        self.errors = list(errors)


def read(text: str, variables: Any = None, name: Any = None) -> Query:
    """Raises QueryError."""
    if not isinstance(variables or {}, dict):
        raise QueryError({"message": "variables must be an object"})
    try:
        document = parse(text, max_tokens=TOKENS_MAX)
        problems = validate(schema(), document)
    except GraphQLSyntaxError as error:
        raise QueryError(error.formatted) from error
    except RecursionError as error:
        raise QueryError({"message": "the query is nested too deeply"}) from error
    if problems:
        raise QueryError(*(problem.formatted for problem in problems))
    found = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if name:
        found = [each for each in found if each.name and each.name.value == name]
    if len(found) != 1 or found[0].operation is OperationType.SUBSCRIPTION:
        raise QueryError({"message": "exactly one query or mutation is needed"})
    return Query(document, found[0], variables or {})


def answer_to(query: Query, root: Mapping[str, Resolver], session: Session, bucket: Bucket) -> Body:
    """The body of the answer, the cost taken from the bucket."""
    meter = Meter(schema(), query.fragments, _defaults(query) | query.variables)
    requested = meter.cost(query.operation)
    available = bucket.available(time.monotonic())
    if requested > SINGLE_QUERY_MAX:
        text = f"Query cost is {requested}, which exceeds the single query max cost limit ({SINGLE_QUERY_MAX})."
        extra = {"cost": requested, "maxCost": SINGLE_QUERY_MAX}
        return {"errors": [{"message": text, "extensions": {"code": "MAX_COST_EXCEEDED", **extra}}]}
    if requested > available:
        return throttled(bucket, requested, available)
    result = query.run(root, session)
    actual = meter.cost(query.operation, result.data)
    bucket.take(min(actual, available), time.monotonic())
    return {**result.formatted, "extensions": _cost(bucket, requested, actual, bucket.available(time.monotonic()))}


def throttled(bucket: Bucket, requested: int = 1, available: float = 0.0) -> Body:
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    return {"errors": [error], "extensions": _cost(bucket, requested, None, available)}


def _defaults(query: Query) -> dict[str, Any]:
    """Default values of integer variables, for the cost of pages whose size is a variable."""
    found = {}
    for definition in query.operation.variable_definitions:
        value = getattr(definition.default_value, "value", None)
        if isinstance(value, str) and value.isdigit():
            found[definition.variable.name.value] = int(value)
    return found


def _cost(bucket: Bucket, requested: int, actual: int | None, available: float) -> Body:
    status = {
        "maximumAvailable": float(bucket.size),
        "currentlyAvailable": int(available),
        "restoreRate": float(bucket.rate),
    }
    return {"cost": {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}}

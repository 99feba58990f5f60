"""The Shopify face: the Admin API's GraphQL endpoint, executed over a subset of the real schema.

Errors are as Shopify's: HTTP 200 with `errors` for queries, THROTTLED and MAX_COST_EXCEEDED, HTTP 401 for a
token it does not know. The cost bucket follows wall time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute,
    parse,
    validate,
)

from connectors.sandbox.answers import Bucket, Request, Response, answer, loads
from connectors.sandbox.orders import Order
from connectors.sandbox.pushes import Pushes
from connectors.sandbox.shopify_cost import Meter
from connectors.sandbox.shopify_orders import (
    Node,
    connection,
    gid,
    order_node,
    product_node,
    refund_node,
    shop_node,
    stamp,
)
from connectors.sandbox.shopify_search import compile_query
from connectors.sandbox.tenants import CATALOGUE, Shop
from connectors.sandbox.world import Change, World

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")  # an older one falls forward to the first
PATH = re.compile(r"/admin/api/(\d{4}-\d{2}|unstable)/graphql\.json$")
SINGLE_QUERY_MAX = 1000
PLANS = {"standard": (2000, 100), "advanced": (4000, 200), "plus": (20000, 1000)}


@cache
def schema() -> GraphQLSchema:
    built = build_schema((Path(__file__).parent / "shopify.graphql").read_text())
    node = built.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    node.resolve_type = lambda value, info, kind: value["__typename"]
    return built


class Face:
    """Answers for one world; keeps a cost bucket per shop."""

    platform = "shopify"

    def __init__(self, world: World, pushes: Pushes, plan: str = "plus") -> None:
        self.world, self.pushes = world, pushes
        size, rate = PLANS[plan]
        self._buckets = {shop.domain: Bucket(size, rate) for shop in world.shops}

    def respond(self, request: Request) -> Response:
        match = PATH.match(request.path)
        if match is None:
            return answer({"errors": "Not Found"}, 404)
        shop = self._shop(request)
        if shop is None:
            return self.fault("expired_token")[0]
        version = match[1] if match[1] in (*VERSIONS, "unstable") else VERSIONS[0]
        response = self._query(shop, request) if request.method == "POST" else answer({"errors": "Not Found"}, 404)
        response.headers["X-Shopify-API-Version"] = version
        response.headers["X-Shop-Id"] = shop.id
        return response

    def received(self, request: Request) -> list[Change]:
        return []

    def fault(self, kind: str) -> tuple[Response, str]:
        """The answer of a fault, and its code."""
        if kind == "rate_limit":
            size, rate = next(iter(self._buckets.values())).size, next(iter(self._buckets.values())).rate
            return answer(_refused("Throttled", "THROTTLED", _cost(1, None, 0.0, size, rate))), "THROTTLED"
        if kind == "server_error":
            return answer({"errors": "Internal Server Error"}, 500), "500"
        text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
        return answer({"errors": text}, 401), "401"

    def _shop(self, request: Request) -> Shop | None:
        """By token; a shop's own Host header or `?shop=` must agree with it."""
        token = request.headers.get("X-Shopify-Access-Token", "")
        named = request.args.get("shop", "")
        host = request.host.partition(":")[0]
        named = host if host.endswith(".myshopify.com") else named
        for shop in self.world.shops:
            if token and shop.token == token and named in ("", shop.domain):
                return shop
        return None

    def _query(self, shop: Shop, request: Request) -> Response:
        body = loads(request.get_data(as_text=True))
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            return answer({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        variables = body.get("variables") or {}
        if not isinstance(variables, dict):
            return answer({"errors": [{"message": "variables must be an object"}]})
        try:
            document = parse(body["query"], max_tokens=5000)
            problems = validate(schema(), document)
        except GraphQLSyntaxError as error:
            return answer({"errors": [error.formatted]})
        except RecursionError:
            return answer({"errors": [{"message": "the query is nested too deeply"}]})
        if problems:
            return answer({"errors": [problem.formatted for problem in problems]})
        try:
            operation = _operation(document, body.get("operationName"))
        except GraphQLError as error:
            return answer({"errors": [error.formatted]})
        return answer(self._execute(shop, document, operation, variables))

    def _execute(
        self, shop: Shop, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]
    ) -> dict[str, Any]:
        fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        meter = Meter(schema(), fragments, variables | _defaults(operation, variables))
        requested = meter.cost(operation)
        bucket = self._buckets[shop.domain]
        available = bucket.available(time.monotonic())
        if requested > SINGLE_QUERY_MAX:
            text = f"Query cost is {requested}, which exceeds the single query max cost limit ({SINGLE_QUERY_MAX})."
            extra = {"cost": requested, "maxCost": SINGLE_QUERY_MAX}
            return {"errors": [{"message": text, "extensions": {"code": "MAX_COST_EXCEEDED", **extra}}]}
        if requested > available:
            cost = _cost(requested, None, available, bucket.size, bucket.rate)
            return _refused("Throttled", "THROTTLED", cost)
        root = self._root(shop)
        name = operation.name.value if operation.name else None
        result = execute(schema(), document, root, variable_values=variables, operation_name=name)
        assert isinstance(result, ExecutionResult)
        actual = meter.cost(operation, result.data)
        bucket.take(min(actual, available), time.monotonic())
        left = bucket.available(time.monotonic())
        body = dict(result.formatted)
        return body | {"extensions": {"cost": _cost(requested, actual, left, bucket.size, bucket.rate)}}

    def _root(self, shop: Shop) -> dict[str, Any]:
        def count(info: GraphQLResolveInfo, limit: int | None = 10000, query: str | None = None) -> Node:
            found = len(self._visible(shop, query))
            capped = limit is not None and found > limit
            return {"count": limit if capped else found, "precision": "AT_LEAST" if capped else "EXACT"}

        return {
            "shop": lambda info: shop_node(self.world, shop),
            "orders": lambda info, **asked: self._orders(shop, asked),
            "ordersCount": count,
            "order": lambda info, id: self._node(shop, id) if "/Order/" in id else None,
            "node": lambda info, id: self._node(shop, id),
            "nodes": lambda info, ids: [self._node(shop, each) for each in ids],
        }

    def _visible(self, shop: Shop, query: str | None) -> list[Order]:
        now = int(self.world.now.timestamp())
        wanted = compile_query(query or "", now)
        return [order for order in self.world.orders[shop.tenant] if order.created <= now and wanted(order)]

    def _orders(self, shop: Shop, asked: dict[str, Any]) -> Node:
        now = int(self.world.now.timestamp())
        found = self._visible(shop, asked.pop("query", None))
        sort, reverse = asked.pop("sortKey"), asked.pop("reverse")
        if sort not in SORTS:
            raise GraphQLError(f"the sandbox does not sort by {sort}")
        read = SORTS[sort]
        keyed = sorted(((read(order, now), order.number, order) for order in found), key=lambda k: k[:2])
        keyed = keyed[::-1] if reverse else keyed
        orders = [order for _, _, order in keyed]
        keys = [f"{value}/{number}" for value, number, _ in keyed]
        return connection(orders, keys, asked, lambda order: order_node(self.world, shop, order))

    def _node(self, shop: Shop, identity: str) -> Node | None:
        kind, _, text = identity.removeprefix("gid://shopify/").partition("/")
        now = int(self.world.now.timestamp())
        if kind == "Shop" and text == shop.id:
            return shop_node(self.world, shop)
        for product in range(len(CATALOGUE)):
            if identity == product_node(shop, product)["id"]:
                return product_node(shop, product)
        for order in self.world.orders[shop.tenant]:
            if order.created <= now and identity == gid("Order", order.number):
                return order_node(self.world, shop, order)
            for refund in order.refunds_by(now):
                if identity == gid("Refund", refund.number):
                    return refund_node(self.world, shop, order, refund)
        return None


SORTS: dict[str, Callable[[Order, int], str]] = {
    "PROCESSED_AT": lambda order, now: stamp(order.created),
    "CREATED_AT": lambda order, now: stamp(order.created),
    "UPDATED_AT": lambda order, now: stamp(order.updated(now)),
    "ID": lambda order, now: f"{order.number:020d}",
    "ORDER_NUMBER": lambda order, now: f"{order.number:020d}",
    "TOTAL_PRICE": lambda order, now: f"{order.total:020d}",
}


def _operation(document: DocumentNode, name: Any) -> OperationDefinitionNode:
    found = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    if name:
        found = [d for d in found if d.name and d.name.value == name]
    if len(found) != 1 or found[0].operation is not OperationType.QUERY:
        raise GraphQLError("exactly one query is needed; the sandbox serves no mutations")
    return found[0]


def _defaults(operation: OperationDefinitionNode, variables: dict[str, Any]) -> dict[str, Any]:
    """Default values of integer variables, for the cost of pages whose size is a variable."""
    found = {}
    for definition in operation.variable_definitions:
        name, value = definition.variable.name.value, getattr(definition.default_value, "value", None)
        if name not in variables and isinstance(value, str) and value.isdigit():
            found[name] = int(value)
    return found


def _cost(requested: int, actual: int | None, available: float, size: float, rate: float) -> dict[str, Any]:
    return {
        "requestedQueryCost": requested,
        "actualQueryCost": actual,
        "throttleStatus": {
            "maximumAvailable": float(size),
            "currentlyAvailable": int(available),
            "restoreRate": float(rate),
        },
    }


def _refused(message: str, code: str, cost: dict[str, Any]) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}], "extensions": {"cost": cost}}

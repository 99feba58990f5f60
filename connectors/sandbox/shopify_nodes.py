"""What all parts of the Shopify face share: who asks and what they may see, ids, money, pages.

Objects are plain dicts with their `__typename`, their nested parts callables `(info, **arguments)`, which is how
graphql-core resolves dict members; so only what a query selects is computed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from graphql import GraphQLError, GraphQLResolveInfo

from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.tenants import Shop
from connectors.sandbox.world import World

Node = dict[str, Any]
Resolver = Callable[..., Any]
Key = tuple[str, int]
T = TypeVar("T")
PAGE_MAX = 250


@dataclass(frozen=True)
class Session:
    """Who asks: a shop's token with its scopes. `origin` is where the sandbox itself is reached; a bulk operation is
    `unbounded`: its connections have no pages."""

    world: World
    shop: Shop
    scopes: frozenset[str]
    version: str
    origin: str = ""
    unbounded: bool = False

    @property
    def now(self) -> int:
        return int(self.world.now.timestamp())

    def require(self, scope: str, info: GraphQLResolveInfo) -> None:
        """Raises ACCESS_DENIED as Shopify words it."""
        if scope not in self.scopes:
            needed = f"`{scope}` access scope."
            raise GraphQLError(
                f"Access denied for {info.field_name} field. Required access: {needed}",
                extensions={
                    "code": "ACCESS_DENIED",
                    "documentation": "https://shopify.dev/api/usage/access-scopes",
                    "requiredAccess": needed,
                },
            )


def needs(scope: str, resolve: Resolver) -> Resolver:
    """The resolver, for tokens with the scope."""

    def guarded(info: GraphQLResolveInfo, **asked: Any) -> Any:
        info.context.require(scope, info)
        return resolve(info, **asked)

    return guarded


def stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def gid(kind: str, number: int | str) -> str:
    return f"gid://shopify/{kind}/{number}"


def amount(shop: Shop, micros: int) -> Node:
    return {"amount": decimal_text(micros, shop.currency), "currencyCode": shop.currency}


def bag(shop: Shop, micros: int) -> Node:
    return {"shopMoney": amount(shop, micros), "presentmentMoney": amount(shop, micros)}


def bags(shop: Shop, **amounts: int) -> Node:
    """Money fields by name, made only when they are selected."""
    return {name: (lambda info, micros=micros, **asked: bag(shop, micros)) for name, micros in amounts.items()}


def connection(
    info: GraphQLResolveInfo, rows: Sequence[tuple[Key, T]], asked: dict[str, Any], make: Callable[[T], Node]
) -> Node:
    """The page that first/after or last/before ask for, of rows in the ascending order of their keys; the nodes are
    made by `make`. A cursor stands for its key, whether or not that row is still there. Errors are Shopify's."""
    backwards = bool(asked.get("reverse"))
    ordered = rows[::-1] if backwards else rows
    low, high = (0, len(ordered)) if info.context.unbounded else _span(ordered, asked, backwards)
    page = [(_cursor(key), make(thing)) for key, thing in ordered[low:high]]
    return {
        "nodes": [node for _, node in page],
        "edges": [{"cursor": cursor, "node": node} for cursor, node in page],
        "pageInfo": {
            "startCursor": page[0][0] if page else None,
            "endCursor": page[-1][0] if page else None,
            "hasNextPage": high < len(ordered),
            "hasPreviousPage": low > 0,
        },
    }


def numbered(things: Sequence[T]) -> list[tuple[Key, T]]:
    """Rows in the order in which they come."""
    return [(("", place), thing) for place, thing in enumerate(things)]


def _span(rows: Sequence[tuple[Key, Any]], asked: dict[str, Any], backwards: bool) -> tuple[int, int]:
    first, last = asked.get("first"), asked.get("last")
    count = first if first is not None else last
    if count is None or (first is not None and last is not None):
        raise GraphQLError("you must provide one of first or last")
    if not 1 <= count <= PAGE_MAX:
        raise GraphQLError(f"first and last must be between 1 and {PAGE_MAX}")
    after, before = (_key(asked[name]) if asked.get(name) is not None else None for name in ("after", "before"))
    start = 0 if after is None else sum(key >= after if backwards else key <= after for key, _ in rows)
    end = len(rows) if before is None else sum(key > before if backwards else key < before for key, _ in rows)
    return (start, max(start, min(start + count, end))) if first is not None else (max(end - count, start), end)


def _cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps({"last_id": key[1], "last_value": key[0]}).encode()).decode()


def _key(cursor: str) -> Key:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor))
        return str(found["last_value"]), int(found["last_id"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise GraphQLError("Invalid cursor for current pagination sort.") from error

"""Shopify's answers, and what was asked, for tests over a real socket."""

from __future__ import annotations

import json
from typing import Any

from connectors.shopify.client import ShopifyStore
from connectors.shopify.graph import QUERIES
from tests.connectors.wire import Script, Wire, says

TOKEN = "shpat_0123456789abcdef"
HOST = "demo.myshopify.com"
VERSION = "2026-10"

NAMES = {text: name for name, text in QUERIES.items()}


def store(served: Wire, **transport: Any) -> ShopifyStore:
    return ShopifyStore(base_url=served.url, version=VERSION, shop=HOST, access_token=TOKEN, **transport)


def asked(served: Wire) -> list[tuple[str, dict[str, Any]]]:
    """The file and the variables of each query that was sent; one that is no file's is a `KeyError`."""
    bodies = [json.loads(request.partition("\r\n\r\n")[2]) for request in served.requests]
    return [(NAMES[body["query"]], body["variables"]) for body in bodies]


def data(**found: Any) -> Script:
    return says({"data": found})


def failing(code: str, cost: Any = None) -> Script:
    error = {"message": code, "extensions": {"code": code}}
    return says({"errors": [error], "extensions": {"cost": cost}})


def connection(found: list[Any], cursor: str | None = None) -> dict[str, Any]:
    return {"nodes": found, "pageInfo": {"hasNextPage": cursor is not None, "endCursor": cursor}}


def money(amount: str, currency: str = "USD") -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": currency}}


def node(**changes: Any) -> dict[str, Any]:
    """An order without what it holds."""
    order = {
        "id": "gid://shopify/Order/1",
        "createdAt": "2026-11-20T10:00:00Z",
        "updatedAt": "2026-11-20T11:00:00Z",
        "cancelledAt": None,
        "test": False,
        "edited": False,
        "displayFinancialStatus": "PAID",
        "originalTotalPriceSet": money("49.90"),
        "customerJourneySummary": None,
    }
    return order | changes


def order(number: int = 1, lines: Any = None, refunds: Any = (), **changes: Any) -> dict[str, Any]:
    changes = {"id": f"gid://shopify/Order/{number}", **changes}
    return node(lineItems=lines or connection([]), refunds=list(refunds), **changes)


def line(number: int, *discounts: str) -> dict[str, Any]:
    named = {"id": f"gid://l/{number}", "title": "T", "quantity": 1, "product": None, "variant": None}
    allocated = [{"allocatedAmountSet": money(amount)} for amount in discounts]
    return named | {"originalUnitPriceSet": money("1.00"), "discountAllocations": allocated}


def refund(number: int, amount: str = "1.00") -> dict[str, Any]:
    at = "2026-11-20T10:00:00Z"
    return {"id": f"gid://shopify/Refund/{number}", "processedAt": at, "totalRefundedSet": money(amount)}


def agreement(number: int, reason: str, *amounts: str, sales: str | None = None, **changes: Any) -> dict[str, Any]:
    """A sales agreement; `sales` is the cursor of further sales."""
    named = {"id": f"gid://a/{number}", "happenedAt": f"2026-11-20T1{number % 10}:00:00Z", "reason": reason}
    return named | {"sales": connection([{"totalAmount": money(amount)} for amount in amounts], sales)} | changes


def agreements(found: list[dict[str, Any]], cursor: str | None = None) -> Script:
    return data(order={"agreements": connection(found, cursor)})

"""Orders as Shopify's GraphQL types see them at one moment: plain dicts, nested parts as callables.

A callable takes `(info, **arguments)`, which is how graphql-core resolves dict members; so only what a query
selects is computed. Every dict carries its `__typename`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from graphql import GraphQLError

from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.orders import DAY, Line, Order, Refund
from connectors.sandbox.tenants import CATALOGUE, Shop
from connectors.sandbox.world import World

Node = dict[str, Any]
T = TypeVar("T")
PAGE_MAX = 250


def stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def gid(kind: str, number: int | str) -> str:
    return f"gid://shopify/{kind}/{number}"


def encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def connection(things: Sequence[T], keys: Sequence[str], arguments: dict[str, Any], make: Callable[[T], Node]) -> Node:
    """The page that first/after or last/before ask for, its nodes made by `make`. Errors are Shopify's."""
    first, last = arguments.get("first"), arguments.get("last")
    count = first if first is not None else last
    if count is None or (first is not None and last is not None):
        raise GraphQLError("you must provide one of first or last")
    if not 1 <= count <= PAGE_MAX:
        raise GraphQLError(f"first and last must be between 1 and {PAGE_MAX}")
    cursors = [encode(key) for key in keys]
    start, end = 0, len(things)
    if arguments.get("after") is not None:
        start = _place(cursors, arguments["after"]) + 1
    if arguments.get("before") is not None:
        end = _place(cursors, arguments["before"])
    low, high = (start, min(start + count, end)) if first is not None else (max(end - count, start), end)
    shown, marks = [make(thing) for thing in things[low:high]], cursors[low:high]
    return {
        "nodes": shown,
        "edges": [{"cursor": mark, "node": node} for mark, node in zip(marks, shown, strict=True)],
        "pageInfo": {
            "startCursor": marks[0] if marks else None,
            "endCursor": marks[-1] if marks else None,
            "hasNextPage": high < len(things),
            "hasPreviousPage": low > 0,
        },
    }


def _place(cursors: list[str], cursor: str) -> int:
    if cursor not in cursors:
        raise GraphQLError("Invalid cursor for current pagination sort.")
    return cursors.index(cursor)


def money(shop: Shop) -> Callable[[int], Node]:
    def bag(micros: int) -> Node:
        amount = {"amount": decimal_text(micros, shop.currency), "currencyCode": shop.currency}
        return {"shopMoney": amount, "presentmentMoney": amount}

    return bag


def shop_node(world: World, shop: Shop) -> Node:
    local = world.now.astimezone(world.zone(world.accounts[_account_of(world, shop)]))
    offset = local.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    return {
        "__typename": "Shop",
        "id": gid("Shop", shop.id),
        "name": shop.name,
        "email": f"owner@{shop.domain}",
        "myshopifyDomain": shop.domain,
        "url": f"https://{shop.domain}",
        "currencyCode": shop.currency,
        "ianaTimezone": shop.zone,
        "timezoneAbbreviation": local.tzname(),
        "timezoneOffset": local.strftime("%z"),
        "timezoneOffsetMinutes": minutes,
        "taxesIncluded": False,
        "createdAt": stamp(world.market.first_hour * 3600),
    }


def _account_of(world: World, shop: Shop) -> str:
    return next(account.id for account in world.accounts.values() if account.tenant == shop.tenant)


def order_node(world: World, shop: Shop, order: Order) -> Node:
    now = int(world.now.timestamp())
    bag = money(shop)
    full = sum(line.unit_price * line.quantity for line in order.lines)
    refunded, paid = order.refunded_by(now), order.paid_by(now)
    cancelled = order.is_cancelled(now)
    kept = 0 if cancelled else order.total - refunded
    fulfilled = order.fulfilled_at <= now and not cancelled
    amounts = {
        "totalPriceSet": order.total,
        "originalTotalPriceSet": order.total,
        "subtotalPriceSet": order.total,
        "currentTotalPriceSet": kept,
        "currentSubtotalPriceSet": kept,
        "totalDiscountsSet": full - order.total,
        "currentTotalDiscountsSet": full - order.total,
        "totalRefundedSet": refunded,
        "totalReceivedSet": paid,
        "netPaymentSet": paid - refunded,
        "totalOutstandingSet": 0 if cancelled else order.total - paid,
    }
    none = (
        "totalTaxSet",
        "currentTotalTaxSet",
        "totalShippingPriceSet",
        "totalRefundedShippingSet",
        "totalTipReceivedSet",
    )
    return {
        "__typename": "Order",
        "id": gid("Order", order.number),
        "legacyResourceId": str(order.number),
        "name": f"#{order.number % 10**9}",
        "number": order.number % 10**9,
        "createdAt": stamp(order.created),
        "processedAt": stamp(order.created),
        "updatedAt": stamp(order.updated(now)),
        "cancelledAt": stamp(order.cancelled_at) if order.cancelled_at and cancelled else None,
        "cancelReason": "CUSTOMER" if cancelled else None,
        "closed": fulfilled,
        "closedAt": stamp(order.fulfilled_at) if fulfilled else None,
        "confirmed": True,
        "test": order.is_test,
        "sourceName": "web",
        "note": None,
        "tags": [],
        "taxesIncluded": False,
        "currencyCode": shop.currency,
        "presentmentCurrencyCode": shop.currency,
        "displayFinancialStatus": order.financial_status(now),
        "displayFulfillmentStatus": "FULFILLED" if fulfilled else "UNFULFILLED",
        "fullyPaid": paid >= order.total,
        "unpaid": paid == 0,
        "subtotalLineItemsQuantity": sum(line.quantity for line in order.lines),
        **{name: (lambda info, micros=micros: bag(micros)) for name, micros in amounts.items()},
        **{name: (lambda info: bag(0)) for name in none},
        "lineItems": lambda info, **asked: _lines(shop, order, asked),
        "refunds": lambda info, first=None: [
            refund_node(world, shop, order, refund) for refund in order.refunds_by(now)[:first]
        ],
        "customer": lambda info: customer_node(world, shop, order),
        "customerJourneySummary": lambda info: _journey(order, now),
    }


def _lines(shop: Shop, order: Order, asked: dict[str, Any]) -> Node:
    places = list(range(len(order.lines)))[:: -1 if asked.pop("reverse", False) else 1]
    return connection(places, [str(place) for place in places], asked, lambda k: line_node(shop, order, k))


def line_node(shop: Shop, order: Order, place: int) -> Node:
    line = order.lines[place]
    bag = money(shop)
    title = CATALOGUE[line.product][0]
    full = line.unit_price * line.quantity
    amounts = {
        "originalUnitPriceSet": line.unit_price,
        "originalTotalSet": full,
        "discountedUnitPriceSet": line.total // line.quantity // 10_000 * 10_000,
        "totalDiscountSet": full - line.total,
    }
    return {
        "__typename": "LineItem",
        "id": gid("LineItem", order.number * 10 + place),
        "name": title,
        "title": title,
        "variantTitle": None,
        "vendor": shop.name,
        "sku": f"SKU-{line.product + 1}",
        "quantity": line.quantity,
        "currentQuantity": line.quantity,
        "refundableQuantity": line.quantity,
        "isGiftCard": False,
        "requiresShipping": True,
        "taxable": True,
        "discountedTotalSet": lambda info, **asked: bag(line.total),
        **{name: (lambda info, micros=micros: bag(micros)) for name, micros in amounts.items()},
        "product": lambda info: product_node(shop, line.product),
        "variant": lambda info: variant_node(shop, line),
    }


def product_node(shop: Shop, product: int) -> Node:
    number = int(shop.id) * 100 + product
    title = CATALOGUE[product][0]
    return {
        "__typename": "Product",
        "id": gid("Product", number),
        "legacyResourceId": str(number),
        "title": title,
        "handle": title.lower().replace(" ", "-"),
        "vendor": shop.name,
    }


def variant_node(shop: Shop, line: Line) -> Node:
    number = int(shop.id) * 1000 + line.product
    return {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", number),
        "legacyResourceId": str(number),
        "title": "Default Title",
        "sku": f"SKU-{line.product + 1}",
        "price": decimal_text(line.unit_price, shop.currency),
        "product": lambda info: product_node(shop, line.product),
    }


def customer_node(world: World, shop: Shop, order: Order) -> Node | None:
    """`numberOfOrders` counts what the customer has by now, not at the time of the order."""
    if order.customer is None:
        return None
    number = int(shop.id) * 10**6 + order.customer
    return {
        "__typename": "Customer",
        "id": gid("Customer", number),
        "legacyResourceId": str(number),
        "numberOfOrders": str(world.customer_orders(shop.tenant, order.customer)),
        "createdAt": stamp(order.created),
        "updatedAt": stamp(order.created),
    }


def refund_node(world: World, shop: Shop, order: Order, refund: Refund) -> Node:
    bag = money(shop)
    return {
        "__typename": "Refund",
        "id": gid("Refund", refund.number),
        "legacyResourceId": str(refund.number),
        "createdAt": stamp(refund.at),
        "processedAt": stamp(refund.at),
        "updatedAt": stamp(refund.at),
        "note": None,
        "totalRefundedSet": bag(refund.amount),
        "order": lambda info: order_node(world, shop, order),
        "refundLineItems": lambda info, **asked: _refund_lines(shop, order, refund, asked),
    }


def _refund_lines(shop: Shop, order: Order, refund: Refund, asked: dict[str, Any]) -> Node:
    bag = money(shop)
    places = range(len(order.lines)) if refund.line is None else (refund.line,)

    def refund_line(place: int) -> Node:
        return {
            "__typename": "RefundLineItem",
            "id": gid("RefundLineItem", refund.number * 10 + place),
            "lineItem": line_node(shop, order, place),
            "quantity": order.lines[place].quantity,
            "priceSet": bag(order.lines[place].unit_price),
            "subtotalSet": bag(order.lines[place].total),
            "totalTaxSet": bag(0),
            "restockType": "RETURN",
            "restocked": True,
        }

    asked.pop("reverse", None)
    return connection(places, [str(place) for place in places], asked, refund_line)


def _journey(order: Order, now: int) -> Node:
    """Empty until Shopify has put it together; then the one visit that led to the order."""
    if now < order.ready_at:
        return {"ready": False}
    visit = {
        "__typename": "CustomerVisit",
        "id": gid("CustomerVisit", order.number),
        "landingPage": order.landing_page,
        "occurredAt": stamp(order.created - 1800),
        "referrerUrl": order.referrer,
        "referralCode": None,
        "source": order.source,
        "sourceDescription": None,
        "sourceType": "AD" if order.source in ("facebook", "tiktok") else None,
        "utmParameters": _utm(order),
    }
    return {
        "ready": True,
        "customerOrderIndex": order.customer_index,
        "daysToConversion": 1800 // DAY,
        "firstVisit": visit,
        "lastVisit": visit,
        "momentsCount": {"count": 1, "precision": "EXACT"},
    }


def _utm(order: Order) -> Node | None:
    names = ("campaign", "content", "medium", "source", "term")
    return {name: order.utm.get(f"utm_{name}") for name in names} if order.utm else None

"""Orders as Shopify's GraphQL types see them at one moment."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from connectors.sandbox.orders import DAY, Line, Order, Refund
from connectors.sandbox.shopify_ledger import Agreement, Sold, ledger, returned_places
from connectors.sandbox.shopify_nodes import Node, Session, bag, bags, connection, gid, needs, numbered, stamp
from connectors.sandbox.shopify_products import product_node, sku, variant_node
from connectors.sandbox.tenants import CATALOGUE

NOTHING = (
    *("totalTaxSet", "currentTotalTaxSet", "totalShippingPriceSet", "totalRefundedShippingSet"),
    "totalTipReceivedSet",
)


def order_node(session: Session, order: Order) -> Node:
    """The totals at order time, before returns and now differ by edits and by what came back."""
    now, shop = session.now, session.shop
    return {
        "__typename": "Order",
        "id": gid("Order", order.number),
        "legacyResourceId": str(order.number),
        "name": f"#{order.number % 10**9}",
        "number": order.number % 10**9,
        **_states(order, now),
        "sourceName": "web",
        "note": None,
        "tags": [],
        "taxesIncluded": False,
        "currencyCode": shop.currency,
        "presentmentCurrencyCode": shop.currency,
        "subtotalLineItemsQuantity": sum(line.quantity for line in order.lines_by(now)),
        "currentSubtotalLineItemsQuantity": sum(
            current_quantity(order, place, now) for place in range(len(order.lines_by(now)))
        ),
        **bags(shop, **_amounts(order, now), **dict.fromkeys(NOTHING, 0)),
        "agreements": lambda info, **asked: _agreements(info, session, order, asked),
        "lineItems": lambda info, **asked: connection(
            info, numbered(range(len(order.lines_by(now)))), asked, lambda place: line_node(session, order, place)
        ),
        "refunds": lambda info, first=None: [
            refund_node(session, order, refund) for refund in order.refunds_by(now)[:first]
        ],
        "customer": needs("read_customers", lambda info: customer_node(session, order)),
        "customerJourneySummary": lambda info: _journey(order, now),
    }


def _states(order: Order, now: int) -> Node:
    cancelled, paid = order.is_cancelled(now), order.paid_by(now)
    fulfilled = order.fulfilled_at <= now and not cancelled
    return {
        "createdAt": stamp(order.created),
        "processedAt": stamp(order.created),
        "updatedAt": stamp(order.updated(now)),
        "cancelledAt": stamp(order.cancelled_at) if order.cancelled_at and cancelled else None,
        "cancelReason": "CUSTOMER" if cancelled else None,
        "closed": fulfilled,
        "closedAt": stamp(order.fulfilled_at) if fulfilled else None,
        "confirmed": True,
        "edited": bool(order.edits_by(now)),
        "test": order.is_test,
        "displayFinancialStatus": order.financial_status(now),
        "displayFulfillmentStatus": "FULFILLED" if fulfilled else "UNFULFILLED",
        "fullyPaid": order.owed(now) == 0,
        "unpaid": paid == 0,
    }


def _amounts(order: Order, now: int) -> dict[str, int]:
    total, current = order.total_by(now), order.current_total(now)
    refunded, paid = order.refunded_by(now), order.paid_by(now)
    discounts = sum(line.unit_price * line.quantity - line.total for line in order.lines)
    return {
        "originalTotalPriceSet": order.total,
        "totalPriceSet": total,
        "subtotalPriceSet": total,
        "currentTotalPriceSet": current,
        "currentSubtotalPriceSet": current,
        "totalDiscountsSet": discounts,
        "currentTotalDiscountsSet": discounts,
        "totalRefundedSet": refunded,
        "totalReceivedSet": paid,
        "netPaymentSet": paid - refunded,
        "totalOutstandingSet": 0 if order.is_cancelled(now) else order.owed(now),
    }


def current_quantity(order: Order, place: int, now: int) -> int:
    """The units of a line that were neither removed nor brought back."""
    quantity = order.lines_by(now)[place].quantity
    quantity += sum(edit.quantity for edit in order.edits_by(now) if edit.place == place and edit.added is None)
    returned = any(refund.line in (None, place) and not refund.is_for_removal for refund in order.refunds_by(now))
    return 0 if returned or order.is_cancelled(now) else quantity


def line_node(session: Session, order: Order, place: int) -> Node:
    line, shop = order.lines_by(session.now)[place], session.shop
    title = CATALOGUE[line.product][0]
    full = line.unit_price * line.quantity
    left = current_quantity(order, place, session.now)
    each = line.total // line.quantity // 10_000 * 10_000
    return {
        "__typename": "LineItem",
        "id": gid("LineItem", order.number * 10 + place),
        "name": title,
        "title": title,
        "variantTitle": None,
        "vendor": shop.name,
        "sku": sku(line.product),
        "quantity": line.quantity,
        "currentQuantity": left,
        "refundableQuantity": left,
        "isGiftCard": False,
        "requiresShipping": True,
        "taxable": True,
        **bags(
            shop,
            originalUnitPriceSet=line.unit_price,
            originalTotalSet=full,
            discountedTotalSet=line.total,
            discountedUnitPriceSet=each,
            discountedUnitPriceAfterAllDiscountsSet=each,
            totalDiscountSet=full - line.total,
        ),
        "discountAllocations": lambda info: _discounts(session, line),
        "product": needs("read_products", lambda info: product_node(session, line.product)),
        "variant": needs("read_products", lambda info: variant_node(session, line.product)),
    }


def _discounts(session: Session, line: Line) -> list[Node]:
    off = line.unit_price * line.quantity - line.total
    application = {
        "__typename": "AutomaticDiscountApplication",
        "allocationMethod": "ACROSS",
        "index": 0,
        "targetSelection": "ALL",
        "targetType": "LINE_ITEM",
        "title": "Welcome",
    }
    return [{"allocatedAmountSet": bag(session.shop, off), "discountApplication": application}] if off else []


def customer_node(session: Session, order: Order) -> Node | None:
    """`numberOfOrders` counts what the customer has by now, not at the time of the order."""
    if order.customer is None:
        return None
    number = customer_id(session, order.customer)
    return {
        "__typename": "Customer",
        "id": gid("Customer", number),
        "legacyResourceId": str(number),
        "numberOfOrders": str(session.world.customer_orders(session.shop.tenant, order.customer)),
        "createdAt": stamp(order.created),
        "updatedAt": stamp(order.created),
    }


def customer_id(session: Session, customer: int) -> int:
    return int(session.shop.id) * 10**6 + customer


def refund_node(session: Session, order: Order, refund: Refund) -> Node:
    return {
        "__typename": "Refund",
        "id": gid("Refund", refund.number),
        "legacyResourceId": str(refund.number),
        "createdAt": stamp(refund.at),
        "processedAt": stamp(refund.at),
        "updatedAt": stamp(refund.at),
        "note": None,
        "totalRefundedSet": bag(session.shop, refund.amount),
        "order": lambda info: order_node(session, order),
        "refundLineItems": lambda info, **asked: _refund_lines(info, session, order, refund, asked),
    }


def _refund_lines(
    info: GraphQLResolveInfo, session: Session, order: Order, refund: Refund, asked: dict[str, Any]
) -> Node:
    def refund_line(place: int) -> Node:
        return {
            "__typename": "RefundLineItem",
            "id": gid("RefundLineItem", refund.number * 10 + place),
            "lineItem": line_node(session, order, place),
            "quantity": order.lines[place].quantity,
            "priceSet": bag(session.shop, order.lines[place].unit_price),
            "subtotalSet": bag(session.shop, order.lines[place].total),
            "totalTaxSet": bag(session.shop, 0),
            "restockType": "RETURN",
            "restocked": True,
        }

    return connection(info, numbered(returned_places(order, refund)), asked, refund_line)


def _agreements(info: GraphQLResolveInfo, session: Session, order: Order, asked: dict[str, Any]) -> Node:
    if asked.get("query"):
        raise GraphQLError("the sandbox does not search agreements")
    rows = numbered(ledger(order, session.now))
    return connection(info, rows, asked, lambda agreement: _agreement(session, order, agreement))


def _agreement(session: Session, order: Order, agreement: Agreement) -> Node:
    refund = agreement.refund
    sales = numbered([(agreement.number * 100 + place, sold) for place, sold in enumerate(agreement.sold)])
    return {
        "__typename": agreement.kind,
        "id": gid("SalesAgreement", agreement.number),
        "happenedAt": stamp(agreement.at),
        "reason": agreement.reason,
        "order": lambda info: order_node(session, order),
        "refund": lambda info: refund_node(session, order, refund) if refund else None,
        "sales": lambda info, **asked: connection(info, sales, asked, lambda sale: _sale(session, order, *sale)),
    }


def _sale(session: Session, order: Order, number: int, sold: Sold) -> Node:
    return {
        "__typename": "ProductSale",
        "id": gid("Sale", number),
        "actionType": "ORDER" if sold.quantity > 0 else "RETURN",
        "lineType": "PRODUCT",
        "quantity": sold.quantity,
        "lineItem": lambda info: line_node(session, order, sold.place),
        **bags(
            session.shop,
            totalAmount=sold.amount,
            totalDiscountAmountAfterTaxes=sold.discount,
            totalDiscountAmountBeforeTaxes=sold.discount,
            totalTaxAmount=0,
        ),
    }


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

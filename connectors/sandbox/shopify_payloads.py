"""What webhooks carry: the shapes of the REST Admin API, with money as text and times in the shop's zone.

Orders name a buyer with an address and an email, as real ones do; it is made up.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.orders import Order, Refund
from connectors.sandbox.shopify_ledger import returned_places
from connectors.sandbox.shopify_nodes import Node, bag, gid
from connectors.sandbox.shopify_orders import current_quantity
from connectors.sandbox.shopify_products import product_id, sku, variant_id
from connectors.sandbox.tenants import CATALOGUE, Shop

Payload = dict[str, Any]


def order_payload(shop: Shop, order: Order, now: int) -> Payload:
    """An order as it stands at `now`."""
    paid = order.paid_by(now)
    return {
        "id": order.number,
        "admin_graphql_api_id": gid("Order", order.number),
        "name": f"#{order.number % 10**9}",
        "number": order.number % 10**9 - 1000,
        "order_number": order.number % 10**9,
        **_person(shop, order),
        **_times(shop, order, now),
        "test": order.is_test,
        "confirmed": True,
        "source_name": "web",
        "landing_site": _site(order.landing_page),
        "referring_site": order.referrer,
        "currency": shop.currency,
        "presentment_currency": shop.currency,
        "financial_status": order.financial_status(now).lower(),
        "fulfillment_status": "fulfilled" if order.fulfilled_at <= now and not order.is_cancelled(now) else None,
        "taxes_included": False,
        **_totals(shop, order, now),
        "total_outstanding": decimal_text(0 if order.is_cancelled(now) else order.owed(now), shop.currency),
        "payment_gateway_names": ["bogus"] if paid else [],
        "note": None,
        "note_attributes": [],
        "tags": "",
        "line_items": [line_payload(shop, order, place, now) for place in range(len(order.lines_by(now)))],
        "refunds": [refund_payload(shop, order, refund) for refund in order.refunds_by(now)],
    }


def _times(shop: Shop, order: Order, now: int) -> Payload:
    cancelled = order.is_cancelled(now)
    closed = order.fulfilled_at <= now and not cancelled
    return {
        "created_at": moment(shop, order.created),
        "processed_at": moment(shop, order.created),
        "updated_at": moment(shop, order.updated(now)),
        "cancelled_at": moment(shop, order.cancelled_at) if order.cancelled_at and cancelled else None,
        "cancel_reason": "customer" if cancelled else None,
        "closed_at": moment(shop, order.fulfilled_at) if closed else None,
    }


def _person(shop: Shop, order: Order) -> Payload:
    number = 0 if order.customer is None else int(shop.id) * 10**6 + order.customer
    email = f"buyer{order.customer or order.number}@example.com"
    address = {"first_name": "Robin", "last_name": "Buyer", "address1": "1 Example Street", "city": "Exampleton"}
    customer = {"id": number, "admin_graphql_api_id": gid("Customer", number), "email": email, "first_name": "Robin"}
    return {
        "email": email,
        "contact_email": email,
        "phone": None,
        "browser_ip": "192.0.2.1",
        "billing_address": address,
        "shipping_address": address,
        "customer": customer if number else None,
    }


def _totals(shop: Shop, order: Order, now: int) -> Payload:
    discounts = sum(line.unit_price * line.quantity - line.total for line in order.lines)
    amounts = {
        "total_price": order.total_by(now),
        "subtotal_price": order.total_by(now),
        "total_line_items_price": order.total_by(now) + discounts,
        "total_discounts": discounts,
        "total_tax": 0,
        "current_total_price": order.current_total(now),
        "current_subtotal_price": order.current_total(now),
    }
    sets = {f"{name}_set": _set(shop, micros) for name, micros in amounts.items()}
    return {name: decimal_text(micros, shop.currency) for name, micros in amounts.items()} | sets


def line_payload(shop: Shop, order: Order, place: int, now: int) -> Payload:
    line = order.lines_by(now)[place]
    title, number = CATALOGUE[line.product][0], order.number * 10 + place
    off = decimal_text(line.unit_price * line.quantity - line.total, shop.currency)
    return {
        "id": number,
        "admin_graphql_api_id": gid("LineItem", number),
        "product_id": product_id(shop, line.product),
        "variant_id": variant_id(shop, line.product),
        "title": title,
        "name": title,
        "sku": sku(line.product),
        "vendor": shop.name,
        "quantity": line.quantity,
        "current_quantity": current_quantity(order, place, now),
        "price": decimal_text(line.unit_price, shop.currency),
        "price_set": _set(shop, line.unit_price),
        "total_discount": "0.00",
        "discount_allocations": [{"amount": off, "discount_application_index": 0}] if float(off) else [],
        "gift_card": False,
        "requires_shipping": True,
        "taxable": True,
    }


def refund_payload(shop: Shop, order: Order, refund: Refund) -> Payload:
    transaction = {
        "id": refund.number * 10 + 1,
        "order_id": order.number,
        "kind": "refund",
        "status": "success",
        "amount": decimal_text(refund.amount, shop.currency),
        "currency": shop.currency,
        "processed_at": moment(shop, refund.at),
        "test": order.is_test,
    }
    return {
        "id": refund.number,
        "admin_graphql_api_id": gid("Refund", refund.number),
        "order_id": order.number,
        "created_at": moment(shop, refund.at),
        "processed_at": moment(shop, refund.at),
        "note": None,
        "refund_line_items": [
            {
                "id": refund.number * 10 + place,
                "line_item_id": order.number * 10 + place,
                "quantity": order.lines[place].quantity,
                "restock_type": "return",
                "subtotal": float(decimal_text(order.lines[place].total, shop.currency)),
                "total_tax": 0.0,
                "line_item": line_payload(shop, order, place, refund.at),
            }
            for place in returned_places(order, refund)
        ],
        "transactions": [transaction],
        "order_adjustments": [],
    }


def shop_payload(shop: Shop, opened: int, now: int) -> Payload:
    return {
        "id": int(shop.id),
        "name": shop.name,
        "email": f"owner@{shop.domain}",
        "domain": shop.domain,
        "myshopify_domain": shop.domain,
        "shop_owner": "Sandbox Owner",
        "currency": shop.currency,
        "iana_timezone": shop.zone,
        "timezone": f"({datetime.fromtimestamp(now, ZoneInfo(shop.zone)):%z}) {shop.zone}",
        "plan_name": "partner_test",
        "taxes_included": False,
        "created_at": moment(shop, opened),
        "updated_at": moment(shop, now),
    }


def bulk_payload(operation: Node) -> Payload:
    return {
        "admin_graphql_api_id": operation["id"],
        "completed_at": operation["completedAt"],
        "created_at": operation["createdAt"],
        "error_code": operation["errorCode"].lower() if operation["errorCode"] else None,
        "status": operation["status"].lower(),
        "type": "query",
    }


def compliance_payload(shop: Shop, topic: str) -> Payload:
    """The documented keys with nobody in them."""
    found: Payload = {"shop_id": int(shop.id), "shop_domain": shop.domain}
    if topic == "shop/redact":
        return found
    found["customer"] = {"id": int(shop.id) * 10**6, "email": "buyer0@example.com", "phone": None}
    if topic == "customers/redact":
        return found | {"orders_to_redact": []}
    return found | {"orders_requested": [], "data_request": {"id": 1}}


def moment(shop: Shop, seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(shop.zone)).isoformat(timespec="seconds")


def _set(shop: Shop, micros: int) -> Payload:
    found = bag(shop, micros)
    names = {"shopMoney": "shop_money", "presentmentMoney": "presentment_money"}
    return {
        names[name]: {"amount": money["amount"], "currency_code": money["currencyCode"]}
        for name, money in found.items()
    }


def _site(page: str) -> str:
    parts = urlsplit(page)
    return parts.path + (f"?{parts.query}" if parts.query else "")

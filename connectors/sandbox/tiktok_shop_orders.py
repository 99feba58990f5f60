"""Orders of TikTok Shop: the search, the details by id, and how one is told."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.orders import DAY
from connectors.sandbox.tenants import CATALOGUE
from connectors.sandbox.tiktok_shop_order import ShopOrder, Unit
from connectors.sandbox.tiktok_shop_sellers import Store
from connectors.sandbox.tiktok_shop_terms import BAD_REQUEST, Asked, Data, ShopError, choice, page, span, texts

STATUSES = (
    "UNPAID",
    "ON_HOLD",
    "AWAITING_SHIPMENT",
    "PARTIALLY_SHIPPING",
    "AWAITING_COLLECTION",
    "IN_TRANSIT",
    "DELIVERED",
    "COMPLETED",
    "CANCELLED",
)
SORTS = ("create_time", "update_time")
MOST_IDS = 50
TIMES = {"delivery_time": "DELIVERED", "collection_time": "IN_TRANSIT", "cancel_time": "CANCELLED"}
PACKAGE = {
    "AWAITING_COLLECTION": "PROCESSING",
    "IN_TRANSIT": "FULFILLING",
    "DELIVERED": "COMPLETED",
    "COMPLETED": "COMPLETED",
    "CANCELLED": "CANCELLED",
}
REASONS = {
    "SYSTEM": "Customer didn't pay on time",
    "BUYER": "No longer needed",
    "SELLER": "Out of stock",
}


def search(asked: Asked) -> Data:
    """POST /order/202309/orders/search: filters in the body, sorting and paging in the query."""
    field = choice(asked.args.get("sort_field", "create_time"), "sort_field", SORTS)

    def key(order: ShopOrder) -> tuple[int, str]:
        return order.created if field == "create_time" else order.updated(asked.now), order.id

    shown, told = page(asked, _found(asked), key)
    return {"orders": [told_order(order, asked.now) for order in shown], **told}


def details(asked: Asked) -> Data:
    """GET /order/202309/orders, /order/202507/orders: orders by id; those of nobody are left out."""
    ids = [each for each in asked.args.get("ids", "").split(",") if each]
    if not 1 <= len(ids) <= MOST_IDS:
        raise ShopError(BAD_REQUEST, f"Invalid parameter. 'ids' must name 1 to {MOST_IDS} orders.")
    found = (asked.world.shop_sales.find(asked.store, identity) for identity in dict.fromkeys(ids))
    return {"orders": [told_order(o, asked.now) for o in found if o is not None and o.created <= asked.now]}


def _found(asked: Asked) -> Iterator[ShopOrder]:
    body, now, sales = asked.body, asked.now, asked.world.shop_sales
    created, updated = span(body, "create_time", now), span(body, "update_time", now)
    status = choice(body["order_status"], "order_status", STATUSES) if "order_status" in body else None
    buyer, warehouses = body.get("buyer_user_id"), texts(body, "warehouse_ids")
    placed = sales.changed(asked.store, *updated) if updated else sales.placed(asked.store, 0, now + 1)
    for order in placed:
        if (
            order.created <= now
            and (created is None or created[0] <= order.created < created[1])
            and (updated is None or updated[0] <= order.updated(now) < updated[1])
            and status in (None, order.status(now))
            and buyer in (None, _buyer(order))
            and body.get("shipping_type") in (None, "SELLER")
            and body.get("is_buyer_request_cancel") in (None, False)
            and (warehouses is None or warehouse(order.store) in warehouses)
        ):
            yield order


def product_id(store: Store, product: int) -> str:
    return str(1_729_000_000_000_000_000 + int(store.id) % 10**6 * 1000 + product)


def sku_id(store: Store, product: int) -> str:
    return str(1_730_000_000_000_000_000 + int(store.id) % 10**6 * 1000 + product)


def line_id(order: ShopOrder, place: int) -> str:
    return f"{order.id}{place}"


def warehouse(store: Store) -> str:
    return str(7_000_000_000_000_000_000 + int(store.id) % 10**6)


def _buyer(order: ShopOrder) -> str:
    return str(7_490_000_000_000_000_000 + order.buyer)


def told_order(order: ShopOrder, now: int) -> Data:
    status = order.status(now)
    times = {name: at for name, step in TIMES.items() if (at := order.at(step, now)) is not None}
    if order.paid_at is not None and order.paid_at <= now:
        times["paid_time"] = order.paid_at
    is_held = any(step == "ON_HOLD" for _, step in order.steps)
    cancelled = {"cancellation_initiator": order.cancelled_by, "cancel_reason": REASONS.get(order.cancelled_by, "")}
    return {
        "id": order.id,
        "status": status,
        "create_time": order.created,
        "update_time": order.updated(now),
        **times,
        **(cancelled if status == "CANCELLED" else {}),
        "payment": _payment(order),
        "line_items": [_line(order, place, unit, status) for place, unit in enumerate(order.units)],
        "user_id": _buyer(order),
        "buyer_email": f"v3b2c{order.buyer}@scs.tiktokw.us",
        "buyer_message": "",
        "recipient_address": _address(order),
        "fulfillment_type": "FULFILLMENT_BY_SELLER",
        "delivery_type": "HOME_DELIVERY",
        "shipping_type": "SELLER",
        "warehouse_id": warehouse(order.store),
        "is_sample_order": order.is_sample,
        "is_refundable_sample": order.is_sample,
        "is_replacement_order": False,
        "is_exchange_order": False,
        "is_on_hold_order": is_held,
        "is_buyer_request_cancel": False,
        "is_cod": False,
        "order_type": "NORMAL",
        "commerce_platform": "TIKTOK_SHOP",
        "packages": [],
        "rts_sla_time": order.created + 2 * DAY,
    }


def _payment(order: ShopOrder) -> Data:
    """`total_amount` is what the buyer pays; prices in the sandbox are without tax."""
    currency = order.store.currency
    amounts = {
        "original_total_product_price": sum(unit.price for unit in order.units),
        "seller_discount": sum(unit.seller_discount for unit in order.units),
        "platform_discount": sum(unit.platform_discount for unit in order.units),
        "sub_total": order.sub_total,
        "original_shipping_fee": order.shipping,
        "shipping_fee": order.shipping,
        "shipping_fee_seller_discount": 0,
        "shipping_fee_platform_discount": 0,
        "tax": 0,
        "total_amount": order.total,
    }
    return {"currency": currency, **{name: decimal_text(micros, currency) for name, micros in amounts.items()}}


def _line(order: ShopOrder, place: int, unit: Unit, status: str) -> Data:
    store = order.store
    live_id = str(7_500_000_000_000_000_000 + order.created // DAY)
    return {
        "id": line_id(order, place),
        "product_id": product_id(store, unit.product),
        "product_name": CATALOGUE[unit.product][0],
        "sku_id": sku_id(store, unit.product),
        "sku_name": "Default",
        "seller_sku": f"SKU-{unit.product + 1}",
        "display_status": "AWAITING_SHIPMENT" if status == "ON_HOLD" else status,
        "currency": store.currency,
        "original_price": decimal_text(unit.price, store.currency),
        "sale_price": decimal_text(unit.paid, store.currency),
        "seller_discount": decimal_text(unit.seller_discount, store.currency),
        "platform_discount": decimal_text(unit.platform_discount, store.currency),
        "package_status": PACKAGE.get(status, "TO_FULFILL"),
        "room_id": live_id if order.content == "LIVE" else "",
        "is_gift": False,
        "is_dangerous_good": False,
    }


def _address(order: ShopOrder) -> Data:
    """Made up, so that whoever stores what must not be stored is found out."""
    return {
        "name": f"Robin Buyer {order.buyer}",
        "first_name": "Robin",
        "last_name": f"Buyer {order.buyer}",
        "phone_number": f"(+1)555{order.buyer:07d}",
        "full_address": f"{order.buyer} Example Street",
        "address_line1": f"{order.buyer} Example Street",
        "postal_code": f"{order.buyer:05d}",
        "region_code": order.store.region,
    }

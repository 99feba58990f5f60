"""Returns and refunds of TikTok Shop orders: POST /return_refund/202602/returns/search."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.tenants import CATALOGUE
from connectors.sandbox.tiktok_shop_order import Return, ShopOrder
from connectors.sandbox.tiktok_shop_orders import line_id, sku_id
from connectors.sandbox.tiktok_shop_terms import Asked, Data, choice, page, span, texts

SORTS = ("create_time", "update_time")
MOST_ROWS, USUAL_ROWS = 50, 10

Row = tuple[ShopOrder, Return]


def search(asked: Asked) -> Data:
    field = choice(asked.args.get("sort_field", "create_time"), "sort_field", SORTS)

    def key(row: Row) -> tuple[int, str]:
        order, returned = row
        return (returned.steps[0][0] if field == "create_time" else state(returned, asked.now)[0]), order.id

    shown, told = page(asked, _found(asked), key, MOST_ROWS, USUAL_ROWS)
    rows = {"return_orders": [_told(order, returned, asked.now) for order, returned in shown]} if shown else {}
    return {**rows, **told}


def state(returned: Return, now: int) -> tuple[int, str]:
    """Since when the request has which status."""
    return next(step for step in reversed(returned.steps) if step[0] <= now)


def return_id(order: ShopOrder) -> str:
    return f"4{order.id[1:]}"


def _found(asked: Asked) -> Iterator[Row]:
    body, now, sales = asked.body, asked.now, asked.world.shop_sales
    created, updated = span(body, "create_time", now), span(body, "update_time", now)
    names = ("return_ids", "order_ids", "return_types", "return_status")
    wanted = [texts(body, name) for name in names]
    window = created or updated
    for order in sales.changed(asked.store, *window) if window else sales.placed(asked.store, 0, now + 1):
        returned = order.returned
        if returned is None or returned.steps[0][0] > now:
            continue
        since, status = state(returned, now)
        held = (return_id(order), order.id, returned.kind, status)
        if (
            (created is None or created[0] <= returned.steps[0][0] < created[1])
            and (updated is None or updated[0] <= since < updated[1])
            and all(asks is None or has in asks for asks, has in zip(wanted, held, strict=True))
        ):
            yield order, returned


def _told(order: ShopOrder, returned: Return, now: int) -> Data:
    since, status = state(returned, now)
    return {
        "return_id": return_id(order),
        "order_id": order.id,
        "return_type": returned.kind,
        "return_status": status,
        "role": "BUYER",
        "return_reason": "ecom_order_delivered_refund_and_return_reason_no_longer_needed",
        "return_reason_text": "No longer needed",
        "create_time": returned.steps[0][0],
        "update_time": since,
        "refund_amount": _amount(order, returned.amount),
        "return_line_items": [_line(order, place) for place in returned.units],
        "shipment_type": "PLATFORM",
        "handover_method": "DROP_OFF",
        "is_combined_return": False,
        "is_quick_refund": False,
    }


def _line(order: ShopOrder, place: int) -> Data:
    unit, store = order.units[place], order.store
    return {
        "return_line_item_id": f"{return_id(order)}{place}",
        "order_line_item_id": line_id(order, place),
        "sku_id": sku_id(store, unit.product),
        "sku_name": "Default",
        "product_name": CATALOGUE[unit.product][0],
        "seller_sku": f"SKU-{unit.product + 1}",
        "refund_amount": _amount(order, unit.paid),
    }


def _amount(order: ShopOrder, micros: int) -> Data:
    text, nothing = decimal_text(micros, order.store.currency), decimal_text(0, order.store.currency)
    return {
        "currency": order.store.currency,
        "refund_total": text,
        "refund_subtotal": text,
        "refund_shipping_fee": nothing,
        "refund_tax": nothing,
    }

"""Orders that creators brought: the seller's side, the creator's side, and who the creator is.

Rows are SKUs of orders; a page counts rows and then groups them by order, so that an order may be on two pages. Bases
of commissions, and most amounts of the creator's side, are display strings of the region ("$1,234.50").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from connectors.sandbox.currencies import decimal_text, quantum_micros
from connectors.sandbox.orders import DAY
from connectors.sandbox.tenants import CATALOGUE
from connectors.sandbox.tiktok_shop_order import ShopOrder
from connectors.sandbox.tiktok_shop_orders import product_id, sku_id
from connectors.sandbox.tiktok_shop_sellers import Store
from connectors.sandbox.tiktok_shop_terms import BAD_REQUEST, Asked, Data, ShopError, page, span

MONTHS_3 = 92 * DAY
SYMBOLS = {"USD": "$", "GBP": "£", "JPY": "¥", "BRL": "R$ "}


@dataclass(frozen=True)
class Row:
    """The units of one SKU in an order; `place` counts the order's SKUs. `base` is what commission is reckoned of."""

    order: ShopOrder
    place: int
    product: int
    quantity: int
    price: int
    base: int
    kept_base: int
    kept: int

    @property
    def estimated(self) -> int:
        return commission(self.base, self.order)

    @property
    def actual(self) -> int:
        return commission(self.kept_base, self.order)


def commission(base: int, order: ShopOrder) -> int:
    """The creator's share in micros, as far as the currency can pay it."""
    quantum = quantum_micros(order.store.currency)
    return base * order.rate // 10_000 // quantum * quantum


def rows_of(order: ShopOrder) -> list[Row]:
    found = []
    for place, product in enumerate(dict.fromkeys(unit.product for unit in order.units)):
        units = [unit for unit in order.units if unit.product == product]
        kept = [unit for unit in order.kept() if unit.product == product]
        bases = sum(unit.earned for unit in units), sum(unit.earned for unit in kept)
        found.append(Row(order, place, product, len(units), units[0].price, *bases, len(kept)))
    return found


def status(row: Row, now: int, lost: str) -> str:
    """In the platform's own spelling; `lost` is what it calls a commission that will not come."""
    order = row.order
    refunded_at = order.returned.refunded_at() if order.returned else None
    if order.status(now) == "CANCELLED" or (not row.kept and (refunded_at or now) <= now):
        return lost
    if order.paid_at is None or order.paid_at > now:
        return "AWAITING PAYMENT"
    return "SETTLED" if order.settled_at is not None and order.settled_at <= now else "To-SETTLE"


def seller_orders(asked: Asked) -> Data:
    """POST /affiliate_seller/202410/orders/search"""
    return _answer(asked, asked.store, _seller_sku, lambda row: {})


def creator_orders(asked: Asked) -> Data:
    """POST /affiliate_creator/202410/orders/search"""
    home = asked.world.creators[asked.token.tenant].home
    return _answer(asked, home, _creator_sku, lambda row: {"status": status(row, asked.now, "REFUNDED")})


def profile(asked: Asked) -> Data:
    """GET /affiliate_creator/202508/profiles"""
    creator = asked.world.creators[asked.token.tenant]
    return {
        "avatar": {"url": "https://example.com/avatar.webp", "width": 168, "height": 168},
        "username": creator.username,
        "selection_region": creator.region,
        "register_region": creator.region,
        "permissions": ["ADD_AFFILIATE_PERMISSION", "LIVE_STREAM_PERMISSION"],
        "user_type": "TIKTOK_SHOP_CREATOR",
        "creator_user_open_id": creator.open_id,
    }


def _answer(
    asked: Asked, store: Store, told_sku: Callable[[Row, int], Data], told_order: Callable[[Row], Data]
) -> Data:
    shown, told = page(asked, _found(asked, store), lambda row: (row.order.created, f"{row.order.id}{row.place}"))
    orders = []
    for _, rows in groupby(shown, key=lambda row: row.order.id):
        members = list(rows)
        order = members[0].order
        delivered = order.at("DELIVERED", asked.now)
        orders.append(
            {
                "id": order.id,
                "create_time": order.created,
                **({"delivery_time": delivered} if delivered else {}),
                **told_order(members[0]),
                "skus": [told_sku(row, asked.now) for row in members],
            }
        )
    return {"orders": orders, **told}


def _found(asked: Asked, store: Store) -> Iterator[Row]:
    now = asked.now
    start, end = span(asked.body, "create_time", now) or (now - MONTHS_3, now + 1)
    if start and end - start > MONTHS_3 + 1:
        raise ShopError(
            BAD_REQUEST, "Invalid parameter. create_time_ge and create_time_lt lie more than 3 months apart."
        )
    for order in asked.world.shop_sales.placed(store, max(start, end - MONTHS_3 - 1), min(end, now + 1)):
        if order.creator and not order.is_sample:
            yield from rows_of(order)


def _seller_sku(row: Row, now: int) -> Data:
    order, currency = row.order, row.order.store.currency
    reached = status(row, now, "INELIGIBLE")
    settled = reached == "SETTLED"
    return {
        "sku_id": sku_id(order.store, row.product),
        "product_id": product_id(order.store, row.product),
        "settlement_status": reached,
        "creator_username": order.creator,
        "content_type": order.content,
        "content_id": f"75{order.id[2:]}",
        "quantity": row.quantity,
        "price": {"amount": decimal_text(row.price, currency), "currency": currency},
        "commission_model": "Fixed commission",
        "commission_tier_setting": "-",
        "commission_rate": str(order.rate),
        "shop_ads_commission_rate": "0",
        "estimated_commission_base": _shown(row.base, currency),
        "estimated_paid_commission": {"amount": decimal_text(row.estimated, currency), "currency": currency},
        "actual_commission_base": _shown(row.kept_base if settled else None, currency),
        "actual_paid_commission": {
            "amount": decimal_text(row.actual, currency) if settled else "",
            "currency": currency,
        },
        "fully_return": "Yes" if reached == "INELIGIBLE" else "No",
        "is_carousel": False,
    }


def _creator_sku(row: Row, now: int) -> Data:
    order, currency = row.order, row.order.store.currency
    reached = status(row, now, "REFUNDED")
    actual = row.actual if reached == "SETTLED" else None
    plain = {"amount": decimal_text(actual, currency) if actual is not None else "", "currency": currency}
    return {
        "id": sku_id(order.store, row.product),
        "product_id": product_id(order.store, row.product),
        "product_name": CATALOGUE[row.product][0],
        "shop_name": order.store.name,
        "content_type": order.content,
        "content_id": f"75{order.id[2:]}",
        "quantity": row.quantity,
        "refunded_quantity": row.quantity - row.kept if reached in ("REFUNDED", "SETTLED") else 0,
        "returned_quantity": row.quantity - row.kept if reached in ("REFUNDED", "SETTLED") else 0,
        "price": {"amount": decimal_text(row.price, currency), "currency": currency},
        "commission_model": "Fixed commission",
        "commission_rate": order.rate,
        "standard_commission_rate": order.rate,
        "commission_bonus_rate": 0,
        "shop_ads_commission_rate": 0,
        "estimated_commission_base": _shown(row.base, currency),
        "estimated_commission": _shown(row.estimated, currency),
        "estimated_standard_commission": {"amount": decimal_text(row.estimated, currency), "currency": currency},
        "actual_commission_base": _shown(row.kept_base if actual is not None else None, currency),
        "actual_commission": _shown(actual, currency),
        "actual_standard_commission": plain,
        "last_update_time": order.updated(now),
        "is_carousel": False,
    }


def _shown(micros: int | None, currency: str) -> Data:
    """As the region writes money: "$1,234.50", "1.234,50 €"; "" where there is no amount."""
    if micros is None:
        return {"amount": "", "currency": currency}
    units, _, cents = decimal_text(micros, currency).partition(".")
    grouped = f"{int(units):,}" + (f".{cents}" if cents else "")
    if currency in ("EUR", "BRL"):
        grouped = grouped.translate(str.maketrans(",.", ".,"))
    text = f"{grouped} €" if currency == "EUR" else f"{SYMBOLS.get(currency, '')}{grouped}"
    return {"amount": text, "currency": currency}

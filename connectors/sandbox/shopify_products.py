"""Products, their one variant each, and what a unit costs: about 40 % of its price, set anew every 50 days.

One product of the catalogue has no cost, as in shops that keep their costs for some products only.
"""

from __future__ import annotations

import hashlib

from connectors.sandbox.currencies import decimal_text, quantum_micros
from connectors.sandbox.orders import DAY
from connectors.sandbox.shopify_nodes import Node, Session, amount, connection, gid, needs, numbered, stamp
from connectors.sandbox.tenants import CATALOGUE, Shop

WITHOUT_COST = 4
COST_LASTS = 50 * DAY


def unit_cost(shop: Shop, product: int, since: int, now: int) -> int | None:
    """Micros; `since` is when the shop opened."""
    if product == WITHOUT_COST:
        return None
    text = f"cost {shop.id} {product} {_costs_set(product, since, now)}"
    share = 350 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % 101
    quantum = quantum_micros(shop.currency)
    return shop.prices[product] * share // 1000 // quantum * quantum


def cost_set_at(product: int, since: int, now: int) -> int:
    """When the present cost was set."""
    times = _costs_set(product, since, now)
    return since if not times else since + times * COST_LASTS - _lead(product)


def _costs_set(product: int, since: int, now: int) -> int:
    return max(now - since + _lead(product), 0) // COST_LASTS


def _lead(product: int) -> int:
    """Costs change one product after the other, not all at once."""
    return product * 7 * DAY


def opened(session: Session) -> int:
    return session.world.market.first_hour * 3600


def product_id(shop: Shop, product: int) -> int:
    return int(shop.id) * 100 + product


def variant_id(shop: Shop, product: int) -> int:
    return int(shop.id) * 1000 + product


def sku(product: int) -> str:
    return f"SKU-{product + 1}"


def product_node(session: Session, product: int) -> Node:
    shop, title = session.shop, CATALOGUE[product][0]
    number = product_id(shop, product)
    return {
        "__typename": "Product",
        "id": gid("Product", number),
        "legacyResourceId": str(number),
        "title": title,
        "handle": title.lower().replace(" ", "-"),
        "vendor": shop.name,
        "productType": "",
        "status": "ACTIVE",
        **_times(session, product),
        "variants": lambda info, **asked: connection(
            info, numbered([product]), asked, lambda one: variant_node(session, one)
        ),
        "variantsCount": {"count": 1, "precision": "EXACT"},
    }


def variant_node(session: Session, product: int) -> Node:
    shop = session.shop
    number = variant_id(shop, product)
    return {
        "__typename": "ProductVariant",
        "id": gid("ProductVariant", number),
        "legacyResourceId": str(number),
        "title": "Default Title",
        "displayName": f"{CATALOGUE[product][0]} - Default Title",
        "position": 1,
        "sku": sku(product),
        "price": decimal_text(shop.prices[product], shop.currency),
        **_times(session, product),
        "product": lambda info: product_node(session, product),
        "inventoryItem": needs("read_inventory", lambda info: inventory_item_node(session, product)),
    }


def inventory_item_node(session: Session, product: int) -> Node:
    number = variant_id(session.shop, product)
    cost = unit_cost(session.shop, product, opened(session), session.now)
    return {
        "__typename": "InventoryItem",
        "id": gid("InventoryItem", number),
        "legacyResourceId": str(number),
        "sku": sku(product),
        "tracked": False,
        "unitCost": amount(session.shop, cost) if cost is not None else None,
        **_times(session, product),
    }


def _times(session: Session, product: int) -> Node:
    since = opened(session)
    return {"createdAt": stamp(since), "updatedAt": stamp(cost_set_at(product, since, session.now))}

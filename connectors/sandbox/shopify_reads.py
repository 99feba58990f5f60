"""The lists and single things that queries start from: shop, orders, products, and anything by its id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from connectors.sandbox.orders import DAY, Order
from connectors.sandbox.shopify_nodes import Key, Node, Resolver, Session, connection, gid, needs, stamp
from connectors.sandbox.shopify_orders import order_node, refund_node
from connectors.sandbox.shopify_products import (
    cost_set_at,
    inventory_item_node,
    opened,
    product_id,
    product_node,
    variant_id,
    variant_node,
)
from connectors.sandbox.shopify_search import ORDER_FIELDS, Field, compile_query, number, time, word
from connectors.sandbox.tenants import CATALOGUE, Shop
from connectors.sandbox.world import World

RECENT = 60 * DAY  # how far back orders are seen without `read_all_orders`
ORDER_SORTS: dict[str, Callable[[Order, int], str]] = {
    "PROCESSED_AT": lambda order, now: stamp(order.created),
    "CREATED_AT": lambda order, now: stamp(order.created),
    "UPDATED_AT": lambda order, now: stamp(order.updated(now)),
    "ID": lambda order, now: "",
    "ORDER_NUMBER": lambda order, now: "",
    "TOTAL_PRICE": lambda order, now: f"{order.total_by(now):020d}",
}
PRODUCT_SORTS: dict[str, Callable[[int, int, int], str]] = {
    "ID": lambda product, since, now: "",
    "TITLE": lambda product, since, now: CATALOGUE[product][0],
    "CREATED_AT": lambda product, since, now: "",
    "UPDATED_AT": lambda product, since, now: stamp(cost_set_at(product, since, now)),
    "POSITION": lambda product, since, now: "",
}


def reads(session: Session) -> dict[str, Resolver]:
    world, shop = session.world, session.shop
    return {
        "shop": lambda info: shop_node(world, shop),
        "orders": needs("read_orders", lambda info, **asked: _orders(info, session, asked)),
        "ordersCount": needs("read_orders", lambda info, **asked: _count(len(_found(session, asked)), asked)),
        "order": needs("read_orders", lambda info, id: _order(session, id)),
        "products": needs("read_products", lambda info, **asked: _products(info, session, asked, product_node)),
        "productVariants": needs("read_products", lambda info, **asked: _products(info, session, asked, variant_node)),
        "productsCount": needs("read_products", lambda info, **asked: _count(len(_matching(session, asked)), asked)),
        "product": needs("read_products", lambda info, id: _of_product(session, id, "Product")),
        "productVariant": needs("read_products", lambda info, id: _of_product(session, id, "ProductVariant")),
        "inventoryItem": needs("read_inventory", lambda info, id: _of_product(session, id, "InventoryItem")),
    }


def node(info: GraphQLResolveInfo, session: Session, identity: str) -> Node | None:
    """Anything of this module by its id."""
    kind = identity.removeprefix("gid://shopify/").partition("/")[0]
    if kind == "Shop":
        return shop_node(session.world, session.shop) if identity == gid("Shop", session.shop.id) else None
    if kind in ("Order", "Refund"):
        session.require("read_orders", info)
        return _order(session, identity) if kind == "Order" else _refund(session, identity)
    if kind in OF_PRODUCT:
        session.require("read_inventory" if kind == "InventoryItem" else "read_products", info)
        return _of_product(session, identity, kind)
    return None


def shop_node(world: World, shop: Shop) -> Node:
    local = world.now.astimezone(world.zone(world.accounts_of(shop.tenant, "meta")[0]))
    offset = local.utcoffset()
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
        "timezoneOffsetMinutes": int(offset.total_seconds() // 60) if offset is not None else 0,
        "taxesIncluded": False,
        "createdAt": stamp(world.market.first_hour * 3600),
    }


def _visible(session: Session, order: Order) -> bool:
    oldest = 0 if "read_all_orders" in session.scopes else session.now - RECENT
    return oldest <= order.created <= session.now


def _found(session: Session, asked: dict[str, Any]) -> list[Order]:
    wanted = compile_query(asked.get("query") or "", session.now, ORDER_FIELDS)
    every = session.world.orders[session.shop.tenant]
    return [order for order in every if _visible(session, order) and wanted(order)]


def _orders(info: GraphQLResolveInfo, session: Session, asked: dict[str, Any]) -> Node:
    read = ORDER_SORTS.get(asked["sortKey"])
    if read is None:
        raise GraphQLError(f"the sandbox does not sort by {asked['sortKey']}")
    rows: list[tuple[Key, Order]] = [
        ((read(order, session.now), order.number), order) for order in _found(session, asked)
    ]
    rows.sort(key=lambda row: row[0])
    return connection(info, rows, asked, lambda order: order_node(session, order))


def _order(session: Session, identity: str) -> Node | None:
    order = _numbered(session, _number(identity, "Order"))
    return order_node(session, order) if order is not None else None


def _refund(session: Session, identity: str) -> Node | None:
    number = _number(identity, "Refund")
    order = _numbered(session, number // 10)
    found = [refund for refund in order.refunds_by(session.now) if refund.number == number] if order else []
    return refund_node(session, order, found[0]) if order and found else None


def _numbered(session: Session, number: int) -> Order | None:
    """The shop's orders are numbered one after the other."""
    orders = session.world.orders[session.shop.tenant]
    place = number - orders[0].number if orders else -1
    if not 0 <= place < len(orders) or not _visible(session, orders[place]):
        return None
    return orders[place]


def _number(identity: str, kind: str) -> int:
    text = identity.removeprefix(gid(kind, ""))
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1


def _count(found: int, asked: dict[str, Any]) -> Node:
    limit = asked.get("limit")
    capped = limit is not None and found > limit
    return {"count": limit if capped else found, "precision": "AT_LEAST" if capped else "EXACT"}


def _product_fields(session: Session) -> dict[str, Field]:
    since = opened(session)
    return {
        "id": number(lambda product: product_id(session.shop, product)),
        "created_at": time(lambda product, now: since),
        "updated_at": time(lambda product, now: cost_set_at(product, since, now)),
        "status": word((), lambda product, value, now: value.lower() == "active"),
        "title": word((), lambda product, value, now: value.lower() == CATALOGUE[product][0].lower()),
    }


def _matching(session: Session, asked: dict[str, Any]) -> list[int]:
    wanted = compile_query(asked.get("query") or "", session.now, _product_fields(session))
    return [product for product in range(len(CATALOGUE)) if wanted(product)]


def _products(
    info: GraphQLResolveInfo, session: Session, asked: dict[str, Any], make: Callable[[Session, int], Node]
) -> Node:
    read = PRODUCT_SORTS.get(asked["sortKey"])
    if read is None:
        raise GraphQLError(f"the sandbox does not sort by {asked['sortKey']}")
    since, now = opened(session), session.now
    rows: list[tuple[Key, int]] = [((read(each, since, now), each), each) for each in _matching(session, asked)]
    rows.sort(key=lambda row: row[0])
    return connection(info, rows, asked, lambda product: make(session, product))


OF_PRODUCT: dict[str, tuple[Callable[[Shop, int], int], Callable[[Session, int], Node]]] = {
    "Product": (product_id, product_node),
    "ProductVariant": (variant_id, variant_node),
    "InventoryItem": (variant_id, inventory_item_node),
}


def _of_product(session: Session, identity: str, kind: str) -> Node | None:
    number_of, make = OF_PRODUCT[kind]
    product = _number(identity, kind) - number_of(session.shop, 0)
    return make(session, product) if 0 <= product < len(CATALOGUE) else None

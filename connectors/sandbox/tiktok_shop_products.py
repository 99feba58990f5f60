"""What a TikTok Shop sells: POST /product/202502/products/search. Every product is looked through again and again by
the platform; each time its status may be told anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.market import HOUR
from connectors.sandbox.orders import DAY
from connectors.sandbox.tenants import CATALOGUE
from connectors.sandbox.tiktok_shop_orders import product_id, sku_id, warehouse
from connectors.sandbox.tiktok_shop_sellers import Store
from connectors.sandbox.tiktok_shop_terms import Asked, Data, choice, page, span, texts
from connectors.sandbox.world import World

STATUSES = (
    "ALL",
    "DRAFT",
    "PENDING",
    "FAILED",
    "ACTIVATE",
    "SELLER_DEACTIVATED",
    "PLATFORM_DEACTIVATED",
    "FREEZE",
    "DELETED",
)
AUDIT_EVERY = 12 * DAY
UNSOLD = (("Enamel jug", "DRAFT"), ("Rattan tray", "SELLER_DEACTIVATED"))


class Listed(NamedTuple):
    """A product as it is listed; those of the catalogue come first and are on sale."""

    number: int
    title: str
    status: str
    created: int
    updated: int


def search(asked: Asked) -> Data:
    body, now, store = asked.body, asked.now, asked.store
    status = choice(body.get("status", "ALL"), "status", STATUSES)
    created, updated = (span(body, f"{name}_time", now, "le") for name in ("create", "update"))
    skus, codes = texts(body, "sku_ids", 10), texts(body, "seller_skus")
    rows = [
        each
        for each in listed(asked.world, store, now)
        if status in ("ALL", each.status)
        and (created is None or created[0] <= each.created < created[1])
        and (updated is None or updated[0] <= each.updated < updated[1])
        and (skus is None or sku_id(store, each.number) in skus)
        and (codes is None or f"SKU-{each.number + 1}" in codes)
    ]
    shown, told = page(asked, rows, lambda each: (each.updated, product_id(store, each.number)))
    return {"products": [_told(store, each) for each in shown], **told}


def audits(world: World, store: Store, start: int, end: int) -> Iterator[tuple[int, int]]:
    """When in `[start, end)` which product of the catalogue was looked through."""
    for product in range(len(CATALOGUE)):
        phase = product * 2 * DAY + 7 * HOUR + int(store.id) % 7 * HOUR
        begun = max(start, _begun(world))
        first = begun + (phase - begun) % AUDIT_EVERY
        for at in range(first, end, AUDIT_EVERY):
            yield at, product


def listed(world: World, store: Store, now: int) -> list[Listed]:
    begun = _begun(world)
    seen = dict.fromkeys(range(len(CATALOGUE)), begun)
    seen.update((product, at) for at, product in sorted(audits(world, store, now - 2 * AUDIT_EVERY, now + 1)))
    sold = [Listed(k, title, "ACTIVATE", begun, seen[k]) for k, (title, _) in enumerate(CATALOGUE)]
    rest = (Listed(len(CATALOGUE) + k, title, status, begun, begun) for k, (title, status) in enumerate(UNSOLD))
    return [*sold, *rest]


def _begun(world: World) -> int:
    return world.market.first_hour * HOUR


def _told(store: Store, each: Listed) -> Data:
    price = store.prices[each.number % len(store.prices)]
    text = decimal_text(price, store.currency)
    sku = {
        "id": sku_id(store, each.number),
        "seller_sku": f"SKU-{each.number + 1}",
        "price": {"currency": store.currency, "sale_price": text, "tax_exclusive_price": text},
        "inventory": [{"warehouse_id": warehouse(store), "quantity": 250}],
        "status_info": {"status": "NORMAL" if each.status == "ACTIVATE" else "DEACTIVATED"},
    }
    return {
        "id": product_id(store, each.number),
        "title": each.title,
        "status": each.status,
        "create_time": each.created,
        "update_time": each.updated,
        "skus": [sku],
        "sales_regions": [store.region],
        "is_not_for_sale": False,
        "has_draft": False,
        "audit": {"status": "APPROVED" if each.status == "ACTIVATE" else "NONE"},
    }

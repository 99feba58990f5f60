"""Products with all of their variants, and what the shop says that a unit costs it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from connectors.errors import PermissionDeniedError
from connectors.shopify import parse
from connectors.shopify.graph import Graph
from connectors.store_contracts import ProductRecord

# A product with ten variants costs about 33 points of the 1000 that one query may cost.
PRODUCTS_PER_PAGE = 20
VARIANTS_WITHIN = 10


def changed(graph: Graph, since: datetime | None) -> Iterator[ProductRecord]:
    """Products updated since then, or all. Without the right to read inventory the unit costs stay unknown."""
    currency = parse.shop(graph.query("shop")).currency
    costs = _shows_costs(graph)
    for source in graph.by_update(
        "products", since=since, size=PRODUCTS_PER_PAGE, variants=VARIANTS_WITHIN, costs=costs
    ):
        variants = graph.rest(source, "product", "variants", "product_variants", costs=costs)
        yield parse.product(source, variants, currency)


def _shows_costs(graph: Graph) -> bool:
    try:
        graph.query("products", first=1, after=None, query=None, variants=1, costs=True)
    except PermissionDeniedError:
        return False
    return True

"""What goods cost: of its variant, else of its product, else the tenant's cost per unit; dated by the store's day."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import TruncDate

from accounts.models import Store
from metrics.models import OrderLine, ProductCost
from metrics.rewards import unit_cost_on

Key = tuple[Any, ...]


def goods_costs(store: Store, lines: QuerySet[OrderLine], **keys: Combinable) -> dict[Key, int | None]:
    """The cost in micros of these lines of a store's orders, by the values of `keys`; `None` where one is unknown.

    Lines are summed up by product and local day in the database, and only costs of products among them are read.
    """
    dated = _dated_costs(store, lines)
    day = TruncDate("order__ordered_at", tzinfo=ZoneInfo(store.timezone))
    sold = (
        lines.order_by()
        .annotate(sold_on=day, **keys)
        .values_list(*keys, "sold_on", "product_external_id", "variant_external_id")
        .annotate(units=Sum("quantity"))
    )
    costs: dict[Key, int | None] = {}
    for *names, sold_on, product, variant, units in sold:
        key = tuple(names)
        of_product = unit_cost_on(sold_on, dated.get((product, ""), ()), store.tenant.cogs_per_unit_micros)
        cost = unit_cost_on(sold_on, dated.get((product, variant), ()), of_product)
        before = costs.get(key, 0)
        costs[key] = None if before is None or cost is None else before + cost * units
    return costs


def _dated_costs(store: Store, lines: QuerySet[OrderLine]) -> dict[tuple[str, str], list[tuple[date, int]]]:
    """The dated costs of the products of these lines, by product and variant ("" for the whole product)."""
    products = lines.order_by().values("product_external_id").distinct()
    found: dict[tuple[str, str], list[tuple[date, int]]] = defaultdict(list)
    for product, variant, *dated in ProductCost.objects.filter(
        store=store, product_external_id__in=products
    ).values_list("product_external_id", "variant_external_id", "effective_from", "unit_cost_micros"):
        found[product, variant].append((dated[0], dated[1]))
    return found

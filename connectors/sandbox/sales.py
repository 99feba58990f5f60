"""The shops' orders: what the market's purchases become when they are paid for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from connectors.sandbox.market import HOUR, Purchases, discounted
from connectors.sandbox.orders import Line, Order, arrival, edited, fate
from connectors.sandbox.tenants import AdObject, Shop

Came = Callable[[int, int], tuple[AdObject, list[AdObject]]]
Elsewhere = Callable[[AdObject, int, tuple[Line, ...]], None]


class Sales:
    """`came(column, hour)` tells the ad set and the ads that a purchase can have come from; what GMV Max sells goes
    to `on_tiktok_shop(ad_set, created, lines)` and is no order here."""

    def __init__(self, shops: list[Shop], quantum_micros: list[int], came: Came, on_tiktok_shop: Elsewhere) -> None:
        self._shops, self._quanta, self._came, self._on_tiktok_shop = shops, quantum_micros, came, on_tiktok_shop
        self.orders: list[list[Order]] = [[] for _ in shops]
        self.customers: list[list[int]] = [[] for _ in shops]  # orders so far, by customer
        self._pending: dict[int, list[tuple[int, bool, int, int, int, Purchases]]] = defaultdict(list)

    def take_in(self, bought: Purchases, hour: int) -> None:
        """Note these purchases, and place the orders of `hour`."""
        clicked = hour - 1
        for k, (created, source) in enumerate(zip(bought.created.tolist(), bought.source.tolist(), strict=True)):
            self._pending[created // HOUR].append((created, source < 0, source, clicked, k, bought))
        for created, _, _, _, k, purchases in sorted(self._pending.pop(hour, []), key=lambda due: due[:5]):
            self._place(created, purchases, k)

    def _place(self, created: int, bought: Purchases, k: int) -> None:
        tenant, source, luck = int(bought.tenant[k]), int(bought.source[k]), bought.luck[k].tolist()
        shop = self._shops[tenant]
        ad_set, ads = self._came(source, int(bought.hour[k])) if source >= 0 else (None, [])
        lines = _lines(shop, bought, k, self._quanta[tenant])
        if ad_set is not None and ad_set.family == "gmv_max":
            self._on_tiktok_shop(ad_set, created, lines)
            return
        number = 1001 + len(self.orders[tenant])
        identity = (tenant + 1) * 10**9 + number
        outcome = fate(identity, created, lines, ad_set is None, luck)
        page, utm, source_name, referrer = arrival(shop.domain, ad_set, ads, number, luck)
        customer, index = self._customer(tenant, luck[1], ad_set is None, outcome.is_test)
        order = Order(
            identity,
            created,
            lines,
            sum(line.total for line in lines),
            customer,
            index,
            page,
            utm,
            source_name,
            referrer,
            created + int(HOUR * (0.5 + luck[4])),
            outcome.is_test,
            created + int((4 + 40 * luck[5]) * HOUR),
            outcome.cancelled_at,
            outcome.paid,
            outcome.refunds,
        )
        self.orders[tenant].append(edited(order, shop.prices, self._quanta[tenant]))

    def _customer(self, tenant: int, chance: float, organic: bool, is_test: bool) -> tuple[int | None, int | None]:
        """An earlier customer comes back, a new one arrives, or a guest buys (no customer, no index)."""
        known = self.customers[tenant]
        returning = 0.5 if organic else 0.25
        if chance > 0.93 or is_test:
            return None, None
        if chance < returning and known:
            customer = int(chance / returning * len(known))
        else:
            known.append(0)
            customer = len(known) - 1
        known[customer] += 1
        return customer, known[customer]


def _lines(shop: Shop, bought: Purchases, k: int, quantum: int) -> tuple[Line, ...]:
    lines = []
    for product, quantity in zip(bought.products[k].tolist(), bought.quantities[k].tolist(), strict=True):
        if quantity:
            full = np.array(shop.prices[product] // quantum * quantity)
            total = int(discounted(full, bought.discount[k])) * quantum
            lines.append(Line(product, quantity, shop.prices[product], total))
    return tuple(lines)

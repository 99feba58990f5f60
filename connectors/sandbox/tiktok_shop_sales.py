"""What is sold on TikTok Shop: orders of GMV Max ads from the market, and those that come by themselves or through
creators, drawn per shop and hour from a generator of their own when somebody first asks for the hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from connectors.sandbox.currencies import quantum_micros
from connectors.sandbox.market import BUYING_DAY, BUYING_HOUR, HOUR, TRAFFIC
from connectors.sandbox.orders import Line
from connectors.sandbox.tiktok_shop_order import LONGEST, Draws, ShopOrder, Unit, lived
from connectors.sandbox.tiktok_shop_sellers import FIRST_ID, Store

STREAM = 97  # of the generators here, apart from the market's
FROM_ADS = 5000  # the numbers within an hour of orders that ads brought
DRAWS = 32  # more than an order uses
SHIPPING = 13  # one part of so many of the dearest product's price, where the buyer pays for it


class ShopSales:
    """The orders of every shop. Those of an hour are the same however often and in whatever order they are asked."""

    def __init__(self, seed: int, first_hour: int) -> None:
        self._seed, self._first_hour = seed, first_hour
        self._drawn: dict[tuple[str, int], list[ShopOrder]] = {}
        self._advertised: dict[tuple[str, int], list[ShopOrder]] = defaultdict(list)

    def sell(self, store: Store, created: int, lines: Iterable[Line]) -> None:
        """Take in a purchase that an ad brought; its units cost what the market says."""
        hour = created // HOUR
        number = FROM_ADS + len(self._advertised[store.id, hour])
        luck = np.random.default_rng([self._seed, STREAM, store.tenant, hour, store.number, number]).random(DRAWS)
        units = tuple(unit for line in lines for unit in _units_of(line, store))
        draws = Draws(luck.tolist())
        self._advertised[store.id, hour].append(lived(store, _identity(store, hour, number), created, units, 0, draws))

    def placed(self, store: Store, start: int, end: int) -> Iterator[ShopOrder]:
        """The orders created in `[start, end)`, epoch seconds, in the order of their creation."""
        first = max(start // HOUR, self._first_hour)
        for hour in range(first, -(-end // HOUR)):
            for order in self._of_hour(store, hour):
                if start <= order.created < end:
                    yield order

    def changed(self, store: Store, start: int, end: int) -> Iterator[ShopOrder]:
        """The orders that may have changed in `[start, end)`: younger than the longest life of an order."""
        return self.placed(store, start - LONGEST, end)

    def find(self, store: Store, identity: str) -> ShopOrder | None:
        if len(identity) != 18 or not identity.isdecimal() or not identity.startswith(_series(store)):
            return None
        hour = int(identity[7:14])
        known = self._first_hour <= hour
        return next((order for order in self._of_hour(store, hour) if order.id == identity), None) if known else None

    def _of_hour(self, store: Store, hour: int) -> list[ShopOrder]:
        drawn = self._drawn.get((store.id, hour))
        if drawn is None:
            drawn = self._drawn[store.id, hour] = list(self._draw(store, hour))
        advertised = self._advertised.get((store.id, hour))
        return sorted(drawn + advertised, key=lambda order: order.created) if advertised else drawn

    def _draw(self, store: Store, hour: int) -> Iterator[ShopOrder]:
        rng = np.random.default_rng([self._seed, STREAM, store.tenant, hour, store.number])
        local = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(ZoneInfo(store.zone))
        mood = TRAFFIC[local.hour] * 24 * BUYING_HOUR[local.hour] * BUYING_DAY[local.weekday()]
        count = int(rng.poisson(store.pace * mood))
        for number, luck in enumerate(sorted(rng.random((count, DRAWS)).tolist())):
            draws = Draws(luck)
            created = hour * HOUR + int(draws.next() * HOUR)
            units = tuple(_drawn_units(store, draws))
            shipping = _whole(max(store.prices) // SHIPPING, store) if draws.next() < 0.12 else 0
            yield lived(store, _identity(store, hour, number), created, units, shipping, draws)


def _series(store: Store) -> str:
    return f"5766{int(store.id) - FIRST_ID:03d}"


def _identity(store: Store, hour: int, number: int) -> str:
    """Eighteen digits, rising with time within a shop."""
    return f"{_series(store)}{hour:07d}{number:04d}"


def _whole(micros: int, store: Store) -> int:
    """As much of it as the currency can pay."""
    return micros - micros % quantum_micros(store.currency)


def _units_of(line: Line, store: Store) -> Iterator[Unit]:
    """A line of the market as single units; what its discount leaves over counts with the first."""
    discount = line.unit_price * line.quantity - line.total
    each = _whole(discount // line.quantity, store)
    for k in range(line.quantity):
        yield Unit(line.product, line.unit_price, discount - each * (line.quantity - 1) if k == 0 else each, 0)


def _drawn_units(store: Store, draws: Draws) -> Iterator[Unit]:
    """One to three units of one product, now and then one of another; a seller's discount, one of the platform."""
    first, second = (int(draws.next() * len(store.prices)) for _ in range(2))
    many, other, by_seller, by_platform = (draws.next() for _ in range(4))
    products = [first] * (1 + (many < 0.2) + (many < 0.05)) + [second] * (other < 0.25)
    for product in products:
        price = store.prices[product]
        discount = _whole(price // 10, store) if by_seller < 0.25 else 0
        funded = _whole(price // 20, store) if by_platform < 0.15 else 0
        yield Unit(product, price, discount, funded)

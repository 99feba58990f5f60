"""Where the market's chance comes from, so that a new ad set leaves the luck of the others as it was.

The ad sets and shops that were there from the start draw together, hour by hour. Every ad set created later
has a generator of its own, keyed by seed, hour and column.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class HourLuck:
    """The chance of one hour. The methods are called once each, in this order.

    `planted` columns draw together, those from there to `columns` alone; `shops` come last where they count.
    """

    def __init__(self, seed: int, hour: int, planted: int, columns: int, shops: int) -> None:
        self._planted, self._shops = planted, shops
        self._first = np.random.default_rng([seed, hour])
        self._second = np.random.default_rng([seed, hour, 1])
        self._own = [np.random.default_rng([seed, hour, 3, column]) for column in range(planted, columns)]

    def noise(self) -> Floats:
        """(5, columns) standard normals."""
        together = self._first.standard_normal((5, self._planted))
        return self._join(together, (own.standard_normal(5) for own in self._own))

    def chances(self) -> Floats:
        """(columns + shops) uniforms: how many purchases there are."""
        together = self._second.random(self._planted + self._shops)
        return self._join(together, (own.random() for own in self._own))

    def purchases(self, most: int, draws: int) -> Floats:
        """(most, columns + shops, draws) uniforms: what each purchase is like."""
        together = self._second.random((most, self._planted + self._shops, draws))
        if not self._own:
            return together
        own = np.stack([each.random((most, draws)) for each in self._own], axis=1)
        return np.concatenate([together[:, : self._planted], own, together[:, self._planted :]], axis=1)

    def _join(self, together: Floats, own: Iterable[Floats | float]) -> Floats:
        """The own draws, put between those of the first columns and those of the shops."""
        if not self._own:
            return together
        middle = np.stack([np.asarray(each) for each in own], axis=-1)
        return np.concatenate([together[..., : self._planted], middle, together[..., self._planted :]], axis=-1)


def generosity(seed: int, hour: int, planted: int, columns: int) -> Floats:
    """(columns) standard normals for the day that begins with this hour."""
    together = np.random.default_rng([seed, hour, 2]).standard_normal(planted)
    own = [np.random.default_rng([seed, hour, 4, column]).standard_normal() for column in range(planted, columns)]
    return np.concatenate([together, np.asarray(own)])

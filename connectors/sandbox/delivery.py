"""What may deliver, on what daily budget, and how the ads of an ad set share it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np

from connectors.sandbox.tenants import ON, AdObject

AD_SHARES = (3, 2)  # of an ad set's delivery, by the ad's place; a third ad weighs as the first, and so on


def is_on(thing: AdObject) -> bool:
    return thing.status == ON[thing.platform]


class Delivery:
    """The switches and budgets (currency units) of all columns, kept up to date object by object."""

    def __init__(self, objects: Mapping[str, AdObject], children: Mapping[str, list[AdObject]]) -> None:
        self._objects, self._children = objects, children
        self.budgets, self.active = np.zeros(0), np.zeros(0, dtype=bool)
        self._shares: dict[str, list[tuple[int, dict[str, int]]]] = {}  # by ad set: from which hour, who shares

    def around(self, things: Iterable[AdObject], hour: int) -> None:
        """Look again at everything that a change of these objects may have touched; ads share anew from `hour`."""
        campaigns: dict[str, AdObject] = {}
        for thing in things:
            ad_set = self._objects[thing.parent] if thing.kind == "ad" else thing
            if thing.kind == "ad":
                self._share(ad_set, hour)
            if ad_set.kind in ("ad_set", "campaign"):
                campaign = self._objects[ad_set.parent] if ad_set.kind == "ad_set" else ad_set
                campaigns[campaign.id] = campaign
        for campaign in campaigns.values():
            self._look(campaign)

    def shares(self, ad_set: AdObject, hour: int) -> dict[str, int]:
        """The weight of each ad in what the ad set delivers in this hour; ads that were off are absent."""
        known = self._shares.get(ad_set.id, [])
        place = bisect_right(known, hour, key=lambda entry: entry[0])
        return known[max(place - 1, 0)][1] if known else {}

    def spans(self, ad_set: AdObject, start: int, count: int) -> Iterator[tuple[int, dict[str, int]]]:
        """The weights through `count` hours from `start`: until which of them (exclusive) they hold."""
        turns = [hour - start for hour, _ in self._shares.get(ad_set.id, []) if 0 < hour - start < count]
        for begin, until in pairwise([0, *turns, count]):
            yield until, self.shares(ad_set, start + begin)

    def _look(self, campaign: AdObject) -> None:
        ad_sets = self._children[campaign.id]
        if ad_sets and (missing := max(o.column for o in ad_sets) + 1 - len(self.active)) > 0:
            self.budgets = np.append(self.budgets, np.zeros(missing))
            self.active = np.append(self.active, np.zeros(missing, dtype=bool))
        running = is_on(campaign)
        pooled = (campaign.daily_budget or (campaign.lifetime_budget or 0) / 30) / max(sum(map(is_on, ad_sets)), 1)
        for ad_set in ad_sets:
            budget = ad_set.daily_budget or (ad_set.lifetime_budget or 0) / 30 or pooled
            on = running and is_on(ad_set) and budget > 0
            self.active[ad_set.column] = on and (
                ad_set.family == "gmv_max" or any(map(is_on, self._children[ad_set.id]))
            )
            self.budgets[ad_set.column] = budget / 1e6

    def _share(self, ad_set: AdObject, hour: int) -> None:
        ads = self._children[ad_set.id]
        weights = {ad.id: AD_SHARES[place % len(AD_SHARES)] for place, ad in enumerate(ads) if is_on(ad)}
        known = self._shares.setdefault(ad_set.id, [])
        if not weights or (known and known[-1][1] == weights):
            return  # when the last one goes off, what is left of the hour is still theirs
        if known and known[-1][0] == hour:
            known.pop()
        known.append((hour, weights))

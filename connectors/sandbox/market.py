"""The market behind the sandbox: ad sets compete for people, people click and buy. Vectorised, no HTTP.

One step is one UTC hour, counted in hours since 1970. Arrays have one column per ad set (n); shops have one
per tenant (t). Money inside is a float in currency units and leaves as integers: micros for spend, and
quanta (cents, or whole units where a currency has none) for prices. The same seed and the same calls give
the same figures, however the hours are cut into calls, and a change of one ad set, or a new one, leaves the
luck of the others untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from connectors.sandbox.luck import HourLuck, generosity

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

HOUR = 3600
LUCK = 6  # uniforms handed on with each purchase, for what the market does not care about
_PURCHASE_DRAWS = 9
_CLAIMED_UNSEEN = 0.1  # of the purchases that no ad brought; some platform claims them all the same
_CLAIMED_LATE = 0.12  # of the others; a platform claims them for a click of 7 to 28 days ago
_SLOTS = 90  # an ad set created later claims one slot of what the first ones leave

TRAFFIC = np.array([2, 1, 1, 1, 1, 2, 3, 4, 5, 5, 5, 5, 6, 6, 5, 5, 5, 6, 7, 8, 9, 9, 7, 4], dtype=float)
TRAFFIC /= TRAFFIC.sum()
TRAFFIC_LEFT = TRAFFIC[::-1].cumsum()[::-1]
BUYING_HOUR = 1 + 0.25 * np.sin((np.arange(24) - 14) * np.pi / 12)
BUYING_DAY = np.array([0.95, 0.96, 1.0, 1.0, 1.02, 1.06, 1.01])

META_DAILY_OVERSPEND = 0.75  # of the daily budget on one day; seven budgets per calendar week at most


@dataclass(frozen=True)
class Parameters:
    """What stays hidden. `roas` is the true return at `budget`, `scale` where returns bend (per day)."""

    seed: int
    zones: tuple[str, ...]  # (t,)
    prices: Ints  # (t, products), quanta
    quantum_micros: Ints  # (t,)
    organic: Floats  # (t,) orders per hour that no ad brought
    tenant: Ints  # (n,)
    is_meta: Flags  # (n,)
    budget: Floats  # (n,)
    roas: Floats
    scale: Floats
    cpm: Floats
    ctr: Floats

    @property
    def basket(self) -> Floats:
        """Expected order value per tenant, currency units; follows from `_baskets`."""
        mean_price = self.prices.mean(axis=1) * self.quantum_micros / 1e6
        return np.asarray(mean_price * (1.2 + 0.25) * (1 - 0.25 * 0.1))

    @property
    def cvr(self) -> Floats:
        cost_per_click = self.cpm / 1000 / self.ctr
        return np.asarray(self.roas * cost_per_click / self.basket[self.tenant])


class Column(NamedTuple):
    """What stays hidden about one ad set; the same fields as in `Parameters`."""

    tenant: int
    is_meta: bool
    budget: float
    roas: float
    scale: float
    cpm: float
    ctr: float


class Hour(NamedTuple):
    """What truly happened in one hour, per ad set there was; purchases and value belong to the click's hour."""

    spend_micros: Ints
    impressions: Ints
    clicks: Ints
    purchases: Ints
    value_micros: Ints
    shortfall: Floats  # share that the platform does not know yet, or will take back


class Purchases(NamedTuple):
    """Purchases that follow from one hour; `source` is an ad set, or -1 for one that no ad brought.

    `late_by` is the ad set whose platform claims the purchase for a click in `late_hour`, more than seven days
    before it; such a claim counts in the longest attribution window alone. -1 for none.
    """

    source: Ints
    tenant: Ints
    hour: Ints
    created: Ints  # epoch seconds, after the end of `hour`
    products: Ints  # (k, 2); the second only when its quantity is not 0
    quantities: Ints  # (k, 2)
    discount: Ints  # percent
    value_micros: Ints
    claimed_by: Ints  # the ad set whose platform claims it, -1 for none
    claimed_at: Ints  # epoch seconds
    late_by: Ints
    late_hour: Ints
    luck: Floats  # (k, LUCK)


_STATE: dict[str, float | bool] = {  # what an ad set starts with, by name of the array
    "budget": 0.0,
    "active": False,
    "spent_today": 0.0,
    "_allowance": 0.0,
    "_spent_week": 0.0,
    "_nominal_week": 0.0,
    "_generosity": 1.0,
    "_fatigue": 0.0,
    "_drift": 0.0,
    "_on": 0.0,
    "_seen": 0.0,
}


class Market:
    """The state of all ad sets. Set what may deliver with `set_delivery`, then `step` hour by hour."""

    def __init__(self, parameters: Parameters, first_hour: int) -> None:
        p = parameters
        n = len(p.tenant)
        self.parameters = p
        self.planted = n  # ad sets there from the start draw their luck together, later ones each their own
        self.first_hour = self.hour = first_hour
        self.history: list[Hour] = []
        self.purchases: list[Purchases] = []
        self.budget = np.zeros(n)
        self.active = np.zeros(n, dtype=bool)
        self.spent_today = np.zeros(n)
        self._zones = [ZoneInfo(zone) for zone in p.zones]
        self._days = np.zeros(len(p.zones), dtype=np.int64)
        self._allowance = np.zeros(n)
        self._spent_week = np.zeros(n)
        self._nominal_week = np.zeros(n)
        self._generosity = np.ones(n)
        self._fatigue = np.full(n, 0.3)
        self._drift = np.zeros(n)
        self._on = np.zeros(n)
        self._seen = np.zeros(n)
        self._derive()
        self._begin_day()

    def _derive(self) -> None:
        bend = self.parameters.budget / self.parameters.scale
        self._usual_efficiency = np.log1p(bend) / bend
        self._cvr = self.parameters.cvr

    def grow(self, column: Column) -> int:
        """Take in one more ad set, off and without a budget at first; returns its place."""
        p = self.parameters
        place = len(p.tenant)
        longer: dict[str, Any] = {name: np.append(getattr(p, name), value) for name, value in column._asdict().items()}
        self.parameters = replace(p, **longer)
        for name, first in _STATE.items():
            setattr(self, name, np.append(getattr(self, name), first))
        self._derive()
        return place

    def known(self, name: str, columns: Sequence[int], first: int, end: int) -> NDArray[Any]:
        """(hours, columns) of one field of `Hour`, 0 for hours before an ad set existed. `columns` ascend."""
        wanted = np.asarray(columns, dtype=np.int64)
        parts = [getattr(hour, name) for hour in self.history[first:end]]
        table = np.zeros((len(parts), len(wanted)), dtype=parts[0].dtype if parts else float)
        for row, part in zip(table, parts, strict=True):
            there = int(np.searchsorted(wanted, len(part)))
            row[:there] = part[wanted[:there]]
        return table

    def set_delivery(self, budget: Floats, active: Flags, elapsed: float = 0.0) -> None:
        """New daily budgets (currency units) and switches, `elapsed` (0 to 1) into the current hour.

        A changed budget is prorated over the rest of the local day, as the platforms do.
        """
        traffic, left, _ = self._local_hour()
        left = left - traffic * elapsed
        changed = budget != self.budget
        self._allowance = np.where(changed, self.spent_today + budget * left, self._allowance)
        self._on += (elapsed - self._seen) * self.active
        self._seen[:] = elapsed
        self.budget = np.array(budget, dtype=float)
        self.active = np.array(active, dtype=bool)

    def advance(self, hours: int) -> None:
        for _ in range(hours):
            self.step()

    def step(self) -> Purchases:
        """Close the current hour and return the purchases that it caused."""
        p = self.parameters
        luck = HourLuck(p.seed, self.hour, self.planted, len(p.tenant), len(p.zones))
        noise = luck.noise()
        traffic, _, buying = self._local_hour()
        spend_micros = self._spend(noise[0])
        spend = spend_micros / 1e6
        bend = np.maximum(spend / traffic / p.scale, 1e-9)
        efficiency = np.log1p(bend) / bend / self._usual_efficiency
        mood = np.exp(self._drift) * (1 - 0.3 * self._fatigue)
        impressions = _counts(spend * 1000 / p.cpm * efficiency**0.3 * np.exp(0.05 * noise[1]), noise[2])
        clicks = np.minimum(_counts(impressions * p.ctr * mood, noise[3]), impressions)
        wanted = clicks * self._cvr * efficiency**0.7 * buying * np.sqrt(mood)
        bought = self._buy(np.concatenate([wanted, p.organic * self._organic_mood()]), spend_micros, luck)
        self._keep(spend_micros, impressions, clicks, bought, noise[4])
        self._fatigue += 0.02 * spend / p.budget - self._fatigue / 480
        self._drift = self._drift * (1 - 1 / 240) + 0.012 * noise[4]
        self.spent_today += spend
        self._spent_week += spend
        self._on[:] = self._seen[:] = 0
        self.hour += 1
        self._begin_day()
        return bought

    def _now(self) -> list[datetime]:
        utc = datetime.fromtimestamp(self.hour * HOUR, UTC)
        return [utc.astimezone(zone) for zone in self._zones]

    def _local_hour(self) -> tuple[Floats, Floats, Floats]:
        """Per ad set: the share of a day's traffic in this hour, in what is left of the day, buying mood."""
        local = self._now()
        hours = np.array([moment.hour for moment in local])
        buying = BUYING_HOUR[hours] * BUYING_DAY[[moment.weekday() for moment in local]]
        tenant = self.parameters.tenant
        return TRAFFIC[hours][tenant], TRAFFIC_LEFT[hours][tenant], buying[tenant]

    def _organic_mood(self) -> Floats:
        local = self._now()
        return np.array([24 * TRAFFIC[m.hour] * BUYING_DAY[m.weekday()] for m in local])

    def _begin_day(self) -> None:
        """At local midnight: a new allowance, today's generosity of the platform; on Sunday a new week."""
        p = self.parameters
        local = self._now()
        days = np.array([moment.toordinal() for moment in local])
        fresh = (days != self._days)[p.tenant]
        if not fresh.any():
            return
        sunday = np.array([moment.weekday() == 6 for moment in local])[p.tenant] & fresh
        midday_start = (self._days == 0)[p.tenant]
        self._spent_week = np.where(sunday, 0.0, self._spent_week)
        self._nominal_week = np.where(sunday, 0.0, self._nominal_week + np.where(fresh, self._allowance, 0))
        self.spent_today = np.where(fresh, 0.0, self.spent_today)
        self._allowance = np.where(fresh & ~midday_start, self.budget, self._allowance)
        ceiling = np.where(p.is_meta, 1.5, 1.0)
        noise = generosity(p.seed, self.hour, self.planted, len(p.tenant))
        self._generosity = np.where(fresh, np.clip(np.exp(0.12 * noise), 0.85, ceiling), self._generosity)
        self._days = days

    def _spend(self, noise: Floats) -> Ints:
        """Micros spent this hour: paced by traffic, within the platforms' daily and weekly bounds."""
        p = self.parameters
        traffic, left, _ = self._local_hour()
        on = self._on + (1 - self._seen) * self.active
        planned = (self._allowance * self._generosity - self.spent_today) * traffic / left
        planned = np.minimum(planned, 3 * self.budget * traffic) * on * np.exp(0.18 * noise - 0.016)
        today = self._allowance + np.where(p.is_meta, META_DAILY_OVERSPEND * self.budget, 0) - self.spent_today
        days_left = np.array([(5 - moment.weekday()) % 7 for moment in self._now()])[p.tenant]
        week = self._nominal_week + self._allowance + self.budget * days_left - self._spent_week
        spend = np.clip(planned, 0, np.maximum(np.minimum(today, week), 0))
        quantum = p.quantum_micros[p.tenant]
        return np.asarray(np.floor(spend * 1e6 / quantum).astype(np.int64) * quantum)

    def _buy(self, wanted: Floats, spend_micros: Ints, luck: HourLuck) -> Purchases:
        p = self.parameters
        counts = _poisson(wanted, luck.chances())
        most = int(counts.max(initial=0))
        draws = luck.purchases(most, _PURCHASE_DRAWS + LUCK)
        nth, lane = np.nonzero(np.arange(most)[:, None] < counts)
        u = draws[nth, lane]
        source = np.where(lane < len(p.tenant), lane, -1)
        tenant = np.concatenate([p.tenant, np.arange(len(p.zones))])[lane]
        products, quantities, discount, value = self._baskets(tenant, u)
        slow = (source >= 0) & (u[:, 0] > 0.6)
        delay = np.where(slow, np.minimum(-14 * np.log1p(-u[:, 1]), 144), u[:, 1])
        created = (self.hour + 1) * HOUR + (delay * HOUR).astype(np.int64)
        claimed_by = self._claims(source, tenant, u[:, 6], spend_micros)
        claimed_at = self._claim_times(claimed_by, created, u[:, 7], u[:, 8])
        late_by, late_hour = self._late_claims(source, claimed_by, tenant, created, u[:, 7], u[:, 8])
        hour = np.full(len(source), self.hour)
        return Purchases(
            source,
            tenant,
            hour,
            created,
            products,
            quantities,
            discount,
            value,
            claimed_by,
            claimed_at,
            late_by,
            late_hour,
            u[:, _PURCHASE_DRAWS:],
        )

    def _baskets(self, tenant: Ints, u: Floats) -> tuple[Ints, Ints, Ints, Ints]:
        prices = self.parameters.prices
        products = (u[:, 2:4] * prices.shape[1]).astype(np.int64)
        quantities = np.stack([1 + (u[:, 4] < 0.2), u[:, 5] < 0.25], axis=1).astype(np.int64)
        quantities[:, 1] *= products[:, 0] != products[:, 1]
        discount = np.where((u[:, 4] * 7 % 1) < 0.25, 10, 0).astype(np.int64)
        quanta = discounted(prices[tenant[:, None], products] * quantities, discount[:, None]).sum(axis=1)
        return products, quantities, discount, quanta * self.parameters.quantum_micros[tenant]

    def _claims(self, source: Ints, tenant: Ints, u: Floats, spend_micros: Ints) -> Ints:
        """Pixels miss a tenth of what ads sell, and platforms claim some of what they did not."""
        claimed = np.where((source >= 0) & (u < 0.9), source, -1)
        for k in np.nonzero(source < 0)[0]:
            claimed[k] = self._claimant(tenant[k], u[k], _CLAIMED_UNSEEN, spend_micros)
        return claimed

    def _late_claims(
        self, source: Ints, claimed_by: Ints, tenant: Ints, created: Ints, u: Floats, v: Floats
    ) -> tuple[Ints, Ints]:
        """Of what nobody claims, some had a click a week or more ago: whose, and in which hour."""
        clicked = created // HOUR - 7 * 24 - 1 - (v * 20 * 24).astype(np.int64)
        late = np.full(len(source), -1)
        for k in np.nonzero((source < 0) & (claimed_by < 0) & (clicked >= self.first_hour))[0]:
            clicks = self.history[clicked[k] - self.first_hour].clicks
            late[k] = self._claimant(tenant[k], u[k], _CLAIMED_LATE, clicks)
        return late, clicked

    def _claimant(self, tenant: int, u: float, share: float, active: Ints) -> int:
        """Who claims a purchase that no ad brought: below `share` of `u` one of the first ad sets, above it a
        later one if `u` falls into its slot, so that a new ad set takes nothing from the others; -1 for nobody."""
        able = (active > 0) & (self.parameters.tenant[: len(active)] == tenant)
        if u < share:
            first = np.nonzero(able[: self.planted])[0]
            return int(first[min(int(u * (1 / share) * len(first)), len(first) - 1)]) if len(first) else -1
        slot = int((u - share) / (1 - share) * _SLOTS)
        later = np.nonzero(able[self.planted + slot :: _SLOTS])[0]
        return int(self.planted + slot + later[0] * _SLOTS) if len(later) else -1

    def _claim_times(self, claimed_by: Ints, created: Ints, u: Floats, v: Floats) -> Ints:
        """Meta tells over hours; TikTok within an hour, or with the next correction at 12:00 UTC."""
        meta = self.parameters.is_meta[claimed_by]
        soon = created + np.where(meta, -4 * np.log1p(-u * 0.999), u) * HOUR
        corrected = (created // 86400 + 1) * 86400 + 12 * HOUR
        return np.where(~meta & (v < 0.2), corrected, soon).astype(np.int64)

    def _keep(self, spend: Ints, impressions: Ints, clicks: Ints, bought: Purchases, noise: Floats) -> None:
        n = len(self.parameters.tenant)
        from_ads = bought.source >= 0
        purchases = np.bincount(bought.source[from_ads], minlength=n).astype(np.int64)
        value = np.zeros(n, dtype=np.int64)
        np.add.at(value, bought.source[from_ads], bought.value_micros[from_ads])
        shortfall = np.minimum(0.02 * np.abs(noise), 0.05)
        self.history.append(Hour(spend, impressions, clicks, purchases, value, shortfall))
        self.purchases.append(bought)


def discounted(quanta: Ints, percent: Ints) -> Ints:
    """Whole quanta after a discount, half up."""
    return (quanta * (100 - percent) + 50) // 100


def _counts(mean: Floats, noise: Floats) -> Ints:
    """Many small chances, by the normal approximation."""
    return np.asarray(np.maximum(np.rint(mean + np.sqrt(mean) * noise), 0) * (mean > 0), dtype=np.int64)


def _poisson(mean: Floats, u: Floats) -> Ints:
    """The Poisson quantile of `u` (0 to 1), so that one draw serves any mean."""
    counts = np.zeros(len(mean), dtype=np.int64)
    term = np.exp(-np.minimum(mean, 700))
    total = term.copy()
    k = 0
    while (more := (total < u) & (k < mean + 12 * np.sqrt(mean) + 12)).any():
        k += 1
        counts += more
        term = term * mean / k
        total += term
    return counts

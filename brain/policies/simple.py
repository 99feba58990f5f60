"""The plainest policies: they set the mark that cleverer ones must beat."""

from __future__ import annotations

import numpy as np

from brain.policies.base import Explanation, Floats, Observation, register

TRAILING_HOURS = 72


@register("hold")
class Hold:
    """Changes nothing."""

    def reset(self, n_ad_sets: int, seed: int) -> None:
        self._count = n_ad_sets

    def decide(self, observation: Observation) -> Floats:
        self._count = observation.budgets.size
        return np.full(self._count, np.nan)

    def explain(self) -> Explanation:
        zero = np.zeros(self._count)
        return Explanation(zero, zero, zero, tuple(() for _ in range(self._count)))


@register("roas_rules")
class RoasRules:
    """Scale what earns, cut what loses, by the contribution per unit of spend over the last three days.

    Contribution is revenue × margin ÷ spend: above 1.3 the budget goes up by a step, below 0.7 down by
    one. The steps grow with the distance and stay within `max_step`. Too little data holds.
    """

    raise_above, cut_below = 1.3, 0.7
    minimum_spend_days = 1.0

    def reset(self, n_ad_sets: int, seed: int) -> None:
        self._change = np.zeros(n_ad_sets)
        self._contribution = np.full(n_ad_sets, np.nan)

    def decide(self, observation: Observation) -> Floats:
        recent = slice(-TRAILING_HOURS, None)
        known = np.isfinite(observation.spend[recent]) & np.isfinite(observation.revenue[recent])
        spend = np.where(known, observation.spend[recent], 0.0).sum(axis=0)
        revenue = np.where(known, observation.revenue[recent], 0.0).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            contribution = np.where(spend > 0, revenue * observation.margin / spend, np.nan)
        enough = spend >= self.minimum_spend_days * observation.budgets
        enough &= known.mean(axis=0) > 0.9 if known.size else False
        distance = np.where(
            contribution > self.raise_above,
            contribution - self.raise_above,
            np.where(contribution < self.cut_below, contribution - self.cut_below, 0.0),
        )
        change = np.clip(distance / 2, -observation.max_step, observation.max_step)
        wanted = np.clip(observation.budgets * (1 + change), observation.min_budget, observation.max_budget)
        acts = enough & np.isfinite(change) & (np.abs(change) > 0.02) & (observation.budgets > 0)
        self._contribution, self._change = contribution, np.where(acts, wanted - observation.budgets, 0.0)
        return np.where(acts, wanted, np.nan)

    def explain(self) -> Explanation:
        expected = self._change * (np.nan_to_num(self._contribution) - 1)
        return Explanation(
            expected,
            expected - np.abs(expected),
            expected + np.abs(expected),
            tuple((f"contribution per unit of spend {value:.2f}",) for value in self._contribution),
        )

"""From a snapshot of what is known to what a policy sees."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np

from accounts.hours import HOUR, day_bounds, local_day
from accounts.money import MICROS, PPM
from brain.policies import Observation
from metrics.snapshot import Flags, Ints, Snapshot

DEFAULT_MARGIN = 1.0


def _units(column: Ints, known: Flags) -> np.ndarray:
    return np.where(known, column / MICROS, np.nan)


def _micros(values: Sequence[int | None], default: float) -> np.ndarray:
    return np.array([default if value is None else value / MICROS for value in values], dtype=float)


def observe(
    snapshot: Snapshot, *, daily_target_micros: int, floor_micros: int, ceiling_micros: int, step_ppm: int
) -> Observation:
    """The observation at the snapshot's newest closed hour, in the tenant's local time.

    Ad sets without a daily budget of their own have NaN as budget: no policy acts on them.
    """
    n = len(snapshot.ad_sets)
    local = (snapshot.as_of - HOUR).astimezone(ZoneInfo(snapshot.zone))
    columns = snapshot.columns
    spend = _units(columns["spend_micros"], snapshot.spend_known)
    revenue = _units(columns["revenue_micros"] - columns["refunds_micros"], snapshot.revenue_known)
    budgets = _micros([ad_set.daily_budget_micros for ad_set in snapshot.ad_sets], np.nan)
    budgets = np.where([ad_set.status == "active" for ad_set in snapshot.ad_sets], budgets, np.nan)
    minimum = _micros([ad_set.minimum_daily_budget_micros for ad_set in snapshot.ad_sets], 0.0)
    return Observation(
        slot_hour=local.hour,
        weekday=local.weekday(),
        budgets=budgets,
        spend=spend,
        impressions=np.where(snapshot.spend_known, columns["impressions"], np.nan).astype(float),
        clicks=np.where(snapshot.spend_known, columns["clicks"], np.nan).astype(float),
        conversions=np.where(snapshot.revenue_known, columns["orders"], np.nan).astype(float),
        revenue=revenue,
        maturity=np.where(snapshot.revenue_known, 1.0, 0.0),
        spent_today=_spent_today(snapshot, spend),
        daily_cap=daily_target_micros / MICROS,
        margin=_margin(snapshot, n),
        min_budget=np.maximum(minimum, floor_micros / MICROS),
        max_budget=np.full(n, ceiling_micros / MICROS),
        max_step=step_ppm / PPM,
        platform=np.array([ad_set.platform for ad_set in snapshot.ad_sets]),
        ad_set_ids=np.array([str(ad_set.id) for ad_set in snapshot.ad_sets]),
        slot=snapshot.as_of - HOUR,
    )


def _spent_today(snapshot: Snapshot, spend: np.ndarray) -> np.ndarray:
    start, _ = day_bounds(local_day(snapshot.as_of - HOUR, snapshot.zone), snapshot.zone)
    today = np.array([hour >= start for hour in snapshot.hours], dtype=bool)
    return np.asarray(np.nansum(spend[today], axis=0))


def _margin(snapshot: Snapshot, n: int) -> np.ndarray:
    """The tenant's share of revenue kept after cost of goods, over the whole span; 1 when unknown."""
    revenue = int(snapshot.columns["revenue_micros"].sum())
    cogs = int(snapshot.columns["cogs_micros"].sum())
    known = bool(snapshot.cogs_known.all()) and revenue > 0
    return np.full(n, min(1.0, max(0.0, 1 - cogs / revenue)) if known else DEFAULT_MARGIN)

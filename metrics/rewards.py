"""Profit and reward of one ad set in one hour, in micros; pure integer arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from accounts.money import scale_ppm


@dataclass(frozen=True, slots=True)
class Earned:
    """What an hour brought; `cogs_micros` is `None` when a cost is missing."""

    orders: int
    revenue_micros: int
    refunds_micros: int
    spend_micros: int
    cogs_micros: int | None


def profit_micros(earned: Earned) -> int:
    """Revenue − refunds − spend − cost of goods (when known)."""
    return earned.revenue_micros - earned.refunds_micros - earned.spend_micros - (earned.cogs_micros or 0)


def reward_micros(earned: Earned, lambda_ppm: int) -> int:
    """Profit − λ × spend: λ is the price of money beyond its own unit."""
    return profit_micros(earned) - scale_ppm(earned.spend_micros, lambda_ppm)


def next_lambda_ppm(lambda_ppm: int, step_ppm: int, spend_micros: int, target_micros: int) -> int:
    """One Lagrangian step: λ rises while spend is above the target and falls, down to zero, below it.

    λ ← max(0, λ + step × (spend ÷ target − 1)); no target, no change.
    """
    if target_micros <= 0:
        return lambda_ppm
    return max(0, lambda_ppm + step_ppm * (spend_micros - target_micros) // target_micros)


def unit_cost_on(day: date, dated: Iterable[tuple[date, int]], fallback: int | None) -> int | None:
    """The cost in force on a day from `(effective_from, micros)` rows, else the fallback."""
    in_force = [(start, cost) for start, cost in dated if start <= day]
    return max(in_force)[1] if in_force else fallback

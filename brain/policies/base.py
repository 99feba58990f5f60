"""The contract of a policy, and the registry of their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a policy sees of one tenant at one decision hour, in the account's local time.

    n ad sets, W past hours (at most 336), oldest first; money in currency units; NaN is unknown. The last
    five may be `None`: a policy must do without.
    """

    slot_hour: int
    weekday: int
    budgets: Floats
    spend: Floats
    impressions: Floats
    clicks: Floats
    conversions: Floats
    revenue: Floats
    maturity: Floats
    spent_today: Floats
    daily_cap: float
    margin: Floats
    min_budget: Floats
    max_budget: Floats
    max_step: float
    platform: Array
    ad_set_ids: Array | None = None
    slot: datetime | None = None
    budget_history: Floats | None = None
    creative_type: Array | None = None
    targeting: Floats | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Per ad set: expected change of daily profit with an interval, and what mattered most."""

    expected_profit_change: Floats
    low: Floats
    high: Floats
    features: tuple[tuple[str, ...], ...]


class Policy(Protocol):
    def reset(self, n_ad_sets: int, seed: int) -> None:
        """Forget; start a new tenant."""
        ...

    def decide(self, observation: Observation) -> Floats:
        """Daily budget wanted now per ad set, currency units; NaN means leave alone."""
        ...

    def explain(self) -> Explanation:
        """About the last `decide`."""
        ...


class PolicyError(ValueError):
    """No such policy; the message lists those there are."""


_POLICIES: dict[str, Callable[[], Policy]] = {}


def register(name: str) -> Callable[[Callable[[], Policy]], Callable[[], Policy]]:
    def keep(factory: Callable[[], Policy]) -> Callable[[], Policy]:
        if name in _POLICIES:
            raise PolicyError(f"a policy named {name!r} is already registered")
        _POLICIES[name] = factory
        return factory

    return keep


def names() -> list[str]:
    return sorted(_POLICIES)


def load(name: str) -> Policy:
    """A fresh policy by its registered name. Raises `PolicyError`."""
    if name not in _POLICIES:
        raise PolicyError(f"expected a policy, one of {', '.join(names())}; got {name[:60]!r}")
    return _POLICIES[name]()

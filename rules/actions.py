"""What a rule may ask for, parsed from its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAX_PERCENT = 100


class RuleActionError(ValueError):
    """The action is not one; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class ScaleBudget:
    """Multiply the daily budget by `1 + percent / 100`."""

    percent: int

    def target(self, base_micros: int) -> int:
        return base_micros * (100 + self.percent) // 100


@dataclass(frozen=True, slots=True)
class Pause:
    pass


RuleAction = ScaleBudget | Pause


def parse_action(data: Any) -> RuleAction:
    """Raises `RuleActionError`."""
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind == "pause" and set(data) == {"kind"}:
        return Pause()
    if kind == "scale_budget" and set(data) == {"kind", "percent"}:
        percent = data["percent"]
        if type(percent) is int and -MAX_PERCENT < percent <= MAX_PERCENT and percent != 0:
            return ScaleBudget(percent)
        raise RuleActionError(f"action.percent: expected a whole number from -99 to {MAX_PERCENT}, not 0")
    raise RuleActionError('action: expected {"kind": "pause"} or {"kind": "scale_budget", "percent": 15}')

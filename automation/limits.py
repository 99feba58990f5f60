"""The limits of a run: the tenant's own, or the runner's flags on top of them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from accounts.models import AdSet, RolloutStage, Tenant
from automation.guardrails import LimitValues
from automation.models import Action, Limits

_PEAK = re.compile(r"([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-4])")


class LimitError(ValueError):
    """A limit is not one; the message says what was expected."""


def parse_peak_hours(text: str) -> tuple[int, int] | None:
    """`18-22` as (18, 22): from the first hour up to, not including, the last. Empty: no such limit."""
    if not text:
        return None
    match = _PEAK.fullmatch(text)
    if not match or int(match[1]) == int(match[2]):
        raise LimitError(f"peak hours: expected two local hours such as 18-22, got {text[:20]!r}")
    return int(match[1]), int(match[2])


def limits_of(tenant: Tenant) -> Limits | None:
    return Limits.objects.filter(tenant=tenant).prefetch_related("canary_ad_sets__ad_account").first()


def limit_values(row: Limits | None, stage: str) -> LimitValues | None:
    """Plain values for the guardrails; `None`, which blocks everything, when nothing is configured."""
    if row is None:
        return None
    canary = frozenset(ad_set.key for ad_set in row.canary_ad_sets.all())
    return LimitValues(
        hard_daily_cap_micros=row.hard_daily_cap_micros,
        daily_target_micros=row.daily_target_micros,
        step_up_ppm=row.step_up_ppm,
        step_down_ppm=row.step_down_ppm,
        floor_micros=row.floor_micros,
        ceiling_micros=row.ceiling_micros,
        cooldown_hours=row.cooldown_hours,
        freeze_roas_ppm=row.freeze_roas_ppm,
        freeze_no_sale_hours=row.freeze_no_sale_hours,
        peak_hours=parse_peak_hours(row.peak_hours),
        canary=canary if stage == RolloutStage.PILOT else None,
    )


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The runner's flags: the hardest limits of its run, in force until each of its actions is dispatched.

    The daily target counts the ad sets of the run: those on the canary list, or all when there is none.
    """

    daily_target_micros: int
    delta_ppm: int
    floor_micros: int
    ceiling_micros: int
    peak_hours: tuple[int, int] | None
    canary: frozenset[str] | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "peak_hours": list(self.peak_hours) if self.peak_hours else None,
            "canary": None if self.canary is None else sorted(self.canary),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunLimits:
        first_last, canary = data["peak_hours"], data["canary"]
        return cls(**data | {
            "peak_hours": (first_last[0], first_last[1]) if first_last else None,
            "canary": None if canary is None else frozenset(canary),
        })  # fmt: skip

    def on(self, values: LimitValues) -> LimitValues:
        """The tenant's limits with these on top; the tenant's smaller steps, caps and freezes stay."""
        return replace(
            values,
            daily_target_micros=self.daily_target_micros,
            step_up_ppm=min(values.step_up_ppm, self.delta_ppm),
            step_down_ppm=min(values.step_down_ppm, self.delta_ppm),
            floor_micros=self.floor_micros,
            ceiling_micros=self.ceiling_micros,
            peak_hours=self.peak_hours or values.peak_hours,
            canary=self.canary,
        )


def values_for(action: Action, row: Limits | None) -> LimitValues | None:
    """The limits that an action must meet when it is dispatched."""
    values = limit_values(row, action.stage)
    if values is None or action.run_limits is None:
        return values
    return RunLimits.from_json(action.run_limits).on(values)


def scope_ids(tenant: Tenant, run_limits: RunLimits | None) -> frozenset[UUID] | None:
    """The ad sets whose budgets the daily target counts; `None` is all of the tenant's."""
    if run_limits is None or run_limits.canary is None:
        return None
    rows = AdSet.objects.filter(tenant=tenant).select_related("ad_account")
    return frozenset(row.pk for row in rows if row.key in run_limits.canary)

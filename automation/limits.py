"""The limits of a run: the tenant's own, or the runner's flags on top of them."""

from __future__ import annotations

import re
from dataclasses import replace

from accounts.models import RolloutStage, Tenant
from automation.guardrails import LimitValues
from automation.models import Limits

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


def tightened(
    values: LimitValues, *, daily_target_micros: int, delta_ppm: int, floor_micros: int, ceiling_micros: int,
    canary: frozenset[str] | None, peak_hours: tuple[int, int] | None,
) -> LimitValues:  # fmt: skip
    """The limits of one run of the runner: its flags are the hardest, the tenant's others stay."""
    return replace(
        values,
        daily_target_micros=daily_target_micros,
        step_up_ppm=min(values.step_up_ppm, delta_ppm),
        step_down_ppm=min(values.step_down_ppm, delta_ppm),
        floor_micros=floor_micros,
        ceiling_micros=ceiling_micros,
        peak_hours=peak_hours or values.peak_hours,
        canary=canary,
    )

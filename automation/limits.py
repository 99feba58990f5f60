"""The limits of a run: the tenant's own, or the runner's flags on top of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import AdSet, RolloutStage, Status, Tenant, User
from accounts.permissions import CONFIGURE, require
from automation import log
from automation.guardrails import LimitValues
from automation.models import Action, Limits
from rules.proposals import Source

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
        return cls(
            **data
            | {
                "peak_hours": (first_last[0], first_last[1]) if first_last else None,
                "canary": None if canary is None else frozenset(canary),
            }
        )

    def on(self, values: LimitValues) -> LimitValues:
        """The tenant's limits with these on top; the tenant's smaller steps, ceiling, caps and freezes stay."""
        return replace(
            values,
            daily_target_micros=self.daily_target_micros,
            step_up_ppm=min(values.step_up_ppm, self.delta_ppm),
            step_down_ppm=min(values.step_down_ppm, self.delta_ppm),
            floor_micros=self.floor_micros,
            ceiling_micros=min(values.ceiling_micros, self.ceiling_micros),
            peak_hours=self.peak_hours or values.peak_hours,
            canary=self.canary,
        )


def values_for(action: Action, row: Limits | None) -> LimitValues | None:
    """The limits that an action must meet when it is dispatched."""
    values = limit_values(row, action.stage)
    if values is None or action.run_limits is None:
        return values
    return RunLimits.from_json(action.run_limits).on(values)


def why_outdated(action: Action) -> str:
    """Why the ground on which an action was decided is gone; empty when it still stands.

    The runner's stage is its flag; every other action has its account's.
    """
    row = limits_of(action.tenant)
    if row is None or row.version != action.limits_version:
        return "the limits have changed since it was guarded; a new proposal will follow"
    if not action.tenant.is_active or not action.ad_account.is_active:
        return "the tenant or its ad account is switched off"
    if action.source != Source.PERSON and not action.ad_account.autopilot:
        return "the autopilot of the ad account was switched off"
    if action.run_limits is None and action.ad_account.rollout_stage != action.stage:
        return f"the rollout stage has changed since, from {action.stage} to {action.ad_account.rollout_stage}"
    if action.ad_set.status == Status.REMOVED:
        return "the ad set was removed from the platform"
    return ""


def scope_ids(tenant: Tenant, run_limits: RunLimits | None) -> frozenset[UUID] | None:
    """The ad sets whose budgets the daily target counts; `None` is all of the tenant's."""
    if run_limits is None or run_limits.canary is None:
        return None
    rows = AdSet.objects.filter(tenant=tenant).select_related("ad_account")
    return frozenset(row.pk for row in rows if row.key in run_limits.canary)


def save_limits(row: Limits, *, actor: User, canary: Iterable[AdSet] | None = None) -> Limits:
    """Store new or changed limits: a new version, which voids what was proposed under the old one, and a log entry.

    `canary` replaces the canary list; `None` leaves it. Nothing changed: nothing is written. Raises
    `ValidationError` or `LimitError` on a bad limit, `PermissionDenied` without the right.
    """
    require(actor, CONFIGURE, row.tenant)
    parse_peak_hours(row.peak_hours)
    row.full_clean()
    with transaction.atomic():
        stored = Limits.objects.select_for_update().filter(pk=row.pk).first()
        before, after = _as_details(stored), _as_details(row, canary)
        changed = {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
        if stored is not None and not changed:
            return row
        row.version = 1 if stored is None else stored.version + 1
        row.save()
        if canary is not None:
            row.canary_ad_sets.set(canary)
        log.append(
            tenant_id=row.tenant_id,
            event="limits_changed",
            actor=str(actor),
            details={"version": row.version, "changed": changed},
        )
    return row


def _as_details(row: Limits | None, canary: Iterable[AdSet] | None = None) -> dict[str, Any]:
    if row is None:
        return {}
    hidden = {"id", "created_at", "updated_at", "tenant", "version"}
    values = {f.name: getattr(row, f.attname) for f in Limits._meta.concrete_fields if f.name not in hidden}
    if canary is None:
        canary = () if row._state.adding else row.canary_ad_sets.select_related("ad_account")
    return values | {"canary": sorted(ad_set.key for ad_set in canary)}

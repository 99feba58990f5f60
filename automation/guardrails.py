"""Hard limits, independent of what proposed a change. Pure: facts and limits in, verdicts out.

Each guardrail allows, clamps (a smaller change) or blocks. All of them run and every verdict is kept. A
guardrail that raises, or has nothing to go by, blocks. Lowering and pausing are never held back by a limit
on growth: the way to less spend stays open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from accounts.money import PPM, money_text, scale_ppm
from rules.proposals import ChangeKind


class Outcome(StrEnum):
    ALLOW = "allow"
    CLAMP = "clamp"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class LimitValues:
    """The limits in force for a run. Money in micros per day; `canary` is `None` when all may be changed."""

    hard_daily_cap_micros: int
    daily_target_micros: int
    step_up_ppm: int
    step_down_ppm: int
    floor_micros: int
    ceiling_micros: int
    cooldown_hours: int
    freeze_roas_ppm: int
    freeze_no_sale_hours: int
    peak_hours: tuple[int, int] | None
    canary: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of one change at the time of the check; `None` is unknown.

    `base` and `target` are of a change of budget; `budget` is what the ad set's own is now.

    `other_*` add up the tenant's other active budgets, raises in flight included: as they stand (nominal),
    and as the platforms may spend them on their worst day (maximum).
    """

    kind: ChangeKind
    key: str
    currency: str
    limits_currency: str
    base_micros: int | None
    target_micros: int | None
    is_raise: bool
    stop_reason: str
    in_flight: bool
    data_problem: str
    local_hour: int
    roas: Decimal | None
    hours_since_sale: float | None
    hours_since_change: float | None
    changes_last_hour: int
    budget_micros: int | None
    platform_minimum_micros: int | None
    unit_micros: int
    worst_day_ppm: int
    other_nominal_micros: int | None
    other_maximum_micros: int | None
    active_siblings: int


@dataclass(frozen=True, slots=True)
class Verdict:
    guardrail: str
    outcome: Outcome
    reason: str
    target_micros: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """All verdicts, and what is left of the change: `allowed` is false when any of them blocked."""

    allowed: bool
    target_micros: int | None
    verdicts: tuple[Verdict, ...]

    @property
    def reason(self) -> str:
        """The blocks, else the clamps, in one line."""
        wanted = Outcome.CLAMP if self.allowed else Outcome.BLOCK
        return "; ".join(v.reason for v in self.verdicts if v.outcome == wanted)


Check = tuple[Outcome, str, int | None]
Guardrail = Callable[[Facts, LimitValues, int | None], Check]

MAX_CHANGES_PER_HOUR = 2


def _allow(reason: str, target: int | None) -> Check:
    return Outcome.ALLOW, reason, target


def _block(reason: str, target: int | None) -> Check:
    return Outcome.BLOCK, reason, target


def kill_switch(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if facts.stop_reason:
        return _block(facts.stop_reason, target)
    return _allow("the kill switch is open", target)


def currency(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if facts.currency != facts.limits_currency:
        return _block(f"limits are in {facts.limits_currency}, the account in {facts.currency}: no rate", target)
    return _allow("account and limits share a currency", target)


def canary_list(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if limits.canary is None:
        return _allow("this stage changes all ad sets", target)
    if facts.key not in limits.canary:
        return _block("not on the canary list", target)
    return _allow("on the canary list", target)


def one_in_flight(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if facts.in_flight:
        return _block("another write to this ad set is under way or unclear", target)
    return _allow("no other write is under way", target)


def data_health(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if facts.data_problem and facts.is_raise:
        return _block(f"no raise on doubtful data: {facts.data_problem}", target)
    return _allow(facts.data_problem or "figures are complete and fresh", target)


def low_roas_freeze(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if not facts.is_raise:
        return _allow("does not raise spend", target)
    if facts.roas is None:
        return _block("the account's ROAS of the last 24 hours is unknown", target)
    threshold = Decimal(limits.freeze_roas_ppm) / PPM
    if facts.roas < threshold:
        return _block(f"the account's ROAS of the last 24 hours is {facts.roas:.2f}, under {threshold:.2f}", target)
    return _allow(f"the account's ROAS of the last 24 hours is {facts.roas:.2f}", target)


def no_sale_freeze(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if not facts.is_raise:
        return _allow("does not raise spend", target)
    if facts.hours_since_sale is None:
        return _block("it is unknown when the last order came", target)
    if facts.hours_since_sale >= limits.freeze_no_sale_hours:
        return _block(f"no order for {facts.hours_since_sale:.0f} hours", target)
    return _allow(f"the last order is {facts.hours_since_sale:.0f} hours old", target)


def cooldown(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    since = facts.hours_since_change
    if since is not None and since < limits.cooldown_hours:
        return _block(f"changed {since:.0f} hours ago; the cooldown is {limits.cooldown_hours} hours", target)
    return _allow("not changed lately", target)


def change_rate(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    """Meta blocks an ad set at its fifth budget change in an hour; half of that is used."""
    if facts.changes_last_hour >= MAX_CHANGES_PER_HOUR:
        return _block(f"{facts.changes_last_hour} changes in the last hour", target)
    return _allow(f"{facts.changes_last_hour} changes in the last hour", target)


def peak_hours(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if limits.peak_hours is None or not facts.is_raise:
        return _allow("raises are not bound to hours" if facts.is_raise else "does not raise spend", target)
    first, last = limits.peak_hours
    inside = first <= facts.local_hour < last if first < last else not last <= facts.local_hour < first
    if not inside:
        return _block(f"raises only from {first}:00 to {last}:00, it is {facts.local_hour}:00", target)
    return _allow(f"within the peak hours {first}-{last}", target)


def whole_steps(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    """A platform counts in whole steps of its own; the part of one is left off."""
    if target is None or target % facts.unit_micros == 0:
        return _allow("in whole steps of the platform", target)
    whole = target // facts.unit_micros * facts.unit_micros
    return Outcome.CLAMP, f"the platform counts in steps of {money_text(facts.unit_micros, facts.currency)}", whole


def floor_and_ceiling(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    """Never lowers below the floor, never leaves more than the ceiling; raises nothing by itself."""
    if target is None or facts.base_micros is None:
        return _allow("no budget is set", target)
    ceiling = limits.ceiling_micros // facts.unit_micros * facts.unit_micros
    floor = min(-(-limits.floor_micros // facts.unit_micros) * facts.unit_micros, facts.base_micros)
    if target > ceiling:
        return Outcome.CLAMP, f"the ceiling is {money_text(ceiling, facts.currency)} a day", ceiling
    if target < floor:
        return Outcome.CLAMP, f"the floor is {money_text(limits.floor_micros, facts.currency)} a day", floor
    return _allow("between floor and ceiling", target)


def platform_minimum(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if target is None:
        return _allow("no budget is set", target)
    if facts.platform_minimum_micros is None:
        return _block("the platform's minimum budget is unknown", target)
    if target < facts.platform_minimum_micros:
        minimum = facts.platform_minimum_micros
        return (
            Outcome.CLAMP,
            f"the platform's minimum is {money_text(minimum, facts.currency)} a day",
            minimum,
        )
    return _allow("above the platform's minimum", target)


def step(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if target is None or not facts.base_micros:
        return _allow("no budget is scaled", target)
    unit, base = facts.unit_micros, facts.base_micros
    high = (base + scale_ppm(base, limits.step_up_ppm)) // unit * unit
    low = -(-(base - scale_ppm(base, limits.step_down_ppm)) // unit) * unit
    if target > high:
        return Outcome.CLAMP, f"at most +{limits.step_up_ppm / 10_000:g} % at a time", high
    if target < low:
        return Outcome.CLAMP, f"at most −{limits.step_down_ppm / 10_000:g} % at a time", low
    return _allow("within one step", target)


def daily_target(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    """The nominal budgets together; lowering is always allowed."""
    return _room(facts, target, limits.daily_target_micros, facts.other_nominal_micros, PPM, "daily target")


def hard_cap(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    """What the platforms together may spend on their worst day; lowering is always allowed."""
    return _room(
        facts,
        target,
        limits.hard_daily_cap_micros,
        facts.other_maximum_micros,
        facts.worst_day_ppm,
        "hard cap",
    )


def _room(facts: Facts, target: int | None, cap: int, others: int | None, factor_ppm: int, name: str) -> Check:
    if not facts.is_raise:
        return _allow("does not raise spend", target)
    is_budget = facts.kind == ChangeKind.SET_BUDGET
    wanted, base = (target, facts.base_micros) if is_budget else (facts.budget_micros, 0)
    if wanted is None or base is None or others is None:
        return _block(f"the room under the {name} is unknown", target)
    room = max(0, cap - others) * PPM // factor_ppm // facts.unit_micros * facts.unit_micros
    text = f"the {name} of {money_text(cap, facts.currency)} leaves {money_text(room, facts.currency)} for it"
    if wanted <= base or wanted <= room:
        return _allow(text, target)
    if room <= base or not is_budget:
        return _block(text, target)
    return Outcome.CLAMP, text, room


def last_active(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if facts.kind == ChangeKind.SET_STATUS and not facts.is_raise and facts.active_siblings == 0:
        return _block("the last active ad set of the account is not paused", target)
    return _allow("others stay active", target)


def something_left(facts: Facts, limits: LimitValues, target: int | None) -> Check:
    if facts.kind == ChangeKind.SET_BUDGET and (target is None or target == facts.base_micros):
        return _block("after the limits nothing is left to change", target)
    if facts.base_micros is not None and target is not None and not facts.is_raise and target > facts.base_micros:
        return _block("a limit would turn a cut into a raise", target)
    if target is not None and facts.platform_minimum_micros is not None and target < facts.platform_minimum_micros:
        return _block("the limits leave less than the platform's minimum", target)
    return _allow("a change remains", target)


GUARDRAILS: tuple[Guardrail, ...] = (
    kill_switch,
    currency,
    canary_list,
    one_in_flight,
    data_health,
    low_roas_freeze,
    no_sale_freeze,
    cooldown,
    change_rate,
    peak_hours,
    whole_steps,
    floor_and_ceiling,
    platform_minimum,
    step,
    daily_target,
    hard_cap,
    last_active,
    something_left,
)


def guard(facts: Facts, limits: LimitValues | None, guardrails: tuple[Guardrail, ...] = GUARDRAILS) -> Decision:
    """Every guardrail in order, each seeing what the one before left of the change."""
    if limits is None:
        verdict = Verdict("limits", Outcome.BLOCK, "the tenant has no limits configured", facts.target_micros)
        return Decision(False, facts.target_micros, (verdict,))
    target, verdicts = facts.target_micros, []
    for guardrail in guardrails:
        name = guardrail.__name__
        try:
            outcome, reason, left = guardrail(facts, limits, target)
        except Exception as error:
            outcome, reason, left = Outcome.BLOCK, f"{name} failed: {type(error).__name__}", target
        if outcome is Outcome.CLAMP:
            target = left
        verdicts.append(Verdict(name, outcome, reason[:300], target))
    return Decision(all(v.outcome != Outcome.BLOCK for v in verdicts), target, tuple(verdicts))

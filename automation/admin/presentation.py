"""How a change reads: before and after, the money at stake, why it was proposed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.money import MICROS, money_text
from automation.models import Action, Change, Verdict
from automation.states import State

STATE_COLOURS: dict[str, str] = {
    State.PROPOSED: "default",
    State.GUARDED: "info",
    State.AWAITING_APPROVAL: "warning",
    State.APPROVED: "primary",
    State.DISPATCHING: "primary",
    State.APPLIED: "success",
    State.UNKNOWN: "danger",
    State.FAILED: "danger",
    State.CONFLICT: "danger",
    State.REJECTED: "default",
    State.EXPIRED: "default",
    State.SUPERSEDED: "default",
    State.ROLLED_BACK: "default",
}
OUTCOME_COLOURS: dict[str, str] = {
    Verdict.Outcome.ALLOW: "success",
    Verdict.Outcome.CLAMP: "warning",
    Verdict.Outcome.BLOCK: "danger",
}
UNDER_WAY = (State.APPROVED, State.DISPATCHING, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ChangeText:
    """One change in words: `40.00 USD` to `44.00 USD`, `+10 %`, `+4.00 USD a day`."""

    before: str
    after: str
    percent: str
    per_day: str
    wanted: str


def change_text(change: Change) -> ChangeText:
    if change.kind != "set_budget" or change.base_micros is None or change.target_micros is None:
        return ChangeText(change.base_status.capitalize(), change.target_status.capitalize(), "", "", "")
    currency, difference = change.currency, change.target_micros - change.base_micros
    wanted = getattr(change, "proposed_micros", None)
    return ChangeText(
        before=money_text(change.base_micros, currency),
        after=money_text(change.target_micros, currency),
        percent=_percent(difference, change.base_micros),
        per_day=signed_money(difference, currency),
        wanted=money_text(wanted, currency) if wanted not in (None, change.target_micros) else "",
    )


def signed_money(micros: int, currency: str) -> str:
    return f"{'+' if micros > 0 else '−' if micros < 0 else '±'}{money_text(abs(micros), currency)}"


def at_stake(action: Action) -> str:
    """The most that the platform may spend more in a day because of it."""
    extra = action.maximum_extra_micros
    return signed_money(extra, action.currency) if extra else "no extra spend"


def held_text(action: Action) -> str:
    """What was read back from the platform after the write."""
    held = action.read_back
    return money_text(int(held), action.currency) if held.isdigit() else held


def _percent(difference: int, base: int) -> str:
    if not base:
        return "new"
    share = (Decimal(difference) * 100 / base).quantize(Decimal("0.1"))
    return f"{share.normalize():+f} %".replace("-", "−")


def readings_of(change: Change) -> list[dict[str, Any]]:
    """The rule's comparisons as they were evaluated, values cut to two places."""
    evidence = change.evidence if isinstance(change.evidence, dict) else {}
    return [{**reading, "value": _short(reading.get("value"))} for reading in evidence.get("readings", [])]


def _short(value: str | None) -> str:
    return "unknown" if value is None else f"{Decimal(value):.2f}".removesuffix(".00")


def expected_profit(change: Change) -> str:
    """What a policy expects the change to earn a day; empty when it did not say."""
    evidence = change.evidence if isinstance(change.evidence, dict) else {}
    value = evidence.get("expected_profit_change")
    return "" if value in (None, "") else signed_money(int(Decimal(str(value)) * MICROS), change.currency)


@dataclass(frozen=True, slots=True)
class MoneyTotal:
    """What a set of changes does to the daily budgets of one currency, together."""

    currency: str
    raised: str
    lowered: str
    maximum_extra: str


def money_totals(actions: Iterable[Action]) -> list[MoneyTotal]:
    sums: dict[str, list[int]] = {}
    for action in actions:
        total = sums.setdefault(action.currency, [0, 0, 0])
        difference = (action.target_micros or 0) - (action.base_micros or 0) if action.kind == "set_budget" else 0
        total[0] += max(0, difference)
        total[1] += max(0, -difference)
        total[2] += action.maximum_extra_micros
    return [
        MoneyTotal(currency, *(money_text(micros, currency) for micros in total))
        for currency, total in sorted(sums.items())
    ]

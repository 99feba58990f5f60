"""All rules over one snapshot: what is true, and what each true rule proposes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from metrics.snapshot import AdSetFacts, Snapshot
from rules.actions import Pause, RuleAction, RuleActionError, parse_action
from rules.conditions import ConditionError, Node, Reading, parse, windows_of
from rules.models import AutomationMode, RiskLevel, Rule
from rules.proposals import ChangeKind, Proposal, Source


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A rule's result on one ad set: true, false or unknown (`None`), with everything that was read."""

    rule: Rule
    ad_set: AdSetFacts
    result: bool | None
    readings: tuple[Reading, ...]


def broken_rules(rules: Iterable[Rule]) -> dict[Rule, str]:
    """The stored rules that cannot be read, with the reason: they are left out, the others go on."""
    found = {}
    for rule in rules:
        try:
            parse(rule.condition)
            parse_action(rule.action)
        except (ConditionError, RuleActionError) as error:
            found[rule] = str(error)
    return found


def evaluate_rules(rules: Iterable[Rule], snapshot: Snapshot) -> list[Evaluation]:
    """Each rule on every ad set in its scope. Raises `ConditionError` on a broken rule."""
    found = []
    for rule in rules:
        condition = parse(rule.condition)
        for index, ad_set in enumerate(snapshot.ad_sets):
            if rule.ad_account_id in (None, ad_set.ad_account_id):
                found.append(_evaluate(rule, condition, snapshot, index))
    return found


def _evaluate(rule: Rule, condition: Node, snapshot: Snapshot, index: int) -> Evaluation:
    windows = {token: snapshot.window(index, token) for token in windows_of(condition)}
    readings: list[Reading] = []
    result = condition.evaluate(windows, readings)
    return Evaluation(rule, snapshot.ad_sets[index], result, tuple(readings))


def proposals_of(evaluations: Iterable[Evaluation]) -> list[Proposal]:
    """A proposal for each true evaluation that would change something. Only true acts."""
    proposals = (
        _proposal(evaluation, parse_action(evaluation.rule.action))
        for evaluation in evaluations
        if evaluation.result is True and evaluation.ad_set.status == "active"
    )
    return [proposal for proposal in proposals if proposal is not None]


def _proposal(evaluation: Evaluation, action: RuleAction) -> Proposal | None:
    rule, ad_set = evaluation.rule, evaluation.ad_set
    shared: dict[str, Any] = {
        "ad_set_id": ad_set.id,
        "source": Source.RULE,
        "source_name": rule.name,
        "source_id": str(rule.pk),
        "source_version": rule.version,
        "priority": rule.priority,
        "is_safety": rule.is_safety,
        "may_run_alone": _may_run_alone(rule),
        "reason": _reason(evaluation),
        "evidence": {"readings": [asdict(reading) for reading in evaluation.readings]},
    }
    if isinstance(action, Pause):
        return Proposal(kind=ChangeKind.SET_STATUS, base=ad_set.status, target="paused", **shared)
    if not ad_set.daily_budget_micros:
        return None
    target = action.target(ad_set.daily_budget_micros)
    return Proposal(kind=ChangeKind.SET_BUDGET, base=ad_set.daily_budget_micros, target=target, **shared)


def _may_run_alone(rule: Rule) -> bool:
    return rule.mode == AutomationMode.AUTO_ALL or (
        rule.mode == AutomationMode.AUTO_LOW and rule.risk_level == RiskLevel.LOW
    )


def _reason(evaluation: Evaluation) -> str:
    """`ROAS of the last 3 days is 3.42 (>= 2.5)` for each comparison that held."""
    parts = [
        f"{reading.metric} over {reading.window} is {float(reading.value):.4g} ({reading.operator} {reading.threshold})"
        for reading in evaluation.readings
        if reading.result and reading.value is not None
    ]
    return "; ".join(parts)[:500]

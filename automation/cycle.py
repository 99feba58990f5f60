"""The hour: sync, account, propose, arbitrate, guard, route. Dispatch follows from what was approved.

Each step is idempotent; an hour is keyed by (ad account, slot). Only the sync talks to platforms, and no
transaction is open while it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
from django.db import transaction
from django.db.models import F, Q, Sum

from accounts.alerts import raise_alert
from accounts.clock import wall_now
from accounts.hours import HOUR, day_bounds, local_day
from accounts.models import AdAccount, Tenant
from accounts.models.alerts import Severity
from accounts.money import MICROS
from automation.limits import limit_values, limits_of
from automation.models import Action, Limits, PolicyRun
from automation.pipeline import Setting, submit
from brain.observe import observe
from brain.policies import Policy, load
from connectors.units import budget_unit_micros
from metrics.accounting import account_slot
from metrics.models import HourlyMetric
from metrics.pull import Pulled, pull
from metrics.rewards import next_lambda_ppm
from metrics.snapshot import Snapshot, load_snapshot
from rules.engine import broken_rules, evaluate_rules, proposals_of
from rules.models import Rule
from rules.proposals import ChangeKind, Proposal, Source

ACCOUNT_LOOKBACK = timedelta(hours=72)
RUN_LEASE = timedelta(minutes=10)
MAX_RUN_ATTEMPTS = 3
DEFAULT_POLICY = "roas_rules"


@dataclass(slots=True)
class HourReport:
    """What one hour of a tenant did."""

    slot: datetime
    pulled: Pulled
    runs: list[PolicyRun] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)


def run_hour(tenant: Tenant, slot: datetime, *, policy: str = DEFAULT_POLICY) -> HourReport:
    """One hour of the tenant; a second call for the same slot adds nothing.

    Every active ad account is read, and decided where its autopilot is on. A source that cannot be read leaves
    an alert and stale figures, on which the guardrails allow no raise. A slot before one that was run already is
    missed: it is not acted on any more.
    """
    if PolicyRun.objects.filter(tenant=tenant, slot__gt=slot).exists():
        return HourReport(slot, Pulled())
    as_of = slot + HOUR
    report = HourReport(slot, pull(tenant, as_of=as_of))
    account_slot(tenant, as_of=as_of, lookback=report.pulled.lookback(as_of, ACCOUNT_LOOKBACK))
    move_lambda(tenant, as_of)
    for account in AdAccount.objects.filter(tenant=tenant, is_active=True, autopilot=True):
        decide_account(tenant, account, slot, policy=policy, report=report)
    return report


def move_lambda(tenant: Tenant, as_of: datetime) -> None:
    """Once for each finished local day: the price of money follows the spend against the daily target."""
    yesterday = local_day(as_of - HOUR, tenant.timezone) - timedelta(days=1)
    limits = limits_of(tenant)
    if limits is None or (tenant.lambda_day and tenant.lambda_day >= yesterday):
        return
    start, end = day_bounds(yesterday, tenant.timezone)
    spent = HourlyMetric.objects.filter(
        tenant=tenant, hour__gte=start, hour__lt=end, ad_account__currency=tenant.currency
    ).aggregate(total=Sum("spend_micros"))["total"]
    if spent is None:
        return
    moved = next_lambda_ppm(tenant.lambda_spend_ppm, tenant.lagrange_step_ppm, spent, limits.daily_target_micros)
    _store_lambda(tenant, yesterday, moved)


def _store_lambda(tenant: Tenant, day: date, lambda_ppm: int) -> None:
    fresh = Q(lambda_day__isnull=True) | Q(lambda_day__lt=day)
    Tenant.objects.filter(fresh, pk=tenant.pk).update(lambda_day=day, lambda_spend_ppm=lambda_ppm)
    tenant.refresh_from_db(fields=["lambda_day", "lambda_spend_ppm"])


def decide_account(tenant: Tenant, account: AdAccount, slot: datetime, *, policy: str, report: HourReport) -> None:
    """Propose and decide for one ad account and slot, once."""
    run = claim_run(tenant, account, slot, policy)
    if run is None:
        return
    as_of = slot + HOUR
    snapshot = load_snapshot(tenant, as_of=as_of)
    row = limits_of(tenant)
    own = {snapshot.ad_sets[index].id for index in snapshot.of_account(account.pk)}
    with transaction.atomic():
        proposals = [
            proposal
            for proposal in (
                *rule_proposals(tenant, snapshot),
                *policy_proposals(load(policy), policy, snapshot, row),
            )
            if proposal.ad_set_id in own
        ]
        setting = Setting(tenant, snapshot, run.stage, row, limit_values(row, run.stage), run)
        actions = submit(setting, proposals)
        PolicyRun.objects.filter(pk=run.pk).update(
            status=PolicyRun.Status.DONE, finished_at=wall_now(), lease_until=None
        )
    report.runs.append(run)
    report.actions.extend(actions)


def claim_run(tenant: Tenant, account: AdAccount, slot: datetime, policy: str) -> PolicyRun | None:
    """The run of this slot for this worker alone; `None` when done, taken, overtaken, or tried too often."""
    if PolicyRun.objects.filter(ad_account=account, slot__gt=slot).exists():
        return None
    run, _ = PolicyRun.objects.get_or_create(
        ad_account=account,
        slot=slot,
        defaults={"tenant": tenant, "stage": account.rollout_stage, "policy": policy},
    )
    now = wall_now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
    claimed = PolicyRun.objects.filter(
        free, pk=run.pk, status=PolicyRun.Status.RUNNING, attempts__lt=MAX_RUN_ATTEMPTS
    ).update(lease_until=now + RUN_LEASE, attempts=F("attempts") + 1)
    return run if claimed else None


def rule_proposals(tenant: Tenant, snapshot: Snapshot) -> list[Proposal]:
    """What the enabled rules propose; a rule that cannot be read raises an alert and holds back no other."""
    rules = list(Rule.objects.filter(tenant=tenant, is_enabled=True))
    broken = broken_rules(rules)
    for rule, problem in broken.items():
        message = f"the rule {rule} cannot be read and is left out: {problem}"
        raise_alert(tenant, key=f"rule {rule.pk}", severity=Severity.CRITICAL, message=message)
    return proposals_of(evaluate_rules([rule for rule in rules if rule not in broken], snapshot))


def policy_proposals(policy: Policy, name: str, snapshot: Snapshot, row: Limits | None) -> Iterable[Proposal]:
    """What the policy wants, as proposals; without limits it is not asked."""
    if row is None or not snapshot.ad_sets:
        return []
    observation = observe(
        snapshot,
        daily_target_micros=row.daily_target_micros,
        floor_micros=row.floor_micros,
        ceiling_micros=row.ceiling_micros,
        step_ppm=min(row.step_up_ppm, row.step_down_ppm),
    )
    policy.reset(len(snapshot.ad_sets), seed=0)
    wanted = policy.decide(observation)
    explanation = policy.explain()
    proposals = []
    for index, ad_set in enumerate(snapshot.ad_sets):
        target = wanted_micros(wanted[index], ad_set.platform, ad_set.currency)
        if target is None or ad_set.daily_budget_micros is None or target == ad_set.daily_budget_micros:
            continue
        features = explanation.features[index]
        proposals.append(
            Proposal(
                ad_set_id=ad_set.id,
                kind=ChangeKind.SET_BUDGET,
                base=ad_set.daily_budget_micros,
                target=target,
                source=Source.POLICY,
                source_name=name,
                may_run_alone=True,
                reason=f"the policy {name} wants it: {', '.join(features)}"[:500],
                evidence={"expected_profit_change": _decimal_text(explanation.expected_profit_change[index])},
            )
        )
    return proposals


def wanted_micros(wanted: float, platform: str, currency: str) -> int | None:
    """A policy's wish in whole budget steps of the platform; `None` means leave alone."""
    if not np.isfinite(wanted) or wanted <= 0:
        return None
    unit = budget_unit_micros(platform, currency)
    return max(unit, round(wanted * MICROS) // unit * unit)


def _decimal_text(value: float) -> str | None:
    return f"{value:.2f}" if np.isfinite(value) else None

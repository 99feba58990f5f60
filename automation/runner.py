"""The runner: one decision of the policy under hard limits from the command line, and the shadow replay.

`decide_now` prints and, in pilot mode, writes; `replay` walks past days hour by hour and writes nothing
anywhere. The flags are the hardest limits of that run; only a platform's own minimum budget outranks them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from accounts.hours import HOUR, day_bounds, local_day
from accounts.models import AdSet, RolloutStage, Status, Tenant
from automation.cycle import ACCOUNT_LOOKBACK, wanted_micros
from automation.dispatch import dispatch
from automation.facts import Budget
from automation.guardrails import Decision, LimitValues
from automation.limits import LimitError, RunLimits, limit_values, limits_of
from automation.models import Action, Limits
from automation.pipeline import Setting, decide, submit
from automation.states import State
from brain.observe import observe
from brain.policies import Policy, load
from connectors.connections import connect_ad_account
from metrics.accounting import account_slot
from metrics.pull import check_ready, pull, sources
from metrics.rewards import Earned, reward_micros
from metrics.snapshot import DEFAULT_LOOKBACK, Snapshot, load_snapshot
from rules.proposals import ChangeKind, Proposal, Source


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line sets."""

    mode: str
    policy: str
    limits: RunLimits

    def __post_init__(self) -> None:
        if self.limits.floor_micros > self.limits.ceiling_micros:
            raise LimitError("min-hourly: expected at most max-hourly")
        if self.mode == RolloutStage.PILOT and not self.limits.canary:
            raise LimitError("pilot mode writes for the canary list only: expected --canary-list")


@dataclass(frozen=True, slots=True)
class Line:
    """The runner's answer for one ad set; money in micros per day, `None` where there is no budget."""

    key: str
    name: str
    currency: str
    current_micros: int | None
    wanted_micros: int | None
    allowed_micros: int | None
    verdict: str
    reason: str
    state: str = ""


class RunnerError(Exception):
    """The run cannot be done; one clear line. Nothing was changed."""


def tenant_for(slug: str | None) -> Tenant:
    """The tenant named, or the only one there is. Raises `RunnerError`."""
    active = Tenant.objects.filter(is_active=True)
    if slug:
        found: Tenant | None = active.filter(slug=slug).first()
        if found is None:
            raise RunnerError(f"no tenant has the slug {slug[:60]!r}")
        return found
    choices: list[Tenant] = list(active[:2])
    if len(choices) != 1:
        raise RunnerError("expected --tenant SLUG: there is " + ("more than one tenant" if choices else "no tenant"))
    return choices[0]


def check_canary(tenant: Tenant, canary: Iterable[str]) -> None:
    """Raises `RunnerError` for an entry that is no ad set of the tenant, known here or on its platform."""
    for key in canary:
        platform, _, external_id = key.partition(":")
        if (
            AdSet.objects.filter(tenant=tenant, ad_account__platform=platform, external_id=external_id)
            .exclude(status=Status.REMOVED)
            .exists()
        ):
            continue
        listed = (
            record.external_id
            for account in sources(tenant)[0]
            if account.platform == platform
            for record in connect_ad_account(account).ad_sets()
        )
        if external_id not in listed:
            raise RunnerError(f"canary-list: no ad set {key[:80]!r} (expected platform:external id)")


def decide_now(tenant: Tenant, slot: datetime, flags: Flags) -> list[Line]:
    """Sync, ask the policy, guard, and in pilot mode write for the canary list.

    Raises `ConnectorError` or `RunnerError` before anything is stored when the run cannot be done.
    """
    row = limits_of(tenant)
    tenant_limits = limit_values(row, flags.mode)
    if row is None or tenant_limits is None:
        raise RunnerError(f"tenant {tenant.slug} has no limits: without a hard cap nothing is decided")
    as_of = slot + HOUR
    check_ready(tenant, as_of)
    check_canary(tenant, flags.limits.canary or ())
    pulled = pull(tenant, as_of=as_of)
    account_slot(tenant, as_of=as_of, lookback=pulled.lookback(as_of, ACCOUNT_LOOKBACK))
    if pulled.problems:  # after what did arrive is accounted: it is not read again
        raise RunnerError(pulled.problems[0])
    snapshot = load_snapshot(tenant, as_of=as_of)
    limits = flags.limits.on(tenant_limits)
    setting = Setting(tenant, snapshot, flags.mode, row, limits, run_limits=flags.limits)
    return list(_lines(setting, flags, scope_of(snapshot, limits)))


def scope_of(snapshot: Snapshot, limits: LimitValues) -> list[int]:
    """The ad sets that the run may change: active, with a daily budget, on the canary list if there is one."""
    return [
        index
        for index, ad_set in enumerate(snapshot.ad_sets)
        if ad_set.status == Status.ACTIVE
        and ad_set.daily_budget_micros
        and (limits.canary is None or ad_set.key in limits.canary)
    ]


def wishes(policy: Policy, snapshot: Snapshot, in_scope: list[int], limits: LimitValues) -> dict[int, int]:
    """What the policy wants for the ad sets in scope, fitted under the daily target together."""
    part = snapshot.select(in_scope)
    observation = observe(
        part,
        daily_target_micros=limits.daily_target_micros,
        floor_micros=limits.floor_micros,
        ceiling_micros=limits.ceiling_micros,
        step_ppm=min(limits.step_up_ppm, limits.step_down_ppm),
    )
    policy.reset(len(in_scope), seed=0)
    decided = policy.decide(observation)
    wanted = np.where(np.isfinite(decided), decided, observation.budgets)
    total = float(wanted.sum())
    if total > observation.daily_cap:
        wanted = wanted * (observation.daily_cap / total)
    found = {}
    for index, ad_set, value in zip(in_scope, part.ad_sets, wanted, strict=True):
        target = wanted_micros(float(value), ad_set.platform, ad_set.currency)
        found[index] = ad_set.daily_budget_micros if target is None else target
    return {index: value for index, value in found.items() if value}


def _proposal(snapshot: Snapshot, index: int, target: int, policy: str) -> Proposal:
    ad_set = snapshot.ad_sets[index]
    return Proposal(
        ad_set_id=ad_set.id,
        kind=ChangeKind.SET_BUDGET,
        base=ad_set.daily_budget_micros or 0,
        target=target,
        source=Source.POLICY,
        source_name=policy,
        may_run_alone=True,
        reason=f"the runner's policy {policy}",
    )


def _lines(setting: Setting, flags: Flags, in_scope: list[int]) -> Iterator[Line]:
    assert setting.limits is not None
    snapshot = setting.snapshot
    wanted = wishes(load(flags.policy), snapshot, in_scope, setting.limits)
    for index in range(len(snapshot.ad_sets)):
        if index not in wanted:
            yield _untouched(snapshot, index, setting.limits)
            continue
        yield _decide_one(setting, flags, index, wanted[index])


def _untouched(snapshot: Snapshot, index: int, limits: LimitValues) -> Line:
    ad_set = snapshot.ad_sets[index]
    if ad_set.status != Status.ACTIVE:
        reason = f"{ad_set.status}: not steered"
    elif not ad_set.daily_budget_micros:
        reason = "no daily budget of its own: the campaign carries it"
    else:
        reason = "not on the canary list"
    current = ad_set.daily_budget_micros
    return Line(ad_set.key, ad_set.name, ad_set.currency, current, None, current, "refused", reason)


def _decide_one(setting: Setting, flags: Flags, index: int, wanted: int) -> Line:
    ad_set = setting.snapshot.ad_sets[index]
    proposal = _proposal(setting.snapshot, index, wanted, flags.policy)
    decision = decide(setting, proposal, setting.budgets())
    current = ad_set.daily_budget_micros
    allowed = decision.target_micros if decision.allowed else current
    line = Line(
        ad_set.key,
        ad_set.name,
        ad_set.currency,
        current,
        wanted,
        allowed,
        _verdict(decision, wanted, current),
        decision.reason,
    )
    if flags.mode != RolloutStage.PILOT or not decision.allowed:
        return line
    return _write(setting, proposal, line)


def _verdict(decision: Decision, wanted: int, current: int | None) -> str:
    if decision.allowed:
        return "allowed" if decision.target_micros == wanted else "clamped"
    return "held" if wanted == current else "refused"


def _write(setting: Setting, proposal: Proposal, line: Line) -> Line:
    """Through the same pipeline and dispatch as every hour; what needs a person waits for one."""
    actions = submit(setting, [proposal])
    if not actions:
        return replace(line, verdict="refused", reason="the same change is under way already")
    action = actions[0]
    if action.state == State.APPROVED:
        dispatch(action.pk)
        action = Action.objects.get(pk=action.pk)
    return replace(line, state=action.state, reason=action.note or line.reason)


# --- Shadow replay -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Episode:
    """A day of 24 hourly steps in the tenant's zone, as it was, and what would have been done."""

    start: datetime
    end: datetime
    hours_known: int = 0
    revenue_micros: int = 0
    spend_micros: int = 0
    reward_micros: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    budget_change_micros: int = 0


def replay(
    tenant: Tenant,
    slot: datetime,
    *,
    episodes: int,
    policy: str,
    limits: LimitValues,
    row: Limits,
    progress: Callable[[int], None] = lambda steps: None,
) -> list[Episode]:
    """The last `episodes` finished days: each hour sees only the hours before it. Reads, writes nothing.

    Budgets are today's, since the past ones are not recorded; what would have been done is counted, not
    carried into the next hour. Raises `RunnerError` when no hour of the span is known.
    """
    days = finished_days(slot + HOUR, tenant.timezone, episodes)
    whole = load_snapshot(tenant, as_of=days[-1][1], lookback=days[-1][1] - days[0][0] + DEFAULT_LOOKBACK)
    if not whole.spend_known.any():
        raise RunnerError("no hour of these days is known: run `manage.py sync` first")
    setting = Setting(tenant, whole, RolloutStage.SHADOW, row, limits, is_replay=True)
    budgets, decider = setting.budgets(), load(policy)
    found = []
    for start, end in days:
        episode = Episode(start, end)
        _add_what_was(episode, whole, tenant)
        for step in range(round((end - start) / HOUR)):
            then = replace(setting, snapshot=whole.cut(start + step * HOUR))
            _add_what_would_be(episode, then, budgets, decider, policy)
            progress(1)
        found.append(episode)
    return found


def finished_days(as_of: datetime, zone: str, count: int) -> list[tuple[datetime, datetime]]:
    """UTC bounds of the newest `count` finished local days, oldest first."""
    today = local_day(as_of, zone)
    return [day_bounds(today - timedelta(days=back), zone) for back in range(count, 0, -1)]


def _add_what_was(episode: Episode, whole: Snapshot, tenant: Tenant) -> None:
    rows = np.array([episode.start <= hour < episode.end for hour in whole.hours])
    columns = {name: int(column[rows].sum()) for name, column in whole.columns.items()}
    episode.hours_known = int(whole.spend_known[rows].all(axis=1).sum())
    earned = Earned(
        columns["orders"],
        columns["revenue_micros"],
        columns["refunds_micros"],
        columns["spend_micros"],
        columns["cogs_micros"],
    )
    episode.spend_micros = earned.spend_micros
    episode.revenue_micros = earned.revenue_micros - earned.refunds_micros
    episode.reward_micros = reward_micros(earned, tenant.lambda_spend_ppm)


def _add_what_would_be(
    episode: Episode,
    setting: Setting,
    budgets: tuple[list[Budget], list[Budget]],
    decider: Policy,
    policy: str,
) -> None:
    snapshot, limits = setting.snapshot, setting.limits
    if limits is None or not (in_scope := scope_of(snapshot, limits)):
        return
    for index, wanted in wishes(decider, snapshot, in_scope, limits).items():
        current = snapshot.ad_sets[index].daily_budget_micros or 0
        if wanted == current:
            episode.verdicts["held"] += 1
            continue
        decision = decide(setting, _proposal(snapshot, index, wanted, policy), budgets)
        verdict = _verdict(decision, wanted, current)
        episode.verdicts[verdict] += 1
        if decision.allowed:
            episode.budget_change_micros += (decision.target_micros or current) - current

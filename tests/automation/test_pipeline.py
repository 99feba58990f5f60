"""From proposals to actions, on rows of a house; the cycle's own tests run it on a sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import AdSet
from accounts.money import MICROS
from automation import approvals
from automation.actions import transition
from automation.cycle import wanted_micros
from automation.dispatch import claim
from automation.limits import limit_values, limits_of
from automation.models import Action, Limits, LogEntry
from automation.pipeline import Setting, submit
from automation.states import State
from metrics.snapshot import load_snapshot
from rules.proposals import ChangeKind, Proposal, Source
from tests.automation.conftest import reread
from tests.factories import AS_OF, House, add_history, awaiting


@pytest.fixture
def busy(house: House) -> House:
    add_history(house)
    return house


def propose(house: House, *proposals: Proposal) -> list[Action]:
    row = limits_of(house.tenant)
    snapshot = load_snapshot(house.tenant, as_of=AS_OF)
    return submit(Setting(house.tenant, snapshot, "expand", row, limit_values(row, "expand")), proposals)


def budget(house: House, micros: int, *, number: int = 0, **values: Any) -> Proposal:
    ad_set = house.ad_sets[number]
    return Proposal(
        ad_set_id=ad_set.pk,
        kind=ChangeKind.SET_BUDGET,
        base=ad_set.daily_budget_micros or 0,
        target=micros,
        source=Source.POLICY,
        source_name="policy",
        may_run_alone=True,
        reason="more",
        **values,
    )


def pause(house: House, number: int = 0) -> Proposal:
    return Proposal(
        ad_set_id=house.ad_sets[number].pk,
        kind=ChangeKind.SET_STATUS,
        base="active",
        target="paused",
        source=Source.RULE,
        source_name="stop loss",
        may_run_alone=True,
        reason="no sales",
        is_safety=True,
    )


def test_a_blocked_proposal_does_not_replace_what_was_approved(busy: House) -> None:
    Limits.objects.update(freeze_roas_ppm=99_000_000)
    cut = awaiting(busy, percent=-10)
    approvals.approve(action_id=cut.pk, digest=cut.digest, actor=busy.approver)
    (raised,) = propose(busy, budget(busy, 41 * MICROS))
    assert raised.state == State.REJECTED and "ROAS" in raised.note
    assert reread(cut).state == State.APPROVED
    events = LogEntry.objects.filter(action=raised).order_by("number").values_list("event", "to_state")
    assert list(events) == [("proposed", "proposed"), ("rejected", "rejected")]


def test_an_allowed_proposal_replaces_the_older_one(busy: House) -> None:
    older = awaiting(busy)
    (newer,) = propose(busy, budget(busy, 41 * MICROS))
    assert newer.state == State.APPROVED and reread(older).state == State.SUPERSEDED


def test_what_a_platform_cannot_count_is_rounded_down_before_it_is_shown(busy: House) -> None:
    (action,) = propose(busy, budget(busy, 43_329_500))
    assert action.target_micros == 43_320_000


def test_a_change_of_budget_does_not_hold_back_a_pause(busy: House) -> None:
    action = awaiting(busy)
    approvals.approve(action_id=action.pk, digest=action.digest, actor=busy.approver)
    claimed = claim(action.pk)
    assert claimed is not None
    transition(claimed, State.APPLIED, actor="worker")
    (paused,) = propose(busy, pause(busy))
    assert paused.state == State.APPROVED, paused.note


def test_of_the_last_two_active_ad_sets_only_one_is_paused(busy: House) -> None:
    AdSet.objects.filter(pk=busy.ad_sets[2].pk).update(status="paused")
    states = [action.state for action in propose(busy, pause(busy, 0), pause(busy, 1))]
    assert states == [State.APPROVED, State.REJECTED]


@pytest.mark.parametrize("cents", [201, 402, 1337, 4002, 3333])
def test_a_policy_that_holds_loses_no_cent_to_a_float(cents: int) -> None:
    assert wanted_micros(cents * 10_000 / MICROS, "meta", "USD") == cents * 10_000

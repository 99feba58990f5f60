"""The engine: every rule on every ad set in its scope, and only what is true proposes."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import AdAccount, AdSet
from metrics.models import SyncedHour
from metrics.snapshot import Snapshot, load_snapshot
from rules.actions import parse_action
from rules.conditions import parse
from rules.engine import Evaluation, evaluate_rules, proposals_of
from rules.models import AutomationMode, RiskLevel, Rule
from rules.presets import PRESETS, enable_preset
from rules.proposals import ChangeKind, Proposal, Source
from tests.factories import AS_OF, House, add_history, make_house

pytestmark = pytest.mark.usefixtures("everywhere")

SPENDS = {"metric": "spend", "window": "last_24h", "is": ">", "value": "1"}
UNDEFINED = {"metric": "cpm", "window": "last_24h", "is": ">", "value": "1", "minimum": {"orders": "999"}}
RAISE = {"kind": "scale_budget", "percent": 10}


@pytest.fixture
def lived(house: House) -> House:
    """Three ad sets that spend 48 a day each; the first one sells for 288 a day."""
    add_history(house, hours=120)
    return house


def rule(house: House, condition: Any = SPENDS, action: Any = RAISE, **values: Any) -> Rule:
    made: Rule = Rule.objects.create(
        tenant=house.tenant, name=f"r{Rule.objects.count()}", condition=condition, action=action, **values
    )
    return made


def snapshot(house: House) -> Snapshot:
    return load_snapshot(house.tenant, as_of=AS_OF)


def evaluate(house: House, *rules: Rule) -> list[Evaluation]:
    return evaluate_rules(rules, snapshot(house))


def proposals(house: House, *rules: Rule) -> list[Proposal]:
    return proposals_of(evaluate(house, *rules))


def test_a_true_rule_proposes_with_base_target_reason_and_evidence(lived: House) -> None:
    made = rule(lived, {"metric": "roas", "window": "last_3d", "is": ">=", "value": "2.5"}, priority=7, is_safety=True)
    (proposal,) = proposals(lived, made)
    assert (proposal.ad_set_id, proposal.kind) == (lived.ad_sets[0].pk, ChangeKind.SET_BUDGET)
    assert (proposal.base, proposal.target, proposal.is_raise) == (40_000_000, 44_000_000, True)
    assert (proposal.source, proposal.source_name, proposal.source_id) == (Source.RULE, made.name, str(made.pk))
    assert (proposal.priority, proposal.is_safety, proposal.source_version) == (7, True, 1)
    assert proposal.reason == "roas over last_3d is 6 (>= 2.5)"
    assert proposal.evidence["readings"][0]["value"] == "6"


def test_only_true_acts(lived: House) -> None:
    for condition, result in ((SPENDS, True), ({"not": SPENDS}, False), (UNDEFINED, None)):
        made = rule(lived, condition)
        assert [evaluation.result for evaluation in evaluate(lived, made)] == [result] * 3
        assert len(proposals(lived, made)) == (3 if result else 0)


def test_with_missing_hours_nothing_acts_not_even_a_negation(lived: House) -> None:
    SyncedHour.objects.all().delete()
    for condition in (SPENDS, {"not": SPENDS}):
        assert [evaluation.result for evaluation in evaluate(lived, rule(lived, condition))] == [None] * 3


def test_a_rule_of_one_account_leaves_the_others_alone(lived: House) -> None:
    account = AdAccount.objects.create(
        tenant=lived.tenant,
        platform="meta",
        external_id="act_2",
        name="second",
        currency="USD",
        credential=lived.account.credential,
    )
    assert len(evaluate(lived, rule(lived, ad_account=lived.account))) == 3
    assert evaluate(lived, rule(lived, ad_account=account)) == []
    assert len(evaluate(lived, rule(lived, ad_account=None))) == 3


def test_every_rule_is_evaluated_on_every_ad_set(lived: House) -> None:
    rules = [rule(lived), rule(lived, {"not": SPENDS}), rule(lived, UNDEFINED)]
    found = {(e.rule.pk, e.ad_set.id) for e in evaluate(lived, *rules)}
    assert found == {(r.pk, a.pk) for r in rules for a in lived.ad_sets}


def test_an_ad_set_that_is_paused_or_has_no_budget_of_its_own_gets_no_budget_proposal(lived: House) -> None:
    AdSet.objects.filter(pk=lived.ad_sets[0].pk).update(status="paused")
    AdSet.objects.filter(pk=lived.ad_sets[1].pk).update(daily_budget_micros=None)
    assert [p.ad_set_id for p in proposals(lived, rule(lived))] == [lived.ad_sets[2].pk]
    pauses = proposals(lived, rule(lived, action={"kind": "pause"}))
    assert {p.ad_set_id for p in pauses} == {lived.ad_sets[1].pk, lived.ad_sets[2].pk}
    assert {(p.kind, p.base, p.target, p.is_raise) for p in pauses} == {
        (ChangeKind.SET_STATUS, "active", "paused", False)
    }


@pytest.mark.parametrize(
    ("mode", "risk", "alone"),
    [
        ("suggestions_only", "low", False),
        ("auto_low_risk", "low", True),
        ("auto_low_risk", "medium", False),
        ("auto_low_risk", "high", False),
        ("auto_all", "high", True),
    ],
)
def test_what_may_run_without_a_person(lived: House, mode: str, risk: str, alone: bool) -> None:
    made = rule(lived, mode=AutomationMode(mode), risk_level=RiskLevel(risk))
    assert {proposal.may_run_alone for proposal in proposals(lived, made)} == {alone}


def test_the_reason_names_only_what_held(lived: House) -> None:
    made = rule(lived, {"any": [SPENDS, {"metric": "orders", "window": "today", "is": ">", "value": "1000"}]})
    assert {proposal.reason for proposal in proposals(lived, made)} == {"spend over last_24h is 48 (> 1)"}


# --- rules as they are stored, and the presets ---------------------------------------------------------------


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_is_a_valid_rule_that_suggests_only(house: House, key: str) -> None:
    made = enable_preset(house.tenant, key)
    made.full_clean()
    parse(made.condition)
    parse_action(made.action)
    assert (made.mode, made.preset, made.is_enabled) == (AutomationMode.SUGGEST, key, True)
    assert made.sentence
    assert enable_preset(house.tenant, key).pk == made.pk
    assert enable_preset(make_house("other").tenant, key).pk != made.pk


def test_an_unknown_preset_is_refused(house: House) -> None:
    with pytest.raises(KeyError):
        enable_preset(house.tenant, "get_rich")


def test_the_presets_do_what_their_sentences_say(lived: House) -> None:
    rules = {key: enable_preset(lived.tenant, key) for key in PRESETS}
    found = {
        key: {(p.ad_set_id, p.target) for p in proposals(lived, made)}  # the first ad set wins, the others only spend
        for key, made in rules.items()
    }
    first, second, third = lived.ad_sets
    assert found == {
        "scale_winners": {(first.pk, 46_000_000)},
        "cut_losers": {(second.pk, 40_000_000), (third.pk, 48_000_000)},
        "stop_loss": {(second.pk, "paused"), (third.pk, "paused")},
    }


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"condition": {"metric": "x"}}, "condition"),
        ({"condition": []}, "condition"),
        ({"action": {}}, "action"),
        ({"priority": 0}, "priority"),
        ({"priority": 101}, "priority"),
        ({"mode": "yolo"}, "mode"),
    ],
)
def test_a_bad_rule_does_not_validate(house: House, values: dict[str, Any], field: str) -> None:
    bad = Rule(tenant=house.tenant, name="x", **{"condition": SPENDS, "action": RAISE} | values)
    with pytest.raises(ValidationError) as caught:
        bad.full_clean()
    assert field in caught.value.message_dict


def test_two_rules_of_a_tenant_cannot_share_a_name(house: House) -> None:
    rule(house, sentence="a")
    with pytest.raises(IntegrityError), transaction.atomic():
        Rule.objects.create(tenant=house.tenant, name="r0", condition=SPENDS, action=RAISE)

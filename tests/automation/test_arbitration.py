from __future__ import annotations

from typing import Any
from uuid import UUID

from automation.arbitration import arbitrate
from rules.proposals import ChangeKind, Proposal, Source

AD_SET = UUID(int=1)


def budget(target: int, **values: Any) -> Proposal:
    defaults = {"source": Source.RULE, "source_name": f"to {target}", "reason": ""}
    return Proposal(ad_set_id=AD_SET, kind=ChangeKind.SET_BUDGET, base=100, target=target, **(defaults | values))


def pause(**values: Any) -> Proposal:
    defaults = {"source": Source.RULE, "source_name": "pause", "reason": ""}
    return Proposal(ad_set_id=AD_SET, kind=ChangeKind.SET_STATUS, base="active", target="paused", **(defaults | values))


def winner_of(*proposals: Proposal) -> str:
    winners = [outcome.proposal.source_name for outcome in arbitrate(proposals) if outcome.won]
    assert len(winners) == 1
    return winners[0]


def test_a_safety_rule_beats_a_person() -> None:
    assert winner_of(budget(120, source=Source.PERSON), pause(is_safety=True)) == "pause"


def test_a_person_beats_a_rule_and_a_rule_beats_the_policy() -> None:
    person, rule = budget(130, source=Source.PERSON), budget(120)
    policy = budget(110, source=Source.POLICY)
    assert winner_of(policy, rule, person) == "to 130"
    assert winner_of(policy, rule) == "to 120"


def test_priority_one_beats_priority_two() -> None:
    assert winner_of(budget(120, priority=2), budget(150, priority=1)) == "to 150"


def test_pause_beats_decrease_beats_increase() -> None:
    assert winner_of(budget(120), budget(80), pause()) == "pause"
    assert winner_of(budget(101), budget(50)) == "to 50"


def test_the_smaller_change_wins_among_equals() -> None:
    assert winner_of(budget(130), budget(110)) == "to 110"


def test_deltas_are_not_summed() -> None:
    outcomes = arbitrate([budget(110, source_id="1"), budget(110, source_id="2")])
    assert [outcome.proposal.target for outcome in outcomes if outcome.won] == [110]


def test_the_order_of_arrival_does_not_matter() -> None:
    proposals = [budget(130, source_id="b"), budget(90, source_id="a"), budget(90, source_id="c")]
    assert winner_of(*proposals) == winner_of(*reversed(proposals))


def test_losers_know_who_beat_them_and_why() -> None:
    lost = [outcome.lost_to for outcome in arbitrate([budget(120), budget(80)]) if not outcome.won]
    assert lost == ["to 80, by the more careful change"]


def test_each_ad_set_has_its_own_winner() -> None:
    other = Proposal(
        ad_set_id=UUID(int=2),
        kind=ChangeKind.SET_BUDGET,
        base=1,
        target=2,
        source=Source.RULE,
        source_name="other",
        reason="",
    )
    assert sum(outcome.won for outcome in arbitrate([budget(120), other])) == 2

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given
from hypothesis import strategies as st

from automation.actions import IllegalMoveError, StaleActionError, supersede_others, transition
from automation.models import Action, LogEntry
from automation.states import FINAL_STATES, MOVES, State
from tests.automation.conftest import reread
from tests.factories import House, make_action


def force(action: Action, state: State) -> Action:
    """Walk there by legal moves, as the database insists."""
    paths = {State.PROPOSED: [action.state]}
    queue = [State.PROPOSED]
    while queue:
        here = queue.pop(0)
        for there in sorted(MOVES[here]):
            if there not in paths:
                paths[there] = [*paths[here], there]
                queue.append(there)
    for step in paths[state][1:]:
        transition(action, State(step), actor="test")
    return action


@given(st.sampled_from(State), st.sampled_from(State))
def test_only_the_moves_of_the_table_are_legal(start: State, end: State) -> None:
    action = Action(state=start)
    if end not in MOVES[start]:
        with pytest.raises(IllegalMoveError):
            transition(action, end, actor="test")


@pytest.mark.parametrize("start", State)
def test_the_database_refuses_illegal_moves_whoever_asks(house: House, start: State) -> None:
    action = force(make_action(house), start)
    for end in set(State) - MOVES[start] - {start}:
        with pytest.raises(DatabaseError), transaction.atomic():
            Action.objects.filter(pk=action.pk).update(state=end)


def test_final_states_have_no_way_out() -> None:
    assert set(FINAL_STATES) == {
        State.FAILED,
        State.REJECTED,
        State.EXPIRED,
        State.SUPERSEDED,
        State.ROLLED_BACK,
    }


def test_of_two_who_move_the_same_row_one_loses(house: House) -> None:
    first = make_action(house)
    second = reread(first)
    transition(first, State.GUARDED, actor="one")
    with pytest.raises(StaleActionError):
        transition(second, State.REJECTED, actor="two")
    assert reread(first).state == State.GUARDED


def test_each_move_has_one_log_entry_with_both_states(house: House) -> None:
    action = make_action(house)
    transition(action, State.GUARDED, actor="guardrails", note="fine")
    entry = LogEntry.objects.get(action=action)
    assert (entry.from_state, entry.to_state, entry.actor) == ("proposed", "guarded", "guardrails")


def test_a_move_that_fails_leaves_no_log_entry(house: House) -> None:
    action = make_action(house)
    stale = reread(action)
    transition(action, State.GUARDED, actor="one")
    with pytest.raises(StaleActionError):
        transition(stale, State.GUARDED, actor="two")
    assert LogEntry.objects.filter(action=action).count() == 1


def test_a_newer_proposal_replaces_what_was_not_claimed(house: House) -> None:
    old = force(make_action(house), State.AWAITING_APPROVAL)
    new = Action(ad_set=house.ad_sets[0], kind="set_budget", slot=old.slot)
    assert supersede_others(new, actor="rule") == 1
    assert reread(old).state == State.SUPERSEDED

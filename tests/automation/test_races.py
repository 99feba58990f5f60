"""Several people and workers at the same moment, on a database that lets them: PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction

from accounts.money import MICROS
from accounts.scoping import all_tenants
from automation import approvals
from automation.dispatch import claim
from automation.models import Action, Limits
from automation.states import State
from tests.automation.conftest import reread
from tests.automation.test_pipeline import budget, propose
from tests.factories import House, add_history, awaiting, make_house

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def busy() -> House:
    house = make_house()
    add_history(house)
    return house


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returned or raised, all of them started together."""
    found: list[Any] = [None] * len(calls)
    gate = threading.Barrier(len(calls))

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            with all_tenants():
                gate.wait(timeout=10)
                found[index] = call()
        except Exception as error:
            found[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index, call)) for index, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_the_second_of_two_approvers_at_once_counts_the_first(busy: House) -> None:
    for percent in range(3, 9):
        action = awaiting(busy, percent=percent)
        Action.objects.filter(pk=action.pk).update(approvals_required=2)
        at_once(
            *(
                lambda who=who, shown=action: approvals.approve(action_id=shown.pk, digest=shown.digest, actor=who)
                for who in (busy.approver, busy.owner)
            )
        )
        assert reread(action).state == State.APPROVED
        claim(action.pk)
        Action.objects.filter(pk=action.pk).update(state=State.UNKNOWN)
        Action.objects.filter(pk=action.pk).update(state=State.FAILED)


def test_an_hour_and_a_person_wait_for_each_other_and_not_in_a_circle(busy: House) -> None:
    action = awaiting(busy, ad_set=busy.ad_sets[1])
    half_way = threading.Event()

    def hour() -> None:
        with transaction.atomic():
            propose(busy, budget(busy, 41 * MICROS))
            half_way.set()
            threading.Event().wait(0.5)
            propose(busy, budget(busy, 51 * MICROS, number=1))

    def person() -> Action:
        half_way.wait(timeout=10)
        return approvals.refuse(action_id=action.pk, reason="no", actor=busy.owner)

    errors = [str(found) for found in at_once(hour, person) if isinstance(found, Exception)]
    assert not any("deadlock" in error for error in errors)


def test_claims_at_once_keep_to_the_target_together(busy: House) -> None:
    Limits.objects.update(daily_target_micros=157 * MICROS)
    actions = [awaiting(busy, ad_set=ad_set) for ad_set in busy.ad_sets]
    for action in actions:
        approvals.approve(action_id=action.pk, digest=action.digest, actor=busy.approver)
    found = at_once(*(lambda pk=action.pk: claim(pk) for action in actions for _ in range(2)))
    assert not [error for error in found if isinstance(error, Exception) and "changed meanwhile" not in str(error)]
    claimed = [action for action in map(reread, actions) if action.state == State.DISPATCHING]
    raised = sum((action.target_micros or 0) - (action.base_micros or 0) for action in claimed)
    assert claimed and 150 * MICROS + raised <= 157 * MICROS

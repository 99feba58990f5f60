from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from accounts import idempotency
from accounts.models import IdempotentRequest
from accounts.scoping import all_tenants
from automation.models import Action
from tests.api.partner import Partner, assert_problem, budget_change
from tests.factories import House, add_history, make_house


def actions() -> int:
    with all_tenants():
        return Action.objects.count()


def kept() -> int:
    with all_tenants():
        return IdempotentRequest.objects.count()


def test_the_same_key_and_body_give_the_same_answer_and_one_effect(living: House, partner: Partner) -> None:
    first = partner.post("actions", budget_change(living), key="k1")
    again = partner.post("actions", budget_change(living), key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first
    assert actions() == 1


def test_the_same_key_with_another_body_is_refused(living: House, partner: Partner) -> None:
    partner.post("actions", budget_change(living), key="k1")
    other = partner.post("actions", budget_change(living, dollars=45), key="k1")
    assert_problem(other, 422, "idempotency_key_reused")
    assert_problem(partner.post("kill-switch", budget_change(living), key="k1"), 422, "idempotency_key_reused")
    assert actions() == 1


def test_a_refusal_is_replayed_too(living: House, partner: Partner) -> None:
    wanted = budget_change(living, kind="launch")
    first = assert_problem(partner.post("actions", wanted, key="k1"), 422, "invalid_request")
    again = partner.post("actions", wanted, key="k1")
    assert (again.status_code, again["Content-Type"]) == (422, "application/problem+json")
    assert again.json() == first
    assert again["Idempotency-Replayed"] == "true"


def test_an_answer_that_invites_a_retry_is_not_kept(house: House, partner: Partner) -> None:
    wanted = budget_change(house)
    assert_problem(partner.post("actions", wanted, key="k1"), 409, "proposal_conflict")
    assert kept() == 0
    add_history(house)
    assert partner.post("actions", wanted, key="k1").status_code == 201


def test_a_crash_after_the_effect_leaves_neither_effect_nor_answer(
    living: House, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*args: Any) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "_settle", crash)
        assert_problem(partner.post("actions", budget_change(living), key="k1"), 500, "internal_error")
    assert (actions(), kept()) == (0, 0)
    assert partner.post("actions", budget_change(living), key="k1").status_code == 201


def test_a_malformed_body_does_not_use_the_key_up(living: House, partner: Partner) -> None:
    assert_problem(partner.post("actions", "{", key="k1"), 400, "malformed_request")
    assert partner.post("actions", budget_change(living), key="k1").status_code == 201


def test_tenants_may_use_the_same_key(living: House, other: House, partner: Partner) -> None:
    add_history(other)
    mine = partner.post("actions", budget_change(living), key="k1").json()
    theirs = Partner(other).post("actions", budget_change(other), key="k1").json()
    assert mine["id"] != theirs["id"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 121, "é", "a\tb"])
def test_refuses_a_key_that_is_not_visible_ascii(key: str, living: House, partner: Partner) -> None:
    answer = partner.post("actions", budget_change(living), key=key)
    assert_problem(answer, 400, "invalid_idempotency_key")
    assert actions() == 0


@pytest.mark.parametrize("key", ["~", "x" * 120])
def test_takes_every_visible_ascii_key(key: str, living: House, partner: Partner) -> None:
    assert partner.post("actions", budget_change(living), key=key).status_code == 201


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_equal_posts_at_once_have_one_effect() -> None:
    house = make_house()
    add_history(house)
    partner = Partner(house)

    def post(_: int) -> int:
        try:
            return int(partner.post("actions", budget_change(house), key="k1").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(post, range(16)))
    assert set(codes) <= {201, 409} and 201 in codes
    assert actions() == kept() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_key_in_flight_is_a_conflict_with_a_time_to_wait() -> None:
    house = make_house()
    partner = Partner(house)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            idempotency._alone(house.tenant.pk, "k1")
            taken.set()
            done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(10)
    answer = partner.post("actions", budget_change(house), key="k1")
    done.set()
    holder.join()
    assert_problem(answer, 409, "request_in_flight")
    assert answer["Retry-After"] == "1"

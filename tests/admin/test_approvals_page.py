"""The approval page: what is shown, the confirmation, and decisions bound to what was shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.scoping import all_tenants
from automation.models import Action, Approval, Limits
from automation.states import State
from tests.admin.conftest import As
from tests.factories import House, awaiting

APPROVALS, CONFIRM, DECIDE = (f"admin:approvals{suffix}" for suffix in ("", "_confirm", "_decide"))


def ticket(action: Action) -> str:
    return f"{action.pk}:{action.digest}"


def post(client: Client, name: str, decision: str, *actions: Action, reason: str = "") -> str:
    body = {"decision": decision, "selected": [ticket(action) for action in actions], "reason": reason}
    return client.post(reverse(name), body).content.decode()


def state_of(action: Action) -> str:
    with all_tenants():
        return str(Action.objects.get(pk=action.pk).state)


@pytest.fixture
def waiting(house: House) -> list[Action]:
    return [awaiting(house, ad_set=ad_set, maximum_extra_micros=7_000_000) for ad_set in house.ad_sets]


def test_shows_before_after_reason_money_and_digest(house: House, waiting: list[Action], log_in: As) -> None:
    page = log_in(house.approver).get(reverse(APPROVALS)).content.decode()
    for text in (
        "40.00 USD",
        "44.00 USD",
        "+10 %",
        "+4.00 USD",
        "+7.00 USD",
        "Scale winners",
        "acme ads",
        ticket(waiting[0]),
    ):
        assert text in page, text


def test_a_viewer_sees_what_waits_but_no_buttons(house: House, waiting: list[Action], log_in: As) -> None:
    page = log_in(house.viewer).get(reverse(APPROVALS)).content.decode()
    assert "44.00 USD" in page
    assert "approve_one" not in page and "data-check-all" not in page


def test_the_author_is_told_that_somebody_else_approves(house: House, log_in: As) -> None:
    action = awaiting(house, author=house.owner)
    page = log_in(house.owner).get(reverse(APPROVALS)).content.decode()
    assert "somebody else approves it" in page and ticket(action) not in page
    post(log_in(house.owner), DECIDE, "approve", action)
    assert state_of(action) == State.AWAITING_APPROVAL


def test_the_confirmation_lists_the_changes_and_their_money_and_changes_nothing(
    house: House, waiting: list[Action], log_in: As
) -> None:
    page = post(log_in(house.approver), CONFIRM, "approve", *waiting)
    assert "You are about to approve 3 changes" in page
    assert "15.00 USD" in page  # 4 + 5 + 6 more a day
    assert "21.00 USD" in page  # three times the most that may be spent more
    assert {state_of(action) for action in waiting} == {State.AWAITING_APPROVAL}


def test_a_cards_own_button_confirms_that_one_only(house: House, waiting: list[Action], log_in: As) -> None:
    body = {"approve_one": ticket(waiting[1]), "selected": [ticket(action) for action in waiting]}
    page = log_in(house.approver).post(reverse(CONFIRM), body).content.decode()
    assert "You are about to approve 1 change" in page
    assert ticket(waiting[1]) in page and ticket(waiting[0]) not in page


def test_approves_in_bulk_and_reports_each_row(house: House, waiting: list[Action], log_in: As) -> None:
    with all_tenants():
        type(waiting[2].ad_set).objects.filter(pk=waiting[2].ad_set_id).update(daily_budget_micros=1_000_000)
    page = post(log_in(house.approver), DECIDE, "approve", *waiting)
    assert [state_of(action) for action in waiting] == [State.APPROVED, State.APPROVED, State.AWAITING_APPROVAL]
    assert "The ad set has changed on the platform since" in page
    assert page.count(">Approved<") >= 2


def test_a_stale_digest_approves_nothing_and_says_so(house: House, waiting: list[Action], log_in: As) -> None:
    body = {"decision": "approve", "selected": f"{waiting[0].pk}:{'0' * 64}"}
    for name in (CONFIRM, DECIDE):
        assert "hat was shown has changed" in log_in(house.approver).post(reverse(name), body).content.decode()
    assert state_of(waiting[0]) == State.AWAITING_APPROVAL


def test_refuses_with_a_reason_only(house: House, waiting: list[Action], log_in: As) -> None:
    client = log_in(house.approver)
    assert "needs a reason" in post(client, DECIDE, "refuse", waiting[0], reason="  ")
    assert state_of(waiting[0]) == State.AWAITING_APPROVAL
    post(client, DECIDE, "refuse", waiting[0], reason="a sale starts tomorrow")
    assert state_of(waiting[0]) == State.REJECTED
    with all_tenants():
        assert Approval.objects.get(action=waiting[0]).reason == "a sale starts tomorrow"


def test_a_stale_digest_refuses_nothing_either(house: House, waiting: list[Action], log_in: As) -> None:
    body = {"decision": "refuse", "selected": f"{waiting[0].pk}:{'0' * 64}", "reason": "no"}
    assert "What was shown has changed" in log_in(house.approver).post(reverse(DECIDE), body).content.decode()
    assert state_of(waiting[0]) == State.AWAITING_APPROVAL


@pytest.mark.parametrize("role", ["viewer", "buyer"])
def test_without_the_right_nothing_is_decided(house: House, waiting: list[Action], log_in: As, role: str) -> None:
    page = post(log_in(house.people[role]), DECIDE, "approve", waiting[0])
    assert "may not approve" in page
    post(log_in(house.people[role]), DECIDE, "refuse", waiting[0], reason="no")
    assert state_of(waiting[0]) == State.AWAITING_APPROVAL


def test_changed_limits_void_what_was_shown(house: House, waiting: list[Action], log_in: As) -> None:
    with all_tenants():
        Limits.objects.update(version=2)
    assert "limits have changed" in post(log_in(house.approver), DECIDE, "approve", waiting[0])
    assert state_of(waiting[0]) == State.AWAITING_APPROVAL


def test_what_has_expired_is_not_offered_and_not_approved(house: House, waiting: list[Action], log_in: As) -> None:
    with all_tenants():
        Action.objects.filter(pk=waiting[0].pk).update(expires_at=datetime.now(UTC) - timedelta(minutes=1))
    client = log_in(house.approver)
    assert ticket(waiting[0]) not in client.get(reverse(APPROVALS)).content.decode()
    assert "expired" in post(client, DECIDE, "approve", waiting[0])
    assert state_of(waiting[0]) == State.EXPIRED


def test_deciding_twice_counts_once(house: House, waiting: list[Action], log_in: As) -> None:
    client = log_in(house.approver)
    post(client, DECIDE, "approve", waiting[0])
    assert "not awaiting approval" in post(client, DECIDE, "approve", waiting[0])
    with all_tenants():
        assert Approval.objects.filter(action=waiting[0]).count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": "approve"},
        {"decision": "drop", "selected": "x"},
        {"decision": "approve", "selected": ["", "a:b", "\x00"]},
    ],
)
def test_nonsense_leads_back_to_the_page(house: House, waiting: list[Action], log_in: As, body: dict[str, str]) -> None:
    client = log_in(house.approver)
    for name in (CONFIRM, DECIDE):
        assert client.post(reverse(name), body)["Location"] == reverse(APPROVALS)


def test_progress_follows_the_state(house: House, waiting: list[Action], log_in: As) -> None:
    client = log_in(house.approver)
    post(client, DECIDE, "approve", waiting[0])
    part = client.get(reverse("admin:approvals_recent"), {"id": str(waiting[0].pk)}).content.decode()
    assert 'data-state="approved"' in part
    assert str(waiting[1].pk) not in part


def test_the_action_page_tells_the_whole_story(house: House, waiting: list[Action], log_in: As) -> None:
    post(log_in(house.approver), DECIDE, "approve", waiting[0])
    page = log_in(house.viewer).get(reverse("admin:automation_action_change", args=[waiting[0].pk])).content.decode()
    for text in ("40.00 USD", "44.00 USD", "Awaiting approval", "Approved</strong>", "approver-acme", "log #7"):
        assert text in page, text

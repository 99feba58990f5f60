"""Asking for the past days of an ad account, and seeing how far they have been read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AdAccount
from accounts.scoping import all_tenants
from metrics import tasks
from metrics.models import Backfill
from tests.admin.conftest import As
from tests.factories import House


def page(response: Any) -> str:
    return " ".join(response.content.decode().split())


def count() -> int:
    with all_tenants():
        return int(Backfill.objects.count())


@pytest.fixture
def owner(house: House, log_in: As) -> Client:
    return log_in(house.owner)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Backfill]]:
    found: list[Backfill] = []
    monkeypatch.setattr(tasks, "wake", found.append)
    yield found


def ask(client: Client, account: AdAccount, first: Any, last: Any) -> Any:
    form = {"ad_account": str(account.pk), "first_day": str(first), "last_day": str(last)}
    return client.post(reverse("admin:metrics_backfill_add"), form)


def test_past_days_are_asked_for_by_owners_and_shown_with_their_progress(
    house: House, owner: Client, woken: list[Backfill]
) -> None:
    today = timezone.now().date()
    first, last = today - timedelta(days=29), today - timedelta(days=2)
    add = f"{reverse('admin:metrics_backfill_add')}?ad_account={house.account.pk}"
    assert add in page(owner.get(reverse("admin:accounts_adaccount_change", args=[house.account.pk])))
    assert f'value="{house.account.pk}" selected' in page(owner.get(add)) and count() == 0
    assert ask(owner, house.account, first, last).status_code == 302
    (asked,) = woken
    assert (asked.first_day, asked.last_day, asked.asked_by) == (first, last, str(house.owner))
    with all_tenants():
        Backfill.objects.update(next_day=first + timedelta(days=12), problem="the platform is slow")
    listed = page(owner.get(reverse("admin:metrics_backfill_changelist")))
    assert "12 of 28 days" in listed and "the platform is slow" in listed and "Running" in listed


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [(0, -1, "after the last one"), (-3, 2, "has not begun yet"), (-4000, 0, "older"), ("x", 0, "valid date")],
)
def test_a_range_that_cannot_be_read_is_one_clear_error(
    house: House, owner: Client, woken: list[Backfill], first: Any, last: int, told: str
) -> None:
    today = timezone.now().date()
    days = [today + timedelta(days=day) if isinstance(day, int) else day for day in (first, last)]
    response = ask(owner, house.account, *days)
    assert response.status_code == 200 and told in page(response)
    assert count() == 0 and woken == []


def test_past_days_of_others_cannot_be_asked_for(
    house: House, foreign: House, log_in: As, woken: list[Backfill]
) -> None:
    day, before = timezone.now().date(), count()
    assert ask(log_in(house.approver), house.account, day, day).status_code == 403
    assert ask(log_in(house.owner), foreign.account, day, day).status_code == 200
    assert (count(), woken) == (before, [])

"""Tokens that are about to end: renewed once for all that hold them, and told where that fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.clock import wall_now
from accounts.models import AdAccount, Alert, Credential
from connectors import renewal
from connectors.errors import AuthenticationError
from connectors.renewal import refresh_logins
from tests.connectors.fake_login import (
    FakeLogin,
    begin,
    connected,
    fake,
    finish,
    fresh,
)
from tests.factories import House, make_house

__all__ = ["fake"]
pytestmark = pytest.mark.usefixtures("everywhere")


def ending(house: House, fake: FakeLogin, *numbers: int, days: float = 5) -> list[AdAccount]:
    fake.expires_at = wall_now() + timedelta(days=days)
    rows = connected(house, *numbers)
    fake.expires_at = wall_now() + timedelta(days=60)
    return rows


def alerts(house: House) -> list[tuple[str, bool]]:
    rows = Alert.objects.filter(tenant=house.tenant).order_by("created_at")
    return [(row.severity, row.resolved_at is None) for row in rows]


def test_tokens_that_end_within_ten_days_are_renewed_once_per_login(house: House, fake: FakeLogin) -> None:
    first, second = ending(house, fake, 1, 2)
    assert refresh_logins() == 2
    assert fake.refreshed == ["token-1"]
    for row in (first, second):
        credential = fresh(row.credential)
        assert (credential.access_token, credential.expires_at) == ("token-2", fake.expires_at)
    assert refresh_logins() == 0 and fake.refreshed == ["token-1"]


def test_tokens_with_time_left_and_tokens_that_do_not_age_are_left_alone(house: House, fake: FakeLogin) -> None:
    (row,) = ending(house, fake, 1, days=11)
    assert refresh_logins() == 0 and fake.refreshed == []
    Credential.objects.filter(pk=row.credential_id).update(expires_at=None)
    assert refresh_logins() == 0 and fake.refreshed == []


@pytest.mark.parametrize(("days", "severity"), [(5, "warning"), (1.5, "critical"), (-1, "critical")])
def test_a_token_that_cannot_be_renewed_is_told_and_forgotten_after_a_success(
    house: House, fake: FakeLogin, days: float, severity: str
) -> None:
    (row,) = ending(house, fake, 1, days=days)
    fake.failure = AuthenticationError("the person has withdrawn it")
    assert refresh_logins() == 0
    assert "withdrawn" in fresh(row.credential).problem
    assert alerts(house) == [(severity, True)]
    fake.failure = None
    assert refresh_logins() == 1
    assert fresh(row.credential).problem == "" and alerts(house) == [(severity, False)]


def test_one_login_that_fails_does_not_hold_up_the_others(house: House, fake: FakeLogin) -> None:
    other = make_house("other")
    (broken,), (row,) = ending(house, fake, 1), ending(other, fake, 1)
    with connection.cursor() as cursor:
        key = broken.credential_id
        cursor.execute(
            "UPDATE accounts_credential SET access_token = 'enc1:test:AAAA' WHERE id = %s",
            [Credential._meta.pk.get_db_prep_value(key, connection)],
        )
    assert refresh_logins() == 1
    assert fresh(row.credential).access_token != "token-2" and alerts(house) == [("warning", True)]


def test_a_token_that_a_person_saves_meanwhile_is_kept(
    house: House, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = ending(house, fake, 1)
    renewed = fake.refresh

    def saved_meanwhile(grant: Any) -> Any:
        credential = fresh(row.credential)
        credential.access_token = "typed-by-hand"
        credential.save()
        return renewed(grant)

    monkeypatch.setattr(fake, "refresh", saved_meanwhile)
    assert refresh_logins() == 0
    assert fresh(row.credential).access_token == "typed-by-hand"


def test_of_two_workers_one_wins_for_the_whole_login(
    house: House, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ending(house, fake, 1, 2)
    renewed, others = fake.refresh, list[int]()

    def with_another(grant: Any) -> Any:
        if not others:
            others.append(-1)
            others.append(refresh_logins())
        return renewed(grant)

    monkeypatch.setattr(fake, "refresh", with_another)
    assert (refresh_logins(), others[1]) == (0, 2)
    assert fresh(first.credential).access_token == fresh(second.credential).access_token == "token-2"


def test_a_failure_says_nothing_about_a_token_that_was_changed_meanwhile(
    house: House, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = ending(house, fake, 1)

    def fail(grant: Any) -> Any:
        finish(house, begin(house, credential=fresh(row.credential)))
        raise AuthenticationError("the old one is dead")

    monkeypatch.setattr(fake, "refresh", fail)
    assert renewal.refresh_logins() == 0
    assert fresh(row.credential).problem == "" and alerts(house) == []

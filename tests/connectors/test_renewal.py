"""Tokens that are about to end: renewed once for all that hold them, and told where that fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.clock import wall_now
from accounts.login_states import NOT_RENEWED, login_state
from accounts.models import AdAccount, Alert, Credential
from connectors import renewal
from connectors.errors import AuthenticationError, TransientError
from connectors.renewal import refresh_logins
from tests.connectors.fake_login import (
    FakeLogin,
    begin,
    connected,
    fake,
    finish,
    fresh,
    log_in_to_market,
    log_in_to_shop,
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


def test_of_two_workers_one_asks_for_the_whole_login(
    house: House, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ending(house, fake, 1, 2)
    renewed, others = fake.refresh, list[int]()

    def with_another(grant: Any) -> Any:
        others.append(refresh_logins())
        return renewed(grant)

    monkeypatch.setattr(fake, "refresh", with_another)
    assert (refresh_logins(), others) == (2, [0]) and fake.refreshed == ["token-1"]
    assert fresh(first.credential).access_token == fresh(second.credential).access_token == "token-2"
    assert fresh(first.credential).renewing_until is None


def test_a_secret_that_is_sealed_again_meanwhile_is_renewed_all_the_same(
    house: House, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = ending(house, fake, 1)
    renewed = fake.refresh

    def sealed_again(grant: Any) -> Any:
        credential = fresh(row.credential)
        credential.access_token = credential.access_token
        credential.save(update_fields=["access_token"])
        return renewed(grant)

    monkeypatch.setattr(fake, "refresh", sealed_again)
    assert refresh_logins() == 1 and fresh(row.credential).access_token == "token-2"


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


# --- Stores ------------------------------------------------------------------------------------------


def rotating(fake: FakeLogin, *, expires: timedelta, login_ends: timedelta) -> None:
    fake.expires_at, fake.refresh_ends = wall_now() + expires, wall_now() + login_ends


@pytest.mark.parametrize(
    ("platform", "left", "is_due"),
    [
        ("shopify", timedelta(minutes=-1), True),
        ("shopify", timedelta(minutes=30), False),
        ("tiktok_shop", timedelta(days=1), True),
        ("tiktok_shop", timedelta(days=3), False),
    ],
)
def test_tokens_of_stores_are_renewed_when_little_is_left_or_nobody_has_needed_them(
    house: House, fake: FakeLogin, platform: str, left: timedelta, is_due: bool
) -> None:
    rotating(fake, expires=left, login_ends=timedelta(days=90))
    credential = log_in_to_shop(house, fake) if platform == "shopify" else log_in_to_market(house, fake, 1)
    rotating(fake, expires=timedelta(days=7), login_ends=timedelta(days=90))
    assert refresh_logins() == int(is_due)
    assert fresh(credential).refresh_token == ("refresh-2" if is_due else "refresh-1")


def test_a_token_that_came_without_a_refresh_token_is_not_asked_for(house: House, fake: FakeLogin) -> None:
    fake.expires_at = wall_now() - timedelta(minutes=1)
    log_in_to_shop(house, fake)
    assert refresh_logins() == 0 and fake.refreshed == []


def test_a_platform_that_is_down_for_an_hour_alerts_nobody_while_the_login_has_months(
    house: House, fake: FakeLogin
) -> None:
    rotating(fake, expires=timedelta(minutes=-1), login_ends=timedelta(days=80))
    credential = log_in_to_shop(house, fake)
    fake.failure = TransientError("down")
    assert refresh_logins() == 0 and alerts(house) == []
    assert fresh(credential).problem == "Not renewed: down"
    Credential.objects.filter(pk=credential.pk).update(refresh_expires_at=wall_now() + timedelta(days=1))
    refresh_logins()
    assert ("critical", True) in alerts(house)


@pytest.mark.parametrize(("days", "severity"), [(31, None), (29, "warning"), (6, "critical"), (-1, "critical")])
def test_the_end_of_an_authorisation_is_told_before_it_comes(
    house: House, fake: FakeLogin, days: int, severity: str | None
) -> None:
    rotating(fake, expires=timedelta(days=6), login_ends=timedelta(days=days))
    credential = log_in_to_market(house, fake, 1)
    for _ in range(2):
        refresh_logins()
    assert alerts(house) == ([(severity, True)] if severity else [])
    rotating(fake, expires=timedelta(days=7), login_ends=timedelta(days=365))
    log_in_to_market(house, fake, 1, credential=credential)
    refresh_logins()
    assert alerts(house) == ([(severity, False)] if severity else [])


def test_a_renewal_that_moves_the_end_away_ends_the_warning_and_another_does_not(house: House, fake: FakeLogin) -> None:
    rotating(fake, expires=timedelta(days=1), login_ends=timedelta(days=20))
    credential = log_in_to_market(house, fake, 1)
    assert refresh_logins() == 1 and alerts(house) == [("warning", True)]
    Credential.objects.filter(pk=credential.pk).update(expires_at=wall_now())
    rotating(fake, expires=timedelta(days=7), login_ends=timedelta(days=365))
    assert refresh_logins() == 1 and alerts(house) == [("warning", False)]


def test_an_authorisation_that_is_over_is_not_asked_for_again(house: House, fake: FakeLogin) -> None:
    rotating(fake, expires=timedelta(days=-1), login_ends=timedelta(days=-1))
    credential = log_in_to_market(house, fake, 1)
    assert refresh_logins() == 0 and fake.refreshed == []
    assert "connect it again" in fresh(credential).problem


# --- In one word -------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"has_token": False}, "disconnected"),
        ({}, "connected"),
        ({"expires_at": NOW + timedelta(days=3)}, "connected"),
        ({"expires_at": NOW + timedelta(days=1)}, "ending"),
        ({"expires_at": NOW}, "needed"),
        ({"problem": "the token is dead"}, "needed"),
        ({"problem": NOT_RENEWED + "down"}, "ending"),
        ({"expires_at": NOW - timedelta(hours=1), "refresh_expires_at": NOW + timedelta(days=80)}, "connected"),
        ({"expires_at": NOW + timedelta(hours=1), "refresh_expires_at": NOW + timedelta(days=29)}, "ending"),
        ({"expires_at": NOW + timedelta(hours=1), "refresh_expires_at": NOW}, "needed"),
    ],
)
def test_the_state_of_a_login_is_how_long_people_need_not_log_in(values: dict[str, Any], state: str) -> None:
    asked = {"has_token": True, "expires_at": None, "problem": "", "now": NOW, **values}
    assert login_state(**asked) == state

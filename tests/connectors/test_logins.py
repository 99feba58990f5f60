"""Logging in at a platform and coming back: what is believed, and what is stored."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from accounts.clock import wall_now
from accounts.models import Credential, User
from connectors import deadline, registry
from connectors.connecting import connect_accounts
from connectors.contracts import Platform
from connectors.errors import ConfigurationError, TransientError
from connectors.grants import Ended, LoginError, disconnect, owned_accounts, remove
from connectors.login_contracts import Grant, OwnedAccount
from connectors.logins import Answer
from connectors.models import Login
from connectors.renewal import refresh_logins
from connectors.tasks import refresh_logins as refresh_task
from tests.connectors.fake_login import (
    APPS,
    BACK,
    CODE,
    FakeLogin,
    begin,
    fake,
    finish,
    fresh,
    log_in,
    stored,
)
from tests.factories import House, make_house

__all__ = ["fake"]
pytestmark = pytest.mark.usefixtures("everywhere")


def test_a_login_stores_a_sealed_credential_with_the_app_and_the_expiry(house: House, fake: FakeLogin) -> None:
    fake.expires_at = timezone.now() + timedelta(days=60)
    row = fresh(log_in(house))
    assert (row.tenant, row.platform, row.app_id) == (house.tenant, "meta", "app-1")
    assert (row.app_secret, row.access_token, row.expires_at) == ("app-secret-1", "token-1", fake.expires_at)
    assert str(house.owner) in row.label
    with connection.cursor() as cursor:
        cursor.execute("SELECT access_token, app_secret FROM accounts_credential WHERE label LIKE 'Login%'")
        assert all(text.startswith("enc1:") for text in cursor.fetchone())


def test_only_hashes_of_state_and_browser_are_stored_and_states_differ(house: House, fake: FakeLogin) -> None:
    states = {begin(house) for _ in range(3)}
    assert len(states) == 3 and all(len(state) >= 43 for state in states)
    rows = str(list(Login.objects.values()))
    assert not any(state in rows for state in states) and "'browser'" not in rows


def test_who_may_not_configure_begins_nothing(house: House, fake: FakeLogin) -> None:
    for role in ("viewer", "buyer", "approver"):
        with pytest.raises(PermissionDenied):
            begin(house, actor=house.people[role])
    with pytest.raises(PermissionDenied):
        begin(house, actor=make_house("other").owner)
    assert not Login.objects.exists()


def test_without_an_app_no_login_begins(house: House, fake: FakeLogin, settings: Any) -> None:
    settings.LOGIN_APPS = {"meta": {"app_id": "", "app_secret": ""}}
    with pytest.raises(ConfigurationError, match="META_APP_ID"):
        begin(house)
    assert not Login.objects.exists()


def test_a_state_works_once(house: House, fake: FakeLogin) -> None:
    state = begin(house)
    finish(house, state)
    with pytest.raises(LoginError, match="used already"):
        finish(house, state)
    assert (fake.issued, stored(house)) == (1, 1)


def test_a_state_ends_after_ten_minutes(house: House, fake: FakeLogin) -> None:
    state = begin(house)
    left = Login.objects.get().expires_at - wall_now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    Login.objects.update(expires_at=wall_now() - timedelta(seconds=1))
    with pytest.raises(LoginError, match="older than ten minutes"):
        finish(house, state)
    assert (fake.issued, stored(house)) == (0, 0)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"browser_secret": "another"}, "another browser"),
        ({"browser_secret": ""}, "another browser"),
        ({"platform": Platform.TIKTOK}, "no login that was begun here"),
    ],
)
def test_an_answer_in_another_browser_or_of_another_platform_is_refused(
    house: House, fake: FakeLogin, wrong: dict[str, Any], reason: str
) -> None:
    state = begin(house)
    with pytest.raises(LoginError, match=reason):
        finish(house, state, **wrong)
    assert (fake.issued, stored(house)) == (0, 0)
    finish(house, state)  # the right browser still can


def test_another_persons_state_is_refused(house: House, fake: FakeLogin) -> None:
    state, other = begin(house), make_house("other")
    for actor in (house.viewer, other.owner):
        with pytest.raises(LoginError, match="somebody else"):
            finish(house, state, actor=actor)
    assert (fake.issued, stored(house)) == (0, 0)


@pytest.mark.parametrize("state", ["", "x", "\x00", "é" * 5000, "' OR 1=1 --", "\ud800"])
def test_a_state_from_elsewhere_is_refused(house: House, fake: FakeLogin, state: str) -> None:
    begin(house)
    with pytest.raises(LoginError, match="no login that was begun here"):
        finish(house, state)


@pytest.mark.parametrize("code", ["", "a b", "x" * 5000, "a\nb", "\x00", "code\u200b"])
def test_a_code_that_cannot_be_one_is_refused_and_the_state_is_used_up(
    house: House, fake: FakeLogin, code: str
) -> None:
    state = begin(house)
    with pytest.raises(LoginError, match="no code"):
        finish(house, state, code=code)
    with pytest.raises(LoginError, match="used already"):
        finish(house, state)
    assert (fake.issued, stored(house)) == (0, 0)


def test_a_denied_consent_stores_nothing(house: House, fake: FakeLogin) -> None:
    with pytest.raises(LoginError, match="access was not granted"):
        finish(house, begin(house), is_denied=True)
    assert (fake.issued, stored(house)) == (0, 0)


def test_a_role_lost_on_the_way_ends_the_login(house: House, fake: FakeLogin) -> None:
    state = begin(house)
    house.owner.memberships.update(role="viewer")
    with pytest.raises(PermissionDenied):
        finish(house, state, actor=User.objects.get(pk=house.owner.pk))
    assert (fake.issued, stored(house)) == (0, 0)


def test_the_redirect_address_is_that_of_the_beginning(house: House, fake: FakeLogin) -> None:
    with pytest.raises(LoginError, match="did not complete"):
        finish(house, begin(house), redirect_uri=BACK + "?x=1")
    assert stored(house) == 0


def test_a_platform_that_does_not_answer_is_told_clearly(house: House, fake: FakeLogin) -> None:
    state = begin(house)
    fake.failure = TransientError("the platform is down")
    with pytest.raises(LoginError, match="the platform is down"):
        finish(house, state)
    assert stored(house) == 0


def test_old_logins_are_forgotten_and_recent_ones_kept(house: House, fake: FakeLogin) -> None:
    begin(house)
    Login.objects.update(expires_at=wall_now() - timedelta(days=2))
    begin(house)
    assert Login.objects.count() == 1
    Login.objects.update(expires_at=wall_now() - timedelta(days=2))
    assert refresh_task() == "0 renewed, 1 old logins forgotten"


def test_neither_code_nor_state_nor_token_is_logged(
    house: House, fake: FakeLogin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    state = begin(house)
    finish(house, state)
    with pytest.raises(LoginError) as refused:
        finish(house, state)
    connect_accounts(Credential.objects.get(label__startswith="Login"), ["act_1"], actor=house.owner)
    told = " ".join(r.getMessage() for r in caplog.records if not r.name.startswith("django.db"))
    told += str(list(LogEntry.objects.values())) + repr(Answer(state, CODE, False)) + str(refused.value)
    assert not [word for word in (state, CODE, "token-1", "app-secret-1") if word in told]


def test_a_credential_that_is_removed_on_the_way_is_told_and_nothing_is_stored(
    house: House, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = log_in(house)
    state, answer = begin(house, credential=credential), fake.owned_accounts

    def meanwhile(grant: Grant) -> list[OwnedAccount]:
        remove(fresh(credential), actor=house.owner)
        return answer(grant)

    monkeypatch.setattr(fake, "owned_accounts", meanwhile)
    with pytest.raises(LoginError, match="removed meanwhile"):
        finish(house, state)
    assert stored(house) == 0


def test_a_token_that_is_renewed_on_the_way_is_replaced_wherever_it_went(
    house: House, fake: FakeLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.expires_at = timezone.now() + timedelta(days=5)
    done = connect_accounts(log_in(house), ["act_1", "act_2"], actor=house.owner)
    state, answer = begin(house, credential=done.added[0].credential), fake.owned_accounts

    def meanwhile(grant: Grant) -> list[OwnedAccount]:
        assert refresh_logins() == 2
        return answer(grant)

    monkeypatch.setattr(fake, "owned_accounts", meanwhile)
    finish(house, state)
    assert [fresh(row.credential).access_token for row in done.added] == ["token-2", "token-2"]


class Silent:
    """A platform's login that begins to answer and never comes to an end."""

    platform = Platform.META

    def __init__(self) -> None:
        self.over = threading.Event()

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        return f"https://platform.example/?{urlencode({'state': state})}"

    def hang(self, *args: Any, **kwargs: Any) -> Any:
        self.over.wait()
        raise TransientError("too late")

    def check_callback(self, query: str) -> None:
        pass

    exchange = owned_accounts = refresh = revoke = hang


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Silent]:
    found = Silent()
    settings.LOGIN_APPS = APPS
    monkeypatch.setitem(registry.LOGINS, Platform.META, lambda app: found)
    for name in ("LISTING", "EXCHANGE"):
        monkeypatch.setattr(deadline, name, 0.05)
    yield found
    found.over.set()


def test_nobody_waits_for_ever_for_a_platform_that_does_not_finish(house: House, silent: Silent) -> None:
    with pytest.raises(LoginError, match="no answer within"):
        finish(house, begin(house))
    row = Credential.objects.create(
        tenant=house.tenant,
        platform="meta",
        label="x",
        access_token="some-token",
        expires_at=wall_now() + timedelta(days=1),
    )
    with pytest.raises(TransientError, match="no answer within"):
        owned_accounts(row)
    with pytest.raises(TransientError, match="no answer within"):
        connect_accounts(row, ["act_1"], actor=house.owner)
    assert refresh_logins() == 0 and "no answer within" in fresh(row).problem
    assert disconnect(row, actor=house.owner) is Ended.UNREACHED
    assert fresh(row).access_token is None


def test_all_waits_of_one_request_are_shorter_than_a_web_workers_life() -> None:
    assert 2 * deadline.LISTING < 30 and deadline.EXCHANGE < 30

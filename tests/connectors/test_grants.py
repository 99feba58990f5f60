"""Connecting the ad accounts that a login opens, logging in again, and disconnecting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts.models import AdAccount, Credential
from accounts.scoping import all_tenants
from connectors.connecting import connect_accounts
from connectors.errors import TransientError
from connectors.grants import Ended, LoginError, disconnect, names_of, remove
from connectors.renewal import refresh_logins
from tests.connectors.fake_login import (
    FakeLogin,
    begin,
    connected,
    fake,
    finish,
    fresh,
    log_in,
    owned,
    stored,
)
from tests.factories import House, make_house

__all__ = ["fake"]
pytestmark = pytest.mark.usefixtures("everywhere")


# --- Choosing ad accounts ----------------------------------------------------------------------------


def test_each_chosen_account_has_a_credential_of_its_own_in_shadow_with_autopilot_off(
    house: House, fake: FakeLogin
) -> None:
    fake.accounts = [owned(1), owned(2, currency="EUR", timezone="Europe/Berlin"), owned(3)]
    first, second = connected(house, 1, 2)
    assert first.credential_id != second.credential_id
    assert {fresh(row.credential).access_token for row in (first, second)} == {"token-1"}
    for row in map(fresh, (first, second)):
        assert (row.rollout_stage, row.autopilot, row.is_active, row.tenant) == ("shadow", False, True, house.tenant)
        assert row.external_id in row.credential.label
    assert (second.currency, second.timezone, second.name) == ("EUR", "Europe/Berlin", "Shop 2")
    assert not AdAccount.objects.filter(external_id="act_3").exists() and stored(house) == 2


def test_what_the_login_does_not_open_cannot_be_chosen(house: House, fake: FakeLogin) -> None:
    credential = log_in(house)
    for chosen in (["act_9"], ["act_1", "act_9"], []):
        with pytest.raises(LoginError):
            connect_accounts(credential, chosen, actor=house.owner)
    fake.accounts = []
    with pytest.raises(LoginError):
        connect_accounts(credential, ["act_1"], actor=house.owner)
    assert AdAccount.objects.count() == 1


@pytest.mark.parametrize(
    "account",
    [owned(1, currency="dollars"), owned(1, currency=""), owned(1, timezone="Mars/Olympus"), owned(1, timezone="")],
)
def test_an_account_without_a_known_currency_or_zone_is_not_connected(
    house: House, fake: FakeLogin, account: Any
) -> None:
    fake.accounts = [account]
    with pytest.raises(LoginError, match="cannot be connected"):
        connected(house, 1)
    assert AdAccount.objects.count() == 1


def test_hostile_names_are_kept_as_text_and_cut(house: House, fake: FakeLogin) -> None:
    fake.accounts = [owned(1, name="<script>\x00" + "x" * 500)]
    (row,) = connected(house, 1)
    assert row.name.startswith("<script>x") and len(row.name) == 200
    assert len(row.credential.label) <= 120


def test_choosing_twice_makes_no_second_account(house: House, fake: FakeLogin) -> None:
    credential = log_in(house)
    connect_accounts(credential, ["act_1"], actor=house.owner)
    again = connect_accounts(credential, ["act_1", "act_2"], actor=house.owner)
    assert [row.external_id for row in again.added] == ["act_2"]
    assert AdAccount.objects.filter(external_id="act_1").count() == 1


def test_too_many_at_once_are_refused_and_not_cut_off(house: House, fake: FakeLogin) -> None:
    fake.accounts = [owned(number) for number in range(501)]
    with pytest.raises(LoginError, match="at most 500"):
        connected(house, *range(501))
    assert AdAccount.objects.count() == 1


def test_many_accounts_of_one_login_are_each_renewed_once(house: House, fake: FakeLogin) -> None:
    fake.accounts = [owned(number) for number in range(20)]
    rows = connected(house, *range(20))
    before = LogEntry.objects.count()
    connect_accounts(log_in(house), [row.external_id for row in rows], actor=house.owner)
    assert {fresh(row.credential).access_token for row in rows} == {"token-2"}
    told = LogEntry.objects.filter(change_message="Logged in again at Meta.").count()
    assert (told, LogEntry.objects.count() - before) == (20, 22)  # and the spare login, made and removed


def test_a_long_row_of_names_is_cut_short(house: House, fake: FakeLogin) -> None:
    fake.accounts = [owned(number) for number in range(8)]
    assert names_of(connected(house, *range(8))).endswith("(act_4) and 3 more")


def test_only_who_may_configure_chooses(house: House, fake: FakeLogin) -> None:
    credential = log_in(house)
    with pytest.raises(PermissionDenied):
        connect_accounts(credential, ["act_1"], actor=house.approver)


def test_an_account_that_is_connected_gets_the_new_login_and_keeps_its_stage(house: House, fake: FakeLogin) -> None:
    (row,) = connected(house, 1)
    AdAccount.objects.filter(pk=row.pk).update(rollout_stage="pilot", autopilot=True)
    Credential.objects.filter(pk=row.credential_id).update(problem="the token is dead")
    done = connect_accounts(log_in(house), ["act_1"], actor=house.owner)
    assert [one.pk for one in done.renewed] == [row.pk] and not done.added
    again = fresh(row)
    assert (again.credential.access_token, again.credential.problem) == ("token-2", "")
    assert (again.rollout_stage, again.autopilot) == ("pilot", True)
    assert stored(house) == 1  # the spare credential is gone


def test_an_account_that_was_switched_off_comes_back_as_a_new_one(house: House, fake: FakeLogin) -> None:
    (row,) = connected(house, 1)
    AdAccount.objects.filter(pk=row.pk).update(is_active=False, rollout_stage="expand", autopilot=True)
    connect_accounts(log_in(house), ["act_1"], actor=house.owner)
    back = fresh(row)
    assert (back.is_active, back.rollout_stage, back.autopilot) == (True, "shadow", False)


def test_a_credential_that_opens_more_than_the_new_login_keeps_its_own(house: House, fake: FakeLogin) -> None:
    fake.accounts = [owned(1)]
    AdAccount.objects.filter(pk=house.account.pk).update(external_id="act_1")
    done = connect_accounts(log_in(house), ["act_1"], actor=house.owner)
    assert [row.pk for row in done.renewed] == [house.account.pk]
    assert fresh(house.account.credential).access_token == "t0ken"  # the store lives on it
    assert fresh(house.account).credential.access_token == "token-1"


def test_two_tenants_may_connect_one_account_and_see_nothing_of_each_other(house: House, fake: FakeLogin) -> None:
    other = make_house("other")
    connected(house, 1)
    connected(other, 1)
    owners = set(AdAccount.objects.filter(external_id="act_1").values_list("tenant", flat=True))
    assert owners == {house.tenant.pk, other.tenant.pk}


def test_the_platform_is_never_asked_within_a_transaction(transactional_db: None, fake: FakeLogin) -> None:
    house = make_house()
    fake.expires_at = timezone.now() + timedelta(days=1)
    (row,) = connected(house, 1)
    refresh_logins()
    disconnect(row, actor=house.owner)
    assert fake.revoked and fake.refreshed and fake.in_transaction == [False] * len(fake.in_transaction)


# --- Logging in again --------------------------------------------------------------------------------


def test_a_new_login_takes_the_place_of_the_old_one_wherever_that_was_used(house: House, fake: FakeLogin) -> None:
    first, second = connected(house, 1, 2)
    finish(house, begin(house, credential=first.credential))
    assert [fresh(row.credential).access_token for row in (first, second)] == ["token-2", "token-2"]


def test_a_connection_that_the_new_login_does_not_open_keeps_the_old_one(house: House, fake: FakeLogin) -> None:
    first, second = connected(house, 1, 2)
    fake.accounts = [owned(1)]
    finish(house, begin(house, credential=first.credential))
    assert [fresh(row.credential).access_token for row in (first, second)] == ["token-2", "token-1"]
    fake.accounts = [owned(2), owned(3)]
    connect_accounts(log_in(house), ["act_2"], actor=house.owner)
    assert [fresh(row.credential).access_token for row in (first, second)] == ["token-2", "token-3"]


def test_a_login_that_does_not_open_the_account_changes_nothing(house: House, fake: FakeLogin) -> None:
    (row,) = connected(house, 1)
    fake.accounts = [owned(2)]
    with pytest.raises(LoginError, match="does not open Shop 1"):
        finish(house, begin(house, credential=row.credential))
    assert fresh(row.credential).access_token == "token-1"


def test_a_disconnected_account_comes_back_in_shadow_with_autopilot_off(house: House, fake: FakeLogin) -> None:
    (row,) = connected(house, 1)
    AdAccount.objects.filter(pk=row.pk).update(rollout_stage="expand", autopilot=True)
    disconnect(fresh(row), actor=house.owner)
    finish(house, begin(house, credential=fresh(row.credential)))
    back = fresh(row)
    assert (back.is_active, back.rollout_stage, back.autopilot) == (True, "shadow", False)
    assert back.credential.access_token == "token-2"


def test_a_credential_of_another_tenant_cannot_be_renewed(house: House, fake: FakeLogin) -> None:
    (theirs,) = connected(make_house("other"), 1)
    with pytest.raises(ValueError, match="of this tenant"):
        begin(house, credential=theirs.credential)


# --- Disconnecting -----------------------------------------------------------------------------------


def test_disconnecting_switches_off_erases_and_ends_the_token(house: House, fake: FakeLogin) -> None:
    (row,) = connected(house, 1)
    AdAccount.objects.filter(pk=row.pk).update(autopilot=True)
    assert disconnect(row, actor=house.owner) is Ended.REVOKED
    row = fresh(row)
    assert (row.is_active, row.autopilot) == (False, False)
    secrets = (row.credential.access_token, row.credential.app_secret, row.credential.refresh_token)
    assert secrets == (None, None, None) and row.credential.expires_at is None
    assert fake.revoked == ["token-1"]


def test_the_token_is_ended_with_the_last_one_that_holds_it_in_any_tenant(house: House, fake: FakeLogin) -> None:
    first, second = connected(house, 1, 2)
    (theirs,) = connected(make_house("other"), 1)
    theirs.credential.access_token = "token-1"
    theirs.credential.save()
    assert disconnect(first, actor=house.owner) is Ended.SHARED
    assert disconnect(second, actor=house.owner) is Ended.SHARED
    assert fake.revoked == []
    with all_tenants():
        owner = theirs.tenant.memberships.get(role="owner").user
    assert disconnect(theirs, actor=owner) is Ended.REVOKED
    assert fake.revoked == ["token-1"]


def test_a_platform_that_cannot_be_reached_does_not_keep_the_secrets(house: House, fake: FakeLogin) -> None:
    (row,) = connected(house, 1)
    fake.failure = TransientError("down")
    assert disconnect(row, actor=house.owner) is Ended.UNREACHED
    assert fresh(row.credential).access_token is None and not fresh(row).is_active


def test_a_secret_that_cannot_be_opened_is_erased_all_the_same(house: House, fake: FakeLogin, settings: Any) -> None:
    (row,) = connected(house, 1)
    settings.FIELD_ENCRYPTION_KEYS = ["lost:" + "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="]
    assert disconnect(fresh(row), actor=house.owner) is Ended.UNREACHED
    assert fresh(row.credential).access_token is None


def test_a_credential_that_others_use_keeps_its_secrets(house: House, fake: FakeLogin) -> None:
    assert disconnect(house.account, actor=house.owner) is Ended.SHARED  # the store uses it too
    assert not fresh(house.account).is_active
    assert fresh(house.account.credential).access_token == "t0ken" and fake.revoked == []


def test_only_who_may_configure_disconnects(house: House, fake: FakeLogin) -> None:
    (row,) = connected(house, 1)
    for actor in (house.approver, make_house("other").owner):
        with pytest.raises(PermissionDenied):
            disconnect(row, actor=actor)
    assert fresh(row).is_active and fake.revoked == []


def test_an_unused_credential_is_removed_and_its_token_ended(house: House, fake: FakeLogin) -> None:
    credential = log_in(house)
    assert remove(credential, actor=house.owner) is Ended.REVOKED
    assert stored(house) == 0 and fake.revoked == ["token-1"]
    (row,) = connected(house, 1)
    with pytest.raises(LoginError):
        remove(row.credential, actor=house.owner)
    assert fresh(row).is_active


def test_every_step_is_in_the_admin_log(house: House, fake: FakeLogin) -> None:
    (row,) = connected(house, 1)
    finish(house, begin(house, credential=row.credential))
    disconnect(fresh(row), actor=house.owner)
    told = list(LogEntry.objects.filter(user=house.owner).order_by("pk").values_list("change_message", flat=True))
    assert told == [
        "Logged in at Meta.",
        "Connected by a login at Meta.",
        "Logged in again at Meta.",
        "Disconnected: switched off, autopilot off.",
        "Disconnected: the secrets are erased.",
        "Meta was told to end the login.",
    ]

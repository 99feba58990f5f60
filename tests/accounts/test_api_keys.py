"""Partner keys: shown once, stored as a hash, alive only while everything about them is."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.api_keys import authenticate, create_key, revoke_key
from accounts.models import ApiKey
from accounts.scoping import ScopeError, all_tenants, tenant_scope
from tests.factories import House, make_house

TOMORROW = timezone.now() + timedelta(days=1)


def issue(house: House, **values: object) -> tuple[ApiKey, str]:
    asked = {"name": "partner", "scopes": ["read"], "expires_at": TOMORROW} | values
    with tenant_scope(house.tenant):
        return create_key(tenant=house.tenant, actor=house.owner, **asked)  # type: ignore[arg-type]


def change(key: ApiKey, **values: object) -> None:
    with all_tenants():
        ApiKey.objects.filter(pk=key.pk).update(**values)


def test_a_key_opens_and_names_its_tenant_and_scopes(house: House) -> None:
    row, text = issue(house, scopes=["stop", "read", "read"])
    assert re.fullmatch(r"bur_[a-z0-9]{10}_[A-Za-z0-9_-]{43}", text)
    found = authenticate(text)
    assert found is not None
    assert (found.pk, found.tenant_id, found.scopes) == (row.pk, house.tenant.pk, ["read", "stop"])
    assert row.created_by == house.owner


def test_only_the_hash_is_stored(house: House) -> None:
    row, text = issue(house)
    with all_tenants():
        values = ApiKey.objects.filter(pk=row.pk).values().get()
    secret = text.split("_", 2)[2]
    assert secret not in str(values)
    assert len(values["key_hash"]) == 64
    assert secret not in repr(row) + str(row)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"),
        lambda t: t + "A",
        lambda t: t + "\n",
        lambda t: " " + t,
        lambda t: t.upper(),
        lambda t: t.replace("bur_", "pur_"),
        lambda t: "bur_" + "a" * 10 + t[14:],
        lambda t: "",
        lambda t: t[:15],
    ],
)
def test_nothing_but_the_very_key_opens(house: House, spoil: object) -> None:
    _, text = issue(house)
    assert authenticate(spoil(text)) is None  # type: ignore[operator]
    assert authenticate(text) is not None


def test_the_secret_of_one_key_does_not_open_another(house: House) -> None:
    first, second = issue(house)[1], issue(make_house("other"))[1]
    assert authenticate(first[:15] + second[15:]) is None


def test_an_expired_key_is_dead(house: House) -> None:
    row, text = issue(house)
    change(row, expires_at=timezone.now() - timedelta(seconds=1))
    assert authenticate(text) is None


def test_a_revoked_key_is_dead_and_stays_revoked_at_its_first_time(house: House) -> None:
    row, text = issue(house)
    with tenant_scope(house.tenant):
        revoke_key(row)
        first = ApiKey.objects.get(pk=row.pk).revoked_at
        revoke_key(row)
        assert ApiKey.objects.get(pk=row.pk).revoked_at == first
    assert authenticate(text) is None


def test_another_tenants_key_cannot_be_revoked(house: House) -> None:
    row, text = issue(house)
    with tenant_scope(make_house("other").tenant):
        revoke_key(row)
    assert authenticate(text) is not None


def test_a_key_of_an_inactive_tenant_is_dead(house: House) -> None:
    _, text = issue(house)
    with all_tenants():
        house.tenant.is_active = False
        house.tenant.save()
    assert authenticate(text) is None


def test_two_keys_cannot_share_a_prefix(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "choice", lambda letters: "a")
    _, text = issue(house)
    for other in (house, make_house("other")):
        with pytest.raises((ValidationError, IntegrityError)), transaction.atomic():
            issue(other)
    assert authenticate(text) is not None


@pytest.mark.parametrize(
    "values",
    [
        {"scopes": []},
        {"scopes": ["root"]},
        {"scopes": ["read", "*"]},
        {"name": ""},
        {"name": "x" * 121},
        {"expires_at": timezone.now()},
    ],
)
def test_a_bad_request_for_a_key_is_refused_and_leaves_none(house: House, values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        issue(house, **values)
    with all_tenants():
        assert not ApiKey.objects.exists()


def test_no_key_is_made_outside_its_tenants_scope(house: House) -> None:
    with tenant_scope(make_house("other").tenant), pytest.raises(ScopeError):
        create_key(tenant=house.tenant, name="x", scopes=["read"], expires_at=TOMORROW, actor=None)


def test_the_last_use_is_noted_at_most_once_a_minute(house: House) -> None:
    row, text = issue(house)
    used = []
    for ago in (None, timedelta(seconds=30), timedelta(minutes=2)):
        if ago is not None:
            change(row, last_used_at=timezone.now() - ago)
        with all_tenants():
            before = ApiKey.objects.get(pk=row.pk).last_used_at
            authenticate(text)
            used.append(ApiKey.objects.get(pk=row.pk).last_used_at != before)
    assert used == [True, False, True]

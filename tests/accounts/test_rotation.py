"""Rotating keys: the first key seals, every key opens, and after `rotate` the old ones may go."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import encryption
from accounts.encryption import SecretError, new_key, rotate
from accounts.models import Credential
from accounts.scoping import tenants_scope
from tests.accounts.test_encryption import SECRET, fresh, store, stored
from tests.factories import House

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everywhere")]


@pytest.fixture
def row(house: House) -> Credential:
    found: Credential = house.account.credential
    found.access_token = SECRET
    found.app_secret = "second"
    found.save()
    return found


@pytest.fixture
def new(settings: Any) -> str:
    """A new key stands before the old one."""
    key = new_key("new")
    settings.FIELD_ENCRYPTION_KEYS = [key, *settings.FIELD_ENCRYPTION_KEYS]
    return key


def test_the_first_key_seals_and_the_old_one_opens(row: Credential, new: str) -> None:
    assert fresh(row).access_token == SECRET
    row.access_token = "newer"
    row.save()
    assert str(stored(row)).startswith("enc1:new:")
    assert fresh(row).access_token == "newer"


def test_after_rotation_the_old_key_can_go(row: Credential, new: str, settings: Any) -> None:
    assert rotate() == (2, 0)
    settings.FIELD_ENCRYPTION_KEYS = [new]
    found = fresh(row)
    assert (found.access_token, found.app_secret, found.refresh_token) == (SECRET, "second", None)


def test_rotating_again_changes_nothing(row: Credential, new: str) -> None:
    rotate()
    before = stored(row)
    assert rotate() == (0, 2)
    assert stored(row) == before


def test_rows_of_every_tenant_are_rotated_without_a_scope(row: Credential, new: str) -> None:
    with tenants_scope([]):
        assert rotate() == (2, 0)


def test_a_secret_that_changes_meanwhile_is_left_to_its_writer(
    row: Credential, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unseal = encryption.unseal

    def meddling(sealed: Any, place: bytes) -> str:
        clear = unseal(sealed, place)
        if clear == SECRET:
            store(row, encryption.seal("written meanwhile", place).text)
        return clear

    monkeypatch.setattr(encryption, "unseal", meddling)
    rotated, kept = rotate()
    monkeypatch.undo()
    assert (rotated, kept) == (1, 0)
    assert fresh(row).access_token == "written meanwhile"


def test_a_row_that_cannot_be_opened_stops_the_rotation(row: Credential, new: str) -> None:
    store(row, "enc1:lost:AAAA")
    with pytest.raises(SecretError):
        rotate()
    assert stored(row) == "enc1:lost:AAAA"


def test_the_command_tells_what_it_did(row: Credential, new: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("rotate_keys")
    assert capsys.readouterr().out == "2 secrets sealed again, 0 already current\n"


def test_the_command_fails_with_one_line(row: Credential, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [new_key("unrelated")]
    with pytest.raises(CommandError, match="opens this secret"):
        call_command("rotate_keys")
    settings.FIELD_ENCRYPTION_KEYS = ["broken"]
    with pytest.raises(CommandError, match="FIELD_ENCRYPTION_KEYS"):
        call_command("rotate_keys")

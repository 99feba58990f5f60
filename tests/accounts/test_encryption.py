"""Sealed fields: what is stored opens in its own place with its own key, and nowhere else."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest
from django.core import serializers
from django.core.exceptions import FieldError, ImproperlyConfigured, ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Upper

from accounts.encryption import PREFIX, Sealed, SecretError, keys, new_key, seal, unseal
from accounts.models import Credential
from tests.factories import House

SECRET = "shpat_0123456789abcdef-very-secret"
PLACE = b"table|column|row"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("everywhere")]


@pytest.fixture
def row(house: House) -> Credential:
    made: Credential = Credential.objects.create(
        tenant=house.tenant, platform="meta", label="shop", access_token=SECRET, app_secret=""
    )
    return made


def fresh(row: Credential) -> Credential:
    found: Credential = Credential.objects.get(pk=row.pk)
    return found


def stored(row: Credential, column: str = "access_token") -> str | None:
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "{column}" FROM accounts_credential WHERE id = %s',
            [Credential._meta.pk.get_db_prep_value(row.pk, connection)],
        )
        text: str | None = cursor.fetchone()[0]
    return text


def store(row: Credential, text: str | None, column: str = "access_token") -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE accounts_credential SET "{column}" = %s WHERE id = %s',
            [text, Credential._meta.pk.get_db_prep_value(row.pk, connection)],
        )


def test_what_is_saved_is_read_back_and_no_byte_of_it_is_stored(row: Credential) -> None:
    assert fresh(row).access_token == SECRET
    text = stored(row)
    assert text is not None
    assert text.startswith(f"{PREFIX}test:")
    assert SECRET not in text
    assert SECRET.encode() not in base64.b64decode(text.rpartition(":")[2])


@pytest.mark.parametrize("secret", ["ü漢字🔑", "enc1:test:looks sealed", "a" * 5000, "line\nbreak", " "])
def test_any_text_survives_the_round_trip(row: Credential, secret: str) -> None:
    row.access_token = secret
    row.save()
    assert fresh(row).access_token == secret


def test_null_and_empty_text_are_kept_apart(row: Credential) -> None:
    found = fresh(row)
    assert (found.app_secret, found.refresh_token) == ("", None)
    assert stored(row, "refresh_token") is None
    assert stored(row, "app_secret")


def test_the_same_secret_is_never_sealed_to_the_same_text(row: Credential) -> None:
    before = stored(row)
    row.save()
    assert stored(row) != before


def test_saving_an_unread_row_leaves_the_ciphertext_alone(row: Credential) -> None:
    before = stored(row)
    fresh(row).save()
    assert stored(row) == before


def test_a_wrong_key_raises_and_never_shows_the_ciphertext(row: Credential, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [new_key("test")]
    with pytest.raises(SecretError) as caught:
        _ = fresh(row).access_token
    settings.FIELD_ENCRYPTION_KEYS = [new_key("other")]
    with pytest.raises(SecretError) as unknown:
        _ = fresh(row).access_token
    assert str(stored(row))[12:] not in str(caught.value) + str(unknown.value)


@pytest.mark.parametrize("column", ["access_token", "refresh_token"])
def test_a_ciphertext_that_was_moved_does_not_open(row: Credential, house: House, column: str) -> None:
    other: Credential = Credential.objects.create(tenant=house.tenant, platform="meta", label="thief")
    target = row if column == "refresh_token" else other
    store(target, stored(row), column)
    with pytest.raises(SecretError):
        getattr(fresh(target), column)


def test_a_ciphertext_of_another_table_does_not_open() -> None:
    key = uuid.uuid4()
    sealed = seal(SECRET, f"accounts_credential|access_token|{key}".encode())
    with pytest.raises(SecretError):
        unseal(sealed, f"accounts_store|access_token|{key}".encode())


def test_a_row_saved_as_a_copy_under_another_id_is_refused(row: Credential) -> None:
    copy = fresh(row)
    copy.pk, copy._state.adding = uuid.uuid4(), True
    with pytest.raises(SecretError), transaction.atomic():
        copy.save()
    assert Credential.objects.filter(label="shop").count() == 1


def test_a_secret_handed_from_row_to_row_is_sealed_for_its_new_place(row: Credential, house: House) -> None:
    other: Credential = Credential.objects.create(tenant=house.tenant, platform="meta", label="heir")
    other.refresh_token = fresh(row).access_token
    other.save()
    assert fresh(other).refresh_token == SECRET


def test_many_rows_at_once_are_sealed_too(house: House) -> None:
    rows = [Credential(tenant=house.tenant, platform="meta", label=f"b{i}", access_token=f"s{i}") for i in range(3)]
    Credential.objects.bulk_create(rows)
    assert [fresh(made).access_token for made in rows] == ["s0", "s1", "s2"]
    assert "s1" not in str(stored(rows[1])).split(":")[0]


@pytest.mark.parametrize(
    "value",
    ["new", Value("new"), F("app_secret"), F("label"), Concat(F("label"), Value("x")), Upper("access_token")],
    ids=["text", "Value", "F of a secret", "F of a text", "Concat", "Upper"],
)
def test_an_update_of_the_column_is_refused_and_changes_nothing(row: Credential, value: Any) -> None:
    before = stored(row)
    with pytest.raises(FieldError), transaction.atomic():
        Credential.objects.filter(pk=row.pk).update(label="changed", access_token=value)
    assert stored(row) == before
    assert fresh(row).label == "shop"


def test_a_bulk_update_is_refused_and_changes_nothing(row: Credential) -> None:
    before = stored(row)
    row.access_token = "new"
    with pytest.raises(FieldError), transaction.atomic():
        Credential.objects.bulk_update([row], ["access_token"])
    assert stored(row) == before


def test_an_update_may_clear_a_secret(row: Credential) -> None:
    Credential.objects.filter(pk=row.pk).update(access_token=None)
    assert fresh(row).access_token is None


@pytest.mark.parametrize("value", [1, b"bytes", ["x"], {"a": 1}, Value("x"), F("label")])
def test_anything_but_text_is_refused(row: Credential, value: Any) -> None:
    row.access_token = value
    with pytest.raises(FieldError), transaction.atomic():
        row.save()
    assert fresh(row).access_token == SECRET


@pytest.mark.parametrize(
    "lookup", ["", "__exact", "__iexact", "__contains", "__startswith", "__in", "__gt", "__regex", "__range"]
)
def test_no_query_can_look_into_a_secret(lookup: str) -> None:
    value = [SECRET, SECRET] if lookup in ("__in", "__range") else SECRET
    with pytest.raises(FieldError):
        list(Credential.objects.filter(**{f"access_token{lookup}": value}))
    with pytest.raises(FieldError):
        list(Credential.objects.exclude(access_token=F("app_secret")))


def test_only_presence_can_be_asked(row: Credential) -> None:
    mine = Credential.objects.filter(pk=row.pk)
    assert mine.filter(access_token__isnull=False).exists()
    assert mine.filter(refresh_token=None).exists()
    assert not mine.filter(access_token=None).exists()
    assert mine.exclude(access_token=None).exists()


def test_a_failed_validation_leaves_the_secret_as_it_was(row: Credential) -> None:
    found = fresh(row)
    found.label = ""
    for _ in range(2):
        with pytest.raises(ValidationError):
            found.full_clean()
        assert found.access_token == SECRET
    found.label = "again"
    found.full_clean()
    found.save()
    assert fresh(row).access_token == SECRET


def test_a_sealed_text_pasted_into_a_form_is_refused(row: Credential) -> None:
    row.access_token = stored(row)
    with pytest.raises(ValidationError, match="expected the clear secret"):
        row.full_clean()


def test_a_deferred_secret_loads_when_it_is_asked_for(row: Credential) -> None:
    assert Credential.objects.defer("access_token").get(pk=row.pk).access_token == SECRET
    assert Credential.objects.only("label").get(pk=row.pk).access_token == SECRET


def test_one_unreadable_row_does_not_break_a_list(row: Credential) -> None:
    store(row, f"{PREFIX}gone:AAAA")
    for rows in (Credential.objects.all(), Credential.objects.defer("access_token")):
        labels = [found.label for found in rows]
        assert "shop" in labels
        assert len(labels) == 2
    found = fresh(row)
    found.label = "renamed"
    found.save()
    assert stored(row) == f"{PREFIX}gone:AAAA"
    with pytest.raises(SecretError):
        _ = found.access_token


def test_refreshing_a_row_reads_the_secret_again(row: Credential) -> None:
    other = fresh(row)
    other.access_token = "newer"
    other.save()
    row.refresh_from_db()
    assert row.access_token == "newer"


def test_neither_texts_of_rows_nor_of_queries_show_a_secret(row: Credential) -> None:
    found = fresh(row)
    sealed = Credential.objects.values_list("access_token", flat=True).get(pk=row.pk)
    shown = f"{found!r} {found} {sealed!r} {sealed} {Credential.objects.values('access_token')!r}"
    assert isinstance(sealed, Sealed)
    assert SECRET not in shown
    assert PREFIX not in shown


@pytest.mark.parametrize("form", ["json", "xml", "python"])
def test_fixtures_carry_no_clear_secret(row: Credential, form: str) -> None:
    row.refresh_token = "just set, not saved"
    text = str(serializers.serialize(form, [row, fresh(row)]))
    assert SECRET not in text
    assert "just set" not in text
    assert PREFIX in text


def test_dumpdata_carries_no_clear_secret(row: Credential, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("dumpdata", "accounts.credential")
    text = capsys.readouterr().out
    assert str(row.pk) in text
    assert SECRET not in text


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-8] + "AAAAAAA=",
        lambda text: text + "!",
        lambda text: text.rpartition(":")[0] + ":",
        lambda text: text.rpartition(":")[0] + ":AAAA",
        lambda text: text.rpartition(":")[0] + ":é",
        lambda text: text.replace(PREFIX, "enc2:"),
        lambda text: "",
        lambda text: PREFIX,
    ],
)
def test_a_damaged_text_raises(row: Credential, damage: Any) -> None:
    store(row, damage(stored(row)))
    with pytest.raises(SecretError):
        _ = fresh(row).access_token


def test_a_clear_text_in_the_column_is_neither_returned_nor_named_in_the_error(row: Credential) -> None:
    store(row, SECRET)
    with pytest.raises(SecretError) as caught:
        _ = fresh(row).access_token
    assert SECRET[:10] not in str(caught.value)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        ["nokey"],
        ["a:AAAA"],
        ["a:" + "é" * 44],
        [":" + "QUFB" * 11],
        [new_key("a"), new_key("a")],
        ["a b:" + "A" * 44],
    ],
)
def test_a_bad_key_setting_is_one_clear_error_without_the_key(settings: Any, entries: list[str]) -> None:
    settings.FIELD_ENCRYPTION_KEYS = entries
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS: expected") as caught:
        keys()
    assert not any(entry in str(caught.value) for entry in entries)


def test_a_fresh_key_opens_what_it_sealed(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [new_key("k1")]
    assert unseal(seal(SECRET, PLACE), PLACE) == SECRET

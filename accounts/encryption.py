"""A text field that is sealed in the database with AES-256-GCM.

Stored as `enc1:<key id>:<base64 of nonce and ciphertext>`. Table, column and the row's UUID are
associated data, so a ciphertext moved to another place does not open. `FIELD_ENCRYPTION_KEYS` lists
`<id>:<base64 of 32 bytes>`; the first key seals, every key opens. A value that cannot be opened raises
`SecretError`, it is never returned as it stands. Queries cannot look into the field (only `isnull`),
and no expression can be written to it: what would store clear text or an orphaned ciphertext raises.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldError, ImproperlyConfigured, ValidationError
from django.db import connection, models
from django.db.models.lookups import Exact, IsNull
from django.db.models.query_utils import DeferredAttribute

PREFIX = "enc1:"
NONCE_BYTES = 12


class SecretError(Exception):
    """A stored secret cannot be opened: wrong key, moved row or damaged text."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A ciphertext as stored. Its text shows nothing worth hiding, yet `repr` stays short."""

    text: str

    def __repr__(self) -> str:
        return "<sealed>"

    __str__ = __repr__


def keys() -> dict[str, bytes]:
    """Key id to key, in the order of the setting. Raises `ImproperlyConfigured` on a bad entry."""
    found: dict[str, bytes] = {}
    for entry in settings.FIELD_ENCRYPTION_KEYS:
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not key_id.isalnum() or len(key) != 32 or key_id in found:
            raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS: expected entries <id>:<base64 of 32 bytes>")
        found[key_id] = key
    if not found:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS: expected at least one key")
    return found


def new_key(key_id: str) -> str:
    """A fresh entry for `FIELD_ENCRYPTION_KEYS`."""
    return f"{key_id}:{base64.b64encode(os.urandom(32)).decode()}"


def seal(plain: str, place: bytes) -> Sealed:
    key_id, key = next(iter(keys().items()))
    nonce = os.urandom(NONCE_BYTES)
    blob = nonce + AESGCM(key).encrypt(nonce, plain.encode(), place)
    return Sealed(f"{PREFIX}{key_id}:{base64.b64encode(blob).decode()}")


def unseal(sealed: Sealed, place: bytes) -> str:
    """The clear text. Raises `SecretError`."""
    if not sealed.text.startswith(PREFIX):
        raise SecretError("what is stored is not a sealed secret")
    key_id, _, encoded = sealed.text.removeprefix(PREFIX).partition(":")
    key = keys().get(key_id)
    if key is None:
        raise SecretError(f"no key {key_id[:20]!r} in FIELD_ENCRYPTION_KEYS opens this secret")
    try:
        blob = base64.b64decode(encoded, validate=True)
        return AESGCM(key).decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], place).decode()
    except (InvalidTag, ValueError) as error:
        raise SecretError("the stored secret is damaged, or was moved from another row") from error


class SecretAttribute(DeferredAttribute):
    """Opens on reading, so that one unreadable row cannot break a list."""

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        if instance is None:
            return self
        value = super().__get__(instance, cls)
        return (
            unseal(value, cast(EncryptedTextField, self.field).place(instance)) if isinstance(value, Sealed) else value
        )

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class NullOnlyExact(Exact):
    """`filter(secret=None)` works, any other comparison raises."""

    def get_prep_lookup(self) -> Any:
        if self.rhs is None:
            return None
        raise FieldError("an encrypted field cannot be compared; only isnull works")


class EncryptedTextField(models.TextField):
    """Sealed text; the model's primary key must be a UUID that is known before saving."""

    descriptor_class = SecretAttribute

    def place(self, instance: models.Model) -> bytes:
        return f"{self.model._meta.db_table}|{self.column}|{instance.pk}".encode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Sealed | None:
        return None if value is None else Sealed(value)

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, Sealed) else super().to_python(value)

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value, model_instance)
        if isinstance(value, str) and value.startswith(PREFIX):
            raise ValidationError("this is a sealed value; expected the clear secret")

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        if value is None or isinstance(value, Sealed):
            if value and add:
                unseal(value, self.place(model_instance))  # a copied row would carry what nothing can open
            return value
        if not isinstance(value, str):
            raise FieldError(f"{self.name}: expected text, got {type(value).__name__}")
        return seal(value, self.place(model_instance))

    def get_db_prep_save(self, value: Any, connection: Any) -> str | None:
        if value is None or isinstance(value, Sealed):
            return value.text if value else None
        raise FieldError(f"{self.name} is encrypted: set it on an instance and save() that")

    def get_prep_value(self, value: Any) -> Any:
        return self.get_db_prep_save(value, None)

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        if hasattr(value, "resolve_expression"):
            raise FieldError(f"{self.name} is encrypted: no expression can be written to it")
        return "%s"

    def get_lookup(self, lookup_name: str) -> Any:
        return {"isnull": IsNull, "exact": NullOnlyExact}.get(lookup_name) or _refuse_lookup(lookup_name)

    def value_to_string(self, obj: models.Model) -> str:
        """What fixtures carry: the ciphertext, never the secret."""
        value = self.pre_save(obj, add=False)
        return value.text if value else ""


def _refuse_lookup(name: str) -> Any:
    raise FieldError(f"an encrypted field has no lookup {name!r}; only isnull works")


def encrypted_fields() -> Iterator[tuple[type[models.Model], EncryptedTextField]]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field


def rotate() -> tuple[int, int]:
    """Seal again, with the first key, whatever an older key sealed; returns (rotated, already current).

    Each row is a compare-and-set, so a secret that changes meanwhile is left to its writer. Idempotent;
    once it returns, older keys may be removed. Raises `SecretError` when a row cannot be opened.
    """
    current = f"{PREFIX}{next(iter(keys()))}:"
    rotated = kept = 0
    for model, field in encrypted_fields():
        for instance in model._base_manager.exclude(**{f"{field.name}__isnull": True}).iterator():
            old = instance.__dict__[field.attname]
            if old.text.startswith(current):
                kept += 1
                continue
            rotated += _replace(model, field, instance, old)
    return rotated, kept


def _replace(model: type[models.Model], field: EncryptedTextField, instance: models.Model, old: Sealed) -> int:
    new = seal(unseal(old, field.place(instance)), field.place(instance))
    quote = connection.ops.quote_name
    column, primary = str(field.column), model._meta.pk
    sql = (
        f"UPDATE {quote(model._meta.db_table)} SET {quote(column)} = %s "  # noqa: S608
        f"WHERE {quote(str(primary.column))} = %s AND {quote(column)} = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [new.text, primary.get_db_prep_value(instance.pk, connection), old.text])
        return int(cursor.rowcount)

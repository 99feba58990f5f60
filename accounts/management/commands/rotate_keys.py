"""Seal every stored secret again with the first key of FIELD_ENCRYPTION_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from accounts.commands import BursarCommand
from accounts.encryption import SecretError, rotate


class Command(BursarCommand):
    help = (
        "Seal every stored secret again with the first key of FIELD_ENCRYPTION_KEYS. Put the new key first, "
        "keep the old ones, restart, run this, then remove the old keys."
    )
    errors = (SecretError, ImproperlyConfigured)

    def run(self, **options: Any) -> None:
        rotated, current = rotate()
        self.stdout.write(f"{rotated} secrets sealed again, {current} already current")

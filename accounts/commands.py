"""The base of every management command: one clear line and a non-zero exit when it cannot do its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from accounts.scoping import all_tenants


class BursarCommand(BaseCommand):
    """Runs in the scope of all tenants; `errors` lists what is an answer and not a defect."""

    errors: tuple[type[Exception], ...] = ()
    requires_migrations_checks = False

    run: Callable[..., None]

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with all_tenants():
                self.run(**options)
        except self.errors as error:
            raise CommandError(_one_line(str(error))) from error
        except PermissionDenied as error:
            raise CommandError(_one_line(str(error))) from error
        except ValidationError as error:
            raise CommandError(_one_line("; ".join(error.messages))) from error
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(
                f"the database cannot be used ({_one_line(str(error))}); has `manage.py migrate` run?"
            ) from error


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]

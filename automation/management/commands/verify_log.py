"""Verify the action log's hash chain."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.commands import BursarCommand
from accounts.models import Tenant
from automation.log import verify
from automation.models import LogEntry
from automation.runner import RunnerError, tenant_for


class Command(BursarCommand):
    help = "Verify the hash chain of the action log, of one tenant or all. Exits non-zero when it is broken."
    errors = (RunnerError,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only this tenant's chain")

    def run(self, *, tenant: str | None = None, **options: Any) -> None:
        tenants = [tenant_for(tenant)] if tenant else list(Tenant.objects.all())
        broken = 0
        for owner in tenants:
            for problem in verify(owner):
                broken += 1
                self.stderr.write(f"{owner.slug}: {problem}")
            self.stdout.write(f"{owner.slug}: {LogEntry.objects.filter(tenant=owner).count()} entries")
        if broken:
            raise CommandError(f"the action log is broken in {broken} places")
        self.stdout.write("the action log is whole")

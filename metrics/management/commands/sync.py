"""Pull the ad tree, hours, orders and refunds of a tenant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from accounts.commands import BursarCommand
from accounts.hours import HOUR, newest_closed_slot, parse_slot
from accounts.models import Tenant
from connectors.errors import ConnectorError
from metrics.accounting import account_slot
from metrics.progress import progress_bar
from metrics.pull import check_ready, days_to_pull, pull


class Command(BursarCommand):
    help = "Pull the ad tree, the hours that may have changed, orders and refunds. Safe to repeat."
    errors = (ConnectorError, ValueError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only this tenant (default: all active ones)")
        parser.add_argument(
            "--slot", metavar="ISO", help="UTC start of the newest hour to read (default: newest closed)"
        )
        parser.add_argument("--days", type=int, metavar="N", help="read the last N days again (a backfill)")

    def run(self, *, tenant: str | None, slot: str | None, days: int | None, **options: Any) -> None:
        if days is not None and not 1 <= days <= 400:
            raise ValueError(f"--days: expected 1 to 400, got {days}")
        as_of = (parse_slot(slot) if slot else newest_closed_slot(timezone.now())) + HOUR
        tenants = Tenant.objects.filter(is_active=True, **({"slug": tenant} if tenant else {}))
        if not tenants:
            raise ValueError(f"no tenant has the slug {tenant!r}" if tenant else "there is no tenant yet")
        for owner in tenants:
            check_ready(owner, as_of)
            self._sync(owner, as_of, timedelta(days=days) if days else None)

    def _sync(self, owner: Tenant, as_of: Any, history: timedelta | None) -> None:
        total = days_to_pull(owner, history or timedelta(days=2))
        with progress_bar(f"Syncing {owner}", total) as advance:
            pulled = pull(
                owner, as_of=as_of, history=history, progress=lambda what, n: advance(n if what == "days" else 0)
            )
        account_slot(owner, as_of=as_of, lookback=pulled.lookback(as_of, history or timedelta(hours=72)))
        counts = pulled.counts
        self.stdout.write(f"{owner.slug}: {counts.hours} hours, {counts.orders} orders, {counts.refunds} refunds")
        if pulled.problems:
            raise CommandError("; ".join(pulled.problems))

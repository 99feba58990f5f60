"""Pull the ad tree, hours, orders and refunds of a tenant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from accounts.clock import wall_now
from accounts.commands import BursarCommand
from accounts.hours import HOUR, newest_closed_slot, parse_slot
from accounts.models import Tenant
from connectors.errors import ConnectorError
from metrics.accounting import account_slot
from metrics.backfill import accounted_to, finish
from metrics.models import Backfill
from metrics.progress import progress_bar
from metrics.pull import check_ready, days_to_pull, plan_history, pull, sources


class Command(BursarCommand):
    help = "Pull the ad tree, the hours that may have changed, orders and refunds. Safe to repeat."
    errors = (ConnectorError, ValueError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only this tenant (default: all active ones)")
        parser.add_argument(
            "--slot", metavar="ISO", help="UTC start of the newest hour to read (default: newest closed)"
        )
        parser.add_argument(
            "--days",
            type=int,
            metavar="N",
            help="read the last N days again; the same command goes on where one that was cut short stopped",
        )

    def run(self, *, tenant: str | None, slot: str | None, days: int | None, **options: Any) -> None:
        if days is not None and not 1 <= days < settings.OLDEST_HOURS_DAYS:
            raise ValueError(f"--days: expected 1 to {settings.OLDEST_HOURS_DAYS - 1}, got {days}")
        as_of = (parse_slot(slot) if slot else newest_closed_slot(timezone.now())) + HOUR
        tenants = list(Tenant.objects.filter(is_active=True, **({"slug": tenant} if tenant else {})))
        if not tenants:
            raise ValueError(f"no tenant has the slug {tenant!r}" if tenant else "there is no tenant yet")
        ready, problems = self._ready(tenants, as_of)
        history = timedelta(days=days) if days else None
        accounts = [account for owner in ready for account in sources(owner)[0]]
        plan = plan_history(accounts, as_of, history) if history else None
        for owner in ready:
            if plan is not None and _was_finished(owner, plan):
                self.stdout.write(f"{owner.slug}: read and accounted for before the interruption")
                continue
            problems += self._sync(owner, as_of, history, plan)
        if problems:
            raise CommandError("; ".join(problems))

    def _ready(self, tenants: list[Tenant], as_of: datetime) -> tuple[list[Tenant], list[str]]:
        """Those whose every source answers; nothing is stored for the others, and one holds up no other."""
        ready, problems = [], []
        for owner in tenants:
            try:
                check_ready(owner, as_of)
            except ConnectorError as error:
                problems.append(f"{owner.slug}: {error}")
            else:
                ready.append(owner)
        return ready, problems

    def _sync(
        self, owner: Tenant, as_of: datetime, history: timedelta | None, plan: dict[UUID, Backfill] | None
    ) -> list[str]:
        with progress_bar(f"Reading {owner}", days_to_pull(owner, as_of, plan)) as advance:
            pulled = pull(
                owner,
                as_of=as_of,
                history=history,
                plan=plan,
                progress=lambda what, n: advance(n if what == "days" else 0),
            )
        backfills = Backfill.objects.filter(tenant=owner, pk__in=[asked.pk for asked in (plan or {}).values()])
        since = accounted_to(backfills)
        lookback = pulled.lookback(as_of, as_of - since if since else history or timedelta(hours=72))
        with progress_bar(f"Accounting {owner}", -(-lookback // timedelta(days=1))) as advance:

            def tell(end: datetime) -> None:
                backfills.update(accounted_to=end, updated_at=wall_now())
                advance(1)

            account_slot(owner, as_of=as_of, lookback=lookback, progress=tell)
        finish(backfills)
        counts = pulled.counts
        self.stdout.write(
            f"{owner.slug}: {counts.hours} hours, {counts.ad_days} days of ads, "
            f"{counts.orders} orders, {counts.refunds} refunds"
        )
        return pulled.problems


def _was_finished(owner: Tenant, plan: dict[UUID, Backfill]) -> bool:
    """Whether a plan that was cut short leaves nothing of this tenant's ad accounts to be done."""
    accounts, _ = sources(owner)
    return bool(accounts) and not any(account.pk in plan for account in accounts)

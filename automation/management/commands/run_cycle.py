"""Run the hour of a tenant."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from accounts.commands import BursarCommand
from accounts.hours import HOUR, newest_closed_slot, parse_slot
from automation.cycle import DEFAULT_POLICY, run_hour
from automation.reconcile import sweep
from automation.runner import RunnerError, tenant_for
from brain.policies import PolicyError, load
from connectors.errors import ConnectorError
from metrics.pull import check_ready


class Command(BursarCommand):
    help = "Run one hour of a tenant: sync, account, propose, arbitrate, guard, route. A worker dispatches."
    errors = (RunnerError, PolicyError, ConnectorError, ValueError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="which tenant (default: the only one)")
        parser.add_argument("--slot", metavar="ISO", help="UTC start of the hour (default: newest closed)")
        parser.add_argument("--policy", default=DEFAULT_POLICY, help="a registered policy (default: %(default)s)")

    def run(self, *, tenant: str | None, slot: str | None, policy: str, **options: Any) -> None:
        load(policy)
        owner = tenant_for(tenant)
        newest = parse_slot(slot) if slot else newest_closed_slot(timezone.now())
        check_ready(owner, newest + HOUR)
        report = run_hour(owner, newest, policy=policy)
        for action in report.actions:
            self.stdout.write(f"{action.get_state_display()}: {action.ad_set}: {action.note or action.reason}")
        self.stdout.write(f"{len(report.runs)} runs, {len(report.actions)} actions")
        sweep()
        if report.pulled.problems:
            raise CommandError("; ".join(report.pulled.problems))

"""Show Bursar at work, on the sandbox."""

from __future__ import annotations

import os
import signal
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from accounts.commands import BursarCommand
from accounts.hours import HOUR
from accounts.models import Tenant
from automation.cycle import run_hour
from automation.dispatch import dispatch
from automation.models import Action
from automation.onboarding import OnboardingError
from automation.states import State
from config import demo
from config.summary import disagreement, summary_table
from connectors.errors import ConnectorError


class Command(BursarCommand):
    help = (
        "Start the sandbox, connect a demo merchant, pull 30 days of history, run the newest hour, then keep web "
        "server, worker and the sandbox's clock running. Ctrl-C stops everything; the next start goes on from there."
    )
    errors = (demo.DemoError, ConnectorError, OnboardingError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="run one hour, print the summary and stop")
        parser.add_argument("--fresh", action="store_true", help="forget an earlier demo and its SQLite database")
        parser.add_argument("--seconds", type=float, default=6, help="an hour of the market (default: %(default)s s)")
        parser.add_argument("--port", type=int, default=8000, help="of the web server (default: %(default)s)")
        parser.add_argument("--sandbox-port", type=int, default=9400, help="of the sandbox (default: %(default)s)")
        parser.add_argument("--start", metavar="ISO", help="the market's first now (default: the current hour)")
        parser.add_argument("--seed", type=int, default=7, help="of the sandbox's market (default: %(default)s)")

    def run(self, *, once: bool, fresh: bool, seconds: float, port: int, **options: Any) -> None:
        self.console = Console(file=self.stdout, width=110)  # type: ignore[arg-type]
        for stop in (signal.SIGINT, signal.SIGTERM):  # also where the shell that started us ignores them
            signal.signal(stop, signal.default_int_handler)
        if fresh:
            demo.start_over()
        demo.prepare_database()
        try:
            with demo.sandbox(options["sandbox_port"], options["seed"], options["start"]) as box:
                demo.point_at(box, port)
                tenant = self._first_hour(box)
                if not once:
                    self._keep_running(tenant, box, seconds, port)
        except KeyboardInterrupt:
            self.stdout.write("stopped")

    def _first_hour(self, box: demo.Sandbox) -> Tenant:
        tenant = demo.connect(box)
        slot = demo.newest_slot(box, tenant)
        demo.load_history(tenant, slot + HOUR)
        run_hour(tenant, slot)
        for action in Action.objects.filter(tenant=tenant, state=State.APPROVED):
            dispatch(action.pk)
        ledger = box.ledger()
        self.console.print(summary_table(tenant, slot + HOUR - demo.HISTORY, ledger))
        problem = disagreement(tenant, ledger)
        if problem:
            raise CommandError(f"the platforms' ledger and the action log differ: {problem}")
        self.stdout.write(
            f"Try:  .venv/bin/python manage.py run_shadow --episodes 14 --slot {slot:%Y-%m-%dT%H:00Z}\n"
            f"The sandbox is kept in {os.path.relpath(demo.SANDBOX_STATE)}."
        )
        return tenant

    def _keep_running(self, tenant: Tenant, box: demo.Sandbox, seconds: float, port: int) -> None:
        with demo.web_and_worker(port):
            demo.listen()
            table = Table("Login", "Password", "Role", title=f"http://127.0.0.1:{port}/admin/", title_justify="left")
            for login in demo.people(tenant):
                table.add_row(*login)
            self.console.print(table)
            self.stdout.write(f"An hour of the market passes every {seconds:g} seconds. Ctrl-C stops everything.")
            demo.live(tenant, box, seconds, self.stdout.write)

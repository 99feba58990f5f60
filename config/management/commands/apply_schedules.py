"""Write the table of schedules to the database."""

from __future__ import annotations

from typing import Any

from accounts.commands import BursarCommand
from config import schedules


class Command(BursarCommand):
    help = "Make the stored schedules those of config/schedules.py. Run it after every deployment."

    def run(self, **options: Any) -> None:
        schedules.apply()
        self.stdout.write(", ".join(f"{entry.name} ({entry.cron})" for entry in schedules.SCHEDULES))

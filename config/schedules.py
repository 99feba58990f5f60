"""The table of schedules: what the queue wakes, and when. Upserted by name; a paused one stays paused."""

from __future__ import annotations

from dataclasses import dataclass

from django_q.models import Schedule


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    func: str
    cron: str


SWEEP = Entry("sweep", "automation.tasks.sweep", "* * * * *")
HEARTBEAT = Entry("heartbeat", "config.tasks.heartbeat", "* * * * *")
PURGE = Entry("purge", "config.tasks.purge", "17 3 * * *")
LOGINS = Entry("logins", "connectors.tasks.refresh_logins", "41 * * * *")
DELIVERIES = Entry("deliveries", "metrics.tasks.resume_deliveries", "* * * * *")
BACKFILLS = Entry("backfills", "metrics.tasks.resume_backfills", "*/5 * * * *")
RESTATE = Entry("restate", "metrics.tasks.restate", "23 4 * * *")
HOUR = Entry("hour", "automation.tasks.run_newest_hour", "7 * * * *")

SCHEDULES = (SWEEP, HEARTBEAT, PURGE, LOGINS, DELIVERIES, BACKFILLS, RESTATE, HOUR)
# The demo's business clock runs ahead of the wall clock: its hours are woken by the demo itself.
DEMO_SCHEDULES = (SWEEP, HEARTBEAT, PURGE, LOGINS, DELIVERIES, BACKFILLS)


def apply(entries: tuple[Entry, ...] = SCHEDULES) -> None:
    """Make the stored schedules those of the table, by name."""
    for entry in entries:
        values = {"func": entry.func, "schedule_type": Schedule.CRON, "cron": entry.cron}
        schedule, is_new = Schedule.objects.get_or_create(name=entry.name, defaults=values)
        if not is_new and (schedule.func, schedule.cron) != (entry.func, entry.cron):
            Schedule.objects.filter(pk=schedule.pk).update(**values)
    Schedule.objects.exclude(name__in=[entry.name for entry in entries]).delete()

"""Reading past ranges of an ad account: a day at a time, resumable after any interruption, with its progress stored.

Whoever works on a backfill holds its lease, and stops when another has taken it. A day is stored before
`next_day` moves, so a worker that is killed between the two reads one day twice, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Min, Q, QuerySet

from accounts.clock import wall_now
from accounts.hours import HOUR, local_day, newest_closed_slot
from accounts.models import AdAccount
from connectors.contracts import AdPlatform
from metrics.models import Backfill
from metrics.sync import SyncCounts, lock, sync_ad_days, sync_hours

LEASE = timedelta(minutes=10)  # longer than a worker's task may take
FRESH = timedelta(days=1)
DAY = timedelta(days=1)

RUNNING, DONE, STOPPED = Backfill.State.RUNNING, Backfill.State.DONE, Backfill.State.STOPPED

Progress = Callable[[int], None]
Days = tuple[date, date]


def plan(wanted: Mapping[AdAccount, Days], *, actor: str, now: datetime) -> dict[UUID, Backfill]:
    """The backfills of a whole read, by ad account, all stored before the first is run.

    When an earlier plan of the same actor was cut short, only what it left is carried on: an account that is
    missing in the answer was finished then.
    """
    with transaction.atomic():
        of_actor = Backfill.objects.filter(asked_by=actor[:150])
        cut_short = any(_lately(of_actor, account, days[0], RUNNING).exists() for account, days in wanted.items())
        return {
            account.pk: request(account, *days, actor=actor, now=now)
            for account, days in sorted(wanted.items(), key=lambda item: item[0].pk)  # one order for all who lock
            if not (cut_short and _is_finished(of_actor, account, days[0]))
        }


def _is_finished(among: QuerySet[Backfill], account: AdAccount, day: date) -> bool:
    return not _lately(among, account, day, RUNNING).exists() and _lately(among, account, day, DONE).exists()


def request(
    account: AdAccount, first_day: date, last_day: date, *, actor: str, now: datetime | None = None
) -> Backfill:
    """The backfill of these account-local days (both inclusive), to be run by a worker.

    Days that have not begun at `now` (business time) are left out. One that is running already and covers the
    first day is carried on, as far as the later of the two last days. Raises `ValueError` with one clear line
    for a range that cannot be read.
    """
    today = local_day((now or ended(account)) - HOUR, account.timezone)
    last_day = min(last_day, today)
    _check(first_day, last_day, today)
    with transaction.atomic():
        lock(account)
        found = _lately(Backfill.objects.all(), account, first_day, RUNNING).first()
        if found is not None and _reaches(found, last_day):
            return found
        _stop_inside(account, first_day, last_day)
        made: Backfill = Backfill.objects.create(
            tenant_id=account.tenant_id,
            ad_account=account,
            first_day=first_day,
            last_day=last_day,
            next_day=first_day,
            asked_by=actor[:150],
        )
    return made


def ended(account: AdAccount) -> datetime:
    """The end of the newest hour that has ended, by the wall clock or by what was read (a sandbox may run ahead)."""
    by_clock = newest_closed_slot(wall_now()) + HOUR
    read = account.synced_hours.aggregate(newest=Max("hour"))["newest"]
    return max(by_clock, read + HOUR) if read else by_clock


def _lately(among: QuerySet[Backfill], account: AdAccount, day: date, state: str) -> QuerySet[Backfill]:
    """Those in this state that moved lately and that cover the day."""
    moved = among.filter(ad_account=account, state=state, updated_at__gte=wall_now() - FRESH)
    return moved.filter(first_day__lte=day, last_day__gte=day).order_by("created_at")


def _reaches(found: Backfill, last_day: date) -> bool:
    """Whether it reads as far as that, now that it was told to."""
    if found.last_day >= last_day:
        return True
    _stop_inside(found.ad_account, found.first_day, last_day, besides=found)
    grown = Backfill.objects.filter(pk=found.pk, state=RUNNING).update(last_day=last_day)
    found.refresh_from_db()
    return bool(grown)


def _stop_inside(account: AdAccount, first_day: date, last_day: date, *, besides: Backfill | None = None) -> None:
    """Stop those of which all that is left lies in a range that is about to be read."""
    left = Backfill.objects.filter(ad_account=account, state=RUNNING, next_day__gte=first_day, last_day__lte=last_day)
    left.exclude(pk=besides and besides.pk).update(state=STOPPED)


def _check(first_day: date, last_day: date, today: date) -> None:
    oldest = today - timedelta(days=settings.OLDEST_HOURS_DAYS)
    if first_day > last_day:
        raise ValueError(f"expected a first day up to {last_day}, got {first_day}")
    if first_day < oldest:
        raise ValueError(f"expected a first day from {oldest} on: platforms give no older hours, got {first_day}")


def waiting() -> QuerySet[Backfill]:
    """Running backfills that nobody holds, of ad accounts that are switched on."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=wall_now())
    accounts = AdAccount.objects.filter(is_active=True, tenant__is_active=True)
    return Backfill.objects.filter(free, state=RUNNING, ad_account__in=accounts)


def give_up() -> list[Backfill]:
    """Stop those that failed and have not moved for a day."""
    stuck = waiting().exclude(problem="").filter(updated_at__lt=wall_now() - FRESH)
    found = list(stuck.select_related("ad_account__tenant"))
    stuck.filter(pk__in=[row.pk for row in found]).update(state=STOPPED)
    return found


def claim(backfill_id: UUID | str) -> Backfill | None:
    """Take a backfill that is waiting; `None` when there is nothing to do."""
    free = waiting().filter(pk=backfill_id)
    free.filter(lease_until__isnull=False, problem="").update(problem="the last worker did not come back")
    if not free.update(lease_until=wall_now() + LEASE):
        return None
    claimed: Backfill = Backfill.objects.select_related("ad_account__credential", "ad_account__tenant").get(
        pk=backfill_id
    )
    return claimed


def release(backfill: Backfill, *, problem: str) -> None:
    """Give the lease back, if it is still held, and say why the work stopped."""
    _held(backfill).update(problem=problem[:300], lease_until=None)


def _held(backfill: Backfill) -> QuerySet[Backfill]:
    """The row, while it is running under the lease that was taken."""
    return Backfill.objects.filter(pk=backfill.pk, state=RUNNING, lease_until=backfill.lease_until)


def run(
    backfill: Backfill,
    client: AdPlatform,
    *,
    as_of: datetime,
    counts: SyncCounts | None = None,
    stored: Callable[[date], None] = lambda day: None,
    progress: Progress = lambda days: None,
    until: datetime | None = None,
    is_whole: bool = True,
) -> SyncCounts:
    """Read the days that are left up to `as_of`; at least one, then as many as begin before `until` (wall time).

    With the last day read it is done, unless something is still to follow (`is_whole` is false: then `finish`).
    It takes the lease, whoever holds it. `stored` is told of each day before it counts as read. What is read is
    added to `counts`. Any error passes through with the problem noted; the backfill stays where it is.
    """
    account, newest = backfill.ad_account, local_day(as_of - HOUR, backfill.ad_account.timezone)
    counts = SyncCounts() if counts is None else counts
    backfill.lease_until = wall_now() + LEASE
    Backfill.objects.filter(pk=backfill.pk, state=RUNNING).update(lease_until=backfill.lease_until)
    try:
        while (day := _next_day(backfill)) is not None and day <= newest:
            before = counts.hours + counts.ad_days
            read_days(account, client, first_day=day, last_day=day, as_of=as_of, counts=counts)
            stored(day)
            _move(backfill, day, counts.hours + counts.ad_days - before)
            progress(1)
            if until is not None and wall_now() >= until:
                break
    except Exception as error:
        release(backfill, problem=str(error))
        raise
    held = _held(backfill)
    if not (is_whole and finish(held)):
        held.update(lease_until=None)
    backfill.refresh_from_db(fields=["next_day", "last_day", "state"])
    return counts


def finish(rows: QuerySet[Backfill]) -> int:
    """Those of which every day is read are done; returns how many."""
    read: int = rows.filter(state=RUNNING, next_day__gt=F("last_day")).update(
        state=DONE, lease_until=None, updated_at=wall_now()
    )
    return read


def accounted_to(rows: QuerySet[Backfill]) -> datetime | None:
    """Up to when an earlier run had accounted for all of these; `None` when it had not begun to."""
    if rows.filter(accounted_to__isnull=True).exists():
        return None
    told: datetime | None = rows.aggregate(earliest=Min("accounted_to"))["earliest"]
    return told


def _next_day(backfill: Backfill) -> date | None:
    """The day to read: `None` when all are read, or when it was stopped or taken over meanwhile."""
    left = _held(backfill).filter(next_day__lte=F("last_day"))
    found: date | None = left.values_list("next_day", flat=True).first()
    return found


def _move(backfill: Backfill, day: date, rows: int) -> None:
    """The day is read: also when the lease was lost meanwhile, which is not renewed then."""
    now = wall_now()
    Backfill.objects.filter(pk=backfill.pk, state=RUNNING, next_day=day).update(
        next_day=day + DAY, rows=F("rows") + rows, problem="", updated_at=now
    )
    if _held(backfill).update(lease_until=now + LEASE):
        backfill.lease_until = now + LEASE


def read_days(
    account: AdAccount,
    client: AdPlatform,
    *,
    first_day: date,
    last_day: date,
    as_of: datetime,
    counts: SyncCounts | None = None,
    progress: Progress = lambda days: None,
) -> SyncCounts:
    """The hours of these days, where the platform has hours, and the daily figures of ads; added to `counts`."""
    counts = SyncCounts() if counts is None else counts
    span = {"first_day": first_day, "last_day": last_day}
    if account.reports_hours:
        sync_hours(account, client, **span, as_of=as_of, counts=counts, progress=progress)
    counts.add(sync_ad_days(account, client, **span, as_of=as_of))
    return counts

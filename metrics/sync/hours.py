"""The hours that may still change, an account day at a time; and the days of ads, with what they are said to sell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.hours import HOUR, day_bounds, hour_of, hours_between, lag_of, local_day
from accounts.models import Ad, AdAccount, AdSet
from connectors.contracts import AdDayRecord, AdPlatform, HourRecord
from connectors.hours import days_between
from metrics.facts import AD_DAY_PURCHASES, AD_DAYS, HOURS, Merged, add, merge
from metrics.models import AdDay, AdDayPurchases, HourlyMetric, SyncedHour
from metrics.sync.counts import Progress, SyncCounts
from metrics.sync.refusals import storable

BATCH = 2000
ZERO = (0, 0, 0, None, None, None)  # an hour without delivery: purchases and leads are not claimed to be none


def sync_hours(
    account: AdAccount,
    client: AdPlatform,
    *,
    first_day: date,
    last_day: date,
    as_of: datetime,
    counts: SyncCounts | None = None,
    progress: Progress = lambda days: None,
) -> SyncCounts:
    """Read the hours of account-local days again, one day at a time, and store what changed.

    A day is read whole, so an hour that the platform leaves out had no delivery: it is stored as zero for
    ad sets that were delivering that day, and every closed hour is marked as synced. Open hours are left.
    Each day is added to `counts` as it is stored.
    """
    counts = SyncCounts() if counts is None else counts
    ids = dict(AdSet.objects.filter(ad_account=account).values_list("external_id", "pk"))
    for day in days_between(first_day, last_day):
        served = figures_of(client.hours(day, day), closed_hours(account, day, as_of))
        with storable(f"the hours of {day}"):
            _store_day(account, ids, served, as_of, counts)
        progress(1)
    return counts


Served = dict[datetime, dict[str, tuple[Any, ...]]]


def figures_of(records: Iterable[HourRecord], closed: Iterable[datetime]) -> Served:
    """The figures of closed hours, by UTC hour and the platform's id of the ad set."""
    served: Served = {hour: {} for hour in closed}
    places: dict[datetime, dict[str, tuple[Any, ...]] | None] = {}
    for ad_set, moment, *figures in records:
        if moment not in places:
            places[moment] = served.get(hour_of(moment))
        place = places[moment]
        if place is not None:
            place[ad_set] = (*figures,)
    return served


def closed_hours(account: AdAccount, day: date, as_of: datetime) -> list[datetime]:
    """The hours of a local day that have ended at `as_of`: 23, 24 or 25 of a day that is over."""
    start, end = day_bounds(day, account.timezone)
    return list(hours_between(start, min(end, hour_of(as_of - lag_of(start, account.timezone)))))


def _store_day(account: AdAccount, ids: dict[str, UUID], served: Served, as_of: datetime, counts: SyncCounts) -> None:
    """The hours of `served`, for every ad set that we know and that was delivering in one of them."""
    with transaction.atomic():
        lock(account)
        stored = HourlyMetric.objects.filter(ad_account=account, hour__in=list(served)).values_list("ad_set", flat=True)
        known = set(stored.distinct().order_by())
        delivering = set().union(*served.values())
        wanted = [
            (key, hour, *figures.get(external_id, ZERO))
            for external_id, key in ids.items()
            if external_id in delivering or key in known
            for hour, figures in served.items()
        ]
        owner = {"tenant_id": account.tenant_id, "ad_account_id": account.pk}
        merged = (merge if known else add)(HOURS, wanted, owner=owner, as_of=as_of)
        _mark_synced(account, served, as_of)
    counts.hours += merged.count
    counts.concern(merged.oldest)


def _mark_synced(account: AdAccount, hours: Collection[datetime], as_of: datetime) -> None:
    """Under the account's lock; what a later read has marked stays as it is."""
    if not hours:
        return
    later = account.synced_hours.filter(hour__range=(min(hours), max(hours)), known_at__gt=as_of)
    marked = set(later.values_list("hour", flat=True))
    shared = {"tenant_id": account.tenant_id, "ad_account": account, "known_at": as_of}
    SyncedHour.objects.bulk_create(
        [SyncedHour(hour=hour, **shared) for hour in hours if hour not in marked],
        update_conflicts=True,
        unique_fields=["ad_account", "hour"],
        update_fields=["known_at"],
    )


def sync_ad_days(
    account: AdAccount,
    client: AdPlatform,
    *,
    first_day: date,
    last_day: date,
    as_of: datetime,
) -> SyncCounts:
    """Read the daily figures of the account's ads again, and their purchases by attribution window.

    Of an account that reports no hours, the days that have ended are marked as synced by their hours.
    """
    ids = dict(Ad.objects.filter(ad_account=account).values_list("external_id", "pk"))
    days: dict[tuple[UUID, date], AdDayRecord] = {}
    for record in client.ad_days(first_day, last_day):
        if record.ad_external_id in ids and first_day <= record.day <= last_day:
            days[ids[record.ad_external_id], record.day] = record
    owner = {"tenant_id": account.tenant_id}
    with storable(f"the days of ads from {first_day} to {last_day}"), transaction.atomic():
        lock(account)
        stored = AdDay.objects.filter(ad__ad_account=account, day__range=(first_day, last_day))
        silent = set(stored.values_list("ad", "day")) - set(days)
        store = merge if stored.exists() else add
        rows = [(*key, r.spend_micros, r.impressions, r.clicks, r.leads) for key, r in days.items()]
        merged = store(AD_DAYS, [*rows, *((*key, 0, 0, 0, None) for key in silent)], owner=owner, as_of=as_of)
        _store_purchases(account, days, (first_day, last_day), store, as_of)
        if not account.reports_hours:
            ended = [day for day in days_between(first_day, last_day) if day_bounds(day, account.timezone)[1] <= as_of]
            _mark_synced(account, [hour for day in ended for hour in closed_hours(account, day, as_of)], as_of)
    return SyncCounts(ad_days=merged.count)


def _store_purchases(
    account: AdAccount,
    days: dict[tuple[UUID, date], AdDayRecord],
    span: tuple[date, date],
    store: Callable[..., Merged],
    as_of: datetime,
) -> None:
    """What each window is said to have sold; a window that a platform takes back is gone."""
    sold = {(*key, p.window): (p.count, p.value_micros) for key, r in days.items() for p in r.purchases}
    stored = AdDayPurchases.objects.filter(ad__ad_account=account, day__range=span, known_at__lte=as_of)
    gone = [pk for pk, *key in stored.values_list("pk", "ad", "day", "window") if tuple(key) not in sold]
    for start in range(0, len(gone), BATCH):
        AdDayPurchases.objects.filter(pk__in=gone[start : start + BATCH]).delete()
    rows = [(*key, *figures) for key, figures in sold.items()]
    store(AD_DAY_PURCHASES, rows, owner={"tenant_id": account.tenant_id}, as_of=as_of)


def lock(account: AdAccount) -> None:
    """One writer of an account's figures at a time, until the transaction ends."""
    AdAccount.objects.select_for_update(no_key=True).get(pk=account.pk)


def restatement_days(account: AdAccount, as_of: datetime, *, deep: bool = False) -> tuple[date, date]:
    """The account-local days that every sync reads again (`deep`: that the nightly one does), both inclusive."""
    today = local_day(as_of - HOUR, account.timezone)
    table = settings.RESTATEMENT_DAYS_NIGHTLY if deep else settings.RESTATEMENT_DAYS
    return today - timedelta(days=table[account.platform]), today

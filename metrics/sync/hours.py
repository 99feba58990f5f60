"""The hours that may still change, an account day at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.hours import HOUR, day_bounds, hour_of, hours_between, lag_of, local_day
from accounts.models import AdAccount, AdSet
from connectors.contracts import AdPlatform, HourRecord
from metrics.models import HourlyMetric, HourlyMetricRevision, SyncedHour
from metrics.sync.counts import Progress, SyncCounts

FIGURES = ("spend_micros", "impressions", "clicks", "conversions", "conversion_value_micros")


def sync_hours(
    account: AdAccount,
    client: AdPlatform,
    *,
    first_day: date,
    last_day: date,
    as_of: datetime,
    progress: Progress = lambda hours: None,
) -> SyncCounts:
    """Read the hours of account-local days again, one day at a time, and store what changed.

    A day is read whole, so an hour that the platform leaves out had no delivery: it is stored as zero for
    ad sets that were delivering that day, and every closed hour is marked as synced. Open hours are left.
    """
    counts = SyncCounts()
    ids = dict(AdSet.objects.filter(ad_account=account).values_list("external_id", "pk"))
    day = first_day
    while day <= last_day:
        records = [record for record in client.hours(day, day) if record.ad_set_external_id in ids]
        _store_day(account, ids, day, records, as_of, counts)
        progress(1)
        day += timedelta(days=1)
    return counts


def _store_day(
    account: AdAccount, ids: dict[str, Any], day: date, records: list[HourRecord], as_of: datetime, counts: SyncCounts
) -> None:
    start, end = day_bounds(day, account.timezone)
    closed = list(hours_between(start, min(end, hour_of(as_of - lag_of(start, account.timezone)))))
    served = {
        (ids[record.ad_set_external_id], hour_of(record.hour)): replace(record, hour=hour_of(record.hour))
        for record in records
        if hour_of(record.hour) in closed
    }
    delivering = {ad_set for ad_set, _ in served}
    with transaction.atomic():
        stored = {
            (row.ad_set_id, row.hour): row
            for row in HourlyMetric.objects.filter(ad_account=account, hour__gte=start, hour__lt=end)
        }
        delivering |= {ad_set for ad_set, _ in stored}
        wanted = {
            (ad_set, hour): HourRecord(str(ad_set), hour, 0, 0, 0, None, None)
            for ad_set in delivering
            for hour in closed
        } | served
        changed = [
            (key, record)
            for key, record in wanted.items()
            if key not in stored or any(getattr(stored[key], f) != getattr(record, f) for f in FIGURES)
        ]
        _store_hours(account, changed, as_of)
        SyncedHour.objects.bulk_create(
            [SyncedHour(tenant_id=account.tenant_id, ad_account=account, hour=hour, known_at=as_of) for hour in closed],
            update_conflicts=True,
            unique_fields=["ad_account", "hour"],
            update_fields=["known_at"],
        )
    counts.hours += len(changed)
    counts.concern(*(hour for (_, hour), _ in changed))


def _store_hours(account: AdAccount, changed: list[tuple[Any, HourRecord]], as_of: datetime) -> None:
    def values(ad_set: Any, record: HourRecord) -> dict[str, Any]:
        figures = {name: getattr(record, name) for name in FIGURES}
        return {
            "tenant_id": account.tenant_id,
            "ad_set_id": ad_set,
            "hour": record.hour,
            "known_at": as_of,
        } | figures

    current = [HourlyMetric(ad_account=account, **values(key[0], record)) for key, record in changed]
    revisions = [HourlyMetricRevision(**values(key[0], record)) for key, record in changed]
    for model, rows, unique in (
        (HourlyMetric, current, ["ad_set", "hour"]),
        (HourlyMetricRevision, revisions, ["ad_set", "hour", "known_at"]),
    ):
        model.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=unique,
            update_fields=[*FIGURES, "known_at"],
            batch_size=500,
        )


def restatement_days(account: AdAccount, as_of: datetime) -> tuple[date, date]:
    """The account-local days whose hours may still change, both inclusive."""
    today = local_day(as_of - HOUR, account.timezone)
    return today - timedelta(days=settings.RESTATEMENT_DAYS[account.platform]), today

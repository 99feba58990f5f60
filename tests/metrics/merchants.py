"""A database of its own for a sync in a process of its own: `python -m tests.metrics.merchants connect|digest URL`."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import django
import httpx


def connect(url: str) -> None:
    from django.core.management import call_command

    from tests.benchmarks.sync import connect_tenants

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    connect_tenants(httpx.get(f"{url}/_control/credentials", trust_env=False).json())


def digest(_: str) -> None:
    """Counts of all that a sync stores, and a digest of every figure under the platforms' own ids."""
    from accounts.models import Ad, AdSet, Campaign, Creative
    from accounts.scoping import all_tenants
    from metrics.models import AdDay, AdDayPurchases, Backfill, HourlyMetric, HourlyMetricRevision, SyncedHour

    figures = ("spend_micros", "impressions", "clicks")
    tables: dict[Any, tuple[str, ...]] = {
        Campaign: ("external_id", "status"),
        AdSet: ("external_id", "status", "daily_budget_micros"),
        Creative: ("external_id", "name"),
        Ad: ("external_id", "ad_set__external_id"),
        HourlyMetric: ("ad_set__external_id", "hour", *figures, "conversions", "leads"),
        HourlyMetricRevision: ("ad_set__external_id", "hour", "known_at", *figures),
        SyncedHour: ("ad_account__external_id", "hour"),
        AdDay: ("ad__external_id", "day", *figures),
        AdDayPurchases: ("ad__external_id", "day", "window", "count", "value_micros"),
    }
    found: dict[str, list[Any]] = {}
    with all_tenants():
        for model, names in tables.items():
            rows = list(model.objects.order_by(*names).values_list(*names))
            text = "\n".join(map(repr, rows)).encode()
            found[model.__name__] = [len(rows), hashlib.sha256(text).hexdigest()]
        found["Backfill"] = sorted(Backfill.objects.values_list("state", flat=True))
    print(json.dumps(found))


if __name__ == "__main__":
    django.setup()
    {"connect": connect, "digest": digest}[sys.argv[1]](sys.argv[2])

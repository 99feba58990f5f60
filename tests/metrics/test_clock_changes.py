"""A sync across a change of the clocks: local days of 23 and 25 hours, every one of them read."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Tenant
from metrics.models import HourlyMetric, SyncedHour
from metrics.pull import pull
from tests.connectors.sandbox.visitor import Visitor
from tests.metrics import served

ZONE = ZoneInfo("America/New_York")
AFTER_AUTUMN = datetime(2026, 11, 3, 5, tzinfo=UTC)  # midnight in New York; the clocks went back on the 1st
AFTER_SPRING = datetime(2026, 3, 10, 4, tzinfo=UTC)  # midnight in New York; they went forward on the 8th


@pytest.mark.parametrize(
    ("box", "as_of", "changed", "length"),
    [
        (AFTER_AUTUMN, AFTER_AUTUMN, date(2026, 11, 1), 25),
        (AFTER_SPRING, AFTER_SPRING, date(2026, 3, 8), 23),
    ],
    indirect=["box"],
)
def test_the_day_of_a_clock_change_has_its_own_length(
    box: Visitor, merchant: Tenant, as_of: datetime, changed: date, length: int
) -> None:
    pull(merchant, as_of=as_of, history=timedelta(days=3))
    days = Counter(
        (platform, hour.astimezone(ZONE).date())
        for platform, hour in SyncedHour.objects.values_list("ad_account__platform", "hour")
    )
    for platform in ("meta", "tiktok"):
        lengths = {day: count for (of, day), count in days.items() if of == platform}
        assert lengths[changed] == length
        assert {lengths[changed + timedelta(days=n)] for n in (-1, 1)} == {24}
    for ad_set, count in Counter(
        ad_set
        for ad_set, hour in HourlyMetric.objects.values_list("ad_set", "hour")
        if hour.astimezone(ZONE).date() == changed
    ).items():
        assert count == length, ad_set


@pytest.mark.parametrize("box", [AFTER_AUTUMN], indirect=True)
def test_the_spend_of_the_long_day_is_what_the_platforms_say(box: Visitor, merchant: Tenant) -> None:
    day = date(2026, 11, 1)
    pull(merchant, as_of=AFTER_AUTUMN, history=timedelta(days=3))
    told = {
        "meta": sum(spend for spend, _, _ in served.meta_hours(box, day, day).values()),
        "tiktok": sum(served.micros(row["metrics"]["spend"]) for row in served.tiktok_rows(box, day, day)),
    }
    for platform, spend in told.items():
        rows = HourlyMetric.objects.filter(ad_account__platform=platform).values_list("hour", "spend_micros")
        held = sum(micros for hour, micros in rows if hour.astimezone(ZONE).date() == day)
        assert held == spend > 0

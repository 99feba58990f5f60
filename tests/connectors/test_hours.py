"""Local hours of an ad account as hours in UTC, over the changes of summer time too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contracts import HourRecord
from connectors.errors import ConfigurationError
from connectors.hours import days_between, in_order, start_of_local_hour, zone_named

NEW_YORK = zone_named("America/New_York")
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Etc/GMT+8"]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def record(hour: datetime, spend: int = 1, conversions: int | None = 1) -> HourRecord:
    return HourRecord("7", hour, spend, 10, 2, conversions, None)


def test_an_ordinary_hour() -> None:
    assert start_of_local_hour(date(2026, 11, 20), 10, NEW_YORK) == utc("2026-11-20T15:00")


def test_the_repeated_hour_of_autumn_is_its_first_occurrence() -> None:
    assert start_of_local_hour(date(2026, 11, 1), 1, NEW_YORK) == utc("2026-11-01T05:00")
    assert start_of_local_hour(date(2026, 11, 1), 2, NEW_YORK) == utc("2026-11-01T07:00")


def test_a_skipped_hour_of_spring_falls_together_with_the_next() -> None:
    skipped, following = (start_of_local_hour(date(2026, 3, 8), hour, NEW_YORK) for hour in (2, 3))
    assert skipped == following == utc("2026-03-08T07:00")
    assert in_order([record(skipped, 5), record(following, 7, None)]) == [
        HourRecord("7", following, 12, 20, 4, None, None)
    ]


def test_zones_off_the_hour_keep_their_minutes() -> None:
    assert start_of_local_hour(date(2026, 11, 20), 0, zone_named("Asia/Kolkata")) == utc("2026-11-19T18:30")


@given(st.sampled_from(ZONES), st.dates(date(2025, 1, 1), date(2027, 12, 31)))
def test_the_hours_of_a_day_ascend_and_stay_within_it(name: str, day: date) -> None:
    zone = zone_named(name)
    starts = [start_of_local_hour(day, hour, zone) for hour in range(24)]
    assert starts == sorted(starts)
    assert starts[-1] < start_of_local_hour(day + timedelta(days=1), 0, zone)
    assert all(start.astimezone(zone).date() == day for start in starts)


def test_days_are_both_inclusive_and_none_when_reversed() -> None:
    assert list(days_between(date(2026, 2, 28), date(2026, 3, 1))) == [date(2026, 2, 28), date(2026, 3, 1)]
    assert list(days_between(date(2026, 3, 2), date(2026, 3, 1))) == []


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "America", "a\x00b"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        zone_named(name)

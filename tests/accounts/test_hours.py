"""Hours and days: local days are whole hours that tile time, whatever the zone does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.hours import HOUR, day_bounds, hour_of, hours_between, lag_of, local_day, newest_closed_slot, parse_slot

ZONES = sorted(available_timezones() - {"localtime"})
zones = st.sampled_from(ZONES)
days = st.dates(date(2015, 1, 1), date(2035, 12, 31))
moments = st.integers(1_420_000_000, 2_080_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(days, zones)
def test_days_tile_time_in_whole_hours(day: date, zone: str) -> None:
    start, end = day_bounds(day, zone)
    assert end == day_bounds(day + timedelta(days=1), zone)[0]
    assert start == day_bounds(day - timedelta(days=1), zone)[1]
    assert hour_of(start) == start
    assert start.utcoffset() == timedelta(0)
    assert len(list(hours_between(start, end))) in (23, 24, 25)


@given(moments, zones)
def test_a_moment_lies_in_the_day_that_the_clock_on_the_wall_shows(moment: datetime, zone: str) -> None:
    day = local_day(moment, zone)
    start, end = day_bounds(day, zone)
    exact = datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
    assert day == moment.astimezone(ZoneInfo(zone)).date()
    assert start <= moment < end + HOUR
    assert timedelta(0) <= exact - start < HOUR


@pytest.mark.parametrize(
    ("zone", "day", "first", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00+00:00", 23),
        ("America/New_York", date(2026, 11, 1), "2026-11-01T04:00+00:00", 25),
        ("America/New_York", date(2026, 11, 2), "2026-11-02T05:00+00:00", 24),
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00+00:00", 25),
        ("America/Santiago", date(2026, 9, 6), "2026-09-06T04:00+00:00", 23),  # midnight does not exist
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00+00:00", 25),  # midnight comes twice
        ("Africa/Cairo", date(2026, 10, 29), "2026-10-28T21:00+00:00", 25),  # falls back at midnight
        ("UTC", date(2026, 3, 8), "2026-03-08T00:00+00:00", 24),
        ("Asia/Kolkata", date(2026, 3, 8), "2026-03-07T18:00+00:00", 24),  # midnight is 18:30
        ("Asia/Kathmandu", date(2026, 3, 8), "2026-03-07T18:00+00:00", 24),  # midnight is 18:15
        ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00+00:00", 24),  # 24½ hours, to 13:30
    ],
)
def test_worked_days(zone: str, day: date, first: str, hours: int) -> None:
    start, end = day_bounds(day, zone)
    assert start == datetime.fromisoformat(first)
    assert (end - start) / HOUR == hours


@given(moments, zones)
def test_the_lag_is_how_far_the_walls_hour_stands_after_the_utc_hour(moment: datetime, zone: str) -> None:
    lag = lag_of(moment, zone)
    wall = (hour_of(moment) + lag).astimezone(ZoneInfo(zone))
    assert timedelta(0) <= lag < HOUR
    assert local_day(moment, zone) is not None
    if wall.utcoffset() == moment.astimezone(ZoneInfo(zone)).utcoffset():
        assert (wall.minute, wall.second) == (0, 0)


@given(moments)
def test_the_newest_closed_slot_has_ended_and_the_next_has_not(moment: datetime) -> None:
    slot = newest_closed_slot(moment)
    assert hour_of(slot) == slot
    assert slot + HOUR <= moment < slot + 2 * HOUR


def test_hours_between_are_half_open() -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert list(hours_between(noon, noon + 2 * HOUR)) == [noon, noon + HOUR]
    assert list(hours_between(noon, noon)) == []
    assert list(hours_between(noon, noon - HOUR)) == []


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-11-20T10:00Z", 10), ("2026-11-20T10:00:00+00:00", 10), ("2026-11-20T10:00:00+02:00", 8)],
)
def test_a_slot_is_read_with_its_zone(text: str, hour: int) -> None:
    slot = parse_slot(text)
    assert slot == datetime(2026, 11, 20, hour, tzinfo=UTC)
    assert slot.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-20T10:00",
        "2026-11-20",
        "2026-11-20T10:30Z",
        "2026-11-20T10:00:01Z",
        "2026-11-20T25:00Z",
        "2026-11-20T10:00+05:30",
        "２０２６-11-20T10:00Z",
        "2026-11-20T10:00Z\n",
        "9" * 400,
    ],
)
def test_anything_else_is_refused_with_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="expected the UTC start of an hour") as caught:
        parse_slot(text)
    assert len(str(caught.value).splitlines()) == 1

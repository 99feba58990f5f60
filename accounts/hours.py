"""Hours and days. A slot is the UTC start of an hour; local days have 23, 24 or 25 hours.

Where a zone's offset is not whole hours (India, parts of Australia), an hour of its wall clock is kept under
the UTC hour that holds its start, and its days begin with the hour that holds their midnight.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)


def hour_of(moment: datetime) -> datetime:
    """The UTC start of the hour that holds `moment`."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def newest_closed_slot(now: datetime) -> datetime:
    """The start of the newest hour that has ended at `now`."""
    return hour_of(now) - HOUR


def local_day(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """UTC `[start, end)` of a local day, in whole hours."""
    tz = ZoneInfo(zone)
    return (
        hour_of(datetime.combine(day, time.min, tz)),
        hour_of(datetime.combine(day + timedelta(days=1), time.min, tz)),
    )


def lag_of(moment: datetime, zone: str) -> timedelta:
    """How long after a UTC hour the hours of the zone's wall clock start: zero for most zones."""
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return -offset % HOUR


def hours_between(start: datetime, end: datetime) -> Iterator[datetime]:
    """The starts of the hours in `[start, end)`, from `start` on: at :30 in a zone that is half an hour off."""
    hour = start
    while hour < end:
        yield hour
        hour += HOUR


def parse_slot(text: str) -> datetime:
    """A slot from ISO text with a zone; raises `ValueError` with one clear line."""
    expected = f"expected the UTC start of an hour such as 2026-11-20T10:00Z, got {text[:40]!r}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(expected) from error
    if moment.tzinfo is None or hour_of(moment) != moment:
        raise ValueError(expected)
    return hour_of(moment)

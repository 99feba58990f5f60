"""From the wall clock of an ad account to hours in UTC.

Both platforms label an hour by the account's local date and hour without an offset. In autumn the repeated
hour is one label, given here to its first occurrence; in spring the skipped label does not occur, and if it
did it would fall together with the next one. Sums per local day stay right in every case.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from connectors.contracts import HourRecord
from connectors.errors import ConfigurationError


def zone_named(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigurationError(f"no such time zone: {name!r}") from error


def start_of_local_hour(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """The UTC start of the account-local hour `hour` (0 to 23) of `day`."""
    return datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)


def days_between(first_day: date, last_day: date) -> Iterator[date]:
    """Every day from the first to the last, both included."""
    for offset in range((last_day - first_day).days + 1):
        yield first_day + timedelta(days=offset)


def spans(first_day: date, last_day: date, days: int) -> Iterator[tuple[date, date]]:
    """The first and last day of each stretch of at most `days` days from the first to the last, both included."""
    start = first_day
    while start <= last_day:
        end = min(start + timedelta(days=days - 1), last_day)
        yield start, end
        start = end + timedelta(days=1)


def months_before(day: date, months: int) -> date:
    """The same day that many months earlier, or the last of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def in_order(records: Iterable[HourRecord]) -> list[HourRecord]:
    """The records by hour and ad set; two that fall on the same hour are added up."""
    merged: dict[tuple[datetime, str], HourRecord] = {}
    for record in records:
        key = (record.hour, record.ad_set_external_id)
        merged[key] = _added(merged[key], record) if key in merged else record
    return [merged[key] for key in sorted(merged)]


def _added(one: HourRecord, other: HourRecord) -> HourRecord:
    return one._replace(
        spend_micros=one.spend_micros + other.spend_micros,
        impressions=one.impressions + other.impressions,
        clicks=one.clicks + other.clicks,
        conversions=_sum(one.conversions, other.conversions),
        conversion_value_micros=_sum(one.conversion_value_micros, other.conversion_value_micros),
        leads=_sum(one.leads, other.leads),
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other

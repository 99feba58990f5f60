"""Which days an insights request means, and how they fall into rows. All days are the account's own."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from datetime import date, timedelta

from connectors.sandbox.answers import loads
from connectors.sandbox.meta_errors import MetaError

Span = tuple[date, date]
DAY = timedelta(days=1)


def _last(days: int) -> Callable[[date], Span]:
    return lambda today: (today - days * DAY, today - DAY)


def _month(day: date) -> Span:
    return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _quarter(day: date) -> Span:
    first = day.month - (day.month - 1) % 3
    return day.replace(month=first, day=1), _month(day.replace(month=first + 2, day=1))[1]


def _year(day: date) -> Span:
    return date(day.year, 1, 1), date(day.year, 12, 31)


def _week(day: date, first_weekday: int) -> Span:
    start = day - (day.weekday() - first_weekday) % 7 * DAY
    return start, start + 6 * DAY


def months_before(day: date, months: int) -> date:
    """The same day of the month, or the last one that the month has."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


PRESETS: dict[str, Callable[[date], Span]] = {
    "today": lambda today: (today, today),
    "yesterday": _last(1),
    **{f"last_{days}d": _last(days) for days in (3, 7, 14, 28, 30, 90)},
    "this_month": lambda today: (_month(today)[0], today),
    "last_month": lambda today: _month(_month(today)[0] - DAY),
    "this_quarter": lambda today: (_quarter(today)[0], today),
    "last_quarter": lambda today: _quarter(_quarter(today)[0] - DAY),
    "this_year": lambda today: (_year(today)[0], today),
    "last_year": lambda today: _year(_year(today)[0] - DAY),
    "this_week_mon_today": lambda today: (_week(today, 0)[0], today),
    "this_week_sun_today": lambda today: (_week(today, 6)[0], today),
    "last_week_mon_sun": lambda today: _week(_week(today, 0)[0] - DAY, 0),
    "last_week_sun_sat": lambda today: _week(_week(today, 6)[0] - DAY, 6),
    "maximum": lambda today: (months_before(today, 37), today),
    "data_maximum": lambda today: (months_before(today, 37), today),
}


def days_asked(params: Mapping[str, str], today: date) -> Span:
    """First and last day, both inclusive. Raises MetaError for a range that is none."""
    if "time_range" not in params:
        preset = params.get("date_preset", "last_30d")
        if preset not in PRESETS:
            raise MetaError(100, f"(#100) date_preset {preset} is invalid")
        return PRESETS[preset](today)
    span = loads(params["time_range"], {})
    try:
        first, last = date.fromisoformat(span["since"]), date.fromisoformat(span["until"])
    except (KeyError, TypeError, ValueError) as error:
        raise MetaError(100, "(#100) time_range must be {'since':'YYYY-MM-DD','until':'YYYY-MM-DD'}") from error
    if first > last:
        raise MetaError(100, "(#100) time_range: since is after until", 1487756)
    return first, last


def period(day: date | None, asked: Span, increment: int) -> Span:
    """The span of the row that a day falls into, cut to what was asked for; `None` stands for all days."""
    if day is None:
        return asked
    if increment < 0:
        start, stop = _month(day)
    else:
        start = asked[0] + (day - asked[0]).days // increment * increment * DAY
        stop = start + (increment - 1) * DAY
    return max(start, asked[0]), min(stop, asked[1])

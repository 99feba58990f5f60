"""Windows: explicit bounds in the account's zone, sums over sums, unknown where too little is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.hours import HOUR
from metrics.windows import METRICS, WindowError, WindowValues, check_window, ratio, window_bounds

AS_OF = datetime(2026, 11, 20, 16, tzinfo=UTC)
ZONES = st.sampled_from(
    ["America/New_York", "Europe/Berlin", "UTC", "Asia/Kolkata", "Pacific/Auckland", "Africa/Cairo"]
)
TOKENS = st.one_of(
    st.sampled_from(["today", "yesterday"]),
    st.integers(1, 336).map(lambda n: f"last_{n}h"),
    st.integers(1, 28).map(lambda n: f"last_{n}d"),
)
SLOTS = st.integers(0, 24 * 800).map(lambda n: datetime(2025, 6, 1, tzinfo=UTC) + n * HOUR)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("token", "as_of", "zone", "start", "end"),
    [
        ("today", "2026-11-20T16:00", "America/New_York", "2026-11-20T05:00", "2026-11-20T16:00"),
        ("today", "2026-11-20T05:00", "America/New_York", "2026-11-19T05:00", "2026-11-20T05:00"),
        ("today", "2026-11-20T06:00", "America/New_York", "2026-11-20T05:00", "2026-11-20T06:00"),
        ("yesterday", "2026-11-20T16:00", "America/New_York", "2026-11-19T05:00", "2026-11-20T05:00"),
        ("yesterday", "2026-11-02T16:00", "America/New_York", "2026-11-01T04:00", "2026-11-02T05:00"),
        ("yesterday", "2026-03-09T16:00", "America/New_York", "2026-03-08T05:00", "2026-03-09T04:00"),
        ("last_3d", "2026-11-03T16:00", "America/New_York", "2026-10-31T04:00", "2026-11-03T05:00"),
        ("last_1d", "2026-11-20T16:00", "UTC", "2026-11-19T00:00", "2026-11-20T00:00"),
        ("last_3h", "2026-11-01T07:00", "America/New_York", "2026-11-01T04:00", "2026-11-01T07:00"),
        ("last_1h", "2026-11-20T16:00", "Asia/Kolkata", "2026-11-20T15:00", "2026-11-20T16:00"),
        ("yesterday", "2026-11-20T16:00", "Asia/Kolkata", "2026-11-18T18:00", "2026-11-19T18:00"),
    ],
)
def test_worked_bounds(token: str, as_of: str, zone: str, start: str, end: str) -> None:
    assert window_bounds(token, utc(as_of), zone) == (utc(start), utc(end))


@given(TOKENS, SLOTS, ZONES)
def test_a_window_is_whole_closed_hours(token: str, as_of: datetime, zone: str) -> None:
    start, end = window_bounds(token, as_of, zone)
    assert start < end <= as_of
    assert (end - start) % HOUR == timedelta(0)
    assert start.tzinfo is UTC
    assert check_window(token) == token


@given(SLOTS, ZONES)
def test_today_follows_yesterday_and_days_add_up(as_of: datetime, zone: str) -> None:
    today, yesterday = window_bounds("today", as_of, zone), window_bounds("yesterday", as_of, zone)
    assert yesterday[1] == today[0]
    assert window_bounds("last_1d", as_of, zone) == yesterday
    three, four = window_bounds("last_3d", as_of, zone), window_bounds("last_4d", as_of, zone)
    assert three[1] == four[1] == today[0]
    assert 23 <= (three[0] - four[0]) / HOUR <= 25
    assert today[1] - today[0] <= timedelta(hours=25)
    local = (as_of - HOUR).astimezone(ZoneInfo(zone)).date()
    assert (today[0] + HOUR).astimezone(ZoneInfo(zone)).date() == local


@pytest.mark.parametrize(
    "token",
    [
        "",
        "tomorrow",
        "last_0h",
        "last_h",
        "last_337h",
        "last_29d",
        "last_-1h",
        "last_1w",
        "LAST_1H",
        "last_1h ",
        "today\n",
        "last_٣h",
        "last_1.5h",
        "last_01h",
        "None",
        "x" * 1000,
    ],
)
def test_anything_else_is_no_window(token: str) -> None:
    for ask in (lambda: check_window(token), lambda: window_bounds(token, AS_OF, "UTC")):
        with pytest.raises(WindowError, match="expected today, yesterday, last_Nh") as caught:
            ask()
        assert len(str(caught.value)) < 200


def values(**figures: Any) -> WindowValues:
    return WindowValues("today", AS_OF - HOUR, AS_OF, Decimal(1), **figures)


def test_metrics_are_sums_over_sums() -> None:
    window = values(
        spend_micros=50_000_000,
        revenue_micros=125_000_000,
        cogs_micros=30_000_000,
        orders=4,
        impressions=20_000,
        clicks=400,
        conversions=7,
    )
    expected = {
        "spend": "50",
        "revenue": "125",
        "profit": "45",
        "orders": "4",
        "impressions": "20000",
        "clicks": "400",
        "conversions": "7",
        "roas": "2.5",
        "cpa": "12.5",
        "aov": "31.25",
        "ctr": "0.02",
        "cvr": "0.01",
        "cpc": "0.125",
        "cpm": "2.5",
    }
    assert {name: window.get(name) for name in METRICS} == {name: Decimal(text) for name, text in expected.items()}


def test_a_ratio_over_zero_is_undefined_and_zero_over_something_is_zero() -> None:
    nothing = values(spend_micros=0, revenue_micros=0, cogs_micros=0, orders=0, impressions=0, clicks=0, conversions=0)
    ratios = {"roas", "cpa", "aov", "ctr", "cvr", "cpc", "cpm"}
    assert {name for name in METRICS if nothing.get(name) is None} == ratios
    assert values(spend_micros=1, revenue_micros=0).get("roas") == 0
    assert ratio(Decimal(1), Decimal(0)) is None
    assert ratio(Decimal(0), Decimal(0)) is None


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_not_known_is_unknown_and_never_zero(metric: str) -> None:
    assert values().get(metric) is None


@pytest.mark.parametrize("metric", METRICS)
def test_a_window_with_a_problem_has_no_values(metric: str) -> None:
    known = values(spend_micros=1, revenue_micros=1, orders=1, impressions=1, clicks=1, conversions=1, problem="gap")
    assert known.get(metric) is None

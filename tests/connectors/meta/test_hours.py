"""Meta's hourly figures as records."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.contracts import HourRecord
from connectors.errors import ConfigurationError, MalformedReplyError
from connectors.meta.insights import HOURLY
from tests.connectors.meta.answers import account, client, insight, listing, query
from tests.connectors.wire import Script, wire

DAY = "2026-11-20"
AUTUMN, SPRING = "2026-11-01", "2026-03-08"


def read_hours(*scripts: Script, days: tuple[str, str] = (DAY, DAY), **facts: Any) -> list[HourRecord]:
    with wire(account(**facts), *scripts) as served:
        return list(client(served).hours(*map(date.fromisoformat, days)))


def test_spend_is_in_whole_units_and_purchases_are_unknown() -> None:
    assert read_hours(listing(insight(9))) == [
        HourRecord("5", datetime(2026, 11, 20, 14, tzinfo=UTC), 1_500_000, 100, 3, None, None)
    ]


def test_figures_may_be_numbers_too() -> None:
    (found,) = read_hours(listing(insight(9, spend=2, impressions=7, clicks=1, adset_id=5)))
    assert found[:5] == ("5", found.hour, 2_000_000, 7, 1)


def test_a_row_without_an_hour_or_a_figure_is_a_missing_hour() -> None:
    idle = insight(None, spend="0", impressions="0", clicks="0")
    assert read_hours(listing(idle, insight(3, spend=None), insight(4, clicks=None))) == []


def test_hours_ascend_whatever_the_order_of_the_rows() -> None:
    rows = [insight(hour, day, adset_id=i) for day in ("2026-11-20", "2026-11-19") for hour in (7, 3) for i in "65"]
    found = read_hours(listing(*rows[:3], after="a"), listing(*rows[3:]), days=("2026-11-19", DAY))
    assert [h.hour for h in found] == sorted(h.hour for h in found)
    assert len({(h.ad_set_external_id, h.hour) for h in found}) == 8


def test_the_repeated_hour_of_autumn_is_booked_once() -> None:
    found = read_hours(listing(insight(1, AUTUMN, spend="4"), insight(2, AUTUMN)), days=(AUTUMN, AUTUMN))
    assert [(h.hour.hour, h.spend_micros) for h in found] == [(5, 4_000_000), (7, 1_500_000)]


@pytest.mark.parametrize(("day", "hours", "labels"), [(AUTUMN, 25, range(24)), (SPRING, 23, [0, 1, *range(3, 24)])])
def test_a_day_of_clock_change_keeps_its_sum_and_stays_within_itself(day: str, hours: int, labels: Any) -> None:
    found = read_hours(listing(*(insight(label, day) for label in labels)), days=(day, day))
    zone, local = ZoneInfo("America/New_York"), date.fromisoformat(day)
    bounds = [datetime(d.year, d.month, d.day, tzinfo=zone) for d in (local, local + timedelta(days=1))]
    assert bounds[1].astimezone(UTC) - bounds[0].astimezone(UTC) == timedelta(hours=hours)
    assert sum(h.spend_micros for h in found) == 1_500_000 * len(labels)
    assert all(bounds[0] <= h.hour < bounds[1] for h in found)
    assert len({h.hour for h in found}) == len(found) == len(labels)


def test_a_label_that_spring_skips_is_added_to_the_hour_it_falls_on() -> None:
    found = read_hours(listing(insight(2, SPRING), insight(3, SPRING)), days=(SPRING, SPRING))
    assert [(h.hour, h.spend_micros) for h in found] == [(datetime(2026, 3, 8, 7, tzinfo=UTC), 3_000_000)]


@pytest.mark.parametrize(
    "row",
    [
        insight(None),
        insight(9, **{HOURLY: "24:00:00 - 24:59:59"}),
        insight(9, **{HOURLY: "09:00:00 - 10:59:59"}),
        insight(9) | {HOURLY: ["09:00:00 - 09:59:59"]},
        insight(9, day="2026-13-01"),
        insight(9, day="20261120"),
        insight(9, day="2026-11-19"),
        insight(9, date_start=None),
        insight(9, date_start={}),
        insight(9, spend="-1.00"),
        insight(9, spend="1e3"),
        insight(9, spend=[]),
        insight(9, impressions="1.5"),
        insight(9, impressions=True),
        insight(9, clicks="٣"),
        insight(9, clicks={}),
        insight(9, adset_id=None),
        insight(9, adset_id=""),
        insight(9, adset_id=["5"]),
    ],
)
def test_an_hour_of_an_unknown_shape_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        read_hours(listing(insight(8, adset_id="1", spend="1", impressions="1", clicks="1"), row))


def test_the_same_hour_twice_is_refused() -> None:
    with pytest.raises(MalformedReplyError):
        read_hours(listing(insight(9), after="a"), listing(insight(9, spend="2.00")))


def test_hours_are_asked_for_per_ad_set_day_and_hour_of_the_account() -> None:
    with wire(account(), listing()) as served:
        assert list(client(served).hours(date(2026, 11, 19), date(2026, 11, 20))) == []
        asked = query(served.requests[-1])
    assert asked["breakdowns"] == [f'["{HOURLY}"]']
    assert (asked["level"], asked["time_increment"]) == (["adset"], ["1"])
    assert asked["time_range"] == ['{"since": "2026-11-19", "until": "2026-11-20"}']
    assert asked["fields"] == ["adset_id,spend,impressions,clicks"]


def test_hours_reach_thirteen_months_back_and_older_days_are_not_asked_for() -> None:
    with wire(account(), listing()) as served:
        ads = client(served)
        assert list(ads.hours(date(2025, 10, 21), date(2025, 10, 21))) == []
        asked = len(served.requests)
        with pytest.raises(ConfigurationError, match="13 months back, to 2025-10-21, not to 2025-10-20"):
            list(ads.hours(date(2025, 10, 20), date(2026, 11, 20)))
        assert len(served.requests) == asked


def test_today_is_that_of_the_account() -> None:
    late = datetime(2026, 11, 21, 3, tzinfo=UTC)  # still the 20th in New York
    with wire(account(), listing()) as served:
        assert list(client(served, now=lambda: late).hours(date(2025, 10, 20), date(2025, 10, 20))) == []

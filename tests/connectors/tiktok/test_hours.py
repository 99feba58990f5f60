"""TikTok's hourly figures as records."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.contracts import HourRecord
from connectors.errors import ConfigurationError, MalformedReplyError, TransientError
from tests.connectors.tiktok.answers import (
    GMV_MAX_REPORT,
    REPORT,
    account,
    ad_group,
    asked,
    campaign,
    client,
    data,
    error,
    listing,
    report,
    shop_campaign,
    tiktok,
)
from tests.connectors.wire import Script, says

DAY = date(2026, 11, 20)
AUTUMN, SPRING = date(2026, 11, 1), date(2026, 3, 8)


def read_hours(*scripts: Script, first: date = DAY, last: date | None = None, **facts: Any) -> list[HourRecord]:
    with tiktok({REPORT: scripts, "advertiser/info/": account(**facts)}) as served:
        return list(client(served).hours(first, last or first))


def test_figures_are_text_and_the_value_of_purchases_is_called_a_rate() -> None:
    assert read_hours(listing(report())) == [
        HourRecord("5", datetime(2026, 11, 20, 14, tzinfo=UTC), 1_500_000, 100, 3, 2, 61_500_000, 2)
    ]


@pytest.mark.parametrize(
    ("zone", "hour"),
    [
        ("Etc/GMT+5", datetime(2026, 11, 20, 14, tzinfo=UTC)),
        ("Etc/GMT-8", datetime(2026, 11, 20, 1, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 11, 20, 3, 30, tzinfo=UTC)),
    ],
)
def test_a_zone_named_by_its_offset_has_the_inverted_sign(zone: str, hour: datetime) -> None:
    assert read_hours(listing(report()), timezone=zone)[0].hour == hour


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd"])
def test_a_zone_that_is_none_is_an_error_of_configuration(zone: str) -> None:
    with pytest.raises(ConfigurationError):
        read_hours(listing(report()), timezone=zone)


def test_figures_may_be_numbers_and_finer_than_cents() -> None:
    (found,) = read_hours(listing(report(ad_group=5, spend=2, impressions=7, clicks=1, complete_payment="2.0")))
    assert found[:6] == ("5", found.hour, 2_000_000, 7, 1, 2)
    assert read_hours(listing(report(spend="1.234567")))[0].spend_micros == 1_234_567


def test_a_dash_is_unknown_and_without_spend_the_hour_is_missing() -> None:
    unknown = report(complete_payment="-", total_complete_payment_rate="-", conversion="-")
    (found,) = read_hours(listing(unknown))
    assert (found.spend_micros, found.conversions, found.conversion_value_micros) == (1_500_000, None, None)
    unknowns: list[Any] = ["-", None]
    for told in unknowns:
        for name in ("spend", "impressions", "clicks"):
            assert read_hours(listing(report(**{name: told}))) == []


@pytest.mark.parametrize(
    ("objective", "conversions", "leads"),
    [("TRAFFIC", "2", 3), ("LEAD_GENERATION", "2", 2), ("LEAD_GENERATION", "-", None), ("REACH", "-", 3)],
)
def test_what_a_lead_is_depends_on_the_objective_of_the_campaign(
    objective: str, conversions: str, leads: int | None
) -> None:
    tree = {"campaign/get/": listing(campaign(objective_type=objective)), "adgroup/get/": listing(ad_group())}
    with tiktok({**tree, REPORT: listing(report(conversion=conversions))}) as served:
        (found,) = client(served).hours(DAY, DAY)
    assert found.leads == leads


def test_the_tree_is_listed_once_for_all_days() -> None:
    days = [listing(report(f"2026-11-{day} 09:00:00")) for day in (18, 19, 20)]
    with tiktok({REPORT: days}) as served:
        assert len(list(client(served).hours(date(2026, 11, 18), DAY))) == 3
        assert len(asked(served, "adgroup/get/")) == len(asked(served, "campaign/get/")) == 1


def test_one_day_is_asked_for_at_a_time_with_deleted_ad_groups() -> None:
    with tiktok({REPORT: [listing(report()), listing(report("2026-11-21 09:00:00"))]}) as served:
        found = list(client(served).hours(DAY, date(2026, 11, 21)))
        told = asked(served, REPORT)
    assert [h.hour.day for h in found] == [20, 21]
    assert [(q["start_date"], q["end_date"]) for q in told] == [("2026-11-20",) * 2, ("2026-11-21",) * 2]
    assert json.loads(told[0]["dimensions"]) == ["adgroup_id", "stat_time_hour"]
    (status,) = json.loads(told[0]["filtering"])
    assert (status["field_name"], json.loads(status["filter_value"])) == ("adgroup_status", ["STATUS_ALL"])


def test_no_days_are_no_request() -> None:
    with tiktok({}) as served:
        assert list(client(served).hours(DAY, DAY - timedelta(days=1))) == []
        assert served.requests == []


def test_hours_ascend_whatever_the_order_of_the_rows() -> None:
    rows = [report(f"2026-11-20 0{hour}:00:00", ad_group=group) for hour in (7, 3) for group in "65"]
    found = read_hours(listing(*rows[:3], pages=2, total=4), listing(*rows[3:], pages=2, total=4))
    assert [(h.hour.hour - 5, h.ad_set_external_id) for h in found] == [(3, "5"), (3, "6"), (7, "5"), (7, "6")]


def test_rows_that_move_between_pages_are_read_again() -> None:
    one, two, three = (report(f"2026-11-20 0{n}:00:00") for n in (1, 2, 3))
    moved = [listing(one, two, pages=2, total=3), listing(two, pages=2, total=3)]
    still = [listing(one, two, pages=2, total=3), listing(three, pages=2, total=3)]
    assert len(read_hours(*moved, *still)) == 3
    with pytest.raises(TransientError):
        read_hours(listing(one, pages=1, total=3))


def test_two_rows_of_the_repeated_hour_of_autumn_are_added_up() -> None:
    label = "2026-11-01 01:00:00"
    rows = [report(label, spend="4.00"), report("2026-11-01 02:00:00"), report(label, complete_payment="-")]
    found = read_hours(listing(*rows), first=AUTUMN, timezone="America/New_York")
    assert [(h.hour.hour, h.spend_micros, h.clicks, h.conversions) for h in found] == [
        (5, 5_500_000, 6, None),
        (7, 1_500_000, 3, 2),
    ]


def test_the_repeated_hour_may_go_on_on_the_next_page() -> None:
    one, other = report("2026-11-01 01:00:00", spend="4.00"), report("2026-11-01 01:00:00")
    pages = [listing(one, pages=2, total=2), listing(other, pages=2, total=2)]
    (found,) = read_hours(*pages, first=AUTUMN, timezone="America/New_York")
    assert found.spend_micros == 5_500_000
    (found,) = read_hours(listing(other, other), first=AUTUMN, timezone="America/New_York")
    assert found.spend_micros == 3_000_000


def test_the_same_hour_twice_is_refused_on_a_day_without_a_repeated_one() -> None:
    with pytest.raises(MalformedReplyError):
        read_hours(listing(report(), report(spend="4.00")))


@pytest.mark.parametrize(("day", "labels"), [(AUTUMN, range(24)), (SPRING, [0, 1, *range(3, 24)])])
def test_a_day_of_clock_change_keeps_its_sum_and_stays_within_itself(day: date, labels: Any) -> None:
    rows = [report(f"{day} {label:02d}:00:00") for label in labels]
    found = read_hours(listing(*rows), first=day, timezone="America/New_York")
    zone = ZoneInfo("America/New_York")
    assert sum(h.spend_micros for h in found) == 1_500_000 * len(labels)
    assert {h.hour.astimezone(zone).date() for h in found} == {day}
    assert len({h.hour for h in found}) == len(found)


@pytest.mark.parametrize(
    "row",
    [
        report("2026-11-20 09:30:00"),
        report("2026-11-20 09:00:01"),
        report("2026-11-20T09:00"),
        report("2026-11-20"),
        report("2026-11-19 09:00:00"),
        report("2026-11-21 00:00:00"),
        report("2026-11-20 24:00:00"),
        report("2026-13-20 09:00:00"),
        report(spend="1,5"),
        report(spend="-1.00"),
        report(spend="1e3"),
        report(spend=[]),
        report(impressions="many"),
        report(impressions=True),
        report(clicks={}),
        report(clicks="٣"),
        report(conversion=[]),
        report(total_complete_payment_rate="NaN"),
        report(ad_group=None),
        report(ad_group=""),
        report(ad_group=["5"]),
        {"dimensions": None, "metrics": {}},
        {"dimensions": {"adgroup_id": "5"}, "metrics": {}},
        {"dimensions": {"adgroup_id": "5", "stat_time_hour": 9}, "metrics": {}},
        {"dimensions": {"adgroup_id": "5", "stat_time_hour": "2026-11-20 09:00:00"}, "metrics": None},
    ],
)
def test_an_hour_of_an_unknown_shape_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        read_hours(listing(report("2026-11-20 08:00:00", ad_group="1"), row))


@pytest.mark.parametrize("content", [{}, {"list": []}, {"list": None, "page_info": {}}])
def test_a_report_without_its_page_info_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        read_hours(data(**content))


TRUNCATED = says(
    {"code": 0, "data": {"list": [], "page_info": {"total_page": 1, "total_number": 0}}},
    headers="X-Tt-Ads-Throttle: true\r\n",
)


@pytest.mark.parametrize("answer", [error(40067, "too large"), TRUNCATED])
def test_a_report_that_is_too_much_is_read_by_a_hundred_ad_groups_at_a_time(answer: Script) -> None:
    groups = [ad_group(adgroup_id=str(number)) for number in range(1001, 1151)]
    parts = [answer, listing(report(ad_group="1002")), listing(report(ad_group="1150"))]
    with tiktok({"adgroup/get/": listing(*groups), REPORT: parts}) as served:
        found = list(client(served).hours(DAY, DAY))
        told = [json.loads(q["filtering"]) for q in asked(served, REPORT)]
    assert [h.ad_set_external_id for h in found] == ["1002", "1150"]
    named = [json.loads(filters[1]["filter_value"]) for filters in told[1:]]
    assert [len(ids) for ids in named] == [100, 50]
    assert sorted({*named[0], *named[1]}) == [group["adgroup_id"] for group in groups]
    assert all(json.loads(filters[0]["filter_value"]) == ["STATUS_ALL"] for filters in told)


def test_a_part_that_is_still_too_much_is_halved() -> None:
    groups = [ad_group(adgroup_id=str(number)) for number in (1, 2, 3)]
    parts = [error(40067), error(40067), listing(report(ad_group="1")), listing(report(ad_group="3"))]
    with tiktok({"adgroup/get/": listing(*groups), REPORT: parts}) as served:
        assert [h.ad_set_external_id for h in client(served).hours(DAY, DAY)] == ["1", "3"]
        filters = [json.loads(q["filtering"])[1:] for q in asked(served, REPORT)]
    assert [[json.loads(one["filter_value"]) for one in each] for each in filters] == [
        [],
        [["1", "2", "3"]],
        [["1"]],
        [["2", "3"]],
    ]


def test_a_report_of_gmv_max_that_the_app_may_not_read_is_none() -> None:
    tree = {"gmv_max/campaign/get/": listing(shop_campaign()), "campaign/gmv_max/info/": data(**shop_campaign())}
    with tiktok({**tree, REPORT: listing(report()), GMV_MAX_REPORT: error(40001)}) as served:
        assert [h.ad_set_external_id for h in client(served).hours(DAY, DAY)] == ["5"]


def test_a_report_that_stays_too_much_is_an_error() -> None:
    with tiktok({"adgroup/get/": listing(ad_group()), REPORT: error(40067)}) as served:
        with pytest.raises(ConfigurationError):
            list(client(served).hours(DAY, DAY))
        assert len(asked(served, REPORT)) == 2


def shop_hour(hour: str = "2026-11-20 09:00:00", **figures: Any) -> dict[str, Any]:
    metrics = {"cost": "4.00", "orders": "3", "gross_revenue": "120.50"} | figures
    return {"dimensions": {"campaign_id": "30", "stat_time_hour": hour}, "metrics": metrics}


def shop_hours(*rows: Any) -> list[HourRecord]:
    tree = {"gmv_max/campaign/get/": listing(shop_campaign()), "campaign/gmv_max/info/": data(**shop_campaign())}
    answers = {**tree, REPORT: listing(report("2026-11-20 10:00:00")), GMV_MAX_REPORT: listing(*rows)}
    with tiktok(answers) as served:
        found = list(client(served).hours(DAY, DAY))
        (told,) = asked(served, GMV_MAX_REPORT)
    assert json.loads(told["store_ids"]) == ["77"]
    assert told["start_date"] == told["end_date"] == "2026-11-20"
    return found


def test_gmv_max_campaigns_are_in_the_hours_under_their_own_id_without_views_and_clicks() -> None:
    rows = [shop_hour(), shop_hour("2026-11-20 11:00:00", orders="-", gross_revenue="-")]
    found = shop_hours(*rows, shop_hour("2026-11-20 12:00:00", cost="-"))
    assert [(h.hour.hour - 5, h.ad_set_external_id) for h in found] == [(9, "30"), (10, "5"), (11, "30")]
    assert found[0][2:] == (4_000_000, 0, 0, 3, 120_500_000, 3)
    assert found[2][2:] == (4_000_000, 0, 0, None, None, None)


@pytest.mark.parametrize(
    "row", [shop_hour("2026-11-19 09:00:00"), shop_hour(cost="-1"), shop_hour(orders="x"), {"dimensions": {}}]
)
def test_an_hour_of_gmv_max_of_an_unknown_shape_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        shop_hours(row)

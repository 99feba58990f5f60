"""TikTok's daily figures of ads."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from connectors.contracts import AdDayRecord, PurchaseRecord
from connectors.errors import MalformedReplyError
from tests.connectors.tiktok.answers import (
    REPORT,
    ad_day,
    ad_group,
    asked,
    campaign,
    client,
    error,
    listing,
    tiktok,
)
from tests.connectors.wire import Script

DAY = date(2026, 11, 20)


def read_days(*scripts: Script, first: date = DAY, last: date = DAY) -> list[AdDayRecord]:
    with tiktok({REPORT: scripts}) as served:
        return list(client(served).ad_days(first, last))


def test_a_day_of_an_ad_has_purchases_by_the_window_of_the_account() -> None:
    assert read_days(listing(ad_day())) == [
        AdDayRecord("9", "5", DAY, 1_500_000, 100, 3, 2, (PurchaseRecord("default", 2, 61_500_000),))
    ]


def test_purchases_that_are_unknown_are_none() -> None:
    (found,) = read_days(listing(ad_day(complete_payment="-", conversion="-")))
    assert found.purchases == ()
    (found,) = read_days(listing(ad_day(total_complete_payment_rate="-")))
    assert found.purchases == (PurchaseRecord("default", 2, None),)


@pytest.mark.parametrize(("objective", "leads"), [("TRAFFIC", 3), ("LEAD_GENERATION", 2)])
def test_what_a_lead_is_depends_on_the_objective_of_the_campaign(objective: str, leads: int) -> None:
    tree = {"campaign/get/": listing(campaign(objective_type=objective)), "adgroup/get/": listing(ad_group())}
    with tiktok({**tree, REPORT: listing(ad_day())}) as served:
        (found,) = client(served).ad_days(DAY, DAY)
    assert found.leads == leads


def test_days_ascend_and_those_without_figures_are_absent() -> None:
    yesterday = "2026-11-19 00:00:00"
    rows = [ad_day(), ad_day(yesterday, "8"), ad_day(ad="8", spend="-"), ad_day(yesterday, "7")]
    found = read_days(listing(*rows), first=date(2026, 11, 19))
    assert [(d.day.day, d.ad_external_id) for d in found] == [(19, "7"), (19, "8"), (20, "9")]


def test_at_most_thirty_days_are_asked_for_at_a_time_with_deleted_ads() -> None:
    with tiktok({REPORT: listing()}) as served:
        assert list(client(served).ad_days(DAY - timedelta(days=30), DAY)) == []
        told = asked(served, REPORT)
    assert [(q["start_date"], q["end_date"]) for q in told] == [
        ("2026-10-21", "2026-11-19"),
        ("2026-11-20", "2026-11-20"),
    ]
    assert json.loads(told[0]["dimensions"]) == ["ad_id", "stat_time_day"]
    (status,) = json.loads(told[0]["filtering"])
    assert (status["field_name"], json.loads(status["filter_value"])) == ("ad_status", ["STATUS_ALL"])


def test_no_days_are_no_request() -> None:
    with tiktok({}) as served:
        assert list(client(served).ad_days(DAY, DAY - timedelta(days=1))) == []
        assert served.requests == []


def test_a_report_that_is_too_much_is_read_by_ad_groups() -> None:
    tree = {"adgroup/get/": listing(ad_group())}
    with tiktok({**tree, REPORT: [error(40067), listing(ad_day())]}) as served:
        assert len(list(client(served).ad_days(DAY, DAY))) == 1
        named = json.loads(asked(served, REPORT)[1]["filtering"])[1]
    assert (named["field_name"], json.loads(named["filter_value"])) == ("adgroup_ids", ["5"])


@pytest.mark.parametrize(
    "row",
    [
        ad_day("2026-11-18 00:00:00"),
        ad_day("2026-11-21 00:00:00"),
        ad_day("2026-11-20"),
        ad_day(ad=None),
        ad_day(adgroup_id=None),
        ad_day(adgroup_id="-" * 65),
        ad_day(spend="-1"),
        ad_day(impressions={}),
        ad_day(complete_payment="1.5"),
        ad_day(total_complete_payment_rate="free"),
        {"dimensions": {"ad_id": "9", "stat_time_day": None}, "metrics": {}},
    ],
)
def test_a_day_of_an_unknown_shape_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        read_days(listing(ad_day(ad="1"), row))


def test_the_same_day_of_an_ad_twice_is_refused() -> None:
    with pytest.raises(MalformedReplyError):
        read_days(listing(ad_day(), ad_day()))

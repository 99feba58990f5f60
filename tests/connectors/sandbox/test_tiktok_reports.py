"""What TikTok's report says and when; the same report as a task."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import Any

import pytest

from connectors.sandbox import tiktok_tasks
from tests.connectors.sandbox.visitor import Visitor

TASK: dict[str, Any] = {
    "report_type": "BASIC",
    "service_type": "AUCTION",
    "data_level": "AUCTION_ADGROUP",
    "dimensions": ["adgroup_id", "stat_time_hour"],
    "metrics": ["spend", "clicks"],
    "start_date": "2026-11-03",
    "end_date": "2026-11-04",
}


def ad_days(visitor: Visitor, **params: Any) -> list[dict[str, Any]]:
    asked = {"data_level": "AUCTION_AD", "dimensions": ["ad_id", "stat_time_day"], **params}
    found: list[dict[str, Any]] = visitor.report("2026-11-03", "2026-11-04", **asked)["data"]["list"]
    return found


def started(visitor: Visitor, **fields: Any) -> str:
    return str(visitor.tiktok_write("report/task/create/", **{**TASK, **fields})["data"]["task_id"])


def statuses(visitor: Visitor, task: str, count: int = 3) -> list[str]:
    return [visitor.tiktok("report/task/check/", task_id=task)["data"]["status"] for _ in range(count)]


def table(visitor: Visitor, task: str) -> list[list[str]]:
    headers = {"Access-Token": visitor.who["tiktok"]["access_token"]}
    query = {"advertiser_id": visitor.advertiser, "task_id": task}
    answer = visitor.send("GET", "/open_api/v1.3/report/task/download/", params=query, headers=headers)
    return list(csv.reader(answer.text.splitlines()))


def test_the_days_of_ads_add_up_to_those_of_their_ad_groups(reader: Visitor) -> None:
    ads = ad_days(reader, metrics=["spend", "clicks", "adgroup_id"])
    groups = reader.report("2026-11-03", "2026-11-04", "stat_time_day")["data"]["list"]
    for group in groups:
        own = [
            ad
            for ad in ads
            if ad["metrics"]["adgroup_id"] == group["dimensions"]["adgroup_id"]
            and ad["dimensions"]["stat_time_day"] == group["dimensions"]["stat_time_day"]
        ]
        assert len(own) == 2
        for name in ("spend", "clicks"):
            assert sum(Decimal(ad["metrics"][name]) for ad in own) == Decimal(group["metrics"][name])


def test_a_report_is_narrowed_by_ids_of_every_level(reader: Visitor) -> None:
    ads = reader.tiktok("ad/get/")["data"]["list"]
    for name, key in (("campaign_ids", "campaign_id"), ("adgroup_ids", "adgroup_id"), ("ad_ids", "ad_id")):
        condition = {"field_name": name, "filter_type": "IN", "filter_value": f'["{ads[0][key]}"]'}
        shown = {row["dimensions"]["ad_id"] for row in ad_days(reader, filtering=[condition])}
        assert shown == {ad["ad_id"] for ad in ads if ad[key] == ads[0][key]}


def test_a_deleted_ad_leaves_the_report_unless_all_are_asked_for(visitor: Visitor) -> None:
    before = ad_days(visitor)
    first = before[0]["dimensions"]["ad_id"]
    visitor.tiktok_write("ad/status/update/", ad_ids=[first], operation_status="DELETE")
    assert first not in {row["dimensions"]["ad_id"] for row in ad_days(visitor)}
    condition = {"field_name": "ad_status", "filter_type": "IN", "filter_value": '["STATUS_ALL"]'}
    assert ad_days(visitor, filtering=[condition]) == before


def test_what_is_billed_is_known_eleven_hours_later(visitor: Visitor) -> None:
    def billed() -> list[tuple[str, str]]:
        rows = visitor.report("2026-11-04", "2026-11-04", metrics=["spend", "billed_cost"])["data"]["list"]
        return [(row["metrics"]["spend"], row["metrics"]["billed_cost"]) for row in rows]

    late = [pair for pair in billed() if pair[1] == "-"]  # it is 10:00 on the fifth
    assert 0 < len(late) < len(billed())
    visitor.advance(1)
    assert all(spend == cost for spend, cost in billed())


def test_a_report_tells_the_objective_of_the_campaign(reader: Visitor) -> None:
    rows = reader.report("2026-11-04", "2026-11-04", metrics=["objective_type", "real_time_conversion"])["data"]["list"]
    assert {row["metrics"]["objective_type"] for row in rows} == {"WEB_CONVERSIONS"}


def test_a_task_is_queued_processed_done_and_then_holds_what_the_report_says(visitor: Visitor) -> None:
    task = started(visitor)
    assert visitor.tiktok("report/task/download/", task_id=task)["code"] == 40201
    assert statuses(visitor, task, 4) == ["QUEUING", "PROCESSING", "SUCCESS", "SUCCESS"]
    head, *lines = table(visitor, task)
    assert head == ["adgroup_id", "stat_time_hour", "spend", "clicks"]
    rows = [row for day in (3, 4) for row in visitor.report(f"2026-11-0{day}", f"2026-11-0{day}")["data"]["list"]]
    assert [(line[1], line[2]) for line in lines] == [
        (row["dimensions"]["stat_time_hour"], row["metrics"]["spend"]) for row in rows
    ]


def test_a_download_address_needs_no_token_but_its_own_signature(visitor: Visitor) -> None:
    task = started(visitor, output_format="CSV_DOWNLOAD", file_name="november")
    statuses(visitor, task)
    told = visitor.tiktok("report/task/download/", task_id=task)["data"]
    assert (told["output_format"], told["file_name"]) == ("CSV_DOWNLOAD", "november.csv")
    assert visitor.send("GET", told["download_url"]).text.startswith("adgroup_id,")
    wrong = visitor.send("GET", told["download_url"] + "0")
    assert wrong.json()["code"] == 40905


def test_a_table_too_large_fails_and_says_why(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiktok_tasks, "ROWS_AT_MOST", 3)
    task = started(visitor)
    assert statuses(visitor, task) == ["QUEUING", "PROCESSING", "FAILED"]
    assert "rows" in visitor.tiktok("report/task/check/", task_id=task)["data"]["message"]


def test_a_cancelled_task_stays_so(visitor: Visitor) -> None:
    task = started(visitor)
    assert visitor.tiktok_write("report/task/cancel/", task_id=task)["code"] == 0
    assert statuses(visitor, task, 3) == ["CANCELED"] * 3


def test_nobody_else_sees_a_task_and_bad_queries_start_none(visitor: Visitor) -> None:
    task = started(visitor)
    other = Visitor(visitor.url, tenant=1)
    assert other.tiktok("report/task/check/", task_id=task)["code"] == 40007
    for wrong in ({"metrics": ["luck"]}, {"output_format": "XLSX_DOWNLOAD"}, {"dimensions": "x"}, {"end_date": "1"}):
        assert visitor.tiktok_write("report/task/create/", **{**TASK, **wrong})["code"] == 40002

"""The TikTok face, against the facts of its API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import TIKTOK, Visitor


def groups(visitor: Visitor, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = visitor.tiktok("adgroup/get/", page_size="1000", **params)["data"]["list"]
    return found


def test_answers_are_always_200_with_the_envelope(reader: Visitor) -> None:
    headers = {"Access-Token": reader.who["tiktok"]["access_token"]}
    for path, sent, code in [
        ("advertiser/info/", {}, 40104),
        ("advertiser/info/", {"Access-Token": "wrong"}, 40105),
        ("no/such/path/", headers, 40400),
        ("no/such/path/", {}, 40400),
        ("adgroup/get/", headers, 40002),
    ]:
        response = reader.send("GET", TIKTOK + path, headers=sent)
        assert response.status_code == 200
        assert set(response.json()) == {"code", "message", "request_id", "data"}
        assert response.json()["code"] == code


def test_the_advertiser_tells_currency_and_zone(reader: Visitor) -> None:
    (info,) = reader.tiktok("advertiser/info/", advertiser_ids=[reader.advertiser])["data"]["list"]
    assert (info["currency"], info["timezone"], info["status"]) == ("USD", "America/New_York", "STATUS_ENABLE")
    assert reader.tiktok("advertiser/info/", advertiser_ids=["7300000000000000002"])["code"] == 40001


def test_pages_have_numbers_and_ten_rows_unless_asked(reader: Visitor) -> None:
    first = reader.tiktok("ad/get/")["data"]
    assert first["page_info"] == {"page": 1, "page_size": 10, "total_number": 12, "total_page": 2}
    rest = reader.tiktok("ad/get/", page="2")["data"]["list"]
    ids = [ad["ad_id"] for ad in first["list"] + rest]
    assert len(ids) == len(set(ids)) == 12
    assert reader.tiktok("ad/get/", page="3")["data"]["list"] == []
    for bad in ({"page": "0"}, {"page_size": "1001"}, {"page_size": "x"}):
        assert reader.tiktok("ad/get/", **bad)["code"] == 40002


def test_budgets_are_numbers_in_whole_currency_and_a_pooled_one_is_on_the_campaign(reader: Visitor) -> None:
    listed = groups(reader)
    assert listed[0]["budget"] == 40.0
    assert (listed[0]["budget_mode"], "budget_optimize_on" in listed[0]) == ("BUDGET_MODE_DAY", False)
    assert (listed[5]["budget"], listed[5]["budget_mode"]) == (0.0, "BUDGET_MODE_INFINITE")
    assert listed[5]["budget_optimize_on"] is True
    campaigns = reader.tiktok("campaign/get/")["data"]["list"]
    assert [c["budget"] > 0 for c in campaigns] == [False, False, True]


def test_lists_select_fields_and_filter(reader: Visitor) -> None:
    second = groups(reader)[1]["adgroup_id"]
    asked = groups(reader, fields=["adgroup_id", "budget"], filtering={"adgroup_ids": [second]})
    assert asked == [{"adgroup_id": second, "budget": 36.0}]
    assert len(groups(reader, filtering={"primary_status": "STATUS_DISABLE"})) == 1
    assert reader.tiktok("adgroup/get/", fields=["nonsense"])["code"] == 40002
    assert reader.tiktok("adgroup/get/", filtering={"colour": "red"})["code"] == 40002
    assert reader.tiktok("adgroup/get/", filtering="not json")["code"] == 40002


def test_hourly_metrics_are_strings_and_a_missing_one_is_a_dash(reader: Visitor) -> None:
    rows = reader.report("2026-11-03", "2026-11-03")["data"]["list"]
    assert {row["dimensions"]["stat_time_hour"] for row in rows} == {
        f"2026-11-03 {hour:02d}:00:00" for hour in range(24)
    }
    assert all(isinstance(value, str) for row in rows for value in row["metrics"].values())
    assert {row["metrics"]["reach"] for row in rows} == {"-"}


@pytest.mark.parametrize(
    "params",
    [
        {"end_date": "2026-11-04"},
        {"dimensions": ["stat_time_hour"]},
        {"dimensions": ["adgroup_id", "stat_time_hour", "stat_time_day"]},
        {"metrics": ["magic"]},
        {"start_date": "today"},
        {"end_date": "2026-11-02"},
        {"data_level": "AUCTION_MOON"},
        {"report_type": "AUDIENCE"},
        {"filtering": "{}"},
    ],
)
def test_bad_reports_are_refused(reader: Visitor, params: dict[str, Any]) -> None:
    assert reader.report("2026-11-03", "2026-11-03", **params)["code"] == 40002


def test_a_daily_report_spans_thirty_days_at_most_and_equals_its_hours(reader: Visitor) -> None:
    assert reader.report("2026-10-01", "2026-10-31", "stat_time_day")["code"] == 40002
    days = reader.report("2026-10-28", "2026-11-02", "stat_time_day")["data"]["list"]
    hours = [row for d in (1, 2) for row in reader.report(f"2026-11-0{d}", f"2026-11-0{d}")["data"]["list"]]
    for name in ("spend", "clicks", "conversion", "total_complete_payment_rate"):
        late = [r for r in days if r["dimensions"]["stat_time_day"] >= "2026-11-01"]
        assert sum(Decimal(r["metrics"][name]) for r in late) == sum(Decimal(r["metrics"][name]) for r in hours)


def test_deleted_ad_groups_leave_reports_unless_all_are_asked_for(visitor: Visitor) -> None:
    first = groups(visitor)[0]["adgroup_id"]
    every = visitor.report("2026-11-04", "2026-11-04")["data"]["list"]
    body = {"adgroup_ids": [first], "operation_status": "DELETE"}
    assert visitor.tiktok_write("adgroup/status/update/", **body)["data"] == {
        "adgroup_ids": [first],
        "status": "DELETE",
    }
    hidden = visitor.report("2026-11-04", "2026-11-04")["data"]["list"]
    assert first not in {row["dimensions"]["adgroup_id"] for row in hidden}
    condition = {"field_name": "adgroup_status", "filter_type": "IN", "filter_value": '["STATUS_ALL"]'}
    assert visitor.report("2026-11-04", "2026-11-04", filtering=[condition])["data"]["list"] == every
    assert first not in [group["adgroup_id"] for group in groups(visitor)]
    assert visitor.tiktok_write("adgroup/status/update/", **body | {"operation_status": "ENABLE"})["code"] == 40007


def test_yesterday_is_corrected_at_noon_utc(visitor: Visitor) -> None:
    def spend() -> list[Decimal]:
        return [Decimal(r["metrics"]["spend"]) for r in visitor.report("2026-11-05", "2026-11-05")["data"]["list"]]

    visitor.advance(20.5)  # 11:30 UTC on the sixth
    before = spend()
    visitor.advance(0.5)
    after = spend()
    assert len(before) == len(after)
    assert sum(after) < sum(before)
    visitor.advance(12)
    assert spend() == after  # the evening in New York belongs to the sixth in UTC and is corrected on the seventh
    visitor.advance(12)
    assert sum(spend()) < sum(after)


def test_a_budget_write_is_held_booked_and_answered_with_the_object(visitor: Visitor) -> None:
    first = groups(visitor)[0]["adgroup_id"]
    answer = visitor.tiktok_write("adgroup/update/", adgroup_id=first, budget=44.5)
    assert (answer["code"], answer["data"]["budget"]) == (0, 44.5)
    assert groups(visitor)[0]["budget"] == 44.5
    (row,) = visitor.ledger()
    assert (row["field"], row["old"], row["new"], row["result"]) == ("budget", 40.0, 44.5, "applied")


@pytest.mark.parametrize(
    ("place", "budget", "code"),
    [
        (0, 19.99, "40002"),
        (0, 45.001, "40002"),
        (0, "45", "40002"),
        (0, True, "40002"),
        (0, -45, "40002"),
        (0, 1e7, "40002"),
        (0, None, "40002"),
        (0, 40.0, "40012"),
        (5, 45.0, "40002"),
    ],
)
def test_a_bad_budget_is_refused_booked_and_changes_nothing(
    visitor: Visitor, place: int, budget: Any, code: str
) -> None:
    before = groups(visitor)
    answer = visitor.tiktok_write("adgroup/update/", adgroup_id=before[place]["adgroup_id"], budget=budget)
    assert str(answer["code"]) == code
    assert groups(visitor) == before
    (row,) = visitor.ledger()
    assert (row["result"], row["code"]) == ("refused", code)


def test_a_budget_below_105_percent_of_what_is_spent_today_is_refused(visitor: Visitor) -> None:
    visitor.advance(13)  # 23:00 in New York
    first = groups(visitor)[0]["adgroup_id"]
    assert visitor.tiktok_write("adgroup/update/", adgroup_id=first, budget=30)["code"] == 40002
    visitor.advance(1.5)
    assert visitor.tiktok_write("adgroup/update/", adgroup_id=first, budget=30)["code"] == 0


def test_a_campaign_budget_has_its_own_floor(visitor: Visitor) -> None:
    campaign = visitor.tiktok("campaign/get/")["data"]["list"][2]["campaign_id"]
    assert visitor.tiktok_write("campaign/update/", campaign_id=campaign, budget=49)["code"] == 40002
    assert visitor.tiktok_write("campaign/update/", campaign_id=campaign, budget=90)["code"] == 0


def test_a_scheduled_budget_waits_for_local_midnight(visitor: Visitor) -> None:
    first = groups(visitor)[0]["adgroup_id"]
    asked = {"scheduled_budget": [{"adgroup_id": first, "scheduled_budget": 55}]}
    assert visitor.tiktok_write("adgroup/budget/update/", **asked)["code"] == 0
    assert (groups(visitor)[0]["budget"], groups(visitor)[0]["scheduled_budget"]) == (40.0, 55.0)
    visitor.advance(13)
    assert groups(visitor)[0]["budget"] == 40.0
    visitor.advance(1)
    assert (groups(visitor)[0]["budget"], groups(visitor)[0]["scheduled_budget"]) == (55.0, 0.0)


def test_bulk_budgets_at_once_are_for_lifetime_budgets_only_and_locked_before_midnight(visitor: Visitor) -> None:
    first = groups(visitor)[0]["adgroup_id"]
    now = {"budget": [{"adgroup_id": first, "budget": 55}]}
    assert visitor.tiktok_write("adgroup/budget/update/", **now)["code"] == 40002
    visitor.advance(13 + 56 / 60)
    later = {"scheduled_budget": [{"adgroup_id": first, "scheduled_budget": 55}]}
    assert visitor.tiktok_write("adgroup/budget/update/", **later)["code"] == 40002
    visitor.advance(4 / 60 + 0.01)
    assert visitor.tiktok_write("adgroup/budget/update/", **later)["code"] == 0


def test_status_updates_take_twenty_ids_and_all_or_nothing(visitor: Visitor) -> None:
    ids = [group["adgroup_id"] for group in groups(visitor)][:2]
    many = {"adgroup_ids": ids * 11, "operation_status": "DISABLE"}
    assert visitor.tiktok_write("adgroup/status/update/", **many)["code"] == 40011
    unknown = {"adgroup_ids": [*ids, "12"], "operation_status": "DISABLE"}
    assert visitor.tiktok_write("adgroup/status/update/", **unknown)["code"] == 40002
    assert {group["operation_status"] for group in groups(visitor)[:2]} == {"ENABLE"}
    fine = {"adgroup_ids": ids, "operation_status": "DISABLE"}
    assert visitor.tiktok_write("adgroup/status/update/", **fine)["code"] == 0
    assert {group["operation_status"] for group in groups(visitor)[:2]} == {"DISABLE"}
    assert groups(visitor)[0]["secondary_status"] == "ADGROUP_STATUS_DISABLE"


def test_a_foreign_ad_group_cannot_be_written(visitor: Visitor) -> None:
    foreign = groups(Visitor(visitor.url, tenant=1))[0]["adgroup_id"]
    assert visitor.tiktok_write("adgroup/update/", adgroup_id=foreign, budget=44)["code"] == 40007
    body = {"adgroup_ids": [foreign], "operation_status": "DISABLE"}
    assert visitor.tiktok_write("adgroup/status/update/", **body)["code"] == 40002
    assert groups(Visitor(visitor.url, tenant=1))[0]["operation_status"] == "ENABLE"


def test_a_currency_without_decimals_has_its_own_floor_and_units() -> None:
    with running_sandbox(start=START, days=1, tenants=3) as running:
        yen = Visitor(running.url, tenant=2)
        group = groups(yen)[0]
        assert group["budget"] == 6000.0
        refused = yen.tiktok_write("adgroup/update/", adgroup_id=group["adgroup_id"], budget=1999)
        assert refused["code"] == 40002
        assert yen.tiktok_write("adgroup/update/", adgroup_id=group["adgroup_id"], budget=6000.5)["code"] == 40002
        assert yen.tiktok_write("adgroup/update/", adgroup_id=group["adgroup_id"], budget=6100)["code"] == 0
        ad_set = yen.meta(f"{yen.account}/adsets", fields="daily_budget")["data"][0]
        assert ad_set["daily_budget"] == "6000"
        assert yen.hours("2026-11-05", "2026-11-05")[0]["spend"].isdigit()

"""Smart+ and GMV Max: families of campaigns with endpoints of their own."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import Visitor

SMART_CAMPAIGN = {
    "campaign_name": "Smart",
    "objective_type": "WEB_CONVERSIONS",
    "budget_mode": "BUDGET_MODE_DYNAMIC_DAILY_BUDGET",
    "budget": 60,
    "budget_optimize_on": True,
}
SMART_GROUP = {
    "adgroup_name": "All",
    "billing_event": "OCPM",
    "optimization_goal": "CONVERT",
    "promotion_type": "WEBSITE",
    "schedule_type": "SCHEDULE_FROM_NOW",
    "schedule_start_time": "2026-11-05 15:00:00",
    "targeting_spec": {},
}
PRODUCT = {"gmv_max_promotion_types": ["PRODUCT_GMV_MAX"]}


def smart_made(visitor: Visitor) -> tuple[str, str, str]:
    campaign = visitor.tiktok_write("smart_plus/campaign/create/", **SMART_CAMPAIGN, request_id="1")
    campaign_id = str(campaign["data"]["campaign_id"])
    body = {**SMART_GROUP, "campaign_id": campaign_id, "request_id": "2"}
    group_id = str(visitor.tiktok_write("smart_plus/adgroup/create/", **body)["data"]["adgroup_id"])
    ad = visitor.tiktok_write("smart_plus/ad/create/", adgroup_id=group_id, ad_name="One")
    return campaign_id, group_id, str(ad["data"]["smart_plus_ad_id"])


def shop_of(visitor: Visitor) -> dict[str, Any]:
    (store,) = visitor.tiktok("gmv_max/store/list/")["data"]["store_list"]
    return dict(store)


def gmv_max_made(visitor: Visitor, **fields: Any) -> Any:
    store = shop_of(visitor)
    body = {
        "campaign_name": "Shop",
        "request_id": "3",
        "store_id": store["store_id"],
        "store_authorized_bc_id": store["store_authorized_bc_id"],
        "shopping_ads_type": "PRODUCT",
        "optimization_goal": "VALUE",
        "deep_bid_type": "VO_MIN_ROAS",
        "roas_bid": 2.0,
        "budget": 25,
        "schedule_type": "SCHEDULE_FROM_NOW",
        "schedule_start_time": "2026-11-05 15:00:00",
    }
    return visitor.tiktok_write("campaign/gmv_max/create/", **{**body, **fields})


def info(visitor: Visitor, campaign: str) -> dict[str, Any]:
    return dict(visitor.tiktok("campaign/gmv_max/info/", campaign_id=campaign)["data"])


def gmv_max_report(visitor: Visitor, first: str, last: str, time_name: str = "stat_time_hour", **others: Any) -> Any:
    asked = {
        "store_ids": [shop_of(visitor)["store_id"]],
        "dimensions": ["campaign_id", time_name],
        "metrics": ["cost", "net_cost", "orders", "gross_revenue", "roi"],
        "start_date": first,
        "end_date": last,
        "page_size": "1000",
    }
    return visitor.tiktok("gmv_max/report/get/", **{**asked, **others})


def test_smart_plus_objects_are_listed_at_their_own_endpoints_only(visitor: Visitor) -> None:
    campaign, group, ad = smart_made(visitor)
    for kind, key, identity in (
        ("campaign", "campaign_id", campaign),
        ("adgroup", "adgroup_id", group),
        ("ad", "smart_plus_ad_id", ad),
    ):
        own = visitor.tiktok(f"smart_plus/{kind}/get/")["data"]["list"]
        assert [each[key] for each in own] == [identity]
        ordinary = visitor.tiktok(f"{kind}/get/", page_size="100")["data"]["list"]
        assert identity not in [each.get(key) for each in ordinary]


def test_smart_plus_shares_a_dynamic_budget_and_is_updated_at_its_own_endpoints(visitor: Visitor) -> None:
    campaign, group, ad = smart_made(visitor)
    (held,) = visitor.tiktok("smart_plus/campaign/get/")["data"]["list"]
    assert (held["budget_mode"], held["budget"]) == ("BUDGET_MODE_DYNAMIC_DAILY_BUDGET", 60.0)
    assert visitor.tiktok_write("campaign/update/", campaign_id=campaign, budget=70)["code"] == 40007
    assert visitor.tiktok_write("smart_plus/campaign/update/", campaign_id=campaign, budget=70)["code"] == 0
    assert visitor.tiktok_write("smart_plus/adgroup/update/", adgroup_id=group, adgroup_name="Both")["code"] == 0
    assert visitor.tiktok_write("smart_plus/ad/update/", smart_plus_ad_id=ad, ad_name="Two")["code"] == 0
    assert visitor.tiktok("smart_plus/campaign/get/")["data"]["list"][0]["budget"] == 70.0
    assert visitor.tiktok("smart_plus/adgroup/get/")["data"]["list"][0]["adgroup_name"] == "Both"
    assert visitor.tiktok("smart_plus/ad/get/")["data"]["list"][0]["ad_name"] == "Two"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_smart_plus_statuses_have_their_own_endpoints(visitor: Visitor, place: int) -> None:
    identity = smart_made(visitor)[place]
    kind, key = [("campaign", "campaign_ids"), ("adgroup", "adgroup_ids"), ("ad", "smart_plus_ad_ids")][place]
    body = {key: [identity], "operation_status": "DISABLE"}
    answer = visitor.tiktok_write(f"smart_plus/{kind}/status/update/", **body)
    assert answer["data"] == {key: [identity], "status": "DISABLE"}
    assert visitor.tiktok(f"smart_plus/{kind}/get/")["data"]["list"][0]["operation_status"] == "DISABLE"


def test_smart_plus_needs_a_request_id(visitor: Visitor) -> None:
    assert visitor.tiktok_write("smart_plus/campaign/create/", **SMART_CAMPAIGN)["code"] == 40002


def test_the_ordinary_report_holds_smart_plus_and_not_gmv_max(visitor: Visitor) -> None:
    _, group, _ = smart_made(visitor)
    campaign = gmv_max_made(visitor)["data"]["campaign_id"]
    visitor.advance(6)
    rows = visitor.report("2026-11-05", "2026-11-05", metrics=["spend", "campaign_id"])["data"]["list"]
    assert group in {row["dimensions"]["adgroup_id"] for row in rows}
    assert campaign not in {row["metrics"]["campaign_id"] for row in rows}


def test_a_gmv_max_campaign_shows_nowhere_but_in_its_family(visitor: Visitor) -> None:
    campaign = gmv_max_made(visitor)["data"]["campaign_id"]
    (listed,) = visitor.tiktok("gmv_max/campaign/get/", filtering=PRODUCT)["data"]["list"]
    assert (listed["campaign_id"], listed["objective_type"]) == (campaign, "PRODUCT_SALES")
    assert "budget" not in listed
    assert "roas_bid" not in listed
    for path in ("campaign/get/", "smart_plus/campaign/get/"):
        assert campaign not in [each["campaign_id"] for each in visitor.tiktok(path)["data"]["list"]]
    assert visitor.tiktok("adgroup/get/")["data"]["page_info"]["total_number"] == 6


def test_the_gmv_max_list_needs_its_type_and_has_small_pages(visitor: Visitor) -> None:
    gmv_max_made(visitor)
    assert visitor.tiktok("gmv_max/campaign/get/")["code"] == 40002
    assert visitor.tiktok("gmv_max/campaign/get/", filtering=PRODUCT, page_size="101")["code"] == 40002
    live = {"gmv_max_promotion_types": ["LIVE_GMV_MAX"]}
    assert visitor.tiktok("gmv_max/campaign/get/", filtering=live)["data"]["list"] == []


def test_budget_and_target_of_a_gmv_max_campaign_are_changed_and_booked_once(visitor: Visitor) -> None:
    campaign = gmv_max_made(visitor)["data"]["campaign_id"]
    answer = visitor.tiktok_write("campaign/gmv_max/update/", campaign_id=campaign, roas_bid=2.75, budget=30)
    assert (answer["data"]["roas_bid"], answer["data"]["budget"]) == (2.75, 30.0)
    assert (info(visitor, campaign)["roas_bid"], info(visitor, campaign)["budget"]) == (2.75, 30.0)
    booked = [(row["field"], row["old"], row["new"]) for row in visitor.ledger() if row["field"] != "created"]
    assert booked == [("budget", 25.0, 30.0), ("roas_bid", 2.0, 2.75)]


@pytest.mark.parametrize("wrong", [{"roas_bid": 0}, {"roas_bid": 1001}, {"roas_bid": "2"}, {"budget": 9}, {}])
def test_a_bad_gmv_max_update_is_refused(visitor: Visitor, wrong: dict[str, Any]) -> None:
    campaign = gmv_max_made(visitor)["data"]["campaign_id"]
    answer = visitor.tiktok_write("campaign/gmv_max/update/", campaign_id=campaign, **wrong)
    assert answer["code"] in (40002, 40012)
    assert (info(visitor, campaign)["roas_bid"], info(visitor, campaign)["budget"]) == (2.0, 25.0)


def test_a_gmv_max_campaign_is_paused_where_ordinary_ones_are(visitor: Visitor) -> None:
    campaign = gmv_max_made(visitor)["data"]["campaign_id"]
    body = {"campaign_ids": [campaign], "operation_status": "DISABLE"}
    assert visitor.tiktok_write("campaign/status/update/", **body)["code"] == 0
    assert info(visitor, campaign)["operation_status"] == "DISABLE"
    visitor.advance(3)
    assert gmv_max_report(visitor, "2026-11-05", "2026-11-05")["data"]["list"] == []


@pytest.mark.parametrize(
    "wrong",
    [{"store_id": "1"}, {"deep_bid_type": "NONE"}, {"roas_bid": None}, {"budget": 9}, {"shopping_ads_type": "TALK"}],
)
def test_a_bad_gmv_max_campaign_is_not_created(visitor: Visitor, wrong: dict[str, Any]) -> None:
    assert gmv_max_made(visitor, **wrong)["code"] == 40002
    assert visitor.tiktok("gmv_max/campaign/get/", filtering=PRODUCT)["data"]["list"] == []
    (row,) = visitor.ledger()
    assert (row["field"], row["result"]) == ("created", "refused")


def test_creating_a_gmv_max_campaign_is_booked_once(visitor: Visitor) -> None:
    campaign = gmv_max_made(visitor)["data"]["campaign_id"]
    received = [row for row in visitor.ledger() if row["actor"] == "api"]
    assert [(row["object_id"], row["field"]) for row in received] == [(campaign, "created")]


def test_the_gmv_max_report_tells_cost_and_revenue_by_hour_of_one_day(visitor: Visitor) -> None:
    campaign = gmv_max_made(visitor)["data"]["campaign_id"]
    visitor.advance(10)
    hours = gmv_max_report(visitor, "2026-11-05", "2026-11-05")["data"]["list"]
    assert {row["dimensions"]["campaign_id"] for row in hours} == {campaign}
    assert all(isinstance(value, str) for row in hours for value in row["metrics"].values())
    (day,) = gmv_max_report(visitor, "2026-11-05", "2026-11-05", "stat_time_day")["data"]["list"]
    for name in ("cost", "orders", "gross_revenue"):
        assert sum(Decimal(row["metrics"][name]) for row in hours) == Decimal(day["metrics"][name])
    assert Decimal(day["metrics"]["cost"]) > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"end_date": "2026-11-06"},
        {"store_ids": []},
        {"store_ids": ["1"]},
        {"dimensions": ["stat_time_hour"]},
        {"metrics": ["luck"]},
        {"metrics": []},
        {"filtering": "[]"},
    ],
)
def test_bad_gmv_max_reports_are_refused(reader: Visitor, wrong: dict[str, Any]) -> None:
    assert gmv_max_report(reader, "2026-11-05", "2026-11-05", **wrong)["code"] == 40002


def test_families_requests_and_bids_outlive_a_restart(tmp_path: Path) -> None:
    def seen(visitor: Visitor) -> list[Any]:
        paths = ("smart_plus/campaign/get/", "smart_plus/adgroup/get/", "smart_plus/ad/get/", "campaign/get/")
        lists = [visitor.tiktok(path)["data"]["list"] for path in paths]
        return [*lists, visitor.tiktok("gmv_max/campaign/get/", filtering=PRODUCT)["data"]["list"], visitor.ledger()]

    state = tmp_path / "state"
    with running_sandbox(start=START, days=1, state=state) as running:
        visitor = Visitor(running.url)
        smart_made(visitor)
        campaign = gmv_max_made(visitor)["data"]["campaign_id"]
        visitor.tiktok_write("campaign/gmv_max/update/", campaign_id=campaign, roas_bid=3)
        before = [*seen(visitor), info(visitor, campaign)]
    with running_sandbox(start=START, days=1, state=state) as running:
        visitor = Visitor(running.url)
        assert [*seen(visitor), info(visitor, campaign)] == before
        assert gmv_max_made(visitor)["code"] == 40050

"""Changes on the sandbox's Meta beyond the plain budget: bids, lifetimes, names, ends, and the ledger's count."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.test_meta_creates import AD_SET, STORY, make, pooled
from tests.connectors.sandbox.visitor import Visitor

FLOOR = {"roas_average_floor": 20000}


def first(visitor: Visitor, edge: str = "adsets") -> str:
    return str(visitor.meta(f"{visitor.account}/{edge}")["data"][0]["id"])


def code_of(answer: Any) -> tuple[int, int | None]:
    return answer["error"]["code"], answer["error"].get("error_subcode")


def test_a_bid_strategy_comes_with_its_terms(visitor: Visitor) -> None:
    ad_set = first(visitor)
    read = {"fields": "bid_strategy,bid_amount,bid_constraints"}
    assert visitor.meta(ad_set, **read) == {"id": ad_set, "bid_strategy": "LOWEST_COST_WITHOUT_CAP"}
    assert code_of(visitor.meta_write(ad_set, bid_strategy="COST_CAP")) == (100, 1815857)
    assert code_of(visitor.meta_write(ad_set, bid_amount="700"))[0] == 100
    assert visitor.meta_write(ad_set, bid_strategy="COST_CAP", bid_amount="700") == {"success": True}
    assert visitor.meta(ad_set, **read) == {"id": ad_set, "bid_strategy": "COST_CAP", "bid_amount": 700}
    assert visitor.meta_write(ad_set, bid_amount="800") == {"success": True}
    assert code_of(visitor.meta_write(ad_set, bid_constraints=FLOOR))[0] == 100
    roas = visitor.meta_write(ad_set, bid_strategy="LOWEST_COST_WITH_MIN_ROAS", bid_constraints=FLOOR)
    assert roas == {"success": True}
    held = visitor.meta(ad_set, **read)
    assert (held["bid_constraints"], "bid_amount" in held) == (FLOOR, False)
    assert visitor.meta_write(ad_set, bid_strategy="LOWEST_COST_WITHOUT_CAP") == {"success": True}
    assert "bid_constraints" not in visitor.meta(ad_set, **read)


def test_under_a_campaign_budget_the_campaign_has_the_strategy_and_the_ad_sets_the_terms(visitor: Visitor) -> None:
    campaign = pooled(visitor)
    below = [a["id"] for a in visitor.meta(f"{campaign}/adsets")["data"]]
    assert code_of(visitor.meta_write(below[0], bid_strategy="COST_CAP", bid_amount="500"))[0] == 100
    assert code_of(visitor.meta_write(campaign, bid_strategy="COST_CAP")) == (100, 1815857)
    terms = dict.fromkeys(below, 500)
    assert visitor.meta_write(campaign, bid_strategy="COST_CAP", adset_bid_amounts=terms) == {"success": True}
    held = visitor.meta(below[1], fields="bid_strategy,bid_amount")
    assert (held["bid_strategy"], held["bid_amount"]) == ("COST_CAP", 500)
    assert visitor.meta_write(below[0], bid_amount="600") == {"success": True}
    assert code_of(visitor.meta_write(campaign, adset_bid_amounts={first(visitor): 500}))[0] == 100
    without = visitor.meta(f"{visitor.account}/campaigns")["data"][0]["id"]
    assert code_of(visitor.meta_write(without, bid_strategy="COST_CAP"))[0] == 100


def test_a_bid_or_a_large_budget_move_starts_the_learning_anew_and_a_small_one_does_not(visitor: Visitor) -> None:
    ids = [a["id"] for a in visitor.meta(f"{visitor.account}/adsets")["data"][:3]]

    def learning(ad_set: str) -> str:
        return str(visitor.meta(ad_set, fields="learning_stage_info")["learning_stage_info"]["status"])

    assert {learning(ad_set) for ad_set in ids} == {"SUCCESS"}
    visitor.meta_write(ids[0], daily_budget="4400")
    visitor.meta_write(ids[1], daily_budget="6000")
    visitor.meta_write(ids[2], bid_strategy="COST_CAP", bid_amount="900")
    assert [learning(ad_set) for ad_set in ids] == ["SUCCESS", "LEARNING", "LEARNING"]
    visitor.advance(24 * 7)
    assert {learning(ad_set) for ad_set in ids} == {"SUCCESS"}


def test_a_lifetime_budget_needs_room_above_what_is_spent(visitor: Visitor) -> None:
    campaign = first(visitor, "campaigns")
    body = {**AD_SET, "daily_budget": None, "lifetime_budget": "90000", "end_time": "2026-12-24T00:00:00"}
    ad_set = make(visitor, "adsets", body, campaign_id=campaign)["id"]
    creative = make(visitor, "adcreatives", {"object_story_spec": STORY})["id"]
    make(visitor, "ads", {"name": "One", "adset_id": ad_set, "creative": {"creative_id": creative}})
    held = visitor.meta(ad_set, fields="daily_budget,lifetime_budget,end_time")
    assert (held["daily_budget"], held["lifetime_budget"]) == ("0", "90000")
    assert held["end_time"] == "2026-12-24T00:00:00-0500"
    assert code_of(visitor.meta_write(ad_set, daily_budget="4000"))[0] == 100
    visitor.advance(30)
    (row,) = visitor.meta(f"{ad_set}/insights", fields="spend", date_preset="maximum")["data"]
    spent = round(float(row["spend"]) * 100)
    assert spent > 100
    assert code_of(visitor.meta_write(ad_set, lifetime_budget=str(spent + spent // 20))) == (100, 1885272)
    assert visitor.meta_write(ad_set, lifetime_budget=str(spent * 2)) == {"success": True}


def test_names_can_be_changed_and_not_emptied(visitor: Visitor) -> None:
    for edge in ("campaigns", "adsets", "ads"):
        node = first(visitor, edge)
        assert visitor.meta_write(node, name="Größer & <b>") == {"success": True}
        assert visitor.meta(node, fields="name")["name"] == "Größer & <b>"
        assert code_of(visitor.meta_write(node, name="  "))[0] == 100


def test_an_ad_can_show_another_creative(visitor: Visitor) -> None:
    ad = first(visitor, "ads")
    creative = make(visitor, "adcreatives", {"object_story_spec": STORY, "name": "New"})["id"]
    assert visitor.meta_write(ad, creative={"creative_id": creative}) == {"success": True}
    held = visitor.meta(ad, fields="creative{name,video_id,object_type},adset{campaign{name}}")
    assert held["creative"] == {"id": creative, "name": "New", "video_id": "5", "object_type": "VIDEO"}
    assert held["adset"]["campaign"]["name"] == "meta sales 1"


def test_the_first_ads_show_creatives_that_nobody_can_edit(visitor: Visitor) -> None:
    ad = first(visitor, "ads")
    (shown,) = visitor.meta(f"{ad}/adcreatives", fields="name,title,body,call_to_action_type,link_url,object_type")[
        "data"
    ]
    assert shown["call_to_action_type"] == "SHOP_NOW"
    assert shown["link_url"].startswith("https://alder-and-pine.myshopify.com/products/")
    assert visitor.meta(ad, fields="creative")["creative"] == {"id": shown["id"]}
    assert visitor.meta(shown["id"], fields="title")["title"] == shown["title"]
    assert len(visitor.meta_all(f"{visitor.account}/adcreatives")) == 12
    assert code_of(visitor.meta_write(shown["id"], name="Mine"))[0] == 10


def test_what_stands_below_the_deleted_is_gone_too(visitor: Visitor) -> None:
    campaign = first(visitor, "campaigns")
    ad_set = visitor.meta(f"{campaign}/adsets")["data"][0]["id"]
    assert visitor.meta_raw("DELETE", campaign).json() == {"success": True}
    assert visitor.meta(ad_set, fields="status,effective_status")["effective_status"] == "DELETED"
    assert visitor.meta(f"{campaign}/adsets")["data"] == []
    assert code_of(visitor.meta_raw("DELETE", campaign).json()) == (100, 1487866)
    assert [(row["new"], row["result"]) for row in visitor.ledger()] == [("DELETED", "applied"), ("DELETED", "refused")]


def test_issues_that_meta_finds_show_in_the_effective_status(visitor: Visitor) -> None:
    ad_set = first(visitor)
    issues = [{"level": "AD_SET", "error_code": 1815869, "error_summary": "The pixel is silent"}]
    visitor.control("human_edit", platform="meta", object_id=ad_set, field="issues_info", value=issues)
    held = visitor.meta(ad_set, fields="status,effective_status,issues_info")
    assert (held["status"], held["effective_status"], held["issues_info"]) == ("ACTIVE", "WITH_ISSUES", issues)
    assert code_of(visitor.meta_write(ad_set, issues_info=[]))[0] == 100


def test_a_lost_part_of_a_batch_is_answered_with_null_and_changes_nothing(visitor: Visitor) -> None:
    ad_set = first(visitor)
    visitor.control("faults", fault="null_part", platform="meta")
    part = {"method": "POST", "relative_url": ad_set, "body": "daily_budget=4200"}
    assert visitor.meta_write("", batch=[part]) == [None]
    assert visitor.meta(ad_set, fields="daily_budget")["daily_budget"] == "4000"
    assert visitor.meta_write("", batch=[part])[0]["code"] == 200
    assert [(row["result"], row["code"]) for row in visitor.ledger()] == [("refused", "960"), ("applied", "")]


def test_a_batch_in_a_batch_is_refused(visitor: Visitor) -> None:
    inner = json.dumps([{"method": "POST", "relative_url": first(visitor), "body": "daily_budget=4200"}])
    (answer,) = visitor.meta_write("", batch=[{"method": "POST", "relative_url": "", "body": f"batch={inner}"}])
    assert answer["code"] == 400
    assert visitor.ledger() == []


@pytest.fixture(scope="module")
def busy() -> Any:
    with running_sandbox(start=START, days=1) as running:
        yield Visitor(running.url)


TEXTS = st.sampled_from(
    ["PAUSED", "ACTIVE", "DELETED", "4000", "1", "", "[]", '{"creative_id":"1"}', "COST_CAP", "x" * 500]
)
NODES = ["campaigns", "adsets", "ads", "adcreatives"]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(NODES),
    st.dictionaries(
        st.sampled_from(["name", "status", "daily_budget", "bid_strategy", "creative", "bid_amount"]), TEXTS, min_size=1
    ),
    st.sampled_from([True, False]),
)
def test_every_field_that_is_written_is_booked_exactly_once(
    busy: Visitor, edge: str, fields: dict[str, str], is_new: bool
) -> None:
    before = len(busy.ledger())
    path = f"{busy.account}/{edge}" if is_new else first(busy, edge)
    answer = busy.meta_write(path, **fields)
    booked = busy.ledger()[before:]
    known = {
        "campaigns": {"name", "status", "daily_budget", "bid_strategy"},
        "adsets": {"name", "status", "daily_budget", "bid_strategy", "bid_amount"},
        "ads": {"name", "status", "creative"},
        "adcreatives": {"name", "status"},
    }[edge]
    assert sorted(row["field"] for row in booked) == (["created"] if is_new else sorted(known & set(fields)))
    assert {row["result"] for row in booked} <= {"refused" if "error" in answer else "applied"}

"""What can be made on the sandbox's Meta, and what Meta refuses."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import Visitor

CAMPAIGN = {
    "name": "Autumn",
    "objective": "OUTCOME_SALES",
    "special_ad_categories": [],
    "is_adset_budget_sharing_enabled": "false",
}
AD_SET = {
    "name": "Broad",
    "daily_budget": "2500",
    "optimization_goal": "OFFSITE_CONVERSIONS",
    "billing_event": "IMPRESSIONS",
    "promoted_object": {"pixel_id": "1", "custom_event_type": "PURCHASE"},
    "targeting": {"geo_locations": {"countries": ["US"]}},
}
STORY = {"page_id": "1", "video_data": {"video_id": "5", "title": "Throws", "message": "Warm wool"}}


def make(visitor: Visitor, edge: str, body: dict[str, Any], **more: Any) -> Any:
    given = {name: value for name, value in {**body, **more}.items() if value is not None}
    return visitor.meta_write(f"{visitor.account}/{edge}", **given)


def code_of(answer: Any) -> tuple[int, int | None]:
    return answer["error"]["code"], answer["error"].get("error_subcode")


def pooled(visitor: Visitor) -> str:
    """The campaign that carries a budget."""
    campaigns = visitor.meta(f"{visitor.account}/campaigns", fields="daily_budget")["data"]
    return str(next(c["id"] for c in campaigns if "daily_budget" in c))


def test_a_new_campaign_delivers_once_it_has_an_ad(visitor: Visitor) -> None:
    campaign = make(visitor, "campaigns", CAMPAIGN)["id"]
    ad_set = make(visitor, "adsets", AD_SET, campaign_id=campaign)["id"]
    creative = make(visitor, "adcreatives", {"object_story_spec": STORY})["id"]
    visitor.advance(3)
    asked = {"fields": "spend", "date_preset": "today"}
    assert visitor.meta(f"{campaign}/insights", **asked)["data"] == []
    make(visitor, "ads", {"name": "One", "adset_id": ad_set, "creative": {"creative_id": creative}})
    visitor.advance(3)
    assert float(visitor.meta(f"{ad_set}/insights", **asked)["data"][0]["spend"]) > 0


def test_what_is_made_is_listed_and_booked_once(visitor: Visitor) -> None:
    made = make(visitor, "campaigns", CAMPAIGN, status="PAUSED", fields="name,status,objective,special_ad_categories")
    assert (made["name"], made["status"], made["objective"]) == ("Autumn", "PAUSED", "OUTCOME_SALES")
    listed = visitor.meta(f"{visitor.account}/campaigns", limit="100")["data"]
    assert made["id"] in [c["id"] for c in listed]
    (row,) = visitor.ledger()
    assert (row["field"], row["old"], row["new"], row["result"]) == ("created", None, "Autumn", "applied")
    assert row["object_id"] == made["id"]


def test_a_rehearsal_makes_nothing(visitor: Visitor) -> None:
    before = visitor.meta(f"{visitor.account}/campaigns")
    assert make(visitor, "campaigns", CAMPAIGN, execution_options=["validate_only"]) == {"success": True}
    assert code_of(make(visitor, "campaigns", CAMPAIGN, name=None, execution_options=["validate_only"]))[0] == 100
    assert visitor.meta(f"{visitor.account}/campaigns") == before
    assert visitor.ledger() == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"name": None}, (100, None)),
        ({"objective": None}, (100, None)),
        ({"objective": "CONVERSIONS"}, (100, None)),
        ({"objective": "SALES"}, (100, None)),
        ({"special_ad_categories": None}, (100, None)),
        ({"special_ad_categories": ["SWEETS"]}, (100, None)),
        ({"special_ad_categories": {}}, (100, None)),
        ({"is_adset_budget_sharing_enabled": None}, (100, 4834011)),
        ({"daily_budget": "99"}, (100, 1885272)),
        ({"daily_budget": "5000", "lifetime_budget": "5000"}, (100, None)),
        ({"daily_budget": "many"}, (100, None)),
        ({"bid_strategy": "COST_CAP"}, (100, None)),
        ({"status": "ENABLED"}, (100, None)),
        ({"colour": "red"}, (100, None)),
        ({"fields": "nonsense"}, (100, None)),
    ],
)
def test_a_campaign_that_meta_refuses_is_booked_as_refused(
    visitor: Visitor, more: dict[str, Any], code: tuple[int, int | None]
) -> None:
    assert code_of(make(visitor, "campaigns", CAMPAIGN, **more)) == code
    (row,) = visitor.ledger()
    assert (row["result"], row["object_id"], row["field"]) == ("refused", "", "created")
    assert len(visitor.meta(f"{visitor.account}/campaigns")["data"]) == 3


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"campaign_id": "999"}, (100, None)),
        ({"campaign_id": None}, (100, None)),
        ({"targeting": None}, (100, None)),
        ({"targeting": {"age_min": 18}}, (100, 1885364)),
        ({"billing_event": "SMILES"}, (100, None)),
        ({"optimization_goal": None}, (100, None)),
        ({"promoted_object": None}, (100, None)),
        ({"daily_budget": None}, (100, None)),
        ({"daily_budget": "99"}, (100, 1885272)),
        ({"daily_budget": None, "lifetime_budget": "90000"}, (100, None)),
        ({"daily_budget": None, "lifetime_budget": "90000", "end_time": "2020-01-01T00:00:00+0000"}, (100, None)),
        ({"end_time": "soon"}, (100, None)),
        ({"bid_strategy": "COST_CAP"}, (100, 1815857)),
        ({"bid_amount": "500"}, (100, None)),
        ({"bid_strategy": "LOWEST_COST_WITH_MIN_ROAS", "bid_constraints": {"roas_average_floor": 1}}, (100, None)),
    ],
)
def test_an_ad_set_that_meta_refuses(visitor: Visitor, more: dict[str, Any], code: tuple[int, int | None]) -> None:
    campaign = visitor.meta(f"{visitor.account}/campaigns")["data"][0]["id"]
    assert code_of(make(visitor, "adsets", AD_SET, **{"campaign_id": campaign, **more})) == code
    assert [row["result"] for row in visitor.ledger()] == ["refused"]


def test_a_budget_stands_on_one_level_only(visitor: Visitor) -> None:
    campaign = pooled(visitor)
    assert code_of(make(visitor, "adsets", AD_SET, campaign_id=campaign)) == (100, 1885621)
    made = make(visitor, "adsets", AD_SET, campaign_id=campaign, daily_budget=None, fields="daily_budget")
    assert made["daily_budget"] == "0"


def test_an_ad_needs_a_creative_of_its_own_account(visitor: Visitor) -> None:
    ad_set = visitor.meta(f"{visitor.account}/adsets")["data"][0]["id"]
    body = {"name": "One", "adset_id": ad_set}
    other = Visitor(visitor.url, tenant=1)
    foreign = other.meta(f"{other.account}/adcreatives")["data"][0]["id"]
    video = make(visitor, "advideos", {"file_url": "https://shop.example/a.mp4"})["id"]
    assert code_of(make(visitor, "ads", body))[0] == 100
    for wrong in ("1", foreign, video, ad_set):
        assert code_of(make(visitor, "ads", body, creative={"creative_id": wrong})) == (100, 1487390)
    own = visitor.meta(f"{visitor.account}/adcreatives")["data"][0]["id"]
    assert "id" in make(visitor, "ads", body, creative={"creative_id": own})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"object_story_spec": {"link_data": {}}},
        {"object_story_spec": {"page_id": "1"}},
        {"object_story_spec": "text"},
    ],
)
def test_a_creative_needs_a_story(visitor: Visitor, body: dict[str, Any]) -> None:
    assert code_of(make(visitor, "adcreatives", body))[0] == 100


def test_nothing_is_made_below_what_is_deleted(visitor: Visitor) -> None:
    campaign = make(visitor, "campaigns", CAMPAIGN)["id"]
    assert visitor.meta_raw("DELETE", campaign).json() == {"success": True}
    assert code_of(make(visitor, "adsets", AD_SET, campaign_id=campaign))[0] == 100


def test_media_are_kept_and_are_no_creatives(visitor: Visitor) -> None:
    before = visitor.meta_all(f"{visitor.account}/adcreatives")
    video = make(visitor, "advideos", {"file_url": "https://shop.example/a.mp4", "name": "Film"})
    assert visitor.meta(video["id"])["status"] == {"video_status": "ready"}
    image = make(visitor, "adimages", {"bytes": "aGVsbG8="})["images"]["bytes"]
    assert [i["hash"] for i in visitor.meta(f"{visitor.account}/adimages")["data"]] == [image["hash"]]
    assert visitor.meta_all(f"{visitor.account}/adcreatives") == before
    assert code_of(make(visitor, "advideos", {"file_url": "file:///etc/passwd"})) == (100, 1363057)
    assert [row["result"] for row in visitor.ledger()] == ["applied", "applied", "refused"]


@pytest.mark.parametrize("fault", ["drop_before_apply", "server_error", "rate_limit", "expired_token"])
def test_a_create_that_a_fault_stops_leaves_nothing(visitor: Visitor, fault: str) -> None:
    visitor.control("faults", fault=fault, platform="meta", method="POST")
    try:
        answer = make(visitor, "campaigns", CAMPAIGN)
        assert "error" in answer
        assert [row["result"] for row in visitor.ledger()] == ["refused"]
    except Exception as error:  # the connection is cut
        assert fault == "drop_before_apply", error
        assert visitor.ledger() == []
    assert len(visitor.meta(f"{visitor.account}/campaigns")["data"]) == 3


def test_what_was_made_outlives_a_restart(tmp_path: Any) -> None:
    state = tmp_path / "state"
    with running_sandbox(start=START, days=2, state=state) as running:
        visitor = Visitor(running.url)
        made = make(visitor, "campaigns", CAMPAIGN)["id"]
        ad_set = make(visitor, "adsets", AD_SET, campaign_id=made)["id"]
    with running_sandbox(start=START, days=2, state=state) as running:
        held = Visitor(running.url).meta(ad_set, fields="campaign_id,daily_budget,promoted_object")
        assert (held["campaign_id"], held["daily_budget"]) == (made, "2500")
        assert held["promoted_object"]["pixel_id"] == "1"

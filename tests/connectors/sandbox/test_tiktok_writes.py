"""TikTok's writes beside the budget: names, bids, settings, lifetime budgets, partial success, creates, uploads."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.connectors.sandbox.visitor import TIKTOK, Visitor

CAMPAIGN = {"campaign_name": "Spring", "objective_type": "TRAFFIC"}
GROUP = {
    "adgroup_name": "Visitors",
    "billing_event": "OCPM",
    "optimization_goal": "CONVERT",
    "schedule_type": "SCHEDULE_FROM_NOW",
    "schedule_start_time": "2026-11-05 15:00:00",
    "budget_mode": "BUDGET_MODE_DAY",
    "budget": 25,
}
CREATIVE = {"ad_name": "Film", "ad_text": "Look.", "video_id": "v1", "identity_id": "7", "identity_type": "TT_USER"}


def groups(visitor: Visitor) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = visitor.tiktok("adgroup/get/", page_size="1000")["data"]["list"]
    return found


def one(visitor: Visitor, identity: str) -> dict[str, Any]:
    return next(group for group in groups(visitor) if group["adgroup_id"] == identity)


def campaign_made(visitor: Visitor, **fields: Any) -> str:
    return str(visitor.tiktok_write("campaign/create/", **CAMPAIGN, **fields)["data"]["campaign_id"])


def group_made(visitor: Visitor, campaign: str, **fields: Any) -> Any:
    return visitor.tiktok_write("adgroup/create/", **{**GROUP, "campaign_id": campaign, **fields})


def test_an_omitted_field_keeps_its_value(visitor: Visitor) -> None:
    first = groups(visitor)[0]["adgroup_id"]
    fields = {"adgroup_name": "New name", "gender": "GENDER_FEMALE", "age_groups": ["AGE_25_34"]}
    assert visitor.tiktok_write("adgroup/update/", adgroup_id=first, **fields)["code"] == 0
    assert visitor.tiktok_write("adgroup/update/", adgroup_id=first, budget=44)["code"] == 0
    held = one(visitor, first)
    assert {name: held[name] for name in fields} == fields
    assert held["budget"] == 44.0


def test_each_changed_field_is_booked_once_and_a_repeated_one_is_not(visitor: Visitor) -> None:
    first = groups(visitor)[0]
    body = {name: first[name] for name in ("adgroup_id", "adgroup_name", "pacing", "dayparting", "gender")}
    assert visitor.tiktok_write("adgroup/update/", **body, budget=44, comment_disabled=True)["code"] == 0
    booked = [(row["field"], row["new"], row["result"]) for row in visitor.ledger()]
    assert booked == [("budget", 44.0, "applied"), ("comment_disabled", True, "applied")]


def test_a_bid_needs_its_type_and_its_price(visitor: Visitor) -> None:
    first = groups(visitor)[0]["adgroup_id"]
    for wrong in (
        {"bid_type": "BID_TYPE_CUSTOM"},
        {"conversion_bid_price": 3},
        {"bid_type": "BID_TYPE_CUSTOM", "conversion_bid_price": -1},
        {"bid_type": "BID_TYPE_CUSTOM", "conversion_bid_price": "3"},
        {"bid_type": "BID_TYPE_MAGIC", "conversion_bid_price": 3},
        {"roas_bid": 0.001},
        {"roas_bid": 1001},
    ):
        assert visitor.tiktok_write("adgroup/update/", adgroup_id=first, **wrong)["code"] == 40002
    right = {"bid_type": "BID_TYPE_CUSTOM", "conversion_bid_price": 3.25}
    assert visitor.tiktok_write("adgroup/update/", adgroup_id=first, **right)["code"] == 0
    held = one(visitor, first)
    assert (held["bid_type"], held["conversion_bid_price"]) == ("BID_TYPE_CUSTOM", 3.25)


def test_a_new_bid_makes_an_ad_group_learn_again(visitor: Visitor) -> None:
    first = groups(visitor)[0]
    assert first["learning_phase"] == "PHASE_LEARNED"
    body = {"bid_type": "BID_TYPE_CUSTOM", "conversion_bid_price": 3.25}
    visitor.tiktok_write("adgroup/update/", adgroup_id=first["adgroup_id"], **body)
    assert groups(visitor)[0]["learning_phase"] == "PHASE_LEARNING"


def test_partial_success_does_what_it_can_and_lists_the_rest(visitor: Visitor) -> None:
    ids = [group["adgroup_id"] for group in groups(visitor)][:2]
    visitor.tiktok_write("adgroup/status/update/", adgroup_ids=ids[:1], operation_status="DELETE")
    body = {"adgroup_ids": [*ids, "12"], "operation_status": "DISABLE", "allow_partial_success": True}
    answer = visitor.tiktok_write("adgroup/status/update/", **body)
    assert answer["code"] == 20001
    assert (answer["data"]["adgroup_ids"], answer["data"]["status"]) == ([ids[1]], "DISABLE")
    assert {each["adgroup_id"] for each in answer["data"]["error_list"]} == {ids[0], "12"}
    rows = [(row["object_id"], row["result"]) for row in visitor.ledger()[1:]]
    assert rows == [(ids[0], "refused"), (ids[1], "applied")]


@pytest.mark.parametrize(
    ("path", "key", "listing"),
    [
        ("campaign", "campaign_ids", "campaign_id"),
        ("adgroup", "adgroup_ids", "adgroup_id"),
        ("ad", "ad_ids", "ad_id"),
    ],
)
def test_every_level_is_disabled_and_enabled(visitor: Visitor, path: str, key: str, listing: str) -> None:
    first = visitor.tiktok(f"{path}/get/")["data"]["list"][0][listing]
    for status in ("DISABLE", "ENABLE"):
        answer = visitor.tiktok_write(f"{path}/status/update/", **{key: [first]}, operation_status=status)
        assert answer["data"] == {key: [first], "status": status}
        assert visitor.tiktok(f"{path}/get/")["data"]["list"][0]["operation_status"] == status


def test_nothing_in_a_deleted_campaign_can_be_written(visitor: Visitor) -> None:
    group = groups(visitor)[0]
    body = {"campaign_ids": [group["campaign_id"]], "operation_status": "DELETE"}
    assert visitor.tiktok_write("campaign/status/update/", **body)["code"] == 0
    refused = visitor.tiktok_write("adgroup/update/", adgroup_id=group["adgroup_id"], budget=50)
    assert refused["code"] == 40007


def test_an_ad_is_renamed_and_rewritten(visitor: Visitor) -> None:
    ad = visitor.tiktok("ad/get/")["data"]["list"][0]
    change = {"ad_id": ad["ad_id"], "ad_name": "Better", "ad_text": "Read this."}
    body = {"adgroup_id": ad["adgroup_id"], "patch_update": True, "creatives": [change]}
    assert visitor.tiktok_write("ad/update/", **body)["data"]["ad_ids"] == [ad["ad_id"]]
    held = visitor.tiktok("ad/get/")["data"]["list"][0]
    assert (held["ad_name"], held["ad_text"], held["video_id"]) == ("Better", "Read this.", ad["video_id"])


def test_a_lifetime_budget_has_a_floor_per_day_and_changes_in_bulk_at_once(visitor: Visitor) -> None:
    campaign = campaign_made(visitor)
    lifetime = {
        "budget_mode": "BUDGET_MODE_TOTAL",
        "schedule_type": "SCHEDULE_START_END",
        "schedule_end_time": "2026-11-15 15:00:00",
    }
    assert group_made(visitor, campaign, **lifetime, budget=199)["code"] == 40002
    assert group_made(visitor, campaign, budget_mode="BUDGET_MODE_TOTAL", budget=200)["code"] == 40002
    made = group_made(visitor, campaign, **lifetime, budget=200)["data"]
    assert (made["budget_mode"], made["budget"]) == ("BUDGET_MODE_TOTAL", 200.0)
    bulk = {"budget": [{"adgroup_id": made["adgroup_id"], "budget": 300}]}
    assert visitor.tiktok_write("adgroup/budget/update/", **bulk)["code"] == 0
    assert one(visitor, made["adgroup_id"])["budget"] == 300.0


def test_a_shared_budget_leaves_none_to_the_ad_groups(visitor: Visitor) -> None:
    shared = {"budget_mode": "BUDGET_MODE_DAY", "budget": 80, "budget_optimize_on": True}
    made = group_made(visitor, campaign_made(visitor, **shared))["data"]
    assert (made["budget"], made["budget_mode"], made["budget_optimize_on"]) == (0.0, "BUDGET_MODE_INFINITE", True)
    assert visitor.tiktok_write("adgroup/update/", adgroup_id=made["adgroup_id"], budget=50)["code"] == 40002


def test_what_is_created_is_enabled_unless_the_request_says_otherwise(visitor: Visitor) -> None:
    enabled, disabled = campaign_made(visitor), campaign_made(visitor, operation_status="DISABLE")
    held = {c["campaign_id"]: c["operation_status"] for c in visitor.tiktok("campaign/get/")["data"]["list"]}
    assert (held[enabled], held[disabled]) == ("ENABLE", "DISABLE")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("campaign/create/", {"campaign_name": ""}),
        ("campaign/create/", {"objective_type": "WORLD_PEACE"}),
        ("campaign/create/", {"budget_mode": "BUDGET_MODE_DAY", "budget": 49}),
        ("campaign/create/", {"budget_mode": "BUDGET_MODE_DAY"}),
        ("campaign/create/", {"budget_optimize_on": True}),
        ("campaign/create/", {"operation_status": "DELETE"}),
        ("campaign/create/", {"request_id": "not a number"}),
        ("adgroup/create/", {"budget": 19}),
        ("adgroup/create/", {"budget_mode": "BUDGET_MODE_INFINITE"}),
        ("adgroup/create/", {"billing_event": None}),
        ("adgroup/create/", {"schedule_start_time": "tomorrow"}),
        ("adgroup/create/", {"bid_type": "BID_TYPE_CUSTOM"}),
        ("ad/create/", {"creatives": []}),
        ("ad/create/", {"creatives": [CREATIVE] * 21}),
        ("ad/create/", {"creatives": [CREATIVE, {**CREATIVE, "ad_name": ""}]}),
        ("ad/create/", {"creatives": [{**CREATIVE, "video_id": ""}]}),
        ("ad/create/", {"creatives": [{**CREATIVE, "identity_id": None}]}),
    ],
)
def test_a_bad_create_is_refused_booked_once_and_makes_nothing(
    visitor: Visitor, path: str, fields: dict[str, Any]
) -> None:
    group = groups(visitor)[0]
    good = {
        "campaign/create/": CAMPAIGN,
        "adgroup/create/": {**GROUP, "campaign_id": group["campaign_id"]},
        "ad/create/": {"adgroup_id": group["adgroup_id"], "creatives": [CREATIVE]},
    }
    kind = path.split("/")[0]
    before = visitor.tiktok(f"{kind}/get/")["data"]["page_info"]
    answer = visitor.tiktok_write(path, **{**good[path], **fields})
    assert answer["code"] == 40002
    assert visitor.tiktok(f"{kind}/get/")["data"]["page_info"] == before
    (row,) = visitor.ledger()
    assert (row["field"], row["object_id"], row["result"], row["code"]) == ("created", "", "refused", "40002")


def test_a_create_below_something_that_is_not_there_is_refused(visitor: Visitor) -> None:
    foreign = groups(Visitor(visitor.url, tenant=1))[0]
    assert group_made(visitor, foreign["campaign_id"])["code"] == 40007
    body = {"adgroup_id": foreign["adgroup_id"], "creatives": [CREATIVE]}
    assert visitor.tiktok_write("ad/create/", **body)["code"] == 40007


def test_a_request_id_makes_one_object_and_may_come_again_later(visitor: Visitor) -> None:
    campaign_made(visitor, request_id="42")
    assert visitor.tiktok_write("campaign/create/", **CAMPAIGN, request_id="42")["code"] == 40050
    assert visitor.tiktok("campaign/get/")["data"]["page_info"]["total_number"] == 4
    visitor.advance(1 / 60)
    assert visitor.tiktok_write("campaign/create/", **CAMPAIGN, request_id="42")["code"] == 0


def test_an_ad_group_holds_twenty_ads(visitor: Visitor) -> None:
    group = groups(visitor)[0]["adgroup_id"]
    full = visitor.tiktok_write("ad/create/", adgroup_id=group, creatives=[CREATIVE] * 18)
    assert (full["code"], len(full["data"]["ad_ids"])) == (0, 18)
    assert visitor.tiktok_write("ad/create/", adgroup_id=group, creatives=[CREATIVE])["code"] == 40502


def test_a_video_by_address_and_by_file_is_listed_and_its_name_is_its_own(visitor: Visitor) -> None:
    body = {"upload_type": "UPLOAD_BY_URL", "video_url": "https://cdn.example/a.mp4", "file_name": "a.mp4"}
    (video,) = visitor.tiktok_write("file/video/ad/upload/", **body)["data"]
    assert visitor.tiktok_write("file/video/ad/upload/", **body)["code"] == 40911
    content = b"not really a film"
    form = {
        "advertiser_id": visitor.advertiser,
        "upload_type": "UPLOAD_BY_FILE",
        "video_signature": hashlib.md5(content).hexdigest(),
    }
    headers = {"Access-Token": visitor.who["tiktok"]["access_token"]}
    path = f"{TIKTOK}file/video/ad/upload/"
    sent = visitor.send("POST", path, data=form, files={"video_file": content}, headers=headers)
    assert sent.json()["code"] == 0
    wrong = visitor.send(
        "POST", path, data={**form, "video_signature": "0"}, files={"video_file": content}, headers=headers
    )
    assert wrong.json()["code"] == 40900
    listed = visitor.tiktok("file/video/ad/info/", video_ids=[video["video_id"]])["data"]["list"]
    assert [each["file_name"] for each in listed] == ["a.mp4"]


def test_an_image_is_answered_as_an_object(visitor: Visitor) -> None:
    body = {"upload_type": "UPLOAD_BY_URL", "image_url": "https://cdn.example/a.jpg"}
    assert visitor.tiktok_write("file/image/ad/upload/", **body)["data"]["image_id"]
    assert visitor.tiktok_write("file/image/ad/upload/", upload_type="UPLOAD_BY_URL")["code"] == 40002


def test_identities_and_pixels_are_there_for_an_ad(reader: Visitor) -> None:
    (identity,) = reader.tiktok("identity/get/")["data"]["identity_list"]
    assert identity["display_name"] == "Alder & Pine"
    (pixel,) = reader.tiktok("pixel/list/")["data"]["pixels"]
    assert pixel["pixel_id"].isdecimal()


@pytest.mark.parametrize("fault", ["rate_limit", "server_error", "expired_token"])
def test_a_create_that_a_fault_hits_is_booked_as_refused(visitor: Visitor, fault: str) -> None:
    visitor.control("faults", fault=fault, platform="tiktok", path="campaign/create/")
    assert visitor.tiktok_write("campaign/create/", **CAMPAIGN)["code"] in (40100, 50002, 40105)
    (row,) = visitor.ledger()
    assert (row["field"], row["result"]) == ("created", "refused")
    assert campaign_made(visitor)

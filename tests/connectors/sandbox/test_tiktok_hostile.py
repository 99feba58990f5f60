"""Whatever is sent to any TikTok endpoint, the answer is the envelope at HTTP 200."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.tiktok import GETS, LOGINS, POSTS
from tests.connectors.sandbox.test_hostile import FIRST_TIKTOK, VALUES, quietly, texts
from tests.connectors.sandbox.visitor import TIKTOK, Visitor

CAMPAIGN = "1790000000010000001"
GOOD: dict[str, Any] = {
    "campaign_id": CAMPAIGN,
    "campaign_ids": [CAMPAIGN],
    "campaign_name": "A",
    "objective_type": "TRAFFIC",
    "adgroup_id": FIRST_TIKTOK,
    "adgroup_name": "B",
    "billing_event": "OCPM",
    "optimization_goal": "VALUE",
    "schedule_type": "SCHEDULE_START_END",
    "schedule_start_time": "2026-11-05 15:00:00",
    "schedule_end_time": "2026-11-15 15:00:00",
    "budget_mode": "BUDGET_MODE_TOTAL",
    "budget": 500,
    "request_id": "1",
    "creatives": [{"ad_name": "C", "video_id": "v", "identity_id": "1"}],
    "upload_type": "UPLOAD_BY_URL",
    "video_url": "https://cdn.example/a.mp4",
    "report_type": "BASIC",
    "data_level": "AUCTION_ADGROUP",
    "dimensions": ["campaign_id", "stat_time_day"],
    "metrics": ["cost"],
    "start_date": "2026-11-01",
    "end_date": "2026-11-02",
    "filtering": {"gmv_max_promotion_types": ["PRODUCT_GMV_MAX"]},
    "deep_bid_type": "VO_MIN_ROAS",
    "shopping_ads_type": "PRODUCT",
    "roas_bid": 2,
    "task_id": "7600000000000000001",
    "operation_status": "ENABLE",
    "allow_partial_success": True,
}
NAMES = st.sampled_from(
    [*GOOD, "fields", "page", "page_size", "store_ids", "app_id", "secret", "auth_code", "bid_type"]
)
CHANGED = st.dictionaries(NAMES, VALUES, max_size=4)


def is_envelope(response: Any) -> bool:
    return response.status_code == 200 and set(response.json()) == {"code", "message", "request_id", "data"}


@quietly
@given(CHANGED, st.sampled_from(sorted(GETS)))
def test_no_reading_breaks_it(reader: Visitor, values: dict[str, Any], path: str) -> None:
    query = {"advertiser_id": reader.advertiser, **texts(GOOD | values)}
    headers = {"Access-Token": reader.who["tiktok"]["access_token"]}
    response = reader.send("GET", TIKTOK + path, params=query, headers=headers)
    assert is_envelope(response) or response.headers["Content-Type"].startswith("text/csv")


@quietly
@given(CHANGED, st.sampled_from(sorted({*POSTS, *LOGINS})))
def test_no_writing_breaks_it(visitor: Visitor, values: dict[str, Any], path: str) -> None:
    body = json.dumps({"advertiser_id": visitor.advertiser, **GOOD, **values}).encode()
    headers = {"Access-Token": visitor.who["tiktok"]["access_token"], "Content-Type": "application/json"}
    assert is_envelope(visitor.send("POST", TIKTOK + path, content=body, headers=headers))


@quietly
@given(st.binary(max_size=60), st.sampled_from(["application/json", "multipart/form-data; boundary=x", "text/plain"]))
def test_no_body_breaks_it(reader: Visitor, body: bytes, kind: str) -> None:
    headers = {"Access-Token": reader.who["tiktok"]["access_token"], "Content-Type": kind}
    for path in ("file/video/ad/upload/", "adgroup/update/"):
        assert is_envelope(reader.send("POST", TIKTOK + path, content=body, headers=headers))


@quietly
@given(st.dictionaries(st.sampled_from(["app_id", "redirect_uri", "state", "tenant", "allow"]), st.text(max_size=20)))
def test_no_query_breaks_the_consent_page(reader: Visitor, asked: dict[str, str]) -> None:
    good = {"app_id": reader.who["tiktok"]["app_id"], "redirect_uri": "https://bursar.example/", "tenant": "0"}
    clean = {name: text.encode(errors="replace").decode() for name, text in {**good, **asked}.items()}
    assert reader.send("GET", "/portal/auth", params=clean).status_code in (200, 302, 400)

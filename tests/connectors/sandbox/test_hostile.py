"""Whatever is sent, the sandbox answers in the platform's terms and never breaks."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connectors.sandbox.visitor import GRAPHQL, TIKTOK, Visitor

FIRST_META, FIRST_TIKTOK = "120210000020000001", "1790000000020000001"
TEXT = st.text(max_size=12) | st.sampled_from(["[]", "{}", "null", "9" * 5000, "9999-12-31", "0001-01-01", "[[]]"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
META_NAMES = [
    "fields",
    "limit",
    "after",
    "filtering",
    "effective_status",
    "time_range",
    "time_increment",
    "level",
    "breakdowns",
    "date_preset",
    "ids",
    "daily_budget",
    "status",
    "execution_options",
    "batch",
]
TIKTOK_NAMES = [
    "fields",
    "filtering",
    "page",
    "page_size",
    "report_type",
    "data_level",
    "dimensions",
    "metrics",
    "start_date",
    "end_date",
    "adgroup_id",
    "adgroup_ids",
    "budget",
    "scheduled_budget",
    "operation_status",
    "advertiser_ids",
]
TIKTOK_GOOD = {
    "report_type": "BASIC",
    "data_level": "AUCTION_ADGROUP",
    "dimensions": ["adgroup_id", "stat_time_day"],
    "start_date": "2026-11-01",
    "end_date": "2026-11-02",
    "adgroup_id": FIRST_TIKTOK,
    "adgroup_ids": [FIRST_TIKTOK],
    "operation_status": "DISABLE",
    "budget": 50,
}
CONTROL_NAMES = ["now", "advance_hours", "fault", "count", "seconds", "platform", "object_id", "field", "value"]
quietly = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def texts(values: dict[str, Any]) -> dict[str, str]:
    made = {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
    return {k: v.encode(errors="replace").decode()[:6000] for k, v in made.items()}


@quietly
@given(
    st.dictionaries(st.sampled_from(META_NAMES), VALUES, max_size=3),
    st.sampled_from(["", "{account}", "{account}/adsets", "{account}/insights", "me/adaccounts", FIRST_META]),
    st.sampled_from(["GET", "POST"]),
)
def test_meta_never_breaks(reader: Visitor, values: dict[str, Any], path: str, method: str) -> None:
    response = reader.meta_raw(method, path.format(account=reader.account), texts(values))
    assert response.status_code in (200, 400)
    assert response.json() is not None


@quietly
@given(
    st.dictionaries(st.sampled_from(TIKTOK_NAMES), VALUES, max_size=3),
    st.sampled_from(["adgroup/get/", "ad/get/", "report/integrated/get/", "advertiser/info/"]),
)
def test_tiktok_never_breaks_on_reading(reader: Visitor, values: dict[str, Any], path: str) -> None:
    answer = reader.tiktok(path, **texts(TIKTOK_GOOD | values))
    assert set(answer) == {"code", "message", "request_id", "data"}


@quietly
@given(
    st.dictionaries(st.sampled_from(TIKTOK_NAMES), VALUES, max_size=3),
    st.sampled_from(["adgroup/update/", "adgroup/status/update/", "adgroup/budget/update/", "campaign/update/"]),
)
def test_tiktok_never_breaks_on_writing(reader: Visitor, values: dict[str, Any], path: str) -> None:
    body = json.dumps({"advertiser_id": reader.advertiser, **TIKTOK_GOOD, **values}).encode()
    headers = {"Access-Token": reader.who["tiktok"]["access_token"], "Content-Type": "application/json"}
    response = reader.send("POST", TIKTOK + path, headers=headers, content=body)
    assert (response.status_code, "code" in response.json()) == (200, True)


@quietly
@given(VALUES, VALUES, VALUES)
def test_shopify_never_breaks(reader: Visitor, query: Any, first: Any, whole: Any) -> None:
    text = "query($n: Int, $q: String) { orders(first: $n, query: $q) { nodes { id } } }"
    headers = {"X-Shopify-Access-Token": reader.who["shopify"]["access_token"]}
    for body in ({"query": text, "variables": {"n": first, "q": query}}, {"query": query, "variables": first}, whole):
        response = reader.send("POST", GRAPHQL, headers=headers, content=json.dumps(body).encode())
        assert response.status_code in (200, 400)
        assert {"data", "errors"} & set(response.json())


@quietly
@given(
    st.dictionaries(st.sampled_from(CONTROL_NAMES), VALUES, max_size=4) | VALUES,
    st.sampled_from(["clock", "faults", "human_edit"]),
)
def test_the_control_endpoints_never_break(visitor: Visitor, body: Any, name: str) -> None:
    response = visitor.send("POST", f"/_control/{name}", content=json.dumps(body).encode())
    assert response.status_code in (200, 400, 404)

"""Whatever is sent to Meta's paths, the answer is Meta's and the sandbox never breaks."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.test_hostile import VALUES, texts
from tests.connectors.sandbox.visitor import Visitor

NODES = [
    "{account}",
    "120210000010000001",
    "120210000020000001",
    "120210000030000001",
    "120210000530000001",
    "me",
    "999",
]
EDGES = ["", "campaigns", "adsets", "ads", "adcreatives", "advideos", "adimages", "activities", "insights"]
EDGES += ["adaccounts", "permissions", "minimum_budgets", "nothing"]
NAMES = ["fields", "limit", "after", "before", "filtering", "effective_status", "updated_since", "summary", "ids"]
NAMES += ["level", "time_range", "time_increment", "breakdowns", "action_attribution_windows", "date_preset", "sort"]
NAMES += ["name", "status", "daily_budget", "lifetime_budget", "bid_strategy", "bid_amount", "bid_constraints"]
NAMES += ["adset_bid_amounts", "creative", "end_time", "targeting", "object_story_spec", "special_ad_categories"]
NAMES += ["objective", "campaign_id", "adset_id", "billing_event", "optimization_goal", "promoted_object"]
NAMES += ["batch", "execution_options", "since", "until", "oid", "extra_oids", "category", "file_url", "bytes"]
NAMES += ["client_id", "redirect_uri", "scope", "state", "allow", "tenant", "code", "grant_type", "input_token"]
GOOD = {
    "name": "x",
    "objective": "OUTCOME_SALES",
    "special_ad_categories": "[]",
    "campaign_id": "120210000010000001",
    "adset_id": "120210000020000001",
    "optimization_goal": "LINK_CLICKS",
    "billing_event": "IMPRESSIONS",
    "daily_budget": "4000",
    "targeting": '{"geo_locations":{}}',
}
FIELD_TEXT = st.text('abcampign,{}.()[]"0 ', max_size=30) | st.just("a{" * 3000) | st.just("campaign{" * 9 + "}" * 9)
URLS = st.text(max_size=20) | st.sampled_from(["[", "//[", "\ud800", "?batch=1", "120210000020000001?fields=id#x"])
PARTS = st.fixed_dictionaries({"relative_url": URLS}, optional={"body": VALUES, "method": VALUES | st.just("POST")})
many_examples = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def is_metas(response: Any) -> bool:
    if response.status_code == 200:
        return True
    error = response.json()["error"]
    return response.status_code == 400 and {"message", "type", "code", "fbtrace_id"} <= set(error)


@many_examples
@given(
    st.sampled_from(NODES),
    st.sampled_from(EDGES),
    st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    st.booleans(),
)
def test_no_parameter_breaks_an_endpoint(
    crowd: Visitor, node: str, edge: str, method: str, values: dict[str, Any], is_good: bool
) -> None:
    path = f"{node}/{edge}".format(account=crowd.account)
    if (path, method) == ("me/permissions", "DELETE"):
        return
    given = (GOOD if is_good else {}) | texts(values)
    assert is_metas(crowd.meta_raw(method, path, given))


@many_examples
@given(FIELD_TEXT, st.sampled_from(["120210000030000001", "{account}/ads", "{account}/insights", "me/adaccounts"]))
def test_no_selection_of_fields_breaks_it(crowd: Visitor, fields: str, path: str) -> None:
    assert is_metas(crowd.meta_raw("GET", path.format(account=crowd.account), {"fields": fields}))


@many_examples
@given(VALUES)
def test_no_body_breaks_it(crowd: Visitor, body: Any) -> None:
    headers = {"Authorization": f"Bearer {crowd.who['meta']['access_token']}"}
    for path in ("", crowd.account, "120210000020000001", "oauth/access_token", "dialog/oauth"):
        response = crowd.send("POST", f"/v26.0/{path}", headers=headers, content=json.dumps(body).encode())
        assert response.status_code in (200, 400)
        headers["Content-Type"] = "application/json"


@many_examples
@given(st.lists(PARTS))
def test_no_batch_breaks_it(crowd: Visitor, parts: list[Any]) -> None:
    answer = crowd.meta_raw("POST", "", {"batch": json.dumps(parts)})
    assert is_metas(answer)
    for part in answer.json() if answer.status_code == 200 else []:
        assert part["code"] in (200, 400)


@many_examples
@given(st.text(max_size=20), st.text(max_size=20))
def test_no_path_breaks_it(crowd: Visitor, node: str, edge: str) -> None:
    path = "/".join(quote(part, safe="", errors="replace") for part in (node, edge))
    response = crowd.send("GET", f"/v26.0/{path}", params={"access_token": "x"})
    assert response.status_code in (200, 302, 400)


@many_examples
@given(st.dictionaries(st.sampled_from(NAMES[-9:]), VALUES, max_size=6))
def test_no_login_breaks_it(crowd: Visitor, values: dict[str, Any]) -> None:
    app = crowd.who["meta"]
    for path in ("dialog/oauth", "oauth/access_token", "debug_token"):
        given = {"client_id": app["app_id"], "client_secret": app["app_secret"]} | texts(values)
        assert crowd.send("GET", f"/v26.0/{path}", params=given).status_code in (200, 302, 400)


@pytest.mark.parametrize("token", ["", "\u0661", "a b", "x" * 5000, "EAAB|x"])
def test_no_token_breaks_it(crowd: Visitor, token: str) -> None:
    answer = crowd.send("GET", "/v26.0/me", params={"access_token": token})
    assert (answer.status_code, answer.json()["error"]["code"] in (104, 190)) == (400, True)


@pytest.fixture(scope="module")
def crowd() -> Any:
    with running_sandbox(start=START, days=1) as running:
        yield Visitor(running.url)

"""What Meta's usage headers say about its limits."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from connectors.meta.usage import usage, wait
from connectors.replies import Reply


def reply(**headers: Any) -> Reply:
    told = {name.replace("_", "-"): json.dumps(value) for name, value in headers.items()}
    return Reply(200, httpx.Headers(told), b"{}")


def case(**figures: Any) -> dict[str, Any]:
    return {"type": "ads_insights", "call_count": 1, "total_cputime": 2, "total_time": 3, **figures}


def test_without_a_header_nothing_is_known() -> None:
    assert usage(reply()) is None
    assert wait(reply()) is None


@pytest.mark.parametrize(
    ("headers", "percent"),
    [
        ({"X_App_Usage": {"call_count": 28, "total_time": 25, "total_cputime": 30}}, 30),
        ({"X_Ad_Account_Usage": {"acc_id_util_pct": 9.67, "reset_time_duration": 0}}, 9.67),
        ({"X_FB_Ads_Insights_Throttle": {"app_id_util_pct": 100, "acc_id_util_pct": 10.5}}, 100),
        ({"X_Business_Use_Case_Usage": {"1": [case(), case(total_time=64)], "2": [case(call_count=101)]}}, 101),
        ({"X_App_Usage": {"call_count": 0}}, 0),
        ({"X_App_Usage": {"call_count": 5}, "X_Ad_Account_Usage": {"acc_id_util_pct": 80}}, 80),
    ],
)
def test_the_highest_percentage_of_all_headers_counts(headers: dict[str, Any], percent: float) -> None:
    assert usage(reply(**headers)) == percent


def test_waits_are_minutes_per_business_and_seconds_per_account() -> None:
    cases = {"1": [case(estimated_time_to_regain_access=2)], "2": [case(), case(estimated_time_to_regain_access=7)]}
    assert wait(reply(X_Business_Use_Case_Usage=cases)) == 420
    assert wait(reply(X_Ad_Account_Usage={"acc_id_util_pct": 100, "reset_time_duration": 90})) == 90
    both = reply(X_Business_Use_Case_Usage=cases, X_Ad_Account_Usage={"reset_time_duration": 500})
    assert wait(both) == 500


def test_retry_after_comes_first() -> None:
    assert wait(reply(Retry_After=3, X_Ad_Account_Usage={"reset_time_duration": 90})) == 3


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "text",
        [],
        [[]],
        {"1": 5},
        {"1": [5]},
        {"call_count": "90"},
        {"call_count": True},
        {"call_count": -1},
        {"call_count": 1e308},
        {"reset_time_duration": 10**400},
        {"estimated_time_to_regain_access": float("nan")},
    ],
)
def test_a_senseless_header_is_ignored(value: Any) -> None:
    names = ("X_App_Usage", "X_Ad_Account_Usage", "X_Business_Use_Case_Usage", "X_FB_Ads_Insights_Throttle")
    told = reply(**dict.fromkeys(names, value))
    assert usage(told) is None
    assert wait(told) is None


def test_a_header_that_is_no_json_is_ignored() -> None:
    told = Reply(200, httpx.Headers({"X-App-Usage": "{", "X-Ad-Account-Usage": "[" * 9_999}), b"")
    assert (usage(told), wait(told)) == (None, None)

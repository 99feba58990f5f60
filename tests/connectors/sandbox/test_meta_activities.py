"""Meta's change history in the sandbox."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.connectors.sandbox.visitor import Visitor


def change_some(visitor: Visitor) -> tuple[str, str, str]:
    """A budget and a switch through the API, a budget by a person; the ids of ad set, ad and pooled campaign."""
    ad_set = visitor.meta(f"{visitor.account}/adsets")["data"][0]["id"]
    ad = visitor.meta(f"{ad_set}/ads")["data"][0]["id"]
    campaigns = visitor.meta(f"{visitor.account}/campaigns", fields="daily_budget")["data"]
    campaign = next(c["id"] for c in campaigns if "daily_budget" in c)
    visitor.meta_write(ad_set, daily_budget="4100")
    visitor.advance(2)
    visitor.meta_write(ad, status="PAUSED")
    visitor.meta_write(ad, status="nonsense")
    visitor.advance(24)
    visitor.control("human_edit", platform="meta", object_id=campaign, field="daily_budget", value="9000")
    return ad_set, ad, campaign


def events(visitor: Visitor, node: str = "", **params: Any) -> list[str]:
    return [e["event_type"] for e in visitor.meta_all(f"{node or visitor.account}/activities", **params)]


def test_the_history_names_what_changed_from_what_to_what(visitor: Visitor) -> None:
    ad_set, ad, campaign = change_some(visitor)
    newest, middle, oldest = visitor.meta_all(
        f"{visitor.account}/activities",
        fields="event_type,translated_event_type,event_time,object_id,object_type,object_name,extra_data,actor_name",
    )
    assert (newest["object_id"], middle["object_id"], oldest["object_id"]) == (campaign, ad, ad_set)
    assert [e["object_type"] for e in (newest, middle, oldest)] == ["CAMPAIGN_GROUP", "ADGROUP", "CAMPAIGN"]
    assert oldest["event_time"] == "2026-11-05T15:00:00+0000"
    assert oldest["translated_event_type"] == "Update ad set budget"
    told = json.loads(oldest["extra_data"])
    assert told["old_value"] == {"old_value": 4000, "type": "Per day"}
    assert told["new_value"] == {"new_value": 4100, "type": "Per day"}
    assert json.loads(middle["extra_data"]) == {"old_value": "Active", "new_value": "Inactive"}


def test_people_and_programs_are_told_apart(visitor: Visitor) -> None:
    change_some(visitor)
    person, program, _ = visitor.meta_all(
        f"{visitor.account}/activities", fields="actor_id,actor_name,application_id,application_name"
    )
    assert person["actor_name"] == "Alder & Pine owner"
    assert "application_id" not in person
    assert program["application_id"] == visitor.who["meta"]["app_id"]
    assert program["actor_id"] != person["actor_id"]


def test_the_history_is_cut_by_time_object_and_kind(visitor: Visitor) -> None:
    ad_set, ad, campaign = change_some(visitor)
    assert events(visitor, since="2026-11-06") == ["update_campaign_budget"]
    assert events(visitor, until="1793899000") == ["update_ad_run_status", "update_ad_set_budget"]
    assert events(visitor, since="2026-11-05T16:00:00Z", until="2026-11-05T18:00:00Z") == ["update_ad_run_status"]
    assert events(visitor, oid=ad) == ["update_ad_run_status"]
    assert events(visitor, category="BUDGET") == ["update_campaign_budget", "update_ad_set_budget"]
    assert events(visitor, ad_set) == ["update_ad_run_status", "update_ad_set_budget"]
    assert events(visitor, campaign) == ["update_campaign_budget"]


def test_the_history_is_paged_and_steady_while_more_happens(visitor: Visitor) -> None:
    ad_set, _, _ = change_some(visitor)
    first = visitor.meta(f"{visitor.account}/activities", limit="2")
    visitor.meta_write(ad_set, name="Renamed")
    rest = visitor.meta(f"{visitor.account}/activities", limit="2", after=first["paging"]["cursors"]["after"])
    assert [e["event_type"] for e in rest["data"]] == ["update_ad_set_budget"]
    assert "next" not in rest["paging"]
    assert events(visitor)[0] == "update_ad_set_name"


def test_what_is_made_is_in_the_history(visitor: Visitor) -> None:
    visitor.meta_write(
        f"{visitor.account}/campaigns",
        name="New",
        objective="OUTCOME_LEADS",
        special_ad_categories=[],
        daily_budget="9000",
    )
    assert events(visitor) == ["create_campaign_group"]


@pytest.mark.parametrize("params", [{"since": "soon"}, {"category": "X"}, {"fields": "x"}, {"since": "9" * 12}])
def test_bad_questions_are_refused(visitor: Visitor, params: dict[str, str]) -> None:
    assert visitor.meta(f"{visitor.account}/activities", **params)["error"]["code"] == 100

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.api_fields import ACTION, AD_SET, CAMPAIGN, public_id
from accounts.models import AdSet
from accounts.scoping import all_tenants
from tests.api.partner import Partner, assert_problem
from tests.factories import House, awaiting, make_action


def test_an_ad_set_shows_its_budget_in_micros_with_the_currency(house: House, partner: Partner) -> None:
    body = partner.get(f"ad-sets/{public_id(AD_SET, house.ad_sets[0].pk)}").json()
    assert body["daily_budget"] == {"amount_micros": 40_000_000, "currency": "USD"}
    assert body["lifetime_budget"] is None
    assert body["campaign"] == public_id(CAMPAIGN, house.campaign.pk)
    assert body["seen_at"] == "2026-11-20T16:00:00Z"


def test_a_campaign_shows_the_account_it_belongs_to(house: House, partner: Partner) -> None:
    body = partner.get(f"campaigns/{public_id(CAMPAIGN, house.campaign.pk)}").json()
    assert body["ad_account"]["timezone"] == "America/New_York"
    assert body["ad_account"]["platform"] == "meta"


def test_pages_hold_every_row_once_newest_first_while_rows_are_added(house: House, partner: Partner) -> None:
    before = {public_id(AD_SET, row.pk) for row in house.ad_sets}
    first = partner.get("ad-sets", limit=2).json()
    assert (len(first["data"]), first["has_more"]) == (2, True)
    with all_tenants():
        AdSet.objects.create(
            tenant=house.tenant,
            ad_account=house.account,
            campaign=house.campaign,
            external_id="late",
            name="Late",
            status="active",
            seen_at=house.ad_sets[0].seen_at,
        )
    second = partner.get("ad-sets", limit=2, cursor=first["next"]).json()
    assert (second["has_more"], second["next"]) == (False, None)
    seen = [*first["data"], *second["data"]]
    assert len(seen) == 3 and {row["id"] for row in seen} == before
    made = [row["created_at"] for row in seen]
    assert made == sorted(made, reverse=True)


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "ten", "１０", "", "1 "])
def test_refuses_a_limit_out_of_bounds(partner: Partner, limit: str) -> None:
    body = assert_problem(partner.get("ad-sets", limit=limit), 400, "invalid_parameter")
    assert body["errors"][0]["parameter"] == "limit"


@pytest.mark.parametrize("cursor", ["", "x", "é", "MS4x", "a" * 5000, "\x00", "OTk5OTk5OTk5OTk5OTk5OTk5OTkuMA"])
def test_refuses_a_cursor_that_is_none(partner: Partner, cursor: str) -> None:
    assert_problem(partner.get("actions", cursor=cursor), 400, "invalid_parameter")


def test_refuses_parameters_it_does_not_know_or_gets_twice(partner: Partner) -> None:
    assert_problem(partner.get("actions", colour="red"), 400, "invalid_parameter")
    assert_problem(partner.get("overview", limit="5"), 400, "invalid_parameter")
    assert_problem(partner.get("actions", state=["applied", "failed"]), 400, "invalid_parameter")


def test_actions_are_filtered_by_state_kind_ad_set_and_slot(house: House, partner: Partner) -> None:
    waiting, proposed = awaiting(house), make_action(house, ad_set=house.ad_sets[1])

    def found(**query: Any) -> set[str]:
        return {row["id"] for row in partner.get("actions", **query).json()["data"]}

    ids = {public_id(ACTION, waiting.pk), public_id(ACTION, proposed.pk)}
    assert found() == found(kind="set_budget") == ids
    assert found(state="awaiting_approval") == {public_id(ACTION, waiting.pk)}
    assert found(ad_set=public_id(AD_SET, house.ad_sets[1].pk)) == {public_id(ACTION, proposed.pk)}
    assert found(**{"from": "2026-11-20T10:00:00-05:00", "to": "2026-11-20T16:00:00Z"}) == ids
    assert found(to="2026-11-20T15:00:00Z") == found(kind="set_status") == set()


@pytest.mark.parametrize(
    "time",
    ["2026-11-20", "2026-11-20T15:00:00", "2026-11-31T15:00:00Z", "0001-01-01T00:00:00Z", "２026-11-20T15:00:00Z", "x"],
)
def test_refuses_a_time_that_is_not_rfc_3339(partner: Partner, time: str) -> None:
    body = assert_problem(partner.get("actions", **{"from": time}), 400, "invalid_parameter")
    assert body["errors"][0]["parameter"] == "from"


def test_an_action_tells_its_whole_story(house: House, partner: Partner) -> None:
    action = awaiting(house)
    body = partner.get(f"actions/{public_id(ACTION, action.pk)}").json()
    assert body["state"] == "awaiting_approval"
    assert body["base_daily_budget"]["amount_micros"] == 40_000_000
    assert body["target_daily_budget"]["amount_micros"] == 44_000_000
    assert [entry["to_state"] for entry in body["log"]] == ["guarded", "awaiting_approval"]
    assert (body["verdicts"], body["approvals"]) == ([], [])


DETAILS = ("campaigns", "ad-sets", "actions")


@pytest.mark.parametrize("path", DETAILS)
def test_a_foreign_a_missing_and_a_malformed_id_look_the_same(
    path: str, house: House, other: House, partner: Partner
) -> None:
    foreign = {
        "campaigns": public_id(CAMPAIGN, other.campaign.pk),
        "ad-sets": public_id(AD_SET, other.ad_sets[0].pk),
        "actions": public_id(ACTION, make_action(other).pk),
    }[path]
    prefix = foreign[:4]
    for text in (foreign, prefix + "0" * 32, prefix.upper() + foreign[4:], foreign[4:], "x", "%00", foreign + "%0A"):
        assert_problem(partner.get(f"{path}/{text}"), 404, "not_found")
    assert Partner(other).get(f"{path}/{foreign}").status_code == 200


def test_two_tenants_see_nothing_of_each_other(house: House, other: House, partner: Partner) -> None:
    make_action(house), make_action(other)
    stranger = Partner(other)
    for path in DETAILS:
        mine, theirs = ({row["id"] for row in who.get(path).json()["data"]} for who in (partner, stranger))
        assert mine and theirs and not mine & theirs


def test_a_filter_by_a_foreign_id_is_not_found(other: House, partner: Partner) -> None:
    assert_problem(partner.get("actions", ad_set=public_id(AD_SET, other.ad_sets[0].pk)), 404, "not_found")
    assert_problem(partner.get("ad-sets", campaign=public_id(CAMPAIGN, other.campaign.pk)), 404, "not_found")


@pytest.mark.parametrize("path", ["ad-sets", "actions"])
def test_a_page_takes_as_many_queries_for_three_rows_as_for_one(path: str, house: House, partner: Partner) -> None:
    for ad_set in house.ad_sets:
        make_action(house, ad_set=ad_set)
    partner.get(path)
    counts = []
    for limit in (1, 3):
        with CaptureQueriesContext(connection) as queries:
            assert len(partner.get(path, limit=limit).json()["data"]) == limit
        counts.append(len(queries))
    assert counts[0] == counts[1]

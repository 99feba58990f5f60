"""Meta's own client for Python against the sandbox, over real HTTP.

The client is used as its documents show, with nothing changed but the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import HOURLY, Visitor


def official(module: str, name: str) -> Any:
    """Imported by name, because the package has no types."""
    return getattr(import_module(f"facebook_business.{module}"), name)


Ad, AdAccount, AdCreative, AdReportRun, AdSet, Campaign, User = (
    official(f"adobjects.{name.lower()}", name)
    for name in ("Ad", "AdAccount", "AdCreative", "AdReportRun", "AdSet", "Campaign", "User")
)
FacebookAdsApi = official("api", "FacebookAdsApi")
FacebookRequestError = official("exceptions", "FacebookRequestError")
FacebookSession = official("session", "FacebookSession")

AD_SETS = 60
SPAN = {"since": "2026-11-03", "until": "2026-11-04"}


class Desk:
    """The client, logged in as the first tenant."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(FacebookSession, "GRAPH", url)
        self.visitor, self.sessions = Visitor(url), list[Any]()
        self.who: dict[str, Any] = self.visitor.who["meta"]
        self.api = self.open(self.who["access_token"], self.who["app_secret"])
        self.account = AdAccount(self.who["account_id"], api=self.api)

    def open(self, token: str, app_secret: str) -> Any:
        session = FacebookSession(self.who["app_id"], app_secret, token, timeout=30)
        self.sessions.append(session.requests)
        return FacebookAdsApi(session)

    def close(self) -> None:
        self.visitor.client.close()
        for session in self.sessions:
            session.close()

    def first_ad_set(self) -> Any:
        return self.account.get_ad_sets(fields=[AdSet.Field.daily_budget], params={"limit": 1})[0]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with running_sandbox(start=START, days=3, ad_sets=AD_SETS, accounts=2) as running:
        desk = Desk(running.url, monkeypatch)
        yield desk
        desk.close()


def refusal(call: Any, *arguments: Any, **named: Any) -> tuple[int | None, int | None]:
    """Code and subcode of the client's own exception."""
    with pytest.raises(FacebookRequestError) as raised:
        call(*arguments, **named)
    return raised.value.api_error_code(), raised.value.api_error_subcode()


def test_the_accounts_of_a_person_are_listed(desk: Desk) -> None:
    fields = [AdAccount.Field.currency, AdAccount.Field.timezone_name, AdAccount.Field.spend_cap]
    mine = list(User("me", api=desk.api).get_ad_accounts(fields=fields, params={"limit": 1}))
    assert [a["id"] for a in mine] == desk.who["account_ids"]
    assert {a["currency"] for a in mine} == {"USD"}
    assert {a["spend_cap"] for a in mine} == {"0"}


def test_campaigns_and_ad_sets_come_with_budgets_over_many_pages(desk: Desk) -> None:
    campaigns = desk.account.get_campaigns(
        fields=[Campaign.Field.name, Campaign.Field.daily_budget, Campaign.Field.bid_strategy], params={"limit": 5}
    )
    assert campaigns.total() == 21
    listed = list(campaigns)
    assert len({c["id"] for c in listed}) == 21
    assert [c["id"] for c in listed if "daily_budget" in c] == [listed[-1]["id"]]
    cursor = desk.account.get_ad_sets(fields=[AdSet.Field.daily_budget, AdSet.Field.campaign_id], params={"limit": 7})
    ad_sets = list(cursor)
    assert len({a["id"] for a in ad_sets}) == cursor.total() == AD_SETS
    assert all(isinstance(a, AdSet) for a in ad_sets)
    assert [int(a["daily_budget"]) > 0 for a in ad_sets] == [True] * 40 + [False] * 20
    below = Campaign(listed[0]["id"], api=desk.api).get_ad_sets(fields=[AdSet.Field.name])
    assert [a["id"] for a in below] == [a["id"] for a in ad_sets[:2]]


def test_hourly_insights_are_read_page_by_page(desk: Desk) -> None:
    rows = list(
        desk.account.get_insights(
            fields=["adset_id", "spend", "impressions", "clicks"],
            params={
                "level": "adset",
                "time_range": SPAN,
                "time_increment": 1,
                "breakdowns": [HOURLY],
                "limit": 500,
            },
        )
    )
    labels = {row[HOURLY] for row in rows}
    assert labels == {f"{hour:02d}:00:00 - {hour:02d}:59:59" for hour in range(24)}
    assert len({(row["adset_id"], row["date_start"], row[HOURLY]) for row in rows}) == len(rows) > 2000
    assert all(float(row["spend"]) >= 0 for row in rows)


def test_a_report_job_runs_to_its_end_and_tells_the_same_as_a_direct_answer(desk: Desk) -> None:
    params = {"level": "ad", "time_range": SPAN, "time_increment": 1, "limit": 100}
    fields = ["ad_id", "spend", "actions"]
    job = desk.account.get_insights(fields=fields, params=params, is_async=True)
    assert isinstance(job, AdReportRun)
    assert refusal(job.get_insights) == (2601, 1815107)
    statuses: list[str] = []
    while not statuses or statuses[-1] != "Job Completed":
        job.api_get()
        statuses.append(job["async_status"])
    assert statuses == ["Job Not Started", "Job Started", "Job Running", "Job Completed"]
    assert job["async_percent_completion"] == 100
    told = [dict(row) for row in job.get_insights(params={"limit": 37})]
    assert told == [dict(row) for row in desk.account.get_insights(fields=fields, params=params)]
    assert len(told) > 200


def test_a_budget_is_changed_and_read_back(desk: Desk) -> None:
    ad_set = desk.first_ad_set()
    assert ad_set["daily_budget"] == "4000"
    ad_set.api_update(params={AdSet.Field.daily_budget: 4350})
    assert AdSet(ad_set["id"], api=desk.api).api_get(fields=[AdSet.Field.daily_budget])["daily_budget"] == "4350"
    (row,) = desk.visitor.ledger()
    assert (row["field"], row["old"], row["new"], row["result"]) == ("daily_budget", "4000", "4350", "applied")


@pytest.mark.parametrize(("level", "edge"), [(Campaign, "get_campaigns"), (AdSet, "get_ad_sets"), (Ad, "get_ads")])
def test_what_runs_is_paused_and_resumed(desk: Desk, level: Any, edge: str) -> None:
    thing = getattr(desk.account, edge)(params={"limit": 1})[0]
    for status in (level.Status.paused, level.Status.active):
        thing.api_update(params={level.Field.status: status})
        held = level(thing["id"], api=desk.api).api_get(fields=[level.Field.status, level.Field.effective_status])
        assert (held["status"], held["effective_status"]) == (status, status)


def test_a_campaign_is_built_from_top_to_bottom(desk: Desk) -> None:
    campaign = desk.account.create_campaign(
        params={
            "name": "Autumn",
            "objective": Campaign.Objective.outcome_sales,
            "status": Campaign.Status.paused,
            "special_ad_categories": [],
            "is_adset_budget_sharing_enabled": False,
        }
    )
    ad_set = desk.account.create_ad_set(
        params={
            "name": "Broad",
            "campaign_id": campaign["id"],
            "daily_budget": 2500,
            "optimization_goal": AdSet.OptimizationGoal.offsite_conversions,
            "billing_event": AdSet.BillingEvent.impressions,
            "bid_strategy": AdSet.BidStrategy.cost_cap,
            "bid_amount": 900,
            "promoted_object": {"pixel_id": "1", "custom_event_type": "PURCHASE"},
            "targeting": {"geo_locations": {"countries": ["US"]}},
        }
    )
    link = {
        "link": "https://shop.example/",
        "message": "Warm wool",
        "name": "Throws",
        "call_to_action": {"type": "SHOP_NOW"},
    }
    creative = desk.account.create_ad_creative(
        params={"name": "Throws", "object_story_spec": {"page_id": "1", "link_data": link}}
    )
    ad = desk.account.create_ad(
        params={
            "name": "Throws 1",
            "adset_id": ad_set["id"],
            "creative": {"creative_id": creative["id"]},
            "status": Ad.Status.active,
        }
    )
    fields = [Ad.Field.name, Ad.Field.adset_id, Ad.Field.campaign_id, Ad.Field.effective_status, Ad.Field.creative]
    held = Ad(ad["id"], api=desk.api).api_get(fields=fields)
    assert (held["adset_id"], held["campaign_id"]) == (ad_set["id"], campaign["id"])
    assert held["effective_status"] == "CAMPAIGN_PAUSED"
    assert held["creative"]["id"] == creative["id"]
    shown = Ad(ad["id"], api=desk.api).get_ad_creatives(
        fields=[AdCreative.Field.body, AdCreative.Field.title, AdCreative.Field.call_to_action_type]
    )
    assert [(c["body"], c["title"], c["call_to_action_type"]) for c in shown] == [("Warm wool", "Throws", "SHOP_NOW")]
    made = AdSet(ad_set["id"], api=desk.api).api_get(
        fields=[AdSet.Field.daily_budget, AdSet.Field.bid_strategy, AdSet.Field.bid_amount, "learning_stage_info"]
    )
    assert (made["daily_budget"], made["bid_strategy"], made["bid_amount"]) == ("2500", "COST_CAP", 900)
    assert made["learning_stage_info"]["status"] == "LEARNING"
    booked = desk.visitor.ledger()
    assert [row["object_id"] for row in booked] == [campaign["id"], ad_set["id"], creative["id"], ad["id"]]
    assert {row["field"] for row in booked} == {"created"}


def test_images_and_videos_are_taken(desk: Desk) -> None:
    assert desk.account.create_ad_image(params={"bytes": "aGVsbG8="})["hash"]
    video = desk.account.create_ad_video(params={"file_url": "https://shop.example/film.mp4", "name": "Film"})
    assert video["id"].isdecimal()


def test_what_is_deleted_leaves_the_lists(desk: Desk) -> None:
    ad_set = desk.first_ad_set()
    ad_set.api_delete()
    assert desk.first_ad_set()["id"] != ad_set["id"]
    assert AdSet(ad_set["id"], api=desk.api).api_get(fields=[AdSet.Field.status])["status"] == "DELETED"


def test_a_batch_answers_each_call_on_its_own(desk: Desk) -> None:
    first, second = desk.account.get_ad_sets(params={"limit": 2})[:2]
    good: list[Any] = []
    bad: list[Any] = []
    batch = desk.api.new_batch()
    first.api_update(params={"daily_budget": 4444}, batch=batch, success=good.append, failure=bad.append)
    second.api_update(params={"daily_budget": 1}, batch=batch, success=good.append, failure=bad.append)
    first.api_get(fields=["daily_budget"], batch=batch, success=good.append, failure=bad.append)
    assert batch.execute() is None
    assert [answer.json() for answer in good] == [{"success": True}, {"daily_budget": "4444", "id": first["id"]}]
    assert [answer.error().api_error_subcode() for answer in bad] == [1885272]


def test_a_lost_call_of_a_batch_comes_back_to_be_sent_again(desk: Desk) -> None:
    ad_set = desk.first_ad_set()
    good: list[Any] = []
    batch = desk.api.new_batch()
    ad_set.api_update(params={"daily_budget": 4444}, batch=batch, success=good.append)
    desk.visitor.control("faults", fault="null_part", platform="meta")
    again = batch.execute()
    assert (len(again), good) == (1, [])
    assert again.execute() is None
    assert len(good) == 1
    assert desk.first_ad_set()["daily_budget"] == "4444"


def test_the_change_history_tells_people_from_programs(desk: Desk) -> None:
    ad_set = desk.first_ad_set()
    ad_set.api_update(params={"daily_budget": 4100})
    desk.visitor.control("human_edit", platform="meta", object_id=ad_set["id"], field="daily_budget", value=4200)
    events = list(desk.account.get_activities(fields=["event_type", "object_id", "actor_id", "application_name"]))
    assert [e["event_type"] for e in events] == ["update_ad_set_budget"] * 2
    assert {e["object_id"] for e in events} == {ad_set["id"]}
    assert len({e["actor_id"] for e in events}) == 2


def test_refusals_are_the_clients_own_exceptions(desk: Desk) -> None:
    ad_set = desk.first_ad_set()
    assert refusal(ad_set.api_update, params={"daily_budget": 99}) == (100, 1885272)
    assert refusal(AdSet("999", api=desk.api).api_get) == (100, 33)
    assert refusal(desk.account.get_campaigns, params={"after": "bogus"}) == (100, None)
    assert refusal(desk.account.create_campaign, params={"name": "x", "objective": "OUTCOME_SALES"}) == (100, None)
    for step in range(4):
        ad_set.api_update(params={"daily_budget": 4100 + step})
    assert refusal(ad_set.api_update, params={"daily_budget": 4200}) == (613, 1487632)


def test_the_blamed_field_reaches_the_caller(desk: Desk) -> None:
    with pytest.raises(FacebookRequestError) as raised:
        desk.first_ad_set().api_update(params={"daily_budget": 99})
    assert raised.value.api_blame_field_specs() == [["daily_budget"]]
    assert raised.value.http_status() == 400
    assert raised.value.api_transient_error() is False


def test_a_dead_token_and_a_foreign_proof_are_refused(desk: Desk) -> None:
    ad_set = desk.first_ad_set()
    foreign = desk.open(desk.who["access_token"], "another secret")
    assert refusal(AdSet(ad_set["id"], api=foreign).api_get) == (100, None)
    desk.visitor.control("token", platform="meta", access_token=desk.who["access_token"], expire=True)
    assert refusal(ad_set.api_get) == (190, 463)


def test_a_server_error_is_marked_as_passing(desk: Desk) -> None:
    desk.visitor.control("faults", fault="server_error", platform="meta")
    with pytest.raises(FacebookRequestError) as raised:
        desk.account.api_get()
    assert (raised.value.api_error_code(), raised.value.api_transient_error()) == (2, True)
    desk.visitor.control("faults", fault="rate_limit", platform="meta")
    assert refusal(desk.account.api_get) == (17, 2446079)

"""Meta's accounts, campaigns, ad sets, ads and creatives as records."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.contracts import AdSetRecord, Bid, BidStrategy, CampaignRecord, CreativeRecord, DeliveryStatus
from connectors.errors import MalformedReplyError, NotFoundError
from connectors.fields import Row
from tests.connectors.meta.answers import (
    AD,
    AD_SET,
    CAMPAIGN,
    account,
    ad,
    ad_set,
    campaign,
    client,
    listing,
    query,
)
from tests.connectors.wire import says, wire


def read_ad_set(source: Row, **facts: Any) -> AdSetRecord:
    with wire(says(dict(source)), account(**facts)) as served:
        found = client(served).read(AD_SET)
    assert isinstance(found, AdSetRecord)
    return found


def read_campaign(source: Row, **facts: Any) -> CampaignRecord:
    with wire(says(dict(source)), account(**facts)) as served:
        found = client(served).read(CAMPAIGN)
    assert isinstance(found, CampaignRecord)
    return found


def test_an_account_tells_its_money_in_the_sub_units_of_its_currency() -> None:
    with wire(account(spend_cap="700000")) as served:
        found = client(served).account()
    assert (found.external_id, found.currency, found.timezone) == ("act_7", "USD", "America/New_York")
    assert (found.minimum_daily_budget_micros, found.spend_cap_micros, found.spent_micros) == (
        1_000_000,
        7_000_000_000,
        123_450_000,
    )


def test_a_currency_without_sub_units_is_counted_in_whole_ones() -> None:
    with wire(account(currency="JPY", spend_cap="900")) as served:
        found = client(served).account()
    assert (found.spend_cap_micros, found.spent_micros) == (900_000_000, 12_345_000_000)


@pytest.mark.parametrize("told", ["0", None])
def test_a_spend_cap_of_zero_is_none(told: str | None) -> None:
    with wire(account(spend_cap=told)) as served:
        assert client(served).account().spend_cap_micros is None


@pytest.mark.parametrize(
    ("changes", "daily", "lifetime", "status", "learning"),
    [
        ({}, 50_000_000, None, DeliveryStatus.ACTIVE, None),
        ({"daily_budget": "0", "lifetime_budget": "99"}, None, 990_000, DeliveryStatus.ACTIVE, None),
        ({"daily_budget": None, "status": "ARCHIVED"}, None, None, DeliveryStatus.REMOVED, None),
        ({"configured_status": "PAUSED"}, 50_000_000, None, DeliveryStatus.PAUSED, None),
        ({"status": "NEW_WORD"}, 50_000_000, None, DeliveryStatus.PAUSED, None),
        ({"learning_stage_info": {"status": "LEARNING"}}, 50_000_000, None, DeliveryStatus.ACTIVE, True),
        ({"learning_stage_info": {"status": "SUCCESS"}}, 50_000_000, None, DeliveryStatus.ACTIVE, False),
        ({"learning_stage_info": {}}, 50_000_000, None, DeliveryStatus.ACTIVE, None),
    ],
)
def test_reads_an_ad_set_as_meta_sends_it(
    changes: dict[str, Any], daily: int, lifetime: int, status: DeliveryStatus, learning: bool
) -> None:
    found = read_ad_set(ad_set(**changes))
    assert (found.daily_budget_micros, found.lifetime_budget_micros) == (daily, lifetime)
    assert (found.status, found.in_learning) == (status, learning)
    assert (found.campaign_external_id, found.effective_status) == ("3", "CAMPAIGN_PAUSED")


@pytest.mark.parametrize("budget", ["50.00", "-1", "abc", 5.5, True, "٣"])
def test_a_budget_of_an_unknown_shape_is_refused(budget: object) -> None:
    with pytest.raises(MalformedReplyError):
        read_ad_set(ad_set(daily_budget=budget))


@pytest.mark.parametrize(
    ("told", "bid"),
    [
        ({}, None),
        ({"bid_strategy": "A_NEW_WORD", "bid_amount": 5}, None),
        ({"bid_strategy": "LOWEST_COST_WITHOUT_CAP"}, Bid(BidStrategy.LOWEST_COST)),
        ({"bid_strategy": "LOWEST_COST_WITHOUT_CAP", "bid_amount": 250}, Bid(BidStrategy.LOWEST_COST)),
        ({"bid_strategy": "LOWEST_COST_WITH_BID_CAP", "bid_amount": 250}, Bid(BidStrategy.BID_CAP, 2_500_000)),
        ({"bid_strategy": "COST_CAP", "bid_amount": "1999"}, Bid(BidStrategy.COST_CAP, 19_990_000)),
        ({"bid_strategy": "COST_CAP"}, Bid(BidStrategy.COST_CAP)),
        (
            {"bid_strategy": "LOWEST_COST_WITH_MIN_ROAS", "bid_constraints": {"roas_average_floor": 12_300}},
            Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=1_230_000),
        ),
        ({"bid_strategy": "LOWEST_COST_WITH_MIN_ROAS"}, Bid(BidStrategy.MINIMUM_ROAS)),
    ],
)
def test_a_bid_is_an_amount_in_money_or_a_return_in_ten_thousandths(told: dict[str, Any], bid: Bid | None) -> None:
    assert read_ad_set(ad_set(**told)).bid == bid


def test_a_campaign_that_carries_the_budget_carries_the_bid_too() -> None:
    told = {"lifetime_budget": "70000", "bid_strategy": "LOWEST_COST_WITH_MIN_ROAS"}
    found = read_campaign(campaign(**told, bid_constraints={"roas_average_floor": 10_000}))
    assert (found.objective, found.daily_budget_micros) == ("OUTCOME_SALES", None)
    assert found.lifetime_budget_micros == 700_000_000
    assert found.bid == Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=1_000_000)


def test_an_ad_names_its_creative() -> None:
    with wire(listing(ad(), ad(id="10", creative=None))) as served:
        found = list(client(served).ads())
    assert [(a.external_id, a.ad_set_external_id, a.creative_external_id) for a in found] == [
        ("9", "5", "44"),
        ("10", "5", ""),
    ]


STORY = {"link_data": {"message": "Text", "name": "Head", "link": "https://a", "call_to_action": {"type": "SHOP_NOW"}}}
BUTTON = {"type": "SHOP_NOW", "value": {"link": "https://a"}}
VIDEO = {"video_data": {"message": "Text", "title": "Head", "call_to_action": BUTTON}}
PLAIN = {"title": "Head", "body": "Text", "call_to_action_type": "SHOP_NOW", "link_url": "https://a"}


@pytest.mark.parametrize("told", [PLAIN, {"object_story_spec": STORY}, {"object_story_spec": VIDEO}])
def test_what_a_creative_shows_is_read_from_itself_or_from_its_story(told: dict[str, Any]) -> None:
    with wire(listing({"id": "44", "name": "C", "object_type": "VIDEO", **told})) as served:
        assert list(client(served).creatives()) == [
            CreativeRecord("44", "C", "VIDEO", "Head", "Text", "SHOP_NOW", "https://a")
        ]


def test_a_creative_that_says_nothing_shows_nothing() -> None:
    with wire(listing({"id": "44"})) as served:
        assert list(client(served).creatives()) == [CreativeRecord("44", "", "", "", "", "", "")]


@pytest.mark.parametrize("target", [CAMPAIGN, AD_SET, AD])
def test_an_object_of_another_account_is_not_found(target: Any) -> None:
    row = {CAMPAIGN: campaign, AD_SET: ad_set, AD: ad}[target](account_id="8")
    with wire(says(row)) as served, pytest.raises(NotFoundError):
        client(served).read(target)


def test_an_answer_about_another_object_is_refused() -> None:
    with wire(says(ad_set(id="6")), account()) as served, pytest.raises(MalformedReplyError):
        client(served).read(AD_SET)


def test_each_level_is_asked_for_its_own_fields() -> None:
    with wire(says(ad())) as served:
        client(served).read(AD)
        (asked,) = query(served.requests[0])["fields"]
    assert {"adset_id", "creative", "account_id"} <= set(asked.split(","))
    assert "daily_budget" not in asked

"""TikTok's advertisers, campaigns, ad groups, ads and what they show, as records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.contracts import (
    AdSetRecord,
    Bid,
    BidStrategy,
    CampaignRecord,
    CreativeRecord,
    DeliveryStatus,
    Family,
    Target,
)
from connectors.errors import MalformedReplyError, NotFoundError, TransientError
from tests.connectors.tiktok.answers import (
    AD,
    AD_SET,
    CAMPAIGN,
    account,
    ad,
    ad_group,
    asked,
    campaign,
    client,
    data,
    listing,
    tiktok,
)

UNIT = 1_000_000
PATHS = {CAMPAIGN: "campaign/get/", AD_SET: "adgroup/get/", AD: "ad/get/"}
ROWS: dict[Target, Any] = {CAMPAIGN: campaign, AD_SET: ad_group, AD: ad}


def read_ad_set(**changes: Any) -> AdSetRecord:
    with tiktok({"adgroup/get/": listing(ad_group(**changes))}) as served:
        found = client(served).read(AD_SET)
    assert isinstance(found, AdSetRecord)
    return found


def read_campaign(**changes: Any) -> CampaignRecord:
    with tiktok({"campaign/get/": listing(campaign(**changes))}) as served:
        found = client(served).read(CAMPAIGN)
    assert isinstance(found, CampaignRecord)
    return found


def test_an_advertiser_tells_its_currency_zone_and_floor() -> None:
    with tiktok({"advertiser/info/": account(currency="JPY")}) as served:
        found = client(served).account()
    assert (found.external_id, found.currency, found.status) == ("7", "JPY", "STATUS_ENABLE")
    assert found.minimum_daily_budget_micros == 2_000 * UNIT
    assert (found.spend_cap_micros, found.reports_hours) == (None, True)


def test_the_iana_name_of_the_zone_is_preferred() -> None:
    with tiktok({"advertiser/info/": account(display_timezone="Asia/Tokyo")}) as served:
        assert client(served).account().timezone == "Asia/Tokyo"
    with tiktok({"advertiser/info/": account()}) as served:
        assert client(served).account().timezone == "Etc/GMT+5"


def test_another_advertiser_than_asked_for_is_not_taken() -> None:
    with tiktok({"advertiser/info/": account(advertiser_id="8")}) as served, pytest.raises(NotFoundError):
        client(served).account()


@pytest.mark.parametrize(
    ("changes", "daily", "lifetime"),
    [
        ({}, 20_100_000, None),
        ({"budget_mode": "BUDGET_MODE_DYNAMIC_DAILY_BUDGET", "budget": 50}, 50 * UNIT, None),
        ({"budget_mode": "BUDGET_MODE_TOTAL"}, None, 20_100_000),
        ({"budget_mode": "BUDGET_MODE_INFINITE", "budget": 0.0}, None, None),
        ({"budget_mode": "A_NEW_MODE"}, None, None),
        ({"budget": 0.0}, None, None),
        ({"budget": 9999999.99}, 9_999_999_990_000, None),
    ],
)
def test_one_field_is_both_budgets_and_its_mode_says_which(
    changes: dict[str, Any], daily: int | None, lifetime: int | None
) -> None:
    found = read_ad_set(**changes)
    assert (found.daily_budget_micros, found.lifetime_budget_micros) == (daily, lifetime)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, DeliveryStatus.ACTIVE),
        ({"operation_status": "DISABLE"}, DeliveryStatus.PAUSED),
        ({"operation_status": "FROZEN"}, DeliveryStatus.PAUSED),
        ({"operation_status": "DELETE"}, DeliveryStatus.REMOVED),
        ({"secondary_status": "ADGROUP_STATUS_DELETE"}, DeliveryStatus.REMOVED),
        ({"operation_status": "NEW_WORD"}, DeliveryStatus.PAUSED),
        ({"operation_status": None}, DeliveryStatus.PAUSED),
    ],
)
def test_a_status_that_we_do_not_know_counts_as_paused(changes: dict[str, Any], status: DeliveryStatus) -> None:
    assert read_ad_set(**changes).status is status


@pytest.mark.parametrize(
    ("told", "learning"), [({}, None), ("PHASE_LEARNING", True), ("PHASE_LEARNED", False), ("A_NEW_PHASE", None)]
)
def test_learning_is_unknown_unless_tiktok_tells_it(told: Any, learning: bool | None) -> None:
    assert read_ad_set(**({"learning_phase": told} if told else {})).in_learning is learning


def test_a_campaign_that_shares_its_budget_carries_it() -> None:
    found = read_campaign(budget_optimize_on=True, budget_mode="BUDGET_MODE_DAY", budget=100)
    assert (found.daily_budget_micros, found.lifetime_budget_micros) == (100 * UNIT, None)
    assert (found.objective, found.bid, found.family) == ("TRAFFIC", None, Family.STANDARD)
    group = read_ad_set(budget_mode="BUDGET_MODE_INFINITE", budget=0.0)
    assert (group.daily_budget_micros, group.lifetime_budget_micros) == (None, None)


@pytest.mark.parametrize(
    ("told", "bid"),
    [
        ({}, Bid(BidStrategy.LOWEST_COST)),
        ({"bid_type": "BID_TYPE_NO_BID", "bid_price": 0.0}, Bid(BidStrategy.LOWEST_COST)),
        ({"bid_type": "BID_TYPE_NO_BID", "conversion_bid_price": 5}, Bid(BidStrategy.LOWEST_COST)),
        ({"bid_type": "BID_TYPE_CUSTOM", "conversion_bid_price": 19.99}, Bid(BidStrategy.COST_CAP, 19_990_000)),
        ({"bid_type": "BID_TYPE_CUSTOM", "bid_price": 2.5}, Bid(BidStrategy.BID_CAP, 2_500_000)),
        ({"bid_type": "BID_TYPE_CUSTOM"}, None),
        ({"deep_bid_type": "VO_MIN_ROAS", "roas_bid": 1.23}, Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=1_230_000)),
        ({"deep_bid_type": "VO_HIGHEST_VALUE", "roas_bid": 1.23}, Bid(BidStrategy.LOWEST_COST)),
        ({"deep_bid_type": "VO_MIN_ROAS", "roas_bid": 0}, Bid(BidStrategy.LOWEST_COST)),
    ],
)
def test_a_bid_is_a_price_or_a_return(told: dict[str, Any], bid: Bid | None) -> None:
    assert read_ad_set(**told).bid == bid


@pytest.mark.parametrize(
    "broken",
    [
        {"budget": "-1"},
        {"budget": "abc"},
        {"budget": True},
        {"budget": 1e300},
        {"budget": [20]},
        {"campaign_id": None},
        {"campaign_id": "two words"},
        {"adgroup_name": {}},
        {"operation_status": 1},
        {"bid_type": "BID_TYPE_CUSTOM", "bid_price": "cheap"},
        {"roas_bid": -2},
    ],
)
def test_an_ad_group_of_an_unknown_shape_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        read_ad_set(**broken)


def test_a_name_from_outside_is_cut_and_cleaned() -> None:
    name = read_ad_set(adgroup_name="\x1b[31m\u202eN\x00" + "x" * 9_999).name
    assert name.isprintable()
    assert len(name) <= 500


@pytest.mark.parametrize("target", PATHS)
def test_another_object_than_asked_for_is_not_taken(target: Target) -> None:
    key = {CAMPAIGN: "campaign_id", AD_SET: "adgroup_id", AD: "ad_id"}[target]
    for found in (listing(), listing(ROWS[target](**{key: "6"}))):
        with tiktok({PATHS[target]: found}) as served, pytest.raises(NotFoundError):
            client(served).read(target)


def test_listings_ask_for_deleted_objects_too_and_for_large_pages() -> None:
    with tiktok({"adgroup/get/": listing(ad_group(operation_status="DELETE"))}) as served:
        (found,) = client(served).ad_sets()
        (told,) = asked(served, "adgroup/get/")
    assert found.status is DeliveryStatus.REMOVED
    assert json.loads(told["filtering"]) == {"primary_status": "STATUS_ALL"}
    assert (told["advertiser_id"], told["page"], told["page_size"]) == ("7", "1", "1000")


def test_rows_that_move_between_pages_are_read_again() -> None:
    one, two, three = (ad_group(adgroup_id=str(n)) for n in (1, 2, 3))
    moved = [listing(one, two, pages=2, total=3), listing(two, pages=2, total=3)]
    still = [listing(one, two, pages=2, total=3), listing(three, pages=2, total=3)]
    with tiktok({"adgroup/get/": [*moved, *still]}) as served:
        assert [a.external_id for a in client(served).ad_sets()] == ["1", "2", "3"]
    with tiktok({"adgroup/get/": listing(one, pages=1, total=3)}) as served, pytest.raises(TransientError):
        list(client(served).ad_sets())


INFO = {"total_page": 1, "total_number": 0}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"list": []},
        {"list": [], "page_info": {"total_page": 1}},
        {"list": [], "page_info": {"total_page": "-", "total_number": 0}},
        {"list": {}, "page_info": INFO},
        {"list": ["5"], "page_info": INFO},
        {"page_info": INFO},
        {"list": [ad_group(adgroup_id=None)], "page_info": {"total_page": 1, "total_number": 1}},
    ],
)
def test_a_listing_of_an_unknown_shape_is_refused(content: dict[str, Any]) -> None:
    with tiktok({"adgroup/get/": data(**content)}) as served, pytest.raises(MalformedReplyError):
        list(client(served).ad_sets())


def test_an_ad_names_what_it_shows_under_its_own_id() -> None:
    told = {"ad_text": "Look.", "display_name": "Shop", "call_to_action": "SHOP_NOW", "ad_format": "SINGLE_VIDEO"}
    with tiktok({"ad/get/": listing(ad(**told, landing_page_url="https://a"))}) as served:
        ads = client(served)
        (one,), (shown,) = ads.ads(), ads.creatives()
    assert (one.external_id, one.ad_set_external_id, one.creative_external_id) == ("9", "5", "9")
    assert shown == CreativeRecord("9", "Film", "SINGLE_VIDEO", "Shop", "Look.", "SHOP_NOW", "https://a")


def test_an_ad_of_smart_plus_shows_the_first_of_its_lists() -> None:
    told: dict[str, Any] = {"smart_plus_ad_id": 90, "adgroup_id": "5", "ad_name": "One", "operation_status": "ENABLE"}
    lists = {
        "ad_text_list": [{"ad_text": "Look."}, {"ad_text": "Listen."}],
        "call_to_action_list": [{"call_to_action": "SHOP_NOW"}],
        "landing_page_url_list": [{"landing_page_url": "https://a"}],
        "creative_list": [{"creative_info": {"ad_format": "SINGLE_VIDEO"}}],
    }
    with tiktok({"smart_plus/ad/get/": listing(told | lists)}) as served:
        ads = client(served)
        (one,), (shown,) = ads.ads(), ads.creatives()
    assert (one.external_id, one.creative_external_id, one.family) == ("90", "90", Family.SMART_PLUS)
    assert shown == CreativeRecord("90", "One", "SINGLE_VIDEO", "", "Look.", "SHOP_NOW", "https://a")
    with tiktok({"smart_plus/ad/get/": listing(told)}) as served:
        assert list(client(served).creatives()) == [CreativeRecord("90", "One", "", "", "", "", "")]

"""Smart+ and GMV Max: families of campaigns that TikTok answers for at endpoints of their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.contracts import AdSetRecord, Bid, BidStrategy, CampaignRecord, DeliveryStatus, Family, Level, Target
from connectors.errors import (
    ConfigurationError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    RefusedError,
    TransientError,
)
from connectors.sandbox.server import running_sandbox
from connectors.tiktok.client import TikTokAds
from tests.connectors.control import Control
from tests.connectors.sandbox.test_tiktok_families import gmv_max_made, smart_made
from tests.connectors.sandbox.visitor import Visitor
from tests.connectors.tiktok.answers import (
    SHOP_AD_SET,
    ad,
    ad_group,
    campaign,
    client,
    data,
    error,
    listing,
    shop_campaign,
    tiktok,
)
from tests.connectors.tiktok.conftest import START, connected

UNIT = 1_000_000
ZONE = ZoneInfo("America/New_York")
FAMILIES = ["smart_plus/campaign/get/", "smart_plus/adgroup/get/", "smart_plus/ad/get/", "gmv_max/campaign/get/"]

pytestmark = pytest.mark.usefixtures("quick_retries")


class Made:
    """One campaign of each of the two families, made by a stranger."""

    def __init__(self, control: Control) -> None:
        self.control, visitor = control, Visitor(control.url)
        self.campaign, self.group, self.ad = smart_made(visitor)
        self.shop = str(gmv_max_made(visitor)["data"]["campaign_id"])
        visitor.advance(10)
        self.ads: TikTokAds = connected(control)

    def smart(self, level: Level) -> Target:
        ids = {Level.CAMPAIGN: self.campaign, Level.AD_SET: self.group, Level.AD: self.ad}
        return Target(level, ids[level], Family.SMART_PLUS)

    def shop_at(self, level: Level) -> Target:
        return Target(level, self.shop, Family.GMV_MAX)


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    with running_sandbox(start=START, days=3) as running:
        yield Made(Control(running.url))


def test_every_family_is_in_the_tree_and_the_tree_hangs_together(made: Made) -> None:
    campaigns = {c.external_id: c for c in made.ads.campaigns()}
    ad_sets = {a.external_id: a for a in made.ads.ad_sets()}
    ads = {a.external_id: a for a in made.ads.ads()}
    assert {c.family for c in campaigns.values()} == {a.family for a in ad_sets.values()} == set(Family)
    assert {a.family for a in ads.values()} == {Family.STANDARD, Family.SMART_PLUS}
    assert all(campaigns[a.campaign_external_id].family is a.family for a in ad_sets.values())
    assert {a.ad_set_external_id for a in ads.values()} <= set(ad_sets)
    assert {a.creative_external_id for a in ads.values()} == {c.external_id for c in made.ads.creatives()}


def test_what_is_read_alone_equals_the_listing(made: Made) -> None:
    for ad_set in made.ads.ad_sets():
        assert made.ads.read(ad_set.target) == ad_set
    for one in made.ads.campaigns():
        assert made.ads.read(Target(Level.CAMPAIGN, one.external_id, one.family)) == one
    for each in made.ads.ads():
        assert made.ads.read(Target(Level.AD, each.external_id, each.family)) == each


@pytest.mark.parametrize("level", list(Level))
def test_every_level_of_smart_plus_is_paused_and_enabled(made: Made, level: Level) -> None:
    target = made.smart(level)
    with made.control.written() as rows:
        assert made.ads.set_status(target, DeliveryStatus.PAUSED).status is DeliveryStatus.PAUSED
        assert made.ads.set_status(target, DeliveryStatus.ACTIVE).status is DeliveryStatus.ACTIVE
    assert [(r["object_id"], r["result"]) for r in rows] == [(target.external_id, "applied")] * 2


def test_the_shared_budget_of_smart_plus_is_changed_at_its_campaign(made: Made) -> None:
    held = made.ads.read(made.smart(Level.CAMPAIGN))
    assert isinstance(held, CampaignRecord)
    assert held.daily_budget_micros is not None
    wanted = held.daily_budget_micros + 5 * UNIT
    changed = made.ads.set_daily_budget(made.smart(Level.CAMPAIGN), wanted)
    assert isinstance(changed, CampaignRecord)
    assert changed.daily_budget_micros == wanted
    with pytest.raises(ConfigurationError):
        made.ads.set_daily_budget(made.smart(Level.AD_SET), 30 * UNIT)


@pytest.mark.parametrize("level", [Level.CAMPAIGN, Level.AD_SET])
def test_a_gmv_max_campaign_is_paused_and_enabled_as_a_campaign_or_as_its_ad_set(made: Made, level: Level) -> None:
    target = made.shop_at(level)
    for status in (DeliveryStatus.PAUSED, DeliveryStatus.ACTIVE):
        assert made.ads.set_status(target, status).status is status
        assert made.ads.read(made.shop_at(Level.CAMPAIGN)).status is status


def test_budget_and_target_return_of_a_gmv_max_campaign_are_changed(made: Made) -> None:
    target = made.shop_at(Level.AD_SET)
    held = made.ads.read(target)
    assert isinstance(held, AdSetRecord)
    assert held.daily_budget_micros is not None
    wanted = held.daily_budget_micros + 5 * UNIT
    with made.control.written() as rows:
        changed = made.ads.set_daily_budget(target, wanted)
        aiming = made.ads.set_target_roi(target, 2_750_000)
    assert isinstance(changed, AdSetRecord)
    assert isinstance(aiming, AdSetRecord)
    assert (changed.daily_budget_micros, aiming.daily_budget_micros) == (wanted, wanted)
    assert aiming.bid == Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=2_750_000)
    assert [(r["field"], r["result"]) for r in rows] == [("budget", "applied"), ("roas_bid", "applied")]


def test_the_hours_hold_the_spend_of_every_family(made: Made) -> None:
    today = made.control.now().astimezone(ZONE).date()
    hours = list(made.ads.hours(today - timedelta(days=1), today))
    spent = {h.ad_set_external_id for h in hours if h.spend_micros}
    assert {made.group, made.shop} < spent
    shop = [h for h in hours if h.ad_set_external_id == made.shop]
    assert {(h.impressions, h.clicks) for h in shop} == {(0, 0)}
    assert [h.leads for h in shop] == [h.conversions for h in shop]
    assert [(h.hour, h.ad_set_external_id) for h in hours] == sorted((h.hour, h.ad_set_external_id) for h in hours)


def test_a_family_does_not_know_the_objects_of_another(made: Made) -> None:
    for target in (Target(Level.AD_SET, made.group), Target(Level.AD_SET, made.group, Family.GMV_MAX)):
        with pytest.raises(NotFoundError):
            made.ads.read(target)
        with pytest.raises(RefusedError):
            made.ads.set_daily_budget(target, 50 * UNIT)


def test_gmv_max_has_no_ads(made: Made) -> None:
    with pytest.raises(ConfigurationError):
        made.ads.read(made.shop_at(Level.AD))


ORDINARY: dict[str, Any] = {
    "campaign/get/": listing(campaign()),
    "adgroup/get/": listing(ad_group()),
    "ad/get/": listing(ad()),
}


@pytest.mark.parametrize("code", [40001, 40118, 40130])
def test_a_family_that_the_app_may_not_read_is_left_out_and_told_of(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with tiktok({**ORDINARY, **{path: error(code) for path in FAMILIES}}) as served:
        ads = client(served)
        assert [c.external_id for c in ads.campaigns()] == ["3"]
        assert [a.external_id for a in ads.ad_sets()] == ["5"]
        assert [a.external_id for a in ads.ads()] == ["9"]
        assert [c.external_id for c in ads.creatives()] == ["9"]
    assert sorted(caplog.text.count(f"no permission for {family}") for family in Family) == [0, 1, 1]


@pytest.mark.parametrize("path", ["campaign/get/", "adgroup/get/", "ad/get/"])
def test_without_permission_for_ordinary_campaigns_nothing_is_read(path: str) -> None:
    with tiktok({**ORDINARY, path: error(40001)}) as served, pytest.raises(PermissionDeniedError):
        ads = client(served)
        assert not [list(ads.campaigns()), list(ads.ad_sets()), list(ads.ads())]


@pytest.mark.parametrize("path", FAMILIES)
def test_a_family_that_cannot_be_read_for_another_reason_is_an_error(path: str) -> None:
    with tiktok({**ORDINARY, path: error(50002)}) as served, pytest.raises(TransientError):
        ads = client(served)
        assert not [list(ads.campaigns()), list(ads.ad_sets()), list(ads.ads())]


def shop(details: Any, listed: Any = None) -> dict[str, Any]:
    return {"gmv_max/campaign/get/": listing(listed or shop_campaign()), "campaign/gmv_max/info/": details}


def test_a_gmv_max_campaign_is_a_campaign_with_one_ad_set_of_the_same_id() -> None:
    with tiktok(shop(data(**shop_campaign()))) as served:
        ads = client(served)
        (one,), (its,) = ads.campaigns(), ads.ad_sets()
    assert (one.external_id, one.daily_budget_micros, one.objective) == ("30", None, "PRODUCT_SALES")
    assert (its.external_id, its.campaign_external_id, its.daily_budget_micros) == ("30", "30", 25 * UNIT)
    assert one.bid == its.bid == Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=2_500_000)
    assert (one.family, its.target) == (Family.GMV_MAX, SHOP_AD_SET)


SOLD_BY = [
    ({"store_id": "7495"}, "7495"),
    ({"store_id": 7495, "identity_list": [{"store_id": "1"}]}, "7495"),
    ({"identity_list": [{}, {"store_id": "7496"}]}, "7496"),
    ({"store_id": ""}, ""),
]


@pytest.mark.parametrize(("named", "store"), SOLD_BY)
def test_a_gmv_max_campaign_tells_from_which_shop_it_sells(named: dict[str, Any], store: str) -> None:
    details = {name: value for name, value in shop_campaign().items() if name != "store_id"}
    with tiktok(shop(data(**details, **named), details)) as served:
        (one,) = client(served).campaigns()
    assert one.store_external_id == store


def test_a_gmv_max_campaign_without_details_is_told_by_its_listing() -> None:
    listed = {"campaign_id": "30", "campaign_name": "Old", "operation_status": "DISABLE"}
    with tiktok(shop(error(40007), listed)) as served:
        (its,) = client(served).ad_sets()
    assert (its.name, its.status, its.daily_budget_micros, its.bid) == ("Old", DeliveryStatus.PAUSED, None, None)


@pytest.mark.parametrize("details", [data(**shop_campaign(campaign_id="31")), data(**shop_campaign(budget="free"))])
def test_details_of_another_campaign_or_an_unknown_shape_are_refused(details: Any) -> None:
    with tiktok(shop(details)) as served, pytest.raises(MalformedReplyError):
        client(served).read(SHOP_AD_SET)

"""TikTok's connector against the sandbox, over real HTTP: what it reads and writes of ordinary campaigns."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.contracts import AdSetRecord, Bid, BidStrategy, DeliveryStatus
from connectors.errors import ConfigurationError, RefusedError
from connectors.tiktok.client import TikTokAds
from tests.connectors.control import Control
from tests.connectors.sandbox.test_tiktok_writes import CREATIVE, GROUP
from tests.connectors.sandbox.visitor import Visitor
from tests.connectors.tiktok.conftest import connected

ZONE = ZoneInfo("America/New_York")
LAST = date(2026, 11, 4)
UNIT = 1_000_000

pytestmark = pytest.mark.usefixtures("quick_retries")


def test_the_daily_figures_of_ads_add_up_to_the_hours_of_their_ad_groups(ads: TikTokAds) -> None:
    days: dict[tuple[str, date], int] = defaultdict(int)
    hours: dict[tuple[str, date], int] = defaultdict(int)
    first = LAST - timedelta(days=5)
    for day in ads.ad_days(first, LAST):
        days[day.ad_set_external_id, day.day] += day.impressions
    for hour in ads.hours(first, LAST):
        hours[hour.ad_set_external_id, hour.hour.astimezone(ZONE).date()] += hour.impressions
    assert days == hours
    assert len({day for _, day in days}) == 6


def test_purchases_and_their_value_are_told_by_hour(ads: TikTokAds) -> None:
    hours = list(ads.hours(LAST, LAST))
    assert sum(h.conversions or 0 for h in hours) > 0
    assert sum(h.conversion_value_micros or 0 for h in hours) > sum(h.spend_micros for h in hours) // 100
    sold = [d.purchases for d in ads.ad_days(LAST, LAST)]
    assert sum(p.count for purchases in sold for p in purchases) == sum(h.conversions or 0 for h in hours)
    assert {p.window for purchases in sold for p in purchases} == {"default"}


def test_the_day_of_the_clock_change_is_read_whole(ads: TikTokAds) -> None:
    day = date(2026, 11, 1)
    found = list(ads.hours(day, day))
    assert {h.hour.astimezone(ZONE).date() for h in found} == {day}
    assert sum(h.spend_micros for h in found) == sum(d.spend_micros for d in ads.ad_days(day, day)) > 0


@pytest.mark.parametrize(("objective", "by_click"), [("TRAFFIC", True), ("WEB_CONVERSIONS", False)])
def test_leads_are_clicks_or_conversions_by_the_objective(control: Control, objective: str, by_click: bool) -> None:
    visitor = Visitor(control.url)
    body = {"campaign_name": objective, "objective_type": objective}
    campaign = visitor.tiktok_write("campaign/create/", **body)["data"]["campaign_id"]
    group = visitor.tiktok_write("adgroup/create/", **{**GROUP, "campaign_id": campaign})["data"]["adgroup_id"]
    assert visitor.tiktok_write("ad/create/", adgroup_id=group, creatives=[CREATIVE])["code"] == 0
    visitor.advance(12)
    today = control.now().astimezone(ZONE).date()
    ads = connected(control)
    figures = [h for h in ads.hours(today - timedelta(days=1), today) if h.ad_set_external_id == group]
    days = [d for d in ads.ad_days(today - timedelta(days=1), today) if d.ad_set_external_id == group]
    assert figures
    assert days
    assert [h.leads for h in figures] == [h.clicks if by_click else h.conversions for h in figures]
    assert sum(d.leads or 0 for d in days) == sum(h.leads or 0 for h in figures)


def test_what_was_deleted_stays_in_the_tree_and_in_the_figures(control: Control, ads: TikTokAds) -> None:
    visitor = Visitor(control.url)
    delivered = {h.ad_set_external_id for h in ads.hours(LAST, LAST)}
    victim = [a for a in ads.ad_sets() if a.external_id in delivered][-1]
    before = [h for h in ads.hours(LAST, LAST) if h.ad_set_external_id == victim.external_id]
    body = {"adgroup_ids": [victim.external_id], "operation_status": "DELETE"}
    assert visitor.tiktok_write("adgroup/status/update/", **body)["code"] == 0
    assert [h for h in ads.hours(LAST, LAST) if h.ad_set_external_id == victim.external_id] == before
    assert ads.read(victim.target).status is DeliveryStatus.REMOVED
    with pytest.raises(RefusedError):
        ads.set_status(victim.target, DeliveryStatus.ACTIVE)


def test_ads_name_what_they_show(ads: TikTokAds) -> None:
    shown = {c.external_id: c for c in ads.creatives()}
    assert {a.creative_external_id for a in ads.ads()} == set(shown)
    assert all(c.body and c.format and c.link.startswith("https://") for c in shown.values())


@pytest.mark.parametrize(
    "bids",
    [
        [Bid(BidStrategy.COST_CAP, 20 * UNIT), Bid(BidStrategy.LOWEST_COST)],
        [Bid(BidStrategy.BID_CAP, 1_500_000), Bid(BidStrategy.COST_CAP, 15 * UNIT), Bid(BidStrategy.LOWEST_COST)],
        [Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=1_500_000), Bid(BidStrategy.LOWEST_COST)],
        [Bid(BidStrategy.COST_CAP, 9 * UNIT), Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=UNIT)],
        [Bid(BidStrategy.BID_CAP, 2 * UNIT), Bid(BidStrategy.LOWEST_COST)],
    ],
)
def test_bids_go_to_and_fro_and_read_back_equal(
    control: Control, ads: TikTokAds, ad_set: AdSetRecord, bids: list[Bid]
) -> None:
    for bid in bids:
        with control.written() as rows:
            held = ads.set_bid(ad_set.target, bid)
        assert isinstance(held, AdSetRecord)
        assert held.bid == bid
        assert {(r["object_id"], r["result"]) for r in rows} == {(ad_set.external_id, "applied")}


def test_a_budget_of_the_other_kind_is_not_sent(control: Control, ads: TikTokAds, ad_set: AdSetRecord) -> None:
    with control.written() as rows, pytest.raises(ConfigurationError):
        ads.set_lifetime_budget(ad_set.target, 500 * UNIT)
    assert rows == []


def test_the_budget_that_is_held_already_is_refused(ads: TikTokAds, ad_set: AdSetRecord) -> None:
    assert ad_set.daily_budget_micros is not None
    with pytest.raises(RefusedError) as caught:
        ads.set_daily_budget(ad_set.target, ad_set.daily_budget_micros)
    assert caught.value.code == "40012"


def test_a_full_update_changes_the_budget_and_nothing_else(control: Control, ad_set: AdSetRecord) -> None:
    ads = connected(control, full_update=True)
    assert ad_set.daily_budget_micros is not None
    with control.written() as rows:
        ads.set_daily_budget(ad_set.target, ad_set.daily_budget_micros + UNIT)
    assert [(r["field"], r["result"]) for r in rows] == [("budget", "applied")]

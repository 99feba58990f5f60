"""Mirroring the tree of a platform that says what it should not: nothing of ours is spoilt by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.contracts import CampaignRecord, Family
from connectors.errors import ConfigurationError, ConnectorError, MalformedReplyError
from metrics.models import HourlyMetric
from metrics.sync import sync_tree
from tests.factories import AS_OF, SLOT, House
from tests.metrics.platforms import WholePlatform

pytestmark = pytest.mark.usefixtures("everywhere")


def held(house: House) -> tuple[Any, ...]:
    house.account.refresh_from_db()
    return house.account.currency, house.account.timezone, house.account.minimum_daily_budget_micros


@pytest.mark.parametrize(
    "says",
    [
        {"timezone": "Mars/Olympus"},
        {"timezone": ""},
        {"currency": "DOLLARS"},
        {"currency": ""},
        {"spend_cap_micros": 10**15 + 1},
        {"spend_cap_micros": 2**63},
    ],
)
def test_an_account_that_cannot_be_is_refused_and_what_we_hold_stays(house: House, says: dict[str, Any]) -> None:
    before = held(house)
    with pytest.raises(ConnectorError):
        sync_tree(house.account, WholePlatform(house=house, says=says), as_of=AS_OF)
    assert held(house) == before


def test_a_budget_out_of_all_bounds_is_a_malformed_reply(house: House) -> None:
    house.ad_sets[0].daily_budget_micros = 10**15 + 1
    with pytest.raises(MalformedReplyError, match="the ad tree"):
        sync_tree(house.account, WholePlatform(house=house), as_of=AS_OF)


def test_another_currency_is_taken_before_there_are_figures_and_refused_afterwards(house: House) -> None:
    euros = WholePlatform(house=house, says={"currency": "EUR"})
    sync_tree(house.account, euros, as_of=AS_OF)
    assert held(house)[0] == "EUR"
    HourlyMetric.objects.create(
        tenant=house.tenant,
        ad_account=house.account,
        ad_set=house.ad_sets[0],
        hour=SLOT,
        spend_micros=1,
        impressions=1,
        clicks=0,
        known_at=AS_OF,
    )
    with pytest.raises(ConfigurationError, match="EUR to USD"):
        sync_tree(house.account, WholePlatform(house=house, says={"currency": "USD"}), as_of=AS_OF)
    assert held(house)[0] == "EUR"


class FromAShop(WholePlatform):
    """Its one campaign is of GMV Max, and sells from `store`."""

    store = "7495"

    def campaigns(self) -> Iterator[CampaignRecord]:
        for record in super().campaigns():
            yield replace(record, family=Family.GMV_MAX, store_external_id=self.store)


def test_the_shop_of_a_gmv_max_campaign_is_kept_when_it_is_told_no_more(house: House) -> None:
    platform = FromAShop(house=house)
    for platform.store in ("7495", ""):
        sync_tree(house.account, platform, as_of=AS_OF)
        house.campaign.refresh_from_db()
        assert house.campaign.store_external_id == "7495"
    platform.store = "7496"
    sync_tree(house.account, platform, as_of=AS_OF)
    house.campaign.refresh_from_db()
    assert house.campaign.store_external_id == "7496"

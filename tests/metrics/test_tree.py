"""Mirroring the tree of a platform that says what it should not: nothing of ours is spoilt by it."""

from __future__ import annotations

from typing import Any

import pytest

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

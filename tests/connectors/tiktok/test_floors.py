"""The least budget, by level, kind and what is sold."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.contracts import Target
from connectors.errors import BelowMinimumError
from tests.connectors.tiktok.answers import AD_SET, CAMPAIGN, ad_group, campaign, client, listing, tiktok, writes

UNIT = 1_000_000
LIFE = {"budget_mode": "BUDGET_MODE_TOTAL", "schedule_start_time": "2026-11-01 00:00:00"}
DAILY = {"budget_mode": "BUDGET_MODE_DAY", "budget": 90}


@pytest.mark.parametrize(
    ("target", "held", "floor"),
    [
        (AD_SET, ad_group(product_source="STORE"), 10),
        (AD_SET, ad_group(product_source="CATALOG"), 20),
        (CAMPAIGN, campaign(**DAILY, campaign_product_source="STORE"), 10),
        (CAMPAIGN, campaign(**DAILY), 50),
        (AD_SET, ad_group(**LIFE, schedule_end_time="2026-11-11 00:00:00"), 200),
        (AD_SET, ad_group(**LIFE, schedule_end_time="2026-11-11 23:00:00"), 200),
        (AD_SET, ad_group(**LIFE, schedule_end_time="2026-11-01 05:00:00"), 20),
        (AD_SET, ad_group(**LIFE, schedule_end_time="some day"), 20),
        (AD_SET, ad_group(**LIFE), 20),
    ],
)
def test_less_than_the_floor_is_not_sent(target: Target, held: dict[str, Any], floor: int) -> None:
    with tiktok({"adgroup/get/": listing(held), "campaign/get/": listing(held)}) as served:
        ads = client(served)
        write = ads.set_lifetime_budget if held["budget_mode"] == LIFE["budget_mode"] else ads.set_daily_budget
        with pytest.raises(BelowMinimumError):
            write(target, floor * UNIT - UNIT // 100)
        assert writes(served) == []
        write(target, floor * UNIT)
        assert len(writes(served)) == 1

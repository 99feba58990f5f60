from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.contracts import AdSetRecord
from connectors.sandbox.server import running_sandbox
from connectors.tiktok.client import TikTokAds
from tests.connectors.control import Control

START = datetime(2026, 11, 5, 15, tzinfo=UTC)  # New York left summer time on the first of this month


def connected(control: Control, **options: Any) -> TikTokAds:
    """The sandbox's first advertiser."""
    own = control.get("credentials")["tiktok"]
    return TikTokAds(
        base_url=control.url,
        version="v1.3",
        access_token=own["access_token"],
        advertiser_id=own["advertiser_id"],
        **options,
    )


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    with running_sandbox(start=START, days=14, accounts=2) as running:
        yield Control(running.url)


@pytest.fixture
def ads(control: Control) -> TikTokAds:
    return connected(control)


@pytest.fixture
def ad_set(ads: TikTokAds) -> AdSetRecord:
    return next(a for a in ads.ad_sets() if a.daily_budget_micros)

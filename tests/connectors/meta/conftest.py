from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.contracts import AdSetRecord
from connectors.meta.client import MetaAds
from connectors.sandbox.server import running_sandbox
from tests.connectors.control import Control

START = datetime(2026, 11, 5, 15, tzinfo=UTC)  # New York left summer time on the first of this month


def connected(control: Control, **options: Any) -> MetaAds:
    """The sandbox's first ad account."""
    own = control.get("credentials")["meta"]
    return MetaAds(
        base_url=control.url,
        version="v26.0",
        access_token=own["access_token"],
        app_secret=own["app_secret"],
        account_id=own["account_id"],
        now=lambda: START,
        **options,
    )


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    with running_sandbox(start=START, days=14, accounts=2) as running:
        yield Control(running.url)


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def ads(control: Control, pauses: list[float]) -> MetaAds:
    return connected(control, pause=pauses.append)


@pytest.fixture
def ad_set(ads: MetaAds) -> AdSetRecord:
    return next(a for a in ads.ad_sets() if a.daily_budget_micros)

"""Every call of Meta's connector under every fault: what is read is right or an error, and nothing is sent twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from connectors.contracts import AdSetRecord, Bid, BidStrategy, DeliveryStatus, Held, Platform
from connectors.errors import (
    AuthenticationError,
    ConnectorError,
    OutcomeUnknownError,
    RateLimitedError,
    TransientError,
    UnverifiedError,
)
from connectors.meta.client import MetaAds
from tests.connectors.control import Control
from tests.connectors.meta.conftest import connected

LAST = date(2026, 11, 4)
UNIT = 1_000_000

Reading = Callable[[MetaAds], Any]
Writing = Callable[[MetaAds, AdSetRecord], Held]

READINGS: dict[str, Reading] = {
    "account": lambda ads: ads.account(),
    "campaigns": lambda ads: list(ads.campaigns()),
    "ad_sets": lambda ads: list(ads.ad_sets()),
    "ads": lambda ads: list(ads.ads()),
    "creatives": lambda ads: list(ads.creatives()),
    "hours": lambda ads: list(ads.hours(LAST, LAST)),
    "ad_days": lambda ads: list(ads.ad_days(LAST, LAST)),
    "report": lambda ads: list(ads.ad_days(LAST - timedelta(days=7), LAST)),
    "read": lambda ads: [ads.read(a.target) for a in ads.ad_sets()],
    "read_many": lambda ads: ads.read_many([a.target for a in ads.ad_sets()]),
}
PASSING = ["server_error", "drop_before_apply", "drop_after_apply", "truncated_body", "html_body", "rate_limit"]
LASTING = dict.fromkeys(PASSING, TransientError) | {
    "rate_limit": RateLimitedError,
    "expired_token": AuthenticationError,
}
WRITINGS: dict[str, Writing] = {
    "daily_budget": lambda ads, a: ads.set_daily_budget(a.target, (a.daily_budget_micros or 0) + UNIT),
    "status": lambda ads, a: ads.set_status(a.target, DeliveryStatus.PAUSED),
    "bid": lambda ads, a: ads.set_bid(a.target, Bid(BidStrategy.COST_CAP, 20 * UNIT)),
}
LOST = {
    "drop_before_apply": OutcomeUnknownError,
    "drop_after_apply": OutcomeUnknownError,
    "truncated_body": OutcomeUnknownError,
    "html_body": OutcomeUnknownError,
    "server_error": OutcomeUnknownError,
    "rate_limit": RateLimitedError,
    "expired_token": AuthenticationError,
}

pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture(scope="module")
def ads(control: Control) -> MetaAds:
    """One for all tests: it knows what has to be known of the account before a write."""
    meta = connected(control, pause=[].append)
    assert list(meta.campaigns())
    return meta


@pytest.fixture
def undone(control: Control, ads: MetaAds, ad_set: AdSetRecord) -> Iterator[None]:
    """The ad set is left as it was, an hour later: past the limit of four budget changes an hour."""
    yield
    control.post("clock", advance_hours=1)
    ads.set_bid(ad_set.target, Bid(BidStrategy.LOWEST_COST))
    ads.set_status(ad_set.target, ad_set.status)


@pytest.fixture(scope="module")
def secrets(control: Control) -> list[str]:
    own = control.get("credentials")["meta"]
    return [own["access_token"], own["app_secret"]]


@pytest.fixture
def no_secret_logged(secrets: list[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert not [secret for secret in secrets if secret in caplog.text]


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("call", READINGS)
@pytest.mark.usefixtures("no_secret_logged")
def test_a_reading_gets_over_what_passes(control: Control, ads: MetaAds, call: str, fault: str) -> None:
    expected = READINGS[call](ads)
    with control.written() as rows, control.fault(fault, Platform.META, count=1):
        assert READINGS[call](ads) == expected
    assert rows == []


@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("call", READINGS)
@pytest.mark.usefixtures("no_secret_logged")
def test_a_reading_says_what_lasts(control: Control, ads: MetaAds, call: str, fault: str) -> None:
    with control.fault(fault, Platform.META, count=99), pytest.raises(ConnectorError) as caught:
        READINGS[call](ads)
    assert type(caught.value) is LASTING[fault]
    assert caught.value.platform == Platform.META


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("verb", WRITINGS)
@pytest.mark.usefixtures("undone", "no_secret_logged")
def test_a_write_is_sent_once_and_says_what_became_of_it(
    control: Control, ads: MetaAds, ad_set: AdSetRecord, verb: str, fault: str
) -> None:
    before = ads.read(ad_set.target)
    with (
        control.written() as rows,
        control.fault(fault, Platform.META, method="POST", count=5),
        pytest.raises(ConnectorError) as caught,
    ):
        WRITINGS[verb](ads, ad_set)
    assert type(caught.value) is LOST[fault]
    applied = {r["object_id"] for r in rows if r["result"] == "applied"}
    assert applied <= {ad_set.external_id}
    if LOST[fault] is not OutcomeUnknownError:
        assert not applied
    assert (ads.read(ad_set.target) != before) == bool(applied)


@pytest.mark.parametrize("fault", [name for name in LASTING if name != "drop_before_apply"])
@pytest.mark.parametrize("verb", WRITINGS)
@pytest.mark.usefixtures("undone", "no_secret_logged")
def test_a_write_that_is_not_read_back_is_unverified(
    control: Control, ads: MetaAds, ad_set: AdSetRecord, verb: str, fault: str
) -> None:
    with (
        control.written() as rows,
        control.fault(fault, Platform.META, method="GET", count=99),
        pytest.raises(UnverifiedError),
    ):
        WRITINGS[verb](ads, ad_set)
    assert {(r["object_id"], r["result"]) for r in rows} == {(ad_set.external_id, "applied")}

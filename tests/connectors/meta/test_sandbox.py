"""Meta's connector against the sandbox, over real HTTP: what it reads and writes, and how one logs in."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from connectors.contracts import AdSetRecord, Bid, BidStrategy, Level, Platform, Target
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    RefusedError,
    UnverifiedError,
)
from connectors.login_contracts import Grant, LoginApp
from connectors.meta.client import MetaAds
from connectors.meta.login import MetaLogin
from tests.connectors.control import Control

ZONE = ZoneInfo("America/New_York")
LAST = date(2026, 11, 4)
BACK = "http://127.0.0.1/connect/meta/callback"
UNIT = 1_000_000

pytestmark = pytest.mark.usefixtures("quick_retries")


def login(control: Control) -> MetaLogin:
    own = control.get("credentials")["meta"]
    return MetaLogin(LoginApp(Platform.META, control.url, control.url, "v26.0", own["app_id"], own["app_secret"]))


def agreed(provider: MetaLogin) -> str:
    """The code that comes back when the first merchant's person agrees."""
    asked = provider.consent_url(redirect_uri=BACK, state="a state")
    answer = httpx.get(f"{asked}&tenant=0&allow=1", trust_env=False)
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert back["state"] == ["a state"]
    return back["code"][0]


def test_the_daily_figures_of_ads_add_up_to_the_hours_of_their_ad_sets(ads: MetaAds) -> None:
    days: dict[tuple[str, date], int] = defaultdict(int)
    hours: dict[tuple[str, date], int] = defaultdict(int)
    first = LAST - timedelta(days=5)
    for day in ads.ad_days(first, LAST):
        days[day.ad_set_external_id, day.day] += day.impressions
    for hour in ads.hours(first, LAST):
        hours[hour.ad_set_external_id, hour.hour.astimezone(ZONE).date()] += hour.impressions
    assert days == hours
    assert len({day for _, day in days}) == 6


def test_purchases_of_longer_windows_are_not_fewer(ads: MetaAds) -> None:
    sold = [{p.window: p for p in d.purchases} for d in ads.ad_days(LAST - timedelta(days=6), LAST) if d.purchases]
    assert sold
    for windows in sold:
        counts = [windows[name].count if name in windows else 0 for name in ("1d_click", "7d_click", "28d_click")]
        assert counts == sorted(counts)
        assert all(p.value_micros is not None for p in windows.values())


def test_the_day_of_the_clock_change_is_read_whole(ads: MetaAds) -> None:
    day = date(2026, 11, 1)
    found = list(ads.hours(day, day))
    assert {h.hour.astimezone(ZONE).date() for h in found} == {day}
    spent = sum(h.spend_micros for h in found)
    assert spent == sum(d.spend_micros for d in ads.ad_days(day, day)) > 0


def test_a_long_range_comes_from_a_report_and_says_the_same(ads: MetaAds, pauses: list[float]) -> None:
    first = LAST - timedelta(days=9)
    reported = list(ads.ad_days(first, LAST))
    assert pauses
    waited = len(pauses)
    asked = [d for start in (first, first + timedelta(days=5)) for d in ads.ad_days(start, start + timedelta(days=4))]
    assert reported == asked
    assert len(pauses) == waited


def test_what_the_sandbox_keeps_no_more_is_not_asked_for(ads: MetaAds) -> None:
    with pytest.raises(ConfigurationError, match="13 months"):
        list(ads.hours(date(2025, 10, 4), LAST))
    assert list(ads.hours(date(2025, 10, 5), date(2025, 10, 5))) == []
    assert list(ads.ad_days(date(2023, 10, 5), date(2023, 10, 5))) == []


def test_many_objects_read_at_once_are_those_that_were_read_alone(ads: MetaAds) -> None:
    targets = [a.target for a in ads.ad_sets()]
    targets += [Target(Level.CAMPAIGN, c.external_id) for c in ads.campaigns()]
    targets += [Target(Level.AD, a.external_id) for a in ads.ads()]
    found = ads.read_many([Target(Level.AD_SET, "999999999999999"), *targets])
    assert found == [ads.read(target) for target in targets]


def test_ads_name_creatives_that_are_there(ads: MetaAds) -> None:
    shown = {c.external_id for c in ads.creatives()}
    named = {a.creative_external_id for a in ads.ads()}
    assert named <= shown | {""}


@pytest.mark.parametrize(
    "bid",
    [
        Bid(BidStrategy.COST_CAP, 20 * UNIT),
        Bid(BidStrategy.BID_CAP, 15 * UNIT),
        Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=1_500_000),
        Bid(BidStrategy.LOWEST_COST),
    ],
)
def test_a_bid_is_one_write_and_reads_back_equal(control: Control, ads: MetaAds, ad_set: AdSetRecord, bid: Bid) -> None:
    with control.written() as rows:
        held = ads.set_bid(ad_set.target, bid)
    assert isinstance(held, AdSetRecord)
    assert held.bid == bid
    assert {(r["object_id"], r["result"]) for r in rows} <= {(ad_set.external_id, "applied")}


def test_a_budget_of_the_other_kind_is_refused(control: Control, ads: MetaAds, ad_set: AdSetRecord) -> None:
    with control.written() as rows, pytest.raises(RefusedError):
        ads.set_lifetime_budget(ad_set.target, 500 * UNIT)
    assert "applied" not in {r["result"] for r in rows}


def test_a_write_whose_reading_back_fails_is_unverified(control: Control, ads: MetaAds, ad_set: AdSetRecord) -> None:
    assert ads.account()
    with (
        control.written() as rows,
        control.fault("server_error", Platform.META, method="GET", count=9),
        pytest.raises(UnverifiedError),
    ):
        ads.set_status(ad_set.target, ad_set.status)
    assert len(rows) == 1


def test_a_login_ends_in_a_grant_that_opens_the_accounts_until_it_is_revoked(control: Control) -> None:
    provider, own = login(control), control.get("credentials")["meta"]
    grant = provider.exchange(agreed(provider), redirect_uri=BACK)
    assert {"ads_read", "ads_management", "business_management"} <= set(grant.scopes)
    assert grant.expires_at is not None
    assert timedelta(days=59) < grant.expires_at - datetime.now(UTC) < timedelta(days=61)
    owned = provider.owned_accounts(grant)
    assert own["account_id"] in {a.external_id for a in owned}
    assert len(owned) == 2
    younger = provider.refresh(grant)
    assert provider.owned_accounts(younger) == owned
    provider.revoke(younger)
    with pytest.raises(AuthenticationError):
        provider.owned_accounts(younger)
    provider.revoke(younger)


def test_a_code_works_once_and_for_its_own_address(control: Control) -> None:
    provider = login(control)
    code = agreed(provider)
    assert provider.exchange(code, redirect_uri=BACK).access_token
    with pytest.raises(ConnectorError):
        provider.exchange(code, redirect_uri=BACK)
    with pytest.raises(ConnectorError):
        provider.exchange(agreed(provider), redirect_uri=BACK + "?other")


def test_a_grant_that_has_ended_cannot_be_renewed(control: Control) -> None:
    provider = login(control)
    grant = provider.exchange(agreed(provider), redirect_uri=BACK)
    control.post("token", platform="meta", access_token=grant.access_token, expire=True)
    with pytest.raises(AuthenticationError):
        provider.refresh(Grant(grant.access_token))

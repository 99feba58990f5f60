"""What every ad platform promises, over real HTTP against the sandbox, judged by the sandbox's own ledger."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from connectors import http
from connectors.contracts import AdPlatform, AdSetRecord, DeliveryStatus, Level, Platform, Target
from connectors.errors import (
    AuthenticationError,
    BelowMinimumError,
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusedError,
    TransientError,
    UnverifiedError,
)
from connectors.registry import ad_platform
from tests.connectors.control import Control

AD_PLATFORMS = [Platform.META, Platform.TIKTOK]
UNIT = 1_000_000
LOST_WRITES = {
    "drop_before_apply": OutcomeUnknownError,
    "drop_after_apply": OutcomeUnknownError,
    "truncated_body": OutcomeUnknownError,
    "html_body": OutcomeUnknownError,
    "server_error": OutcomeUnknownError,
    "rate_limit": RateLimitedError,
    "expired_token": AuthenticationError,
}

pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture(params=AD_PLATFORMS)
def platform(request: pytest.FixtureRequest) -> Platform:
    return Platform(request.param)


@pytest.fixture
def ads(sandbox: Control, platform: Platform) -> AdPlatform:
    return sandbox.ads(platform)


@pytest.fixture
def ad_set(ads: AdPlatform) -> AdSetRecord:
    """An ad set with a daily budget of its own, read fresh."""
    first = next(a for a in ads.ad_sets() if a.daily_budget_micros)
    return held(ads, first.target)


def held(ads: AdPlatform, target: Target) -> AdSetRecord:
    found = ads.read(target)
    assert isinstance(found, AdSetRecord)
    return found


def raised_by(amount: int, ad_set: AdSetRecord) -> int:
    assert ad_set.daily_budget_micros is not None
    return ad_set.daily_budget_micros + amount * UNIT


def later(sandbox: Control) -> None:
    """Past Meta's limit of four budget changes an hour."""
    sandbox.post("clock", advance_hours=1)


def test_tells_what_account_it_is(ads: AdPlatform) -> None:
    account = ads.account()
    assert (account.currency, account.timezone) == ("USD", "America/New_York")
    assert account.minimum_daily_budget_micros
    assert account.external_id
    assert account.name


def test_the_tree_hangs_together(ads: AdPlatform) -> None:
    campaigns = {c.external_id for c in ads.campaigns()}
    ad_sets = {a.external_id: a for a in ads.ad_sets()}
    assert campaigns
    assert ad_sets
    assert {a.campaign_external_id for a in ad_sets.values()} <= campaigns
    assert {a.ad_set_external_id for a in ads.ads()} <= set(ad_sets)
    assert all(a.effective_status and a.name for a in ad_sets.values())


def test_an_ad_set_read_alone_equals_the_one_in_the_listing(ads: AdPlatform) -> None:
    for listed in ads.ad_sets():
        assert ads.read(listed.target) == listed


def test_a_campaign_and_an_ad_read_alone_equal_the_ones_in_the_listing(ads: AdPlatform) -> None:
    for campaign in list(ads.campaigns())[:3]:
        assert ads.read(Target(Level.CAMPAIGN, campaign.external_id, campaign.family)) == campaign
    for ad in list(ads.ads())[:3]:
        assert ads.read(Target(Level.AD, ad.external_id, ad.family)) == ad


@pytest.mark.parametrize("level", list(Level))
def test_what_is_not_there_is_not_found(ads: AdPlatform, level: Level) -> None:
    with pytest.raises(NotFoundError):
        ads.read(Target(level, "999999999999999"))


@pytest.mark.parametrize("hostile", ["", "1/../2", "act_1", "1?x=1", "1\n", "１", "9" * 40])
def test_an_id_that_is_none_never_leaves_the_house(sandbox: Control, ads: AdPlatform, hostile: str) -> None:
    with sandbox.written() as rows:
        for level in Level:
            target = Target(level, hostile)
            with pytest.raises(ConfigurationError):
                ads.read(target)
            with pytest.raises(ConfigurationError):
                ads.set_daily_budget(target, 50 * UNIT)
            with pytest.raises(ConfigurationError):
                ads.set_status(target, DeliveryStatus.PAUSED)
    assert rows == []


def test_hours_come_by_ascending_local_days_each_once(sandbox: Control, ads: AdPlatform) -> None:
    zone = ZoneInfo(ads.account().timezone)
    last = sandbox.now().astimezone(zone).date() - timedelta(days=1)
    first = last - timedelta(days=8)
    hours = list(ads.hours(first, last))
    days = [h.hour.astimezone(zone).date() for h in hours]
    assert days == sorted(days)
    assert set(days) == {first + timedelta(days=n) for n in range(9)}
    assert len({(h.ad_set_external_id, h.hour) for h in hours}) == len(hours)
    assert {h.ad_set_external_id for h in hours} <= {a.external_id for a in ads.ad_sets()}
    assert sum(h.spend_micros for h in hours) > 0
    assert sum(h.impressions for h in hours) > sum(h.clicks for h in hours) > 0


def test_the_hours_add_up_to_what_the_platform_says_of_the_days(sandbox: Control) -> None:
    ads, own = sandbox.ads(Platform.META), sandbox.get("credentials")["meta"]
    last = sandbox.now().astimezone(ZoneInfo("America/New_York")).date() - timedelta(days=2)
    first = last - timedelta(days=6)
    asked = {"level": "account", "fields": "spend", "access_token": own["access_token"]}
    asked["time_range"] = json.dumps({"since": str(first), "until": str(last)})
    told = httpx.get(f"{sandbox.url}/v26.0/{own['account_id']}/insights", params=asked).json()["data"]
    summed = sum(h.spend_micros for h in ads.hours(first, last))
    assert summed == sum(Decimal(day["spend"]) for day in told) * UNIT > 0


def test_no_days_no_hours(sandbox: Control, ads: AdPlatform) -> None:
    today = sandbox.now().date()
    assert list(ads.hours(today, today - timedelta(days=1))) == []


def test_a_budget_is_written_once_and_reads_back_equal(sandbox: Control, ads: AdPlatform, ad_set: AdSetRecord) -> None:
    wanted = raised_by(3, ad_set) + UNIT // 4
    with sandbox.written() as rows:
        answer = ads.set_daily_budget(ad_set.target, wanted)
    assert isinstance(answer, AdSetRecord)
    assert answer.daily_budget_micros == wanted
    assert held(ads, ad_set.target) == answer
    assert [(r["object_id"], r["result"], r["actor"]) for r in rows] == [(ad_set.external_id, "applied", "api")]
    later(sandbox)


def test_pausing_and_enabling_read_back(sandbox: Control, ads: AdPlatform, ad_set: AdSetRecord) -> None:
    with sandbox.written() as rows:
        for status in (DeliveryStatus.PAUSED, DeliveryStatus.ACTIVE):
            assert ads.set_status(ad_set.target, status).status is status
            assert held(ads, ad_set.target).status is status
    assert [r["result"] for r in rows] == ["applied", "applied"]


def test_every_level_is_paused_and_enabled(sandbox: Control, ads: AdPlatform) -> None:
    ad, campaign = next(ads.ads()), next(ads.campaigns())
    for target in (Target(Level.AD, ad.external_id), Target(Level.CAMPAIGN, campaign.external_id)):
        with sandbox.written() as rows:
            assert ads.set_status(target, DeliveryStatus.PAUSED).status is DeliveryStatus.PAUSED
            assert ads.set_status(target, DeliveryStatus.ACTIVE).status is DeliveryStatus.ACTIVE
        assert [(r["object_id"], r["result"]) for r in rows] == [(target.external_id, "applied")] * 2


def test_a_campaign_that_carries_the_budget_takes_a_new_one(sandbox: Control, ads: AdPlatform) -> None:
    campaign = next(c for c in ads.campaigns() if c.daily_budget_micros)
    assert campaign.daily_budget_micros is not None
    wanted = campaign.daily_budget_micros + 2 * UNIT
    with sandbox.written() as rows:
        held: Any = ads.set_daily_budget(Target(Level.CAMPAIGN, campaign.external_id), wanted)
    assert held.daily_budget_micros == wanted
    assert [r["result"] for r in rows] == ["applied"]


def test_removing_is_nothing_that_we_do(sandbox: Control, ads: AdPlatform, ad_set: AdSetRecord) -> None:
    with sandbox.written() as rows, pytest.raises(ConfigurationError):
        ads.set_status(ad_set.target, DeliveryStatus.REMOVED)
    assert rows == []


@pytest.mark.parametrize("amount", [0, -UNIT, 30 * UNIT + 1, 10**19])
def test_an_amount_that_the_platform_cannot_hold_is_not_sent(
    sandbox: Control, ads: AdPlatform, ad_set: AdSetRecord, amount: int
) -> None:
    with sandbox.written() as rows, pytest.raises(ConfigurationError):
        ads.set_daily_budget(ad_set.target, amount)
    assert rows == []


def test_a_budget_below_the_minimum_is_refused_before_it_is_sent(
    sandbox: Control, ads: AdPlatform, ad_set: AdSetRecord
) -> None:
    minimum = ads.account().minimum_daily_budget_micros
    assert minimum is not None
    with sandbox.written() as rows, pytest.raises(BelowMinimumError):
        ads.set_daily_budget(ad_set.target, minimum - UNIT // 100)
    assert rows == []
    assert held(ads, ad_set.target) == ad_set


def test_a_write_to_an_ad_set_that_is_not_there_is_refused(sandbox: Control, ads: AdPlatform) -> None:
    with sandbox.written() as rows, pytest.raises(RefusedError):
        ads.set_daily_budget(Target(Level.AD_SET, "999999999999999"), 50 * UNIT)
    assert rows == []


@pytest.mark.parametrize("fault", sorted(LOST_WRITES))
@pytest.mark.parametrize("verb", ["budget", "status"])
def test_a_write_that_goes_wrong_says_so_and_is_never_sent_twice(
    sandbox: Control, platform: Platform, ads: AdPlatform, ad_set: AdSetRecord, fault: str, verb: str
) -> None:
    status = DeliveryStatus.PAUSED if ad_set.status is DeliveryStatus.ACTIVE else DeliveryStatus.ACTIVE
    with (
        sandbox.written() as rows,
        sandbox.fault(fault, platform, method="POST", count=5),
        pytest.raises(ConnectorError) as caught,
    ):
        if verb == "budget":
            ads.set_daily_budget(ad_set.target, raised_by(1, ad_set))
        else:
            ads.set_status(ad_set.target, status)
    assert type(caught.value) is LOST_WRITES[fault]
    assert len(rows) <= 1
    applied = [r for r in rows if r["result"] == "applied"]
    if LOST_WRITES[fault] is not OutcomeUnknownError:
        assert applied == []
    if fault == "drop_after_apply":
        assert len(applied) == 1
    assert (held(ads, ad_set.target) != ad_set) == bool(applied)
    later(sandbox)


def test_a_write_that_cannot_be_read_back_is_unverified(
    sandbox: Control, platform: Platform, ads: AdPlatform, ad_set: AdSetRecord
) -> None:
    ads.set_status(ad_set.target, DeliveryStatus.ACTIVE)
    with (
        sandbox.written() as rows,
        sandbox.fault("server_error", platform, method="GET", count=50),
        pytest.raises(UnverifiedError),
    ):
        ads.set_status(ad_set.target, DeliveryStatus.PAUSED)
    assert [r["result"] for r in rows] == ["applied"]
    assert ads.set_status(ad_set.target, ad_set.status).status is ad_set.status


@pytest.mark.parametrize("fault", ["drop_before_apply", "drop_after_apply", "truncated_body", "html_body"])
def test_a_read_gets_over_a_failure(sandbox: Control, platform: Platform, ads: AdPlatform, fault: str) -> None:
    with sandbox.fault(fault, platform, method="GET", count=2):
        assert ads.account().currency == "USD"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("server_error", TransientError),
        ("html_body", TransientError),
        ("truncated_body", TransientError),
        ("drop_before_apply", TransientError),
        ("rate_limit", RateLimitedError),
        ("expired_token", AuthenticationError),
    ],
)
def test_a_read_that_keeps_failing_says_how(
    sandbox: Control, platform: Platform, ads: AdPlatform, fault: str, kind: type[ConnectorError]
) -> None:
    with sandbox.fault(fault, platform, method="GET", count=50), pytest.raises(kind) as caught:
        list(ads.ad_sets())
    assert caught.value.platform == platform


def test_a_budget_that_cannot_be_converted_for_want_of_the_currency_is_not_sent(
    sandbox: Control, platform: Platform, ad_set: AdSetRecord
) -> None:
    fresh = sandbox.ads(platform)
    with (
        sandbox.written() as rows,
        sandbox.fault("server_error", platform, method="GET", count=50),
        pytest.raises(NotSentError),
    ):
        fresh.set_daily_budget(ad_set.target, raised_by(1, ad_set))
    assert rows == []


def test_a_wrong_token_is_an_authentication_error(sandbox: Control, platform: Platform) -> None:
    with pytest.raises(AuthenticationError):
        sandbox.ads(platform, access_token="not-a-token-at-all").account()


def test_the_stop_file_stops_writes_and_not_reads(sandbox: Control, platform: Platform, tmp_path: Path) -> None:
    connection = sandbox.connection(platform)
    flag = tmp_path / "stop"
    ads = ad_platform(
        type(connection)(
            connection.platform,
            connection.base_url,
            connection.version,
            connection.external_id,
            connection.secrets,
            stop_file=flag,
        )
    )
    target = next(a for a in ads.ad_sets() if a.daily_budget_micros)
    flag.touch()
    with sandbox.written() as rows, pytest.raises(NotSentError):
        ads.set_daily_budget(target.target, raised_by(1, target))
    assert rows == []
    assert ads.read(target.target) == target


def test_no_secret_is_logged_or_told(
    sandbox: Control, platform: Platform, ad_set: AdSetRecord, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in http.LOGGERS:
        caplog.set_level(logging.DEBUG, logger=name)
    connection = sandbox.connection(platform)
    ads = ad_platform(connection)
    told = [repr(connection)]
    list(ads.ads())
    for fault in LOST_WRITES:
        with sandbox.fault(fault, platform, count=9):
            for call in (ads.account, lambda: ads.set_status(ad_set.target, ad_set.status)):
                with pytest.raises(ConnectorError) as caught:
                    call()
                told.append(str(caught.getrepr(chain=True)))
    for secret in (connection.secrets["access_token"], connection.secrets["app_secret"]):
        assert secret not in caplog.text
        assert secret not in "".join(told)


def test_there_is_one_call_that_writes_per_platform(platform: Platform) -> None:
    package = Path(http.__file__).parent / platform.value
    sources = {path.name: path.read_text("utf-8") for path in package.glob("*.py")}
    ads = "".join(source for name, source in sources.items() if name != "login.py")
    assert ads.count("transport.write(") == 1
    assert sources["login.py"].count("transport.write(") <= 1
    assert not [name for name, source in sources.items() if "import httpx" in source]


def test_what_guards_writes_is_asked_at_the_last_moment_and_its_no_is_final(
    sandbox: Control, ads: AdPlatform, ad_set: AdSetRecord
) -> None:
    asked: list[str] = []

    def stopped() -> bool:
        asked.append("asked")
        return False

    ads.guard_writes(stopped)
    with sandbox.written() as rows, pytest.raises(NotSentError):
        ads.set_daily_budget(ad_set.target, raised_by(1, ad_set))
    assert (asked, rows) == (["asked"], [])
    assert ads.read(ad_set.target) == ad_set

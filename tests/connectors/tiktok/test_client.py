"""How TikTok is asked: the token, versions, ids, and what is told of secrets, over a real socket."""

from __future__ import annotations

import json
import logging
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.contracts import DeliveryStatus
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    NotSentError,
    PermissionDeniedError,
    RateLimitedError,
    TransientError,
)
from connectors.tiktok.client import TikTokAds
from tests.connectors.tiktok.answers import (
    AD_SET,
    REPORT,
    TOKEN,
    account,
    ad_group,
    asked,
    client,
    error,
    listing,
    report,
    tiktok,
    writes,
)
from tests.connectors.wire import Script, hangs_up, says

DAY = date(2026, 11, 20)

pytestmark = pytest.mark.usefixtures("quick_retries")


def test_the_token_travels_in_a_header_and_never_in_an_address_or_a_body() -> None:
    with tiktok({"adgroup/get/": listing(ad_group())}) as served:
        client(served).set_daily_budget(AD_SET, 51_000_000)
        assert writes(served)
        for request in served.requests:
            assert f"access-token: {TOKEN}" in request.lower()
            assert request.count(TOKEN) == 1


def test_lists_travel_as_json_text_in_the_query() -> None:
    with tiktok({REPORT: listing(report())}) as served:
        ads = client(served)
        assert ads.account().external_id == "7"
        assert list(ads.hours(DAY, DAY))
        (told,) = asked(served, REPORT)
        assert json.loads(asked(served, "advertiser/info/")[0]["advertiser_ids"]) == ["7"]
    assert json.loads(told["metrics"])[0] == "spend"
    assert (told["service_type"], told["report_type"], told["advertiser_id"]) == ("AUCTION", "BASIC", "7")


@pytest.mark.parametrize(("version", "advertiser"), [("", "7"), ("1.3", "7"), ("v1.3/..", "7"), ("v1.3", "x")])
def test_a_version_or_advertiser_that_is_none_is_refused(version: str, advertiser: str) -> None:
    with pytest.raises(ConfigurationError):
        TikTokAds(base_url="", version=version, access_token="t", advertiser_id=advertiser)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(40100), RateLimitedError),
        (error(40016), RateLimitedError),
        (error(40105), AuthenticationError),
        (error(40114), AuthenticationError),
        (error(40300), PermissionDeniedError),
        (error(41000), PermissionDeniedError),
        (error(40007), NotFoundError),
        (error(40002), ConfigurationError),
        (error(40907), ConfigurationError),
        (error(41002), ConfigurationError),
        (error(40913), TransientError),
        (error(40202), TransientError),
        (error(51010), TransientError),
        (says({"message": "no code"}), TransientError),
        (says(b"<html>", 504), TransientError),
        (says([1]), TransientError),  # type: ignore[arg-type]
        (hangs_up, TransientError),
    ],
)
def test_a_read_that_fails_says_how(answer: Script, kind: type[ConnectorError]) -> None:
    with tiktok({"adgroup/get/": answer}) as served, pytest.raises(ConnectorError) as caught:
        client(served).read(AD_SET)
    assert issubclass(type(caught.value), kind)
    assert caught.value.platform == "tiktok"


@pytest.mark.parametrize("answer", [error(50002), says(b"<html>", 502), hangs_up, error(40100)])
def test_a_read_gets_over_what_passes(answer: Script) -> None:
    with tiktok({"advertiser/info/": [answer, account()]}) as served:
        assert client(served).account().currency == "USD"


def test_a_stop_file_stops_writes_and_not_reads(tmp_path: Path) -> None:
    flag = tmp_path / "stop"
    flag.touch()
    with tiktok({"adgroup/get/": listing(ad_group())}) as served:
        ads = client(served, stop_file=flag)
        assert ads.read(AD_SET)
        with pytest.raises(NotSentError):
            ads.set_status(AD_SET, DeliveryStatus.PAUSED)
        assert writes(served) == []


ECHO = {"message": TOKEN, "data": {"adgroup_id": TOKEN}}


@pytest.mark.parametrize(
    "answer", [says({"code": 40002, **ECHO}), says({"code": 0, **ECHO}), says(TOKEN.encode()), hangs_up]
)
def test_no_secret_is_told_or_logged(caplog: pytest.LogCaptureFixture, answer: Script) -> None:
    caplog.set_level(logging.DEBUG)
    paths = ["adgroup/get/", "advertiser/info/", "adgroup/status/update/", "smart_plus/adgroup/get/"]
    with tiktok(dict.fromkeys(paths, answer)) as served:
        ads = client(served)
        calls: list[Any] = [
            ads.account,
            lambda: list(ads.ad_sets()),
            lambda: ads.read(AD_SET),
            lambda: ads.set_status(AD_SET, DeliveryStatus.PAUSED),
        ]
        for call in calls:
            with pytest.raises(ConnectorError) as caught:
                call()
            assert TOKEN not in str(caught.getrepr(chain=True))
        assert TOKEN not in f"{ads!r} {caplog.text}"

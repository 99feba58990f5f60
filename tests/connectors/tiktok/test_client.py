"""TikTok's answers that the sandbox does not give, over a real socket."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.contracts import DeliveryStatus, HourRecord
from connectors.errors import ConfigurationError, MalformedReplyError, NotFoundError, TransientError
from connectors.tiktok.client import TikTokAds
from tests.connectors.wire import Script, Wire, says, wire

TOKEN = "tiktok-test-token-123"


def client(served: Wire) -> TikTokAds:
    return TikTokAds(base_url=served.url, version="v1.3", access_token=TOKEN, advertiser_id="7", patience=2.0)


def data(**content: Any) -> Script:
    return says({"code": 0, "message": "OK", "request_id": "r", "data": content})


def account(currency: str = "USD", **changes: Any) -> Script:
    advertiser = {"advertiser_id": 7, "name": "A", "currency": currency, "timezone": "Etc/GMT+5"}
    return data(list=[advertiser | {"status": "STATUS_ENABLE"} | changes])


def listing(*found: dict[str, Any], pages: int = 1, total: int | None = None) -> Script:
    total = len(found) if total is None else total
    return data(list=list(found), page_info={"page": 1, "total_page": pages, "total_number": total})


def report(hour: str = "2026-11-20 09:00:00", ad_group: Any = "5", **figures: Any) -> dict[str, Any]:
    metrics = {"spend": "1.50", "impressions": "100", "clicks": "3", "complete_payment": "2"}
    metrics |= {"total_complete_payment_rate": "61.5"} | figures
    return {"dimensions": {"adgroup_id": ad_group, "stat_time_hour": hour}, "metrics": metrics}


def ad_group(**changes: Any) -> dict[str, Any]:
    row = {"adgroup_id": 5, "campaign_id": "3", "adgroup_name": "N", "operation_status": "ENABLE"}
    row |= {"secondary_status": "ADGROUP_STATUS_DELIVERY_OK", "budget_mode": "BUDGET_MODE_DAY", "budget": 20.1}
    return row | changes


def read_hours(*scripts: Script, last: str = "2026-11-20") -> list[HourRecord]:
    with wire(account(), *scripts) as served:
        return list(client(served).hours(date(2026, 11, 20), date.fromisoformat(last)))


def query(request: str) -> dict[str, Any]:
    return {name: value[0] for name, value in parse_qs(urlsplit(request.split(" ")[1]).query).items()}


def test_a_zone_named_by_its_offset_has_the_inverted_sign() -> None:
    assert read_hours(listing(report()))[0].hour == datetime(2026, 11, 20, 14, tzinfo=UTC)


def test_the_iana_name_is_preferred() -> None:
    with wire(account(display_timezone="Asia/Tokyo")) as served:
        assert client(served).account().timezone == "Asia/Tokyo"


def test_asks_for_one_day_at_a_time_with_deleted_ad_groups() -> None:
    with wire(account(), listing(report()), listing(report("2026-11-21 09:00:00"))) as served:
        found = list(client(served).hours(date(2026, 11, 20), date(2026, 11, 21)))
        asked = [query(request) for request in served.requests[1:]]
    assert [h.hour.day for h in found] == [20, 21]
    assert [(q["start_date"], q["end_date"]) for q in asked] == [("2026-11-20",) * 2, ("2026-11-21",) * 2]
    assert json.loads(json.loads(asked[0]["filtering"])[0]["filter_value"]) == ["STATUS_ALL"]


def test_figures_are_text_and_a_dash_is_unknown() -> None:
    found = read_hours(listing(report(complete_payment="-", total_complete_payment_rate="-")))
    assert [(h.spend_micros, h.conversions, h.conversion_value_micros) for h in found] == [(1_500_000, None, None)]
    assert read_hours(listing(report()))[0].conversion_value_micros == 61_500_000
    assert read_hours(listing(report(spend="-"))) == []


def test_rows_that_move_between_pages_are_read_again() -> None:
    one, two, three = (report(f"2026-11-20 0{n}:00:00") for n in (1, 2, 3))
    moved = [listing(one, two, pages=2, total=3), listing(two, pages=2, total=3)]
    still = [listing(one, two, pages=2, total=3), listing(three, pages=2, total=3)]
    assert len(read_hours(*moved, *still)) == 3
    with pytest.raises(TransientError):
        read_hours(listing(one, pages=1, total=3))


@pytest.mark.parametrize(
    ("changes", "daily", "lifetime", "status"),
    [
        ({}, 20_100_000, None, DeliveryStatus.ACTIVE),
        ({"budget_mode": "BUDGET_MODE_DYNAMIC_DAILY_BUDGET", "budget": 50}, 50_000_000, None, DeliveryStatus.ACTIVE),
        ({"budget_mode": "BUDGET_MODE_TOTAL"}, None, 20_100_000, DeliveryStatus.ACTIVE),
        ({"budget_mode": "BUDGET_MODE_INFINITE", "budget": 0.0}, None, None, DeliveryStatus.ACTIVE),
        ({"budget": 0.0}, None, None, DeliveryStatus.ACTIVE),
        ({"operation_status": "DISABLE"}, 20_100_000, None, DeliveryStatus.PAUSED),
        ({"operation_status": "DELETE"}, 20_100_000, None, DeliveryStatus.REMOVED),
        ({"secondary_status": "ADGROUP_STATUS_DELETE"}, 20_100_000, None, DeliveryStatus.REMOVED),
        ({"operation_status": "NEW_WORD"}, 20_100_000, None, DeliveryStatus.PAUSED),
    ],
)
def test_reads_an_ad_group_as_tiktok_sends_it(
    changes: dict[str, Any], daily: int | None, lifetime: int | None, status: DeliveryStatus
) -> None:
    with wire(listing(ad_group(**changes))) as served:
        found = client(served).read_ad_set("5")
    assert (found.daily_budget_micros, found.lifetime_budget_micros, found.status) == (daily, lifetime, status)


def test_another_ad_group_than_asked_for_is_not_taken() -> None:
    with wire(listing(ad_group(adgroup_id="6"))) as served, pytest.raises(NotFoundError):
        client(served).read_ad_set("5")


def test_another_advertiser_than_asked_for_is_not_taken() -> None:
    with wire(account(advertiser_id="8")) as served, pytest.raises(NotFoundError):
        client(served).account()


@pytest.mark.parametrize(
    ("currency", "micros", "sent"),
    [("USD", 20_100_000, "20.1"), ("USD", 9_999_999_990_000, "9999999.99"), ("JPY", 2_000_000_000, "2000.0")],
)
def test_a_budget_is_sent_with_exactly_its_digits(currency: str, micros: int, sent: str) -> None:
    with wire(account(currency), data(adgroup_id="5")) as served:
        client(served).set_daily_budget("5", micros)
        assert served.requests[-1].endswith(f'{{"advertiser_id":"7","adgroup_id":"5","budget":{sent}}}')
        assert f"access-token: {TOKEN}" in served.requests[-1].lower()


def test_a_budget_finer_than_the_currency_is_not_sent() -> None:
    with wire(account("JPY")) as served:
        with pytest.raises(ConfigurationError):
            client(served).set_daily_budget("5", 2_000_500_000)
        assert len(served.requests) == 1


@pytest.mark.parametrize(
    "row",
    [
        report("2026-11-20 09:30:00"),
        report("2026-11-20T09:00"),
        report(spend="1,5"),
        report(impressions="many"),
        report(ad_group=None),
        {"dimensions": None, "metrics": {}},
        {"dimensions": {"adgroup_id": "5"}, "metrics": None},
    ],
)
def test_a_report_of_an_unknown_shape_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        read_hours(listing(row))


@pytest.mark.parametrize("content", [{}, {"list": []}, {"list": [], "page_info": {"total_page": 1}}])
def test_a_listing_without_its_page_info_is_refused(content: dict[str, Any]) -> None:
    with wire(data(**content)) as served, pytest.raises(MalformedReplyError):
        list(client(served).ad_sets())


@pytest.mark.parametrize(("version", "advertiser"), [("", "7"), ("1.3", "7"), ("v1.3/..", "7"), ("v1.3", "x")])
def test_a_version_or_advertiser_that_is_none_is_refused(version: str, advertiser: str) -> None:
    with pytest.raises(ConfigurationError):
        TikTokAds(base_url="", version=version, access_token="t", advertiser_id=advertiser)

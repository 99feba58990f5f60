"""Meta's answers that the sandbox does not give, over a real socket."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.contracts import DeliveryStatus, HourRecord
from connectors.errors import ConfigurationError, MalformedReplyError, NotFoundError
from connectors.meta.client import MetaAds, appsecret_proof
from connectors.meta.errors import TooMuchDataError
from connectors.meta.parse import HOURLY
from tests.connectors.wire import Script, Wire, says, wire

TOKEN = "EAAB-test-token-123"
SECRET = "0123456789abcdef0123456789abcdef"
PROOF = "d66c311bf3ff4de3f74399bb84a84a3d5c4417de669edeab5da0133ec92063af"
ACCOUNT = {"id": "act_7", "name": "A", "currency": "USD", "timezone_name": "America/New_York"}
ACCOUNT |= {"account_status": "1", "min_daily_budget": "100"}
TOO_MUCH = says({"error": {"code": 100, "error_subcode": 1487534, "message": "less"}}, 400)


def client(served: Wire, **options: Any) -> MetaAds:
    return MetaAds(
        base_url=served.url,
        version="v26.0",
        access_token=TOKEN,
        app_secret=SECRET,
        account_id="7",
        patience=2.0,
        **options,
    )


def account(**changes: Any) -> Script:
    return says(ACCOUNT | changes)


def listing(*found: dict[str, Any], after: str | None = None) -> Script:
    paging: dict[str, Any] = {"cursors": {"before": "x", "after": after or "end"}}
    return says({"data": list(found), "paging": paging | ({"next": "https://next"} if after else {})})


def insight(hour: int | None, day: str = "2026-11-20", **figures: Any) -> dict[str, Any]:
    label = {} if hour is None else {HOURLY: f"{hour:02d}:00:00 - {hour:02d}:59:59"}
    row = {"adset_id": "5", "date_start": day, "date_stop": day, "spend": "1.50", "impressions": "100"}
    return row | {"clicks": "3"} | label | figures


def ad_set(**changes: Any) -> dict[str, Any]:
    row = {"id": "5", "account_id": "7", "campaign_id": "3", "name": "N", "status": "ACTIVE"}
    return row | {"effective_status": "CAMPAIGN_PAUSED", "daily_budget": "5000", "lifetime_budget": "0"} | changes


def read_hours(*scripts: Script, days: tuple[str, str] = ("2026-11-20", "2026-11-20")) -> list[HourRecord]:
    with wire(account(), *scripts) as served:
        return list(client(served).hours(*map(date.fromisoformat, days)))


def query(request: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.split(" ")[1]).query)


@pytest.mark.parametrize(
    ("token", "secret", "proof"),
    [
        (TOKEN, SECRET, PROOF),
        (
            "sandbox-user-token",
            "sandbox-app-secret",
            "44c393ddb528f60f630fe7b31d14876838715d6ea71af3b10cef8c144abcf990",
        ),
    ],
)
def test_the_proof_is_the_one_of_the_official_sdk(token: str, secret: str, proof: str) -> None:
    assert appsecret_proof(token, secret) == proof


def test_the_token_travels_in_a_header_and_never_in_an_address() -> None:
    with wire(account(), says({"success": True})) as served:
        client(served).set_daily_budget("5", 51_000_000)
        read, write = served.requests
        assert f"authorization: Bearer {TOKEN}".lower() in read.lower()
        assert query(read)["appsecret_proof"] == [PROOF]
        assert write.startswith("POST /v26.0/5 HTTP")
        assert write.endswith(f"daily_budget=5100&appsecret_proof={PROOF}")
        assert all(TOKEN not in request.split("\r\n")[0] for request in served.requests)


def test_a_budget_of_a_currency_without_cents_is_sent_in_whole_units() -> None:
    with wire(account(currency="HUF"), says({"success": True})) as served:
        meta = client(served)
        with pytest.raises(ConfigurationError):
            meta.set_daily_budget("5", 5_000_500_000)
        meta.set_daily_budget("5", 5_000_000_000)
        assert "daily_budget=5000&" in served.requests[-1]


def test_follows_next_and_not_the_length_of_a_page() -> None:
    with wire(account(), listing(ad_set(), after="a"), listing(after="b"), listing(ad_set(id="6"))) as served:
        assert [a.external_id for a in client(served).ad_sets()] == ["5", "6"]
        assert [query(r).get("after") for r in served.requests[1:]] == [None, ["a"], ["b"]]


def test_a_listing_that_turns_in_circles_is_an_error() -> None:
    with wire(account(), listing(ad_set(), after="a")) as served, pytest.raises(MalformedReplyError):
        list(client(served).ad_sets())


def test_a_next_page_without_a_cursor_is_an_error() -> None:
    broken = says({"data": [ad_set()], "paging": {"next": "https://next"}})
    with wire(account(), broken) as served, pytest.raises(MalformedReplyError):
        list(client(served).ad_sets())


@pytest.mark.parametrize(
    ("changes", "daily", "lifetime", "status", "learning"),
    [
        ({}, 50_000_000, None, DeliveryStatus.ACTIVE, None),
        ({"daily_budget": "0", "lifetime_budget": "99"}, None, 990_000, DeliveryStatus.ACTIVE, None),
        ({"daily_budget": None, "status": "ARCHIVED"}, None, None, DeliveryStatus.REMOVED, None),
        ({"configured_status": "PAUSED"}, 50_000_000, None, DeliveryStatus.PAUSED, None),
        ({"status": "NEW_WORD"}, 50_000_000, None, DeliveryStatus.PAUSED, None),
        ({"learning_stage_info": {"status": "LEARNING"}}, 50_000_000, None, DeliveryStatus.ACTIVE, True),
        ({"learning_stage_info": {"status": "SUCCESS"}}, 50_000_000, None, DeliveryStatus.ACTIVE, False),
        ({"learning_stage_info": {}}, 50_000_000, None, DeliveryStatus.ACTIVE, None),
    ],
)
def test_reads_an_ad_set_as_meta_sends_it(
    changes: dict[str, Any], daily: int, lifetime: int, status: DeliveryStatus, learning: bool
) -> None:
    with wire(says(ad_set(**changes)), account()) as served:
        found = client(served).read_ad_set("5")
    assert (found.daily_budget_micros, found.lifetime_budget_micros) == (daily, lifetime)
    assert (found.status, found.in_learning) == (status, learning)
    assert found.effective_status == "CAMPAIGN_PAUSED"


def test_an_ad_set_of_another_account_is_not_found() -> None:
    with wire(says(ad_set(account_id="8"))) as served, pytest.raises(NotFoundError):
        client(served).read_ad_set("5")


@pytest.mark.parametrize("budget", ["50.00", "-1", "abc", 5.5, True, "٣"])
def test_a_budget_of_an_unknown_shape_is_refused(budget: object) -> None:
    with wire(says(ad_set(daily_budget=budget)), account()) as served, pytest.raises(MalformedReplyError):
        client(served).read_ad_set("5")


def test_spend_is_in_whole_units_and_purchases_are_unknown() -> None:
    assert read_hours(listing(insight(9))) == [
        HourRecord("5", datetime(2026, 11, 20, 14, tzinfo=UTC), 1_500_000, 100, 3, None, None)
    ]


def test_a_row_without_an_hour_or_a_figure_is_a_missing_hour() -> None:
    idle = insight(None, spend="0", impressions="0", clicks="0")
    assert read_hours(listing(idle, insight(3, spend=None), insight(4, clicks=None))) == []


def test_the_repeated_hour_of_autumn_is_booked_once() -> None:
    found = read_hours(
        listing(insight(1, "2026-11-01", spend="4"), insight(2, "2026-11-01")), days=("2026-11-01", "2026-11-01")
    )
    assert [(h.hour.hour, h.spend_micros) for h in found] == [(5, 4_000_000), (7, 1_500_000)]


@pytest.mark.parametrize(
    "row",
    [
        insight(None),
        insight(9, **{HOURLY: "24:00:00 - 24:59:59"}),
        insight(9, **{HOURLY: "09:00:00 - 10:59:59"}),
        insight(9, day="2026-13-01"),
        insight(9, spend="-1.00"),
        insight(9, spend="1e3"),
        insight(9, adset_id=None),
    ],
)
def test_an_hour_of_an_unknown_shape_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        read_hours(listing(row))


def test_the_same_hour_twice_is_refused() -> None:
    with pytest.raises(MalformedReplyError):
        read_hours(listing(insight(9), after="a"), listing(insight(9, spend="2.00")))


def test_too_much_data_is_asked_for_in_halves() -> None:
    days = ("2026-11-18", "2026-11-20")
    first, second = listing(insight(1, "2026-11-18")), listing(insight(1, "2026-11-20"))
    found = read_hours(TOO_MUCH, first, second, days=days)
    assert [h.hour.day for h in found] == [18, 20]


def test_too_much_data_for_one_day_is_an_error() -> None:
    with pytest.raises(TooMuchDataError):
        read_hours(TOO_MUCH)


@pytest.mark.parametrize("version", ["", "26.0", "v26", "v26.0/../..", "v26.0\n"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError):
        MetaAds(base_url="", version=version, access_token="t", account_id="act_7")


@pytest.mark.parametrize("account_id", ["", "act_", "act_act_1", "7/../8", "seven"])
def test_an_account_that_is_none_is_refused(account_id: str) -> None:
    with pytest.raises(ConfigurationError):
        MetaAds(base_url="", version="v26.0", access_token="t", account_id=account_id)

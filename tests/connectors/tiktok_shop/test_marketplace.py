"""Settlements, payments, affiliates, returns and statistics of a shop; commissions of a creator."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from connectors.errors import ConfigurationError, MalformedReplyError, PermissionDeniedError
from connectors.store_contracts import (
    AffiliateRecord,
    CreatorPlatform,
    Marketplace,
    PaymentRecord,
    ReturnRecord,
    ShopDayRecord,
    ShopHourRecord,
    StatementRecord,
)
from tests.connectors.tiktok_shop.answers import (
    CREATOR_SALES,
    NOW,
    RETURNS,
    SELLER_SALES,
    SHOPS,
    body,
    client,
    creator,
    creator_sku,
    data,
    error,
    money,
    query,
    returned,
    seller_sku,
    sent,
    shop,
    tiktok_shop,
    verb,
)
from tests.connectors.wire import Script

END = datetime.fromtimestamp(NOW, UTC)
START = END - timedelta(days=1)
STATEMENTS, PAYMENTS = "/finance/202309/statements", "/finance/202605/payments"
DAYS = "/analytics/202609/shop/performance"
SCORE, METRICS = (f"/analytics/202606/shop_performances/{name}" for name in ("overview", "metrics"))

pytestmark = pytest.mark.usefixtures("quick_retries")


def in_region(code: str) -> Script:
    return data(shops=[shop(region=code)])


def test_a_statement_may_be_below_zero_and_without_what_its_region_lacks() -> None:
    row = {"id": "s1", "statement_time": NOW - 60, "currency": "USD", "payment_status": "PAID", "payment_id": ""}
    row |= {"settlement_amount": "-12.34", "revenue_amount": "", "net_sales_amount": "0", "fee_amount": "-1.2"}
    with tiktok_shop({STATEMENTS: data(statements=[row])}) as served:
        platform: Marketplace = client(served)
        (record,) = platform.statements(START, END)
        (request,) = served.requests
    at = END - timedelta(seconds=60)
    expected = StatementRecord("s1", at, "USD", "PAID", "", -12_340_000, None, 0, -1_200_000, None, None)
    assert record == expected
    assert verb(request) == f"GET {STATEMENTS}"
    asked = query(request)
    assert (asked["sort_field"], asked["sort_order"]) == ("statement_time", "ASC")
    assert (asked["statement_time_ge"], asked["statement_time_lt"]) == (str(NOW - 86_400), str(NOW))


def test_a_payment_tells_when_it_arrived_and_nothing_of_the_account() -> None:
    row = {"id": "p1", "create_time": NOW - 60, "status": "PAID", "amount": {"value": "10.5", "currency": "USD"}}
    row |= {"paid_time": 0, "bank_account": "**** 4417"}
    told = data(payments=[row, row | {"id": "p2", "paid_time": NOW - 30}, row | {"id": "p3", "create_time": NOW}])
    with tiktok_shop({PAYMENTS: told}) as served:
        first, second = client(served).payments(START, END)
    assert first == PaymentRecord("p1", END - timedelta(seconds=60), None, "PAID", "USD", 10_500_000)
    assert second.paid_at == END - timedelta(seconds=30)


def test_payments_are_not_asked_for_where_tiktok_has_none() -> None:
    with tiktok_shop({SHOPS: in_region("VN")}) as served:
        assert list(client(served).payments(START, END)) == []
        assert sent(served, PAYMENTS) == []


def affiliate_order(*skus: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"id": "1", "create_time": NOW - 60, "skus": list(skus)} | changes


def test_what_a_creator_brought_is_told_by_sku() -> None:
    ads = seller_sku(
        sku_id="33",
        settlement_status="To-SETTLE",
        estimated_paid_shop_ads_commission=money("$1,000.90"),
        actual_paid_commission=money("0"),
    )
    pages = [
        data(orders=[affiliate_order(seller_sku())], next_page_token="x", total_count=2),
        data(orders=[affiliate_order(ads)]),
    ]
    with tiktok_shop({SELLER_SALES: pages}) as served:
        first, second = client(served).affiliate_orders(START, END)
        assert query(served.requests[0])["shop_cipher"]
    at = END - timedelta(seconds=60)
    assert first == AffiliateRecord(
        "1", "22", at, "SETTLED", "VIDEO", 2, "USD", 20_000_000, 155_000, 3_100_000, 1_550_000, "mia", ""
    )
    assert (second.sku_external_id, second.estimated_micros, second.commission_micros) == ("33", 1_004_000_000, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1_550_000),
        ({"settlement_status": "INELIGIBLE", "actual_paid_commission": money("")}, 0),
        ({"settlement_status": "AWAITING PAYMENT"}, None),
        ({"settlement_status": "Unknown"}, None),
        ({"actual_paid_commission": money("")}, None),
        ({"actual_paid_commission": money("1.55", "EUR")}, None),
        ({"actual_paid_partner_commission": money("0.45")}, 2_000_000),
    ],
)
def test_a_commission_is_known_once_it_is_settled(changes: dict[str, Any], expected: int | None) -> None:
    with tiktok_shop({SELLER_SALES: data(orders=[affiliate_order(seller_sku(**changes))])}) as served:
        (record,) = client(served).affiliate_orders(START, END)
    assert record.commission_micros == expected


@pytest.mark.parametrize(
    ("rates", "ppm"),
    [
        ({"commission_rate": "1550"}, 155_000),
        ({"commission_rate": "", "partner_commission_rate": "1"}, 100),
        ({"commission_rate": None, "shop_ads_commission_rate": 5000}, 500_000),
        ({"commission_rate": ""}, None),
    ],
)
def test_rates_are_hundredths_of_a_percent(rates: dict[str, Any], ppm: int | None) -> None:
    with tiktok_shop({SELLER_SALES: data(orders=[affiliate_order(seller_sku(**rates))])}) as served:
        (record,) = client(served).affiliate_orders(START, END)
    assert record.commission_rate_ppm == ppm


def test_a_long_span_is_asked_in_windows_that_touch_and_are_no_longer_than_three_months() -> None:
    start = END - timedelta(days=200)
    with tiktok_shop({}) as served:
        list(client(served).affiliate_orders(start, END))
        windows = [body(request) for request in sent(served, SELLER_SALES)]
    edges = [window["create_time_ge"] for window in windows] + [windows[-1]["create_time_lt"]]
    assert (edges[0], edges[-1]) == (NOW - 200 * 86_400, NOW)
    assert [window["create_time_lt"] for window in windows] == edges[1:]
    assert max(late - early for early, late in pairwise(edges)) <= 89 * 86_400


def test_an_empty_span_is_no_request() -> None:
    with tiktok_shop({}) as served:
        assert list(client(served).affiliate_orders(END, END)) == []
        assert served.requests == []


def test_a_creator_is_told_their_own_commissions() -> None:
    settled = creator_sku(id="33", actual_commission=money("1.234,56 €", "EUR"), price=money("5", "EUR"))
    told = [
        affiliate_order(creator_sku(), status="To-SETTLE"),
        affiliate_order(settled, id=2, status="SETTLED"),
        affiliate_order(creator_sku(), id="3", status="REFUNDED"),
    ]
    with tiktok_shop({CREATOR_SALES: data(orders=told)}) as served:
        platform: CreatorPlatform = creator(served)
        first, second, third = platform.commissions(START, END)
    at = END - timedelta(seconds=60)
    assert first == AffiliateRecord(
        "1", "22", at, "To-SETTLE", "LIVE", 1, "USD", 10_000_000, 150_000, 1_500_000, None, "", "Tea"
    )
    assert (second.order_external_id, second.currency, second.commission_micros) == ("2", "EUR", 1_234_560_000)
    assert third.commission_micros == 0


FINAL = {
    "RETURN_OR_REFUND_REQUEST_COMPLETE",
    "REPLACEMENT_REQUEST_REFUND_SUCCESS",
    "EXCHANGE_REQUEST_REFUND_SUCCESS",
}
STATUSES = [
    "RETURN_OR_REFUND_REQUEST_PENDING",
    "REFUND_OR_RETURN_REQUEST_REJECT",
    "AWAITING_BUYER_SHIP",
    "AWAITING_BUYER_RESPONSE",
    "BUYER_SHIPPED_ITEM",
    "REJECT_RECEIVE_PACKAGE",
    "RETURN_OR_REFUND_REQUEST_SUCCESS",
    "RETURN_OR_REFUND_REQUEST_CANCEL",
    "REPLACEMENT_REQUEST_PENDING",
    "REPLACEMENT_REQUEST_REJECT",
    "REPLACEMENT_REQUEST_CANCEL",
    "REPLACEMENT_REQUEST_COMPLETE",
    "EXCHANGE_REQUEST_PENDING",
    "EXCHANGE_REQUEST_CANCEL",
    "EXCHANGE_REQUEST_COMPLETE",
    *sorted(FINAL),
]


@pytest.mark.parametrize("status", STATUSES)
def test_a_return_is_final_when_the_buyer_has_the_money(status: str) -> None:
    with tiktok_shop({RETURNS: data(return_orders=[returned(return_status=status)])}) as served:
        (record,) = client(served).returns(START, END)
    assert (record.status, record.is_refunded) == (status, status in FINAL)


def test_a_return_tells_what_the_buyer_gets_back_and_how_many_units() -> None:
    lines = [{"sku_id": "22"}, {"sku_id": "22"}]
    told = [
        returned(return_line_items=lines),
        returned(2, refund_amount=None, return_status="REPLACEMENT_REQUEST_PENDING"),
    ]
    with tiktok_shop({RETURNS: data(return_orders=told, total_count=2), SHOPS: in_region("GB")}) as served:
        first, second = client(served).returns(START, END - timedelta(minutes=1))
        (request,) = sent(served, RETURNS)
    created, updated = END - timedelta(seconds=900), END - timedelta(seconds=100)
    status = "RETURN_OR_REFUND_REQUEST_COMPLETE"
    assert first == ReturnRecord("r1", "1", created, updated, status, True, "USD", 12_300_000, 2)
    assert (second.currency, second.amount_micros, second.is_refunded) == ("GBP", 0, False)
    assert body(request) == {"update_time_ge": NOW - 86_400, "update_time_lt": NOW - 60}
    assert (query(request)["sort_field"], query(request)["sort_order"]) == ("update_time", "ASC")


def test_a_refund_without_its_amount_is_refused() -> None:
    told = data(return_orders=[returned(refund_amount=None)])
    with tiktok_shop({RETURNS: told}) as served, pytest.raises(MalformedReplyError):
        list(client(served).returns(START, END))


def hourly(day: date) -> str:
    return f"/analytics/202510/shop/performance/{day}/performance_per_hour"


def interval(index: int, gmv: str = "0", orders: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "gmv": money(gmv), "orders_count": orders, "visitors": 0, "customers": 0} | more


def statistics(*intervals: dict[str, Any], until: datetime | None = None) -> Script:
    ready = {} if until is None else {"latest_available_timestamp": int(until.timestamp())}
    return data(performance={"intervals": list(intervals), **ready})


def every(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """24 hours, each with as many dollars as its label, but for those that are given."""
    return [interval(index, f"{index}.5", 1) | changes.get(f"at{index}", {}) for index in range(24)]


def hours_of(day: date, answer: Script, zone: str = "America/New_York") -> list[ShopHourRecord]:
    with tiktok_shop({hourly(day): answer}) as served:
        found = client(served, timezone=zone).shop_hours(day)
        assert query(sent(served, hourly(day))[0])["currency"] == "LOCAL"
        return found


def test_an_hour_of_the_shop_is_one_of_its_own_calendar() -> None:
    day = date(2026, 11, 17)
    found = hours_of(day, statistics(*every(at3={"visitors": 40, "customers": 3, "customers_count": 4})))
    assert len(found) == 24
    first = datetime(2026, 11, 17, 5, tzinfo=UTC)
    assert [record.hour for record in found] == [first + timedelta(hours=n) for n in range(24)]
    assert found[3] == ShopHourRecord(first + timedelta(hours=3), "USD", 3_500_000, 1, 40, 4)


def test_only_hours_that_have_ended_are_told() -> None:
    day = END.date()
    until = datetime(2026, 11, 18, 9, tzinfo=UTC)
    assert len(hours_of(day, statistics(*every(), until=until), "UTC")) == 9
    assert len(hours_of(day, statistics(*every()), "UTC")) == END.hour


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 11, 1), 24), (date(2026, 3, 8), 23)])
def test_no_sale_of_a_day_is_lost_when_the_clock_changes(day: date, hours: int) -> None:
    until = END
    found = hours_of(day, statistics(*every(), until=until))
    assert len(found) == hours
    assert sum(record.gmv_micros for record in found) == sum(range(24)) * 1_000_000 + 12_000_000
    assert sum(record.orders for record in found) == 24
    assert [record.hour for record in found] == sorted(record.hour for record in found)


def test_the_label_that_occurs_twice_is_its_first_hour() -> None:
    found = hours_of(date(2026, 11, 1), statistics(*every(), until=END))
    assert [record.hour.hour for record in found[:4]] == [4, 5, 7, 8]


def test_people_under_a_label_that_does_not_occur_are_not_counted_twice() -> None:
    people = {"visitors": 5, "customers": 0}
    told = every(at2={"visitors": 7, "customers": 2}, at3=people)
    found = hours_of(date(2026, 3, 8), statistics(*told, until=END))
    assert (found[2].gmv_micros, found[2].visitors, found[2].customers) == (6_000_000, None, 2)


@pytest.mark.parametrize("index", [24, -1, None, "x", 3])
def test_an_hour_that_is_none_is_refused(index: Any) -> None:
    told = statistics(interval(3), {**interval(0), "index": index})
    with pytest.raises(MalformedReplyError):
        hours_of(date(2026, 11, 17), told)


def test_a_day_that_is_kept_no_longer_has_no_hours() -> None:
    old, new = END.date() - timedelta(days=30), END.date() - timedelta(days=29)
    refusal = error(36009004, "Invalid date", 400)
    assert hours_of(old, refusal, "UTC") == []
    assert hours_of(new, data()) == []
    with pytest.raises(ConfigurationError):
        hours_of(new, refusal, "UTC")
    with pytest.raises(PermissionDeniedError):
        hours_of(old, error(105005, status=403), "UTC")


def day_of(day: str, **more: Any) -> dict[str, Any]:
    sales = {"gmv": money("100.00"), "orders_count": 7, "items_sold": 9}
    return {"start_date": day, "end_date": day, "sales": sales, "traffic": {"avg_visitors": 300}} | more


def test_a_day_of_the_shop_comes_with_what_creators_brought() -> None:
    by_creators = {"creator_live_attributed_gmv": money("1.00"), "creator_video_attributed_gmv": money("2.00")}
    sales = {"gmv": money("100.00"), "orders_count": 7, **by_creators}
    split = day_of("2026-11-02", sales=sales, breakdowns={"affiliate_product_card_attributed_gmv": money("0.50")})
    told = data(
        latest_available_date="2026-11-02",
        performance={"intervals": [day_of("2026-11-01"), split, day_of("2026-11-03")]},
    )
    with tiktok_shop({DAYS: told}) as served:
        first, second = client(served).shop_days(date(2026, 11, 1), date(2026, 11, 3))
        asked = query(served.requests[0])
    assert first == ShopDayRecord(date(2026, 11, 1), "USD", 100_000_000, 7, 9, 300, None)
    assert (second.affiliate_gmv_micros, second.units) == (3_500_000, None)
    assert (asked["start_date_ge"], asked["end_date_lt"]) == ("2026-11-01", "2026-11-04")
    assert (asked["granularity"], asked["currency"]) == ("1D", "LOCAL")


def test_many_days_are_asked_thirty_at_a_time() -> None:
    with tiktok_shop({}) as served:
        assert list(client(served).shop_days(date(2026, 1, 1), date(2026, 3, 1))) == []
        spans = [(query(r)["start_date_ge"], query(r)["end_date_lt"]) for r in served.requests]
    assert spans == [("2026-01-01", "2026-01-31"), ("2026-01-31", "2026-03-02")]


OVERVIEW = {
    "sps_score": "4.3",
    "sps_tier": "GOOD",
    "update_time": NOW,
    "dimensions": [{"name": "Product", "score": "4"}],
}
LATE = {"metric_code": "OTDR", "score": "3.5", "value": "97.25", "value_unit": "PERCENT"}


def test_the_score_of_a_shop_is_told_with_its_parts() -> None:
    slow = {"metric_code": "AHT", "score": "", "value": "12.5", "value_unit": "HOURS"}
    with tiktok_shop({SCORE: data(**OVERVIEW), METRICS: data(metrics=[LATE, slow])}) as served:
        found = client(served).health()
    assert found is not None
    assert (found.evaluated_at, found.score_ppm, found.tier) == (END, 4_300_000, "GOOD")
    assert found.dimensions == (("Product", 4_000_000),)
    assert found.metrics == (("OTDR", 3_500_000, 972_500, "PERCENT"), ("AHT", None, 12_500_000, "HOURS"))


@pytest.mark.parametrize("told", [{}, {"sps_tier": "NIL", "sps_score": "", "update_time": NOW}, {"sps_score": "4.0"}])
def test_a_shop_without_a_score_has_no_health(told: dict[str, Any]) -> None:
    with tiktok_shop({SCORE: data(**told)}) as served:
        assert client(served).health() is None


def test_a_market_without_scores_is_not_asked() -> None:
    with tiktok_shop({SHOPS: in_region("GB")}) as served:
        assert client(served).health() is None
        assert len(served.requests) == 1


def test_a_score_that_may_not_be_seen_is_no_missing_score() -> None:
    with tiktok_shop({SCORE: error(105005, status=403)}) as served, pytest.raises(PermissionDeniedError):
        client(served).health()

"""Commissions, statements, payments and statistics of TikTok Shop, which agree with the orders behind them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.seller import Seller

NOW, DAY = int(START.timestamp()), 86400
SELLERS_SIDE, CREATORS_SIDE = "/affiliate_seller/202410/orders/search", "/affiliate_creator/202410/orders/search"
STATEMENTS, PAYMENTS = "/finance/202309/statements", "/finance/202605/payments"
DAILY, SCORE = "/analytics/202609/shop/performance", "/analytics/202606/shop_performances/"
NEW_YORK = ZoneInfo("America/New_York")
RETURNS = "/return_refund/202602/returns/search"


@pytest.fixture(scope="module")
def seller() -> Iterator[Seller]:
    with running_sandbox(start=START, days=40, tenants=3) as running:
        yield Seller(running.url)


@pytest.fixture(scope="module")
def orders(seller: Seller) -> list[dict[str, Any]]:
    return seller.all_orders()


@pytest.fixture(scope="module")
def affiliates(seller: Seller) -> list[dict[str, Any]]:
    """SKU rows of the seller's side, each with its order's id."""
    return rows(seller.pages(SELLERS_SIDE, "orders", {}, page_size="100"))


def rows(orders: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**sku, "order": order["id"]} for order in orders for sku in order["skus"]]


def amount(told: dict[str, str]) -> Decimal:
    return Decimal(told["amount"])


def pay(order: dict[str, Any], name: str) -> Decimal:
    return Decimal(order["payment"][name])


def hourly(seller: Seller, day: str, **params: str) -> Any:
    path = f"/analytics/202510/shop/performance/{day}/performance_per_hour"
    return seller.asks(path, **params)["performance"]


def sales(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [order for order in orders if "paid_time" in order and not order["is_sample_order"]]


def test_pages_of_commissions_hold_every_sku_once(seller: Seller, affiliates: list[dict[str, Any]]) -> None:
    body = {"create_time_ge": NOW - 40 * DAY, "create_time_lt": NOW + 1}
    found = rows(seller.pages(SELLERS_SIDE, "orders", body, page_size="7"))
    assert found == affiliates
    assert seller.posts(SELLERS_SIDE, body)["total_count"] == len(found)
    assert len({(row["order"], row["sku_id"]) for row in found}) == len(found)


def test_about_a_quarter_of_the_orders_came_through_creators(
    orders: list[dict[str, Any]], affiliates: list[dict[str, Any]]
) -> None:
    brought = {row["order"] for row in affiliates}
    assert brought < {order["id"] for order in orders}
    assert 0.2 < len(brought) / len(orders) < 0.3
    assert {row["content_type"] for row in affiliates} >= {"VIDEO", "LIVE", "SHOP", "LINKSHARE"}
    assert len({row["creator_username"] for row in affiliates}) > 3
    assert {1000 <= int(row["commission_rate"]) <= 2000 for row in affiliates} == {True}


def test_a_commission_is_the_rate_of_its_base_and_paid_some_days_after_delivery(
    orders: list[dict[str, Any]], affiliates: list[dict[str, Any]]
) -> None:
    held = {order["id"]: order for order in orders}
    counted = Counter(row["settlement_status"] for row in affiliates)
    assert set(counted) >= {"SETTLED", "To-SETTLE", "INELIGIBLE"}
    for row in affiliates:
        base = Decimal(row["estimated_commission_base"]["amount"].removeprefix("$").replace(",", ""))
        expected = base * int(row["commission_rate"]) / 10_000
        assert 0 <= expected - amount(row["estimated_paid_commission"]) < Decimal("0.01")
        settled = row["settlement_status"] == "SETTLED"
        assert (row["actual_paid_commission"]["amount"] != "") == settled
        if settled:
            assert held[row["order"]]["delivery_time"] + 6 * DAY < NOW
            assert amount(row["actual_paid_commission"]) <= amount(row["estimated_paid_commission"])


def test_a_cancelled_order_brings_no_commission(orders: list[dict[str, Any]], affiliates: list[dict[str, Any]]) -> None:
    cancelled = {order["id"] for order in orders if order["status"] == "CANCELLED"}
    told = {row["settlement_status"] for row in affiliates if row["order"] in cancelled}
    assert told == {"INELIGIBLE"}


def test_more_than_three_months_at_once_are_refused(seller: Seller) -> None:
    token = seller.keys["creator_access_token"]
    body = {"create_time_ge": NOW - 100 * DAY, "create_time_lt": NOW}
    assert seller.refused(seller.raw("POST", SELLERS_SIDE, body)) == (400, 36009004)
    refused = seller.raw("POST", CREATORS_SIDE, body, token=token, cipher=False)
    assert seller.refused(refused) == (400, 36009004)
    assert seller.posts(SELLERS_SIDE, {"create_time_ge": NOW - 90 * DAY, "create_time_lt": NOW})["total_count"] > 0


def test_a_creator_earns_on_the_sales_of_other_shops(seller: Seller, affiliates: list[dict[str, Any]]) -> None:
    page = seller.creator("POST", CREATORS_SIDE, {}, page_size="100")
    earned = rows(page["orders"])
    assert len(earned) == 100 < page["total_count"]
    assert not {row["order"] for row in earned} & {row["order"] for row in affiliates}
    assert "Alder & Pine" not in {row["shop_name"] for row in earned}
    assert {order["status"] for order in page["orders"]} <= {"AWAITING PAYMENT", "To-SETTLE", "SETTLED", "REFUNDED"}
    for row in earned:
        assert row["commission_rate"] == row["standard_commission_rate"]
        plain = row["estimated_standard_commission"]["amount"]
        assert row["estimated_commission"]["amount"] == f"${plain}"


def test_amounts_for_display_are_written_as_the_region_does(seller: Seller) -> None:
    shown = []
    for tenant in (1, 2):
        other = Seller(seller.url, tenant=tenant)
        page = other.posts(SELLERS_SIDE, {}, page_size="100")
        shown.append(max((row["estimated_commission_base"]["amount"] for row in rows(page["orders"])), key=len))
    assert shown[0].endswith(" €")
    assert "," in shown[0]
    assert shown[1].startswith("¥")
    assert "." not in shown[1]


def test_statements_are_daily_and_say_how_the_settlement_comes_about(seller: Seller) -> None:
    found = seller.pages(STATEMENTS, "statements", method="GET", sort_field="statement_time", sort_order="ASC")
    times = [each["statement_time"] for each in found]
    assert times == sorted(set(times))
    assert {time % DAY for time in times} == {0}
    for each in found:
        parts = ("net_sales_amount", "fee_amount", "shipping_cost_amount", "adjustment_amount")
        assert Decimal(each["settlement_amount"]) == sum(Decimal(each[name]) for name in parts)
        assert Decimal(each["fee_amount"]) < 0 < Decimal(each["settlement_amount"])
        assert "revenue_amount" not in each
    assert any(Decimal(each["adjustment_amount"]) for each in found)


def test_net_sales_of_a_statement_are_what_completed_orders_of_the_day_before_kept(
    seller: Seller, orders: list[dict[str, Any]]
) -> None:
    returned: dict[str, Decimal] = defaultdict(Decimal)
    platform: dict[str, Decimal] = defaultdict(Decimal)
    held = {order["id"]: order for order in orders}
    for each in seller.pages(RETURNS, "return_orders", {}, page_size="50"):
        if each["return_status"] == "RETURN_OR_REFUND_REQUEST_COMPLETE":
            lines = {line["id"]: line for line in held[each["order_id"]]["line_items"]}
            returned[each["order_id"]] = Decimal(each["refund_amount"]["refund_total"])
            gone = [lines[line["order_line_item_id"]] for line in each["return_line_items"]]
            platform[each["order_id"]] = sum((Decimal(line["platform_discount"]) for line in gone), Decimal())
    kept: dict[int, Decimal] = defaultdict(Decimal)
    for order in sales(orders):
        if order["status"] == "COMPLETED":
            earned = pay(order, "sub_total") + pay(order, "platform_discount")
            kept[order["update_time"] // DAY + 1] += earned - returned[order["id"]] - platform[order["id"]]
    found = seller.pages(STATEMENTS, "statements", method="GET", sort_field="statement_time")
    told = {each["statement_time"] // DAY: Decimal(each["net_sales_amount"]) for each in found}
    assert told == {day: total for day, total in kept.items() if total and day * DAY <= NOW}


def test_revenue_is_told_outside_of_britain_and_the_states(seller: Seller) -> None:
    german = Seller(seller.url, tenant=1).asks(STATEMENTS, sort_field="statement_time")["statements"]
    assert {each["revenue_amount"] == each["net_sales_amount"] for each in german} == {True}
    assert {each["currency"] for each in german} == {"EUR"}


def test_every_payment_pays_one_statement(seller: Seller) -> None:
    statements = seller.pages(STATEMENTS, "statements", method="GET", sort_field="statement_time")
    payments = seller.pages(PAYMENTS, "payments", method="GET", sort_field="create_time", page_size="7")
    held = {each["payment_id"]: each for each in statements if each["payment_id"]}
    assert [each["id"] for each in payments] == list(held)
    for each in payments:
        assert each["amount"] == {"value": held[each["id"]]["settlement_amount"], "currency": "USD"}
        assert each["status"] == held[each["id"]]["payment_status"]
        assert (each["paid_time"] > 0) == (each["status"] == "PAID")
    assert {each["status"] for each in payments} == {"PAID", "PROCESSING"}
    paid = seller.pages(STATEMENTS, "statements", method="GET", sort_field="statement_time", payment_status="PAID")
    assert paid == [each for each in statements if each["payment_status"] == "PAID"]


@pytest.mark.parametrize("path", [STATEMENTS, PAYMENTS])
def test_finance_needs_its_sort_field(seller: Seller, path: str) -> None:
    assert seller.refused(seller.raw("GET", path)) == (400, 36009004)
    assert seller.refused(seller.raw("GET", path, params={"sort_field": "id"})) == (400, 36009004)


def test_the_hours_of_every_day_agree_with_the_orders(seller: Seller, orders: list[dict[str, Any]]) -> None:
    gmv: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    count: Counter[tuple[str, int]] = Counter()
    for order in sales(orders):
        paid = datetime.fromtimestamp(order["paid_time"], NEW_YORK)
        gmv[str(paid.date()), paid.hour] += pay(order, "total_amount")
        count[str(paid.date()), paid.hour] += 1
    for day in (str(date(2026, 10, 8) + timedelta(days=k)) for k in range(28)):
        told = hourly(seller, day)
        assert [each["index"] for each in told["intervals"]] == list(range(24))
        for each in told["intervals"]:
            assert (amount(each["gmv"]), each["orders_count"]) == (gmv[day, each["index"]], count[day, each["index"]])
        overall = told["overall"]
        assert overall["orders_count"] == sum(count[day, hour] for hour in range(24))
        content = ("live_attributed_gmv", "video_attributed_gmv", "product_card_attributed_gmv")
        assert sum(amount(overall[name]) for name in content) == amount(overall["gmv"])


def test_today_has_the_hours_that_ended_and_a_day_of_25_hours_all_of_its_sales(
    seller: Seller, orders: list[dict[str, Any]]
) -> None:
    today = hourly(seller, "2026-11-05")
    assert [each["index"] for each in today["intervals"]] == list(range(10))
    assert today["latest_available_timestamp"] == NOW
    long_day = hourly(seller, "2026-11-01")
    local = (datetime.fromtimestamp(o["paid_time"], UTC).astimezone(NEW_YORK).date() for o in sales(orders))
    assert long_day["overall"]["orders_count"] == sum(day == date(2026, 11, 1) for day in local)


@pytest.mark.parametrize("day", ["2026-11-06", "2026-10-01", "20261103", "2026-W45-2", "today", "0001-01-01"])
def test_hours_are_told_for_thirty_days_only(seller: Seller, day: str) -> None:
    path = f"/analytics/202510/shop/performance/{day}/performance_per_hour"
    assert seller.refused(seller.raw("GET", path)) == (400, 36009004)


def test_days_agree_with_their_hours_and_end_yesterday(seller: Seller) -> None:
    asked = {"start_date_ge": "2026-10-28", "end_date_lt": "2026-11-09"}
    told = seller.asks(DAILY, **asked, granularity="1D")
    days = told["performance"]["intervals"]
    assert told["latest_available_date"] == "2026-11-04"
    assert [each["start_date"] for each in days] == [str(date(2026, 10, 28) + timedelta(days=k)) for k in range(8)]
    for each in days:
        overall = hourly(seller, each["start_date"])["overall"]
        for name in ("gmv", "orders_count", "items_sold", "customers_count"):
            assert each["sales"][name] == overall[name]
    (whole,) = seller.asks(DAILY, **asked)["performance"]["intervals"]
    assert amount(whole["sales"]["gmv"]) == sum(amount(each["sales"]["gmv"]) for each in days)


def test_what_creators_brought_on_a_day_is_told_apart(
    seller: Seller, orders: list[dict[str, Any]], affiliates: list[dict[str, Any]]
) -> None:
    asked = {"start_date_ge": "2026-10-28", "end_date_lt": "2026-11-05"}
    (whole,) = seller.asks(DAILY, **asked)["performance"]["intervals"]
    brought = {row["order"] for row in affiliates}
    expected = sum(
        (
            pay(order, "total_amount")
            for order in sales(orders)
            if order["id"] in brought
            and "2026-10-28" <= str(datetime.fromtimestamp(order["paid_time"], NEW_YORK).date()) < "2026-11-05"
        ),
        Decimal(),
    )
    parts = whole["breakdowns"]["content_breakdown"]
    told = sum(amount(part["gmv"]) for part in parts if part["channel"] == "CREATOR")
    assert told + amount(whole["breakdowns"]["affiliate_product_card_attributed_gmv"]) == expected > 0


def test_statistics_come_in_the_shops_currency_or_in_dollars(seller: Seller) -> None:
    japanese = Seller(seller.url, tenant=2)
    local, dollars = (hourly(japanese, "2026-11-03", currency=name)["overall"]["gmv"] for name in ("LOCAL", "USD"))
    assert (local["currency"], dollars["currency"]) == ("JPY", "USD")
    assert abs(amount(local) / 150 - amount(dollars)) < 1
    assert hourly(japanese, "2026-11-03")["overall"]["gmv"] == local


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_date_ge": "x"},
        {"end_date_lt": ""},
        {"end_date_lt": "2026-10-28"},
        {"start_date_ge": "2020-01-01"},
        {"granularity": "1H"},
        {"currency": "EUR"},
    ],
)
def test_bad_questions_for_days_are_refused(seller: Seller, wrong: dict[str, str]) -> None:
    asked = {"start_date_ge": "2026-10-28", "end_date_lt": "2026-11-05", **wrong}
    assert seller.refused(seller.raw("GET", DAILY, params=asked)) == (400, 36009004)


def test_shops_of_the_states_are_scored_and_others_are_not(seller: Seller) -> None:
    told = seller.asks(SCORE + "overview")
    assert 0 < float(told["sps_score"]) <= 5
    assert sum(int(each["weight"]) for each in told["dimensions"]) == 100
    metrics = seller.asks(SCORE + "metrics")["metrics"]
    assert [each["metric_code"] for each in metrics] == ["NRR", "NBFR", "SFCR", "OTDR", "AHT", "IM_DSAT"]
    assert {each["value_unit"] for each in metrics} == {"PERCENT", "HOURS"}
    assert {each["dimension"] for each in metrics} == {each["name"] for each in told["dimensions"]}
    german = Seller(seller.url, tenant=1)
    for name in ("overview", "metrics"):
        assert german.refused(german.raw("GET", SCORE + name)) == (400, 36009004)

"""What the sandbox serves, read over plain HTTP without our connectors, in the form of our rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.connectors.sandbox.visitor import HOURLY, Visitor

ZONE = ZoneInfo("America/New_York")
Figures = tuple[int, int, int]

ORDER = """createdAt cancelledAt test edited displayFinancialStatus
    originalTotalPriceSet { shopMoney { amount } } currentTotalPriceSet { shopMoney { amount } }
    lineItems(first: 20) { nodes { quantity } }
    refunds(first: 20) { id processedAt totalRefundedSet { shopMoney { amount } } }"""


def micros(text: str) -> int:
    value = Decimal(text) * 1_000_000
    assert value == int(value)
    return int(value)


def hour(day: str, number: int) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), ZONE).replace(hour=number).astimezone(UTC)


def meta_hours(box: Visitor, first: date, last: date) -> dict[tuple[str, datetime], Figures]:
    return {
        (row["adset_id"], hour(row["date_start"], int(row[HOURLY][:2]))): (
            micros(row["spend"]),
            int(row["impressions"]),
            int(row["clicks"]),
        )
        for row in box.hours(str(first), str(last))
        if HOURLY in row
    }


def tiktok_rows(box: Visitor, first: date, last: date) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    metrics = ["spend", "impressions", "clicks", "complete_payment", "total_complete_payment_rate"]
    for number in range((last - first).days + 1):
        day = str(date.fromordinal(first.toordinal() + number))
        data = box.report(day, day, metrics=metrics)["data"]
        assert data["page_info"]["total_page"] <= 1
        found += data["list"]
    return found


def tiktok_hours(box: Visitor, first: date, last: date) -> dict[tuple[str, datetime], Figures]:
    found = {}
    for row in tiktok_rows(box, first, last):
        label, figures = row["dimensions"]["stat_time_hour"], row["metrics"]
        key = row["dimensions"]["adgroup_id"], hour(label[:10], int(label[11:13]))
        found[key] = micros(figures["spend"]), int(figures["impressions"]), int(figures["clicks"])
    return found


def tiktok_payments(box: Visitor, first: date, last: date) -> tuple[int, int]:
    rows = [row["metrics"] for row in tiktok_rows(box, first, last)]
    counts = sum(int(row["complete_payment"]) for row in rows)
    return counts, sum(micros(row["total_complete_payment_rate"]) for row in rows)


def orders(box: Visitor) -> dict[str, tuple[datetime, int, int, bool, bool]]:
    return {
        node["id"]: (
            datetime.fromisoformat(node["createdAt"]),
            micros(node["originalTotalPriceSet"]["shopMoney"]["amount"]),
            sum(line["quantity"] for line in node["lineItems"]["nodes"]),
            node["test"],
            node["cancelledAt"] is not None,
        )
        for node in box.orders(ORDER, size=10)
    }


def refunds(box: Visitor) -> dict[str, tuple[datetime, int]]:
    """Of orders that were never edited: elsewhere a refund may pay for what an edit has taken off already."""
    return {
        one["id"]: (datetime.fromisoformat(one["processedAt"]), micros(one["totalRefundedSet"]["shopMoney"]["amount"]))
        for node in box.orders(ORDER, size=10)
        for one in node["refunds"]
        if not node["edited"]
    }


def left_over(box: Visitor) -> dict[str, int]:
    """What each order is worth by now, after edits and refunds."""
    return {
        node["id"]: micros(node["currentTotalPriceSet"]["shopMoney"]["amount"]) for node in box.orders(ORDER, size=10)
    }

"""What TikTok Shop settles and pays out: daily statements, and a payment for each.

A statement of a day holds what was settled the day before: what is kept of delivered orders (platform discounts made
good), less the platform's fee, creators' commissions and shipping. Amounts that are taken are negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.sandbox.currencies import decimal_text, quantum_micros
from connectors.sandbox.market import HOUR
from connectors.sandbox.orders import DAY
from connectors.sandbox.tiktok_shop_affiliates import rows_of
from connectors.sandbox.tiktok_shop_order import ShopOrder
from connectors.sandbox.tiktok_shop_sellers import Store
from connectors.sandbox.tiktok_shop_terms import BAD_REQUEST, RETIRED, Asked, Data, ShopError, choice, page, span
from connectors.sandbox.world import World

REFERRAL_PERCENT = 6
SHIPPING_PART = 16  # of the dearest product's price, for each parcel
PAYMENT_STATUSES = ("PAID", "FAILED", "PROCESSING")
PAID_AFTER = DAY + 6 * HOUR
WITHOUT_REVENUE = ("GB", "US")


@dataclass(frozen=True)
class Statement:
    """Money in micros, times in epoch seconds. `number` is the day since 1970 at whose start it was made."""

    store: Store
    number: int
    net_sales: int
    fee: int
    shipping: int
    adjustment: int

    @property
    def at(self) -> int:
        return self.number * DAY

    @property
    def settlement(self) -> int:
        return self.net_sales + self.fee + self.shipping + self.adjustment

    @property
    def sent_at(self) -> int:
        return self.at + DAY

    @property
    def paid_at(self) -> int:
        return self.sent_at + PAID_AFTER

    def identity(self, series: int) -> str:
        return f"{series}{int(self.store.id) % 10**8:08d}{self.number:08d}"

    def payment_status(self, now: int) -> str:
        return "PAID" if self.paid_at <= now else "PROCESSING"


def statements(asked: Asked) -> Data:
    """GET /finance/202309/statements"""
    if asked.args.get("sort_field") != "statement_time":
        raise ShopError(BAD_REQUEST, "Invalid parameter. 'sort_field' must be statement_time.")
    window = span(asked.args, "statement_time", asked.now)
    wanted = asked.args.get("payment_status")
    if wanted is not None:
        choice(wanted, "payment_status", PAYMENT_STATUSES)
    rows = [
        row
        for row in _all(asked.world, asked.store, asked.now)
        if (window is None or window[0] <= row.at < window[1]) and wanted in (None, row.payment_status(asked.now))
    ]
    shown, told = page(asked, rows, lambda row: (row.at, row.identity(31)))
    return {"statements": [_told(row, asked.now) for row in shown], "next_page_token": told["next_page_token"]}


def payments(asked: Asked) -> Data:
    """GET /finance/202605/payments"""
    if asked.args.get("sort_field") != "create_time":
        raise ShopError(BAD_REQUEST, "Invalid parameter. 'sort_field' must be create_time.")
    window = span(asked.args, "create_time", asked.now)
    rows = [
        row
        for row in _all(asked.world, asked.store, asked.now)
        if row.sent_at <= asked.now and (window is None or window[0] <= row.sent_at < window[1])
    ]
    shown, told = page(asked, rows, lambda row: (row.sent_at, row.identity(35)))
    return {"payments": [_payment(row, asked.now) for row in shown], "next_page_token": told["next_page_token"]}


def retired_payments(asked: Asked) -> Data:
    raise ShopError(RETIRED, "This API version is no longer available. Use /finance/202605/payments.")


def _all(world: World, store: Store, now: int) -> Iterator[Statement]:
    settled: dict[int, list[ShopOrder]] = {}
    for order in world.shop_sales.placed(store, 0, now):
        if order.settled_at is not None and order.settled_at // DAY < now // DAY:
            settled.setdefault(order.settled_at // DAY + 1, []).append(order)
    return (_statement(store, number, orders) for number, orders in sorted(settled.items()))


def _statement(store: Store, number: int, orders: list[ShopOrder]) -> Statement:
    quantum = quantum_micros(store.currency)
    net_sales = sum(unit.earned for order in orders for unit in order.kept())
    commissions = sum(row.actual for order in orders if order.creator for row in rows_of(order))
    referral = net_sales * REFERRAL_PERCENT // 100 // quantum * quantum
    parcel = max(store.prices) // SHIPPING_PART // quantum * quantum
    received = sum(order.shipping for order in orders)
    adjustment = -parcel if number % 15 == 0 else 0
    return Statement(store, number, net_sales, -referral - commissions, received - parcel * len(orders), adjustment)


def _told(row: Statement, now: int) -> Data:
    currency = row.store.currency
    amounts = {
        "settlement_amount": row.settlement,
        "net_sales_amount": row.net_sales,
        "fee_amount": row.fee,
        "shipping_cost_amount": row.shipping,
        "adjustment_amount": row.adjustment,
    }
    if row.store.region not in WITHOUT_REVENUE:
        amounts["revenue_amount"] = row.net_sales
    return {
        "id": row.identity(31),
        "statement_time": row.at,
        "currency": currency,
        "payment_status": row.payment_status(now),
        "payment_id": row.identity(35) if row.sent_at <= now else "",
        **({"payment_time": row.paid_at} if row.paid_at <= now else {}),
        **{name: decimal_text(micros, currency) for name, micros in amounts.items()},
    }


def _payment(row: Statement, now: int) -> Data:
    amount = {"value": decimal_text(row.settlement, row.store.currency), "currency": row.store.currency}
    return {
        "id": row.identity(35),
        "create_time": row.sent_at,
        "paid_time": row.paid_at if row.paid_at <= now else 0,
        "status": row.payment_status(now),
        "amount": amount,
        "settlement_amount": amount,
        "payment_amount_before_exchange": amount,
        "exchange_rate": "1.000000",
        "bank_account": "**** **** 4417",
    }

"""TikTok Shop's rows as records: decimal text in whole units, Unix seconds, no personal data.

What TikTok leaves blank has been taken out of the rows before (`errors.judge`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from connectors.fields import Row, count, flag, identifier, known, malformed, micros, part, row, rows, text
from connectors.store_contracts import (
    AffiliateRecord,
    LineRecord,
    OrderRecord,
    PaymentRecord,
    ProductRecord,
    ReturnRecord,
    ShopHealthRecord,
    StatementRecord,
    VariantRecord,
)
from connectors.tiktok_shop.amounts import localised_micros, signed_micros

PPM_PER_HUNDREDTH_OF_A_PERCENT = 100
CANCELLED = frozenset({"CANCELLED", "CANCEL"})  # the second is how webhooks spell it
NO_SALE = ("is_sample_order", "is_exchange_order", "is_replacement_order")
# Search Returns: the buyer *has been* refunded. RETURN_OR_REFUND_REQUEST_SUCCESS only promises it.
REFUNDED = frozenset(
    {
        "RETURN_OR_REFUND_REQUEST_COMPLETE",
        "REPLACEMENT_REQUEST_REFUND_SUCCESS",
        "EXCHANGE_REQUEST_REFUND_SUCCESS",
    }
)
SETTLED = frozenset({"SETTLED", "DEDUCTED"})
WITHOUT_COMMISSION = frozenset({"INELIGIBLE", "REFUNDED"})


class Side(NamedTuple):
    """How one side of an affiliate order names what both tell. Parts of a commission are added up; the first rate
    that is told counts."""

    sku: str
    rates: tuple[str, ...]
    estimated: tuple[str, ...]
    actual: tuple[str, ...]


# What a seller pays goes to the creator or to a partner, in the name of an advertisement or not.
SELLER = Side(
    "sku_id",
    ("commission_rate", "partner_commission_rate", "shop_ads_commission_rate"),
    ("estimated_paid_commission", "estimated_paid_partner_commission", "estimated_paid_shop_ads_commission"),
    ("actual_paid_commission", "actual_paid_partner_commission", "actual_paid_shop_ads_commission"),
)
CREATOR = Side("id", ("commission_rate",), ("estimated_commission",), ("actual_commission",))


def instant(source: Row, name: str) -> datetime | None:
    """A time in Unix seconds; absent and 0 are unknown."""
    seconds = count(source, name)
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise malformed(name, seconds) from error


def at(source: Row, name: str) -> datetime:
    """A time that must be there."""
    return known(instant(source, name), name)


def currency_in(source: Row) -> str:
    currency = source.get("currency")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
        raise malformed("currency", currency)
    return currency


def order(source: Row) -> OrderRecord:
    """An order. The total is what the buyer pays: after discounts, with shipping and taxes."""
    payment = row(source.get("payment"), "payment")
    status, updated_at = text(source, "status"), at(source, "update_time")
    is_cancelled = status in CANCELLED
    return OrderRecord(
        external_id=identifier(source, "id"),
        created_at=at(source, "create_time"),
        updated_at=updated_at,
        cancelled_at=(instant(source, "cancel_time") or updated_at) if is_cancelled else None,
        is_test=any(flag(source, name) for name in NO_SALE if name in source),
        is_paid=instant(source, "paid_time") is not None and status != "UNPAID",  # cancelled ones were paid, too
        currency=currency_in(payment),
        total_micros=known(micros(payment, "total_amount"), "total_amount"),
        is_new_customer=None,
        attribution_ready=True,  # there is none to wait for: orders name no advertisement
        utm_source="",
        utm_medium="",
        utm_campaign="",
        utm_content="",
        utm_term="",
        click_platform=None,
        click_id="",
        lines=tuple(_line(one) for one in rows(source.get("line_items", []), "line_items")),
        refunds=(),
    )


def _line(source: Row) -> LineRecord:
    """One unit: line items carry no quantity."""
    return LineRecord(
        external_id=identifier(source, "id"),
        product_external_id=_id(source, "product_id"),
        variant_external_id=_id(source, "sku_id"),
        title=text(source, "product_name"),
        quantity=1,
        unit_price_micros=known(micros(source, "original_price"), "original_price"),
        discount_micros=(micros(source, "seller_discount") or 0) + (micros(source, "platform_discount") or 0),
    )


def _id(source: Row, name: str) -> str | None:
    return identifier(source, name) if name in source else None


def product(source: Row) -> ProductRecord:
    return ProductRecord(
        external_id=identifier(source, "id"),
        title=text(source, "title"),
        status=text(source, "status", 32).lower(),
        created_at=at(source, "create_time"),
        updated_at=at(source, "update_time"),
        variants=tuple(_variant(one) for one in rows(source.get("skus", []), "skus")),
    )


def _variant(source: Row) -> VariantRecord:
    """Of global sellers the price on the product's page is `sale_price`, of local ones `tax_exclusive_price`."""
    price = part(source, "price")
    shown = micros(price, "sale_price")
    return VariantRecord(
        external_id=identifier(source, "id"),
        title="",
        sku=text(source, "seller_sku"),
        price_micros=micros(price, "tax_exclusive_price") if shown is None else shown,
        unit_cost_micros=None,
    )


def statement(source: Row) -> StatementRecord:
    return StatementRecord(
        external_id=identifier(source, "id"),
        statement_at=at(source, "statement_time"),
        currency=currency_in(source),
        status=text(source, "payment_status", 32),
        payment_external_id=_id(source, "payment_id") or "",
        settlement_micros=known(signed_micros(source, "settlement_amount"), "settlement_amount"),
        revenue_micros=signed_micros(source, "revenue_amount"),
        net_sales_micros=signed_micros(source, "net_sales_amount"),
        fee_micros=signed_micros(source, "fee_amount"),
        adjustment_micros=signed_micros(source, "adjustment_amount"),
        shipping_cost_micros=signed_micros(source, "shipping_cost_amount"),
    )


def payment(source: Row) -> PaymentRecord:
    amount = row(source.get("amount"), "amount")
    return PaymentRecord(
        external_id=identifier(source, "id"),
        created_at=at(source, "create_time"),
        paid_at=instant(source, "paid_time"),
        status=text(source, "status", 32),
        currency=currency_in(amount),
        amount_micros=known(signed_micros(amount, "value"), "value"),
    )


def affiliates(source: Row, side: Side) -> Iterator[AffiliateRecord]:
    """The SKUs of an order that a creator brought."""
    for sku in rows(source.get("skus", []), "skus"):
        yield _affiliate(source, sku, side)


def _affiliate(source: Row, sku: Row, side: Side) -> AffiliateRecord:
    price, quantity = row(sku.get("price"), "price"), known(count(sku, "quantity"), "quantity")
    currency = currency_in(price)
    hundredths = next((count(sku, name) for name in side.rates if name in sku), None)
    status = text(sku, "settlement_status", 32) or text(source, "status", 32)
    return AffiliateRecord(
        order_external_id=identifier(source, "id"),
        sku_external_id=identifier(sku, side.sku),
        created_at=at(source, "create_time"),
        status=status,
        content_type=text(sku, "content_type", 32),
        quantity=quantity,
        currency=currency,
        sales_micros=known(micros(price, "amount"), "amount") * quantity,
        commission_rate_ppm=None if hundredths is None else hundredths * PPM_PER_HUNDREDTH_OF_A_PERCENT,
        estimated_micros=_commission(sku, side.estimated, currency),
        commission_micros=_settled(sku, side.actual, currency, status.upper()),
        creator=text(sku, "creator_username", 120),
        shop_name=text(sku, "shop_name", 120),
    )


def _settled(sku: Row, names: Iterable[str], currency: str, status: str) -> int | None:
    if status in WITHOUT_COMMISSION:
        return 0
    return _commission(sku, names, currency) if status in SETTLED else None


def _commission(sku: Row, names: Iterable[str], currency: str) -> int | None:
    """The sum of those that are told; unknown when there is none, or one in another currency than the price."""
    told = [part(sku, name) for name in names if "amount" in part(sku, name)]
    if not told or any(one.get("currency", currency) != currency for one in told):
        return None
    return sum(localised_micros(one, "amount", currency) for one in told)


def returned(source: Row, currency: str) -> ReturnRecord:
    """A return; `currency` is the shop's, for those that move no money (replacements, exchanges)."""
    refund, status = part(source, "refund_amount"), text(source, "return_status", 64)
    amount, is_refunded = micros(refund, "refund_total"), status in REFUNDED
    return ReturnRecord(
        external_id=identifier(source, "return_id"),
        order_external_id=identifier(source, "order_id"),
        created_at=at(source, "create_time"),
        updated_at=at(source, "update_time"),
        status=status,
        is_refunded=is_refunded,
        currency=currency if amount is None else currency_in(refund),
        amount_micros=known(amount, "refund_total") if is_refunded else amount or 0,
        units=len(rows(source.get("return_line_items", []), "return_line_items")),
    )


def health(overview: Row, metrics: list[Row]) -> ShopHealthRecord | None:
    """`None` for a shop without a score yet."""
    evaluated_at = instant(overview, "update_time") or instant(overview, "end_evaluation_time")
    score = micros(overview, "sps_score")
    if evaluated_at is None or score is None:
        return None
    dimensions = (
        (text(one, "name", 120), micros(one, "score")) for one in rows(overview.get("dimensions", []), "dimensions")
    )
    return ShopHealthRecord(
        evaluated_at=evaluated_at,
        score_ppm=score,
        tier=text(overview, "sps_tier", 32),
        dimensions=tuple((name, ppm) for name, ppm in dimensions if ppm is not None),
        metrics=tuple(_metric(one) for one in metrics),
    )


def _metric(source: Row) -> tuple[str, int | None, int | None, str]:
    unit, value = text(source, "value_unit", 32), micros(source, "value")
    if unit == "PERCENT" and value is not None:
        value //= 100  # from 0 to 100 there, in millionths of 1 here
    return text(source, "metric_code", 120), micros(source, "score"), value, unit

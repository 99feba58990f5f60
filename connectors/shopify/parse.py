"""Shopify's nodes as records: decimal text in the shop's currency, ids as global ids, no personal data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.contracts import Platform
from connectors.fields import Row, count, flag, identifier, known, malformed, micros, moment, part, row, rows, text
from connectors.store_contracts import (
    EditRecord,
    LineRecord,
    OrderRecord,
    ProductRecord,
    RefundRecord,
    ShopRecord,
    VariantRecord,
)

# Whether the index of a customer's first order is 0 or 1 is not documented; both count as new.
LAST_INDEX_OF_A_NEW_CUSTOMER = 1

LONGEST_ADDRESS = 8_000

PAID = frozenset({"PAID", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "REFUNDED"})
CLICK_PARAMETERS = (("fbclid", Platform.META), ("ttclid", Platform.TIKTOK))
UTM_FIELDS = ("source", "medium", "campaign", "content", "term")


def shop(data: Row) -> ShopRecord:
    source = row(data.get("shop"), "shop")
    return ShopRecord(
        external_id=identifier(source, "id"),
        name=text(source, "name"),
        domain=text(source, "myshopifyDomain"),
        currency=text(source, "currencyCode"),
        timezone=text(source, "ianaTimezone"),
    )


def order(
    source: Row, lines: list[Row], refunds: tuple[RefundRecord, ...], edits: tuple[EditRecord, ...] = ()
) -> OrderRecord:
    """An order at order time, with all of its lines. Attribution is of the last marked visit, else the first.

    `attribution_ready` stays false for an order without a journey (point of sale, drafts, API).
    """
    journey = part(source, "customerJourneySummary")
    index = count(journey, "customerOrderIndex")
    utm, click_platform, click_id = _attribution(journey)
    total, currency = _money(source, "originalTotalPriceSet")
    return OrderRecord(
        external_id=identifier(source, "id"),
        created_at=known(moment(source, "createdAt"), "createdAt"),
        updated_at=known(moment(source, "updatedAt"), "updatedAt"),
        cancelled_at=moment(source, "cancelledAt"),
        is_test=flag(source, "test"),
        is_paid=text(source, "displayFinancialStatus") in PAID,
        currency=currency,
        total_micros=total,
        is_new_customer=None if index is None else index <= LAST_INDEX_OF_A_NEW_CUSTOMER,
        attribution_ready=journey.get("ready") is True,
        utm_source=utm["source"],
        utm_medium=utm["medium"],
        utm_campaign=utm["campaign"],
        utm_content=utm["content"],
        utm_term=utm["term"],
        click_platform=click_platform,
        click_id=click_id,
        lines=tuple(_line(one) for one in lines),
        refunds=refunds,
        edits=edits,
    )


def refunds(sources: list[Row]) -> tuple[RefundRecord, ...]:
    """The refunds of an order that was never edited."""
    return tuple(
        RefundRecord(
            external_id=identifier(source, "id"),
            processed_at=known(moment(source, "processedAt"), "processedAt"),
            amount_micros=_money(source, "totalRefundedSet")[0],
        )
        for source in sources
    )


def changes(agreements: Iterable[tuple[Row, list[Row]]]) -> tuple[tuple[RefundRecord, ...], tuple[EditRecord, ...]]:
    """What an order's agreements took back (refunds) and changed (edits), from each with all of its sales.

    The original total plus the edits less the refunds is the current total. A refund keeps the id of the refund
    or return; further agreements on the same one have only their own. A return that adds to the total (an
    exchange for something dearer), like an agreement of a kind that is not known yet, is an edit.
    """
    refunded: dict[str, RefundRecord] = {}
    edits: list[EditRecord] = []
    for source, sales in agreements:
        if text(source, "reason") == "ORDER":
            continue
        own_id, at = identifier(source, "id"), known(moment(source, "happenedAt"), "happenedAt")
        amount = sum(_signed(sale, "totalAmount") for sale in sales)
        taken_back = part(source, "refund") or part(source, "return")
        if amount < 0 and taken_back:
            external_id = identifier(taken_back, "id")
            external_id = own_id if external_id in refunded else external_id
            refunded[external_id] = RefundRecord(external_id, at, -amount)
        elif amount:
            edits.append(EditRecord(own_id, at, amount))
    return tuple(refunded.values()), tuple(edits)


def product(source: Row, variants: list[Row], currency: str) -> ProductRecord:
    """A product with all of its variants; unit costs in another currency than the shop's are unknown."""
    return ProductRecord(
        external_id=identifier(source, "id"),
        title=text(source, "title"),
        status=text(source, "status").lower(),
        created_at=known(moment(source, "createdAt"), "createdAt"),
        updated_at=known(moment(source, "updatedAt"), "updatedAt"),
        variants=tuple(_variant(one, currency) for one in variants),
    )


def _variant(source: Row, currency: str) -> VariantRecord:
    cost = part(part(source, "inventoryItem"), "unitCost")
    return VariantRecord(
        external_id=identifier(source, "id"),
        title=text(source, "title"),
        sku=text(source, "sku"),
        price_micros=micros(source, "price"),
        unit_cost_micros=micros(cost, "amount") if text(cost, "currencyCode") == currency else None,
    )


def _line(source: Row) -> LineRecord:
    discounts = rows(source.get("discountAllocations"), "discountAllocations")
    return LineRecord(
        external_id=identifier(source, "id"),
        product_external_id=_id_within(source, "product"),
        variant_external_id=_id_within(source, "variant"),
        title=text(source, "title"),
        quantity=known(count(source, "quantity"), "quantity"),
        unit_price_micros=_money(source, "originalUnitPriceSet")[0],
        discount_micros=sum(_money(one, "allocatedAmountSet")[0] for one in discounts),
    )


def _money(source: Row, name: str) -> tuple[int, str]:
    """Micros and currency of the shop's side of a money bag."""
    money = _shop_money(source, name)
    currency = text(money, "currencyCode")
    if len(currency) != 3:
        raise malformed(name, currency)
    return known(micros(money, "amount"), name), currency


def _signed(source: Row, name: str) -> int:
    """Micros of an amount that may be negative."""
    amount: Any = _shop_money(source, name).get("amount")
    is_negative = isinstance(amount, str) and amount.startswith("-")
    size = known(micros({name: amount[1:] if is_negative else amount}, name), name)
    return -size if is_negative else size


def _shop_money(source: Row, name: str) -> Row:
    return row(row(source.get(name), name).get("shopMoney"), name)


def _id_within(source: Row, name: str) -> str | None:
    """The id of a product or variant, `None` when it was deleted or never existed."""
    inner = source.get(name)
    return None if inner is None else identifier(row(inner, name), "id")


def _attribution(journey: Row) -> tuple[dict[str, str], Platform | None, str]:
    """UTM values, platform and click id of the last visit that carries any, else of the first visit."""
    for name in ("lastVisit", "firstVisit"):
        visit = part(journey, name)
        utm = part(visit, "utmParameters")
        marks = {field: text(utm, field) for field in UTM_FIELDS}
        platform, click_id = _click(text(visit, "landingPage", LONGEST_ADDRESS))
        if click_id or any(marks.values()):
            return marks, platform, click_id
    return dict.fromkeys(UTM_FIELDS, ""), None, ""


def _click(landing_page: str) -> tuple[Platform | None, str]:
    """The click id in a landing page's query: Shopify has no field for it."""
    try:
        query = dict(parse_qsl(urlsplit(landing_page).query, max_num_fields=100))
    except ValueError:
        return None, ""
    for name, platform in CLICK_PARAMETERS:
        click_id = text(query, name)
        if click_id:
            return platform, click_id
    return None, ""


def page(source: Row, name: str) -> tuple[list[Row], str | None]:
    """The nodes of the connection `name` and the cursor of its next page."""
    connection = row(source.get(name), name)
    info = row(connection.get("pageInfo"), "pageInfo")
    if not flag(info, "hasNextPage"):
        return rows(connection.get("nodes"), name), None
    cursor = text(info, "endCursor", LONGEST_ADDRESS)
    if not cursor:
        raise malformed("endCursor", cursor)
    return rows(connection.get("nodes"), name), cursor

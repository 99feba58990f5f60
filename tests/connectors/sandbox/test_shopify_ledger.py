"""Edits, returns, discounts and costs: the Shopify face's figures agree with one another at every moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import Visitor

BAG = "{ shopMoney { amount } }"
LEDGER = f"""{{ orders {{ edges {{ node {{
  id createdAt updatedAt edited cancelledAt test displayFinancialStatus
  originalTotalPriceSet {BAG} totalPriceSet {BAG} currentTotalPriceSet {BAG} totalRefundedSet {BAG}
  totalReceivedSet {BAG} totalOutstandingSet {BAG} refunds {{ id processedAt totalRefundedSet {BAG} }}
  lineItems {{ edges {{ node {{ id quantity currentQuantity originalTotalSet {BAG} discountedTotalSet {BAG}
    discountAllocations {{ allocatedAmountSet {BAG} discountApplication {{ __typename index }} }} }} }} }}
  agreements {{ edges {{ node {{ __typename id happenedAt reason
    ... on RefundAgreement {{ refund {{ id }} }}
    sales {{ edges {{ node {{ __typename id actionType quantity totalAmount {BAG}
      ... on ProductSale {{ lineItem {{ id }} }} }} }} }} }} }} }} }} }} }} }}"""
RUN = "mutation($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id } } }"
LOOK = "query($id: ID!) { bulkOperation(id: $id) { status url } }"
PARTS = {"LineItem": "lineItems", "SalesAgreement": "agreements", "Sale": "sales"}


def read(visitor: Visitor) -> list[dict[str, Any]]:
    """Every order of the shop, whole."""
    identity = visitor.graphql(RUN, q=LEDGER)["data"]["bulkOperationRunQuery"]["bulkOperation"]["id"]
    found: dict[str, Any] = {"status": ""}
    while found["status"] != "COMPLETED":
        found = visitor.graphql(LOOK, id=identity)["data"]["bulkOperation"]
    rows = {row["id"]: row for row in map(json.loads, visitor.send("GET", found["url"]).text.splitlines())}
    for row in rows.values():
        row |= {name: {"nodes": []} for name in PARTS.values()}
    for row in rows.values():
        if "__parentId" in row:
            rows[row["__parentId"]][PARTS[row["id"].split("/")[3]]]["nodes"].append(row)
    for row in rows.values():
        row["agreements"]["nodes"].sort(key=lambda each: each["happenedAt"])
        row["lineItems"]["nodes"].sort(key=lambda each: each["id"])
    return [row for row in rows.values() if "__parentId" not in row]


def amount(bag: dict[str, Any]) -> Decimal:
    return Decimal(bag["shopMoney"]["amount"])


def sold(agreement: dict[str, Any]) -> Decimal:
    return sum((amount(sale["totalAmount"]) for sale in agreement["sales"]["nodes"]), Decimal(0))


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    with running_sandbox(start=START, days=40, tenants=3) as running:
        yield Visitor(running.url)


@pytest.fixture(scope="module")
def orders(visitor: Visitor) -> list[dict[str, Any]]:
    return read(visitor)


def test_the_sales_of_all_agreements_are_the_current_total(orders: list[dict[str, Any]]) -> None:
    """Original, edits and what came back: nothing is counted twice."""
    for order in orders:
        agreements = order["agreements"]["nodes"]
        assert sold(agreements[0]) == amount(order["originalTotalPriceSet"])
        assert agreements[0]["__typename"] == "OrderAgreement"
        if not order["cancelledAt"] or order["refunds"]:
            assert sum(map(sold, agreements)) == amount(order["currentTotalPriceSet"])
        assert agreements[-1]["happenedAt"] <= order["updatedAt"]


def test_an_addition_is_paid_at_once_and_raises_the_total(orders: list[dict[str, Any]]) -> None:
    added = [order for order in orders if order["edited"] and not order["refunds"] and edit_of(order, "ORDER")]
    assert added
    for order in added:
        more = sold(edit_of(order, "ORDER"))
        assert more > 0
        assert amount(order["totalPriceSet"]) == amount(order["originalTotalPriceSet"]) + more
        assert amount(order["currentTotalPriceSet"]) == amount(order["totalReceivedSet"])
        assert order["displayFinancialStatus"] == "PAID"
        new = edit_of(order, "ORDER")["sales"]["nodes"][0]["lineItem"]["id"]
        assert [line["id"] for line in order["lineItems"]["nodes"]][-1] == new


def test_a_removal_leaves_the_ledger_with_the_edit_and_its_money_follows(orders: list[dict[str, Any]]) -> None:
    removed = [order for order in orders if edit_of(order, "RETURN") and order["refunds"]]
    assert removed
    for order in removed:
        (edit,), (refund,) = [edit_of(order, "RETURN")], order["refunds"]
        less = -sold(edit)
        assert less == amount(refund["totalRefundedSet"]) > 0
        assert refund["processedAt"] > edit["happenedAt"]
        assert amount(order["totalPriceSet"]) == amount(order["originalTotalPriceSet"])
        assert amount(order["currentTotalPriceSet"]) == amount(order["originalTotalPriceSet"]) - less
        agreement = next(each for each in order["agreements"]["nodes"] if each["__typename"] == "RefundAgreement")
        assert agreement["refund"]["id"] == refund["id"] and agreement["sales"]["nodes"] == []
        line = next(
            line for line in order["lineItems"]["nodes"] if line["id"] == edit["sales"]["nodes"][0]["lineItem"]["id"]
        )
        assert line["currentQuantity"] == line["quantity"] + edit["sales"]["nodes"][0]["quantity"]
        assert order["displayFinancialStatus"] == "PARTIALLY_REFUNDED"


def edit_of(order: dict[str, Any], action: str) -> Any:
    for agreement in order["agreements"]["nodes"]:
        sales = agreement["sales"]["nodes"]
        if agreement["reason"] == "ORDER_EDIT" and sales[0]["actionType"] == action:
            return agreement
    return None


def test_few_orders_are_edited_and_only_plain_ones(orders: list[dict[str, Any]]) -> None:
    edited = [order for order in orders if order["edited"]]
    assert 0.01 < len(edited) / len(orders) < 0.08
    assert not [order for order in edited if order["test"] or order["cancelledAt"]]
    assert all(len(order["agreements"]["nodes"]) == 2 + len(order["refunds"]) for order in edited)


def test_discounts_are_allocated_to_their_lines(orders: list[dict[str, Any]]) -> None:
    lines = [line for order in orders for line in order["lineItems"]["nodes"]]
    assert {bool(line["discountAllocations"]) for line in lines} == {True, False}
    for line in lines:
        off = sum((amount(each["allocatedAmountSet"]) for each in line["discountAllocations"]), Decimal(0))
        assert off == amount(line["originalTotalSet"]) - amount(line["discountedTotalSet"])


def test_what_is_paid_and_owed_is_the_total_with_edits(orders: list[dict[str, Any]]) -> None:
    for order in orders:
        if order["cancelledAt"]:
            continue
        edits = sum(sold(each) for each in order["agreements"]["nodes"] if each["reason"] == "ORDER_EDIT")
        owed = amount(order["originalTotalPriceSet"]) + edits - amount(order["totalReceivedSet"])
        assert amount(order["totalOutstandingSet"]) == max(owed, 0)


PRODUCTS = """query($q: String, $first: Int!, $after: String) {
  products(first: $first, after: $after, query: $q, sortKey: UPDATED_AT) {
    nodes { id title status createdAt updatedAt variants(first: 5) {
      nodes { id title sku price inventoryItem { id updatedAt unitCost { amount currencyCode } } } } }
    pageInfo { hasNextPage endCursor } } }"""


def products(visitor: Visitor, query: str = "", first: int = 10) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = visitor.graphql(PRODUCTS, q=query, first=first, after=after)["data"]["products"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


def costs(found: list[dict[str, Any]]) -> dict[str, Decimal | None]:
    items = {product["id"]: product["variants"]["nodes"][0]["inventoryItem"]["unitCost"] for product in found}
    return {identity: Decimal(cost["amount"]) if cost else None for identity, cost in items.items()}


def test_products_have_costs_below_their_prices_but_for_one(visitor: Visitor) -> None:
    found = products(visitor, first=4)
    assert len({product["id"] for product in found}) == 6
    assert list(costs(found).values()).count(None) == 1
    for product in found:
        variant = product["variants"]["nodes"][0]
        cost = variant["inventoryItem"]["unitCost"]
        if cost is not None:
            assert Decimal("0.34") < Decimal(cost["amount"]) / Decimal(variant["price"]) < Decimal("0.46")
            assert cost["currencyCode"] == "USD"


def test_costs_change_once_or_twice_in_a_season_and_the_product_with_them() -> None:
    with running_sandbox(start=START, days=3) as running:
        visitor = Visitor(running.url)
        seen, times = [costs(products(visitor))], [{each["updatedAt"] for each in products(visitor)}]
        for _ in range(4):
            visitor.advance(24 * 30)
            seen.append(costs(products(visitor)))
            times.append({each["updatedAt"] for each in products(visitor)})
            moved = {each["id"] for each in products(visitor, f"updated_at:>'{max(times[-2])}'")}
            assert moved >= {identity for identity in seen[-1] if seen[-1][identity] != seen[-2][identity]}
        for identity in seen[0]:
            changes = sum(a[identity] != b[identity] for a, b in pairwise(seen))
            assert changes in ((0,) if seen[0][identity] is None else (1, 2, 3))


def test_one_product_one_variant_and_one_item_are_found_by_their_ids(visitor: Visitor) -> None:
    product = products(visitor)[0]
    variant = product["variants"]["nodes"][0]
    text = """query($p: ID!, $v: ID!, $i: ID!) { product(id: $p) { id variantsCount { count } }
      productVariant(id: $v) { id product { id } } inventoryItem(id: $i) { id }
      nodes(ids: [$p, $v, $i]) { __typename id } }"""
    ids = [product["id"], variant["id"], variant["inventoryItem"]["id"]]
    found = visitor.graphql(text, p=ids[0], v=ids[1], i=ids[2])["data"]
    assert found["product"]["variantsCount"] == {"count": 1}
    assert found["productVariant"]["product"]["id"] == product["id"]
    assert [node["id"] for node in found["nodes"]] == ids
    other = Visitor(visitor.url, tenant=1).graphql(text, p=ids[0], v=ids[1], i=ids[2])["data"]
    assert other["product"] is None and other["nodes"] == [None] * 3


def test_amounts_of_a_currency_without_cents_are_whole(visitor: Visitor) -> None:
    yen = Visitor(visitor.url, tenant=2)
    for order in read(yen):
        bags = [order["currentTotalPriceSet"], *(refund["totalRefundedSet"] for refund in order["refunds"])]
        assert all(amount(bag) == amount(bag).to_integral() for bag in bags)

"""The Shopify face, against the facts of its API."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import GRAPHQL, Visitor

ORDER = """createdAt updatedAt processedAt test cancelledAt displayFinancialStatus
  totalPriceSet { shopMoney { amount currencyCode } } currentTotalPriceSet { shopMoney { amount } }
  totalRefundedSet { shopMoney { amount } } customer { id numberOfOrders }
  customerJourneySummary { ready customerOrderIndex
    lastVisit { landingPage utmParameters { source medium campaign content term } } }
  refunds(first: 5) { id createdAt totalRefundedSet { shopMoney { amount } } }
  lineItems(first: 3) { nodes { quantity product { id } variant { id } title
    originalUnitPriceSet { shopMoney { amount } } discountedTotalSet { shopMoney { amount } } } }"""


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def amount(bag: dict[str, Any]) -> Decimal:
    return Decimal(bag["shopMoney"]["amount"])


def test_the_shop_tells_zone_and_currency(reader: Visitor) -> None:
    shop = reader.graphql("{ shop { id name myshopifyDomain ianaTimezone currencyCode timezoneOffset } }")["data"][
        "shop"
    ]
    assert (shop["ianaTimezone"], shop["currencyCode"]) == ("America/New_York", "USD")
    assert shop["timezoneOffset"] == "-0500"
    assert shop["myshopifyDomain"] == reader.who["shopify"]["shop"]


@pytest.mark.parametrize("size", [7, 100, 250])
def test_pages_lead_to_every_order_once(reader: Visitor, size: int) -> None:
    ids = [order["id"] for order in reader.orders("name", size=size)]
    assert len(ids) == len(set(ids))
    count = reader.graphql("{ ordersCount { count precision } }")["data"]["ordersCount"]
    assert count == {"count": len(ids), "precision": "EXACT"}


def test_orders_come_in_the_asked_order(reader: Visitor) -> None:
    for sort, field in (("CREATED_AT", "createdAt"), ("UPDATED_AT", "updatedAt"), ("PROCESSED_AT", "processedAt")):
        times = [order[field] for order in reader.orders(field, sort=sort)]
        assert times == sorted(times)
    newest = reader.graphql("{ orders(first: 2, reverse: true) { edges { cursor node { createdAt } } } }")
    edges = newest["data"]["orders"]["edges"]
    assert edges[0]["node"]["createdAt"] >= edges[1]["node"]["createdAt"]


def test_queries_filter_by_time_test_and_state(reader: Visitor) -> None:
    every = reader.orders("createdAt updatedAt test displayFinancialStatus cancelledAt")
    span = "updated_at:>='2026-11-01T00:00:00Z' AND updated_at:<2026-11-03T00:00:00Z"
    wanted = {o["id"] for o in every if "2026-11-01" <= o["updatedAt"] < "2026-11-03"}
    assert {o["id"] for o in reader.orders("name", span)} == wanted != set()
    assert {o["id"] for o in reader.orders("name", "test:true")} == {o["id"] for o in every if o["test"]}
    refunded = {o["id"] for o in every if o["displayFinancialStatus"] == "REFUNDED"}
    assert {o["id"] for o in reader.orders("name", "financial_status:refunded")} == refunded != set()
    cancelled = {o["id"] for o in every if o["cancelledAt"]}
    assert {o["id"] for o in reader.orders("name", "status:cancelled")} == cancelled
    assert reader.graphql('{ orders(first: 1, query: "colour:red") { nodes { id } } }')["errors"]


def test_totals_are_the_sum_of_their_lines_in_cents(reader: Visitor) -> None:
    for order in reader.orders(ORDER, size=15):
        lines = order["lineItems"]["nodes"]
        total = amount(order["totalPriceSet"])
        assert total == sum(amount(line["discountedTotalSet"]) for line in lines)
        assert total == total.quantize(Decimal("0.01"))
        assert all(line["product"]["id"].startswith("gid://shopify/Product/") for line in lines)
        refunds = sum((amount(refund["totalRefundedSet"]) for refund in order["refunds"]), Decimal(0))
        assert amount(order["totalRefundedSet"]) == refunds <= total
        assert order["displayFinancialStatus"] != "REFUNDED" or refunds == total


def test_refunds_come_days_later_at_a_date_of_their_own(visitor: Visitor) -> None:
    before = {order["id"]: order for order in visitor.orders(ORDER, size=15)}
    visitor.advance(24 * 20)
    after = {order["id"]: order for order in visitor.orders(ORDER, size=15) if order["id"] in before}
    late = [o for i, o in after.items() if len(o["refunds"]) > len(before[i]["refunds"])]
    assert late
    for order in late:
        refund = order["refunds"][-1]
        assert moment(refund["createdAt"]) - moment(order["createdAt"]) >= timedelta(days=1)
        assert order["updatedAt"] >= refund["createdAt"] > "2026-11-05T15"
        assert order["totalPriceSet"] == before[order["id"]]["totalPriceSet"]


def test_the_journey_is_not_ready_at_first(visitor: Visitor) -> None:
    for order in visitor.orders(ORDER, size=15):
        age = START - moment(order["createdAt"])
        journey = order["customerJourneySummary"]
        if age < timedelta(minutes=30):
            assert journey == {"ready": False, "customerOrderIndex": None, "lastVisit": None}
        if age > timedelta(minutes=90):
            assert journey["ready"]
    fresh = [o["id"] for o in visitor.orders(ORDER, size=15) if not o["customerJourneySummary"]["ready"]]
    visitor.advance(2)
    ready = {o["id"]: o["customerJourneySummary"]["ready"] for o in visitor.orders(ORDER, size=15)}
    assert fresh
    assert all(ready[identity] for identity in fresh)


def test_orders_name_their_ad_by_utm_or_click_id_or_not_at_all(reader: Visitor) -> None:
    known = {a["id"] for a in reader.meta_all(f"{reader.account}/adsets")}
    known |= {g["adgroup_id"] for g in reader.tiktok("adgroup/get/")["data"]["list"]}
    kinds: dict[tuple[bool, bool], int] = {}
    for order in reader.orders(ORDER, size=15):
        visit = order["customerJourneySummary"]["lastVisit"]
        if visit is None:
            continue
        query = parse_qs(urlsplit(visit["landingPage"]).query)
        utm = visit["utmParameters"] or {}
        paid, clicked = utm.get("medium") == "paid", bool({"fbclid", "ttclid"} & set(query))
        kinds[paid, clicked] = kinds.get((paid, clicked), 0) + 1
        if paid:
            assert utm["term"] in known
            assert query["utm_term"] == [utm["term"]]
            assert (utm["source"] == "facebook") == utm["term"].startswith("1202")
        if clicked:
            assert ("fbclid" in query) != ("ttclid" in query)
    assert set(kinds) == {(True, True), (True, False), (False, True), (False, False)}


def test_some_customers_return_and_some_are_guests(reader: Visitor) -> None:
    orders = [o for o in reader.orders(ORDER, size=15) if o["customerJourneySummary"]["ready"]]
    indexes = [o["customerJourneySummary"]["customerOrderIndex"] for o in orders]
    assert {1, 2, None} <= set(indexes)
    assert all((o["customer"] is None) == (i is None) for o, i in zip(orders, indexes, strict=True))
    assert all(int(o["customer"]["numberOfOrders"]) >= 1 for o in orders if o["customer"])


def test_nodes_are_found_by_id_and_foreign_ones_are_not(reader: Visitor) -> None:
    order = reader.orders("name")[3]
    text = "query($id: ID!) { order(id: $id) { name } node(id: $id) { __typename id } }"
    assert reader.graphql(text, id=order["id"])["data"] == {
        "order": {"name": order["name"]},
        "node": {"__typename": "Order", "id": order["id"]},
    }
    other = Visitor(reader.url, tenant=1)
    assert other.graphql(text, id=order["id"])["data"] == {"order": None, "node": None}


def test_cost_follows_the_rule_and_a_large_query_is_refused_before_it_runs(reader: Visitor) -> None:
    text = "{ orders(first: %d) { nodes { id totalPriceSet { shopMoney { amount } } } } }"
    cost = reader.graphql(text % 5)["extensions"]["cost"]
    assert cost["requestedQueryCost"] == 2 + 5 * 3
    assert cost["actualQueryCost"] == 17
    assert set(cost["throttleStatus"]) == {"maximumAvailable", "currentlyAvailable", "restoreRate"}
    refused = reader.graphql("{ orders(first: 250) { nodes { lineItems(first: 2) { nodes { id } } } } }")
    assert refused["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert "data" not in refused


def test_an_empty_bucket_throttles_with_http_200() -> None:
    with running_sandbox(start=START, days=10, shopify_plan="standard") as running:
        guest = Visitor(running.url)
        text = "{ orders(first: 240) { nodes { id totalPriceSet { shopMoney { amount } } } } }"
        answers = [guest.graphql(text) for _ in range(8)]
        refused = [a for a in answers if "errors" in a]
        assert refused
        assert refused[0]["errors"][0] == {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        assert refused[0]["extensions"]["cost"]["actualQueryCost"] is None
        assert refused[0]["extensions"]["cost"]["throttleStatus"]["maximumAvailable"] == 2000


def test_tokens_hosts_and_versions(reader: Visitor) -> None:
    own = reader.who["shopify"]
    body = {"query": "{ shop { name } }"}
    header = {"X-Shopify-Access-Token": own["access_token"]}

    def ask(path: str = GRAPHQL, **headers: str) -> Any:
        return reader.send("POST", path, headers=headers, json=body)

    dead = ask(**{"X-Shopify-Access-Token": "shpat_wrong"})
    assert dead.status_code == 401
    assert dead.json()["errors"].startswith("[API] Invalid API key or access token")
    assert ask(**header, Host=own["shop"]).json()["data"]
    assert ask(**header, Host="another.myshopify.com").status_code == 401
    assert ask(f"{GRAPHQL}?shop=another.myshopify.com", **header).status_code == 401
    assert ask(**header).headers["X-Shopify-API-Version"] == "2026-10"
    assert ask("/admin/api/2024-01/graphql.json", **header).headers["X-Shopify-API-Version"] == "2026-01"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{ nothing }",
        "{ orders { nodes { id } } }",
        "{ orders(first: 0) { nodes { id } } }",
        "{ orders(first: 251) { nodes { id } } }",
        '{ orders(first: 1, after: "bogus") { nodes { id } } }',
        "mutation { orderCancel { id } }",
        "{ a: shop { id } } query Second { shop { id } }",
        "{ shop " * 300,
    ],
)
def test_bad_queries_are_answered_with_errors(reader: Visitor, text: str) -> None:
    assert reader.graphql(text)["errors"][0]["message"]

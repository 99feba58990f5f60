"""Webhooks of the Shopify face: subscriptions, what is pushed when, and how it is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.receiver import Delivery, Receiver, receiving
from tests.connectors.sandbox.visitor import Visitor

CREATE = """mutation($topic: WebhookSubscriptionTopic!, $input: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $input) {
    webhookSubscription { id topic uri format includeFields name apiVersion { handle } } userErrors { field message }
  } }"""
LIST = """query($topics: [WebhookSubscriptionTopic!]) { webhookSubscriptions(first: 20, topics: $topics) {
  nodes { id topic uri includeFields } } }"""
ORDERS = ("ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_CANCELLED", "REFUNDS_CREATE")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def running() -> Iterator[Sandbox]:
    with running_sandbox(start=START, days=20) as sandbox:
        sandbox.application.pushes.retry_seconds = 0.001
        yield sandbox
        sandbox.application.pushes.close()


@pytest.fixture
def visitor(running: Sandbox) -> Visitor:
    return Visitor(running.url)


def subscribe(visitor: Visitor, topic: str, uri: str, **more: Any) -> dict[str, Any]:
    told = visitor.graphql(CREATE, topic=topic, input={"uri": uri, **more})["data"]["webhookSubscriptionCreate"]
    assert told["userErrors"] == []
    found: dict[str, Any] = told["webhookSubscription"]
    return found


def wrong(visitor: Visitor, topic: str, **given: Any) -> str:
    told = visitor.graphql(CREATE, topic=topic, input=given)["data"]["webhookSubscriptionCreate"]
    assert told["webhookSubscription"] is None
    return str(told["userErrors"][0]["message"])


def listed(visitor: Visitor, *topics: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = visitor.graphql(LIST, topics=topics)["data"]["webhookSubscriptions"]["nodes"]
    return nodes


def drained(running: Sandbox) -> None:
    assert running.application.pushes.drain()


def told(receiver: Receiver, topic: str) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in receiver.got if each.headers["x-shopify-topic"] == topic]


def is_genuine(delivery: Delivery, secret: str) -> bool:
    digest = hmac.new(secret.encode(), delivery.body, hashlib.sha256).digest()
    return delivery.headers["x-shopify-hmac-sha256"] == base64.b64encode(digest).decode()


def test_a_day_of_orders_is_pushed_signed_and_once_each(running: Sandbox, visitor: Visitor, receiver: Receiver) -> None:
    for topic in ORDERS:
        subscribe(visitor, topic, receiver.url)
    visitor.advance(24)
    drained(running)
    own = visitor.who["shopify"]
    assert all(is_genuine(each, own["client_secret"]) for each in receiver.got)
    ids = [each.headers["x-shopify-webhook-id"] for each in receiver.got]
    assert len(set(ids)) == len(ids) > 40
    heads = {(each.headers["x-shopify-shop-domain"], each.headers["x-shopify-api-version"]) for each in receiver.got}
    assert heads == {(own["shop"], "2026-10")}
    times = [each.headers["x-shopify-triggered-at"] for each in receiver.got]
    assert times == sorted(times) and times[0] > "2026-11-05T15"
    made = {o["id"] for o in visitor.orders("name", "created_at:>'2026-11-05T15:00:00Z'")}
    created = told(receiver, "orders/create")
    assert {each["admin_graphql_api_id"] for each in created} == made and len(created) == len(made)


def test_a_payload_is_the_order_as_it_was_then(running: Sandbox, visitor: Visitor, receiver: Receiver) -> None:
    for topic in ("ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_CANCELLED", "REFUNDS_CREATE", "ORDERS_PAID"):
        subscribe(visitor, topic, receiver.url)
    visitor.advance(24 * 5)
    drained(running)
    for each in told(receiver, "orders/create"):
        assert each["updated_at"] == each["created_at"] and each["refunds"] == [] and each["cancelled_at"] is None
        assert each["total_price"] == each["current_total_price"] == each["total_price_set"]["shop_money"]["amount"]
        lines = sum(Decimal(line["price"]) * line["quantity"] for line in each["line_items"])
        assert lines - Decimal(each["total_discounts"]) == Decimal(each["total_price"])
        assert datetime.fromisoformat(each["created_at"]).utcoffset() is not None
        assert each["landing_site"].startswith("/") and each["email"].endswith("@example.com")
    assert all(each["cancelled_at"] for each in told(receiver, "orders/cancelled"))
    refunds = told(receiver, "refunds/create")
    assert refunds
    for each in refunds:
        assert each["transactions"][0]["kind"] == "refund" and Decimal(each["transactions"][0]["amount"]) > 0
        assert each["order_id"] and each["admin_graphql_api_id"].endswith(str(each["id"]))
    changed = told(receiver, "orders/updated")
    assert {refund["order_id"] for refund in refunds} <= {each["id"] for each in changed}
    assert all(each["updated_at"] > each["created_at"] for each in changed)
    assert len(told(receiver, "orders/paid")) >= 0.9 * len(told(receiver, "orders/create"))


def test_only_the_fields_asked_for_are_sent(running: Sandbox, visitor: Visitor, receiver: Receiver) -> None:
    subscribe(visitor, "ORDERS_CREATE", receiver.url, includeFields=["id", "updated_at", "nonsense"])
    visitor.advance(3)
    drained(running)
    assert {frozenset(each) for each in told(receiver, "orders/create")} == {frozenset({"id", "updated_at"})}


def test_one_event_over_two_subscriptions_shares_its_event_id(
    running: Sandbox, visitor: Visitor, receiver: Receiver
) -> None:
    for path in ("a", "b"):
        subscribe(visitor, "ORDERS_CREATE", f"{receiver.url}/{path}", name=path)
    visitor.advance(2)
    drained(running)
    half = len(receiver.got) // 2
    assert half > 0
    assert len({each.headers["x-shopify-event-id"] for each in receiver.got}) == half
    assert len({each.headers["x-shopify-webhook-id"] for each in receiver.got}) == 2 * half
    assert {each.headers["x-shopify-name"] for each in receiver.got} == {"a", "b"}


def test_each_shop_hears_of_its_own_only(running: Sandbox, visitor: Visitor, receiver: Receiver) -> None:
    other = Visitor(running.url, tenant=1)
    subscribe(other, "ORDERS_CREATE", receiver.url)
    assert listed(visitor) == []
    visitor.advance(3)
    drained(running)
    domains = {each.headers["x-shopify-shop-domain"] for each in receiver.got}
    assert domains == {other.who["shopify"]["shop"]}


def test_subscriptions_are_listed_changed_and_deleted(visitor: Visitor) -> None:
    first = subscribe(visitor, "ORDERS_CREATE", "https://bursar.test/a")
    second = subscribe(visitor, "BULK_OPERATIONS_FINISH", "https://bursar.test/a")
    assert (first["topic"], first["format"], first["includeFields"]) == ("ORDERS_CREATE", "JSON", [])
    assert second["apiVersion"] == {"handle": "2026-10"}
    assert [each["id"] for each in listed(visitor, "BULK_OPERATIONS_FINISH")] == [second["id"]]
    update = """mutation($id: ID!, $input: WebhookSubscriptionInput!) { webhookSubscriptionUpdate(id: $id,
      webhookSubscription: $input) { webhookSubscription { uri includeFields } userErrors { message } } }"""
    changed = visitor.graphql(update, id=first["id"], input={"uri": "https://bursar.test/b"})
    assert changed["data"]["webhookSubscriptionUpdate"]["webhookSubscription"]["uri"] == "https://bursar.test/b"
    assert changed["extensions"]["cost"]["actualQueryCost"] == 10
    delete = """mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId
      userErrors { message } } }"""
    assert visitor.graphql(delete, id=first["id"])["data"]["webhookSubscriptionDelete"] == {
        "deletedWebhookSubscriptionId": first["id"],
        "userErrors": [],
    }
    assert visitor.graphql(delete, id=first["id"])["data"]["webhookSubscriptionDelete"]["userErrors"]
    gone = visitor.graphql(update, id=first["id"], input={})["data"]["webhookSubscriptionUpdate"]
    assert gone["userErrors"]
    assert [each["id"] for each in listed(visitor)] == [second["id"]]


def test_what_cannot_be_subscribed_is_refused(visitor: Visitor) -> None:
    subscribe(visitor, "ORDERS_CREATE", "https://bursar.test/a")
    assert "taken" in wrong(visitor, "ORDERS_CREATE", uri="https://bursar.test/a")
    for uri in ("", "ftp://bursar.test", "pubsub://project:topic", "bursar.test"):
        assert "invalid" in wrong(visitor, "ORDERS_UPDATED", uri=uri)
    assert wrong(visitor, "ORDERS_UPDATED", uri="https://bursar.test/a", format="XML")
    assert visitor.graphql(CREATE, topic="CUSTOMERS_REDACT", input={})["errors"]


def test_an_address_that_fails_for_good_loses_its_subscription(
    running: Sandbox, visitor: Visitor, receiver: Receiver
) -> None:
    subscribe(visitor, "SHOP_UPDATE", receiver.url)
    receiver.statuses = [500] * 9
    with running.world.lock:
        running.application._shopify.change_shop(visitor.who["shopify"]["shop"], "Renamed")
    drained(running)
    assert len({each.headers["x-shopify-webhook-id"] for each in receiver.got}) == 1 and len(receiver.got) == 9
    assert listed(visitor) == []
    assert visitor.graphql("{ shop { name } }")["data"]["shop"]["name"] == "Renamed"


def test_uninstalling_kills_the_token_then_tells_it(running: Sandbox, visitor: Visitor, receiver: Receiver) -> None:
    subscribe(visitor, "APP_UNINSTALLED", receiver.url)
    subscribe(visitor, "ORDERS_CREATE", receiver.url)
    shop = visitor.who["shopify"]["shop"]
    with running.world.lock:
        running.application._shopify.uninstall(shop)
    drained(running)
    assert receiver.topics() == ["app/uninstalled"]
    assert told(receiver, "app/uninstalled")[0]["myshopify_domain"] == shop
    assert visitor.graphql("{ shop { name } }")["errors"].startswith("[API] Invalid API key")
    visitor.advance(5)
    drained(running)
    assert receiver.topics() == ["app/uninstalled"]
    with running.world.lock:
        running.application._shopify.comply(shop, "shop/redact")
    drained(running)
    assert set(told(receiver, "shop/redact")[0]) == {"shop_id", "shop_domain"}


def test_compliance_topics_carry_the_documented_keys(running: Sandbox, visitor: Visitor, receiver: Receiver) -> None:
    face, shop = running.application._shopify, visitor.who["shopify"]["shop"]
    with running.world.lock:
        face.comply(shop, "customers/data_request", {"orders_requested": [7]}, receiver.url)
        face.comply(shop, "customers/redact", None, receiver.url)
        for topic, address in (("customers/redact", ""), ("orders/create", receiver.url)):
            with pytest.raises(LookupError):
                face.comply(shop, topic, None, address)
        with pytest.raises(LookupError):
            face.comply("nobody.myshopify.com", "shop/redact", None, receiver.url)
    drained(running)
    request, redact = (json.loads(each.body) for each in receiver.got)
    assert set(request) == {"shop_id", "shop_domain", "customer", "orders_requested", "data_request"}
    assert request["orders_requested"] == [7] and "orders_to_redact" in redact
    assert all(is_genuine(each, visitor.who["shopify"]["client_secret"]) for each in receiver.got)


def test_the_end_of_a_bulk_operation_is_told(running: Sandbox, visitor: Visitor, receiver: Receiver) -> None:
    subscribe(visitor, "BULK_OPERATIONS_FINISH", receiver.url)
    run = "mutation($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id } userErrors { message } } }"
    made = visitor.graphql(run, q="{ orders { edges { node { id } } } }")["data"]["bulkOperationRunQuery"]
    deadline = time.monotonic() + 5
    while not receiver.got and time.monotonic() < deadline:
        time.sleep(0.02)
    (finish,) = told(receiver, "bulk_operations/finish")
    assert finish["admin_graphql_api_id"] == made["bulkOperation"]["id"]
    assert (finish["status"], finish["error_code"], finish["type"]) == ("completed", None, "query")
    assert finish["completed_at"] >= finish["created_at"]


def test_subscriptions_outlive_a_restart_and_the_past_is_not_told_again(receiver: Receiver, tmp_path: Path) -> None:
    with running_sandbox(start=START, days=2, state=tmp_path / "state") as first:
        visitor = Visitor(first.url)
        gone = subscribe(visitor, "ORDERS_UPDATED", receiver.url)
        kept = subscribe(visitor, "ORDERS_CREATE", receiver.url)
        visitor.advance(2)
        drained(first)
        visitor.graphql(
            "mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { userErrors { message } } }", id=gone["id"]
        )
        before = len(receiver.got)
    with running_sandbox(days=2, state=tmp_path / "state") as again:
        visitor = Visitor(again.url)
        assert [each["id"] for each in listed(visitor)] == [kept["id"]]
        drained(again)
        assert len(receiver.got) == before
        assert subscribe(visitor, "SHOP_UPDATE", receiver.url)["id"] not in (gone["id"], kept["id"])
        visitor.advance(3)
        drained(again)
        assert len(receiver.got) > before


def test_duplicates_and_late_ones_come_on_order(running: Sandbox, visitor: Visitor, receiver: Receiver) -> None:
    subscribe(visitor, "ORDERS_CREATE", receiver.url)
    visitor.control("faults", fault="webhook_duplicate", platform="shopify", count=1)
    visitor.control("faults", fault="webhook_late", platform="shopify", count=1, seconds=0.2)
    visitor.advance(6)
    drained(running)
    ids = [each.headers["x-shopify-webhook-id"] for each in receiver.got]
    times = [each.headers["x-shopify-triggered-at"] for each in receiver.got]
    assert ids[0] == ids[1] and len(set(ids)) == len(ids) - 1
    assert times != sorted(times) and times[-1] == sorted(times)[2]

"""Webhook subscriptions of the shops, kept in the journal, and what the market's clock makes happen for them.

An event is told once to each subscription of its topic, with the payload of its own time; the platform gives every
delivery an id, which stays over retries, and every event one. A subscription whose delivery failed for good is gone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from graphql import GraphQLResolveInfo

from connectors.sandbox.orders import DAY, Order
from connectors.sandbox.pushes import Pushes, is_address
from connectors.sandbox.shopify_nodes import Node, Resolver, Session, connection, gid, stamp
from connectors.sandbox.shopify_payloads import (
    Payload,
    bulk_payload,
    compliance_payload,
    order_payload,
    refund_payload,
    shop_payload,
)
from connectors.sandbox.tenants import Shop
from connectors.sandbox.world import World

COMPLIANCE = ("customers/data_request", "customers/redact", "shop/redact")
LONGEST_LIFE = 30 * DAY  # no order changes later than this after it was made
MOST = 200


@dataclass(frozen=True)
class Subscription:
    number: int
    tenant: int
    topic: str
    uri: str
    include_fields: tuple[str, ...]
    name: str | None
    version: str
    created: int
    updated: int

    @property
    def id(self) -> str:
        return gid("WebhookSubscription", self.number)


class Event(NamedTuple):
    at: int
    order: int  # among the events of one moment
    topic: str
    payload: Payload
    key: str


class Hooks:
    """Callers hold the world's lock."""

    def __init__(self, world: World, pushes: Pushes) -> None:
        self._world, self._pushes = world, pushes
        self._kept: dict[int, Subscription] = {}
        self._last = 0
        self._compliance_address = ""
        for entry in world.journal.entries():
            if entry["kind"] == "shopify_webhook":
                self._replay(entry)
        world.on_advance.append(self._passed)

    def fields(self, session: Session) -> dict[str, Resolver]:
        return {
            "webhookSubscriptions": lambda info, **asked: self._listed(info, session, asked),
            "webhookSubscription": lambda info, id: self.node(session, id),
            "webhookSubscriptionCreate": lambda info, topic, **asked: self._create(session, topic, *asked.values()),
            "webhookSubscriptionUpdate": lambda info, id, **asked: self._update(session, id, *asked.values()),
            "webhookSubscriptionDelete": lambda info, id: self._delete(session, id),
        }

    def node(self, session: Session, identity: str) -> Node | None:
        found = self._find(session, identity)
        return _node(found) if found is not None else None

    def uninstalled(self, shop: Shop) -> None:
        """Tells the shop's subscriptions and ends them all."""
        now = self._now()
        self._tell(
            shop, Event(now, 0, "app/uninstalled", shop_payload(shop, self._opened(), now), f"uninstalled {now}")
        )
        for subscription in self._of(shop.tenant):
            self._note({"end": subscription.number})

    def shop_changed(self, shop: Shop) -> None:
        now = self._now()
        key = f"shop {now} {shop.name}"
        self._tell(shop, Event(now, 0, "shop/update", shop_payload(shop, self._opened(), now), key))

    def bulk_finished(self, shop: Shop, operation: Node) -> None:
        payload = bulk_payload(operation)
        self._tell(shop, Event(self._now(), 0, "bulk_operations/finish", payload, operation["id"]))

    def comply(self, shop: Shop, topic: str, payload: Payload, address: str) -> None:
        """Compliance topics have no subscription. Raises LookupError for another topic or without an address."""
        target = address or self._compliance_address
        if topic not in COMPLIANCE or not is_address(target):
            raise LookupError(f"needs one of {', '.join(COMPLIANCE)}, and an address that was ever subscribed")
        body = compliance_payload(shop, topic) | payload
        event = Event(self._now(), 0, topic, body, f"{topic} {json.dumps(body, sort_keys=True)}")
        self._pushes.send("shopify", target, *self._delivery(shop, event, 0, "2026-10"))

    def _passed(self, before: datetime, after: datetime) -> None:
        """The clock has moved: push what happened on the way."""
        start, end = int(before.timestamp()), int(after.timestamp())
        for shop in self._world.shops:
            if self._of(shop.tenant):
                for event in sorted(self._happened(shop, start, end), key=lambda event: event[:2]):
                    self._tell(shop, event)

    def _happened(self, shop: Shop, start: int, end: int) -> Iterator[Event]:
        orders = self._world.orders[shop.tenant]
        for order in orders[bisect_left(orders, start - LONGEST_LIFE, key=lambda each: each.created) :]:
            for topic, at, key in _topics(order):
                if start < at <= end:
                    rank = TOPICS.index(topic)
                    yield Event(at, rank, topic, self._payload(shop, order, topic, at), f"{topic} {order.number} {key}")

    def _payload(self, shop: Shop, order: Order, topic: str, at: int) -> Payload:
        if topic == "refunds/create":
            return refund_payload(shop, order, next(refund for refund in order.refunds if refund.at == at))
        return order_payload(shop, order, at)

    def _tell(self, shop: Shop, event: Event) -> None:
        for each in self._of(shop.tenant):
            if each.topic == event.topic:
                kept = each.include_fields or tuple(event.payload)
                told = event._replace(payload={name: event.payload[name] for name in kept if name in event.payload})
                body, headers = self._delivery(shop, told, each.number, each.version, each.name)
                self._pushes.send("shopify", each.uri, body, headers, gave_up=partial(self._drop, each.number))

    def _delivery(
        self, shop: Shop, event: Event, subscription: int, version: str, name: str | None = None
    ) -> tuple[bytes, dict[str, str]]:
        body = json.dumps(event.payload, ensure_ascii=False, separators=(",", ":")).encode()
        digest = hmac.new(shop.client_secret.encode(), body, hashlib.sha256).digest()
        identity = f"{self._world.config.seed} {shop.domain} {event.topic} {event.key}"
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": event.topic,
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
            "X-Shopify-Shop-Domain": shop.domain,
            "X-Shopify-API-Version": version,
            "X-Shopify-Webhook-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{identity} {subscription}")),
            "X-Shopify-Event-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
            "X-Shopify-Triggered-At": stamp(event.at),
        }
        return body, headers | ({"X-Shopify-Name": name} if name else {})

    def _drop(self, number: int) -> None:
        with self._world.lock:
            if number in self._kept:
                self._note({"end": number})

    def _listed(self, info: GraphQLResolveInfo, session: Session, asked: dict[str, Any]) -> Node:
        topics, uri = asked.get("topics"), asked.get("uri")
        rows = [
            ((stamp(each.created) if asked["sortKey"] == "CREATED_AT" else "", each.number), each)
            for each in self._of(session.shop.tenant)
            if (not topics or _enum(each.topic) in topics) and uri in (None, each.uri)
        ]
        return connection(info, sorted(rows, key=lambda row: row[0]), asked, _node)

    def _create(self, session: Session, topic: str, given: dict[str, Any]) -> Node:
        wrong = self._wrong(session, topic, given, None)
        if wrong:
            return {"webhookSubscription": None, "userErrors": wrong}
        made = Subscription(
            self._last + 1,
            session.shop.tenant,
            _header(topic),
            given["uri"],
            tuple(given.get("includeFields") or ()),
            given.get("name"),
            session.version,
            session.now,
            session.now,
        )
        return {"webhookSubscription": self._keep(made), "userErrors": []}

    def _update(self, session: Session, identity: str, given: dict[str, Any]) -> Node:
        found = self._find(session, identity)
        if found is None:
            return {"webhookSubscription": None, "userErrors": [_error("id", "Webhook subscription does not exist")]}
        given = {"uri": found.uri, "includeFields": found.include_fields, "name": found.name, **given}
        wrong = self._wrong(session, _enum(found.topic), given, found)
        if wrong:
            return {"webhookSubscription": None, "userErrors": wrong}
        fields = tuple(given["includeFields"] or ())
        changed = {"uri": given["uri"], "include_fields": fields, "name": given["name"], "updated": session.now}
        return {"webhookSubscription": self._keep(Subscription(**{**asdict(found), **changed})), "userErrors": []}

    def _delete(self, session: Session, identity: str) -> Node:
        found = self._find(session, identity)
        if found is None:
            wrong = _error("id", "Webhook subscription does not exist")
            return {"deletedWebhookSubscriptionId": None, "userErrors": [wrong]}
        self._note({"end": found.number})
        return {"deletedWebhookSubscriptionId": identity, "userErrors": []}

    def _wrong(self, session: Session, topic: str, given: dict[str, Any], own: Subscription | None) -> list[Node]:
        """Why these values cannot be; `own` is the subscription that they are for."""
        if not is_address(given.get("uri") or ""):
            return [_error("webhookSubscription.uri", "Address is invalid")]
        if given.get("format") == "XML" or given.get("filter") or given.get("metafieldNamespaces"):
            return [_error("webhookSubscription.format", "the sandbox knows JSON, no filters and no metafields")]
        others = [each for each in self._of(session.shop.tenant) if own is None or each.number != own.number]
        if any((each.topic, each.uri) == (_header(topic), given["uri"]) for each in others):
            return [_error("webhookSubscription.uri", "Address for this topic has already been taken")]
        return [_error("webhookSubscription", "too many subscriptions")] if len(others) >= MOST else []

    def _find(self, session: Session, identity: str) -> Subscription | None:
        mine = self._of(session.shop.tenant)
        return next((each for each in mine if each.id == identity), None)

    def _of(self, tenant: int) -> list[Subscription]:
        return [each for each in self._kept.values() if each.tenant == tenant]

    def _keep(self, subscription: Subscription) -> Node:
        self._note({"subscription": asdict(subscription)})
        return _node(subscription)

    def _note(self, what: dict[str, Any]) -> None:
        entry = {"kind": "shopify_webhook", **what}
        self._world.journal.append(entry)
        self._replay(entry)

    def _replay(self, entry: dict[str, Any]) -> None:
        if "end" in entry:
            self._kept.pop(entry["end"], None)
            return
        kept = entry["subscription"]
        subscription = Subscription(**{**kept, "include_fields": tuple(kept["include_fields"])})
        self._kept[subscription.number] = subscription
        self._last = max(self._last, subscription.number)
        self._compliance_address = subscription.uri

    def _now(self) -> int:
        return int(self._world.now.timestamp())

    def _opened(self) -> int:
        return self._world.market.first_hour * 3600


TOPICS = ("orders/create", "orders/paid", "refunds/create", "orders/cancelled", "orders/updated")


def _topics(order: Order) -> Iterator[tuple[str, int, str]]:
    """Everything that will be told of an order: topic, when, and what tells it from others of the topic."""
    yield "orders/create", order.created, ""
    if sum(micros for _, micros in order.paid) >= order.total:
        yield "orders/paid", next(when for when, _ in order.paid if order.owed(when) == 0), ""
    for refund in order.refunds:
        yield "refunds/create", refund.at, str(refund.number)
    if order.cancelled_at is not None:
        yield "orders/cancelled", order.cancelled_at, ""
    for at in sorted(set(order.changes()) - {order.created}):
        yield "orders/updated", at, str(at)


def _node(subscription: Subscription) -> Node:
    version = {"handle": subscription.version, "displayName": subscription.version, "supported": True}
    return {
        "__typename": "WebhookSubscription",
        "id": subscription.id,
        "legacyResourceId": str(subscription.number),
        "topic": _enum(subscription.topic),
        "uri": subscription.uri,
        "format": "JSON",
        "includeFields": list(subscription.include_fields),
        "metafieldNamespaces": [],
        "filter": None,
        "name": subscription.name,
        "apiVersion": version,
        "createdAt": stamp(subscription.created),
        "updatedAt": stamp(subscription.updated),
    }


def _header(topic: str) -> str:
    """ORDERS_CREATE as deliveries write it: `orders/create`."""
    kind, _, event = topic.lower().rpartition("_")
    return f"{kind}/{event}"


def _enum(topic: str) -> str:
    return topic.upper().replace("/", "_")


def _error(path: str, message: str) -> Node:
    return {"field": path.split("."), "message": message}

"""Webhooks of TikTok Shop: who wants to be told what, and what there is to tell when the clock moves.

The signature of a delivery is the lower-case hex HMAC-SHA256 of app key and raw body, in `Authorization`, without any
scheme. An order's status is spelled CANCEL here, and CANCELLED everywhere else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from connectors.sandbox.orders import DAY
from connectors.sandbox.pushes import Pushes, is_address
from connectors.sandbox.tiktok_shop_order import ShopOrder
from connectors.sandbox.tiktok_shop_orders import product_id
from connectors.sandbox.tiktok_shop_products import audits
from connectors.sandbox.tiktok_shop_returns import return_id
from connectors.sandbox.tiktok_shop_sellers import Store, app
from connectors.sandbox.tiktok_shop_terms import BAD_REQUEST, Asked, Data, ShopError, choice
from connectors.sandbox.world import World

TYPES = {
    "ORDER_STATUS_CHANGE": 1,
    "RECIPIENT_ADDRESS_UPDATE": 3,
    "PACKAGE_UPDATE": 4,
    "PRODUCT_STATUS_CHANGE": 5,
    "SELLER_DEAUTHORIZATION": 6,
    "UPCOMING_AUTHORIZATION_EXPIRATION": 7,
    "CANCELLATION_STATUS_CHANGE": 11,
    "RETURN_STATUS_CHANGE": 12,
    "NEW_CONVERSATION": 13,
    "NEW_MESSAGE": 14,
    "PRODUCT_INFORMATION_CHANGE": 15,
    "PRODUCT_CREATION": 16,
    "PRODUCT_CATEGORY_CHANGE": 18,
    "NEW_MESSAGE_LISTENER": 33,
    "INVOICE_STATUS_CHANGE": 36,
    "PRODUCT_AUDIT_STATUS_CHANGE": 37,
}
LONGEST_ADDRESS = 255
WARNED_BEFORE = timedelta(days=30)


class News(NamedTuple):
    """Something to tell; `subject` tells it apart from others of its time and kind."""

    at: int
    event: str
    subject: str
    data: Data


class Subscription(NamedTuple):
    """`made` and `changed` in milliseconds of wall time."""

    address: str
    made: int
    changed: int


class Hooks:
    """Keeps who wants what in the world's journal."""

    def __init__(self, world: World, pushes: Pushes) -> None:
        self._world, self._pushes = world, pushes
        self._wanted: dict[tuple[str, str], Subscription] = {}
        for entry in world.journal.entries():
            if entry["kind"] == "shop_webhook":
                self._keep(entry["shop"], entry["event"], entry["address"], entry["at"])
        world.on_advance.append(self._told_time)

    def listing(self, asked: Asked) -> Data:
        """GET /event/202309/webhooks"""
        found = [
            {"event_type": event, "address": kept.address, "create_time": kept.made, "update_time": kept.changed}
            for (shop, event), kept in sorted(self._wanted.items())
            if shop == asked.store.id
        ]
        return {"webhooks": found, "total_count": len(found)}

    def subscribe(self, asked: Asked) -> Data:
        """PUT /event/202309/webhooks"""
        event, address = choice(asked.body.get("event_type"), "event_type", TYPES), asked.body.get("address")
        if not isinstance(address, str) or len(address) > LONGEST_ADDRESS or not is_address(address):
            raise ShopError(BAD_REQUEST, "Invalid parameter. 'address' is not an HTTP or HTTPS address.")
        self._note(asked.store.id, event, address)
        return {}

    def unsubscribe(self, asked: Asked) -> Data:
        """DELETE /event/202309/webhooks: also where there is none."""
        event = choice(asked.body.get("event_type"), "event_type", TYPES)
        if (asked.store.id, event) in self._wanted:
            self._note(asked.store.id, event, "")
        return {}

    def tell(self, store: Store, news: Iterable[News]) -> None:
        """Push what somebody subscribed to, oldest first."""
        for each in sorted(news, key=lambda each: each.at):
            kept = self._wanted.get((store.id, each.event))
            if kept is not None:
                self._push(store, each, kept.address)

    def deauthorized(self, tenant: int) -> None:
        at = int(self._world.now.timestamp())
        data = {"message": "The seller has canceled the authorization."}
        for store in self._world.stores_of(tenant):
            self.tell(store, [News(at, "SELLER_DEAUTHORIZATION", store.id, data)])

    def _told_time(self, before: datetime, after: datetime) -> None:
        start, end = int(before.timestamp()) + 1, int(after.timestamp()) + 1
        for store in self._world.stores:
            events = {event for shop, event in self._wanted if shop == store.id}
            self.tell(store, [each for event in events for each in self._news(event, store, start, end)])

    def _news(self, event: str, store: Store, start: int, end: int) -> Iterator[News]:
        reader = NEWS.get(event)
        if reader is not None:
            for order in self._world.shop_sales.changed(store, start, end):
                yield from (each for each in reader(order) if start <= each.at < end)
        elif event == "PRODUCT_STATUS_CHANGE":
            for at, product in audits(self._world, store, start, end):
                data = {"product_id": int(product_id(store, product)), "status": "PRODUCT_STATUS_CHANGED"}
                yield News(at, event, str(product), {**data, "suspended_reason": "", "update_time": at})
        elif event == "UPCOMING_AUTHORIZATION_EXPIRATION":
            yield from self._warnings(store, start, end)

    def _warnings(self, store: Store, start: int, end: int) -> Iterator[News]:
        """Every midnight of the market, while a login ends within thirty days of wall time."""
        ends = [each.refresh_ends for each in self._world.logins.living("tiktok_shop", store.tenant, "seller")]
        wall = self._world.logins.wall()
        near = [moment for moment in ends if moment is not None and wall < moment <= wall + WARNED_BEFORE]
        for at in range(-(-start // DAY) * DAY, end if near else start, DAY):
            data = {"message": "Your authorization expires soon.", "expiration_time": str(int(min(near).timestamp()))}
            yield News(at, "UPCOMING_AUTHORIZATION_EXPIRATION", store.id, data)

    def _push(self, store: Store, news: News, address: str) -> None:
        number = TYPES[news.event]
        check = hashlib.sha256(f"{store.id}/{number}/{news.subject}/{news.at}".encode()).hexdigest()
        body = {
            "type": number,
            "tts_notification_id": str(7_380_000_000_000_000_000 + int(check[:12], 16) % 10**15),
            "shop_id": store.id,
            "timestamp": news.at,
            "data": news.data,
        }
        raw = json.dumps(body, separators=(",", ":")).encode()
        ours = app(self._world.config.seed)
        signature = hmac.new(ours.secret.encode(), ours.key.encode() + raw, hashlib.sha256).hexdigest()
        headers = {"Authorization": signature, "Content-Type": "application/json"}
        self._pushes.send("tiktok_shop", address, raw, headers)

    def _note(self, shop: str, event: str, address: str) -> None:
        at = int(time.time() * 1000)
        self._world.journal.append({"kind": "shop_webhook", "shop": shop, "event": event, "address": address, "at": at})
        self._keep(shop, event, address, at)

    def _keep(self, shop: str, event: str, address: str, at: int) -> None:
        before = self._wanted.pop((shop, event), None)
        if address:
            self._wanted[shop, event] = Subscription(address, before.made if before else at, at)


def _status_news(order: ShopOrder) -> Iterator[News]:
    is_held = any(step == "ON_HOLD" for _, step in order.steps)
    for at, status in order.steps:
        spelled = "CANCEL" if status == "CANCELLED" else status
        data = {"order_id": order.id, "order_status": spelled, "is_on_hold_order": is_held, "update_time": at}
        yield News(at, "ORDER_STATUS_CHANGE", f"{order.id}/{status}", data)


def _cancellation_news(order: ShopOrder) -> Iterator[News]:
    if order.cancelled_by:
        at = order.steps[-1][0]
        data = {
            "order_id": order.id,
            "cancellations_role": order.cancelled_by,
            "cancel_status": "CANCELLATION_REQUEST_COMPLETE",
            "cancel_id": f"3{order.id[1:]}",
            "create_time": at,
        }
        yield News(at, "CANCELLATION_STATUS_CHANGE", order.id, data)


def _return_news(order: ShopOrder) -> Iterator[News]:
    if order.returned is not None:
        for at, status in order.returned.steps:
            data = {
                "order_id": order.id,
                "return_id": return_id(order),
                "return_role": "BUYER",
                "return_type": order.returned.kind,
                "return_status": status,
                "create_time": order.returned.steps[0][0],
                "update_time": at,
            }
            yield News(at, "RETURN_STATUS_CHANGE", f"{order.id}/{status}", data)


NEWS: dict[str, Callable[[ShopOrder], Iterator[News]]] = {
    "ORDER_STATUS_CHANGE": _status_news,
    "CANCELLATION_STATUS_CHANGE": _cancellation_news,
    "RETURN_STATUS_CHANGE": _return_news,
}

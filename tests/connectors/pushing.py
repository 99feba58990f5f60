"""Deliveries as the platforms send them: bodies, headers and signatures, made here from their documents."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

_number = count(1)

SHOPIFY_PATH, TIKTOK_PATH = "/webhooks/shopify/", "/webhooks/tiktok-shop/"
SECRET = "hush-hush-the-app"
APP_KEY = "6a1b2c3d4e5f"


@dataclass(frozen=True)
class Push:
    """One request; `headers` by their names on the wire."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def with_headers(self, **changes: str | None) -> Push:
        """Other headers, `x_shopify_topic="…"`; `None` leaves one out."""
        named = {name.replace("_", "-").title(): value for name, value in changes.items()}
        kept = {name: value for name, value in {**self.headers, **named}.items() if value is not None}
        return replace(self, headers=kept)


def shopify(topic: str, body: Any, *, shop: str, secret: str = SECRET, webhook_id: str = "") -> Push:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    digest = hmac.new(secret.encode(), raw, hashlib.sha256).digest()
    number = next(_number)
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": shop,
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        "X-Shopify-Webhook-Id": webhook_id or f"b54557e4-bdd9-4b37-8a5f-{number:012}",
        "X-Shopify-Event-Id": f"98880550-7158-44d4-b7cd-{number:012}",
        "X-Shopify-Api-Version": "2026-10",
        "X-Shopify-Triggered-At": "2026-11-20T15:30:00.123456789Z",
    }
    return Push(SHOPIFY_PATH, raw, headers)


def order(topic: str = "orders/create", number: int | None = None, **options: Any) -> Push:
    """An order as REST tells it, of which only the id matters. No two bodies are the same."""
    number = number or 820982911946154508 + next(_number)
    body = {"id": number, "email": "jon@example.com", "total_price": "403.00", "note": f"café {next(_number)}"}
    return shopify(topic, body, **options)


def tiktok_shop(kind: Any, shop: str, data: Any, *, key: str = APP_KEY, secret: str = SECRET, **more: Any) -> Push:
    notification = f"73800662840100{next(_number):06}"
    body = {"type": kind, "tts_notification_id": notification, "shop_id": shop, "timestamp": 1718305585, "data": data}
    named = {name: value for name, value in (body | more).items() if value is not None}
    return signed_tiktok_shop(json.dumps(named).encode(), key=key, secret=secret)


def signed_tiktok_shop(raw: bytes, *, key: str = APP_KEY, secret: str = SECRET) -> Push:
    signature = hmac.new(secret.encode(), key.encode() + raw, hashlib.sha256).hexdigest()
    return Push(TIKTOK_PATH, raw, {"Content-Type": "application/json", "Authorization": signature})

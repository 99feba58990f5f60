"""Webhooks: what a platform pushes is verified, reduced to the ids that it names, and put into the inbox.

Nothing that a delivery says is believed beyond "look at this again". Of Shopify's only the body is signed, so
topic, shop and ids in the headers may be a replayer's; and no order is kept between deliveries.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from accounts.alerts import raise_alert, resolve_alert
from accounts.clock import wall_now
from accounts.encryption import SecretError
from accounts.models import Store
from accounts.models.alerts import Severity
from accounts.models.credentials import StoreKind
from accounts.scoping import all_tenants, tenant_scope
from connectors import fields
from connectors.connections import connect_store
from connectors.contracts import Platform
from connectors.errors import ConfigurationError, ConnectorError
from connectors.fields import Row
from connectors.models import Delivery
from connectors.replies import Reply
from connectors.shopify import signatures
from connectors.shopify.client import shop_host
from connectors.signals import delivery_received
from connectors.store_contracts import Subscribing
from connectors.tiktok_shop import signing

LARGEST = 256 * 1024  # bytes; the platforms' own are a few kilobytes, orders of many lines some tens

COMPLIANCE = frozenset(["customers/data_request", "customers/redact", "shop/redact"])
ENDING = frozenset(["app/uninstalled", "6"])
# What is told also of shops that are no longer connected. It comes again in the same words when it happens again, so
# here only the delivery's id tells a duplicate; what it does is confirmed by the platform, or done already.
LASTING = COMPLIANCE | ENDING

SUBSCRIBED_AGAIN = timedelta(days=7)  # a platform drops subscriptions whose deliveries fail


class NotTakenError(Exception):
    """A delivery that is not taken: the HTTP status and one line that says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class News:
    """What is kept of a delivery: ids only."""

    topic: str
    webhook_id: str
    body: bytes
    resource: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    event_id: str = ""
    triggered_at: datetime | None = None


# --- Shopify ---------------------------------------------------------------------------------------------------------


def receive_shopify(headers: Mapping[str, str], body: bytes) -> None:
    """Take a delivery to the stores of the shop that it is about. Raises `NotTakenError`.

    A store takes only what its own app's secret, or that of this installation's app, has signed: somebody else
    who has entered the same shop here can sign nothing for it. The signature is looked at before anything else.
    """
    signature = headers.get("X-Shopify-Hmac-Sha256", "")
    if not signature or not body:
        raise NotTakenError(400, "the signature or the body is missing")
    host = _host(headers.get("X-Shopify-Shop-Domain", ""))
    ours = (settings.LOGIN_APPS["shopify"]["app_secret"], settings.SHOPIFY_OLD_APP_SECRET)
    stores = [
        store
        for store in _stores(Platform.SHOPIFY, host)
        if signatures.is_webhook(body, signature, (_secret_of(store), *ours))
    ]
    if not stores and not signatures.is_webhook(body, signature, ours):
        raise NotTakenError(401, "the signature is not right")
    topic = headers.get("X-Shopify-Topic", "")
    webhook_id = _id_in(headers, "X-Shopify-Webhook-Id")
    if not (host and topic and webhook_id):
        raise NotTakenError(400, "a header is missing or not as it should be")
    if topic not in SHOPIFY_TOPICS:
        raise NotTakenError(404, "nothing is done with this topic")
    with _readable():
        resource, details = SHOPIFY_TOPICS[topic](_document(body), host)
    news = News(
        topic, webhook_id, body, resource, details, _id_in(headers, "X-Shopify-Event-Id"), _triggered_at(headers)
    )
    _keep(stores, news)


def _host(domain: str) -> str:
    try:
        return shop_host(domain)
    except ConfigurationError:
        return ""


def _id_in(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    return value if re.fullmatch(r"[\x21-\x7e]{1,120}", value) else ""


def _triggered_at(headers: Mapping[str, str]) -> datetime | None:
    """Worth knowing, not worth a refusal."""
    try:
        return fields.moment({"at": headers.get("X-Shopify-Triggered-At")}, "at")
    except ConnectorError:
        return None


Named = tuple[str, dict[str, Any]]


def _gid(kind: str, body: Row, name: str) -> str:
    """Shopify's global id: what the API calls the thing that a body names by number."""
    return f"gid://shopify/{kind}/{_number(body, name)}"


def _number(body: Row, name: str) -> str:
    return fields.digits(fields.identifier(body, name), Platform.SHOPIFY)


def _order(body: Row, host: str) -> Named:
    return _gid("Order", body, "id"), {}


def _refund(body: Row, host: str) -> Named:
    return _gid("Order", body, "order_id"), {"refund": _gid("Refund", body, "id")}


def _shop(body: Row, host: str) -> Named:
    _expect_shop(body, "myshopify_domain", {host, None})
    return _gid("Shop", body, "id"), {}


def _bulk_operation(body: Row, host: str) -> Named:
    return fields.identifier(body, "admin_graphql_api_id"), {}


def _data_request(body: Row, host: str) -> Named:
    _expect_shop(body, "shop_domain", {host})
    reference = _number(fields.part(body, "data_request"), "id")
    return reference, {"customer": _customer(body), "orders": _orders(body, "orders_requested")}


def _customer_redact(body: Row, host: str) -> Named:
    _expect_shop(body, "shop_domain", {host})
    return "", {"customer": _customer(body), "orders": _orders(body, "orders_to_redact")}


def _shop_redact(body: Row, host: str) -> Named:
    """The body of another topic must not pass for this one, whatever the unsigned header says."""
    _expect_shop(body, "shop_domain", {host})
    if "customer" in body:
        raise fields.malformed("customer", body["customer"])
    return _number(body, "shop_id"), {}


def _expect_shop(body: Row, name: str, known: set[str | None]) -> None:
    value = body.get(name)
    if not isinstance(value, str | None) or (value and value.lower()) not in known:
        raise fields.malformed(name, value)


def _customer(body: Row) -> str:
    customer = fields.part(body, "customer")
    return "" if customer.get("id") is None else _number(customer, "id")


def _orders(body: Row, name: str) -> list[str]:
    ids = body.get(name)
    if not isinstance(ids, list):
        raise fields.malformed(name, ids)
    return [_gid("Order", {name: value}, name) for value in ids]


SHOPIFY_TOPICS: dict[str, Callable[[Row, str], Named]] = {
    "orders/create": _order,
    "orders/updated": _order,
    "orders/paid": _order,
    "orders/cancelled": _order,
    "refunds/create": _refund,
    "shop/update": _shop,
    "app/uninstalled": _shop,
    "bulk_operations/finish": _bulk_operation,
    "customers/data_request": _data_request,
    "customers/redact": _customer_redact,
    "shop/redact": _shop_redact,
}


# --- TikTok Shop -----------------------------------------------------------------------------------------------------


def receive_tiktok_shop(headers: Mapping[str, str], body: bytes) -> None:
    """As `receive_shopify`. Here the signature covers everything, shop and type included."""
    signature = headers.get("Authorization", "")
    if not signature or not body:
        raise NotTakenError(400, "the signature or the body is missing")
    with _readable():
        document = _document(body)
        shop = fields.identifier(document, "shop_id")
        kind = str(fields.known(fields.count(document, "type"), "type"))
        triggered_at = _unix_time(document, "timestamp")
    app = settings.LOGIN_APPS["tiktok_shop"]
    ours = (app["app_id"], app["app_secret"])
    stores = [
        store
        for store in _stores(Platform.TIKTOK_SHOP, shop)
        if _is_tiktok(body, signature, (store.credential.app_id, _secret_of(store)), ours)
    ]
    if not stores and not _is_tiktok(body, signature, ours):
        raise NotTakenError(401, "the signature is not right")
    if kind not in TIKTOK_SHOP_TOPICS:
        raise NotTakenError(404, "nothing is done with this type")
    with _readable():
        given = document.get("tts_notification_id")
        webhook_id = "" if given is None else fields.identifier(document, "tts_notification_id")
        name = TIKTOK_SHOP_TOPICS[kind]
        resource = fields.identifier(fields.part(document, "data"), name) if name else ""
    _keep(stores, News(kind, webhook_id or _digest(body), body, resource, triggered_at=triggered_at))


def _is_tiktok(body: bytes, signature: str, *apps: tuple[str, str]) -> bool:
    """Every app is tried, so that the time taken tells nothing of which one signs."""
    found = [signing.is_webhook(body, signature, key, secret) for key, secret in apps if key and secret]
    return any(found)


def _unix_time(document: Row, name: str) -> datetime | None:
    seconds = fields.count(document, name)
    if seconds is None:
        return None
    if seconds >= 10**11:
        raise fields.malformed(name, seconds)
    return datetime.fromtimestamp(seconds, UTC)


PRODUCT_TYPES = ("5", "15", "16", "18", "37")
# Number of the type: the field of `data` that names what it is about.
TIKTOK_SHOP_TOPICS = {
    "1": "order_id",  # its status changed
    "11": "order_id",  # a cancellation
    "12": "order_id",  # a return
    "6": "",  # the seller withdrew the access
    "7": "",  # the access ends within 30 days
} | dict.fromkeys(PRODUCT_TYPES, "")


# --- Both ------------------------------------------------------------------------------------------------------------


@contextmanager
def _readable() -> Iterator[None]:
    """What cannot be read is refused."""
    try:
        yield
    except ConnectorError:
        raise NotTakenError(400, "the body is not as it should be") from None


def _document(body: bytes) -> Row:
    try:
        return Reply(200, httpx.Headers(), body).document()
    except ValueError:
        raise NotTakenError(400, "the body is not a JSON object") from None


def _stores(platform: Platform, external_id: str) -> list[Store]:
    """The stores of every tenant that has this shop; none for an id that is none."""
    with all_tenants():
        rows = Store.objects.filter(platform=platform, external_id=external_id, kind=StoreKind.SHOP)
        return list(rows.select_related("credential", "tenant"))


def _secret_of(store: Store) -> str:
    try:
        return store.credential.app_secret or ""
    except SecretError:
        return ""


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _keep(stores: Iterable[Store], news: News) -> None:
    """Into the inbox of each store, once; then wake whoever works it off."""
    takers = [s for s in stores if news.topic in LASTING or (s.is_active and s.tenant.is_active)]
    digest = _digest(news.webhook_id.encode() + news.body if news.topic in LASTING else news.body)
    rows = [
        Delivery(
            tenant_id=store.tenant_id,
            store=store,
            topic=news.topic,
            webhook_id=news.webhook_id,
            event_id=news.event_id,
            body_sha256=digest,
            resource=news.resource,
            details=news.details,
            triggered_at=news.triggered_at,
        )
        for store in takers
    ]
    with all_tenants():
        Delivery.objects.bulk_create(rows, ignore_conflicts=True)
        kept = list(Delivery.objects.filter(pk__in=[row.pk for row in rows]).values_list("store_id", flat=True))
    for store_id in kept:
        delivery_received.send_robust(sender=Delivery, store_id=store_id)


# --- Subscriptions ---------------------------------------------------------------------------------------------------


def subscribe_stores() -> int:
    """Tell the platforms where to push, for stores of which that is new or a week ago; returns how many were told."""
    with all_tenants():
        due = Q(subscribed_at__isnull=True) | Q(subscribed_at__lt=wall_now() - SUBSCRIBED_AGAIN)
        rows = Store.objects.filter(due, is_active=True, tenant__is_active=True, kind=StoreKind.SHOP)
        stores = [store for store in rows.select_related("credential", "tenant") if _is_reachable(store.platform)]
    told = 0
    for store in stores:
        with tenant_scope(store.tenant):
            told += _subscribe(store)
    return told


def _is_reachable(platform: str) -> bool:
    """Platforms push to https only; a sandbox, itself reached over plain HTTP, also to plain HTTP."""
    scheme = settings.PUBLIC_URL.partition("://")[0]
    base_url: str = getattr(settings, f"{platform.upper()}_BASE_URL")
    return scheme == "https" or (scheme == "http" and base_url.startswith("http://"))


def _subscribe(store: Store) -> bool:
    key = f"subscription {store.pk}"
    try:
        client = connect_store(store)
        if not isinstance(client, Subscribing):
            return False
        client.subscribe(settings.PUBLIC_URL + reverse(f"webhooks:{store.platform}"))
    except ConnectorError as error:
        message = f"{store}: the platform could not be told where to push its news; they are read hourly. {error}"
        raise_alert(store.tenant, key=key, severity=Severity.WARNING, message=message)
        return False
    Store.objects.filter(pk=store.pk).update(subscribed_at=wall_now())
    resolve_alert(store.tenant, key=key)
    return True

"""What Shopify asks for on behalf of customers and shops, within 30 days: handing over, and erasing.

Each request is a `PrivacyRequest` with the id of the delivery that brought it, so that one that comes to two
workers, or again after one was killed, is one request. Every step can be done again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import ForeignObjectRel, QuerySet

from accounts.alerts import raise_alert
from accounts.clock import wall_now
from accounts.models import Alert, Credential, Store
from accounts.models.alerts import Severity
from accounts.money import MICROS
from connectors import grants
from connectors.models import Delivery, PrivacyRequest
from metrics.models import Order, ProductCost, SourceCoverage, StoreCoverage
from metrics.sync.orders import SOURCE, lock_store

GIVEN = timedelta(days=30)
SLICE = 500  # rows erased in one transaction
SLICES = 40  # of one turn: a large shop takes several
ERASED = "Erased shop"

Kind = PrivacyRequest.Kind
KINDS = {
    "customers/data_request": Kind.EXPORT,
    "customers/redact": Kind.REDACT_CUSTOMER,
    "shop/redact": Kind.REDACT_SHOP,
}


def carry_out(delivery: Delivery, *, is_connected: Callable[[Store], bool]) -> bool:
    """Do what a delivery of a compliance topic asks for; false when some of it is left for another turn.

    `is_connected` asks the platform whether a shop is still, or again, connected.
    """
    request = _request(delivery)
    if request.done_at is not None:
        return True
    store = request.store
    if store is None:
        return _close(request, "the store is no longer here")
    if request.kind == Kind.EXPORT:
        return _export(request, store)
    if request.kind == Kind.REDACT_CUSTOMER:
        return _redact(request, store)
    if is_connected(store):
        return _close(request, "kept: the shop is connected, the platform takes its login")
    return _erase(request, store)


def _request(delivery: Delivery) -> PrivacyRequest:
    store, details = delivery.store, delivery.details
    request: PrivacyRequest
    request, _ = PrivacyRequest.objects.get_or_create(
        pk=delivery.pk,
        defaults={
            "tenant_id": delivery.tenant_id,
            "store": store,
            "kind": KINDS[delivery.topic],
            "shop": store.external_id,
            "reference": delivery.resource,
            "customer": details.get("customer", ""),
            "orders": details.get("orders", []),
            "due_at": delivery.created_at + GIVEN,
        },
    )
    return request


def _close(request: PrivacyRequest, outcome: str, **values: Any) -> bool:
    rows = PrivacyRequest.objects.filter(pk=request.pk, done_at__isnull=True)
    rows.update(done_at=wall_now(), outcome=outcome[:300], **values)
    return True


# --- A customer's data -----------------------------------------------------------------------------------------------


def _export(request: PrivacyRequest, store: Store) -> bool:
    rows = _orders_of(request, store).prefetch_related("lines", "refunds", "edits").order_by("ordered_at")
    orders = [_told(order) for order in rows]
    held = {order["id"] for order in orders}
    export = {
        "shop": request.shop,
        "customer": request.customer,
        "request": request.reference,
        "orders": orders,
        "orders_not_held": [name for name in request.orders if name not in held],
    }
    message = (
        f"{store}: a customer asks for their data. {len(orders)} of {len(request.orders)} orders are held; "
        f"hand the export over by {request.due_at:%Y-%m-%d}."
    )
    raise_alert(store.tenant, key=f"privacy {request.pk}", severity=Severity.WARNING, message=message)
    return _close(request, f"{len(orders)} of {len(request.orders)} orders are held: exported", export=export)


def _orders_of(request: PrivacyRequest, store: Store) -> QuerySet[Order]:
    rows: QuerySet[Order] = Order.objects.filter(store=store, external_id__in=request.orders)
    return rows


def _told(order: Order) -> dict[str, Any]:
    """All that is held about an order: times in UTC, amounts in units of its currency."""
    return {
        "id": order.external_id,
        "ordered_at": _time(order.ordered_at),
        "updated_at": _time(order.platform_updated_at),
        "cancelled_at": _time(order.cancelled_at),
        "is_test": order.is_test,
        "is_paid": order.is_paid,
        "is_new_customer": order.is_new_customer,
        "currency": order.currency,
        "total": _amount(order.total_micros),
        **{name: getattr(order, name) for name in SOURCE},
        "redacted_at": _time(order.redacted_at),
        "lines": [
            {
                "id": line.external_id,
                "product": line.product_external_id,
                "variant": line.variant_external_id,
                "title": line.title,
                "quantity": line.quantity,
                "unit_price": _amount(line.unit_price_micros),
                "discount": _amount(line.discount_micros),
            }
            for line in order.lines.all()
        ],
        "refunds": [
            {"id": row.external_id, "refunded_at": _time(row.refunded_at), "amount": _amount(row.amount_micros)}
            for row in order.refunds.all()
        ],
        "edits": [
            {"id": row.external_id, "edited_at": _time(row.edited_at), "amount": _amount(row.amount_micros)}
            for row in order.edits.all()
        ],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _amount(micros: int) -> str:
    whole, rest = divmod(abs(micros), MICROS)
    return f"{'-' if micros < 0 else ''}{whole}.{rest:06d}"


def _redact(request: PrivacyRequest, store: Store) -> bool:
    """Where the orders came from is erased, with what was exported for the customer; figures stay."""
    with transaction.atomic():
        lock_store(store)
        rows = _orders_of(request, store).filter(redacted_at__isnull=True)
        erased = rows.update(**dict.fromkeys(SOURCE, ""), redacted_at=wall_now())
    if request.customer:
        of_customer = PrivacyRequest.objects.filter(store=store, customer=request.customer, kind=Kind.EXPORT)
        of_customer.update(export=None)
    return _close(request, f"{erased} of {len(request.orders)} orders: where they came from is erased")


# --- A shop ----------------------------------------------------------------------------------------------------------


def _erase(request: PrivacyRequest, store: Store) -> bool:
    """All that was read from a shop that has uninstalled the app, its login, and its name; in slices."""
    grants.platform_ended(store, reason="the shop asked for its erasure")
    for rows in _read_from(store, besides=request):
        for _ in range(SLICES):
            keys = list(rows.order_by().values_list("pk", flat=True)[:SLICE])
            rows.filter(pk__in=keys).delete()
            if len(keys) < SLICE:
                break
        else:
            return False
    PrivacyRequest.objects.filter(store=store).update(customer="", orders=[], export=None)
    _make_nameless(store)
    return _close(request, "what was read from the shop is erased, with its login and name")


def _read_from(store: Store, *, besides: PrivacyRequest) -> list[QuerySet[Any]]:
    """The rows that hang on a store, whatever they are, but those that are the tenant's own or prove the erasure."""
    found = []
    for relation in store._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ForeignObjectRel):
            continue
        model: type[models.Model] = relation.related_model
        rows = model._default_manager.filter(**{relation.field.name: store})
        if model is ProductCost:
            rows = rows.filter(source=ProductCost.Source.PLATFORM)
        if model is Delivery:
            rows = rows.exclude(pk=besides.pk)
        if model is not PrivacyRequest:
            found.append(rows)
    # First what says that orders are known: a shop that is connected again half-way has them read again.
    return sorted(found, key=lambda rows: rows.model not in (StoreCoverage, SourceCoverage))


def _make_nameless(store: Store) -> None:
    """The row stays, for what the tenant has entered itself; nothing in it leads to the shop."""
    Store.objects.filter(pk=store.pk).update(
        name=ERASED, external_id=f"erased-{store.pk}", cipher="", seller_type="", problem="", notice=""
    )
    Delivery.objects.filter(store=store).update(resource="", details={}, problem="")
    is_shared = Store.objects.filter(credential=store.credential_id).exclude(pk=store.pk).exists()
    named = {store.pk}
    of_shop = Credential.objects.filter(pk=store.credential_id, ad_accounts__isnull=True)
    if not is_shared and of_shop.update(label=ERASED, subject=""):
        named.add(store.credential_id)
    for key in named:
        Alert.objects.filter(key__endswith=f" {key}").delete()

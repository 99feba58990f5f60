"""What TikTok Shop tells beyond orders, kind by kind: each goes on where its `SourceCoverage` ends.

TikTok asks that finance and statistics be fetched sparingly: no kind is asked more than once an hour, a shop's
health once a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from django.db import models, transaction
from django.db.models import Exists, Min, OuterRef, Q, Value
from django.db.models.functions import Concat

from accounts.clock import wall_now
from accounts.hours import HOUR, local_day
from accounts.models import Store
from connectors.errors import AuthenticationError, ConnectorError, MalformedReplyError
from connectors.hours import days_between
from connectors.store_contracts import CreatorPlatform, Marketplace, ShopHealthRecord, ShopHourRecord, StorePlatform
from metrics.models import (
    AffiliateSale,
    Order,
    Payment,
    Refund,
    ShopDay,
    ShopHealth,
    ShopHour,
    ShopReturn,
    SourceCoverage,
    Statement,
)
from metrics.sync.counts import SyncCounts
from metrics.sync.coverage import batches, note
from metrics.sync.orders import lock_store, store_records
from metrics.sync.refusals import storable

DAY = timedelta(days=1)
FIRST = timedelta(days=90)
HOURS_KEPT = timedelta(days=29)  # with today thirty days, as far back as TikTok gives hours
PATIENCE = timedelta(days=60)
RETURN = "return:"  # begins the id of a refund that was made from a return

AFFILIATE, RETURNS = "affiliate", "returns"  # kinds of `SourceCoverage` that others ask for


class Shop(Marketplace, StorePlatform, Protocol):
    """A store with orders that is a marketplace as well."""


class Kind(NamedTuple):
    """A kind of data, and the table that holds it.

    `read` gives the records of `[start, end)` by the rows' `moment`, or of the local days that it touches; `key` is
    what tells two rows of a store apart. It is read again `again` before the place where the last reading ended,
    and as far back as something is `waiting` for its end, up to `PATIENCE`.
    """

    name: str
    model: type[models.Model]
    key: tuple[str, ...]
    moment: str
    read: Callable[[Any, Store, datetime, datetime], Iterable[Any]]
    again: timedelta
    first: timedelta = FIRST
    every: timedelta = HOUR
    waiting: Q | None = None
    values: Callable[[Any], dict[str, Any]] = lambda record: dict(record._asdict())


def sync_marketplace(
    store: Store, client: Shop, *, as_of: datetime, counts: SyncCounts | None = None
) -> dict[str, ConnectorError]:
    """Read what is due of a shop up to `as_of`; returns what failed, by kind, when all others have been read.

    Raises `AuthenticationError` at once: nothing else would be answered either.
    """
    counts = SyncCounts() if counts is None else counts
    failed: dict[str, ConnectorError] = {}
    for kind in OF_SHOPS:
        with _noted(failed, kind.name):
            _sync(kind, store, client, as_of, counts)
    with _noted(failed, "refunds"):
        book_refunds(store, client, as_of=as_of, counts=counts)
    return failed


def sync_creator(
    store: Store, client: CreatorPlatform, *, as_of: datetime, counts: SyncCounts | None = None
) -> dict[str, ConnectorError]:
    """Read a creator's commissions up to `as_of`; raises and returns as `sync_marketplace`."""
    failed: dict[str, ConnectorError] = {}
    with _noted(failed, COMMISSIONS.name):
        _sync(COMMISSIONS, store, client, as_of, SyncCounts() if counts is None else counts)
    return failed


@contextmanager
def _noted(failed: dict[str, ConnectorError], name: str) -> Iterator[None]:
    try:
        yield
    except AuthenticationError:
        raise
    except ConnectorError as error:
        failed[name] = error


def _sync(kind: Kind, store: Store, client: Any, as_of: datetime, counts: SyncCounts) -> None:
    """Coverage moves when all pages are stored: a reading that was cut short is done again."""
    span = _due(kind, store, as_of)
    if span is None:
        return
    known_from, start = span
    for batch in batches(kind.read(client, store, start, as_of)):
        if kind is RETURNED:
            _store_returns(store, batch, counts)
        else:
            _store(kind, store, batch)
    note(store, kind.name, known_from, as_of)


def _due(kind: Kind, store: Store, as_of: datetime) -> tuple[datetime, datetime] | None:
    """From when on the kind will be known, and from when on it is to be read; `None` while it is too early."""
    known = SourceCoverage.objects.filter(store=store, kind=kind.name).first()
    first = as_of - kind.first
    if known is None or known.known_to < first:
        return first, first
    if as_of < known.known_to + kind.every:
        return None
    start: datetime = known.known_to - kind.again
    if kind.waiting is not None:
        rows = kind.model._default_manager.filter(kind.waiting, store=store)
        oldest = rows.filter(**{f"{kind.moment}__gte": as_of - PATIENCE}).aggregate(at=Min(kind.moment))["at"]
        start = min(start, oldest or start)
    return known.known_from, start


def _store(kind: Kind, store: Store, records: Iterable[Any]) -> None:
    """One row for each key, as the last of the records says."""
    now = wall_now()
    rows = {}
    for record in records:
        values = _cut(kind.model, kind.values(record))
        key = tuple(values[name] for name in kind.key)
        rows[key] = kind.model(tenant_id=store.tenant_id, store=store, known_at=now, **values)
    if not rows:
        return
    with storable(kind.name), transaction.atomic():
        kind.model._default_manager.bulk_create(
            rows.values(),
            update_conflicts=True,
            unique_fields=["store", *kind.key],
            update_fields=[name for name in values if name not in kind.key] + ["known_at"],
        )


def _cut(model: type[models.Model], values: dict[str, Any]) -> dict[str, Any]:
    """Texts as long as their columns."""
    return {
        name: value[: model._meta.get_field(name).max_length] if isinstance(value, str) else value  # type: ignore[union-attr]
        for name, value in values.items()
    }


def _renamed(**names: str) -> Callable[[Any], dict[str, Any]]:
    return lambda record: {names.get(name, name): value for name, value in record._asdict().items()}


def _store_returns(store: Store, records: list[Any], counts: SyncCounts) -> None:
    """Of two records of a return the younger one counts. What is refunded no more is no refund any more."""
    with storable(RETURNS), transaction.atomic():
        lock_store(store)
        held = ShopReturn.objects.filter(store=store, external_id__in=[record.external_id for record in records])
        known = dict(held.values_list("external_id", "platform_updated_at"))
        current = [r for r in records if known.get(r.external_id, r.updated_at) <= r.updated_at]
        current.sort(key=lambda record: record.updated_at)
        _store(RETURNED, store, current)
        newest = {record.external_id: record.is_refunded for record in current}
        taken_back = Refund.objects.filter(
            order__store=store,
            external_id__in=[RETURN + name for name, is_refunded in newest.items() if not is_refunded],
        )
        counts.concern(*taken_back.values_list("refunded_at", flat=True))
        taken_back.delete()


def book_refunds(store: Store, client: StorePlatform, *, as_of: datetime, counts: SyncCounts) -> None:
    """Every return that is refunded becomes a refund of its order, at the time it was first read as refunded.

    What stands open from earlier, because the order was not known or a sync was cut short, is booked as well. An
    order that is missing is read from the platform; where that has none, the return stays open. Raises
    `MalformedReplyError`, when all others are booked, for a return in another currency than its order.
    """
    odd: list[str] = []
    for batch in batches(list(_unbooked(store, as_of - FIRST))):
        wanted = {row.order_external_id for row in batch}
        known = Order.objects.filter(store=store, external_id__in=wanted).values_list("external_id", flat=True)
        missing = sorted(wanted - set(known))
        for records in batches(client.orders_by_id(missing) if missing else ()):
            store_records(store, records, counts)
        odd += _book(store, batch, counts)
    if odd:
        raise MalformedReplyError(f"returns in another currency than their orders: {', '.join(odd)[:200]}")


def _unbooked(store: Store, since: datetime) -> models.QuerySet[ShopReturn]:
    booked = Refund.objects.filter(
        order__store_id=OuterRef("store_id"),
        order__external_id=OuterRef("order_external_id"),
        external_id=Concat(Value(RETURN), OuterRef("external_id")),
        amount_micros=OuterRef("amount_micros"),
    )
    rows = ShopReturn.objects.filter(store=store, is_refunded=True, amount_micros__gt=0)
    return rows.filter(~Exists(booked), platform_updated_at__gte=since).order_by("platform_updated_at")


def _book(store: Store, returns: list[ShopReturn], counts: SyncCounts) -> list[str]:
    """Book the returns whose order is known; returns those whose currency is not the order's."""
    with storable("refunds"), transaction.atomic():
        lock_store(store)
        names = {row.order_external_id for row in returns}
        found = Order.objects.filter(store=store, external_id__in=names).values_list("external_id", "pk", "currency")
        orders = {name: (pk, currency) for name, pk, currency in found}
        known = [row for row in returns if row.order_external_id in orders]
        rows = [
            Refund(
                tenant_id=store.tenant_id,
                order_id=orders[row.order_external_id][0],
                external_id=RETURN + row.external_id,
                refunded_at=row.platform_updated_at,
                amount_micros=row.amount_micros,
            )
            for row in known
            if row.currency == orders[row.order_external_id][1]
        ]
        Refund.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["order", "external_id"], update_fields=["amount_micros"]
        )
        booked = Refund.objects.filter(order__store=store, external_id__in=[row.external_id for row in rows])
        counts.refunds += len(rows)
        counts.concern(*booked.values_list("refunded_at", flat=True))
    return [row.external_id for row in known if row.currency != orders[row.order_external_id][1]]


def _hours(client: Marketplace, store: Store, start: datetime, end: datetime) -> Iterator[ShopHourRecord]:
    for day in days_between(*_days(store, start, end)):
        yield from client.shop_hours(day)


def _days(store: Store, start: datetime, end: datetime) -> tuple[date, date]:
    """The first and the last local day of a span."""
    return local_day(start, store.timezone), local_day(end - HOUR, store.timezone)


def _health_values(record: ShopHealthRecord) -> dict[str, Any]:
    """Metrics by name: `score_ppm` of 5,000,000, `value` in millionths of its `unit` (of a percentage: of 1)."""
    metrics = {name: {"score_ppm": score, "value": value, "unit": unit} for name, score, value, unit in record.metrics}
    return {**record._asdict(), "dimensions": dict(record.dimensions), "metrics": metrics}


_affiliate = Kind(
    AFFILIATE,
    AffiliateSale,
    ("external_id", "sku_external_id"),
    "sold_at",
    lambda client, store, start, end: client.affiliate_orders(start, end),
    again=DAY,
    waiting=Q(commission_micros=None),
    values=_renamed(order_external_id="external_id", created_at="sold_at"),
)
COMMISSIONS = _affiliate._replace(read=lambda client, store, start, end: client.commissions(start, end))
RETURNED = Kind(
    RETURNS,
    ShopReturn,
    ("external_id",),
    "platform_updated_at",
    lambda client, store, start, end: client.returns(start, end),
    again=timedelta(minutes=10),
    values=_renamed(created_at="requested_at", updated_at="platform_updated_at"),
)
OF_SHOPS = (
    RETURNED,
    _affiliate,
    Kind(
        "statements",
        Statement,
        ("external_id",),
        "statement_at",
        lambda client, store, start, end: client.statements(start, end),
        again=2 * DAY,
        waiting=~Q(status="PAID"),
    ),
    Kind(
        "payments",
        Payment,
        ("external_id",),
        "initiated_at",
        lambda client, store, start, end: client.payments(start, end),
        again=2 * DAY,
        waiting=Q(paid_at=None),
        values=_renamed(created_at="initiated_at"),
    ),
    Kind(
        "hours",
        ShopHour,
        ("hour",),
        "hour",
        _hours,
        again=DAY,
        first=HOURS_KEPT,
    ),
    Kind(
        "days",
        ShopDay,
        ("day",),
        "day",
        lambda client, store, start, end: client.shop_days(*_days(store, start, end)),
        again=2 * DAY,
    ),
    Kind(
        "health",
        ShopHealth,
        ("evaluated_at",),
        "evaluated_at",
        lambda client, store, start, end: filter(None, [client.health()]),
        again=timedelta(0),
        every=DAY,
        values=_health_values,
    ),
)

"""The verified facts behind a credit assessment, read in chunks: each kind of row once, added up as it passes.

The same additions run over what the tables hold now (`gather`) and over the rows that an assessment names
(`metrics.assessments.verify`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, Min, Model, OuterRef, QuerySet, Subquery

from accounts.models import Store, StoreKind
from metrics.accounting import REVENUE
from metrics.credit import MONTH_DAYS, Inputs, Purse, commission_micros
from metrics.marketplace import PAID
from metrics.models import AffiliateSale, Order, Product, Refund, ShopHealth

CHUNK = 1000
MONTH = timedelta(days=MONTH_DAYS)
SOLD_NOW = "activate"  # TikTok Shop's word for a product that can be bought

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Of which stores, and `[start, end)` of which all of it is known. `rates`: dollars for one unit by currency."""

    stores: tuple[UUID, ...]
    start: datetime
    end: datetime
    rates: Mapping[str, str | None]
    knows_affiliates: bool
    knows_products: bool

    @property
    def known_days(self) -> int:
        return (self.end - self.start).days

    @property
    def months(self) -> int:
        return self.known_days // MONTH_DAYS

    def month_of(self, moment: datetime) -> int | None:
        """Which month, the oldest 0; `None` before the first whole one."""
        place = self.months - 1 - (self.end - moment - timedelta.resolution) // MONTH
        return place if place >= 0 else None


@dataclass(slots=True)
class Sums:
    """What was earned in one currency."""

    months: list[int]
    affiliate_months: list[int]
    sales: int = 0
    refunds: int = 0
    settled: int = 0
    expected: int = 0


@dataclass(slots=True)
class Tally:
    """What has been added up of the rows so far."""

    scope: Scope
    zones: dict[UUID, ZoneInfo] = field(default_factory=dict)
    creators: set[UUID] = field(default_factory=set)
    seller_types: set[str] = field(default_factory=set)
    sums: dict[str, Sums] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)
    months_orders: list[int] = field(default_factory=list)
    ratings: dict[UUID, tuple[datetime, int]] = field(default_factory=dict)
    oldest: datetime | None = None
    orders: int = 0
    paid_orders: int = 0
    affiliate_orders: int = 0
    untold_commissions: int = 0
    products_before: int = 0
    products_now: int = 0
    newest_sale: tuple[UUID, str] | None = None

    def __post_init__(self) -> None:
        self.months_orders = [0] * self.scope.months

    def of(self, currency: str) -> Sums:
        if currency not in self.sums:
            self.sums[currency] = Sums([0] * self.scope.months, [0] * self.scope.months)
        return self.sums[currency]

    def book_order(self, store: UUID, at: datetime) -> None:
        self.days.add(at.astimezone(self.zones[store]).date())
        _add(self.months_orders, self.scope.month_of(at), 1)


def _add(months: list[int], place: int | None, amount: int) -> None:
    if place is not None:
        months[place] += amount


def _add_stores(tally: Tally, rows: Iterable[Row]) -> None:
    for pk, kind, currency, zone, seller, *firsts in rows:
        tally.zones[pk] = ZoneInfo(zone)
        tally.of(currency)
        if kind == StoreKind.CREATOR:
            tally.creators.add(pk)
        else:
            tally.seller_types.add(seller.upper())
        tally.oldest = min((at for at in (*firsts, tally.oldest) if at is not None), default=None)


def _add_orders(tally: Tally, rows: Iterable[Row]) -> None:
    for _, store, at, currency, total, cancelled_at in rows:
        tally.paid_orders += 1
        if cancelled_at is not None:
            continue
        tally.orders += 1
        sums = tally.of(currency)
        sums.sales += total
        _add(sums.months, tally.scope.month_of(at), total)
        tally.book_order(store, at)


def _add_refunds(tally: Tally, rows: Iterable[Row]) -> None:
    for _, currency, amount in rows:
        tally.of(currency).refunds += amount


def _add_sales(tally: Tally, rows: Iterable[Row]) -> None:
    """Rows of one order follow one another. What a creator sold for others brings commission."""
    for _, store, name, at, currency, sales, rate, estimated, settled in rows:
        sums, month = tally.of(currency), tally.scope.month_of(at)
        _add(sums.affiliate_months, month, sales)
        if store not in tally.creators:
            continue
        earned = next((told for told in (settled, estimated) if told is not None), None)
        if earned is None and rate is not None:
            earned = commission_micros(sales, rate)
        if earned is None:
            tally.untold_commissions += 1
            continue
        sums.settled += earned if settled is not None else 0
        sums.expected += earned if settled is None else 0
        _add(sums.months, month, earned)
        if earned > 0 and tally.newest_sale != (store, name):
            tally.newest_sale = store, name
            tally.affiliate_orders += 1
            tally.book_order(store, at)


def _add_products(tally: Tally, rows: Iterable[Row]) -> None:
    for _, listed_at in rows:
        tally.products_now += 1
        tally.products_before += listed_at < tally.scope.start


def _add_health(tally: Tally, rows: Iterable[Row]) -> None:
    for _, store, at, score in rows:
        if score is not None and (store not in tally.ratings or at > tally.ratings[store][0]):
            tally.ratings[store] = at, score


def _first(model: type[Model], moment: str) -> Subquery:
    rows = model._default_manager.filter(store=OuterRef("pk")).order_by().values("store")
    return Subquery(rows.annotate(at=Min(moment)).values("at"))


def _stores(scope: Scope) -> QuerySet[Any]:
    """With the first that is known of each, of whatever time."""
    firsts = {"order": _first(Order, "ordered_at"), "product": _first(Product, "listed_at")}
    rows = Store.objects.filter(pk__in=scope.stores)
    annotated: QuerySet[Any] = rows.annotate(**firsts, sale=_first(AffiliateSale, "sold_at"))
    return annotated


class Source(NamedTuple):
    """A kind of row: those of a scope that count, and how their columns, the key first, are added up."""

    model: type[Model]
    columns: tuple[str, ...]
    order: tuple[str, ...]
    rows: Callable[[Scope], QuerySet[Any]]
    add: Callable[[Tally, Iterable[Row]], None]

    @property
    def name(self) -> str:
        return self.model.__name__

    def chunks(self, scope: Scope) -> Iterator[list[Row]]:
        found = self.rows(scope).order_by(*self.order).values_list(*self.columns).iterator(chunk_size=CHUNK)
        while chunk := list(islice(found, CHUNK)):
            yield chunk

    def named(self, scope: Scope, ids: list[Any]) -> list[Row]:
        """Those of these rows that still count."""
        return list(self.rows(scope).filter(pk__in=ids).order_by(*self.order).values_list(*self.columns))


# Stores first: the others need to know whose rows they are.
SOURCES = (
    Source(
        Store,
        ("pk", "kind", "currency", "timezone", "seller_type", "order", "product", "sale"),
        ("pk",),
        _stores,
        _add_stores,
    ),
    Source(
        Order,
        ("pk", "store_id", "ordered_at", "currency", "total_micros", "cancelled_at"),
        ("pk",),
        lambda s: Order.objects.filter(PAID, store__in=s.stores, ordered_at__gte=s.start, ordered_at__lt=s.end),
        _add_orders,
    ),
    Source(
        Refund,
        ("pk", "order__currency", "amount_micros"),
        ("pk",),
        # Asked order by order: joined, a planner without statistics looks for every named refund in every order.
        lambda s: Refund.objects.filter(
            Exists(Order.objects.filter(REVENUE, pk=OuterRef("order_id"), store__in=s.stores)),
            refunded_at__gte=s.start,
            refunded_at__lt=s.end,
        ),
        _add_refunds,
    ),
    Source(
        AffiliateSale,
        (
            "pk",
            "store_id",
            "external_id",
            "sold_at",
            "currency",
            "sales_micros",
            "commission_rate_ppm",
            "estimated_micros",
            "commission_micros",
        ),
        ("store_id", "external_id", "pk"),
        lambda s: AffiliateSale.objects.filter(store__in=s.stores, sold_at__gte=s.start, sold_at__lt=s.end),
        _add_sales,
    ),
    Source(
        Product,
        ("pk", "listed_at"),
        ("pk",),
        lambda s: Product.objects.filter(store__in=s.stores, status=SOLD_NOW, listed_at__lt=s.end),
        _add_products,
    ),
    Source(
        ShopHealth,
        ("pk", "store_id", "evaluated_at", "score_ppm"),
        ("pk",),
        lambda s: ShopHealth.objects.filter(store__in=s.stores, evaluated_at__gte=s.start, evaluated_at__lte=s.end),
        _add_health,
    ),
)


class Counts(NamedTuple):
    """What is asked for and what there is, besides the facts."""

    period_days: int
    stores: int
    stores_unsupported: int


def gather(scope: Scope) -> tuple[Tally, dict[str, list[list[Any]]]]:
    """Everything of the scope, and by kind the keys of the rows that it was made of, a thousand at a time."""
    tally = Tally(scope)
    keys: dict[str, list[list[Any]]] = {}
    for source in SOURCES:
        keys[source.name] = []
        for chunk in source.chunks(scope):
            source.add(tally, chunk)
            keys[source.name].append([row[0] for row in chunk])
    return tally, keys


def inputs_of(tally: Tally, counts: Counts) -> Inputs:
    scope = tally.scope
    purses = (
        Purse(
            currency=currency,
            usd_rate=scope.rates.get(currency),
            sales_micros=sums.sales,
            refunds_micros=sums.refunds,
            settled_micros=sums.settled,
            expected_micros=sums.expected,
            months=tuple(sums.months),
            affiliate_months=tuple(sums.affiliate_months) if scope.knows_affiliates else None,
        )
        for currency, sums in sorted(tally.sums.items())
    )
    return Inputs(
        start=scope.start.isoformat(),
        end=scope.end.isoformat(),
        known_days=scope.known_days,
        **counts._asdict(),
        stores_read=len(tally.zones),
        purses=tuple(purses),
        orders=tally.orders,
        paid_orders=tally.paid_orders,
        affiliate_orders=tally.affiliate_orders,
        untold_commissions=tally.untold_commissions,
        months_orders=tuple(tally.months_orders),
        days_with_orders=min(len(tally.days), scope.known_days),  # local days at both ends are cut
        shop_age_days=None if tally.oldest is None else max(0, (scope.end - tally.oldest).days),
        seller_types=tuple(sorted(tally.seller_types)),
        rating_ppm=min((score for _, score in tally.ratings.values()), default=None),
        violations=None,  # the platform tells none
        products_before=tally.products_before if scope.knows_products else None,
        products_now=tally.products_now if scope.knows_products else None,
    )

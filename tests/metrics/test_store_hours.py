"""What a store sold by the hour and by its own day, against sums that plain Python makes of the same data."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from accounts.hours import HOUR
from accounts.models import Store
from connectors.store_contracts import OrderRecord, RefundRecord
from metrics.models import Order, ProductCost, SourceCoverage, StoreCoverage
from metrics.overview import hourly
from metrics.store_hours import Sales, store_days, store_hours
from tests.factories import House
from tests.metrics.stores import NOON, UNIT, edit, later, line, order, receive, refund

pytestmark = pytest.mark.usefixtures("everywhere")

RETAIL = Path(__file__).resolve().parents[3] / "shared/data/online_retail/orders_2010-12_2011-01.csv"
LONDON = ZoneInfo("Europe/London")
DAY = timedelta(days=1)


@pytest.fixture
def store(house: House) -> Store:
    """One whose orders are known for half a year around."""
    span = {"known_from": NOON - 100 * DAY, "known_to": NOON + 200 * DAY}
    StoreCoverage.objects.create(tenant=house.tenant, store=house.store, **span)
    return house.store


def hour_of(store: Store, hour: datetime = NOON) -> Sales:
    found = store_hours(store, hour, hour + HOUR)[hour]
    assert found is not None
    return found


def in_zone(store: Store, zone: str) -> Store:
    Store.objects.filter(pk=store.pk).update(timezone=zone)
    store.refresh_from_db()
    return store


# --- real invoices ----------------------------------------------------------------------------------------


class Invoice(NamedTuple):
    number: str
    at: datetime
    customer: str
    units: int
    micros: int
    is_credit_note: bool


def invoices() -> list[Invoice]:
    with RETAIL.open() as file:
        return [
            Invoice(
                row["InvoiceNo"],
                datetime.fromisoformat(row["ts"]).replace(tzinfo=LONDON),
                row["customer_id"],
                max(int(row["units"]), 0),
                int(Decimal(row["revenue"]) * UNIT),
                row["is_credit_note"] == "True",
            )
            for row in csv.DictReader(file)
        ]


def is_new(sold: list[Invoice]) -> dict[str, bool | None]:
    """Whether an invoice is its customer's first; unknown where there is no customer."""
    seen: set[str] = set()
    found: dict[str, bool | None] = {}
    for one in sold:
        found[one.number] = one.customer not in seen if one.customer else None
        seen.add(one.customer)
    return found


def histories(read: list[Invoice]) -> Iterator[list[OrderRecord]]:
    """Each order in all its versions, oldest first: a credit note is a refund of an order, and comes one by one."""
    sold = [one for one in read if not one.is_credit_note]
    new, notes = is_new(sold), defaultdict(list)
    latest = {"": sold[0]}
    for one in read:
        if one.is_credit_note:
            notes[latest.get(one.customer, latest[""]).number].append(one)
        else:
            latest[one.customer] = latest[""] = one
    for one in sold:
        record = replace(
            order(one.number, one.at, currency="GBP", is_new_customer=new[one.number]),
            total_micros=one.micros,
            lines=(line(quantity=one.units),),
        )
        versions = [replace(record, is_paid=False, total_micros=1), later(record)]
        for note in notes[one.number]:
            refunds = (*versions[-1].refunds, RefundRecord(note.number, note.at, -note.micros))
            versions.append(later(versions[-1], refunds=refunds))
        yield versions


def shuffled(read: list[Invoice]) -> Iterator[list[OrderRecord]]:
    """Every version in any order, a third of them twice, in batches of any size."""
    random = Random(7)
    records = [version for versions in histories(read) for version in versions]
    records += random.sample(records, len(records) // 3)
    random.shuffle(records)
    while records:
        size = random.randint(1, 200)
        yield records[:size]
        del records[:size]


def summed(read: list[Invoice], at: Any) -> dict[Any, tuple[int, int, int, int, int | None]]:
    """Revenue, refunds, orders, units and new customers by `at` of an invoice's time."""
    new = is_new([one for one in read if not one.is_credit_note])
    found: dict[Any, list[Any]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for one in read:
        row = found[at(one.at)]
        if one.is_credit_note:
            row[1] -= one.micros
        else:
            row[0] += one.micros
            row[2] += 1
            row[3] += one.units
            row[4] = None if row[4] is None or new[one.number] is None else row[4] + new[one.number]
    return {key: (*row,) for key, row in found.items()}


def five(sales: Sales | None) -> tuple[Any, ...]:
    assert sales is not None
    return sales.revenue_micros, sales.refunds_micros, sales.orders, sales.units, sales.new_customers


@pytest.mark.skipif(not RETAIL.exists(), reason="the shared data is not there")
def test_real_invoices_in_any_order_and_with_duplicates_add_up_by_the_hour_and_by_the_day(house: House) -> None:
    Store.objects.update(currency="GBP")
    store = in_zone(house.store, "Europe/London")
    read = invoices()
    for batch in shuffled(read):
        receive(store, *batch)
    assert Order.objects.count() == sum(not one.is_credit_note for one in read) == 1981
    first, last = date(2010, 12, 1), date(2011, 1, 10)
    start = datetime(2010, 12, 1, tzinfo=UTC)
    end = start + 41 * DAY
    StoreCoverage.objects.create(tenant=house.tenant, store=store, known_from=start, known_to=end)

    hours = store_hours(store, start, end)
    by_hour = summed(read, lambda at: at.astimezone(UTC).replace(minute=0))
    assert {hour: five(sales) for hour, sales in hours.items()} == dict.fromkeys(hours, (0, 0, 0, 0, 0)) | by_hour

    days = store_days(store, first, last)
    by_day = summed(read, lambda at: at.date())
    assert {day: five(sales) for day, sales in days.items()} == dict.fromkeys(days, (0, 0, 0, 0, 0)) | by_day
    assert sum(sales.refunds_micros or 0 for sales in days.values() if sales) > 0


# --- what an hour is made of ------------------------------------------------------------------------------


def test_an_hour_holds_its_orders_and_the_edits_and_refunds_that_happened_in_it(store: Store) -> None:
    soon = timedelta(minutes=5)
    receive(
        store,
        order("a", NOON, 50, lines=(line(quantity=2),), refunds=(refund(1, NOON + 2 * HOUR, 30),)),
        order("b", NOON + soon, 20, edits=(edit(1, NOON + soon, 7), edit(2, NOON + HOUR, -4))),
        order("c", NOON + 2 * HOUR - timedelta(seconds=1), 10, is_new_customer=False),
    )
    figures = [five(sales) for sales in store_hours(store, NOON - HOUR, NOON + 3 * HOUR).values()]
    assert figures == [
        (0, 0, 0, 0, 0),
        (77 * UNIT, 0, 2, 3, 2),
        (6 * UNIT, 0, 1, 1, 0),
        (0, 30 * UNIT, 0, 0, 0),
    ]


def test_an_order_that_is_stored_again_with_its_edit_and_refund_is_counted_once(store: Store) -> None:
    record = order(edits=(edit(1, NOON, 5),), refunds=(refund(1, NOON, 8),))
    for hours in range(3):
        receive(store, later(record, hours))
    assert five(hour_of(store))[:3] == (55 * UNIT, 8 * UNIT, 1)


@pytest.mark.parametrize(
    "values", [{"is_paid": False}, {"is_test": True}, {"cancelled_at": NOON}], ids=["unpaid", "test", "cancelled"]
)
def test_what_is_no_sale_counts_in_no_figure(store: Store, values: dict[str, Any]) -> None:
    receive(store, order(edits=(edit(1, NOON, 5),), refunds=(refund(1, NOON, 8),), **values))
    assert five(hour_of(store)) == (0, 0, 0, 0, 0)


def test_one_order_that_does_not_tell_makes_new_customers_of_its_hour_unknown(store: Store) -> None:
    receive(store, order("a"), order("b", is_new_customer=None), order("c", NOON + HOUR))
    assert hour_of(store).new_customers is None
    assert hour_of(store, NOON + HOUR).new_customers == 1


def test_hours_that_were_not_read_whole_are_missing_and_not_zero(store: Store) -> None:
    receive(store, order())
    StoreCoverage.objects.update(known_from=NOON, known_to=NOON + 90 * timedelta(minutes=1))
    hours = store_hours(store, NOON - HOUR, NOON + 2 * HOUR)
    assert [sales is None for sales in hours.values()] == [True, False, True]
    assert store_days(store, date(2026, 11, 20), date(2026, 11, 20)) == {date(2026, 11, 20): None}
    StoreCoverage.objects.all().delete()
    assert set(store_hours(store, NOON, NOON + 2 * HOUR).values()) == {None}


def test_refunds_are_unknown_while_a_platform_that_tells_returns_apart_was_not_asked_for_them(store: Store) -> None:
    Store.objects.update(platform="tiktok_shop")
    store.refresh_from_db()
    receive(store, order())
    assert (hour_of(store).revenue_micros, hour_of(store).refunds_micros) == (50 * UNIT, None)
    span = {"known_from": NOON, "known_to": NOON + HOUR}
    SourceCoverage.objects.create(tenant_id=store.tenant_id, store=store, kind="returns", **span)
    assert hour_of(store).refunds_micros == 0
    assert hour_of(store, NOON + HOUR).refunds_micros is None


def test_money_of_another_currency_makes_its_hour_unknown(store: Store) -> None:
    receive(store, order("a"), order("b", currency="EUR"), order("c", NOON + HOUR))
    assert store_hours(store, NOON, NOON + HOUR)[NOON] is None
    assert hour_of(store, NOON + HOUR).revenue_micros == 50 * UNIT


# --- local days -------------------------------------------------------------------------------------------

# A zone, a day, and its start and end in UTC: clocks that go back, that go on, and half hours.
CLOCKS = [
    ("America/New_York", date(2026, 11, 1), "2026-11-01T04:00", "2026-11-02T05:00"),
    ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00", "2026-03-09T04:00"),
    ("Europe/London", date(2026, 10, 25), "2026-10-24T23:00", "2026-10-26T00:00"),
    ("Asia/Kolkata", date(2026, 11, 20), "2026-11-19T18:30", "2026-11-20T18:30"),
    ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T13:30", "2026-10-04T13:00"),
    ("Asia/Kathmandu", date(2026, 11, 20), "2026-11-19T18:15", "2026-11-20T18:15"),
]


@pytest.mark.parametrize(("zone", "day", "start", "end"), CLOCKS, ids=[f"{row[0]} {row[1]}" for row in CLOCKS])
def test_a_day_is_the_stores_own_from_midnight_to_midnight(
    store: Store, zone: str, day: date, start: str, end: str
) -> None:
    in_zone(store, zone)
    StoreCoverage.objects.update(known_from=NOON - 300 * DAY)
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    second = timedelta(seconds=1)
    inside = {"edits": (edit(1, last - second, 3), edit(2, last, 100)), "refunds": (refund(1, last - second, 4),)}
    receive(
        store,
        order("before", first - second, 1000),
        order("first", first, 10, **inside),
        order("last", last - second, 20),
        order("after", last, 1000),
    )
    sales = store_days(store, day - DAY, day + DAY)[day]
    assert five(sales)[:3] == (33 * UNIT, 4 * UNIT, 2)


def test_every_hour_of_a_day_with_25_is_one_of_its_hours(store: Store) -> None:
    start, end = datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 11, 2, 5, tzinfo=UTC)
    receive(store, *(order(f"o{number}", start + number * HOUR, 10) for number in range(25)))
    hours = store_hours(store, start, end)
    assert [sales.orders for sales in hours.values() if sales] == [1] * 25
    assert five(store_days(store, date(2026, 11, 1), date(2026, 11, 1))[date(2026, 11, 1)])[0] == 250 * UNIT


# --- costs ------------------------------------------------------------------------------------------------


def cost(store: Store, micros: int, start: date, variant: str = "", product: str = "p") -> None:
    ProductCost.objects.create(
        tenant_id=store.tenant_id,
        store=store,
        product_external_id=product,
        variant_external_id=variant,
        unit_cost_micros=micros,
        effective_from=start,
    )


def test_goods_cost_what_their_variant_costs_else_their_product_else_any_unit_of_the_tenant(store: Store) -> None:
    store.tenant.cogs_per_unit_micros = 1 * UNIT
    store.tenant.save()
    cost(store, 2 * UNIT, date(2026, 1, 1))
    cost(store, 5 * UNIT, date(2026, 11, 20), variant="v1")
    other = replace(line(3), product_external_id="another")
    receive(
        store,
        order("variant", lines=(line(1, 10),)),
        order("product", NOON + HOUR, lines=(line(2, 10),)),
        order("any", NOON + 2 * HOUR, lines=(other,)),
        order("before the variant had its own", NOON - DAY, lines=(line(1, 10),)),
        order("two", NOON + 3 * HOUR, lines=(line(1), line(2), other)),
    )
    hours = (NOON, NOON + HOUR, NOON + 2 * HOUR, NOON - DAY, NOON + 3 * HOUR)
    assert [hour_of(store, hour).cogs_micros for hour in hours] == [n * UNIT for n in (50, 20, 1, 20, 8)]


def test_a_cost_counts_from_its_day_on_in_the_stores_own_calendar(store: Store) -> None:
    cost(store, 2 * UNIT, date(2026, 1, 1))
    cost(store, 3 * UNIT, date(2026, 11, 20))
    midnight = datetime(2026, 11, 20, 5, tzinfo=UTC)
    receive(store, order("a", midnight - timedelta(minutes=1)), order("b", midnight))
    assert hour_of(store, midnight - HOUR).cogs_micros == 2 * UNIT
    assert hour_of(store, midnight).cogs_micros == 3 * UNIT


def test_costs_are_one_query_however_many_products_there_are(store: Store, django_assert_max_num_queries: Any) -> None:
    for number in range(50):
        cost(store, UNIT, date(2026, 1, 1), product=f"other {number}")
    receive(store, *(order(f"o{number}", lines=(line(number),)) for number in range(30)))
    with django_assert_max_num_queries(8):
        assert hour_of(store).cogs_micros is None


# --- several stores ---------------------------------------------------------------------------------------


def second_store(store: Store, **values: Any) -> Store:
    plain = {"tenant": store.tenant, "platform": "shopify", "credential": store.credential, "timezone": store.timezone}
    made: Store = Store.objects.create(**plain | {"external_id": "two", "name": "Two", "currency": "USD"} | values)
    return made


def test_a_tenants_hour_is_the_sum_of_its_stores_and_unknown_where_one_was_not_read(store: Store) -> None:
    other = second_store(store)
    receive(store, order("a", total=50, edits=(edit(1, NOON, -5),)))
    receive(other, order("a", total=30))
    StoreCoverage.objects.create(tenant=store.tenant, store=other, known_from=NOON, known_to=NOON + HOUR)
    known, unknown = hourly(store.tenant, NOON, NOON + 2 * HOUR)
    assert (known.revenue_micros, known.orders) == (75 * UNIT, 2)
    assert (unknown.revenue_micros, unknown.orders) == (None, None)


def test_a_creator_has_no_orders_and_takes_none_away(store: Store) -> None:
    second_store(store, kind="creator", platform="tiktok_shop")
    receive(store, order())
    assert hourly(store.tenant, NOON, NOON + HOUR)[0].revenue_micros == 50 * UNIT

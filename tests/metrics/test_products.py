"""Products of a store, and what a unit of them costs from which day on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.store_contracts import ProductRecord, VariantRecord
from metrics.models import Product, ProductCost
from metrics.sync import sync_products
from metrics.sync.products import OVERLAP, store_products
from tests.factories import House
from tests.metrics.stores import NOON, UNIT, Shop

pytestmark = pytest.mark.usefixtures("everywhere")

DAY = timedelta(days=1)
LISTED = datetime(2026, 3, 2, 3, tzinfo=UTC)  # the evening of the 1st in the store's New York
LISTED_ON = date(2026, 3, 1)
TODAY = date(2026, 11, 20)


def product(cost: int | None = 4, *, at: datetime = NOON, **values: Any) -> ProductRecord:
    variants = (VariantRecord("v1", "Red", "", 9 * UNIT, None if cost is None else cost * UNIT),)
    plain: dict[str, Any] = {"external_id": "p", "title": "A thing", "status": "active", "created_at": LISTED}
    return ProductRecord(**plain | {"updated_at": at, "variants": variants} | values)


def read(house: House, record: ProductRecord | None, *, day: int = 0) -> Shop:
    """What the store says `day` days after today."""
    shop = Shop(listed=[record] if record else [])
    sync_products(house.store, shop, as_of=NOON + day * DAY)
    return shop


def costs() -> list[tuple[date, int, str]]:
    rows = ProductCost.objects.order_by("effective_from").values_list("effective_from", "unit_cost_micros", "source")
    return [(start, micros // UNIT, source) for start, micros, source in rows]


def by_staff(house: House, start: date, micros: int) -> None:
    ProductCost.objects.create(
        tenant=house.tenant,
        store=house.store,
        product_external_id="p",
        variant_external_id="v1",
        unit_cost_micros=micros,
        effective_from=start,
    )


def test_a_product_is_stored_and_follows_the_store(house: House) -> None:
    read(house, product())
    read(house, product(at=NOON + DAY, title="x" * 300, status="archived"), day=1)
    row = Product.objects.get()
    assert (row.status, len(row.title), row.listed_at, row.platform_updated_at) == (
        "archived",
        255,
        LISTED,
        NOON + DAY,
    )


def test_an_older_record_of_a_product_gives_nothing_back(house: House) -> None:
    read(house, product(at=NOON + DAY, title="New"), day=1)
    read(house, product(at=NOON, title="Old", cost=9), day=9)
    assert Product.objects.get().title == "New"
    assert costs() == [(LISTED_ON, 4, "platform")]


def test_the_first_cost_that_is_read_counts_from_the_day_on_which_the_product_was_listed(house: House) -> None:
    read(house, product(None))
    assert costs() == []
    read(house, product(4, at=NOON + DAY), day=1)
    assert costs() == [(LISTED_ON, 4, "platform")]


def test_a_change_counts_from_the_day_on_which_it_was_read(house: House) -> None:
    read(house, product(4))
    read(house, product(4, at=NOON + DAY), day=1)
    read(house, product(7, at=NOON + 2 * DAY), day=2)
    read(house, product(5, at=NOON + 3 * DAY), day=3)
    assert costs() == [
        (LISTED_ON, 4, "platform"),
        (TODAY + 2 * DAY, 7, "platform"),
        (TODAY + 3 * DAY, 5, "platform"),
    ]


def test_of_two_changes_on_one_day_the_later_counts(house: House) -> None:
    for cost, day in ((4, TODAY), (7, TODAY), (8, TODAY + DAY), (9, TODAY + DAY)):
        store_products(house.store, [product(cost, created_at=NOON)], day=day)
    assert costs() == [(TODAY, 7, "platform"), (TODAY + DAY, 9, "platform")]


def test_what_staff_entered_stays_and_the_store_is_not_heard_on_that_day(house: House) -> None:
    by_staff(house, LISTED_ON, 1 * UNIT)
    by_staff(house, TODAY + 2 * DAY, 2 * UNIT)
    read(house, product(4))
    read(house, product(5, at=NOON + 2 * DAY), day=2)
    assert costs() == [(LISTED_ON, 1, "staff"), (TODAY + 2 * DAY, 2, "staff")]


def test_a_change_after_a_cost_of_staffs_counts_from_its_own_day(house: House) -> None:
    read(house, product(4))
    by_staff(house, TODAY + DAY, 1 * UNIT)
    read(house, product(6, at=NOON + 2 * DAY), day=2)
    assert costs() == [(LISTED_ON, 4, "platform"), (TODAY + DAY, 1, "staff"), (TODAY + 2 * DAY, 6, "platform")]


def test_products_are_asked_for_once_a_day_what_changed_and_all_of_them_once_a_week(house: House) -> None:
    asked = []
    for hours in (0, 1, 23, 24, 47, 48, 24 * 7, 24 * 8):
        shop = Shop()
        sync_products(house.store, shop, as_of=NOON + timedelta(hours=hours))
        asked += [(hours, since) for since in shop.asked_products]
    assert asked == [
        (0, None),
        (24, NOON - OVERLAP),
        (48, NOON + DAY - OVERLAP),
        (24 * 7, None),
        (24 * 8, NOON + 7 * DAY - OVERLAP),
    ]


def test_many_products_are_stored_in_few_queries(house: House, django_assert_max_num_queries: Any) -> None:
    shop = Shop(listed=[product(number, external_id=f"p{number}") for number in range(150)])
    with django_assert_max_num_queries(20):
        sync_products(house.store, shop, as_of=NOON)
    assert ProductCost.objects.count() == Product.objects.count() == 150

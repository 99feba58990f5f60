"""Orders as they arrive: late, twice, out of order, by several at once. What we hold is what the newest record says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.hours import HOUR
from accounts.models import Store
from accounts.scoping import all_tenants
from connectors.errors import MalformedReplyError, TransientError
from connectors.store_contracts import OrderRecord
from metrics.accounting import attribute_orders
from metrics.models import Order, OrderEdit, OrderLine, Refund, SourceCoverage, StoreCoverage
from metrics.sync import sync_orders
from metrics.sync.orders import CHANGES, ORDER_OVERLAP
from tests.factories import House, make_house
from tests.metrics.stores import NOON, UNIT, Shop, edit, held, hourly_orders, later, line, order, receive, refund

pytestmark = pytest.mark.usefixtures("everywhere")

SINCE = NOON - timedelta(days=10)


# --- one order ------------------------------------------------------------------------------------------


def test_an_order_is_stored_with_all_that_belongs_to_it(house: House) -> None:
    bought = line(quantity=3, discount_micros=2 * UNIT)
    counts = receive(
        house.store,
        order(lines=(bought,), refunds=(refund(1, NOON + HOUR, 5),), edits=(edit(1, NOON + 2 * HOUR, -7),)),
    )
    row = Order.objects.get()
    assert (row.units, row.total_micros, row.click_platform, row.counts) == (3, 50 * UNIT, "meta", True)
    assert OrderLine.objects.get().discount_micros == 2 * UNIT
    assert (Refund.objects.get().refunded_at, Refund.objects.get().amount_micros) == (NOON + HOUR, 5 * UNIT)
    assert (OrderEdit.objects.get().edited_at, OrderEdit.objects.get().amount_micros) == (NOON + 2 * HOUR, -7 * UNIT)
    assert (counts.orders, counts.refunds, counts.oldest) == (1, 1, NOON)


def test_what_vanished_from_an_order_is_removed_and_what_stayed_keeps_its_row_and_date(house: House) -> None:
    first = order(
        lines=(line(1), line(2)),
        refunds=(refund(1, NOON + HOUR, 5), refund(2, NOON + HOUR, 6)),
        edits=(edit(1, NOON + HOUR, 3), edit(2, NOON + HOUR, 4)),
    )
    receive(house.store, first)
    kept = Refund.objects.get(external_id="r2").pk
    receive(house.store, later(first, 5, lines=first.lines[1:], refunds=first.refunds[1:], edits=first.edits[1:]))
    assert [row.external_id for model in (OrderLine, Refund, OrderEdit) for row in model.objects.all()] == [
        "l2",
        "r2",
        "e2",
    ]
    assert (Refund.objects.get().pk, Refund.objects.get().refunded_at) == (kept, NOON + HOUR)


def test_an_older_record_gives_nothing_back(house: House) -> None:
    old = order(refunds=(refund(1, NOON + HOUR, 5),))
    new = later(old, 2, refunds=(), total_micros=70 * UNIT)
    receive(house.store, new)
    before = held()
    assert receive(house.store, old).orders == 0
    assert held() == before and not Refund.objects.exists()


def test_of_two_records_in_one_batch_the_newer_counts_wherever_it_stands(house: House) -> None:
    old = order()
    new = later(old, cancelled_at=NOON + HOUR)
    receive(house.store, new, old, old)
    assert Order.objects.get().cancelled_at == NOON + HOUR


def test_a_second_change_within_the_second_that_a_platform_counts_in_is_taken(house: House) -> None:
    receive(house.store, order(is_paid=False))
    assert receive(house.store, order(is_paid=True)).orders == 1
    assert Order.objects.get().is_paid


def test_the_same_record_again_is_no_news(house: House) -> None:
    record = order(refunds=(refund(1, NOON, 5),), edits=(edit(1, NOON, 5),))
    receive(house.store, record)
    counts = receive(house.store, record)
    assert (counts.orders, counts.refunds, counts.oldest) == (0, 0, None)


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ({}, None),
        ({"total_micros": UNIT}, NOON),
        ({"lines": (line(quantity=2),)}, NOON),
        ({"refunds": (refund(1, NOON + 30 * HOUR, 5),)}, NOON + 30 * HOUR),
        ({"edits": (edit(1, NOON + 40 * HOUR, 5),)}, NOON + 40 * HOUR),
        ({"edits": (edit(7, NOON + 50 * HOUR, 1),)}, NOON + 20 * HOUR),
    ],
    ids=["nothing", "total", "lines", "refund", "edit", "an edit that is gone"],
)
def test_news_concerns_the_hours_whose_figures_it_changes(house: House, change: Any, concerned: Any) -> None:
    record = order(edits=(edit(7, NOON + 20 * HOUR, 1),))
    receive(house.store, record)
    change = {"edits": record.edits} | change
    if "edits" in change and change["edits"][0].external_id == "e1":
        change["edits"] = (*record.edits, *change["edits"])
    assert receive(house.store, later(record, 60, **change)).oldest == concerned


def test_where_a_redacted_order_came_from_is_not_taken_again(house: House) -> None:
    record = order()
    receive(house.store, record)
    erased = {"utm_source": "", "utm_term": "", "utm_content": "", "click_platform": "", "click_id": ""}
    Order.objects.update(redacted_at=timezone.now(), ad_set=house.ad_sets[0], **erased)
    receive(house.store, later(record, total_micros=60 * UNIT, refunds=(refund(1, NOON + HOUR, 5),)))
    attribute_orders(house.tenant, since=SINCE)
    row = Order.objects.get()
    assert {name: getattr(row, name) for name in erased} == erased
    assert (row.total_micros, Refund.objects.count(), row.ad_set) == (60 * UNIT, 1, house.ad_sets[0])


def test_refunds_of_a_platform_that_tells_returns_apart_are_left_to_those(house: House) -> None:
    Store.objects.update(platform="tiktok_shop")
    house.store.refresh_from_db()
    record = order()
    receive(house.store, record)
    Refund.objects.create(
        tenant=house.tenant, order=Order.objects.get(), external_id="return", refunded_at=NOON, amount_micros=UNIT
    )
    receive(house.store, later(record, lines=(line(2),)))
    assert Refund.objects.get().external_id == "return"
    assert OrderLine.objects.get().external_id == "l2"


def test_an_order_that_no_row_can_hold_is_one_error_and_nothing_of_its_batch_is_stored(house: House) -> None:
    with pytest.raises(MalformedReplyError, match="orders"):
        receive(house.store, order("good"), order("bad", total=10**12))
    assert not Order.objects.exists()


# --- many, in any order -----------------------------------------------------------------------------------

moments = st.integers(0, 400).map(lambda hours: NOON + hours * HOUR)
versions = st.builds(
    lambda lines, refunds, edits, values: {
        "lines": tuple(line(number, quantity) for number, quantity in lines.items()),
        "refunds": tuple(refund(number, *rest) for number, rest in refunds.items()),
        "edits": tuple(edit(number, *rest) for number, rest in edits.items()),
        **values,
    },
    st.dictionaries(st.integers(1, 3), st.integers(1, 5), max_size=3),
    st.dictionaries(st.integers(1, 3), st.tuples(moments, st.integers(0, 9)), max_size=2),
    st.dictionaries(st.integers(1, 3), st.tuples(moments, st.integers(-9, 9)), max_size=2),
    st.fixed_dictionaries(
        {
            "is_paid": st.booleans(),
            "cancelled_at": st.none() | moments,
            "total_micros": st.integers(0, 10**9),
            "attribution_ready": st.booleans(),
            "utm_source": st.sampled_from(["", "facebook", "tiktok"]),
        }
    ),
)
histories = st.lists(st.lists(versions, min_size=1, max_size=3), min_size=1, max_size=3)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories=histories, data=st.data())
def test_any_order_and_any_repetition_of_records_gives_the_same_rows(
    house: House, histories: list[list[dict[str, Any]]], data: st.DataObject
) -> None:
    records = [
        later(order(f"o{number}"), hours=step, **version)
        for number, history in enumerate(histories)
        for step, version in enumerate(history)
    ]
    newest = {record.external_id: record for record in records}
    arrivals = data.draw(st.permutations([*records, *data.draw(st.lists(st.sampled_from(records), max_size=4))]))
    size = data.draw(st.integers(1, 5))
    with transaction.atomic():
        receive(house.store, *newest.values())
        expected = held()
        Order.objects.all().delete()
        for start in range(0, len(arrivals), size):
            receive(house.store, *arrivals[start : start + size])
        assert held() == expected
        Order.objects.all().delete()


# --- several at once ----------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_known", [False, True], ids=["a new order", "a known order"])
def test_of_two_writers_at_once_the_one_with_the_older_record_changes_nothing(is_known: bool) -> None:
    store = make_house().store
    old = order(refunds=(refund(1, NOON, 1),))
    new = later(old, 2, total_micros=70 * UNIT, refunds=(refund(2, NOON, 2),))
    if is_known:
        receive(store, replace(old, updated_at=NOON - HOUR))
    stored, found = threading.Event(), []

    def newer() -> None:
        with all_tenants(), transaction.atomic():
            receive(store, new)
            stored.set()
            threading.Event().wait(0.4)  # the other one begins before this one ends
        connections.close_all()

    def older() -> None:
        stored.wait(10)
        with all_tenants():
            found.append(receive(store, old).orders)
        connections.close_all()

    threads = [threading.Thread(target=target) for target in (newer, older)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0]
    assert (Order.objects.get().total_micros, Refund.objects.get().external_id) == (70 * UNIT, "r2")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_writers_of_the_same_orders_and_who_attributes_them_do_not_wait_in_a_circle() -> None:
    house = make_house()
    records = [order(f"o{number}") for number in range(60)]
    problems: list[BaseException] = []

    def write(batch: list[OrderRecord]) -> None:
        for hours in range(6):
            ad_set = house.ad_sets[hours % 3].external_id
            receive(house.store, *(later(one, hours + 1, utm_term=ad_set) for one in batch))

    def attribute() -> None:
        for _ in range(12):
            attribute_orders(house.tenant, since=SINCE)

    def run(work: Any, *args: Any) -> None:
        try:
            with all_tenants():
                work(*args)
        except BaseException as error:
            problems.append(error)
        finally:
            connections.close_all()

    with all_tenants():
        receive(house.store, *records)
    threads = [
        threading.Thread(target=run, args=args) for args in ((write, records), (write, records[::-1]), (attribute,))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert set(Order.objects.values_list("platform_updated_at", flat=True)) == {NOON + 6 * HOUR}


# --- reading on ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.sync.coverage.BATCH", 10)


def read(house: House, shop: Shop, as_of: Any = NOON, since: Any = SINCE) -> None:
    sync_orders(house.store, shop, since=since, as_of=as_of)


def known() -> Any:
    return StoreCoverage.objects.values_list("known_from", "known_to").get()


def test_a_sync_that_is_cut_short_goes_on_at_the_batch_that_it_had_stored(house: House, small_batches: None) -> None:
    shop = Shop(hourly_orders(50), fails_after=35, failure=TransientError("the token ended"))
    with pytest.raises(TransientError):
        read(house, shop)
    assert Order.objects.count() == 30 and not StoreCoverage.objects.exists()
    shop.fails_after = None
    read(house, shop, as_of=NOON + HOUR, since=SINCE + HOUR)
    assert shop.asked[1][0] == shop.records[29].updated_at - ORDER_OVERLAP
    assert Order.objects.count() == 50
    assert known() == (SINCE, NOON + HOUR)


def test_no_hour_counts_as_known_before_the_last_page_is_stored(house: House, small_batches: None) -> None:
    """An order of the first hour that changed in the last one stands on the last page."""
    read(house, Shop())
    shop = Shop(hourly_orders(50, end=NOON + 50 * HOUR), fails_after=35)
    with pytest.raises(Exception, match="told to fail"):
        read(house, shop, as_of=NOON + 50 * HOUR)
    assert known() == (SINCE, NOON)
    assert SourceCoverage.objects.get(kind=CHANGES).known_to == shop.records[29].updated_at
    shop.fails_after = None
    read(house, shop, as_of=NOON + 50 * HOUR)
    assert known() == (SINCE, NOON + 50 * HOUR) and Order.objects.count() == 50


def test_an_order_of_the_hour_that_changed_after_it_ended_belongs_to_it(house: House) -> None:
    read(house, Shop([replace(order(at=NOON - HOUR), updated_at=NOON + timedelta(minutes=3))]))
    assert Order.objects.get().ordered_at == NOON - HOUR


class Slow(Shop):
    """Takes a minute for an order; one changes while it is not listed yet, and is in that list no more."""

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        for record in list(super().orders(updated_from, updated_to)):
            self.now += timedelta(minutes=1)
            if record.external_id == "o2" and record.updated_at < NOON:
                self.records[1] = replace(record, updated_at=self.now)
                continue
            yield record

    now = NOON + timedelta(minutes=7)


def test_an_order_that_changes_while_a_long_list_is_read_is_not_missed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Slow([order(f"o{n}", at=NOON - 5 * HOUR + n * HOUR) for n in (1, 2, 3)])
    monkeypatch.setattr("metrics.sync.orders.wall_now", lambda: shop.now)
    read(house, shop)
    assert Order.objects.count() == 3 and known() == (SINCE, NOON)


def test_a_longer_past_that_is_cut_short_does_not_pass_for_read(house: House, small_batches: None) -> None:
    read(house, Shop(), since=NOON - 5 * HOUR)
    shop = Shop(hourly_orders(50), fails_after=25)
    with pytest.raises(Exception, match="told to fail"):
        read(house, shop, since=SINCE)
    shop.fails_after = None
    read(house, shop, since=NOON - 5 * HOUR)
    assert known() == (NOON - 5 * HOUR, NOON)
    read(house, shop, since=SINCE)
    assert known() == (SINCE, NOON) and Order.objects.count() == 50

"""Past orders of a store: complete, resumable after any interruption, visible, and never twice."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from accounts.hours import HOUR
from accounts.models import Alert, Store, Tenant
from connectors.errors import RateLimitedError, TransientError
from connectors.store_contracts import BulkState, OrderRecord
from metrics import order_backfill, tasks
from metrics.models import Order, OrderBackfill, Refund, Reward, StoreCoverage
from metrics.order_backfill import LATE_REFUNDS
from metrics.sync import SyncCounts, sync_orders
from tests.factories import House
from tests.metrics import past_orders
from tests.metrics.stores import NOON, UNIT, BulkShop, Shop, held, hourly_orders, order, receive, refund
from tests.metrics.test_sync_killed import ROOT, databases

pytestmark = pytest.mark.usefixtures("everywhere")

FROM = NOON - 100 * HOUR
ORDERS = 90


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[OrderBackfill]:
    """Who was woken; batches are of ten, nobody pauses."""
    found: list[OrderBackfill] = []
    monkeypatch.setattr(tasks, "wake_orders", found.append)
    monkeypatch.setattr("metrics.sync.coverage.BATCH", 10)
    monkeypatch.setattr(order_backfill, "PAUSE", 0)
    return found


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> BulkShop:
    """A store with an order an hour, which every task connects to."""
    found = BulkShop(hourly_orders(ORDERS))
    monkeypatch.setattr(tasks, "connect_store", lambda store: found)
    return found


def asked(house: House, start: datetime = FROM, end: datetime = NOON) -> OrderBackfill:
    return order_backfill.request(house.store, start, end, actor="mara")


def work(row: OrderBackfill) -> str:
    return tasks.run_order_backfill(str(row.pk))


def known() -> tuple[datetime, datetime] | None:
    found: tuple[datetime, datetime] | None = StoreCoverage.objects.values_list("known_from", "known_to").first()
    return found


def lease_ends() -> None:
    OrderBackfill.objects.update(lease_until=NOON - timedelta(days=999))


# --- from asking to done ----------------------------------------------------------------------------------


def test_past_orders_are_collected_read_and_known(house: House, shop: BulkShop) -> None:
    row = asked(house)
    assert work(row) == f"{ORDERS} orders, done"
    row.refresh_from_db()
    assert (row.state, row.orders_read, row.objects_found, row.lease_until) == ("done", ORDERS, ORDERS, None)
    assert (Order.objects.count(), known()) == (ORDERS, (FROM, NOON))
    assert shop.started == [(FROM - LATE_REFUNDS, NOON)]


def test_while_the_platform_collects_the_backfill_waits_without_a_worker(
    house: House, shop: BulkShop, woken: list[OrderBackfill]
) -> None:
    shop.patience = 2
    row = asked(house)
    for _ in range(2):
        assert work(row) == "0 orders, running"
        row.refresh_from_db()
        assert (row.state, row.objects_found, row.lease_until) == ("running", 1, None)
    assert woken == [] and len(shop.started) == 1
    tasks.wake_order_backfills(house.store)
    assert tasks.resume_backfills() == 1 and [one.pk for one in woken] == [row.pk] * 2
    assert work(row) == f"{ORDERS} orders, done"


def test_a_platform_without_files_is_read_page_by_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(hourly_orders(ORDERS), fails_after=35, failure=TransientError("away"))
    monkeypatch.setattr(tasks, "connect_store", lambda store: shop)
    row = asked(house)
    assert "away" in work(row)
    row.refresh_from_db()
    assert (row.state, row.orders_read, row.problem) == ("reading", 30, "away")
    shop.fails_after = None
    assert work(row).endswith("done")
    assert shop.asked[1][0] == shop.records[29].updated_at
    assert (Order.objects.count(), known()) == (ORDERS, (FROM, NOON))


def test_an_order_of_the_time_before_is_read_for_what_was_refunded_within(house: House, shop: BulkShop) -> None:
    shop.records = [order("old", FROM - timedelta(days=20), refunds=(refund(1, FROM + HOUR, 5),))]
    work(asked(house))
    assert Refund.objects.get().refunded_at == FROM + HOUR


def test_what_was_read_is_accounted_before_it_is_done(house: House, shop: BulkShop) -> None:
    shop.records = [order("a", FROM, utm_term=house.ad_sets[0].external_id), order("b", NOON - HOUR)]
    work(asked(house))
    assert dict(Reward.objects.values_list("hour", "revenue_micros")) == {FROM: 50 * UNIT}


def test_accounting_that_takes_long_goes_on_where_it_stopped(
    house: House, shop: BulkShop, woken: list[OrderBackfill], monkeypatch: pytest.MonkeyPatch
) -> None:
    days: list[datetime] = []
    monkeypatch.setattr(order_backfill, "store_rewards", lambda tenant, *, start, **span: days.append(start))
    monkeypatch.setattr(tasks, "ORDERS_SLICE", timedelta(days=-1))
    row = asked(house)
    for _ in range(ORDERS // 10 + 7):
        work(row)
    row.refresh_from_db()
    assert row.state == "done" and days == [FROM + number * timedelta(days=1) for number in range(5)]
    assert len(shop.skipped) == ORDERS // 10 + 1
    assert {one.pk for one in woken} == {row.pk}


# --- what was known before --------------------------------------------------------------------------------


def test_it_moves_the_start_of_what_is_known_and_not_its_end(house: House, shop: BulkShop) -> None:
    sync_orders(house.store, Shop(), since=NOON - 20 * HOUR, as_of=NOON - 10 * HOUR)
    work(asked(house))
    assert known() == (FROM, NOON - 10 * HOUR)
    sync_orders(house.store, Shop(shop.records), since=FROM, as_of=NOON)
    assert known() == (FROM, NOON)


def test_a_stretch_that_does_not_touch_what_is_known_is_stored_and_not_known(house: House, shop: BulkShop) -> None:
    sync_orders(house.store, Shop(), since=NOON - 20 * HOUR, as_of=NOON)
    work(asked(house, FROM, NOON - 50 * HOUR))
    assert known() == (NOON - 20 * HOUR, NOON) and Order.objects.exists()


def test_orders_that_were_known_are_read_again(house: House, shop: BulkShop) -> None:
    receive(house.store, *shop.records)
    Order.objects.update(total_micros=1)
    work(asked(house))
    assert not Order.objects.filter(total_micros=1).exists()


def test_a_sync_after_it_goes_on_where_it_ended(house: House, shop: BulkShop) -> None:
    work(asked(house))
    reader = Shop()
    sync_orders(house.store, reader, since=FROM, as_of=NOON + HOUR)
    assert reader.asked[0][0] == NOON - timedelta(minutes=10)


# --- interruptions ----------------------------------------------------------------------------------------


class Killed(BaseException):
    """The worker went away."""


@pytest.mark.parametrize("stored", [0, 1, 4, 8])
def test_one_that_was_killed_goes_on_where_it_stopped(house: House, shop: BulkShop, stored: int) -> None:
    batches = iter(range(stored))

    def progress(orders: int) -> None:
        if next(batches, None) is None:
            raise Killed

    row = asked(house)
    with pytest.raises(Killed):
        order_backfill.run(row, shop, progress=progress)
    lease_ends()
    assert work(row) == f"{ORDERS} orders, done"
    assert shop.skipped == [0, 10 * (stored + 1)]
    assert (Order.objects.count(), Refund.objects.count()) == (ORDERS, 23)


def test_a_batch_that_was_stored_and_not_counted_is_read_again_and_changes_nothing(
    house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(row: OrderBackfill, **values: Any) -> bool:
        if "orders_read" in values and Order.objects.count() == 30:
            raise Killed
        return renew(row, **values)

    renew = order_backfill._renew
    row = asked(house)
    with monkeypatch.context() as patch:
        patch.setattr(order_backfill, "_renew", killed)
        with pytest.raises(Killed):
            order_backfill.run(row, shop)
    lease_ends()
    work(row)
    row.refresh_from_db()
    assert shop.skipped == [0, 20] and (row.orders_read, Order.objects.count()) == (ORDERS, ORDERS)


def test_only_one_worker_holds_it_and_one_that_lost_its_lease_stops(house: House, shop: BulkShop) -> None:
    row = asked(house)
    held_by_us = order_backfill.claim(row.pk)
    assert held_by_us is not None and order_backfill.claim(row.pk) is None
    assert work(row) == "nothing to do"
    lease_ends()

    def overtake(orders: int) -> None:
        OrderBackfill.objects.update(lease_until=NOON)

    assert not order_backfill.run(held_by_us, shop, progress=overtake)
    left = OrderBackfill.objects.get()
    assert (left.orders_read, left.lease_until, left.state) == (10, NOON, "reading")


def test_one_that_was_stopped_is_not_read_on(house: House, shop: BulkShop) -> None:
    row = asked(house)
    OrderBackfill.objects.update(state="stopped")
    assert work(row) == "nothing to do"
    assert not order_backfill.run(row, shop) and shop.started == []


@pytest.mark.parametrize("switched_off", [Store, Tenant])
def test_a_store_that_was_switched_off_is_not_read(house: House, shop: BulkShop, switched_off: Any) -> None:
    row = asked(house)
    switched_off.objects.update(is_active=False)
    assert work(row) == "nothing to do" and tasks.resume_backfills() == 0


# --- failures ---------------------------------------------------------------------------------------------


def test_what_the_platform_fails_to_collect_is_stopped_and_told(house: House, shop: BulkShop) -> None:
    shop.state = BulkState.FAILED
    assert "TIMEOUT" in work(asked(house))
    row = OrderBackfill.objects.get()
    assert row.state == "stopped" and "TIMEOUT" in row.problem
    assert Alert.objects.get().resolved_at is None
    shop.state, shop.started = BulkState.DONE, []
    assert work(asked(house)).endswith("done")
    assert Alert.objects.get().resolved_at is not None


def test_a_failure_leaves_it_where_it_is_and_is_given_up_after_a_day(
    house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.fails_after, shop.failure = 25, TransientError("the file ends")
    work(asked(house))
    left = OrderBackfill.objects.get()
    assert (left.state, left.orders_read, left.problem) == ("reading", 20, "the file ends")
    assert tasks.resume_backfills() == 1
    monkeypatch.setattr(order_backfill, "wall_now", lambda: left.updated_at + timedelta(days=1, seconds=1))
    assert tasks.resume_backfills() == 0
    assert OrderBackfill.objects.get().state == "stopped"


def test_a_platform_that_collects_no_more_at_the_moment_is_asked_again(
    house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*span: datetime) -> str:
        raise RateLimitedError("as many as it will")

    with monkeypatch.context() as patch:
        patch.setattr(shop, "start_bulk_orders", busy)
        work(asked(house))
    assert OrderBackfill.objects.get().state == "asked"
    assert work(asked(house)).endswith("done")


# --- asking -----------------------------------------------------------------------------------------------


def test_a_request_for_what_is_being_read_carries_that_on(house: House) -> None:
    first = asked(house)
    assert asked(house, FROM + HOUR, NOON + HOUR).pk == first.pk


def test_a_request_that_reaches_further_back_takes_its_place(house: House, shop: BulkShop) -> None:
    first = asked(house)
    longer = asked(house, FROM - HOUR)
    assert longer.pk != first.pk and OrderBackfill.objects.get(pk=first.pk).state == "stopped"


def test_one_that_nobody_worked_on_for_a_day_is_not_trusted(house: House) -> None:
    first = asked(house)
    OrderBackfill.objects.update(updated_at=first.updated_at - timedelta(days=2))
    assert asked(house).pk != first.pk


def test_a_new_request_reads_and_accounts_everything_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(hourly_orders(ORDERS))
    monkeypatch.setattr(tasks, "connect_store", lambda store: shop)
    for _ in range(2):
        work(asked(house))
    assert [start for start, _ in shop.asked] == [FROM, FROM]


def test_a_span_that_is_none_is_refused_in_one_line(house: House) -> None:
    with pytest.raises(ValueError, match="expected a start before 2026-11-20 12:00 UTC"):
        asked(house, NOON, NOON)
    assert not OrderBackfill.objects.exists()


def test_whoever_waits_reads_all_and_leaves_what_takes_too_long_to_workers(
    house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.patience = 3
    order_backfill.run_through(asked(house), shop, counts=SyncCounts())
    assert OrderBackfill.objects.get().state == "done"
    shop.patience = 3
    monkeypatch.setattr(order_backfill, "PATIENCE", timedelta(0))
    with pytest.raises(TransientError, match="workers go on"):
        order_backfill.run_through(asked(house, FROM - HOUR), shop, counts=SyncCounts())
    assert OrderBackfill.objects.filter(state="running").count() == 1


# --- a real kill ------------------------------------------------------------------------------------------


def process(database: str, step: str) -> subprocess.Popen[str]:
    env = os.environ | {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "config.settings"}
    command = [sys.executable, "-m", "tests.metrics.past_orders", step]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)


def finished(database: str, step: str) -> str:
    child = process(database, step)
    out, _ = child.communicate(timeout=120)
    assert child.returncode == 0
    return out


def killed_after(database: str, batches: int, random: Random) -> int:
    """How many orders a worker skipped that was killed soon after it had stored so many batches."""
    with process(database, "run") as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(batches + 1)]
        time.sleep(random.random() * 0.05)
        child.send_signal(signal.SIGKILL)
    return int(lines[0].split()[1])


def test_a_worker_that_is_really_killed_several_times_leaves_the_rows_of_one_that_was_not(
    house: House, tmp_path: Path
) -> None:
    random = Random(7)
    with databases(tmp_path) as (database, _):
        finished(database, "make")
        skipped = [killed_after(database, batches, random) for batches in (3, 0, 5)]
        skipped.append(int(finished(database, "run").split()[1]))
        state, known_from, digest = finished(database, "digest").split()
    receive(house.store, *hourly_orders(past_orders.ORDERS))
    assert digest == hashlib.sha256(repr(held()).encode()).hexdigest()
    assert (state, known_from) == ("done", (NOON - past_orders.ORDERS * HOUR).isoformat())
    assert skipped == sorted(skipped) and skipped[0] == 0 and skipped[1] >= 60 and skipped[3] >= 160


def test_orders_of_two_readers_are_those_of_one(house: House, shop: BulkShop) -> None:
    """A sync, a backfill and single records of the same orders, whichever comes first."""
    work(asked(house))
    expected = held()
    Order.objects.all().delete()
    newest: list[OrderRecord] = shop.records[::-7]
    receive(house.store, *newest)
    sync_orders(house.store, Shop(shop.records), since=FROM - HOUR, as_of=NOON)
    work(asked(house))
    assert held() == expected

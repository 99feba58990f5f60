"""What workers run. Thin: parse, call, report; every task may be delivered twice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

from django_q.tasks import async_task

from accounts.alerts import raise_alert, resolve_alert
from accounts.clock import wall_now
from accounts.hours import HOUR, day_bounds, newest_closed_slot
from accounts.models import AdAccount, Store
from accounts.models.alerts import Severity
from accounts.scoping import all_tenants, tenant_scope
from connectors.connections import connect_ad_account, connect_store
from connectors.errors import ConnectorError
from metrics import backfill, deliveries, order_backfill
from metrics.accounting import account_slot, attribute_orders, store_rewards
from metrics.models import Backfill, OrderBackfill
from metrics.sync import restatement_days, sync_tree

SLICE = timedelta(seconds=60)  # no day is begun later; what is left is done by the next task
ORDERS_SLICE = timedelta(seconds=240)  # a file of past orders is fetched anew by each task
LIMIT = 500  # seconds: one day of a large account may take minutes where a platform lets us ask slowly


def run_backfill(backfill_id: str) -> str:
    """Some days of a backfill, each accounted before it counts as read; wakes another task for the rest."""
    until = wall_now() + SLICE
    with all_tenants():
        asked = backfill.claim(backfill_id)
    if asked is None:
        return "nothing to do"
    is_read = asked.next_day > asked.last_day  # by a sync that was killed before it had accounted for it
    account, first = asked.ad_account, asked.first_day if is_read else asked.next_day
    with tenant_scope(account.tenant):
        as_of = backfill.ended(account)
        start = day_bounds(first, account.timezone)[0]
        if start >= as_of:
            backfill.release(asked, problem="")
            return f"{first} has not begun yet"
        try:
            client = connect_ad_account(account)
            sync_tree(account, client, as_of=as_of)
            if attribute_orders(account.tenant, since=start) or is_read:
                account_slot(account.tenant, as_of=as_of, lookback=as_of - start)
            backfill.run(asked, client, as_of=as_of, stored=partial(_account_day, account, as_of), until=until)
        except ConnectorError as error:
            backfill.release(asked, problem=str(error))
            return _warn(account, f"{account}: past days could not be read: {error}")
        resolve_alert(account.tenant, key=f"backfill {account.pk}")
    if asked.state == Backfill.State.RUNNING and asked.next_day > first:
        wake(asked)
    return f"{asked.days_done} of {asked.days} days"


def _warn(source: AdAccount | Store, message: str) -> str:
    raise_alert(source.tenant, key=f"backfill {source.pk}", severity=Severity.WARNING, message=message)
    return message


def _account_day(account: AdAccount, as_of: datetime, day: date) -> None:
    start, end = day_bounds(day, account.timezone)
    store_rewards(account.tenant, start=start, end=min(end, as_of), as_of=as_of)


def resume_backfills() -> int:
    """Wake what a lost worker left, or what a failure stopped, for a day; returns how many."""
    with all_tenants():
        for asked in backfill.give_up():
            _warn(asked.ad_account, f"{asked} was given up: {asked.problem}")
        for orders in order_backfill.give_up():
            _warn(orders.store, f"{orders} was given up: {orders.problem}")
        left, orders_left = list(backfill.waiting()), list(order_backfill.waiting())
    for asked in left:
        wake(asked)
    for orders in orders_left:
        wake_orders(orders)
    return len(left) + len(orders_left)


def run_order_backfill(backfill_id: str) -> str:
    """Some of a store's past orders, accounted before they are done; wakes another task for the rest."""
    until = wall_now() + ORDERS_SLICE
    with all_tenants():
        asked = order_backfill.claim(backfill_id)
    if asked is None:
        return "nothing to do"
    store = asked.store
    with tenant_scope(store.tenant):
        try:
            is_read = order_backfill.is_read(asked) or order_backfill.run(asked, connect_store(store), until=until)
        except ConnectorError as error:
            order_backfill.release(asked, problem=str(error))
            return _warn(store, f"{store}: past orders could not be read: {error}")
        resolve_alert(store.tenant, key=f"backfill {store.pk}")
        if is_read and order_backfill.account(asked, until=until):
            order_backfill.finish(asked)
        elif is_read:
            order_backfill.release(asked, problem="")
    if asked.state == OrderBackfill.State.READING:
        wake_orders(asked)
    return f"{asked.orders_read} orders, {asked.state}"


def wake_order_backfills(store: Store) -> None:
    """Go on with this store's past orders now: its platform has something to tell of them."""
    for asked in order_backfill.waiting().filter(store=store):
        wake_orders(asked)


def restate() -> int:
    """Nightly: read again every day that a platform may still restate; returns how many accounts."""
    as_of = newest_closed_slot(wall_now()) + HOUR
    with all_tenants():
        accounts = list(AdAccount.objects.filter(is_active=True, tenant__is_active=True))
        for account in accounts:
            wake(backfill.request(account, *restatement_days(account, as_of, deep=True), actor="nightly", now=as_of))
    return len(accounts)


def wake(asked: Backfill) -> None:
    name = f"past days of {asked.ad_account_id}"[:100]
    async_task("metrics.tasks.run_backfill", str(asked.pk), task_name=name, timeout=LIMIT)


def wake_orders(asked: OrderBackfill) -> None:
    name = f"past orders of {asked.store_id}"[:100]
    async_task("metrics.tasks.run_order_backfill", str(asked.pk), task_name=name, timeout=LIMIT)


def work_deliveries(store_id: str) -> str:
    """What a store's platform has pushed; wakes another task for the rest."""
    done = deliveries.work_off(store_id, until=wall_now() + deliveries.SLICE)
    if UUID(store_id) in deliveries.stores_waiting():
        deliveries.wake(store_id)
    return f"{done} done"


def resume_deliveries() -> int:
    """Wake what a lost worker or message left, and what is to be tried again; returns how many stores."""
    stores = deliveries.stores_waiting()
    for store_id in stores:
        deliveries.wake(store_id)
    return len(stores)

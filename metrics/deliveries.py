"""Working off what platforms have pushed: each delivery is a reason to read something again, at least once.

A worker claims what waits for a store under a lease, reads, stores, accounts, and only then marks it done; one
that is killed anywhere leaves its claim to the next. Storing an order compares its age, so neither the order of
deliveries nor their number matters. What could not be read comes again after a growing pause.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django_q.tasks import async_task

from accounts.alerts import raise_alert, resolve_alert
from accounts.clock import wall_now
from accounts.hours import HOUR, hour_of, newest_closed_slot
from accounts.models import AdAccount, Store, Tenant
from accounts.models.alerts import Severity
from accounts.scoping import all_tenants, tenant_scope
from connectors import grants
from connectors.connections import connect_store
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    MalformedReplyError,
    NotFoundError,
    TransientError,
)
from connectors.models import Delivery
from connectors.store_contracts import OrderRecord
from connectors.webhooks import LASTING, PRODUCT_TYPES
from metrics import backfill, privacy, pull
from metrics.accounting import attribute_orders, store_rewards
from metrics.models import OrderEdit, Refund
from metrics.sync import SyncCounts
from metrics.sync.orders import store_records, store_shop

BATCH = 100
LEASE = timedelta(minutes=5)  # longer than a worker's task may take
SLICE = timedelta(seconds=60)  # no batch is begun later; what is left is done by the next task
LIMIT = 240  # seconds
MOST_ATTEMPTS = 8
PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)

WAITING, DONE, FAILED = Delivery.State.WAITING, Delivery.State.DONE, Delivery.State.FAILED

Rows = list[Delivery]
Handler = Callable[[Store, Rows], None]


class UnfinishedError(Exception):
    """Some of the work is done, and the rest is for the next turn: no failure."""


# --- The inbox -------------------------------------------------------------------------------------------------------


def on_delivery(*, store_id: UUID, **_: object) -> None:
    """Wake a worker, unless an earlier delivery that nobody has taken yet has done so already."""
    with all_tenants():
        untouched = Delivery.objects.filter(store_id=store_id, state=WAITING, lease_until__isnull=True)
        is_first = len(untouched.values("pk")[:2]) < 2
    if is_first:
        wake(store_id)


def wake(store_id: UUID | str) -> None:
    name = f"deliveries of {store_id}"
    async_task("metrics.tasks.work_deliveries", str(store_id), task_name=name, timeout=LIMIT)


def waiting() -> QuerySet[Delivery]:
    """What waits and nobody holds."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=wall_now())
    rows: QuerySet[Delivery] = Delivery.objects.filter(free, state=WAITING)
    return rows


def stores_waiting() -> list[UUID]:
    with all_tenants():
        return list(waiting().order_by().values_list("store_id", flat=True).distinct())


def work_off(store_id: UUID | str, *, until: datetime) -> int:
    """Work off what waits for a store, in batches that begin before `until` (wall time); returns how many are done."""
    done = 0
    with all_tenants():
        tenant_id = Store.objects.filter(pk=store_id).values_list("tenant_id", flat=True).first()
    if tenant_id is None:
        return 0
    with tenant_scope(tenant_id):
        while rows := _claim(store_id):
            done += _work(Store.objects.select_related("credential", "tenant").get(pk=store_id), rows)
            if wall_now() >= until:
                break
    return done


def _claim(store_id: UUID | str) -> Rows:
    """The oldest that wait, held by a lease that no other worker has the same of."""
    ids = list(waiting().filter(store_id=store_id).order_by("created_at").values_list("pk", flat=True)[:BATCH])
    lease = wall_now() + LEASE
    if not ids or not waiting().filter(pk__in=ids).update(lease_until=lease):
        return []
    return list(Delivery.objects.filter(pk__in=ids, state=WAITING, lease_until=lease).order_by("created_at"))


def _work(store: Store, rows: Rows) -> int:
    """Each kind of news by its handler; one that fails does not hold up the others. Returns how many are done."""
    done = 0
    for handler, group in _by_handler(store, rows):
        done += _work_group(handler, store, group)
    if done == len(rows):
        resolve_alert(store.tenant, key=_alert_key(store))
    return done


def _work_group(handler: Handler, store: Store, group: Rows) -> int:
    """Of several, one of which cannot be read, each half is worked by itself: the others are not given up with it."""
    try:
        handler(store, group)
    except UnfinishedError:
        _held(group).update(lease_until=None)
    except (MalformedReplyError, ConfigurationError) as error:
        half = len(group) // 2
        if half:
            return _work_group(handler, store, group[:half]) + _work_group(handler, store, group[half:])
        _postpone(store, group, error)
    except ConnectorError as error:
        _postpone(store, group, error)
    except Exception as error:
        _postpone(store, group, error)
        raise
    else:
        return _finish(group)
    return 0


def _by_handler(store: Store, rows: Rows) -> Iterator[tuple[Handler, Rows]]:
    """Orders are read together; what people and shops ask for is done one by one."""
    groups: dict[tuple[Handler, UUID | None], Rows] = defaultdict(list)
    for row in rows:
        is_late = not store.is_active and row.topic not in LASTING
        handler = _too_late if is_late else HANDLERS[row.topic]
        groups[handler, row.pk if handler is _privacy else None].append(row)
    for (handler, _), group in groups.items():
        yield handler, group


def _held(rows: Rows) -> QuerySet[Delivery]:
    """The rows, while nobody has finished them. (A lease that ran out meanwhile makes the work no less done.)"""
    held: QuerySet[Delivery] = Delivery.objects.filter(pk__in=[row.pk for row in rows], state=WAITING)
    return held


def _finish(rows: Rows) -> int:
    """Done, each with the note that its handler has left."""
    now = wall_now()
    for note, same in groupby(sorted(rows, key=lambda row: row.problem), key=lambda row: row.problem):
        _held(list(same)).update(state=DONE, finished_at=now, lease_until=None, problem=note[:300])
    return len(rows)


def _postpone(store: Store, rows: Rows, error: Exception) -> None:
    """Back to those that wait, after a pause that doubles; given up, with an alert, after the eighth failure."""
    now = wall_now()
    pause = min(PAUSE * 2 ** max(row.attempts for row in rows), LONGEST_PAUSE)
    asked = timedelta(seconds=getattr(error, "retry_after", None) or 0)
    text = str(error)[:300] if isinstance(error, ConnectorError) else type(error).__name__
    held = _held(rows)
    held.update(attempts=F("attempts") + 1, problem=text, lease_until=now + max(pause, asked))
    given_up = held.filter(attempts__gte=MOST_ATTEMPTS).update(state=FAILED, finished_at=now, lease_until=None)
    if isinstance(error, AuthenticationError):
        pull.note_dead_login(store, str(error))
    if given_up:
        message = f"{store}: {given_up} pushed messages could not be worked off: {text}"
        raise_alert(store.tenant, key=_alert_key(store), severity=Severity.WARNING, message=message)


def _alert_key(store: Store) -> str:
    return f"deliveries {store.pk}"


# --- What each kind of news asks for ---------------------------------------------------------------------------------


def _read_orders(store: Store, rows: Rows) -> None:
    """Read the orders again, store them, and account for the hours that they concern."""
    wanted = sorted({row.resource for row in rows})
    records = list(connect_store(store).orders_by_id(wanted))
    booked = _booked(store, wanted)
    store_records(store, records, SyncCounts())
    account(store.tenant, records, also=booked)
    known = {record.external_id for record in records}
    for row in rows:
        row.problem = "" if row.resource in known else "the platform knows no such order"


def _booked(store: Store, external_ids: Iterable[str]) -> set[datetime]:
    """The hours in which refunds and edits of these orders stand: one of them may go, or move to another hour."""
    parts = ((Refund, "refunded_at"), (OrderEdit, "edited_at"))
    of_orders = {"order__store": store, "order__external_id__in": list(external_ids)}
    return {
        hour_of(at)
        for model, moment in parts
        for at in model._default_manager.filter(**of_orders).values_list(moment, flat=True)
    }


def account(tenant: Tenant, records: Iterable[OrderRecord], *, also: Iterable[datetime] = ()) -> None:
    """Attribution and rewards of the closed hours that these orders concern, and of those `also` given.

    Of all of them, new or not: a worker may have been killed between storing an order and accounting for it.
    """
    as_of = _as_of(tenant)
    concerned = {hour for record in records for hour in _concerned(record)}
    hours = {hour for hour in concerned.union(also) if hour < as_of}
    if not hours:
        return
    attribute_orders(tenant, since=min(hours), among=[record.external_id for record in records])
    for _, of_day in groupby(sorted(hours), key=datetime.date):
        first, *others = of_day
        store_rewards(tenant, start=first, end=(others or [first])[-1] + HOUR, as_of=as_of)


def _concerned(record: OrderRecord) -> Iterator[datetime]:
    yield hour_of(record.created_at)
    yield from (hour_of(refund.processed_at) for refund in record.refunds)
    yield from (hour_of(edit.edited_at) for edit in record.edits)


def _as_of(tenant: Tenant) -> datetime:
    """Business time: the end of the newest hour that has ended anywhere in the tenant."""
    accounts = AdAccount.objects.filter(tenant=tenant, is_active=True)
    return max(map(backfill.ended, accounts), default=newest_closed_slot(wall_now()) + HOUR)


def _read_shop(store: Store, rows: Rows) -> None:
    store_shop(store, connect_store(store).shop())
    _note(rows, "")


def _wake_backfills(store: Store, rows: Rows) -> None:
    from metrics.tasks import wake_order_backfills  # which imports this module

    wake_order_backfills(store)
    _note(rows, "")


ENDS = {"app/uninstalled": "the app was uninstalled", "6": "the seller withdrew the authorisation"}
LOOKS = 3  # at a login that still works: the news of its end may be faster than the end


def _end_connection(store: Store, rows: Rows) -> None:
    """End the connection here once the platform confirms that it has ended there."""
    if still_connected(store):
        if max(row.attempts for row in rows) + 1 < LOOKS:
            raise TransientError("the platform still takes the login; it is asked again", platform=store.platform)
        _note(rows, "the platform still takes the login: nothing was ended")
        return
    grants.platform_ended(store, reason=ENDS[rows[0].topic])
    _note(rows, "")


def still_connected(store: Store) -> bool:
    """Whether the platform takes our login, asked now. Raises `ConnectorError` when that cannot be said."""
    if not grants.has_token(store.credential):
        return False
    try:
        connect_store(store).shop()
    except (AuthenticationError, NotFoundError):
        return False
    except ConnectorError as error:
        if error.code == "402":  # a shop that was closed
            return False
        raise
    return True


def _warn_of_end(store: Store, rows: Rows) -> None:
    """The platform repeats this daily in the last month; when exactly is what we were told at the login."""
    ends = store.credential.refresh_expires_at or store.credential.expires_at
    when = f"on {ends:%Y-%m-%d}" if ends else "within 30 days"
    message = f"{store}: the authorisation ends {when}; connect again before that."
    raise_alert(store.tenant, key=f"authorisation {store.credential_id}", severity=Severity.WARNING, message=message)
    _note(rows, "")


def _privacy(store: Store, rows: Rows) -> None:
    for row in rows:
        if not privacy.carry_out(row, is_connected=still_connected):
            raise UnfinishedError
    _note(rows, "")


def _nothing(store: Store, rows: Rows) -> None:
    """What the next sync reads anyway."""
    _note(rows, "")


def _too_late(store: Store, rows: Rows) -> None:
    _note(rows, "the store is not connected any more")


def _note(rows: Rows, text: str) -> None:
    for row in rows:
        row.problem = text


OF_ORDERS = ("orders/create", "orders/updated", "orders/paid", "orders/cancelled", "refunds/create", "1", "11", "12")
HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(OF_ORDERS, _read_orders),
    "shop/update": _read_shop,
    "bulk_operations/finish": _wake_backfills,
    **dict.fromkeys(ENDS, _end_connection),
    "7": _warn_of_end,
    **dict.fromkeys(privacy.KINDS, _privacy),
    **dict.fromkeys(PRODUCT_TYPES, _nothing),
}

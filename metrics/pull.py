"""Pulling a tenant's hour from every source it has; one that fails does not hold up the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from accounts.alerts import raise_alert, resolve_alert
from accounts.clock import wall_now
from accounts.hours import hours_between, local_day
from accounts.models import AdAccount, Credential, Store, StoreKind, Tenant
from accounts.models.alerts import Severity
from connectors import tokens
from connectors.advice import next_step, no_orders
from connectors.connections import connect_ad_account, connect_creator, connect_store
from connectors.contracts import Platform
from connectors.errors import AuthenticationError, ConnectorError
from connectors.store_contracts import Marketplace
from metrics import backfill, order_backfill
from metrics.backfill import read_days
from metrics.models import Backfill, Order, StoreCoverage
from metrics.sync import SyncCounts, restatement_days, sync_orders, sync_products, sync_tree
from metrics.sync.marketplace import sync_creator, sync_marketplace

FIRST_PULL = timedelta(days=30)
FIRST_ORDERS: dict[str, timedelta] = {Platform.TIKTOK_SHOP: timedelta(days=90)}

Progress = Callable[[str, int], None]


class SlotError(ValueError):
    """The hour cannot be read yet; one clear line."""


@dataclass(slots=True)
class Pulled:
    """What arrived, and what could not be read (one line for each source)."""

    counts: SyncCounts = field(default_factory=SyncCounts)
    problems: list[str] = field(default_factory=list)

    def lookback(self, as_of: datetime, usual: timedelta) -> timedelta:
        """How far back to account again: the usual span, or to the oldest hour that what arrived concerns."""
        return max(usual, as_of - self.counts.oldest) if self.counts.oldest else usual


def sources(tenant: Tenant) -> tuple[list[AdAccount], list[Store]]:
    accounts = AdAccount.objects.filter(tenant=tenant, is_active=True).select_related("credential", "tenant")
    stores = Store.objects.filter(tenant=tenant, is_active=True).select_related("credential", "tenant")
    return list(accounts), list(stores)


def check_ready(tenant: Tenant, as_of: datetime) -> None:
    """Ask every source who it is, before anything is stored for the hour that ends at `as_of`.

    Raises `SlotError` when it has not ended, and the `ConnectorError` of the first that does not answer.
    """
    check_ended(tenant, as_of)
    accounts, stores = sources(tenant)
    for account in accounts:
        connect_ad_account(account).account()
    for store in stores:
        if store.kind == StoreKind.CREATOR:
            connect_creator(store)
        else:
            connect_store(store).shop()


def check_ended(tenant: Tenant, as_of: datetime) -> None:
    """Raises `SlotError` for an hour that has not ended: it would count as read, and never be read again.

    A sandbox, reached over plain HTTP, has a clock of its own.
    """
    accounts, stores = sources(tenant)
    platforms = {account.platform for account in accounts} | {store.platform for store in stores}
    urls = [getattr(settings, f"{platform.upper()}_BASE_URL") for platform in platforms]
    if as_of > wall_now() and not all(url.startswith("http://") for url in urls):
        raise SlotError(f"the hour before {as_of:%Y-%m-%d %H:%M} UTC has not ended yet")


def pull(
    tenant: Tenant,
    *,
    as_of: datetime,
    history: timedelta | None = None,
    plan: Mapping[UUID, Backfill] | None = None,
    progress: Progress = lambda what, done: None,
) -> Pulled:
    """Read what may have changed up to `as_of`, or the whole of `history` before it.

    With a `history`, ad accounts are read by the backfills of `plan`, which are made if they are not given. Whoever
    gives them finishes them, when what was read is accounted for. The orders of that time are read again by a
    backfill of each store. `progress` is told "days" and "orders" as they are stored. A source that fails leaves an
    alert, a store what to do next; an hour that has not ended raises `SlotError` before anything is stored.
    """
    check_ended(tenant, as_of)
    pulled = Pulled()
    accounts, stores = sources(tenant)
    is_whole = plan is None
    if history is not None and plan is None:
        plan = plan_history(accounts, as_of, history)
    asked = plan or {}
    jobs: list[tuple[AdAccount | Store, Callable[[], None]]] = [
        *(
            (account, lambda a=account: _pull_account(a, as_of, asked.get(a.pk), progress, pulled.counts, is_whole))
            for account in accounts
        ),
        *((store, lambda s=store: _pull_store(s, as_of, history, progress, pulled.counts)) for store in stores),
    ]
    for source, job in jobs:
        key = f"sync {source.pk}"
        try:
            _read(source, job)
        except ConnectorError as error:
            pulled.problems.append(f"{source}: {error}")
            if isinstance(source, Store):
                _show(source, problem=next_step(error))
            if isinstance(error, AuthenticationError):
                note_dead_login(source, str(error))
            else:
                message = f"{source} could not be read: {error}"
                raise_alert(tenant, key=key, severity=Severity.WARNING, message=message)
            continue
        resolve_alert(tenant, key=key)
        _note_living_login(source)
        if isinstance(source, Store):
            _show(source, problem="")
    return pulled


def _read(source: AdAccount | Store, job: Callable[[], None]) -> None:
    """A reading may outlast the token that it began with: then it goes on where it stopped, with a younger one."""
    while True:
        began = wall_now()
        try:
            return job()
        except AuthenticationError:
            found = tokens.younger(source.credential, began)
            if found is None:
                raise
            source.credential = found


def _show(store: Store, **texts: str) -> None:
    """What its page says of a store: a `problem` with the next step, a `notice` on its figures."""
    shown = {name: text[:300] for name, text in texts.items()}
    Store.objects.filter(pk=store.pk).exclude(**shown).update(**shown)


def note_dead_login(source: AdAccount | Store, problem: str) -> None:
    """Show on the credential that the platform refuses it, and tell somebody: nothing works until a new login."""
    Credential.objects.filter(pk=source.credential_id).exclude(problem=problem[:300]).update(problem=problem[:300])
    raise_alert(
        source.tenant,
        key=f"credential {source.credential_id}",
        severity=Severity.CRITICAL,
        message=f"{source}: the platform refuses the login; connect again. {problem}",
    )


def _note_living_login(source: AdAccount | Store) -> None:
    Credential.objects.filter(pk=source.credential_id).exclude(problem="").update(problem="")
    resolve_alert(source.tenant, key=f"credential {source.credential_id}")


def plan_history(accounts: Iterable[AdAccount], as_of: datetime, history: timedelta) -> dict[UUID, Backfill]:
    """Backfills of the days of `history` before `as_of`, or what an earlier one of the same days left."""
    days = {a: (local_day(as_of - history, a.timezone), restatement_days(a, as_of)[1]) for a in accounts}
    return backfill.plan(days, actor="sync", now=as_of)


def _pull_account(
    account: AdAccount,
    as_of: datetime,
    asked: Backfill | None,
    progress: Progress,
    counts: SyncCounts,
    is_whole: bool,
) -> None:
    """Adds to `counts` as it goes: what was stored before a failure is accounted too."""
    client = connect_ad_account(account)
    sync_tree(account, client, as_of=as_of)

    def tell(days: int) -> None:
        progress("days", days)

    if asked is not None:
        asked.ad_account = account
        tell(asked.days_done)
        backfill.run(asked, client, as_of=as_of, counts=counts, progress=tell, is_whole=is_whole)
        return
    first, last = restatement_days(account, as_of)
    first = min(first, local_day(_first_missing(account, as_of), account.timezone))
    read_days(account, client, first_day=first, last_day=last, as_of=as_of, counts=counts, progress=tell)


def _first_missing(account: AdAccount, as_of: datetime) -> datetime:
    """The first hour of the last `FIRST_PULL` that was never read: a first sync or one that was cut short.

    What lies before the oldest hour that was read is not missed.
    """
    known = set(
        account.synced_hours.filter(hour__gte=as_of - FIRST_PULL, hour__lt=as_of).values_list("hour", flat=True)
    )
    start = min(known, default=as_of - FIRST_PULL)
    return next((hour for hour in hours_between(start, as_of) if hour not in known), as_of)


def _pull_store(
    store: Store, as_of: datetime, history: timedelta | None, progress: Progress, counts: SyncCounts
) -> None:
    """Adds to `counts` as it goes: what was stored before a failure is accounted too."""
    if store.kind == StoreKind.CREATOR:
        _check(sync_creator(store, connect_creator(store), as_of=as_of, counts=counts))
        return
    client = connect_store(store)

    def tell(orders: int) -> None:
        progress("orders", orders)

    coverage = StoreCoverage.objects.filter(store=store).first()
    first = FIRST_ORDERS.get(store.platform, history or FIRST_PULL)
    if history is not None:
        start = as_of - (history if coverage else max(history, first))
        asked = order_backfill.request(store, start, as_of, actor="sync")
        asked.store = store
        order_backfill.run_through(asked, client, counts=counts, progress=tell)
        coverage = StoreCoverage.objects.filter(store=store).first()
    since = coverage.known_from if coverage else as_of - first
    sync_orders(store, client, since=since, as_of=as_of, counts=counts, progress=tell)
    has_sold = Order.objects.filter(store=store).exists()
    _show(store, notice="" if has_sold else no_orders((as_of - since).days))
    sync_products(store, client, as_of=as_of)
    if isinstance(client, Marketplace):
        _check(sync_marketplace(store, client, as_of=as_of, counts=counts))


def _check(failed: Mapping[str, ConnectorError]) -> None:
    """Raises the first of what failed when all else has been read."""
    for error in failed.values():
        raise error


def days_to_pull(tenant: Tenant, as_of: datetime, plan: Mapping[UUID, Backfill] | None) -> int:
    """Account days that a pull reads, for a progress bar."""
    asked = plan or {}
    usual = {platform: days + 1 for platform, days in settings.RESTATEMENT_DAYS.items()}
    return sum(asked[a.pk].days if a.pk in asked else usual[a.platform] for a in sources(tenant)[0])

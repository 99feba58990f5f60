"""Pulling a tenant's hour from every source it has; one that fails does not hold up the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from accounts.alerts import raise_alert, resolve_alert
from accounts.clock import wall_now
from accounts.hours import hours_between, local_day
from accounts.models import AdAccount, Credential, Store, Tenant
from accounts.models.alerts import Severity
from connectors.connections import connect_ad_account, connect_store
from connectors.errors import AuthenticationError, ConnectorError
from metrics.models import StoreCoverage
from metrics.sync import SyncCounts, restatement_days, sync_hours, sync_orders, sync_tree

FIRST_PULL = timedelta(days=30)

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
    accounts = AdAccount.objects.filter(tenant=tenant, is_active=True).select_related("credential")
    stores = Store.objects.filter(tenant=tenant, is_active=True).select_related("credential")
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
    progress: Progress = lambda what, done: None,
) -> Pulled:
    """Read what may have changed up to `as_of`, or the whole of `history` before it (a backfill).

    `progress` is told "days" and "orders" as they are stored. A source that fails leaves an alert; an hour
    that has not ended raises `SlotError` before anything is stored.
    """
    check_ended(tenant, as_of)
    pulled = Pulled()
    accounts, stores = sources(tenant)
    jobs: list[tuple[AdAccount | Store, Callable[[], SyncCounts]]] = [
        *((account, lambda a=account: _pull_account(a, as_of, history, progress)) for account in accounts),
        *((store, lambda s=store: _pull_store(s, as_of, history, progress)) for store in stores),
    ]
    for source, job in jobs:
        key = f"sync {source.pk}"
        try:
            counts = job()
        except ConnectorError as error:
            pulled.problems.append(f"{source}: {error}")
            message = f"{source} could not be read: {error}"
            raise_alert(tenant, key=key, severity=Severity.WARNING, message=message)
            _note_problem(source, str(error) if isinstance(error, AuthenticationError) else None)
            continue
        resolve_alert(tenant, key=key)
        _note_problem(source, "")
        pulled.counts.add(counts)
    return pulled


def _note_problem(source: AdAccount | Store, problem: str | None) -> None:
    """Show on the credential that the platform refuses it, or no longer does; `None` leaves it as it is."""
    if problem is not None:
        Credential.objects.filter(pk=source.credential_id).exclude(problem=problem[:300]).update(problem=problem[:300])


def _pull_account(account: AdAccount, as_of: datetime, history: timedelta | None, progress: Progress) -> SyncCounts:
    client = connect_ad_account(account)
    sync_tree(account, client, as_of=as_of)
    first, last = restatement_days(account, as_of)
    if history is not None:
        first = local_day(as_of - history, account.timezone)
    else:
        first = min(first, local_day(_first_missing(account, as_of), account.timezone))
    return sync_hours(
        account, client, first_day=first, last_day=last, as_of=as_of, progress=lambda n: progress("days", n)
    )


def _first_missing(account: AdAccount, as_of: datetime) -> datetime:
    """The first hour of the last `FIRST_PULL` that was never read: a first sync or one that was cut short.

    What lies before the oldest hour that was read is not missed.
    """
    known = set(
        account.synced_hours.filter(hour__gte=as_of - FIRST_PULL, hour__lt=as_of).values_list("hour", flat=True)
    )
    start = min(known, default=as_of - FIRST_PULL)
    return next((hour for hour in hours_between(start, as_of) if hour not in known), as_of)


def _pull_store(store: Store, as_of: datetime, history: timedelta | None, progress: Progress) -> SyncCounts:
    coverage = StoreCoverage.objects.filter(store=store).first()
    since = as_of - (history or FIRST_PULL)
    if coverage is not None and (history is None or coverage.known_from <= since):
        since = coverage.known_from
    return sync_orders(store, connect_store(store), since=since, as_of=as_of, progress=lambda n: progress("orders", n))


def days_to_pull(tenant: Tenant, history: timedelta) -> int:
    """Account days that a backfill of `history` reads, for a progress bar."""
    return len(sources(tenant)[0]) * (history // timedelta(days=1) + 1)

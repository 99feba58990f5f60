"""What is known about a tenant at one moment, as columns: loaded once, read by rules, policies, guardrails.

Arrays are `(hours, ad sets)`, oldest hour first; money in micros as int64. Where `*_known` is false the
figure is unknown and its array holds 0 only as a filler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db.models import Sum

from accounts.hours import HOUR, day_bounds, hours_between, local_day
from accounts.models import AdSet, Store, StoreKind, Tenant
from metrics.accounting import REVENUE, Revenue, attributed_revenue
from metrics.models import AdDay, HourlyMetric, Order, Reward, SyncedHour
from metrics.windows import MINIMUM_COVERAGE, WindowValues, is_whole_days, window_bounds

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SPEND_COLUMNS = ("spend_micros", "impressions", "clicks", "conversions")
REVENUE_COLUMNS = ("revenue_micros", "refunds_micros", "cogs_micros", "orders")
DEFAULT_LOOKBACK = timedelta(hours=336)


@dataclass(frozen=True, slots=True)
class AdSetFacts:
    """What a decision needs to know of an ad set, besides its figures."""

    id: UUID
    key: str
    name: str
    ad_account_id: UUID
    platform: str
    currency: str
    zone: str
    status: str
    daily_budget_micros: int | None
    minimum_daily_budget_micros: int | None
    reports_hours: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    tenant_id: UUID
    zone: str
    as_of: datetime
    hours: tuple[datetime, ...]
    ad_sets: tuple[AdSetFacts, ...]
    columns: dict[str, Ints]
    spend_known: Flags
    conversions_known: Flags
    revenue_known: Flags
    cogs_known: Flags
    last_order_at: datetime | None

    def cut(self, as_of: datetime) -> Snapshot:
        """The same as it stood at an earlier hour: what happened later is gone (restatements are not)."""
        count = sum(hour < as_of for hour in self.hours)
        last = self.last_order_at
        return Snapshot(
            self.tenant_id,
            self.zone,
            as_of,
            self.hours[:count],
            self.ad_sets,
            {name: column[:count] for name, column in self.columns.items()},
            self.spend_known[:count],
            self.conversions_known[:count],
            self.revenue_known[:count],
            self.cogs_known[:count],
            last if last is not None and last < as_of else self._last_sale(count),
        )

    def select(self, indexes: Sequence[int]) -> Snapshot:
        """The same for some of the ad sets only."""
        return Snapshot(
            self.tenant_id,
            self.zone,
            self.as_of,
            self.hours,
            tuple(self.ad_sets[i] for i in indexes),
            {name: column[:, indexes] for name, column in self.columns.items()},
            self.spend_known[:, indexes],
            self.conversions_known[:, indexes],
            self.revenue_known[:, indexes],
            self.cogs_known[:, indexes],
            self.last_order_at,
        )

    def _last_sale(self, count: int) -> datetime | None:
        sold = np.flatnonzero(self.columns["orders"][:count].sum(axis=1))
        return self.hours[sold[-1]] if sold.size else None

    def window(self, index: int, token: str) -> WindowValues:
        """The window of one ad set, in its account's zone."""
        return self.window_over([index], token, self.ad_sets[index].zone)

    def window_over(self, indexes: Sequence[int], token: str, zone: str) -> WindowValues:
        """The window of several ad sets together (an account, a tenant)."""
        start, end = window_bounds(token, self.as_of, zone)
        if any(not self._tells(self.ad_sets[i], token, zone) for i in indexes):
            problem = f"the platform gives daily figures only: {token} has no whole days of the ad account"
            return WindowValues(token, start, end, Decimal(0), problem=problem)
        expected = max(1, round((end - start) / HOUR)) * max(1, len(indexes))
        rows = slice(
            *np.searchsorted(np.array([hour.timestamp() for hour in self.hours]), [start.timestamp(), end.timestamp()])
        )
        cell = np.ix_(np.arange(len(self.hours))[rows], np.array(indexes, dtype=int))
        coverage = Decimal(int(self.spend_known[cell].sum())) / expected
        if coverage < MINIMUM_COVERAGE or start == end:
            problem = f"only {coverage:.0%} of the hours of {token} are known"
            return WindowValues(token, start, end, coverage, problem=problem)
        return WindowValues(token, start, end, coverage, **self._sums(cell, expected))

    @staticmethod
    def _tells(ad_set: AdSetFacts, token: str, zone: str) -> bool:
        return ad_set.reports_hours or (is_whole_days(token) and ad_set.zone == zone)

    def _sums(self, cell: Any, expected: int) -> dict[str, Any]:
        def total(name: str, known: Flags) -> int | None:
            enough = known[cell].sum() >= expected * float(MINIMUM_COVERAGE)
            return int(self.columns[name][cell].sum()) if enough else None

        revenue, refunds = (total(name, self.revenue_known) for name in ("revenue_micros", "refunds_micros"))
        return {
            "spend_micros": total("spend_micros", self.spend_known),
            "impressions": total("impressions", self.spend_known),
            "clicks": total("clicks", self.spend_known),
            "conversions": total("conversions", self.conversions_known),
            "revenue_micros": None if revenue is None or refunds is None else revenue - refunds,
            "cogs_micros": total("cogs_micros", self.revenue_known & self.cogs_known),
            "orders": total("orders", self.revenue_known),
        }

    def of_account(self, ad_account_id: UUID) -> list[int]:
        return [i for i, ad_set in enumerate(self.ad_sets) if ad_set.ad_account_id == ad_account_id]


def load_snapshot(tenant: Tenant, *, as_of: datetime, lookback: timedelta = DEFAULT_LOOKBACK) -> Snapshot:
    """Everything known of the tenant's live ad sets in `[as_of − lookback, as_of)`: seven queries."""
    start = as_of - lookback
    hours = tuple(hours_between(start, as_of))
    ad_sets = _ad_sets(tenant)
    row_of = {hour: i for i, hour in enumerate(hours)}
    column_of = {ad_set.id: j for j, ad_set in enumerate(ad_sets)}
    shape = (len(hours), len(ad_sets))
    columns = {name: np.zeros(shape, dtype=np.int64) for name in (*SPEND_COLUMNS, *REVENUE_COLUMNS)}
    span = {"tenant": tenant, "hour__gte": start, "hour__lt": as_of, "ad_set__in": list(column_of)}
    conversions_known = _fill(HourlyMetric, span, SPEND_COLUMNS, "conversions", columns, row_of, column_of)
    cogs_known = _fill(Reward, span, REVENUE_COLUMNS, "cogs_micros", columns, row_of, column_of)
    if daily := {ad_set.id: j for j, ad_set in enumerate(ad_sets) if not ad_set.reports_hours}:
        conversions_known[:, list(daily.values())] = False
        _fill_days(ad_sets, daily, columns, row_of)
        _fill_revenue(attributed_revenue(tenant, start, as_of), daily, columns, cogs_known, row_of)
    return Snapshot(
        tenant.pk,
        tenant.timezone,
        as_of,
        hours,
        ad_sets,
        columns,
        _spend_known(tenant, ad_sets, row_of, shape),
        conversions_known,
        _revenue_known(tenant, hours, ad_sets),
        cogs_known,
        Order.objects.filter(REVENUE, tenant=tenant, ordered_at__lt=as_of)
        .order_by("-ordered_at")
        .values_list("ordered_at", flat=True)
        .first(),
    )


def _ad_sets(tenant: Tenant) -> tuple[AdSetFacts, ...]:
    rows = AdSet.objects.filter(tenant=tenant, ad_account__is_active=True).exclude(status="removed")
    return tuple(
        AdSetFacts(
            row.pk,
            row.key,
            row.name,
            row.ad_account_id,
            row.ad_account.platform,
            row.ad_account.currency,
            row.ad_account.timezone,
            row.status,
            row.daily_budget_micros,
            row.ad_account.minimum_daily_budget_micros,
            row.ad_account.reports_hours,
        )
        for row in rows.select_related("ad_account").order_by("ad_account__platform", "external_id")
    )


def _fill(
    model: Any,
    span: dict[str, Any],
    names: Sequence[str],
    nullable: str,
    columns: dict[str, Ints],
    row_of: dict[datetime, int],
    column_of: dict[UUID, int],
) -> Flags:
    """Copy a table's columns in; returns where the nullable one is known (absent rows: known to be 0)."""
    known = np.ones((len(row_of), len(column_of)), dtype=bool)
    for hour, ad_set, *values in model.objects.filter(**span).values_list("hour", "ad_set_id", *names):
        if hour not in row_of:
            continue  # a zone half an hour off: none of its hours counts as known
        at = row_of[hour], column_of[ad_set]
        for name, value in zip(names, values, strict=True):
            columns[name][at] = value or 0
            if name == nullable:
                known[at] = value is not None
    return known


def _fill_days(
    ad_sets: Sequence[AdSetFacts], daily: dict[UUID, int], columns: dict[str, Ints], row_of: dict[datetime, int]
) -> None:
    """Where a platform gives daily figures only, a day's sum stands in its first hour; only whole days are read."""
    names = ("spend_micros", "impressions", "clicks")
    span = (local_day(min(row_of), "UTC") - timedelta(days=1), local_day(max(row_of), "UTC") + timedelta(days=1))
    sums = (
        AdDay.objects.filter(ad__ad_set__in=list(daily), day__range=span)
        .values_list("ad__ad_set", "day")
        .annotate(*[Sum(name) for name in names])
        .order_by()
    )
    for ad_set, day, *values in sums:
        j = daily[ad_set]
        i = row_of.get(day_bounds(day, ad_sets[j].zone)[0])
        if i is not None:
            for name, value in zip(names, values, strict=True):
                columns[name][i, j] = value


def _fill_revenue(
    revenue: Revenue, daily: dict[UUID, int], columns: dict[str, Ints], cogs_known: Flags, row_of: dict[datetime, int]
) -> None:
    """Ad sets without hours have no rewards: what they sold is read from the orders themselves."""
    for (ad_set, hour), row in revenue.sums.items():
        if ad_set in daily and hour in row_of:
            at = row_of[hour], daily[ad_set]
            for name in REVENUE_COLUMNS:
                columns[name][at] = getattr(row, name)
            cogs_known[at] = not row.cost_missing


def _spend_known(
    tenant: Tenant, ad_sets: Sequence[AdSetFacts], row_of: dict[datetime, int], shape: tuple[int, int]
) -> Flags:
    by_account: dict[UUID, list[int]] = {}
    for hour, account in SyncedHour.objects.filter(tenant=tenant, hour__in=list(row_of)).values_list(
        "hour", "ad_account_id"
    ):
        by_account.setdefault(account, []).append(row_of[hour])
    known = np.zeros(shape, dtype=bool)
    for j, ad_set in enumerate(ad_sets):
        known[by_account.get(ad_set.ad_account_id, []), j] = True
    return known


def _revenue_known(tenant: Tenant, hours: Sequence[datetime], ad_sets: Sequence[AdSetFacts]) -> Flags:
    """An hour's revenue is known when every active store covers it, and only in the one currency of all orders."""
    stores = Store.objects.filter(tenant=tenant, is_active=True, kind=StoreKind.SHOP)
    spans = list(stores.values_list("coverage__known_from", "coverage__known_to", "currency"))
    covered = np.array(
        [bool(spans) and all(low and high and low <= hour < high for low, high, _ in spans) for hour in hours],
        dtype=bool,
    )
    sold = Order.objects.filter(
        REVENUE, tenant=tenant, ad_set__isnull=False, ordered_at__gte=hours[0], ordered_at__lt=hours[-1] + HOUR
    )
    currencies = {currency for _, _, currency in spans} | set(sold.values_list("currency", flat=True).distinct())
    same = np.array([currencies == {ad_set.currency} for ad_set in ad_sets], dtype=bool)
    return np.asarray(covered[:, None] & same[None, :])

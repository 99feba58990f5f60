"""What a platform reports about its ads, as known now: figures by account-local hour or day.

Meta knows the newest hours only in part and completes them within three hours; TikTok takes some spend back
with its correction at 12:00 UTC of the next day. Purchases appear when the platform has heard of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from connectors.sandbox.market import HOUR, Ints
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import World

META_SETTLES_HOURS = 3
AD_SHARES = (3, 2)  # how the two ads of an ad set share its delivery


@dataclass(frozen=True)
class Figures:
    """Sums of one object over one piece of time. Money in micros; purchases as the platform claims them."""

    spend: int = 0
    impressions: int = 0
    clicks: int = 0
    purchases: int = 0
    value: int = 0
    purchases_by_own_time: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, ...]:
        return (
            self.spend,
            self.impressions,
            self.clicks,
            self.purchases,
            self.value,
            self.purchases_by_own_time,
        )


@dataclass(frozen=True)
class Row:
    """`day` and `hour` are the account's wall clock; `None` where the report sums over them."""

    target: AdObject | None
    day: date | None
    hour: int | None
    figures: Figures


def rows(
    world: World,
    account: Account,
    ad_sets: Iterable[AdObject],
    days: tuple[date, date],
    *,
    level: str,
    by_day: bool,
    by_hour: bool,
) -> list[Row]:
    """Sums per object of `level` (`ad`, `ad_set`, `campaign`, `account`), days inclusive, in order of time.

    Hours without delivery count nothing, and a group of only such hours is absent.
    """
    chosen = sorted(ad_sets, key=lambda thing: thing.column)
    first, end = _hours(world, account, days)
    if not chosen or first >= end:
        return []
    table = _known(world, account, [o.column for o in chosen], first, end)
    zone = world.zone(account)
    groups: dict[tuple[object, ...], Row] = {}
    for offset, k in zip(*np.nonzero(table[:, :, :5].any(axis=2)), strict=True):
        hour_start = (world.market.first_hour + first + int(offset)) * HOUR
        local = datetime.fromtimestamp(hour_start, UTC).astimezone(zone)
        day, hour = local.date() if by_day else None, local.hour if by_hour else None
        for target, figures in _spread(world, chosen[k], level, Figures(*table[offset, k].tolist())):
            key = (day, hour, target.id if target else "")
            found = groups.get(key)
            groups[key] = Row(target, day, hour, found.figures + figures if found else figures)
    order = {o.id: place for place, o in enumerate(world.objects.values())}
    return sorted(
        groups.values(),
        key=lambda r: (r.day or date.min, r.hour or 0, order[r.target.id] if r.target else -1),
    )


def _hours(world: World, account: Account, days: tuple[date, date]) -> tuple[int, int]:
    """Indexes into the market's history of the account-local days, cut to what is closed."""
    zone = world.zone(account)
    today = world.now.astimezone(zone).date()
    first, last = max(days[0], date(1970, 1, 2)), min(days[1], today)
    if first > last:
        return 0, 0
    start = _midnight(first, zone) - world.market.first_hour
    end = _midnight(last + timedelta(days=1), zone) - world.market.first_hour
    return max(start, 0), min(end, len(world.market.history))


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) // HOUR


def _known(world: World, account: Account, columns: list[int], first: int, end: int) -> Ints:
    """(hours, ad sets, 6) integers: the figures of `Figures`, as the platform knows them now."""
    market = world.market
    history = market.history[first:end]
    table = np.zeros((end - first, len(columns), 6), dtype=np.int64)
    true = np.array([h[:3] for h in history])[:, :, columns].transpose(0, 2, 1)
    shortfall = np.array([h.shortfall for h in history])[:, columns]
    hours = market.first_hour + np.arange(first, end)
    if account.platform == "meta":
        reduced = market.hour - (hours + 1) < META_SETTLES_HOURS
    else:
        reduced = market.hour >= hours // 24 * 24 + 36
    factor = 1 - shortfall * reduced[:, None]
    quantum = market.parameters.quantum_micros[account.tenant]
    table[:, :, 0] = np.rint(true[:, :, 0] * factor / quantum).astype(np.int64) * quantum
    table[:, :, 1:3] = np.rint(true[:, :, 1:] * factor[:, :, None])
    _add_claims(world, table, columns, first, end)
    return table


def _add_claims(world: World, table: Ints, columns: list[int], first: int, end: int) -> None:
    market = world.market
    place = np.full(len(market.parameters.tenant) + 1, -1)  # the last entry serves "claimed by none"
    place[columns] = np.arange(len(columns))
    now = world.now.timestamp()
    reach = slice(max(first - 24 * 7, 0), end)
    bought = [p for p in market.purchases[reach] if len(p.source)]
    if not bought:
        return
    by = place[np.concatenate([p.claimed_by for p in bought])]
    known = (by >= 0) & (np.concatenate([p.claimed_at for p in bought]) <= now)
    by = by[known]
    value = np.concatenate([p.value_micros for p in bought])[known]
    clicked = np.concatenate([p.hour for p in bought])[known] - market.first_hour - first
    paid = np.concatenate([p.created for p in bought])[known] // HOUR - market.first_hour - first
    inside = clicked >= 0
    np.add.at(table, (clicked[inside], by[inside], 3), 1)
    np.add.at(table, (clicked[inside], by[inside], 4), value[inside])
    inside = (paid >= 0) & (paid < end - first)
    np.add.at(table, (paid[inside], by[inside], 5), 1)


def _spread(world: World, ad_set: AdObject, level: str, figures: Figures) -> list[tuple[AdObject | None, Figures]]:
    if level == "ad":
        ads = world.children[ad_set.id]
        quantum = int(world.market.parameters.quantum_micros[world.accounts[ad_set.account].tenant])
        first = Figures(*(v * AD_SHARES[0] // sum(AD_SHARES) for v in figures.values()))
        first = Figures(first.spend // quantum * quantum, *first.values()[1:])
        rest = Figures(*(a - b for a, b in zip(figures.values(), first.values(), strict=True)))
        return [(ads[0], first), (ads[1], rest)]
    if level == "account":
        return [(None, figures)]
    return [(world.objects[ad_set.parent] if level == "campaign" else ad_set, figures)]

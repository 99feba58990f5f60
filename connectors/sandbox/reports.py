"""What a platform reports about its ads, as known now: figures by account-local hour or day.

Meta knows the newest hours only in part and completes them within three hours; TikTok takes some spend back
with its correction at 12:00 UTC of the next day. Purchases appear, with the hour of their click, when the
platform has heard of them: the default figures of a day move for up to eight days, those for clicks of 28 days
as long as that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from connectors.sandbox import claims
from connectors.sandbox.market import HOUR, Ints
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import World

META_SETTLES_HOURS = 3
KEPT_ROWS = 500_000  # of the last reports, so that the pages of one listing are reckoned once


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums of one object over one piece of time. Money in micros; purchases as the platform claims them: by
    default those within seven days of a click, and those it has merely shown an ad for.

    `purchases_by_window` tells (count, value micros) of each attribution window, `1d_click`, `7d_click`,
    `28d_click` and `1d_view`; it is empty by the hour.
    """

    spend: int = 0
    impressions: int = 0
    clicks: int = 0
    purchases: int = 0
    value: int = 0
    purchases_by_own_time: int = 0
    purchases_by_window: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __add__(self, other: Figures) -> Figures:
        windows = dict(self.purchases_by_window)
        for name, (count, value) in other.purchases_by_window.items():
            before = windows.get(name, (0, 0))
            windows[name] = before[0] + count, before[1] + value
        return Figures(
            self.spend + other.spend,
            self.impressions + other.impressions,
            self.clicks + other.clicks,
            self.purchases + other.purchases,
            self.value + other.value,
            self.purchases_by_own_time + other.purchases_by_own_time,
            windows,
        )


@dataclass(frozen=True, slots=True)
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

    Hours without delivery count nothing, and a group of only such hours is absent. Under a running clock, claims
    are those of the last full hour.
    """
    chosen = sorted(ad_sets, key=lambda thing: thing.column)
    known_at = int(world.now.timestamp()) if not world.config.clock else world.market.hour * HOUR
    key = (account.id, tuple(o.column for o in chosen), days, level, by_day, by_hour, known_at, len(world.objects))
    found = world.kept_reports.get(key)
    if found is None:
        found = _reckon(world, account, chosen, days, level, by_day, by_hour, known_at)
        world.kept_reports[key] = found
        while len(world.kept_reports) > 1 and sum(map(len, world.kept_reports.values())) > KEPT_ROWS:
            del world.kept_reports[next(iter(world.kept_reports))]
    return list(found)


def _reckon(
    world: World,
    account: Account,
    chosen: list[AdObject],
    days: tuple[date, date],
    level: str,
    by_day: bool,
    by_hour: bool,
    known_at: int,
) -> list[Row]:
    first, end = _hours(world, account, days)
    if not chosen or first >= end:
        return []
    table = _known(world, account, [o.column for o in chosen], first, end, known_at)
    table *= table[:, :, :5].any(axis=2, keepdims=True)
    targets, table = _by_target(world, account, chosen, level, first, table)
    times, table = _by_time(world, account, first, by_day, by_hour, table)
    order = sorted(range(len(targets)), key=lambda k: world.places[targets[k].id] if level != "account" else 0)
    found = []
    for when in sorted(range(len(times)), key=lambda k: (times[k][0] or date.min, times[k][1] or 0)):
        present: list[bool] = np.any(table[when, :, :5], axis=1).tolist()
        figures = table[when].tolist()
        day, hour = times[when]
        for k in order:
            if present[k]:
                windows = {} if by_hour else claims.by_window(figures[k][6:])
                target = targets[k] if level != "account" else None
                spend, impressions, clicks, count, value, own = figures[k][:6]
                found.append(Row(target, day, hour, Figures(spend, impressions, clicks, count, value, own, windows)))
    return found


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


def _known(world: World, account: Account, columns: list[int], first: int, end: int, known_at: int) -> Ints:
    """(hours, ad sets, figures) integers: the first six of `Figures`, then those of `claims.WINDOWS`."""
    market = world.market
    table = np.zeros((end - first, len(columns), 6 + 2 * len(claims.WINDOWS)), dtype=np.int64)
    hours = market.first_hour + np.arange(first, end)
    if account.platform == "meta":
        reduced = market.hour - (hours + 1) < META_SETTLES_HOURS
    else:
        reduced = market.hour >= hours // 24 * 24 + 36
    factor = 1 - market.known("shortfall", columns, first, end) * reduced[:, None]
    quantum = market.parameters.quantum_micros[account.tenant]
    spend = market.known("spend_micros", columns, first, end)
    table[:, :, 0] = np.rint(spend * factor / quantum).astype(np.int64) * quantum
    for place, name in enumerate(("impressions", "clicks"), 1):
        table[:, :, place] = np.rint(market.known(name, columns, first, end) * factor)
    claims.add(market, table, columns, first, known_at)
    return table


def _by_target(
    world: World, account: Account, chosen: list[AdObject], level: str, first: int, table: Ints
) -> tuple[Sequence[AdObject], Ints]:
    """The same figures by object of `level`; at the level of the account, by the first ad set of all."""
    if level == "ad_set":
        return chosen, table
    if level == "ad":
        parts = [_by_ad(world, account, ad_set, first, table[:, k]) for k, ad_set in enumerate(chosen)]
        ads = [world.objects[ad] for part in parts for ad in part]
        figures = [each for part in parts for each in part.values()]
        return ads, np.stack(figures, axis=1) if figures else table[:, :0]
    above = [world.objects[o.parent] if level == "campaign" else chosen[0] for o in chosen]
    places = {thing.id: place for place, thing in enumerate({thing.id: thing for thing in above}.values())}
    summed = np.zeros((len(table), len(places), table.shape[2]), dtype=np.int64)
    for k, thing in enumerate(above):
        summed[:, places[thing.id]] += table[:, k]
    return [next(o for o in above if o.id == identity) for identity in places], summed


def _by_ad(world: World, account: Account, ad_set: AdObject, first: int, table: Ints) -> dict[str, Ints]:
    """What each ad has of its ad set's (hours, figures): its share while it was on, whole quanta of money."""
    quantum = world.market.parameters.quantum_micros[account.tenant]
    found: dict[str, Ints] = {}
    start = 0
    for until, weights in world.delivery.spans(ad_set, world.market.first_hour + first, len(table)):
        part = table[start:until]
        rest = part.copy()
        for ad, weight in weights.items():
            share = part * weight // sum(weights.values())
            share[:, 0] -= share[:, 0] % quantum
            is_last = ad == list(weights)[-1]
            mine = found.setdefault(ad, np.zeros_like(table))
            mine[start:until] = rest if is_last else share
            rest = rest - share
        start = until
    return found


def _by_time(
    world: World, account: Account, first: int, by_day: bool, by_hour: bool, table: Ints
) -> tuple[list[tuple[date | None, int | None]], Ints]:
    """The same figures by account-local day and hour, as asked; two hours of one name in autumn are one."""
    zone = world.zone(account)
    start = world.market.first_hour + first
    places: dict[tuple[date | None, int | None], int] = {}
    which = []
    for hour in range(start, start + len(table)):
        local = datetime.fromtimestamp(hour * HOUR, UTC).astimezone(zone)
        label = local.date() if by_day else None, local.hour if by_hour else None
        which.append(places.setdefault(label, len(places)))
    summed = np.zeros((len(places), *table.shape[1:]), dtype=np.int64)
    for place, figures in zip(which, table, strict=True):
        summed[place] += figures
    return list(places), summed

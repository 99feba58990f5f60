"""Which purchases a platform claims, for which click or view, and in which attribution windows they count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from connectors.sandbox.market import HOUR, Ints, Market, Purchases

DAY = 24 * HOUR
CLICK_DAYS = {"1d_click": 1, "7d_click": 7, "28d_click": 28}
VIEW = "1d_view"  # what the platform claims without a click of its own
WINDOWS = (*CLICK_DAYS, VIEW)
_BUYS_WITHIN = 24 * 7  # hours after the click, and told of within two days more
_LATE_WITHIN = 24 * 29
_PURCHASES, _BY_OWN_TIME, _FIRST_WINDOW = 3, 5, 6


def add(market: Market, table: Ints, columns: list[int], first: int, known_at: int) -> None:
    """Add what is claimed by `known_at` (epoch seconds) to a table of (hours from `first`, columns, figures).

    The figures are purchases (3), their value (4), purchases by their own time (5), then count and value of
    each window.
    """
    place = np.full(len(market.parameters.tenant) + 1, -1)  # the last entry serves "claimed by none"
    place[columns] = np.arange(len(columns))
    end = first + len(table)
    bought = _joined(market.purchases[max(first - _BUYS_WITHIN, 0) : end])
    if bought is not None:
        _add_usual(market, table, place, bought, first, known_at)
    bought = _joined(market.purchases[first : end + _LATE_WITHIN])
    if bought is not None:
        _add_late(market, table, place, bought, first, known_at)


def by_window(figures: list[int]) -> dict[str, tuple[int, int]]:
    """Count and value of each window, from their places in the table."""
    return {name: (figures[2 * k], figures[2 * k + 1]) for k, name in enumerate(WINDOWS)}


def _add_usual(market: Market, table: Ints, place: Ints, bought: Purchases, first: int, known_at: int) -> None:
    by = place[bought.claimed_by]
    known = (by >= 0) & (bought.claimed_at <= known_at)
    clicked = bought.hour - market.first_hour - first
    paid = bought.created // HOUR - market.first_hour - first
    inside = known & (clicked >= 0)
    _count(table[:, :, _PURCHASES:], inside, clicked, by, bought.value_micros)
    soon = known & (paid >= 0) & (paid < len(table))
    np.add.at(table[:, :, _BY_OWN_TIME], (paid[soon], by[soon]), 1)
    delay = bought.created - (bought.hour + 1) * HOUR
    own = bought.claimed_by == bought.source
    for k, name in enumerate(WINDOWS):
        within = ~own if name == VIEW else own & (delay <= CLICK_DAYS[name] * DAY)
        _count(table[:, :, _FIRST_WINDOW + 2 * k :], inside & within, clicked, by, bought.value_micros)


def _add_late(market: Market, table: Ints, place: Ints, bought: Purchases, first: int, known_at: int) -> None:
    """Clicks of more than a week before the purchase; the platform hears of it an hour after it."""
    by = place[bought.late_by]
    clicked = bought.late_hour - market.first_hour - first
    known = (by >= 0) & (bought.created + HOUR <= known_at) & (clicked >= 0) & (clicked < len(table))
    figure = _FIRST_WINDOW + 2 * WINDOWS.index("28d_click")
    _count(table[:, :, figure:], known, clicked, by, bought.value_micros)


def _count(table: Ints, which: NDArray[np.bool_], clicked: Ints, by: Ints, value: Ints) -> None:
    """Add to the first two figures of the table: one each, and its value."""
    np.add.at(table[:, :, 0], (clicked[which], by[which]), 1)
    np.add.at(table[:, :, 1], (clicked[which], by[which]), value[which])


def _joined(hours: list[Purchases]) -> Purchases | None:
    bought = [hour for hour in hours if len(hour.source)]
    return Purchases(*(np.concatenate(parts) for parts in zip(*bought, strict=True))) if bought else None

"""Shopify's search syntax, as far as the sandbox's lists need it: `field:<comparator>value` joined by AND."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from graphql import GraphQLError

from connectors.sandbox.orders import Order

Test = Callable[[Any], bool]
Field = Callable[[str, str, int], Test | None]  # (comparator, value, now); None: not understood
_TERM = re.compile(r"""\s*(?:AND\s+)?([a-z_]+):(<=|>=|<|>)?(?:'([^']*)'|"([^"]*)"|([^\s'"]+))(?=\s|$)""")
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
PAYMENTS = frozenset(
    ["paid", "pending", "authorized", "partially_paid", "partially_refunded", "refunded", "voided", "expired"]
)
STATUSES = ("open", "closed", "cancelled", "not_closed")


def compile_query(text: str, now: int, fields: Mapping[str, Field]) -> Test:
    """A test for things as they stand at `now`. Raises GraphQLError for what is not understood."""
    place, tests = 0, []
    while text[place:].strip():
        match = _TERM.match(text, place)
        if match is None:
            raise GraphQLError(f"the search query cannot be read from: {text[place:][:60]!r}")
        value = next(group for group in match.groups()[2:] if group is not None)
        name, comparator = match[1], match[2] or ""
        test = fields[name](comparator, value, now) if name in fields else None
        if test is None:
            raise GraphQLError(f"the sandbox does not search by {name}:{comparator}{value[:40]}")
        tests.append(test)
        place = match.end()
    return lambda thing: all(test(thing) for test in tests)


def time(read: Callable[[Any, int], int]) -> Field:
    """A time in epoch seconds, of a thing as it stands at a moment."""
    return lambda comparator, value, now: _time_test(read, comparator, value, now)


def number(read: Callable[[Any], int]) -> Field:
    def field(comparator: str, value: str, now: int) -> Test | None:
        if not re.fullmatch("[0-9]{1,18}", value):
            return None
        return lambda thing: _COMPARE[comparator](read(thing), int(value))

    return field


def word(known: Collection[str], test: Callable[[Any, str, int], bool]) -> Field:
    """One of the known words (any, when there are none), without a comparator."""

    def field(comparator: str, value: str, now: int) -> Test | None:
        if comparator or (known and value not in known):
            return None
        return lambda thing: test(thing, value, now)

    return field


def _has_status(order: Order, value: str, now: int) -> bool:
    cancelled = order.is_cancelled(now)
    closed = order.fulfilled_at <= now and not cancelled
    return {"open": not closed and not cancelled, "closed": closed, "cancelled": cancelled}.get(value, not closed)


ORDER_FIELDS: dict[str, Field] = {
    "created_at": time(lambda order, now: order.created),
    "processed_at": time(lambda order, now: order.created),
    "updated_at": time(lambda order, now: order.updated(now)),
    "id": number(lambda order: order.number),
    "test": word(("true", "false"), lambda order, value, now: order.is_test == (value == "true")),
    "status": word(STATUSES, _has_status),
    "financial_status": word(PAYMENTS, lambda order, value, now: order.financial_status(now).lower() == value),
    "source_name": word((), lambda order, value, now: value == "web"),
    "name": word((), lambda order, value, now: str(order.number % 10**9) == value.removeprefix("#")),
}


def _time_test(read: Callable[[Any, int], int], comparator: str, value: str, now: int) -> Test:
    wanted = now if value == "now" else _seconds(value)
    if comparator:
        compare = _COMPARE[comparator]
        return lambda thing: compare(read(thing, now), wanted)
    day_end = wanted + int(timedelta(days=1).total_seconds()) if len(value) == len("2026-01-01") else wanted + 1
    return lambda thing: wanted <= read(thing, now) < day_end


def _seconds(value: str) -> int:
    """Epoch seconds of an ISO time or day; UTC where the text names no zone."""
    try:
        if len(value) == len("2026-01-01"):
            return int(datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC).timestamp())
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise GraphQLError(f"not a time: {value[:40]!r}") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())

"""Shopify's search syntax, as far as `orders(query:)` needs it: `field:<comparator>value` joined by AND."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from graphql import GraphQLError

from connectors.sandbox.orders import Order

Test = Callable[[Order], bool]
_TERM = re.compile(r"""\s*(?:AND\s+)?([a-z_]+):(<=|>=|<|>)?(?:'([^']*)'|"([^"]*)"|([^\s'"]+))(?=\s|$)""")
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TIMES: dict[str, Callable[[Order, int], int]] = {
    "created_at": lambda order, now: order.created,
    "processed_at": lambda order, now: order.created,
    "updated_at": lambda order, now: order.updated(now),
}
PAYMENTS = frozenset(
    ["paid", "pending", "authorized", "partially_paid", "partially_refunded", "refunded", "voided", "expired"]
)
STATUSES = ("open", "closed", "cancelled", "not_closed")


def compile_query(text: str, now: int) -> Test:
    """A test for orders as they stand at `now`. Raises GraphQLError for what is not understood."""
    place, tests = 0, []
    while text[place:].strip():
        match = _TERM.match(text, place)
        if match is None:
            raise GraphQLError(f"the search query cannot be read from: {text[place:][:60]!r}")
        value = next(group for group in match.groups()[2:] if group is not None)
        tests.append(_test(match[1], match[2] or "", value, now))
        place = match.end()
    return lambda order: all(test(order) for test in tests)


def _test(field: str, comparator: str, value: str, now: int) -> Test:
    if field in TIMES:
        return _time_test(TIMES[field], comparator, value, now)
    if field == "id" and re.fullmatch("[0-9]{1,18}", value):
        number = int(value)
        compare = _COMPARE[comparator]
        return lambda order: compare(order.number, number)
    if comparator:
        raise GraphQLError(f"{field} takes no comparator")
    if field == "test" and value in ("true", "false"):
        return lambda order: order.is_test == (value == "true")
    if field == "status" and value in STATUSES:
        return lambda order: _has_status(order, value, now)
    if field == "financial_status" and value in PAYMENTS:
        return lambda order: order.financial_status(now).lower() == value
    if field == "source_name":
        return lambda order: value == "web"
    if field == "name":
        return lambda order: str(order.number % 10**9) == value.removeprefix("#")
    raise GraphQLError(f"the sandbox does not search by {field}:{value[:40]}")


def _has_status(order: Order, value: str, now: int) -> bool:
    cancelled = order.is_cancelled(now)
    closed = order.fulfilled_at <= now and not cancelled
    return {"open": not closed and not cancelled, "closed": closed, "cancelled": cancelled}.get(value, not closed)


def _time_test(read: Callable[[Order, int], int], comparator: str, value: str, now: int) -> Test:
    wanted = now if value == "now" else _seconds(value)
    if comparator:
        compare = _COMPARE[comparator]
        return lambda order: compare(read(order, now), wanted)
    day_end = wanted + int(timedelta(days=1).total_seconds()) if len(value) == len("2026-01-01") else wanted + 1
    return lambda order: wanted <= read(order, now) < day_end


def _seconds(value: str) -> int:
    """Epoch seconds of an ISO time or day; UTC where the text names no zone."""
    try:
        if len(value) == len("2026-01-01"):
            return int(datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC).timestamp())
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise GraphQLError(f"not a time: {value[:40]!r}") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())

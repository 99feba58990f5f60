"""Orders made whole: with all lines and refunds, and with the agreements that changed an edited one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from connectors.errors import MalformedReplyError
from connectors.fields import Row, flag, identifier, malformed, row, rows
from connectors.pagination import by_cursor
from connectors.shopify import parse
from connectors.shopify.errors import TooCostlyError
from connectors.shopify.graph import ROWS_WITHIN, Graph, still_there, timestamp, whole
from connectors.store_contracts import OrderRecord

# An order with five lines and five refunds costs about 65 points of the 1000 that one query may cost.
ORDERS_PER_PAGE = 12
WITHIN = {"lines": 5, "refunds": 5}
MOST_REFUNDS = 250
ORDER_ID = re.compile(r"gid://shopify/Order/[0-9]{1,20}")

Agreement = tuple[Row, list[Row]]


def updated(graph: Graph, start: datetime, end: datetime) -> Iterator[OrderRecord]:
    """Orders updated in the half-open window.

    The search works in whole seconds, so it asks for slightly more and the rest is left out here.
    """
    search = f"updated_at:<='{timestamp(end + timedelta(seconds=1))}'"
    for source in graph.by_update("orders", since=start, search=search, size=ORDERS_PER_PAGE, **WITHIN):
        record = _paged(graph, source)
        if start <= record.updated_at < end:
            yield record


def by_id(graph: Graph, external_ids: Iterable[str]) -> Iterator[OrderRecord]:
    """These orders as they are now; what is no order's id, or none any more, is left out."""
    wanted = [each for each in dict.fromkeys(external_ids) if ORDER_ID.fullmatch(each)]
    size = ORDERS_PER_PAGE
    while wanted:
        chunk = wanted[:size]
        try:
            found = graph.query("orders_by_id", ids=chunk, **WITHIN).get("nodes")
        except TooCostlyError:
            if size == 1:
                raise
            size //= 2
            continue
        if not isinstance(found, list) or len(found) != len(chunk):
            raise malformed("nodes", found)
        yield from (_paged(graph, row(source, "nodes")) for source in found if source is not None)
        wanted = wanted[size:]


def complete(graph: Graph, source: Row, lines: list[Row], refunds: list[Row]) -> OrderRecord:
    """The record of an order of which all lines and refunds are there.

    What was refunded of an edited order is told by its agreements: an item that an edit has removed is in
    the edit already, and again in the total of the refund that pays for it.
    """
    if not flag(source, "edited"):
        return parse.order(source, lines, parse.refunds(refunds))
    return parse.order(source, lines, *parse.changes(_agreements(graph, identifier(source, "id"))))


def _paged(graph: Graph, source: Row) -> OrderRecord:
    lines = graph.rest(source, "order", "lineItems", "order_lines")
    refunds = [] if flag(source, "edited") else _refunds(graph, source)
    return complete(graph, source, lines, refunds)


def _refunds(graph: Graph, source: Row) -> list[Row]:
    """All refunds: a plain list without a cursor, so a full one may be cut and is asked for again."""
    first = rows(source.get("refunds"), "refunds")
    if len(first) < WITHIN["refunds"]:
        return first
    found = graph.query("order_refunds", id=identifier(source, "id"), first=MOST_REFUNDS)
    every = rows(still_there(found, "order").get("refunds"), "refunds")
    if len(every) >= MOST_REFUNDS:
        raise MalformedReplyError(f"an order has {MOST_REFUNDS} refunds or more")
    return every


def _agreements(graph: Graph, external_id: str) -> Iterator[Agreement]:
    """An order's agreements, each with all of its sales; they have no query of their own, so one by one."""

    def ask(after: str | None, sales: str | None = None) -> tuple[list[Row], str | None]:
        found = graph.query("order_agreements", id=external_id, first=ROWS_WITHIN, after=after, sales=sales)
        return parse.page(still_there(found, "order"), "agreements")

    def with_sales(agreement: Row, after: str | None) -> Agreement:
        def again(sales: str) -> Row:
            found, _ = ask(after, sales)
            if [one.get("id") for one in found] != [agreement.get("id")]:
                raise malformed("agreements", found)
            return found[0]

        return agreement, whole(agreement, "sales", again)

    def fetch(after: str | None) -> tuple[list[Agreement], str | None]:
        found, following = ask(after)
        return [with_sales(one, after) for one in found], following

    return by_cursor(fetch)

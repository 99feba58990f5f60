"""Past orders as one file: a bulk operation collects them on Shopify's side and leaves an address to fetch them from.

A file holds one object per line, an order's lines as lines of their own that name it by `__parentId`, in any
order. It is read twice: once to see that it is whole and where everything stands, then order by order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO

import httpx

from connectors.contracts import Platform
from connectors.errors import ConfigurationError, MalformedReplyError, NotFoundError, TransientError
from connectors.fields import Row, count, identifier, known, row, rows, text
from connectors.replies import Reply
from connectors.shopify.download import downloaded
from connectors.shopify.graph import QUERIES, Graph, VanishedError, timestamp
from connectors.shopify.orders import complete
from connectors.store_contracts import BulkState, BulkStatus, OrderRecord
from connectors.writing import reading_back

OPERATIONS_PER_PAGE = 100
LONGEST_ADDRESS = 8_000
LONGEST_LINE = 1024 * 1024
NO_HEADERS = httpx.Headers()

STATES = {
    "CREATED": BulkState.RUNNING,
    "RUNNING": BulkState.RUNNING,
    "CANCELING": BulkState.RUNNING,
    "COMPLETED": BulkState.DONE,
    "CANCELED": BulkState.FAILED,
    "EXPIRED": BulkState.FAILED,
    "FAILED": BulkState.FAILED,
}
OF_USE = frozenset({"CREATED", "RUNNING", "COMPLETED"})


def start(graph: Graph, created_from: datetime, created_to: datetime) -> str:
    """The id of the operation for this span: of one that runs or has ended well already, else of a new one.

    Bulk queries take no variables, and Shopify keeps the text: that is how one is found again. Searches work
    in whole seconds, so a span is widened to them.
    """
    last = created_to + timedelta(seconds=1, microseconds=-1)
    span = f"created_at:>='{timestamp(created_from)}' created_at:<'{timestamp(last)}'"
    query = QUERIES["bulk_orders"].replace("SPAN", span)
    for held in graph.listed("bulk_operations", "bulkOperations", size=OPERATIONS_PER_PAGE):
        if held.get("status") in OF_USE and str(held.get("query")).split() == query.split():
            return identifier(held, "id")
    payload = graph.mutate("bulk_operation_run", query=query)
    with reading_back(Platform.SHOPIFY):
        return identifier(row(payload.get("bulkOperation"), "bulkOperation"), "id")


def status(graph: Graph, operation_id: str) -> BulkStatus:
    source = _operation(graph, operation_id)
    state = _state(source)
    problem = ""
    if state is BulkState.FAILED:
        problem = ": ".join(filter(None, (text(source, "status"), text(source, "errorCode"))))
    return BulkStatus(
        state,
        objects=known(count(source, "objectCount"), "objectCount"),
        url=text(source, "url", LONGEST_ADDRESS) if state is BulkState.DONE else "",
        problem=problem,
    )


def orders_of(graph: Graph, operation_id: str, skip: int = 0) -> Iterator[OrderRecord]:
    """The orders of an operation that has ended well. What a failed one has left behind is never read.

    An order that was edited, and deleted since, is left out: who goes on by `skip` may read some again, none too few.
    """
    source = _operation(graph, operation_id)
    state = _state(source)
    if state is not BulkState.DONE:
        kind = TransientError if state is BulkState.RUNNING else ConfigurationError
        raise kind(f"shopify: the bulk operation is {text(source, 'status')}", platform=Platform.SHOPIFY)
    url = text(source, "url", LONGEST_ADDRESS)
    if not url and not count(source, "objectCount"):
        return
    with downloaded(url, base_url=graph.base_url) as file:
        places = _places(file)
        _check_whole(places, source, file)
        for place, order in places.orders[skip:]:
            found = _at(file, place)
            lines = [_at(file, one) for one in places.lines.get(order, ())]
            with suppress(VanishedError):
                yield complete(graph, found, lines, rows(found.get("refunds"), "refunds"))


@dataclass(slots=True)
class _Places:
    """Where in the file each order stands (with its id), and each order's lines."""

    orders: list[tuple[int, str]] = field(default_factory=list)
    lines: dict[str, list[int]] = field(default_factory=dict)
    objects: int = 0


def _places(file: IO[bytes]) -> _Places:
    places = _Places()
    file.seek(0)
    place = 0
    while (found := _next(file)) is not None:
        if found.get("__parentId") is None:
            places.orders.append((place, identifier(found, "id")))
        else:
            places.lines.setdefault(identifier(found, "__parentId"), []).append(place)
        places.objects += 1
        place = file.tell()
    return places


def _check_whole(places: _Places, source: Row, file: IO[bytes]) -> None:
    """Refuse a file that was cut short or holds what belongs nowhere.

    Whether Shopify counts lists within an object among its objects is not documented, so either the size in
    bytes or the number of objects must be right, and the number of orders always.
    """
    orders = {order for _, order in places.orders}
    if len(orders) != len(places.orders) or not places.lines.keys() <= orders:
        raise MalformedReplyError("shopify: the bulk file holds an order twice, or lines of none")
    size = file.seek(0, os.SEEK_END)
    is_all = places.objects == count(source, "objectCount") or size == count(source, "fileSize")
    if len(orders) != count(source, "rootObjectCount") or not is_all:
        message = f"shopify: the bulk file is not whole: {places.objects} objects, {len(orders)} orders, {size} bytes"
        raise TransientError(message, platform=Platform.SHOPIFY)


def _at(file: IO[bytes], place: int) -> Row:
    file.seek(place)
    return known(_next(file), "line")


def _next(file: IO[bytes]) -> Row | None:
    """The object on the next line, `None` at the end."""
    line = file.readline(LONGEST_LINE + 1)
    if not line:
        return None
    try:
        if len(line) > LONGEST_LINE:
            raise ValueError("too long")
        return Reply(200, NO_HEADERS, line).document()
    except ValueError:
        raise MalformedReplyError("shopify: a line of the bulk file is no JSON object") from None


def _operation(graph: Graph, operation_id: str) -> Row:
    found = graph.query("bulk_operation", id=operation_id).get("bulkOperation")
    if found is None:
        raise NotFoundError("shopify: there is no such bulk operation", platform=Platform.SHOPIFY)
    return row(found, "bulkOperation")


def _state(source: Row) -> BulkState:
    told = text(source, "status")
    return known(STATES.get(told), "status")

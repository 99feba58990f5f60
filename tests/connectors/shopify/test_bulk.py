"""Bulk operations: started once per span, and their file read whole or not at all."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    MalformedReplyError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusedError,
    TransientError,
)
from connectors.shopify.graph import QUERIES
from connectors.store_contracts import BulkState, BulkStatus, OrderRecord
from tests.connectors.shopify.answers import (
    TOKEN,
    agreement,
    agreements,
    asked,
    connection,
    data,
    failing,
    line,
    node,
    refund,
    store,
)
from tests.connectors.wire import Script, Wire, hangs_up, says, sends, wire

ID = "gid://shopify/BulkOperation/1"
FROM, TO = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, 0, 0, 0, 1, tzinfo=UTC)
SPAN = "created_at:>='2026-01-01T00:00:00Z' created_at:<'2026-02-01T00:00:01Z'"
QUERY = QUERIES["bulk_orders"].replace("SPAN", SPAN)

pytestmark = pytest.mark.usefixtures("quick_retries")


# --- Starting -----------------------------------------------------------------------------------------


def held(*found: tuple[str, str], cursor: str | None = None) -> Script:
    nodes = [{"id": f"gid://b/{n}", "status": status, "query": query} for n, (status, query) in enumerate(found)]
    return data(bulkOperations=connection(nodes, cursor))


def run(errors: Any = (), operation: Any = None) -> Script:
    return data(bulkOperationRunQuery={"bulkOperation": operation, "userErrors": list(errors)})


def start(served: Wire) -> str:
    return store(served).start_bulk_orders(FROM, TO)


def test_a_span_is_started_with_the_query_of_the_file() -> None:
    with wire(held(), run(operation={"id": ID})) as served:
        assert start(served) == ID
        assert asked(served)[1] == ("bulk_operation_run", {"query": QUERY})
    assert QUERY.replace(SPAN, "SPAN") == QUERIES["bulk_orders"]


@pytest.mark.parametrize("status", ["CREATED", "RUNNING", "COMPLETED"])
def test_an_operation_for_the_same_span_is_found_again_on_any_page(status: str) -> None:
    other = QUERY.replace("2026-01-01", "2025-01-01")
    with wire(held((status, other), cursor="B"), held((status, QUERY.replace("\n", "\r\n  ")))) as served:
        assert start(served) == "gid://b/0"
        assert [name for name, _ in asked(served)] == ["bulk_operations"] * 2


@pytest.mark.parametrize("status", ["FAILED", "CANCELED", "CANCELING", "EXPIRED"])
def test_one_that_ended_badly_is_started_again(status: str) -> None:
    with wire(held((status, QUERY)), run(operation={"id": ID})) as served:
        assert start(served) == ID


@pytest.mark.parametrize("code", ["LIMIT_REACHED", "OPERATION_IN_PROGRESS"])
def test_as_many_as_shopify_runs_at_once_means_to_come_back_later(code: str) -> None:
    error = {"field": None, "message": "A bulk operation is in progress", "code": code}
    with wire(held(), run([error])) as served, pytest.raises(RateLimitedError):
        start(served)


def test_a_query_that_is_refused_is_told() -> None:
    with wire(held(), run([{"message": "Invalid", "code": "INVALID"}])) as served, pytest.raises(RefusedError):
        start(served)


@pytest.mark.parametrize(
    "answer", [hangs_up, says(b"<html>"), says({}, 500), data(), run(), failing("INTERNAL_SERVER_ERROR")]
)
def test_an_unclear_start_is_sent_once_and_found_again_next_time(answer: Script) -> None:
    with wire(held(), answer, held(("RUNNING", QUERY))) as served:
        with pytest.raises(OutcomeUnknownError):
            start(served)
        assert len(served.requests) == 2
        assert start(served) == "gid://b/0"


# --- Polling ------------------------------------------------------------------------------------------


def operation(status: str = "COMPLETED", **changes: Any) -> Script:
    sound = {"id": ID, "status": status, "errorCode": None, "objectCount": "0", "rootObjectCount": "0"}
    return data(bulkOperation=sound | {"fileSize": None, "url": None, "partialDataUrl": None} | changes)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (operation("CREATED"), BulkStatus(BulkState.RUNNING)),
        (operation("RUNNING", objectCount="12"), BulkStatus(BulkState.RUNNING, 12)),
        (operation(objectCount="57", url="https://f/x"), BulkStatus(BulkState.DONE, 57, "https://f/x")),
        (operation(), BulkStatus(BulkState.DONE)),
        (
            operation("FAILED", errorCode="TIMEOUT", partialDataUrl="https://f/part"),
            BulkStatus(BulkState.FAILED, problem="FAILED: TIMEOUT"),
        ),
        (operation("EXPIRED", url="https://f/x"), BulkStatus(BulkState.FAILED, problem="EXPIRED")),
    ],
)
def test_how_an_operation_stands(answer: Script, told: BulkStatus) -> None:
    with wire(answer) as served:
        assert store(served).bulk_status(ID) == told
        assert asked(served) == [("bulk_operation", {"id": ID})]


def test_an_operation_that_is_not_there_is_told() -> None:
    with wire(data(bulkOperation=None)) as served, pytest.raises(NotFoundError):
        store(served).bulk_status(ID)


@pytest.mark.parametrize("answer", [operation("NEW_WORD"), operation(objectCount=None), data(bulkOperation=[])])
def test_a_state_of_an_unknown_shape_is_refused(answer: Script) -> None:
    with wire(answer) as served, pytest.raises(MalformedReplyError):
        store(served).bulk_status(ID)


# --- Reading ------------------------------------------------------------------------------------------


def gid(number: int) -> str:
    return f"gid://shopify/Order/{number}"


def of(number: int, child: int) -> dict[str, Any]:
    return line(child) | {"__parentId": gid(number)}


def root(number: int, **changes: Any) -> dict[str, Any]:
    return node(id=gid(number), refunds=[], **changes)


def jsonl(*objects: dict[str, Any]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects).encode()


def serving(file: bytes, orders: int, objects: int, size: int | None = None) -> tuple[Any, Script]:
    """The operation, once one knows where the file is served, and the file."""
    counts: dict[str, Any] = {
        "rootObjectCount": str(orders),
        "objectCount": str(objects),
        "fileSize": size and str(size),
    }
    return (lambda url: operation(url=f"{url}/file.jsonl?sig=1", **counts)), says(file)


def read(file: bytes, orders: int, objects: int, *more: Script, skip: int = 0, size: int | None = None) -> list[Any]:
    told, answer = serving(file, orders, objects, size)
    scripts: list[Script] = [hangs_up, answer, *more]
    with wire(lambda connection: scripts_of[0](connection), *scripts[1:]) as served:
        scripts_of = [told(served.url)]
        found = list(store(served).bulk_orders(ID, skip))
        assert TOKEN not in served.requests[1]
        assert served.requests[1].startswith("GET /file.jsonl?sig=1 ")
    return found


def test_lines_are_joined_by_their_order_and_never_by_their_place() -> None:
    file = jsonl(of(2, 21), root(1), of(1, 11), root(2), root(3), of(1, 12), of(2, 22))
    found: list[OrderRecord] = read(file, 3, 7)
    assert [(one.external_id, [each.external_id for each in one.lines]) for one in found] == [
        (gid(1), ["gid://l/11", "gid://l/12"]),
        (gid(2), ["gid://l/21", "gid://l/22"]),
        (gid(3), []),
    ]


@given(counts=st.lists(st.integers(0, 4), min_size=1, max_size=6), seed=st.integers(0, 1000), skip=st.integers(0, 7))
@settings(max_examples=15, deadline=None)
def test_whatever_the_order_of_lines_every_order_comes_once_and_whole(counts: list[int], seed: int, skip: int) -> None:
    objects = [root(number) for number in range(len(counts))]
    objects += [of(number, number * 10 + child) for number, most in enumerate(counts) for child in range(most)]
    random.Random(seed).shuffle(objects)
    found: list[OrderRecord] = read(jsonl(*objects), len(counts), len(objects), skip=skip)
    in_file = [one["id"] for one in objects if "__parentId" not in one]
    assert [one.external_id for one in found] == in_file[skip:]
    assert all(len(one.lines) == counts[int(one.external_id.rpartition("/")[2])] for one in found)


def test_refunds_come_with_their_order_however_many() -> None:
    refunds = [refund(number) for number in range(7)]
    (found,) = read(jsonl(root(1) | {"refunds": refunds}), 1, 1)
    assert len(found.refunds) == 7


def test_an_edited_order_is_completed_by_its_agreements() -> None:
    edited = root(1, edited=True) | {"refunds": [refund(1, "20.00")]}
    told = agreements([agreement(1, "ORDER_EDIT", "-20.00")])
    (found,) = read(jsonl(edited), 1, 1, told)
    assert ([one.amount_micros for one in found.edits], found.refunds) == ([-20_000_000], ())


def test_an_edited_order_that_was_deleted_since_holds_up_no_other() -> None:
    file = jsonl(root(1), root(2, edited=True), root(3))
    assert [one.external_id for one in read(file, 3, 3, data(order=None))] == [gid(1), gid(3)]


def test_a_shop_that_is_gone_is_no_deleted_order() -> None:
    with pytest.raises(NotFoundError):
        read(jsonl(root(1, edited=True)), 1, 1, says({"errors": "Not Found"}, 404))


def test_an_operation_without_orders_has_no_file() -> None:
    with wire(operation()) as served:
        assert list(store(served).bulk_orders(ID)) == []


def test_an_operation_with_orders_but_no_file_is_refused() -> None:
    with wire(operation(objectCount="3")) as served, pytest.raises(MalformedReplyError):
        list(store(served).bulk_orders(ID))


@pytest.mark.parametrize(
    ("status", "kind"), [("RUNNING", TransientError), ("FAILED", ConfigurationError), ("EXPIRED", ConfigurationError)]
)
def test_what_has_not_ended_well_is_not_read(status: str, kind: type[ConnectorError]) -> None:
    with wire(operation(status, url="https://f/x", partialDataUrl="https://f/x")) as served, pytest.raises(kind):
        list(store(served).bulk_orders(ID))


WHOLE = jsonl(root(1), of(1, 11), root(2), of(2, 21))


@pytest.mark.parametrize("cut", [jsonl(root(1), of(1, 11), root(2)), jsonl(root(1), of(1, 11)), jsonl(root(1)), b""])
def test_a_file_that_was_cut_between_lines_is_not_read_as_whole(cut: bytes) -> None:
    with pytest.raises(TransientError):
        read(cut, 2, 4, size=len(WHOLE))


def test_a_file_that_is_cut_on_the_way_is_not_read_as_whole() -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(WHOLE)}\r\n\r\n".encode()
    told, _ = serving(WHOLE, 2, 4)
    scripts_of: list[Script] = []
    with wire(lambda connection: scripts_of[0](connection), sends(head + WHOLE[:-1])) as served:
        scripts_of.append(told(served.url))
        with pytest.raises(TransientError):
            list(store(served).bulk_orders(ID))


def test_objects_may_be_counted_otherwise_when_the_size_is_right() -> None:
    assert len(read(WHOLE, 2, 9, size=len(WHOLE))) == 2


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>\n",
        b"[]\n",
        b"\n",
        b"{\n",
        b"\xff\n",
        b"{}\n",
        b'{"id": 1.5}\n',
        b'{"id": "a", "n": NaN}\n',
        b"[" * 9000,
    ],
)
def test_garbage_in_a_file_is_told_before_any_order_is_read(garbage: bytes) -> None:
    with pytest.raises(MalformedReplyError):
        read(WHOLE + garbage, 2, 4, size=len(WHOLE + garbage))


def test_a_line_longer_than_any_is_refused() -> None:
    long = jsonl(root(1) | {"x": "y" * 2**20})
    with pytest.raises(MalformedReplyError):
        read(long, 1, 1)


@pytest.mark.parametrize("file", [jsonl(root(1), of(2, 1)), jsonl(root(1), root(1))])
def test_lines_of_no_order_and_an_order_that_comes_twice_are_refused(file: bytes) -> None:
    with pytest.raises(MalformedReplyError):
        read(file, 1, 2)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/x", "http://169.254.169.254/", "file:///etc/passwd", "https://files.example/x", "//[", "x"],
)
def test_away_from_production_only_the_same_origin_is_asked(url: str) -> None:
    with wire(operation(url=url, objectCount="1")) as served, pytest.raises(MalformedReplyError):
        list(store(served).bulk_orders(ID))


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFoundError), (403, NotFoundError), (302, TransientError), (503, TransientError)]
)
def test_a_file_that_is_refused_is_told_without_its_address(status: int, kind: type[ConnectorError]) -> None:
    told, _ = serving(b"", 1, 1)
    scripts_of: list[Script] = []
    refusal = says(b"", status, "Location: http://evil.example/\r\n")
    with wire(lambda connection: scripts_of[0](connection), refusal) as served:
        scripts_of.append(told(served.url))
        with pytest.raises(kind) as caught:
            list(store(served).bulk_orders(ID))
        assert len(served.requests) == 2
    assert "sig=1" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"

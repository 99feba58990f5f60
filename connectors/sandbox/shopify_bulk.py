"""Bulk operations: a query over everything, run by the platform on its own, its result one JSONL file.

They run in wall time, for as long as two looks at them or one second; five at a time, as since version 2026-01.
Objects of nested connections are lines of their own that name their parent by `__parentId`; unless grouping was asked
for, they do not follow it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from graphql import GraphQLResolveInfo

from connectors.sandbox import shopify_graphql
from connectors.sandbox.answers import Response
from connectors.sandbox.shopify_bulk_checks import problems_of
from connectors.sandbox.shopify_graphql import Query, QueryError
from connectors.sandbox.shopify_hooks import Hooks
from connectors.sandbox.shopify_nodes import Node, Resolver, Session, connection, gid, numbered, stamp
from connectors.sandbox.shopify_search import Field, compile_query, word
from connectors.sandbox.shopify_search import time as time_field
from connectors.sandbox.tenants import secret

FILES = "/admin/bulk/"
AT_ONCE = 5
RUN_SECONDS = 1.0
KEPT = int(timedelta(days=7).total_seconds())
MIXED = 50  # so many parents, then their children, where nothing is grouped
LIVE = ("CREATED", "RUNNING", "CANCELING")


@dataclass
class Operation:
    number: int
    session: Session
    query: Query
    text: str
    is_grouped: bool
    created: int
    started: float = field(default_factory=time.monotonic)
    looks: int = 0
    status: str = "CREATED"
    error: str | None = None
    completed: int | None = None
    lines: list[bytes] = field(default_factory=list)
    roots: int = 0
    key: str = ""

    @property
    def id(self) -> str:
        return gid("BulkOperation", self.number)


class Bulk:
    """`root` gives the resolvers of a session. Callers hold the world's lock; results are not kept in the state."""

    def __init__(self, session_of: Any, root: Callable[[Session], dict[str, Resolver]], hooks: Hooks) -> None:
        self._root, self._hooks = root, hooks
        self._operations: list[Operation] = []

    def fields(self, session: Session) -> dict[str, Resolver]:
        return {
            "bulkOperation": lambda info, id: self.node(session, id),
            "bulkOperations": lambda info, **asked: self._listed(info, session, asked),
            "bulkOperationRunQuery": lambda info, query, **asked: self._run(session, query, *asked.values()),
            "bulkOperationCancel": lambda info, id: self._cancel(session, id),
        }

    def node(self, session: Session, identity: str) -> Node | None:
        found = self._find(session, identity)
        return self._looked_at(session, found) if found is not None else None

    def file(self, path: str) -> Response:
        """The result behind an address; it needs no token."""
        for operation in self._operations:
            if path == _path(operation) and operation.status == "COMPLETED" and not self._is_expired(operation):
                return Response(b"".join(operation.lines), mimetype="application/jsonl")
        return Response("<Error><Code>AccessDenied</Code></Error>", 403, mimetype="application/xml")

    def _run(self, session: Session, text: str, is_grouped: bool) -> Node:
        try:
            query = shopify_graphql.read(text)
            problems = problems_of(query)
        except QueryError as error:
            problems = [f"Invalid bulk query: {each['message']}" for each in error.errors]
        if problems:
            return _refused("INVALID", *problems)
        if sum(each.status in LIVE for each in self._of(session)) >= AT_ONCE:
            return _refused("LIMIT_REACHED", "The limit of concurrent bulk query operations for this shop is reached.")
        number = len(self._operations) + 1
        made = Operation(number, replace(session, unbounded=True), query, text, is_grouped, session.now)
        made.key = secret(session.world.config.seed, "bulk", number, text)[:32]
        self._operations.append(made)
        timer = threading.Timer(RUN_SECONDS, self._in_time, (made,))
        timer.daemon = True
        timer.start()
        return {"bulkOperation": self._node(session, made), "userErrors": []}

    def _cancel(self, session: Session, identity: str) -> Node:
        found = self._find(session, identity)
        if found is None:
            wrong = "Bulk operation does not exist"
            return {"bulkOperation": None, "userErrors": [{"field": ["id"], "message": wrong}]}
        if found.status not in LIVE:
            wrong = f"A bulk operation cannot be canceled when it is {found.status.lower()}"
            return {"bulkOperation": self._node(session, found), "userErrors": [{"field": None, "message": wrong}]}
        found.status = "CANCELING"
        return {"bulkOperation": self._node(session, found), "userErrors": []}

    def _listed(self, info: GraphQLResolveInfo, session: Session, asked: dict[str, Any]) -> Node:
        wanted = compile_query(asked.get("query") or "", session.now, FIELDS)
        found = [each for each in self._of(session) if wanted(each)]
        return connection(info, numbered(found), asked, lambda each: self._looked_at(session, each))

    def _find(self, session: Session, identity: str) -> Operation | None:
        return next((each for each in self._of(session) if each.id == identity), None)

    def _of(self, session: Session) -> list[Operation]:
        """The shop's operations, as far as their time has brought them."""
        found = [each for each in self._operations if each.session.shop.domain == session.shop.domain]
        for operation in found:
            if time.monotonic() - operation.started >= RUN_SECONDS:
                self._finish(operation)
        return found

    def _looked_at(self, session: Session, operation: Operation) -> Node:
        operation.looks += 1
        if operation.status in LIVE and operation.looks > 1:
            self._finish(operation)
        elif operation.status == "CREATED":
            operation.status = "RUNNING"
        return self._node(session, operation)

    def _in_time(self, operation: Operation) -> None:
        with operation.session.world.lock:
            self._finish(operation)

    def _finish(self, operation: Operation) -> None:
        if operation.status not in LIVE:
            return
        session = operation.session
        operation.completed = session.now
        if operation.status == "CANCELING":
            operation.status = "CANCELED"
        else:
            self._collect(operation)
        self._hooks.bulk_finished(session.shop, self._node(session, operation))

    def _collect(self, operation: Operation) -> None:
        result = operation.query.run(self._root(operation.session), operation.session)
        if result.errors:
            denied = any((error.extensions or {}).get("code") == "ACCESS_DENIED" for error in result.errors)
            operation.status, operation.error = "FAILED", "ACCESS_DENIED" if denied else "INTERNAL_SERVER_ERROR"
            return
        found = list(_objects(result.data, None))
        operation.roots = sum(parent is None for parent, _ in found)
        ordered = found if operation.is_grouped else _mixed(found)
        operation.lines = [json.dumps(each, separators=(",", ":")).encode() + b"\n" for _, each in ordered]
        operation.status = "COMPLETED"

    def _is_expired(self, operation: Operation) -> bool:
        return operation.completed is not None and operation.session.now > operation.completed + KEPT

    def _node(self, session: Session, operation: Operation) -> Node:
        is_there = operation.status == "COMPLETED" and bool(operation.lines)
        is_expired = operation.status == "COMPLETED" and self._is_expired(operation)
        return {
            "__typename": "BulkOperation",
            "id": operation.id,
            "status": "EXPIRED" if is_expired else operation.status,
            "type": "QUERY",
            "query": operation.text,
            "createdAt": stamp(operation.created),
            "completedAt": stamp(operation.completed) if operation.completed is not None else None,
            "errorCode": operation.error,
            "objectCount": str(len(operation.lines)),
            "rootObjectCount": str(operation.roots),
            "fileSize": str(sum(map(len, operation.lines))) if is_there else None,
            "url": session.origin + _path(operation) if is_there and not is_expired else None,
            "partialDataUrl": None,
        }


FIELDS: dict[str, Field] = {
    "operation_type": word(("query", "mutation"), lambda each, value, now: value == "query"),
    "status": word((), lambda each, value, now: each.status.lower() == value.lower()),
    "created_at": time_field(lambda each, now: each.created),
}


def _path(operation: Operation) -> str:
    return f"{FILES}{operation.number}-{operation.key}.jsonl"


def _refused(code: str, *messages: str) -> Node:
    errors = [{"field": ["query"], "message": message, "code": code} for message in messages]
    return {"bulkOperation": None, "userErrors": errors}


def _objects(data: Any, parent: str | None) -> Iterator[tuple[str | None, Node]]:
    """The objects of all connections in an answer with their parents' ids, each before its children."""
    for value in data.values() if isinstance(data, dict) else ():
        if isinstance(value, dict) and "edges" in value:
            for edge in value["edges"]:
                node = edge["node"]
                own = {name: part for name, part in node.items() if not _is_connection(part)}
                yield parent, own | ({"__parentId": parent} if parent else {})
                yield from _objects(node, node.get("id"))
        elif isinstance(value, dict):
            yield from _objects(value, parent)


def _is_connection(value: Any) -> bool:
    return isinstance(value, dict) and "edges" in value


def _mixed(found: list[tuple[str | None, Node]]) -> list[tuple[str | None, Node]]:
    """Some parents, then their children, the last one's first."""
    mixed: list[tuple[str | None, Node]] = []
    starts = [place for place, (parent, _) in enumerate(found) if parent is None][::MIXED]
    for start, end in pairwise([*starts, len(found)]):
        block = found[start:end]
        mixed += [each for each in block if each[0] is None]
        mixed += [each for each in reversed(block) if each[0] is not None]
    return mixed

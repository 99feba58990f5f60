"""How one asks Shopify's Admin API: documents from files, and pages that shrink when they cost too much."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.contracts import Platform
from connectors.errors import ConfigurationError, MalformedReplyError, NotFoundError
from connectors.fields import Row, identifier, known, moment, row
from connectors.http import Transport
from connectors.pagination import by_cursor
from connectors.replies import Reply, plain
from connectors.shopify.errors import TooCostlyError, judge_read, judge_write
from connectors.shopify.parse import page

QUERIES = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parent / "queries").glob("*.graphql")}

ROWS_WITHIN = 50  # the further pages of what one object holds
DEEPEST = 20_000  # Shopify pages no deeper than 25,000 rows (api/usage/limits), and does not say what comes then


class VanishedError(NotFoundError):
    """An order or product was deleted while it was read."""


class Graph:
    """One token's way to one shop. `base_url` is empty in production; elsewhere the Host header names the shop."""

    def __init__(self, *, base_url: str, version: str, host: str, access_token: str, **transport: Any) -> None:
        if not re.fullmatch(r"20[0-9]{2}-(01|04|07|10)", version):
            raise ConfigurationError("shopify: the version must be like 2026-10", platform=Platform.SHOPIFY)
        self.base_url = base_url
        self._version = version
        self._path = f"/admin/api/{version}/graphql.json"
        self._transport = Transport(
            base_url or f"https://{host}",
            platform=Platform.SHOPIFY,
            headers={"X-Shopify-Access-Token": access_token},
            secrets=(access_token,),
            host_header=host if base_url else None,
            **transport,
        )

    def query(self, name: str, **variables: Any) -> Row:
        body = {"query": QUERIES[name], "variables": variables}
        data: Row = self._transport.read("POST", self._path, json=body, judge=self._judge)
        return data

    def mutate(self, name: str, **variables: Any) -> Row:
        """The payload of a mutation, sent once; what it says in `userErrors` is raised."""
        body = {"query": QUERIES[name], "variables": variables}
        payload: Row = self._transport.write(self._path, json=body, judge=judge_write)
        return payload

    def listed(self, name: str, connection: str, *, size: int, **variables: Any) -> Iterator[Row]:
        """All nodes of a listing; pages that cost more than one query may are asked for in halves."""

        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            nonlocal size
            while True:
                try:
                    return page(self.query(name, first=size, after=cursor, **variables), connection)
                except TooCostlyError:
                    if size == 1:
                        raise
                    size //= 2

        return by_cursor(fetch)

    def by_update(self, name: str, *, since: datetime | None, search: str = "", **variables: Any) -> Iterator[Row]:
        """The rows of a listing that is sorted by `updatedAt`, from `since` on, and that `search` finds.

        It is begun anew where it becomes too deep, so rows of one second may come twice.
        """
        while True:
            later = "" if since is None else f"updated_at:>='{timestamp(since)}'"
            query = " ".join(filter(None, (later, search))) or None
            newest = None
            for number, found in enumerate(self.listed(name, name, query=query, **variables), 1):
                yield found
                if number == DEEPEST:
                    newest = known(moment(found, "updatedAt"), "updatedAt")
                    break
            if newest is None:
                return
            if since is not None and timestamp(newest) <= timestamp(since):
                raise MalformedReplyError(f"more than {DEEPEST} of the {name} changed within a second")
            since = newest

    def rest(self, owner: Row, kind: str, connection: str, name: str, **variables: Any) -> list[Row]:
        """All nodes of what an order or product (`kind`) holds: those that came with it, and the rest."""

        def again(cursor: str) -> Row:
            found = self.query(name, id=identifier(owner, "id"), first=ROWS_WITHIN, after=cursor, **variables)
            return still_there(found, kind)

        return whole(owner, connection, again)

    def _judge(self, reply: Reply) -> Row:
        """Shopify answers a version that it no longer has with another one, and says so in a header only."""
        data = judge_read(reply)
        served = reply.headers.get("X-Shopify-API-Version", self._version)
        if served != self._version:
            message = f"shopify: asked for version {self._version}, served {plain(served, 20)}"
            raise ConfigurationError(message, platform=Platform.SHOPIFY)
        return data


def timestamp(moment: datetime) -> str:
    """A moment as searches take it, cut to whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def whole(source: Row, connection: str, again: Callable[[str], Row]) -> list[Row]:
    """All nodes of a connection whose first page is in `source`; `again` reads the source from a cursor on."""
    first, start = page(source, connection)
    if start is None:
        return first
    return first + list(by_cursor(lambda cursor: page(again(cursor or start), connection)))


def still_there(data: Row, kind: str) -> Row:
    if data.get(kind) is None:
        raise VanishedError(f"shopify: the {kind} vanished while it was read", platform=Platform.SHOPIFY)
    return row(data[kind], kind)

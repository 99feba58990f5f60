"""The Shopify Admin GraphQL API as a `StorePlatform`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.contracts import Platform
from connectors.errors import ConfigurationError, MalformedReplyError, NotFoundError
from connectors.fields import Row, identifier, row, rows
from connectors.http import Transport
from connectors.pagination import by_cursor
from connectors.replies import Reply, plain
from connectors.shopify import parse
from connectors.shopify.errors import TooCostlyError, judge_read
from connectors.store_contracts import OrderRecord, ProductRecord, ShopRecord

QUERIES = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parent / "queries").glob("*.graphql")}

# An order with five lines and five refunds costs about 50 points of the 1000 that one query may cost.
ORDERS_PER_PAGE = 15
LINES_WITHIN = 5
REFUNDS_WITHIN = 5
LINES_PER_PAGE = 100
MOST_REFUNDS = 250


class ShopifyStore:
    """One shop. `base_url` is empty in production; elsewhere the shop is named by the Host header."""

    platform = Platform.SHOPIFY

    def __init__(self, *, base_url: str, version: str, shop: str, access_token: str, **transport: Any) -> None:
        if not re.fullmatch(r"20[0-9]{2}-(01|04|07|10)", version):
            raise ConfigurationError("shopify: the version must be like 2026-10", platform=Platform.SHOPIFY)
        host = shop_host(shop)
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

    def shop(self) -> ShopRecord:
        return parse.shop(row(self._query("shop").get("shop"), "shop"))

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        """Orders updated in the half-open window, whole: with all lines and refunds.

        The search works in whole seconds, so it asks for slightly more and the rest is left out here.
        """
        search = (
            f"updated_at:>='{_timestamp(updated_from)}' updated_at:<='{_timestamp(updated_to + timedelta(seconds=1))}'"
        )
        for source in self._pages_of_orders(search):
            record = parse.order(source, self._lines(source), self._refunds(source))
            if updated_from <= record.updated_at < updated_to:
                yield record

    def orders_by_id(self, external_ids: Iterable[str]) -> Iterator[OrderRecord]:
        raise NotImplementedError

    def products(self, updated_from: datetime | None = None) -> Iterator[ProductRecord]:
        raise NotImplementedError

    def _pages_of_orders(self, search: str) -> Iterator[Row]:
        size = ORDERS_PER_PAGE

        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            nonlocal size
            variables = {"query": search, "lines": LINES_WITHIN, "refunds": REFUNDS_WITHIN}
            while True:
                try:
                    return parse.page(self._query("orders", orders=size, after=cursor, **variables), "orders")
                except TooCostlyError:
                    if size == 1:
                        raise
                    size //= 2

        return by_cursor(fetch)

    def _lines(self, order: Row) -> list[Row]:
        first, cursor = parse.page(order, "lineItems")
        if cursor is None:
            return first
        start = cursor

        def fetch(after: str | None) -> tuple[list[Row], str | None]:
            return parse.page(
                self._of_order(order, "order_lines", first=LINES_PER_PAGE, after=after or start), "lineItems"
            )

        return first + list(by_cursor(fetch))

    def _refunds(self, order: Row) -> list[Row]:
        """All refunds: a plain list without a cursor, so a full one may be cut and is asked for again."""
        first = rows(order.get("refunds"), "refunds")
        if len(first) < REFUNDS_WITHIN:
            return first
        every = rows(self._of_order(order, "order_refunds", first=MOST_REFUNDS).get("refunds"), "refunds")
        if len(every) >= MOST_REFUNDS:
            raise MalformedReplyError(f"an order has {MOST_REFUNDS} refunds or more")
        return every

    def _of_order(self, order: Row, query: str, **variables: Any) -> Row:
        found = self._query(query, id=identifier(order, "id"), **variables).get("order")
        if found is None:
            raise NotFoundError("shopify: an order vanished while it was read", platform=Platform.SHOPIFY)
        return row(found, "order")

    def _query(self, name: str, **variables: Any) -> dict[str, Any]:
        body = {"query": QUERIES[name], "variables": variables}
        data: dict[str, Any] = self._transport.read("POST", self._path, json=body, judge=self._judge)
        return data

    def _judge(self, reply: Reply) -> dict[str, Any]:
        """Shopify answers a version that it no longer has with another one, and says so in a header only."""
        data = judge_read(reply)
        served = reply.headers.get("X-Shopify-API-Version", self._version)
        if served != self._version:
            message = f"shopify: asked for version {self._version}, served {plain(served, 20)}"
            raise ConfigurationError(message, platform=Platform.SHOPIFY)
        return data


def shop_host(shop: str) -> str:
    """The shop's host in lower case; anything but one label before `.myshopify.com` is refused."""
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}\.myshopify\.com", shop):
        message = "shopify: the shop must be like some-shop.myshopify.com"
        raise ConfigurationError(message, platform=Platform.SHOPIFY)
    return shop.lower()


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The Shopify Admin GraphQL API as a `StorePlatform` that also runs bulk operations and pushes webhooks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from connectors.contracts import Platform
from connectors.errors import ConfigurationError
from connectors.shopify import bulk, orders, parse, products, subscriptions
from connectors.shopify.graph import Graph
from connectors.store_contracts import BulkStatus, OrderRecord, ProductRecord, ShopRecord


class ShopifyStore:
    """One shop. `base_url` is empty in production; elsewhere the shop is named by the Host header."""

    platform = Platform.SHOPIFY

    def __init__(self, *, base_url: str, version: str, shop: str, access_token: str, **transport: Any) -> None:
        self._graph = Graph(
            base_url=base_url, version=version, host=shop_host(shop), access_token=access_token, **transport
        )

    def shop(self) -> ShopRecord:
        return parse.shop(self._graph.query("shop"))

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        return orders.updated(self._graph, updated_from, updated_to)

    def orders_by_id(self, external_ids: Iterable[str]) -> Iterator[OrderRecord]:
        return orders.by_id(self._graph, external_ids)

    def products(self, updated_from: datetime | None = None) -> Iterator[ProductRecord]:
        """As `StorePlatform`. A new unit cost may leave `updated_at` as it was: read all now and then."""
        return products.changed(self._graph, updated_from)

    def start_bulk_orders(self, created_from: datetime, created_to: datetime) -> str:
        return bulk.start(self._graph, created_from, created_to)

    def bulk_status(self, operation_id: str) -> BulkStatus:
        return bulk.status(self._graph, operation_id)

    def bulk_orders(self, operation_id: str, skip: int = 0) -> Iterator[OrderRecord]:
        return bulk.orders_of(self._graph, operation_id, skip)

    def subscribe(self, address: str) -> int:
        return subscriptions.subscribe(self._graph, address)


def shop_host(shop: str) -> str:
    """The shop's host in lower case; anything but one label before `.myshopify.com` is refused."""
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}\.myshopify\.com", shop):
        message = "shopify: the shop must be like some-shop.myshopify.com"
        raise ConfigurationError(message, platform=Platform.SHOPIFY)
    return shop.lower()

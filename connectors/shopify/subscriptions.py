"""Which news Shopify pushes to us, and how little of each: ids and times only, never whom they are about."""

from __future__ import annotations

from connectors.fields import Row, identifier, text
from connectors.shopify.graph import Graph

SUBSCRIPTIONS_PER_PAGE = 100
LONGEST_ADDRESS = 8_000

ORDER = frozenset({"id", "admin_graphql_api_id", "updated_at"})
SHOP = frozenset({"id", "myshopify_domain", "domain", "updated_at"})
# The compliance topics are not here: they are set in the app's own configuration only.
TOPICS = {
    "ORDERS_CREATE": ORDER,
    "ORDERS_UPDATED": ORDER,
    "ORDERS_CANCELLED": ORDER,
    "REFUNDS_CREATE": frozenset({"id", "order_id"}),
    "APP_UNINSTALLED": SHOP,
    "SHOP_UPDATE": SHOP,
    "BULK_OPERATIONS_FINISH": frozenset({"admin_graphql_api_id", "status"}),
}


def subscribe(graph: Graph, address: str) -> int:
    """Leave exactly one right subscription per topic at this address; returns how many were made or removed.

    Other addresses are left alone: another installation of the same app may listen there. A wrong one is removed
    before its successor is made, because Shopify takes no two of a topic for one address.
    """
    held = [
        source
        for source in graph.listed("webhook_subscriptions", "webhookSubscriptions", size=SUBSCRIPTIONS_PER_PAGE)
        if text(source, "uri", LONGEST_ADDRESS) == address
    ]
    right: dict[str, Row] = {}
    for source in held:
        if _is_right(source):
            right.setdefault(text(source, "topic"), source)
    unwanted = [source for source in held if right.get(text(source, "topic")) is not source]
    missing = {topic: fields for topic, fields in TOPICS.items() if topic not in right}
    for source in unwanted:
        graph.mutate("webhook_subscription_delete", id=identifier(source, "id"))
    for topic, fields in missing.items():
        wanted = {"uri": address, "format": "JSON", "includeFields": sorted(fields)}
        graph.mutate("webhook_subscription_create", topic=topic, subscription=wanted)
    return len(unwanted) + len(missing)


def _is_right(source: Row) -> bool:
    fields, wanted = source.get("includeFields"), TOPICS.get(text(source, "topic"))
    return (
        isinstance(fields, list)
        and wanted is not None
        and wanted == set(map(str, fields))
        and source.get("format") == "JSON"
        and not source.get("filter")
    )

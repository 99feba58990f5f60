"""Webhook subscriptions: one right one per topic at our address, whatever was there before."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import OutcomeUnknownError, PermissionDeniedError, RateLimitedError, RefusedError
from connectors.shopify.subscriptions import TOPICS
from connectors.store_contracts import BulkOrders, StorePlatform, Subscribing
from tests.connectors.shopify.answers import asked, connection, data, failing, store
from tests.connectors.wire import Script, Wire, hangs_up, says, wire

ADDRESS = "https://bursar.example/webhooks/shopify/"
CREATED = data(webhookSubscriptionCreate={"webhookSubscription": {"id": "gid://w/9"}, "userErrors": []})
DELETED = data(webhookSubscriptionDelete={"deletedWebhookSubscriptionId": "gid://w/1", "userErrors": []})
PERSONAL = {"email", "phone", "customer", "billing_address", "shipping_address", "note", "client_details"}


def held(number: int, topic: str, **changes: Any) -> dict[str, Any]:
    fields = sorted(TOPICS.get(topic, {"id"}))
    sound = {"id": f"gid://w/{number}", "topic": topic, "uri": ADDRESS, "format": "JSON", "includeFields": fields}
    return sound | {"filter": None} | changes


ALL = [held(number, topic) for number, topic in enumerate(TOPICS)]


def listing(*found: dict[str, Any], cursor: str | None = None) -> Script:
    return data(webhookSubscriptions=connection(list(found), cursor))


def subscribe(served: Wire) -> int:
    return store(served).subscribe(ADDRESS)


def sent(served: Wire) -> list[tuple[str, str]]:
    """The mutations that were sent: what they do, and to which topic or subscription."""
    verbs = {"webhook_subscription_create": "create", "webhook_subscription_delete": "delete"}
    return [(verbs[name], v.get("topic") or v["id"]) for name, v in asked(served) if name in verbs]


def test_every_topic_that_we_need_is_subscribed_to() -> None:
    with wire(listing(), CREATED) as served:
        assert subscribe(served) == 7
        assert sent(served) == [("create", topic) for topic in TOPICS]
        made = {variables["topic"]: variables["subscription"] for _, variables in asked(served)[1:]}
    assert set(made) == {
        *("ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_CANCELLED", "REFUNDS_CREATE"),
        *("APP_UNINSTALLED", "SHOP_UPDATE", "BULK_OPERATIONS_FINISH"),
    }
    assert {one["uri"] for one in made.values()} == {ADDRESS}
    assert {one["format"] for one in made.values()} == {"JSON"}
    assert set(made["ORDERS_CREATE"]["includeFields"]) == {"id", "admin_graphql_api_id", "updated_at"}
    assert set(made["REFUNDS_CREATE"]["includeFields"]) == {"id", "order_id"}
    assert not [one for one in made.values() if PERSONAL & set(one["includeFields"]) or not one["includeFields"]]


def test_what_is_there_already_is_left_as_it_is_on_whatever_page() -> None:
    shuffled = [one | {"includeFields": one["includeFields"][::-1]} for one in ALL]
    with wire(listing(*shuffled[:3], cursor="W"), listing(*shuffled[3:])) as served:
        assert subscribe(served) == 0
        assert sent(served) == []


def test_only_what_is_missing_is_made() -> None:
    with wire(listing(*ALL[1:]), CREATED) as served:
        assert subscribe(served) == 1
        assert sent(served) == [("create", "ORDERS_CREATE")]


def test_the_second_of_two_is_removed() -> None:
    with wire(listing(*ALL, held(8, "ORDERS_UPDATED")), DELETED) as served:
        assert subscribe(served) == 1
        assert sent(served) == [("delete", "gid://w/8")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"includeFields": []},
        {"includeFields": ["id", "email"]},
        {"format": "XML"},
        {"filter": "id:1"},
        {"includeFields": None},
    ],
)
def test_a_wrong_one_is_removed_before_the_right_one_is_made(wrong: dict[str, Any]) -> None:
    with wire(listing(*ALL[1:], held(9, "ORDERS_CREATE", **wrong)), DELETED, CREATED) as served:
        assert subscribe(served) == 2
        assert sent(served) == [("delete", "gid://w/9"), ("create", "ORDERS_CREATE")]


def test_a_topic_that_we_do_not_need_is_no_longer_pushed_to_us() -> None:
    with wire(listing(*ALL, held(8, "CUSTOMERS_CREATE")), DELETED) as served:
        assert subscribe(served) == 1
        assert sent(served) == [("delete", "gid://w/8")]


def test_other_addresses_are_left_alone() -> None:
    elsewhere = {"uri": "https://other.example/hooks"}
    with wire(listing(*ALL, held(8, "ORDERS_CREATE", **elsewhere), held(9, "CARTS_UPDATE", **elsewhere))) as served:
        assert subscribe(served) == 0


def refused(name: str) -> Script:
    error = {"field": ["webhookSubscription", "uri"], "message": "Address is not allowed"}
    return data(**{name: {"webhookSubscription": None, "userErrors": [error]}})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused("webhookSubscriptionCreate"), RefusedError),
        (failing("ACCESS_DENIED"), PermissionDeniedError),
        (failing("THROTTLED"), RateLimitedError),
        (failing("A_NEW_CODE"), OutcomeUnknownError),
        (says({"errors": "frozen"}, 402), PermissionDeniedError),
        (says({"errors": "busy"}, 503), OutcomeUnknownError),
        (data(webhookSubscriptionCreate=None), OutcomeUnknownError),
        (data(webhookSubscriptionCreate={"userErrors": None}), OutcomeUnknownError),
        (hangs_up, OutcomeUnknownError),
    ],
)
def test_a_mutation_is_sent_once_and_its_failure_told(answer: Script, kind: type[Exception]) -> None:
    with wire(listing(*ALL[1:]), answer) as served:
        with pytest.raises(kind):
            subscribe(served)
        assert len(served.requests) == 2


def test_a_shopify_store_does_all_that_a_store_can() -> None:
    with wire(hangs_up) as served:
        found: StorePlatform = store(served)
    assert isinstance(found, BulkOrders)
    assert isinstance(found, Subscribing)

"""The Shopify connector against the sandbox: what it reads, in whatever way, is what the shop holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connectors.contracts import Platform
from connectors.errors import AuthenticationError, PermissionDeniedError, RateLimitedError, TransientError
from connectors.login_contracts import Grant, LoginApp
from connectors.sandbox.server import running_sandbox
from connectors.shopify.client import ShopifyStore
from connectors.shopify.login import SCOPES, ShopifyLogin
from connectors.shopify.subscriptions import TOPICS
from connectors.store_contracts import BulkState, OrderRecord
from tests.connectors.control import Control
from tests.connectors.sandbox.visitor import Visitor

BACK = "https://bursar.example/connect/shopify/callback"
ADDRESS = "http://127.0.0.1:9/webhooks/shopify/"


def store_of(sandbox: Control, token: str = "") -> ShopifyStore:
    own = sandbox.get("credentials")["shopify"]
    return ShopifyStore(
        base_url=sandbox.url, version="2026-10", shop=own["shop"], access_token=token or own["access_token"]
    )


def recent(sandbox: Control, hours: float) -> tuple[datetime, datetime]:
    return sandbox.now() - timedelta(hours=hours), sandbox.now() + timedelta(seconds=1)


def in_order(found: list[OrderRecord]) -> list[OrderRecord]:
    """By id, and the lines of each too: a bulk file keeps no order."""
    lined = [replace(one, lines=tuple(sorted(one.lines, key=lambda line: line.external_id))) for one in found]
    return sorted(lined, key=lambda one: one.external_id)


# --- Reading ------------------------------------------------------------------------------------------


def test_tells_what_shop_it_is(sandbox: Control) -> None:
    shop = store_of(sandbox).shop()
    assert shop.domain == sandbox.get("credentials")["shopify"]["shop"]
    assert (shop.currency, shop.timezone) == ("USD", "America/New_York")


def test_orders_ascend_by_update_and_tell_where_they_came_from(sandbox: Control) -> None:
    store, now = store_of(sandbox), sandbox.now()
    found = list(store.orders(now - timedelta(days=2), now + timedelta(seconds=1)))
    assert found
    assert [o.updated_at for o in found] == sorted(o.updated_at for o in found)
    assert len({o.external_id for o in found}) == len(found)
    assert {o.currency for o in found} == {"USD"}
    assert all(o.total_micros > 0 and o.lines for o in found)
    assert {Platform.META, Platform.TIKTOK} <= {o.click_platform for o in found}
    assert any(o.utm_content for o in found)


def test_two_windows_side_by_side_hold_what_one_holds(sandbox: Control) -> None:
    store, now = store_of(sandbox), sandbox.now()
    start, middle = now - timedelta(days=1), now - timedelta(hours=11, minutes=17)
    parts = [*store.orders(start, middle), *store.orders(middle, now)]
    assert parts == list(store.orders(start, now))


def test_every_order_adds_up_to_what_the_shop_says_of_it(sandbox: Control) -> None:
    """Original total, plus edits, less refunds, is the current total: also of those that were edited and refunded."""
    found = list(store_of(sandbox).orders(*recent(sandbox, 24 * 12)))
    told = Visitor(sandbox.url).orders("cancelledAt currentTotalPriceSet { shopMoney { amount } }", size=100)
    current = {one["id"]: one["currentTotalPriceSet"]["shopMoney"]["amount"] for one in told if not one["cancelledAt"]}
    checked = [one for one in found if one.external_id in current]
    assert checked
    for one in checked:
        booked = sum(each.amount_micros for each in one.edits) - sum(each.amount_micros for each in one.refunds)
        assert one.total_micros + booked == int(Decimal(current[one.external_id]) * 1_000_000), one.external_id
    edited = [one for one in checked if one.edits]
    assert {each.amount_micros > 0 for one in edited for each in one.edits} == {True, False}


def test_lines_and_their_discounts_add_up_to_the_total(sandbox: Control) -> None:
    found = [one for one in store_of(sandbox).orders(*recent(sandbox, 48)) if not one.edits]
    assert any(line.discount_micros for one in found for line in one.lines)
    for one in found:
        lines = sum(line.quantity * line.unit_price_micros - line.discount_micros for line in one.lines)
        assert lines == one.total_micros


def test_orders_read_by_their_ids_are_the_same(sandbox: Control) -> None:
    store = store_of(sandbox)
    found = list(store.orders(*recent(sandbox, 12)))
    ids = [one.external_id for one in found]
    assert list(store.orders_by_id([*ids, "gid://shopify/Order/1"])) == found


def test_a_bulk_operation_tells_the_same_orders_and_goes_on_where_it_was_left(sandbox: Control) -> None:
    store, (start, end) = store_of(sandbox), recent(sandbox, 72)
    operation = store.start_bulk_orders(start, end)
    assert store.start_bulk_orders(start, end) == operation
    while (status := store.bulk_status(operation)).state is BulkState.RUNNING:
        pass
    assert status.state is BulkState.DONE
    assert status.url.startswith(sandbox.url)
    found = list(store.bulk_orders(operation))
    paged = [one for one in store.orders(start, end) if one.created_at >= start]
    assert in_order(found) == in_order(paged)
    assert any(one.edits for one in found)
    assert list(store.bulk_orders(operation, skip=5)) == found[5:]
    assert store.start_bulk_orders(start, end) == operation


def test_products_come_with_their_variants_and_costs(sandbox: Control) -> None:
    found = list(store_of(sandbox).products())
    variants = [variant for product in found for variant in product.variants]
    sold = {line.variant_external_id for one in store_of(sandbox).orders(*recent(sandbox, 12)) for line in one.lines}
    assert sold <= {variant.external_id for variant in variants}
    assert all(variant.price_micros for variant in variants)
    assert any(variant.unit_cost_micros for variant in variants)
    newest = max(product.updated_at for product in found)
    later = list(store_of(sandbox).products(newest))
    assert later == [product for product in found if product.updated_at >= newest]


# --- Failing ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("drop_before_apply", TransientError),
        ("drop_after_apply", TransientError),
        ("truncated_body", TransientError),
        ("html_body", TransientError),
        ("server_error", TransientError),
        ("rate_limit", RateLimitedError),
        ("expired_token", AuthenticationError),
    ],
)
def test_a_query_that_keeps_failing_says_how(sandbox: Control, fault: str, kind: type[Exception]) -> None:
    store = store_of(sandbox)
    with sandbox.fault(fault, Platform.SHOPIFY, count=50), pytest.raises(kind):
        store.shop()
    if kind is TransientError:
        with sandbox.fault(fault, Platform.SHOPIFY, count=2):
            assert store.shop().currency == "USD"


# --- Connecting, on a sandbox of its own: the end of a login ends all tokens of the shop ------------------


@pytest.fixture
def own_sandbox() -> Iterator[Control]:
    with running_sandbox(seed=11, days=3) as running:
        yield Control(running.url)


def provider(sandbox: Control, scopes: tuple[str, ...] = SCOPES) -> ShopifyLogin:
    own = sandbox.get("credentials")["shopify"]
    ids = own["client_id"], own["client_secret"]
    return ShopifyLogin(
        LoginApp(Platform.SHOPIFY, sandbox.url, "", "2026-10", *ids, subject=own["shop"], scopes=scopes)
    )


def consent(login: ShopifyLogin) -> Grant:
    """What a merchant's browser does: agree, and come back with a signed callback."""
    address = login.consent_url(redirect_uri=BACK, state="a1b2c3") + "&allow=1"
    query = urlsplit(httpx.get(address, trust_env=False).headers["Location"]).query
    login.check_callback(query)
    with pytest.raises(AuthenticationError):
        login.check_callback(query.replace("a1b2c3", "a1b2c4"))
    told = parse_qs(query)
    assert told["state"] == ["a1b2c3"]
    return login.exchange(told["code"][0], redirect_uri=BACK)


def test_a_login_opens_its_shop_is_renewed_and_ends(own_sandbox: Control) -> None:
    login = provider(own_sandbox)
    grant = consent(login)
    (account,) = login.owned_accounts(grant)
    assert account.external_id == grant.subject == own_sandbox.get("credentials")["shopify"]["shop"]
    assert set(grant.scopes) == set(SCOPES)
    younger = login.refresh(grant)
    again = login.refresh(grant)  # the first answer got lost, as far as anybody knows
    assert younger is not None
    assert again is not None
    assert login.owned_accounts(again) == [account]
    login.revoke(again)
    with pytest.raises(AuthenticationError):
        login.owned_accounts(again)
    login.revoke(again)


def test_an_access_token_that_ran_out_does_not_keep_the_app_installed(own_sandbox: Control) -> None:
    login = provider(own_sandbox)
    grant = consent(login)
    own_sandbox.post("token", platform="shopify", access_token=grant.access_token, expire=True)
    login.revoke(grant)
    with pytest.raises(AuthenticationError):
        login.refresh(grant)


def test_what_was_not_granted_is_told_or_left_unknown(own_sandbox: Control) -> None:
    grant = consent(provider(own_sandbox, ("read_products",)))
    store = store_of(own_sandbox, grant.access_token)
    found = list(store.products())
    assert found
    assert {variant.unit_cost_micros for product in found for variant in product.variants} == {None}
    with pytest.raises(PermissionDeniedError):
        list(store.orders(*recent(own_sandbox, 1)))


SUBSCRIBED = "{ webhookSubscriptions(first: 50) { nodes { id topic uri includeFields } } }"
CHANGED = (
    "mutation($id: ID!) { webhookSubscriptionUpdate(id: $id, webhookSubscription: {includeFields: []}) "
    "{ userErrors { message } } }"
)


def test_subscriptions_are_made_once_and_set_right_again(own_sandbox: Control) -> None:
    store, visitor = store_of(own_sandbox), Visitor(own_sandbox.url)

    def there() -> dict[str, tuple[str, frozenset[str]]]:
        nodes = visitor.graphql(SUBSCRIBED)["data"]["webhookSubscriptions"]["nodes"]
        assert len(nodes) == len({node["topic"] for node in nodes})
        return {node["topic"]: (node["uri"], frozenset(node["includeFields"])) for node in nodes}

    assert store.subscribe(ADDRESS) == len(TOPICS)
    wanted = {topic: (ADDRESS, fields) for topic, fields in TOPICS.items()}
    assert there() == wanted
    assert store.subscribe(ADDRESS) == 0
    nodes = visitor.graphql(SUBSCRIBED)["data"]["webhookSubscriptions"]["nodes"]
    assert visitor.graphql(CHANGED, id=nodes[0]["id"])["data"]["webhookSubscriptionUpdate"]["userErrors"] == []
    assert there() != wanted
    assert store.subscribe(ADDRESS) == 2
    assert there() == wanted

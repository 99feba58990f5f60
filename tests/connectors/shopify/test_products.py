"""Products with all variants, and their unit cost where the shop keeps it and lets us see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.errors import MalformedReplyError, PermissionDeniedError
from connectors.store_contracts import ProductRecord, VariantRecord
from tests.connectors.shopify.answers import asked, connection, data, failing, store
from tests.connectors.wire import Script, Wire, wire

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
SHOP = data(
    shop={
        "id": "gid://shopify/Shop/1",
        "name": "Demo",
        "myshopifyDomain": "demo.myshopify.com",
        "ianaTimezone": "Europe/Berlin",
        "currencyCode": "EUR",
    }
)


def variant(number: int, cost: Any = None, **changes: Any) -> dict[str, Any]:
    named = {"id": f"gid://v/{number}", "title": "Red", "sku": "R-1", "price": "19.90"}
    return named | {"inventoryItem": {"unitCost": cost}} | changes


def product(number: int, *variants: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    named = {"id": f"gid://p/{number}", "title": "Mug", "status": "ACTIVE"}
    times = {"createdAt": "2026-11-20T10:00:00Z", "updatedAt": "2026-11-20T10:00:00Z"}
    return named | times | {"variants": connection(list(variants), cursor)}


def products(*found: dict[str, Any], cursor: str | None = None) -> Script:
    return data(products=connection(list(found), cursor))


def read(served: Wire, since: datetime | None = None) -> list[ProductRecord]:
    return list(store(served).products(since))


def cost_of(cost: Any) -> int | None:
    with wire(SHOP, products(product(1, variant(1, cost)))) as served:
        return read(served)[0].variants[0].unit_cost_micros


def test_reads_a_whole_product() -> None:
    with wire(SHOP, products(product(1, variant(1, {"amount": "7.25", "currencyCode": "EUR"})))) as served:
        found = read(served)
    one = VariantRecord("gid://v/1", "Red", "R-1", 19_900_000, 7_250_000)
    assert found == [ProductRecord("gid://p/1", "Mug", "active", AT, AT, (one,))]


@pytest.mark.parametrize("cost", [None, {"amount": "7.25", "currencyCode": "USD"}])
def test_a_unit_cost_that_is_not_kept_or_in_another_currency_is_unknown(cost: Any) -> None:
    assert cost_of(cost) is None


def test_a_unit_cost_of_nothing_is_nothing() -> None:
    assert cost_of({"amount": "0.0", "currencyCode": "EUR"}) == 0


@pytest.mark.parametrize("cost", [[], {"amount": "-1.00", "currencyCode": "EUR"}, {"amount": 1.5, "currencyCode": []}])
def test_a_unit_cost_of_an_unknown_shape_is_refused(cost: Any) -> None:
    with pytest.raises(MalformedReplyError):
        cost_of(cost)


def test_without_the_right_to_see_costs_products_are_read_all_the_same() -> None:
    bare = variant(1)
    del bare["inventoryItem"]
    with wire(SHOP, failing("ACCESS_DENIED"), products(product(1, bare))) as served:
        assert read(served)[0].variants[0].unit_cost_micros is None
        assert [variables.get("costs") for _, variables in asked(served)] == [None, True, False]


def test_without_the_right_to_see_products_that_is_told() -> None:
    with wire(SHOP, failing("ACCESS_DENIED")) as served, pytest.raises(PermissionDeniedError):
        read(served)


def test_all_pages_of_products_and_of_their_variants_are_read() -> None:
    more = data(product={"variants": connection([variant(2)])})
    first = product(1, variant(1), cursor="V1")
    with wire(SHOP, products(first), products(first, cursor="P1"), more, products(product(2))) as served:
        assert [[v.external_id for v in p.variants] for p in read(served)] == [["gid://v/1", "gid://v/2"], []]
        assert [(name, variables.get("after")) for name, variables in asked(served)[2:]] == [
            ("products", None),
            ("product_variants", "V1"),
            ("products", "P1"),
        ]


def test_only_what_changed_is_asked_for() -> None:
    with wire(SHOP, products()) as served:
        assert read(served, AT + timedelta(microseconds=5)) == []
        assert [variables.get("query") for _, variables in asked(served)][-1] == "updated_at:>='2026-11-20T10:00:00Z'"


def test_a_page_of_products_that_costs_too_much_is_halved() -> None:
    with wire(SHOP, products(), failing("MAX_COST_EXCEEDED"), products(product(1))) as served:
        assert len(read(served)) == 1
        assert [variables.get("first") for _, variables in asked(served)] == [None, 1, 20, 10]

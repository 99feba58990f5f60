"""What customers and shops ask for is really done: handed over, erased, and not read again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from accounts.clock import wall_now
from accounts.models import Alert, Credential, Store
from accounts.models.alerts import Severity
from connectors.errors import AuthenticationError, TransientError
from connectors.models import Delivery, PrivacyRequest
from metrics import deliveries, privacy
from metrics.accounting import attribute_orders
from metrics.models import Order, OrderLine, Product, ProductCost, Refund, ShopDay, Statement, StoreCoverage
from tests.factories import AS_OF, SLOT, House, make_house
from tests.metrics.pushed import ServedShop, deliver, gid, order
from tests.metrics.stores import edit, receive, refund

LATER = timedelta(minutes=1)
SOURCES = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "click_platform", "click_id")


@pytest.fixture(autouse=True)
def shop(house: House, everywhere: None, monkeypatch: pytest.MonkeyPatch) -> ServedShop:
    """The house's store, on a credential of its own."""
    house.store.credential = Credential.objects.create(
        tenant=house.tenant, platform="shopify", label="acme", subject="acme.myshopify.com", access_token="shpat_0"
    )
    house.store.save()
    served = ServedShop()
    monkeypatch.setattr(deliveries, "connect_store", lambda store: served)
    return served


def work(store: Store) -> int:
    return deliveries.work_off(store.pk, until=wall_now() + LATER)


def ask(store: Store, topic: str, *orders: int, reference: str = "", customer: str = "4") -> PrivacyRequest:
    """The request as it stands when the worker has been."""
    details = {"customer": customer, "orders": [gid(number) for number in orders]}
    row = deliver(store, topic, reference, details={} if topic == "shop/redact" else details)
    work(store)
    request: PrivacyRequest = PrivacyRequest.objects.get(pk=row.pk)
    return request


def exported(request: PrivacyRequest) -> dict[str, Any]:
    assert request.export is not None
    return dict(request.export)


# --- Handing over ------------------------------------------------------------------------------------


def test_all_that_is_held_about_the_orders_is_exported_and_staff_are_told(house: House) -> None:
    refunds, edits = (refund(1, SLOT, 30),), (edit(1, SLOT, -5),)
    receive(house.store, order(1, refunds=refunds, edits=edits), order(2), order(3))
    request = ask(house.store, "customers/data_request", 1, 2, 9, reference="99")
    assert (request.kind, request.shop, request.customer) == ("export", "acme.myshopify.com", "4")
    assert request.reference == "99" and request.done_at is not None
    assert timedelta(days=29) < request.due_at - wall_now() < timedelta(days=30)
    export = exported(request)
    assert [row["id"] for row in export["orders"]] == [gid(1), gid(2)]
    assert export["orders_not_held"] == [gid(9)]
    first = next(row for row in export["orders"] if row["id"] == gid(1))
    assert first["total"] == "100.000000" and first["currency"] == "USD" and first["click_id"] == "click"
    assert first["lines"][0]["unit_price"] == "10.000000"
    assert first["refunds"] == [{"id": "r1", "refunded_at": SLOT.isoformat(), "amount": "30.000000"}]
    assert first["edits"][0]["amount"] == "-5.000000"
    alert = Alert.objects.get(tenant=house.tenant)
    assert f"{request.due_at:%Y-%m-%d}" in alert.message and alert.resolved_at is None


def test_every_column_of_an_order_and_what_belongs_to_it_is_exported_or_ours(house: House) -> None:
    """A column that is added later is exported, or named here."""
    ours = {"id", "created_at", "tenant", "store", "order", "ad_set", "attribution", "attribution_ready", "units"}
    told = {"external_id": "id", "platform_updated_at": "updated_at"}
    receive(house.store, order(1, refunds=(refund(1, SLOT, 30),), edits=(edit(1, SLOT, -5),)))
    (found,) = exported(ask(house.store, "customers/data_request", 1))["orders"]
    parts = {OrderLine: found["lines"][0], Refund: found["refunds"][0], Order: found}
    for model, part in parts.items():
        for field in model._meta.concrete_fields:
            name = told.get(field.name, field.name.removesuffix("_micros").removesuffix("_external_id"))
            assert field.name in ours or name in part, field


def test_orders_of_another_store_are_not_exported(house: House) -> None:
    other = make_house("other")
    receive(other.store, order(1))
    request = ask(house.store, "customers/data_request", 1)
    assert exported(request)["orders"] == [] and request.tenant_id == house.tenant.pk


# --- Erasing a customer ------------------------------------------------------------------------------


def test_the_orders_named_lose_where_they_came_from_and_nothing_else(house: House) -> None:
    other = make_house("other")
    for store in (house.store, other.store):
        receive(store, order(1, refunds=(refund(1, SLOT, 30),)), order(2))
    before = {row.pk: figures(row) for row in Order.objects.all()}
    request = ask(house.store, "customers/redact", 1, 9)
    assert request.outcome.startswith("1 of 2 orders") and request.done_at is not None
    redacted = Order.objects.get(store=house.store, external_id=gid(1))
    assert [getattr(redacted, name) for name in SOURCES] == [""] * 7 and redacted.redacted_at is not None
    for row in Order.objects.exclude(pk=redacted.pk):
        assert row.redacted_at is None and row.click_id == "click"
    assert {row.pk: figures(row) for row in Order.objects.all()} == before
    assert redacted.is_new_customer is True and redacted.refunds.count() == 1


def figures(row: Order) -> tuple[Any, ...]:
    return row.total_micros, row.units, row.is_new_customer, row.ad_set_id, row.ordered_at, row.is_paid


def test_an_order_that_is_read_only_after_its_erasure_was_asked_for_comes_without_its_source(house: House) -> None:
    ask(house.store, "customers/redact", 1)
    receive(house.store, order(1), order(2))
    asked, other = Order.objects.order_by("external_id")
    assert [getattr(asked, name) for name in SOURCES] == [""] * 7 and asked.redacted_at is not None
    assert other.click_id == "click" and other.redacted_at is None


def test_no_later_sync_or_delivery_brings_it_back(house: House, shop: ServedShop) -> None:
    term = house.ad_sets[0].external_id
    receive(house.store, order(1, utm_term=term))
    attribute_orders(house.tenant, since=SLOT - timedelta(days=9))
    ask(house.store, "customers/redact", 1)
    shop.serve(order(1, version=5, utm_term=term, refunds=(refund(1, SLOT, 30),)))
    deliver(house.store, "orders/updated", gid(1))
    assert work(house.store) == 1
    row = Order.objects.get()
    assert [getattr(row, name) for name in SOURCES] == [""] * 7
    assert row.refunds.count() == 1 and row.ad_set == house.ad_sets[0]


def test_what_was_exported_for_the_customer_is_erased_with_the_rest(house: House) -> None:
    receive(house.store, order(1))
    theirs = ask(house.store, "customers/data_request", 1)
    other = ask(house.store, "customers/data_request", 1, customer="5")
    ask(house.store, "customers/redact", 1)
    theirs.refresh_from_db()
    other.refresh_from_db()
    assert theirs.export is None and other.export is not None


def test_a_request_that_two_workers_do_is_one_request(house: House) -> None:
    receive(house.store, order(1))
    request = ask(house.store, "customers/redact", 1)
    delivery = Delivery.objects.get(pk=request.pk)
    Delivery.objects.filter(pk=request.pk).update(state="waiting")
    assert work(house.store) == 1
    assert privacy.carry_out(delivery, is_connected=lambda store: True)
    again = PrivacyRequest.objects.get()
    assert (again.done_at, again.outcome) == (request.done_at, request.outcome)


# --- Erasing a shop ----------------------------------------------------------------------------------


def fill(house: House) -> None:
    """Rows of all kinds."""
    store, owner = house.store, {"tenant": house.tenant, "store": house.store}
    receive(store, *(order(number, refunds=(refund(1, SLOT, 30),)) for number in range(7)))
    product = {"external_id": "p", "listed_at": SLOT, "platform_updated_at": SLOT}
    Product.objects.create(**owner, **product)
    for source in ProductCost.Source.values:
        day = SLOT.date()
        ProductCost.objects.create(
            **owner, product_external_id=source, unit_cost_micros=1, effective_from=day, source=source
        )
    StoreCoverage.objects.create(**owner, known_from=SLOT, known_to=AS_OF)
    shared = {"currency": "USD", "known_at": SLOT}
    Statement.objects.create(**owner, **shared, external_id="s", statement_at=SLOT, settlement_micros=1)
    ShopDay.objects.create(**owner, **shared, day=SLOT.date(), gmv_micros=1, orders=1)
    deliver(store, "orders/create", gid(1), state="done")
    for name in ("sync", "ended"):
        Alert.objects.create(
            tenant=house.tenant, key=f"{name} {store.pk}", severity=Severity.WARNING, message="acme shop …"
        )


def hanging_on(store: Store) -> dict[str, int]:
    """How many rows of each kind point to the store or to an order of it."""
    found: dict[str, int] = {}
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and field.related_model in (Store, Order):
                where = {field.name: store} if field.related_model is Store else {f"{field.name}__store": store}
                if count := model._default_manager.filter(**where).count():
                    found[model.__name__] = count
    return found


def test_nothing_that_was_read_from_an_uninstalled_shop_stays(house: House, shop: ServedShop) -> None:
    other = make_house("other")
    fill(other)
    fill(house)
    theirs = hanging_on(other.store)
    ask(house.store, "customers/data_request", 1)
    shop.refusal = AuthenticationError("401")
    request = ask(house.store, "shop/redact", reference="9")
    assert request.done_at is not None and "erased" in request.outcome and request.shop == "acme.myshopify.com"
    assert hanging_on(house.store) == {"PrivacyRequest": 2, "ProductCost": 1, "Delivery": 1}
    assert ProductCost.objects.get(store=house.store).source == "staff"
    assert hanging_on(other.store) == theirs
    for row in PrivacyRequest.objects.filter(store=house.store):
        assert (row.customer, row.orders, row.export) == ("", [], None)


def test_nothing_in_the_row_that_stays_leads_to_the_shop(house: House, shop: ServedShop) -> None:
    fill(house)
    shop.refusal = AuthenticationError("401")
    ask(house.store, "shop/redact", reference="9")
    store = Store.objects.get(pk=house.store.pk)
    credential = Credential.objects.get(pk=store.credential_id)
    assert credential.access_token is None and not store.is_active
    delivery = Delivery.objects.get(store=store)
    text = json.dumps([list(map(str, vars(row).values())) for row in (store, credential, delivery)])
    assert "acme" not in text.lower()
    assert not Alert.objects.filter(key__endswith=str(store.pk)).exists()


def test_a_shop_that_is_connected_is_kept_and_the_request_says_why(house: House) -> None:
    """A replay, or a shop that was installed again within the 48 hours."""
    fill(house)
    request = ask(house.store, "shop/redact", reference="9")
    assert request.outcome.startswith("kept: the shop is connected") and request.done_at is not None
    assert Order.objects.filter(store=house.store).count() == 7
    house.store.refresh_from_db()
    assert house.store.is_active and house.store.external_id == "acme.myshopify.com"


def test_a_shop_of_which_the_platform_does_not_say_whether_it_is_connected_waits(
    house: House, shop: ServedShop
) -> None:
    fill(house)
    shop.refusal = TransientError("away")
    request_count = PrivacyRequest.objects.filter(done_at__isnull=False).count
    deliver(house.store, "shop/redact", "9")
    assert work(house.store) == 0 and request_count() == 0
    assert Order.objects.filter(store=house.store).count() == 7


def test_a_shop_of_another_tenant_under_the_same_domain_is_judged_by_itself(
    house: House, shop: ServedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_house("other")
    fill(other)
    monkeypatch.setattr(deliveries, "still_connected", lambda store: store.pk == other.store.pk)
    ask(house.store, "shop/redact", reference="9")
    ask(other.store, "shop/redact", reference="9")
    assert Store.objects.get(pk=house.store.pk).name == privacy.ERASED
    assert Order.objects.filter(store=other.store).count() == 7


def test_a_large_shop_is_erased_in_several_turns_and_after_an_interruption(
    house: House, shop: ServedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(house)
    monkeypatch.setattr(privacy, "SLICE", 2)
    monkeypatch.setattr(privacy, "SLICES", 2)
    shop.refusal = AuthenticationError("401")
    deliver(house.store, "shop/redact", "9")
    turn = timedelta()  # one batch, then the time is up
    deliveries.work_off(house.store.pk, until=wall_now() + turn)
    assert 0 < Order.objects.filter(store=house.store).count() < 7
    assert not StoreCoverage.objects.filter(store=house.store).exists()  # nor do those that are gone count as known
    assert not PrivacyRequest.objects.get().done_at
    assert work(house.store) == 1
    assert Order.objects.filter(store=house.store).count() == 0 and PrivacyRequest.objects.get().done_at

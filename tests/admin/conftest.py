"""Two houses with a row of every model, and browsers for the people of the first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from accounts.alerts import raise_alert
from accounts.api_keys import create_key
from accounts.models import Ad, Creative, IdempotentRequest, User
from accounts.scoping import all_tenants
from automation.models import Action, Approval, PolicyRun, ProposalRecord, Verdict
from connectors.models import Delivery, PrivacyRequest, TokenUse
from metrics.models import (
    AdDay,
    AdDayPurchases,
    AffiliateSale,
    Backfill,
    HourlyMetricRevision,
    Order,
    OrderBackfill,
    OrderEdit,
    OrderLine,
    Payment,
    Product,
    ProductCost,
    Refund,
    ShopDay,
    ShopHealth,
    ShopHour,
    ShopReturn,
    SourceCoverage,
    Statement,
)
from rules.presets import enable_preset
from tests.factories import AS_OF, SLOT, House, add_history, add_order, awaiting, make_house

FOREIGN = "zzforeign"

As = Callable[[User], Client]


def fill(house: House) -> Action:
    """At least one row of every model; what carries a name carries the tenant's slug."""
    tenant, ad_set, slug = house.tenant, house.ad_sets[0], house.tenant.slug
    add_history(house, hours=50)
    with all_tenants():
        for row in house.ad_sets:
            type(row).objects.filter(pk=row.pk).update(name=f"{slug} {row.name}")
            row.refresh_from_db()
        type(house.campaign).objects.filter(pk=house.campaign.pk).update(name=f"{slug} campaign")
        creative = Creative.objects.create(
            tenant=tenant,
            ad_account=house.account,
            external_id=f"{slug}-creative",
            name=f"{slug} creative",
            title=f"{slug} title",
            seen_at=AS_OF,
        )
        ad = Ad.objects.create(
            tenant=tenant,
            ad_account=house.account,
            ad_set=ad_set,
            creative=creative,
            external_id=f"{slug}-ad",
            name=f"{slug} ad",
            status="active",
            seen_at=AS_OF,
        )
        day = SLOT.date()
        AdDay.objects.create(tenant=tenant, ad=ad, day=day, spend_micros=1, impressions=1, clicks=1, known_at=AS_OF)
        AdDayPurchases.objects.create(tenant=tenant, ad=ad, day=day, window="7d_click", count=1, known_at=AS_OF)
        Backfill.objects.create(
            tenant=tenant, ad_account=house.account, first_day=day, last_day=day, next_day=day, asked_by=f"owner-{slug}"
        )
        order = add_order(house, ad_set, at=AS_OF - timedelta(hours=2), total_micros=50_000_000)
        type(order).objects.filter(pk=order.pk).update(external_id=f"{slug}-order")
        OrderLine.objects.create(
            tenant=tenant, order=order, external_id="1", title=f"{slug} tent", quantity=1, unit_price_micros=50_000_000
        )
        Refund.objects.create(
            tenant=tenant, order=order, external_id=f"{slug}-refund", refunded_at=AS_OF, amount_micros=5
        )
        ProductCost.objects.create(
            tenant=tenant,
            store=house.store,
            product_external_id=f"{slug}-product",
            unit_cost_micros=9_000_000,
            effective_from=AS_OF.date(),
        )
        fill_store(house, order)
        HourlyMetricRevision.objects.create(
            tenant=tenant, ad_set=ad_set, hour=SLOT, spend_micros=1, impressions=1, clicks=1, known_at=AS_OF
        )
        run = PolicyRun.objects.create(
            tenant=tenant, ad_account=house.account, slot=SLOT, stage="expand", policy=f"{slug} policy", status="done"
        )
        enable_preset(tenant, "scale_winners")
        raise_alert(tenant, key="k", severity="warning", message=f"{slug} is late")
        create_key(
            tenant=tenant,
            name=f"{slug} key",
            scopes=["read"],
            actor=house.owner,
            expires_at=datetime.now(UTC) + timedelta(days=9),
        )
        IdempotentRequest.objects.create(tenant=tenant, key=f"{slug}-request", fingerprint="f")
        action = awaiting(house, run=run, maximum_extra_micros=7_000_000)
        Verdict.objects.create(
            tenant=tenant,
            action=action,
            position=0,
            guardrail="step",
            outcome="clamp",
            reason=f"{slug} verdict",
            target_micros=1,
        )
        ProposalRecord.objects.create(
            tenant=tenant,
            ad_account=house.account,
            ad_set=ad_set,
            kind="set_budget",
            base_micros=1,
            target_micros=2,
            currency="USD",
            source="rule",
            source_name=f"{slug} rule",
            reason=f"{slug} reason",
            run=run,
            won=True,
        )
        refused = awaiting(house, ad_set=house.ad_sets[1])
        Approval.objects.create(
            tenant=tenant,
            action=refused,
            approver=house.approver,
            decision="approve",
            digest="d",
            reason=f"{slug} reason",
        )
    return action


def fill_store(house: House, order: Order) -> None:
    """What stores and marketplaces tell, and what they push."""
    tenant, store, slug = house.tenant, house.store, house.tenant.slug
    shared = {"tenant": tenant, "store": store}
    told = {**shared, "currency": "USD", "known_at": AS_OF}
    OrderEdit.objects.create(
        tenant=tenant, order=order, external_id=f"{slug}-edit", edited_at=AS_OF, amount_micros=-2_000_000
    )
    Product.objects.create(
        **shared, external_id=f"{slug}-product", title=f"{slug} mug", listed_at=AS_OF, platform_updated_at=AS_OF
    )
    SourceCoverage.objects.create(**shared, kind="products", known_from=AS_OF, known_to=AS_OF)
    OrderBackfill.objects.create(**shared, created_from=SLOT, created_to=AS_OF, asked_by=f"owner-{slug}")
    Statement.objects.create(**told, external_id=f"{slug}-statement", statement_at=AS_OF, settlement_micros=1)
    Payment.objects.create(**told, external_id=f"{slug}-payment", initiated_at=AS_OF, amount_micros=1)
    AffiliateSale.objects.create(
        **told,
        external_id=f"{slug}-sale",
        sku_external_id="1",
        sold_at=AS_OF,
        quantity=1,
        sales_micros=1,
        creator=f"{slug} creator",
    )
    ShopReturn.objects.create(
        **told,
        external_id=f"{slug}-return",
        order_external_id=f"{slug}-order",
        requested_at=AS_OF,
        platform_updated_at=AS_OF,
        is_refunded=False,
        amount_micros=1,
        units=1,
    )
    ShopHour.objects.create(**told, hour=SLOT, gmv_micros=1, orders=1)
    ShopDay.objects.create(**told, day=SLOT.date(), gmv_micros=1, orders=1)
    ShopHealth.objects.create(**shared, evaluated_at=AS_OF, known_at=AS_OF, tier=f"{slug} tier")
    Delivery.objects.create(
        **shared, topic="orders/create", webhook_id=f"{slug}-webhook", body_sha256="0" * 64, resource=f"{slug}-order"
    )
    PrivacyRequest.objects.create(
        **shared, kind="export", shop=f"{slug}.myshopify.com", due_at=AS_OF, export={"orders": [f"{slug}-order"]}
    )
    TokenUse.objects.create(tenant=tenant, credential=store.credential, at=AS_OF, operation=f"GET /{slug}")


@pytest.fixture
def ours(house: House) -> Action:
    """A waiting action of the first house, which has a row of every model."""
    return fill(house)


@pytest.fixture
def foreign(db: None) -> House:
    other = make_house(FOREIGN)
    fill(other)
    return other


@pytest.fixture
def log_in() -> As:
    def as_user(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return as_user


def registered() -> list[Any]:
    """Every model that has pages of its own."""
    return sorted(admin.site._registry, key=lambda model: model._meta.label)


def row_of(model: Any, house: House) -> Any:
    """A row of this house, whichever way the model hangs on its tenant."""
    with all_tenants():
        for lookup in ({"tenant": house.tenant}, {"scope": str(house.tenant.pk)}):
            if next(iter(lookup)) in {field.name for field in model._meta.concrete_fields}:
                return model._default_manager.filter(**lookup).first()
    return {"User": house.viewer, "Tenant": house.tenant}[model.__name__]

"""A merchant's TikTok Shop and the creator it also is, from the sandbox over HTTP to the score."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from accounts.hours import HOUR
from accounts.models import Store, StoreKind
from connectors.connections import connect_creator, connect_store
from connectors.sandbox.server import running_sandbox
from connectors.store_contracts import Marketplace
from metrics.assessments import assess, verify
from metrics.marketplace import hour_checks, shop_figures
from metrics.models import AffiliateSale, Order, Refund, ShopDay, ShopHealth, ShopReturn
from metrics.sync import sync_orders, sync_products
from metrics.sync.marketplace import sync_creator, sync_marketplace
from tests.connectors.sandbox.visitor import Visitor
from tests.factories import AS_OF, House
from tests.metrics.tiktok_shops import DAY, MICROS, make_shop

pytestmark = pytest.mark.usefixtures("everywhere")

DAYS = 32
SINCE = AS_OF - DAYS * DAY


@pytest.fixture
def box(settings: Any) -> Iterator[Visitor]:
    settings.TIKTOK_SHOP_QPS = 10_000
    with running_sandbox(start=AS_OF, days=DAYS, ad_sets=3, tenants=1) as running:
        settings.TIKTOK_SHOP_BASE_URL = running.url
        yield Visitor(running.url)


def connected(house: House, box: Visitor, token: str, external_id: str, **values: Any) -> Store:
    who = box.who["tiktok_shop"]
    store = make_shop(house, external_id, **values)
    opened = {"app_id": who["app_key"], "app_secret": who["app_secret"], "access_token": who[token]}
    for name, value in opened.items():
        setattr(store.credential, name, value)
    store.credential.save()
    return store


@pytest.fixture
def shop(house: House, box: Visitor) -> Store:
    who = box.who["tiktok_shop"]
    return connected(house, box, "access_token", who["shop_id"], cipher=who["shop_cipher"])


@pytest.fixture
def creator(house: House, box: Visitor) -> Store:
    return connected(house, box, "creator_access_token", box.who["tiktok_shop"]["creator_id"], kind=StoreKind.CREATOR)


def read(shop: Store, as_of: Any = AS_OF) -> None:
    shop = Store.objects.select_related("credential").get(pk=shop.pk)
    client = connect_store(shop)
    assert isinstance(client, Marketplace)
    sync_orders(shop, client, since=SINCE, as_of=as_of)
    sync_products(shop, client, as_of=as_of)
    assert sync_marketplace(shop, client, as_of=as_of) == {}


def test_a_shop_and_a_creator_are_read_added_up_and_assessed(
    shop: Store, creator: Store, house: House, box: Visitor
) -> None:
    read(shop)
    assert sync_creator(creator, connect_creator(creator), as_of=AS_OF) == {}
    shop.refresh_from_db()

    final = ShopReturn.objects.filter(store=shop, is_refunded=True)
    assert final.exists()
    booked = Refund.objects.filter(order__store=shop).values_list("external_id", "amount_micros")
    assert set(booked) == {(f"return:{row.external_id}", row.amount_micros) for row in final}

    figures = shop_figures(shop, AS_OF - 20 * DAY, AS_OF)
    assert all(getattr(figures, name) is not None for name in ("gmv_micros", "refunds_micros", "settled_micros"))
    assert figures.commission_expected_micros and figures.return_rate is not None
    checks = hour_checks(shop, AS_OF - 15 * DAY, AS_OF - 5 * DAY)
    theirs = sum(check.platform_orders or 0 for check in checks)
    cancelled = Order.objects.filter(
        store=shop, cancelled_at__isnull=False, ordered_at__gte=AS_OF - 15 * DAY, ordered_at__lt=AS_OF - 5 * DAY
    ).count()
    assert len(checks) == 240
    assert abs(sum(check.orders or 0 for check in checks) - theirs) <= cancelled + 2  # counted when paid, not placed

    row = assess(house.tenant, period_end=AS_OF, days=30, actor="test")
    inputs = row.inputs
    assert (inputs["stores_read"], inputs["known_days"], inputs["rating_ppm"]) == (
        2,
        30,
        ShopHealth.objects.get().score_ppm,
    )
    assert inputs["affiliate_orders"] > 0 and inputs["orders"] > 500
    assert row.score_ppm is not None and "too_little_known" not in row.reasons
    assert (row.monthly_revenue_micros or 0) > 1_000 * MICROS
    assert verify(row).holds


def test_an_hour_later_only_news_changes_what_is_stored(shop: Store, box: Visitor) -> None:
    read(shop)
    before = AffiliateSale.objects.filter(store=shop).count(), ShopDay.objects.count()
    read(shop)
    assert (AffiliateSale.objects.filter(store=shop).count(), ShopDay.objects.count()) == before
    box.advance(30)
    read(shop, AS_OF + 30 * HOUR)
    assert AffiliateSale.objects.filter(store=shop).count() > before[0]
    assert ShopDay.objects.count() > before[1]
    refunds = Refund.objects.filter(order__store=shop)
    assert refunds.filter(refunded_at__gte=AS_OF - timedelta(hours=1)).exists()
    assert refunds.count() == ShopReturn.objects.filter(store=shop, is_refunded=True).count()

"""The account step on real rows: what counts, when, at what cost, and that doing it again changes nothing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.hours import HOUR
from accounts.models import Ad, AdSet
from accounts.money import MICROS
from metrics.accounting import account_slot, attribute_orders, store_rewards
from metrics.models import HourlyMetric, Order, OrderEdit, OrderLine, ProductCost, Refund, Reward
from tests.factories import AS_OF, SLOT, House, add_order, make_house

pytestmark = pytest.mark.usefixtures("everywhere")

START = SLOT - 72 * HOUR
UNIT = MICROS
Key = tuple[AdSet, Any]


def spend(house: House, ad_set: AdSet, hour: Any = SLOT, micros: int = 3 * UNIT) -> None:
    HourlyMetric.objects.create(
        tenant=house.tenant,
        ad_set=ad_set,
        ad_account=house.account,
        hour=hour,
        spend_micros=micros,
        impressions=10,
        clicks=1,
        known_at=AS_OF,
    )


def sale(house: House, at: Any = SLOT, total: int = 50 * UNIT, quantity: int = 0, **values: Any) -> Order:
    order = add_order(house, house.ad_sets[0], at=at + timedelta(minutes=20), total_micros=total)
    if values:
        Order.objects.filter(pk=order.pk).update(**values)
        order.refresh_from_db()
    if quantity:
        OrderLine.objects.create(
            tenant=house.tenant,
            order=order,
            external_id="l",
            product_external_id="p",
            quantity=quantity,
            unit_price_micros=total,
        )
    return order


def refund(house: House, order: Order, at: Any, micros: int = 20 * UNIT) -> None:
    Refund.objects.create(tenant=house.tenant, order=order, external_id=f"r{at}", refunded_at=at, amount_micros=micros)


def compute(house: House) -> int:
    house.tenant.refresh_from_db()
    return store_rewards(house.tenant, start=START, as_of=AS_OF)


def reward(ad_set: AdSet, hour: Any = SLOT) -> Reward | None:
    found: Reward | None = Reward.objects.filter(ad_set=ad_set, hour=hour).first()
    return found


def everything() -> list[dict[str, Any]]:
    return list(Reward.objects.order_by("ad_set", "hour").values())


def earned(house: House, hour: Any = SLOT) -> tuple[int, int, int, int]:
    row = reward(house.ad_sets[0], hour)
    assert row is not None
    return row.orders, row.revenue_micros, row.refunds_micros, row.profit_micros


def test_an_hour_earns_its_orders_less_its_spend(house: House) -> None:
    spend(house, house.ad_sets[0])
    sale(house)
    sale(house)
    compute(house)
    assert earned(house) == (2, 100 * UNIT, 0, 97 * UNIT)


def test_the_price_of_money_enters_the_reward_only(house: House) -> None:
    spend(house, house.ad_sets[0])
    house.tenant.lambda_spend_ppm = 500_000
    house.tenant.save()
    compute(house)
    row = reward(house.ad_sets[0])
    assert row is not None
    assert (row.profit_micros, row.reward_micros, row.lambda_ppm) == (-3 * UNIT, -4_500_000, 500_000)


def test_a_late_refund_is_booked_at_its_own_hour(house: House) -> None:
    order = sale(house, at=SLOT - 40 * HOUR)
    refund(house, order, at=SLOT + timedelta(minutes=1))
    compute(house)
    assert earned(house, SLOT - 40 * HOUR) == (1, 50 * UNIT, 0, 50 * UNIT)
    assert earned(house) == (0, 0, 20 * UNIT, -20 * UNIT)


def edit(house: House, order: Order, at: Any, micros: int) -> None:
    OrderEdit.objects.create(
        tenant=house.tenant, order=order, external_id=f"e{at}{micros}", edited_at=at, amount_micros=micros
    )


def test_an_edit_is_booked_at_its_own_hour_and_what_it_takes_off_stands_among_the_refunds(house: House) -> None:
    order = sale(house, at=SLOT - 40 * HOUR)
    edit(house, order, SLOT, 7 * UNIT)
    edit(house, order, SLOT + timedelta(minutes=1), -30 * UNIT)
    compute(house)
    assert earned(house, SLOT - 40 * HOUR) == (1, 50 * UNIT, 0, 50 * UNIT)
    assert earned(house) == (0, 7 * UNIT, 30 * UNIT, -23 * UNIT)


def test_an_edit_of_what_is_no_sale_earns_nothing(house: House) -> None:
    spend(house, house.ad_sets[0])
    edit(house, sale(house, is_test=True), SLOT, 7 * UNIT)
    compute(house)
    assert earned(house) == (0, 0, 0, -3 * UNIT)


def test_a_refund_of_an_order_older_than_the_span_still_counts(house: House) -> None:
    refund(house, sale(house, at=SLOT - 400 * HOUR), at=SLOT)
    compute(house)
    assert earned(house) == (0, 0, 20 * UNIT, -20 * UNIT)


@pytest.mark.parametrize(
    "values", [{"cancelled_at": SLOT}, {"is_test": True}, {"is_paid": False}], ids=["cancelled", "test", "unpaid"]
)
def test_what_is_no_sale_earns_nothing_and_its_refunds_cost_nothing(house: House, values: dict[str, Any]) -> None:
    spend(house, house.ad_sets[0])
    refund(house, sale(house, **values), at=SLOT)
    compute(house)
    assert earned(house) == (0, 0, 0, -3 * UNIT)


def test_an_order_without_an_ad_set_is_nobodys_revenue(house: House) -> None:
    sale(house, ad_set=None)
    compute(house)
    assert everything() == []


def cost(house: House, micros: int, start: date, product: str = "p") -> None:
    ProductCost.objects.create(
        tenant=house.tenant,
        store=house.store,
        product_external_id=product,
        unit_cost_micros=micros,
        effective_from=start,
    )


def cogs(house: House, hour: Any = SLOT) -> int | None:
    compute(house)
    row = reward(house.ad_sets[0], hour)
    assert row is not None
    return row.cogs_micros


def test_a_dated_product_cost_counts_from_its_local_day_on(house: House) -> None:
    cost(house, 5 * UNIT, date(2026, 1, 1))
    cost(house, 9 * UNIT, date(2026, 11, 20))
    night = SLOT.replace(hour=3)  # 22:20 of the 19th in the store's New York
    sale(house, quantity=2)
    sale(house, at=night, quantity=2)
    assert cogs(house) == 18 * UNIT
    assert cogs(house, night) == 10 * UNIT


def test_without_a_product_cost_the_tenants_cost_per_unit_counts(house: House) -> None:
    cost(house, 9 * UNIT, date(2026, 12, 1))
    cost(house, 9 * UNIT, date(2026, 1, 1), product="another")
    house.tenant.cogs_per_unit_micros = 4 * UNIT
    house.tenant.save()
    sale(house, quantity=3)
    assert cogs(house) == 12 * UNIT


def test_without_any_cost_it_is_unknown_and_not_zero(house: House) -> None:
    sale(house, quantity=1)
    assert cogs(house) is None


def test_a_cost_of_zero_is_known(house: House) -> None:
    cost(house, 0, date(2026, 1, 1))
    sale(house, quantity=1)
    assert cogs(house) == 0


def test_computing_again_changes_nothing(house: House) -> None:
    spend(house, house.ad_sets[0])
    spend(house, house.ad_sets[1])
    refund(house, sale(house, quantity=2), at=SLOT)
    count = compute(house)
    before = everything()
    assert count == len(before) == 2
    assert compute(house) == 0
    assert everything() == before


def test_what_changed_afterwards_is_made_good(house: House) -> None:
    spend(house, house.ad_sets[0])
    order = sale(house)
    compute(house)
    HourlyMetric.objects.update(spend_micros=10 * UNIT)
    Order.objects.filter(pk=order.pk).update(total_micros=80 * UNIT)
    compute(house)
    assert earned(house) == (1, 80 * UNIT, 0, 70 * UNIT)


def test_a_sale_that_is_cancelled_leaves_no_revenue_behind_even_in_an_hour_without_spend(house: House) -> None:
    order = sale(house)
    compute(house)
    Order.objects.filter(pk=order.pk).update(cancelled_at=SLOT)
    compute(house)
    assert earned(house) == (0, 0, 0, 0)


def test_orders_in_another_currency_earn_no_reward(house: House) -> None:
    spend(house, house.ad_sets[0])
    sale(house, currency="EUR")
    assert compute(house) == 0
    assert everything() == []


def test_a_refund_in_another_currency_is_not_subtracted(house: House) -> None:
    spend(house, house.ad_sets[0])
    refund(house, sale(house, at=SLOT - 400 * HOUR, currency="EUR"), at=SLOT)
    compute(house)
    assert everything() == []


def test_another_tenants_orders_are_not_ours(house: House) -> None:
    other = make_house("other")
    sale(other)
    sale(house)
    compute(house)
    assert earned(house)[0] == 1
    assert reward(other.ad_sets[0]) is None


def unjoined(house: House, **values: Any) -> Order:
    order = add_order(house, None, at=SLOT, total_micros=UNIT)
    Order.objects.filter(pk=order.pk).update(**values)
    return order


def test_orders_are_joined_by_click_id_and_utm_and_stay_joined(house: House) -> None:
    first, second, _ = house.ad_sets
    ad = Ad.objects.create(
        tenant=house.tenant,
        ad_account=house.account,
        ad_set=second,
        external_id="77",
        name="Ad",
        status="active",
        seen_at=AS_OF,
    )
    by_click = unjoined(house, click_platform="meta", click_id="x", utm_source="", utm_term=first.external_id)
    by_ad = unjoined(house, utm_content=ad.external_id)
    stray = unjoined(house, utm_source="newsletter", utm_term=first.external_id)
    assert attribute_orders(house.tenant, since=START) == 2
    rows = dict(Order.objects.values_list("pk", "ad_set"))
    methods = dict(Order.objects.values_list("pk", "attribution"))
    assert [rows[o.pk] for o in (by_click, by_ad, stray)] == [first.pk, second.pk, None]
    assert [methods[o.pk] for o in (by_click, by_ad, stray)] == ["click_id", "utm", "none"]
    assert attribute_orders(house.tenant, since=START) == 0


def test_orders_are_not_joined_to_another_tenants_ad_set(house: House) -> None:
    other = make_house("other")
    order = unjoined(house, utm_term=other.ad_sets[0].external_id)
    attribute_orders(house.tenant, since=START)
    order.refresh_from_db()
    assert order.ad_set is None


def test_an_order_that_moves_to_another_ad_set_takes_its_revenue_along(house: House) -> None:
    order = sale(house)
    account_slot(house.tenant, as_of=AS_OF, lookback=72 * HOUR)
    Order.objects.filter(pk=order.pk).update(utm_term=house.ad_sets[1].external_id)
    account_slot(house.tenant, as_of=AS_OF, lookback=72 * HOUR)
    assert sum(Reward.objects.values_list("revenue_micros", flat=True)) == 50 * UNIT
    moved = reward(house.ad_sets[1])
    assert moved is not None
    assert moved.revenue_micros == 50 * UNIT


def test_rewards_are_computed_from_what_is_stored_once_nobody_else_computes_them(
    house: House, everywhere: None
) -> None:
    with CaptureQueriesContext(connection) as queries:
        store_rewards(house.tenant, start=SLOT, as_of=AS_OF)
    tables = [query["sql"] for query in queries.captured_queries]
    locked = next(i for i, sql in enumerate(tables) if 'FROM "accounts_tenant"' in sql)
    read = [i for i, sql in enumerate(tables) if '"metrics_' in sql]
    assert read and locked < min(read)

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.hours import HOUR
from accounts.models import AdAccount, Store, Tenant
from accounts.money import MICROS
from accounts.scoping import all_tenants, tenant_scope
from metrics.models import HourlyMetric, Order, OrderLine, ProductCost, Refund, StoreCoverage, SyncedHour
from metrics.overview import Overview, divided, hourly, newest_span, overview
from tests.api.partner import Partner, assert_problem
from tests.factories import AS_OF, House, add_order

START = AS_OF - 4 * HOUR


@pytest.fixture
def four_hours(house: House) -> House:
    """Four hours: 30 spent in each; three orders of 100, one not attributed; one refund of 20; costs of 10."""
    with all_tenants():
        StoreCoverage.objects.create(tenant=house.tenant, store=house.store, known_from=START, known_to=AS_OF)
        for i in range(4):
            hour = START + i * HOUR
            SyncedHour.objects.create(tenant=house.tenant, ad_account=house.account, hour=hour, known_at=AS_OF)
            HourlyMetric.objects.create(
                tenant=house.tenant,
                ad_account=house.account,
                ad_set=house.ad_sets[0],
                hour=hour,
                spend_micros=30 * MICROS,
                impressions=1,
                clicks=1,
                known_at=AS_OF,
            )
        ProductCost.objects.create(
            tenant=house.tenant,
            store=house.store,
            product_external_id="p",
            unit_cost_micros=10 * MICROS,
            effective_from=date(2026, 1, 1),
        )
    sold = [
        (house.ad_sets[0], START, True),
        (None, START + HOUR, False),
        (house.ad_sets[1], AS_OF - timedelta(seconds=1), True),
    ]
    for ad_set, at, is_new in sold:
        order = add_order(house, ad_set, at=at, total_micros=100 * MICROS, is_new_customer=is_new)
        add_line(house, order)
    add_order(house, None, at=AS_OF, total_micros=100 * MICROS)
    add_order(house, None, at=START - timedelta(seconds=1), total_micros=100 * MICROS)
    with all_tenants():
        Refund.objects.create(
            tenant=house.tenant, order=order, external_id="r", refunded_at=START + 2 * HOUR, amount_micros=20 * MICROS
        )
    return house


def add_line(house: House, order: Order, product: str = "p") -> None:
    with all_tenants():
        OrderLine.objects.create(
            tenant=house.tenant,
            order=order,
            external_id=f"l{order.pk}"[:64],
            product_external_id=product,
            quantity=1,
            unit_price_micros=100 * MICROS,
        )


def look(house: House, start: datetime = START, end: datetime = AS_OF) -> Overview:
    with tenant_scope(house.tenant):
        return overview(house.tenant, start, end)


def test_the_figures_are_exact(four_hours: House) -> None:
    seen = look(four_hours)
    assert (seen.spend_micros, seen.revenue_micros, seen.refunds_micros) == (120 * MICROS, 300 * MICROS, 20 * MICROS)
    assert (seen.cogs_micros, seen.profit_micros) == (30 * MICROS, 130 * MICROS)
    assert (seen.orders, seen.attributed_orders, seen.new_customers) == (3, 2, 2)
    assert (seen.roas, seen.mer) == (Decimal("1.5"), Decimal(280) / 120)
    assert (seen.cpa_micros, seen.aov_micros) == (60 * MICROS, 100 * MICROS)
    assert [hour.revenue_micros for hour in seen.hours] == [100 * MICROS, 100 * MICROS, 0, 100 * MICROS]
    assert [hour.profit_micros for hour in seen.hours] == [n * MICROS for n in (60, 60, -50, 60)]


def test_an_hour_that_was_not_read_is_unknown_and_so_is_its_sum(four_hours: House) -> None:
    with all_tenants():
        SyncedHour.objects.filter(hour=START).delete()
    seen = look(four_hours)
    assert seen.hours[0].spend_micros is seen.hours[0].profit_micros is None
    assert seen.hours[0].revenue_micros == 100 * MICROS
    assert (seen.spend_micros, seen.profit_micros, seen.roas, seen.cpa_micros) == (None,) * 4
    assert seen.spend_coverage == Decimal("0.75")


def test_an_hour_outside_the_stores_coverage_is_unknown(four_hours: House) -> None:
    seen = look(four_hours, START - HOUR, AS_OF)
    assert seen.hours[0].revenue_micros is None
    assert seen.revenue_micros is None


def test_an_hour_that_the_store_covers_in_part_is_unknown(four_hours: House) -> None:
    with all_tenants():
        StoreCoverage.objects.update(known_to=AS_OF - timedelta(minutes=1))
    assert [hour.orders is None for hour in look(four_hours).hours] == [False, False, False, True]


def test_a_refund_in_another_currency_of_an_earlier_order_makes_refunds_unknown(four_hours: House) -> None:
    with all_tenants():
        earlier = add_order(four_hours, None, at=START - HOUR, total_micros=MICROS)
        Order.objects.filter(pk=earlier.pk).update(currency="EUR")
        Refund.objects.create(
            tenant=four_hours.tenant, order=earlier, external_id="e", refunded_at=START, amount_micros=MICROS
        )
    assert look(four_hours).refunds_micros is None


def test_one_product_without_a_cost_makes_cost_and_profit_unknown(four_hours: House) -> None:
    add_line(four_hours, add_order(four_hours, None, at=START, total_micros=MICROS), product="new")
    seen = look(four_hours)
    assert (seen.cogs_micros, seen.profit_micros) == (None, None)
    assert seen.revenue_micros == 301 * MICROS


def test_one_order_that_does_not_tell_makes_new_customers_unknown(four_hours: House) -> None:
    add_order(four_hours, None, at=START, total_micros=MICROS)
    assert look(four_hours).new_customers is None


def test_orders_that_are_no_revenue_do_not_count(four_hours: House) -> None:
    for values in ({"is_test": True}, {"cancelled_at": AS_OF}):
        add_order(four_hours, None, at=START, total_micros=MICROS, **values)
    assert look(four_hours).orders == 3


FOREIGN: list[tuple[Any, dict[str, str], str]] = [
    (AdAccount, {"currency": "EUR"}, "spend_micros"),
    (Order, {"currency": "EUR"}, "revenue_micros"),
    (Store, {"currency": "EUR"}, "revenue_micros"),
]


@pytest.mark.parametrize(("model", "values", "name"), FOREIGN)
def test_money_of_another_currency_is_never_added_up(
    model: Any, values: dict[str, str], name: str, four_hours: House
) -> None:
    with all_tenants():
        model.objects.update(**values)
    assert getattr(look(four_hours), name) is None


def test_a_second_account_that_was_not_read_makes_spend_unknown(four_hours: House) -> None:
    with all_tenants():
        account = AdAccount.objects.get()
        account.pk, account.external_id = None, "act_2"
        AdAccount.objects.create(
            tenant=four_hours.tenant,
            platform="meta",
            external_id="act_2",
            name="two",
            currency="USD",
            credential=account.credential,
        )
    assert look(four_hours).spend_micros is None


def test_without_spend_ratios_over_it_are_undefined(four_hours: House) -> None:
    with all_tenants():
        HourlyMetric.objects.all().delete()
    seen = look(four_hours)
    assert (seen.spend_micros, seen.roas, seen.mer) == (0, None, None)


def test_a_tenant_with_nothing_has_no_figures(db: None) -> None:
    with all_tenants():
        tenant = Tenant.objects.create(name="New", slug="new")
        seen = overview(tenant, START, AS_OF)
        assert (seen.spend_micros, seen.revenue_micros, seen.profit_micros) == (None, None, None)
        assert newest_span(tenant, datetime(2026, 11, 20, 16, 40, tzinfo=UTC)) == (AS_OF - timedelta(days=7), AS_OF)


def test_another_tenants_figures_stay_out(four_hours: House, other: House) -> None:
    with all_tenants():
        assert all(hour.orders is None for hour in hourly(other.tenant, START, AS_OF))


@pytest.mark.parametrize(
    ("micros", "count", "share"),
    [(10, 4, 3), (10, 3, 3), (11, 3, 4), (5, 0, None), (None, 3, None), (5, None, None)],
)
def test_a_share_is_the_nearest_micro(micros: int | None, count: int | None, share: int | None) -> None:
    assert divided(micros, count) == share


def test_the_api_shows_the_newest_week_by_default(four_hours: House, partner: Partner) -> None:
    body = partner.get("overview").json()
    assert (body["start"], body["end"]) == ("2026-11-13T16:00:00Z", "2026-11-20T16:00:00Z")
    assert len(body["hours"]) == 168
    assert body["kpis"]["spend"] is None
    assert body["hours"][-1]["spend"] == {"amount_micros": 30_000_000, "currency": "USD"}


def test_the_api_shows_ratios_as_text(four_hours: House, partner: Partner) -> None:
    span = {"from": "2026-11-20T12:00:00Z", "to": "2026-11-20T11:00:00-05:00"}
    kpis = partner.get("overview", **span).json()["kpis"]
    assert (kpis["roas"], kpis["mer"], kpis["spend_coverage"]) == ("1.5000", "2.3333", "1.0000")
    assert kpis["profit"] == {"amount_micros": 130_000_000, "currency": "USD"}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-20T12:30:00Z", "2026-11-20T16:00:00Z"),
        ("2026-11-20T16:00:00Z", "2026-11-20T16:00:00Z"),
        ("2026-11-20T16:00:00Z", "2026-11-20T12:00:00Z"),
        ("2026-10-01T00:00:00Z", "2026-11-01T01:00:00Z"),
        ("2026-11-20T12:00:00+05:30", "2026-11-20T16:00:00Z"),
    ],
)
def test_refuses_a_span_that_is_none(start: str, end: str, partner: Partner) -> None:
    assert_problem(partner.get("overview", **{"from": start, "to": end}), 400, "invalid_parameter")


@pytest.mark.parametrize("given", ["from", "to"])
def test_one_end_leads_to_seven_days(given: str, partner: Partner) -> None:
    body = partner.get("overview", **{given: "2026-11-20T16:00:00Z"}).json()
    assert len(body["hours"]) == 168
    assert body[{"from": "start", "to": "end"}[given]] == "2026-11-20T16:00:00Z"

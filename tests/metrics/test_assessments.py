"""Credit assessments from rows: what they rest on, and that they stand the test of being computed and read again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.hours import HOUR
from accounts.models import Store, StoreKind
from accounts.money import text_from_micros
from accounts.scoping import ScopeError, tenant_scope
from metrics import credit_facts
from metrics.assessments import AssessmentError, assess, digest, evidence_counts, recompute, verify
from metrics.models import AffiliateSale, CreditAssessment, CreditEvidence, Order, Product, Refund, ShopHealth
from tests.factories import AS_OF, House, make_house
from tests.metrics.tiktok_shops import DAY, MICROS, cover, make_shop, sell

pytestmark = pytest.mark.usefixtures("everywhere")

LAST = AS_OF - HOUR


def sell_evenly(store: Store, orders: int, dollars: int = 100, days: int = 90, name: str = "o") -> list[Order]:
    span = {"tenant": store.tenant, "store": store, "currency": store.currency, "is_paid": True, "units": 1}
    step = timedelta(days=days) / orders
    times = [AS_OF - (n + 0.5) * step for n in range(orders)]
    return Order.objects.bulk_create(
        Order(external_id=f"{name}{n}", ordered_at=at, platform_updated_at=at, total_micros=dollars * MICROS, **span)
        for n, at in enumerate(times)
    )


def give_back(order: Order, dollars: int, at: Any = LAST) -> Refund:
    shared = {"tenant": order.tenant, "order": order, "refunded_at": at}
    row: Refund = Refund.objects.create(
        external_id=f"return:{order.external_id}", amount_micros=dollars * MICROS, **shared
    )
    return row


def bring(store: Store, order: str, at: Any = LAST, sku: str = "s", **values: Any) -> AffiliateSale:
    usual: dict[str, Any] = {
        "quantity": 1,
        "sales_micros": 150 * MICROS,
        "commission_rate_ppm": 150_000,
        "estimated_micros": None,
        "commission_micros": None,
    }
    shared = {"tenant": store.tenant, "store": store, "currency": store.currency, "known_at": AS_OF, "sold_at": at}
    row: AffiliateSale = AffiliateSale.objects.create(
        external_id=order, sku_external_id=sku, **shared, **{**usual, **values}
    )
    return row


def add_product(store: Store, name: str, listed_at: Any, status: str = "activate") -> Product:
    row: Product = Product.objects.create(
        tenant=store.tenant,
        store=store,
        external_id=name,
        status=status,
        listed_at=listed_at,
        platform_updated_at=listed_at,
    )
    return row


def rate(store: Store, score: int | None, at: Any = LAST) -> ShopHealth:
    row: ShopHealth = ShopHealth.objects.create(
        tenant=store.tenant, store=store, evaluated_at=at, score_ppm=score, known_at=AS_OF
    )
    return row


@pytest.fixture
def shop(house: House) -> Store:
    """150 orders of 100 in 90 days, 750 paid back, rated 4.5; 20 products before, 22 now."""
    shop = make_shop(house)
    cover(shop, "", "returns", "affiliate", "products", "health")
    orders = sell_evenly(shop, 150)
    give_back(orders[0], 750)
    rate(shop, 2_000_000, AS_OF - 3 * DAY)
    rate(shop, 4_500_000)
    for n in range(22):
        add_product(shop, f"p{n}", AS_OF - (400 if n < 20 else 10) * DAY)
    add_product(shop, "off", AS_OF - 400 * DAY, status="seller_deactivated")
    return shop


@pytest.fixture
def creator(house: House) -> Store:
    creator = make_shop(house, "creator", kind=StoreKind.CREATOR)
    cover(creator, "affiliate")
    return creator


def made(house: House, **values: Any) -> CreditAssessment:
    return assess(house.tenant, **{"period_end": AS_OF, "actor": "test", **values})


def monthly(row: CreditAssessment) -> str:
    assert row.monthly_revenue_micros is not None
    return text_from_micros(row.monthly_revenue_micros)


def test_the_worked_seller_from_rows(shop: Store, house: House) -> None:
    row = made(house)
    assert (monthly(row), row.tier, row.asked_by) == ("4,750.00", "up_to_5000", "test")
    assert {factor["name"]: factor["score_ppm"] for factor in row.factors} == {
        "revenue": 484_375,
        "consistency": 1_000_000,
        "reliability": 868_750,
        "growth": 525_000,
    }
    assert row.reasons == ["unknown_violations", "unknown_affiliate_growth"]
    assert (row.score_ppm, row.coverage_ppm, row.confidence_ppm) == (672_500, 920_000, 920_000)
    assert evidence_counts(row) == {"Store": 1, "Order": 150, "Refund": 1, "Product": 22, "ShopHealth": 2}


def test_the_worked_creator_from_rows_settled_or_expected_or_by_the_rate(creator: Store, house: House) -> None:
    for n in range(200):
        at = AS_OF - (n * 0.45 + 0.1) * DAY
        told: dict[str, Any] = (
            {"commission_micros": 22_500_000} if n % 2 else {"estimated_micros": 22_500_000} if n % 4 else {}
        )
        bring(creator, f"c{n}", at, **told)
    row = made(house)
    assert (monthly(row), row.inputs["affiliate_orders"]) == ("1,500.00", 200)
    assert row.inputs["purses"][0]["settled_micros"] == 2_250 * MICROS
    assert "unknown_rating" in row.reasons and row.score_ppm is not None


def test_own_sales_and_commissions_are_added_up_over_shops_and_currencies(house: House, settings: Any) -> None:
    settings.USD_RATES = {"GBP": "1.25"}
    british = make_shop(house, "gb", region="GB", currency="GBP", timezone="Europe/London")
    cover(british, "", "returns", "affiliate", "products")
    sell_evenly(british, 80, 100)  # 8,000 pounds: 10,000 dollars
    creator = make_shop(house, "creator", kind=StoreKind.CREATOR)
    cover(creator, "affiliate")
    bring(creator, "c", sales_micros=9_999 * MICROS, commission_micros=3_000 * MICROS)
    assert monthly(made(house)) == "4,333.33"


def test_one_order_in_two_skus_is_one_order_and_a_lost_one_none(creator: Store, house: House) -> None:
    bring(creator, "a", sku="1", commission_micros=MICROS)
    bring(creator, "a", sku="2", commission_micros=MICROS)
    bring(creator, "b", commission_micros=0)
    bring(creator, "c", commission_rate_ppm=None)
    inputs = made(house).inputs
    assert (inputs["affiliate_orders"], inputs["untold_commissions"]) == (1, 1)


def test_what_counts_is_paid_real_and_not_cancelled_and_of_the_period(shop: Store, house: House) -> None:
    before = made(house).inputs
    sell(shop, "sample", LAST, is_test=True)
    sell(shop, "unpaid", LAST, is_paid=False)
    sell(shop, "early", AS_OF - 90 * DAY - HOUR)
    sell(shop, "late", AS_OF)
    assert made(house).inputs | {"shop_age_days": 0} == before | {"shop_age_days": 0}
    sell(shop, "cancelled", LAST, cancelled_at=AS_OF)
    after = made(house).inputs
    assert (after["orders"], after["paid_orders"]) == (before["orders"], before["paid_orders"] + 1)


def test_an_order_at_the_border_of_two_months_belongs_to_the_younger(house: House) -> None:
    shop = make_shop(house)
    cover(shop, "", "returns")
    for n, at in enumerate((AS_OF - 90 * DAY, AS_OF - 30 * DAY, AS_OF - 30 * DAY - timedelta.resolution)):
        sell(shop, str(n), at)
    assert made(house).inputs["months_orders"] == [1, 1, 1]


def test_shops_of_the_whole_tenant_and_of_no_other(shop: Store, house: House) -> None:
    before = made(house).inputs
    stranger = make_shop(make_house("beta"), "b")
    cover(stranger, "", "returns")
    sell_evenly(stranger, 40)
    with tenant_scope(house.tenant):
        assert assess(house.tenant, period_end=AS_OF, actor="test").inputs == before


def test_nothing_is_read_or_stored_outside_a_scope_of_the_tenant(shop: Store, house: House) -> None:
    with tenant_scope(make_house("beta").tenant):
        with pytest.raises(ScopeError):
            assess(house.tenant, period_end=AS_OF, actor="test")
        assert not CreditAssessment.objects.exists()


LEFT_OUT: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({"region": "BR", "currency": "BRL"}, ("", "returns"), "market_not_supported"),
    ({}, ("",), "store_not_read"),
    ({}, ("returns",), "store_not_read"),
]


@pytest.mark.parametrize(("values", "kinds", "reason"), LEFT_OUT)
def test_a_store_that_cannot_be_taken_in_is_left_out_with_a_reason(
    shop: Store, house: House, values: dict[str, Any], kinds: tuple[str, ...], reason: str
) -> None:
    whole = made(house)
    other = make_shop(house, "other", **values)
    cover(other, *kinds)
    sell_evenly(other, 50)
    row = made(house)
    assert (row.monthly_revenue_micros, reason in row.reasons) == (whole.monthly_revenue_micros, True)
    assert row.confidence_ppm == whole.confidence_ppm // 2


def test_without_any_shop_there_is_an_assessment_without_a_score(house: House) -> None:
    row = made(house)
    assert (row.score_ppm, row.monthly_revenue_micros, row.confidence_ppm) == (None, None, 0)
    assert {"no_store", "period_too_short", "too_little_known"} <= set(row.reasons)
    assert verify(row).holds


def test_a_currency_without_a_rate_gives_no_score(shop: Store, house: House) -> None:
    sell(shop, "yen", LAST, currency="JPY")
    row = made(house)
    assert row.score_ppm is None and "no_rate" in row.reasons


def test_a_part_of_the_period_that_is_known_is_counted_as_what_it_is(shop: Store, house: House) -> None:
    cover(shop, "returns", low=AS_OF - 45 * DAY)
    row = made(house)
    assert (row.inputs["known_days"], row.inputs["months_orders"]) == (45, [50])
    assert {"period_partly_known", "unknown_revenue_growth"} <= set(row.reasons)


def test_a_period_that_ends_within_a_day_after_what_is_known_ends_with_that(shop: Store, house: House) -> None:
    row = made(house, period_end=AS_OF + 23 * HOUR)
    assert (row.period_end, row.inputs["known_days"]) == (AS_OF, 90)
    stale = made(house, period_end=AS_OF + 2 * DAY)
    assert (stale.period_end, stale.inputs["known_days"]) == (AS_OF + 2 * DAY, 88)


def test_unread_affiliates_and_products_are_unknown_and_not_zero(shop: Store, house: House) -> None:
    shop.further_coverage.filter(kind__in=["affiliate", "products"]).delete()
    inputs = made(house).inputs
    assert (inputs["products_now"], inputs["purses"][0]["affiliate_months"]) == (None, None)


@pytest.mark.parametrize("values", [{"days": 29}, {"days": 366}, {"period_end": AS_OF.replace(tzinfo=None)}])
def test_a_period_that_is_none_is_refused(values: dict[str, Any], house: House) -> None:
    with pytest.raises(AssessmentError, match="expected 30 to 365 days"):
        made(house, **values)


# --- Again -------------------------------------------------------------------------------------------------


def test_the_stored_inputs_give_the_same_figures_to_the_digit(shop: Store, house: House, settings: Any) -> None:
    row = CreditAssessment.objects.get(pk=made(house).pk)
    settings.USD_RATES = {"USD": "2"}
    Order.objects.all().delete()
    result = recompute(row)
    assert json.dumps(
        [result.score_ppm, result.tier, result.monthly_revenue_micros, result.confidence_ppm]
    ) == json.dumps([row.score_ppm, row.tier, row.monthly_revenue_micros, row.confidence_ppm])
    assert list(result.reasons) == row.reasons
    assert [factor.score_ppm for factor in result.factors] == [factor["score_ppm"] for factor in row.factors]


def test_inputs_that_were_changed_are_not_computed(shop: Store, house: House) -> None:
    row = made(house)
    row.inputs["orders"] += 1
    with pytest.raises(AssessmentError, match="changed since"):
        recompute(row)


def test_a_method_of_another_version_is_not_computed(shop: Store, house: House) -> None:
    row = made(house)
    row.method = "99"
    with pytest.raises(AssessmentError, match="does not know method '99'"):
        recompute(row)


def test_the_digest_depends_on_no_order_of_names(shop: Store, house: House) -> None:
    row = made(house)
    assert digest(dict(reversed(row.inputs.items()))) == row.inputs_sha256


def test_evidence_that_stands_holds_and_what_came_later_is_no_part_of_it(
    shop: Store, house: House, settings: Any
) -> None:
    row = made(house)
    settings.USD_RATES = {"USD": "3"}
    sell(shop, "new", LAST)
    rate(shop, 1, LAST + timedelta(minutes=1))
    assert verify(row).holds


def test_verifying_names_the_rows_that_are_gone_and_the_inputs_that_moved(shop: Store, house: House) -> None:
    row = made(house)
    lost = Order.objects.get(external_id="o7")
    Refund.objects.all().delete()
    Order.objects.filter(pk=lost.pk).delete()
    found = verify(row)
    assert found.gone["Order"] == [str(lost.pk)] and len(found.gone["Refund"]) == 1
    assert found.changed["orders"] == (150, 149)
    assert not found.holds


def test_verifying_names_the_rows_that_no_longer_count(shop: Store, house: House) -> None:
    row = made(house)
    order = Order.objects.get(external_id="o7")
    Order.objects.filter(pk=order.pk).update(is_paid=False)
    found = verify(row)
    assert (found.gone, found.dropped) == ({}, {"Order": [str(order.pk)]})


def test_verifying_sees_a_changed_amount(shop: Store, house: House) -> None:
    row = made(house)
    Order.objects.filter(external_id="o7").update(total_micros=1)
    found = verify(row)
    assert (found.gone, found.dropped, list(found.changed)) == ({}, {}, ["purses"])


def test_evidence_is_kept_in_portions_and_added_up_over_their_borders(
    creator: Store, shop: Store, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        for sku in "ab":
            bring(creator, f"c{n}", sku=sku, commission_micros=MICROS)
    whole = made(house)
    monkeypatch.setattr(credit_facts, "CHUNK", 7)
    row = made(house)
    assert row.inputs == whole.inputs
    assert row.inputs["affiliate_orders"] == 6
    parts = CreditEvidence.objects.filter(assessment=row, kind="Order")
    assert (parts.count(), max(len(part.row_ids) for part in parts)) == (22, 7)
    assert verify(row).holds and verify(whole).holds


def test_an_assessment_asks_no_more_of_the_database_for_more_orders(
    shop: Store, house: House, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(35):
        made(house)
    sell_evenly(shop, 900, name="more")
    with django_assert_max_num_queries(35):
        made(house)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's planner, which has no statistics")
def test_a_thousand_refunds_are_looked_up_by_their_keys_and_not_order_by_order(shop: Store, house: House) -> None:
    """Else verifying takes refunds times orders: minutes for a shop of some ten thousand."""
    scope = credit_facts.Scope(
        (shop.pk,), AS_OF - 90 * DAY, AS_OF, {"USD": "1"}, knows_affiliates=True, knows_products=True
    )
    (refunds,) = (source for source in credit_facts.SOURCES if source.model is Refund)
    rows = refunds.rows(scope).filter(pk__in=range(1000)).order_by(*refunds.order).values_list(*refunds.columns)
    assert "metrics_refund USING INTEGER PRIMARY KEY" in rows.explain().splitlines()[0]

"""What a shop sold and whose doing that is said to be, on known figures."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.hours import HOUR, hours_between
from accounts.models import AdAccount, AdSet, Campaign, Store, StoreKind
from metrics.marketplace import (
    Commissions,
    ShopFigures,
    Sold,
    _rest,
    commission_days,
    hour_checks,
    newest_known,
    shop_figures,
    split_of,
)
from metrics.models import AffiliateSale, HourlyMetric, Payment, Refund, ShopHour, ShopReturn, Statement, SyncedHour
from tests.factories import AS_OF, House
from tests.metrics.tiktok_shops import DAY, MICROS, cover, make_shop, sell

pytestmark = pytest.mark.usefixtures("everywhere")

START = AS_OF - 10 * HOUR
KINDS = ("", "returns", "affiliate", "statements", "payments")


def of(store: Store, model: Any, external_id: str = "x", currency: str = "USD", **values: Any) -> Any:
    shared = {"tenant": store.tenant, "store": store, "known_at": AS_OF}
    return model.objects.create(external_id=external_id, currency=currency, **shared, **values)


def add_sale(store: Store, order: str, at: Any = START, **values: Any) -> Any:
    usual: dict[str, Any] = {
        "sku_external_id": "s",
        "quantity": 1,
        "sales_micros": 100 * MICROS,
        "commission_micros": 15 * MICROS,
    }
    return of(store, AffiliateSale, order, sold_at=at, **(usual | values))


def add_return(store: Store, name: str, order: str, **values: Any) -> Any:
    usual: dict[str, Any] = {"requested_at": START, "platform_updated_at": START, "is_refunded": True, "units": 1}
    return of(store, ShopReturn, name, order_external_id=order, **(usual | {"amount_micros": 100 * MICROS} | values))


@pytest.fixture
def shop(house: House) -> Store:
    """Ten hours: four paid orders of 100 with two units each, one of them cancelled; two came through creators."""
    shop = make_shop(house)
    cover(shop, *KINDS)
    for n in range(3):
        sell(shop, f"o{n}", START + n * HOUR, units=2)
    sell(shop, "cancelled", START, units=2, cancelled_at=AS_OF)
    sell(shop, "unpaid", START, is_paid=False)
    sell(shop, "sample", START, is_test=True)
    sell(shop, "before", START - timedelta(seconds=1))
    sell(shop, "after", AS_OF)
    add_sale(shop, "o0")
    add_sale(shop, "o0", sku_external_id="t", commission_micros=None, estimated_micros=5 * MICROS)
    add_sale(shop, "cancelled", commission_micros=0)
    add_return(shop, "r1", "o1", units=1)
    add_return(shop, "r2", "o2", is_refunded=False)
    add_return(shop, "r3", "before")
    return shop


def look(shop: Store) -> ShopFigures:
    return shop_figures(shop, START, AS_OF)


def test_gmv_orders_and_their_average_count_what_was_paid_also_if_cancelled_later(shop: Store) -> None:
    seen = look(shop)
    assert (seen.gmv_micros, seen.orders, seen.units, seen.cancelled_orders) == (400 * MICROS, 4, 8, 1)
    assert seen.average_order_micros == 100 * MICROS


def test_the_return_rate_is_of_the_units_that_were_sold_in_the_span(shop: Store) -> None:
    assert (look(shop).returned_units, look(shop).return_rate) == (1, Decimal("0.125"))


def test_refunds_are_those_that_were_booked_in_the_span(shop: Store) -> None:
    for name, at in (("a", START), ("b", AS_OF)):
        order = sell(shop, name, START - DAY)
        refund = {"tenant": shop.tenant, "order": order, "external_id": "r"}
        Refund.objects.create(**refund, refunded_at=at, amount_micros=30 * MICROS)
    assert look(shop).refunds_micros == 30 * MICROS


def test_commissions_are_paid_or_expected(shop: Store) -> None:
    seen = look(shop)
    assert (seen.affiliate_orders, seen.affiliate_sales_micros) == (2, 300 * MICROS)
    assert (seen.commission_paid_micros, seen.commission_expected_micros) == (15 * MICROS, 5 * MICROS)


def test_settlements_and_payments_are_of_the_span(shop: Store) -> None:
    for name, at in (("in", START), ("out", AS_OF)):
        of(shop, Statement, name, statement_at=at, settlement_micros=-5 * MICROS, fee_micros=2 * MICROS)
        of(shop, Payment, name, initiated_at=at, amount_micros=7 * MICROS)
    seen = look(shop)
    assert (seen.settled_micros, seen.fees_micros, seen.paid_out_micros) == (-5 * MICROS, 2 * MICROS, 7 * MICROS)


OF_KIND = {
    "": ("gmv_micros", "orders", "refunds_micros", "average_order_micros", "return_rate"),
    "returns": ("refunds_micros", "returned_units", "return_rate"),
    "affiliate": ("affiliate_orders", "commission_paid_micros"),
    "statements": ("settled_micros", "fees_micros"),
    "payments": ("paid_out_micros",),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_not_read_for_the_whole_span_is_unknown(kind: str, shop: Store) -> None:
    cover(shop, kind, high=AS_OF - timedelta(seconds=1))
    assert all(getattr(look(shop), name) is None for name in OF_KIND[kind])
    others = {name for other, names in OF_KIND.items() if other != kind for name in names[:1]}
    assert kind in ("", "returns") or all(getattr(look(shop), name) is not None for name in others)


def test_money_of_another_currency_makes_sums_unknown_but_no_counts(shop: Store) -> None:
    sell(shop, "euros", START, currency="EUR")
    add_sale(shop, "euros", currency="EUR")
    seen = look(shop)
    assert (seen.orders, seen.gmv_micros, seen.average_order_micros) == (5, None, None)
    assert (seen.affiliate_orders, seen.commission_paid_micros) == (3, None)


def test_an_empty_span_is_zero_and_its_ratios_are_undefined(house: House) -> None:
    empty = make_shop(house)
    cover(empty, *KINDS)
    seen = look(empty)
    assert (seen.gmv_micros, seen.orders, seen.refunds_micros, seen.settled_micros) == (0, 0, 0, 0)
    assert (seen.average_order_micros, seen.return_rate) == (None, None)


def test_another_shops_rows_stay_out(shop: Store, house: House) -> None:
    before = look(shop)
    other = make_shop(house, "7496")
    sell(other, "o0", START)
    add_sale(other, "o1")
    add_return(other, "x", "o0")
    assert look(shop) == before


def test_the_platforms_hours_stand_beside_ours_and_correct_nothing(shop: Store) -> None:
    shared = {"tenant": shop.tenant, "store": shop, "currency": "USD", "known_at": AS_OF}
    for hour, orders in ((START, 2), (START + HOUR, 9), (START + 5 * HOUR, 0), (START - 100 * DAY, 1)):
        ShopHour.objects.create(hour=hour, gmv_micros=orders * 100 * MICROS, orders=orders, **shared)
    first, second, third = hour_checks(shop, START, AS_OF)
    assert (first.orders, first.platform_orders, first.is_equal) == (2, 2, True)
    assert (second.orders, second.platform_orders, second.is_equal) == (1, 9, False)
    assert (third.orders, third.gmv_micros, third.is_equal) == (0, 0, True)
    (unread,) = hour_checks(shop, START - 101 * DAY, START - 99 * DAY)
    assert (unread.orders, unread.is_equal) == (None, None)


def test_a_creators_commissions_by_the_local_day_of_the_sale(house: House) -> None:
    creator = make_shop(house, "creator", kind=StoreKind.CREATOR)
    cover(creator, "affiliate")
    late = AS_OF.replace(hour=4)  # 23:00 of the day before in New York
    add_sale(creator, "a", late)
    add_sale(creator, "a", late, sku_external_id="t", commission_micros=None, estimated_micros=MICROS)
    add_sale(creator, "b", late + HOUR, commission_micros=None, estimated_micros=None)
    found = commission_days(creator, date(2026, 11, 18), date(2026, 11, 20))
    assert found[date(2026, 11, 18)] == Commissions(0, 0, 0, 0)
    assert found[date(2026, 11, 19)] == Commissions(1, 200 * MICROS, 15 * MICROS, MICROS)
    assert found[date(2026, 11, 20)] is None  # not over yet
    assert newest_known(creator) == AS_OF


# --- The split ---------------------------------------------------------------------------------------------


def advertise(
    house: House, shop: Store, *, conversions: int | None = 1, value: int | None = 100, **values: Any
) -> None:
    """GMV Max for the shop: in each of the ten hours 5 spent, in the first so much claimed."""
    account = house.account
    AdAccount.objects.filter(pk=account.pk).update(platform="tiktok")
    named = {"external_id": shop.external_id + "9", "name": "GMV Max", "family": "gmv_max", "status": "active"}
    shared = {"tenant": house.tenant, "ad_account": account, "seen_at": AS_OF}
    campaign = Campaign.objects.create(**shared, **named, store_external_id=shop.external_id)
    Campaign.objects.filter(pk=campaign.pk).update(**values)
    ad_set = AdSet.objects.create(**shared, **named, campaign=campaign)
    for hour in hours_between(START, AS_OF):
        SyncedHour.objects.get_or_create(tenant=house.tenant, ad_account=account, hour=hour, known_at=AS_OF)
        is_first = hour == START
        HourlyMetric.objects.create(
            tenant=house.tenant,
            ad_account=account,
            ad_set=ad_set,
            hour=hour,
            spend_micros=5 * MICROS,
            impressions=0,
            clicks=0,
            conversions=conversions if is_first else 0,
            conversion_value_micros=None if value is None else value * MICROS if is_first else 0,
            known_at=AS_OF,
        )


def test_orders_are_split_and_the_rest_is_a_range(shop: Store, house: House) -> None:
    advertise(house, shop)
    split = split_of(shop, START, AS_OF)
    assert (split.total, split.affiliate, split.credited) == (
        Sold(4, 400 * MICROS),
        Sold(2, 200 * MICROS),
        Sold(1, 100 * MICROS),
    )
    assert (split.rest_low, split.rest_high) == (Sold(1, 100 * MICROS), Sold(2, 200 * MICROS))
    assert (split.spend_micros, split.reported_not_incremental_roi) == (50 * MICROS, Decimal(2))


def test_gmv_max_may_claim_more_than_there_is(shop: Store, house: House) -> None:
    advertise(house, shop, conversions=9, value=900)
    split = split_of(shop, START, AS_OF)
    assert (split.rest_low, split.rest_high) == (Sold(0, 0), Sold(0, 0))


def test_without_a_linked_advertiser_what_gmv_max_claims_is_unknown(shop: Store) -> None:
    split = split_of(shop, START, AS_OF)
    assert (split.credited, split.spend_micros, split.reported_not_incremental_roi) == (Sold(None, None), None, None)
    assert (split.rest_low, split.rest_high) == (Sold(0, 0), Sold(2, 200 * MICROS))


@pytest.mark.parametrize("values", [{"store_external_id": "another"}, {"family": "standard"}])
def test_campaigns_of_another_shop_or_family_claim_nothing_here(shop: Store, house: House, values: Any) -> None:
    advertise(house, shop, **values)
    assert split_of(shop, START, AS_OF).credited == Sold(None, None)


def test_an_hour_of_the_advertiser_that_was_not_read_makes_the_claim_unknown(shop: Store, house: House) -> None:
    advertise(house, shop)
    SyncedHour.objects.filter(hour=START).delete()
    assert split_of(shop, START, AS_OF).credited == Sold(None, None)


def test_hours_that_spent_but_tell_no_sales_make_the_claim_unknown(shop: Store, house: House) -> None:
    advertise(house, shop, conversions=None, value=None)
    split = split_of(shop, START, AS_OF)
    assert (split.credited, split.spend_micros) == (Sold(None, None), 50 * MICROS)


def test_an_advertiser_in_another_currency_tells_orders_and_no_money(shop: Store, house: House) -> None:
    advertise(house, shop)
    AdAccount.objects.update(currency="EUR")
    split = split_of(shop, START, AS_OF)
    assert (split.credited, split.spend_micros) == (Sold(1, None), None)
    assert split.rest_high == Sold(2, 200 * MICROS)


def test_without_the_affiliates_or_the_orders_the_split_says_what_it_can(shop: Store, house: House) -> None:
    advertise(house, shop)
    cover(shop, "affiliate", high=START)
    split = split_of(shop, START, AS_OF)
    assert (split.affiliate, split.rest_low, split.rest_high) == (Sold(None, None), Sold(0, 0), Sold(3, 300 * MICROS))
    cover(shop, "", high=START)
    assert split_of(shop, START, AS_OF).rest_high == Sold(None, None)


@given(ours=st.integers(0, 50), creators=st.integers(0, 50), overlap=st.integers(0, 50), organic=st.integers(0, 50))
def test_the_true_rest_lies_in_the_range(ours: int, creators: int, overlap: int, organic: int) -> None:
    """Orders by ads alone, by creators alone, by both, and by neither: whatever the claim took, the rest holds."""
    total = ours + creators + overlap + organic
    low, high = _rest(total, creators + overlap, ours + overlap)
    assert low is not None and high is not None
    assert low <= organic <= high

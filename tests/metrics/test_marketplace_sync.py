"""Reading a TikTok Shop's further data: each kind goes on where it ended, none holds up another, none counts twice."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.hours import HOUR
from accounts.models import Store, StoreKind
from connectors.errors import AuthenticationError, MalformedReplyError, PermissionDeniedError
from connectors.store_contracts import ShopDayRecord, ShopHealthRecord, ShopHourRecord
from metrics.models import (
    AffiliateSale,
    Order,
    Payment,
    Refund,
    ShopDay,
    ShopHealth,
    ShopHour,
    ShopReturn,
    SourceCoverage,
    Statement,
)
from metrics.sync import SyncCounts, store_records
from metrics.sync.marketplace import sync_creator, sync_marketplace
from tests.factories import AS_OF, House
from tests.metrics.tiktok_shops import (
    DAY,
    MICROS,
    Tok,
    affiliate_record,
    make_shop,
    order_record,
    payment_record,
    return_record,
    sell,
    statement_record,
)

pytestmark = pytest.mark.usefixtures("everywhere")

OLD = AS_OF - 10 * DAY


@pytest.fixture
def shop(house: House) -> Store:
    return make_shop(house)


def full() -> Tok:
    hours = [ShopHourRecord(AS_OF - n * HOUR, "USD", n * MICROS, n, None, None) for n in range(1, 4)]
    days = [ShopDayRecord(date(2026, 11, n), "USD", MICROS, n, n, n, None) for n in range(1, 21)]
    return Tok(
        {
            "statements": [statement_record(f"s{n}", AS_OF - n * DAY) for n in range(1, 5)],
            "payments": [payment_record("p1", OLD), payment_record("p2", OLD, paid_at=None, status="PROCESSING")],
            "affiliate": [affiliate_record("o1", OLD), affiliate_record("o1", OLD, sku_external_id="other")],
            "returns": [return_record("r1", "o1", OLD)],
            "hours": hours,
            "days": days,
            "orders": [order_record("o1", OLD - DAY)],
        },
        ShopHealthRecord(
            AS_OF - DAY, 4_500_000, "GOOD", (("PRODUCT", 4_000_000),), (("OTDR", None, 980_000, "PERCENT"),)
        ),
    )


TABLES = (Statement, Payment, AffiliateSale, ShopReturn, ShopHour, ShopDay, ShopHealth, Refund, Order)


def rows() -> dict[str, list[Any]]:
    left_out = ("id", "known_at", "created_at")
    return {
        model.__name__: sorted(
            (
                tuple((name, value) for name, value in row.items() if name not in left_out)
                for row in model.objects.values()
            ),
            key=repr,
        )
        for model in TABLES
    }


def test_every_kind_is_stored_the_first_time_ninety_days_of_it(shop: Store) -> None:
    tok = full()
    assert sync_marketplace(shop, tok, as_of=AS_OF) == {}
    assert {model.__name__: model.objects.count() for model in TABLES} == {
        "Statement": 4,
        "Payment": 2,
        "AffiliateSale": 2,
        "ShopReturn": 1,
        "ShopHour": 3,
        "ShopDay": 20,
        "ShopHealth": 1,
        "Refund": 1,
        "Order": 1,
    }
    assert tok.questions("statements") == [(AS_OF - 90 * DAY, AS_OF)]
    assert len(tok.questions("hours")) == 30
    health = ShopHealth.objects.get()
    assert (health.score_ppm, health.dimensions) == (4_500_000, {"PRODUCT": 4_000_000})
    assert health.metrics == {"OTDR": {"score_ppm": None, "value": 980_000, "unit": "PERCENT"}}


def test_reading_again_changes_nothing(shop: Store) -> None:
    sync_marketplace(shop, full(), as_of=AS_OF)
    before = rows()
    sync_marketplace(shop, full(), as_of=AS_OF + HOUR)
    SourceCoverage.objects.all().delete()
    sync_marketplace(shop, full(), as_of=AS_OF + HOUR)
    assert rows() == before


def test_nothing_is_asked_twice_for_the_same_hour_and_health_once_a_day(shop: Store) -> None:
    tok = full()
    for as_of in (AS_OF, AS_OF, AS_OF - HOUR):
        sync_marketplace(shop, tok, as_of=as_of)
    assert [len(tok.questions(name)) for name in ("statements", "payments", "days", "health")] == [1, 1, 1, 1]
    for n in range(1, 25):
        sync_marketplace(shop, tok, as_of=AS_OF + n * HOUR)
    assert [len(tok.questions(name)) for name in ("statements", "affiliate", "returns", "health")] == [25, 25, 25, 2]


def test_the_hours_of_today_and_yesterday_are_read_again_and_missed_days_once(shop: Store) -> None:
    tok = full()
    sync_marketplace(shop, tok, as_of=AS_OF)
    tok.asked.clear()
    sync_marketplace(shop, tok, as_of=AS_OF + HOUR)
    assert tok.questions("hours") == [(date(2026, 11, 19),), (date(2026, 11, 20),)]
    tok.asked.clear()
    sync_marketplace(shop, tok, as_of=AS_OF + 5 * DAY)
    assert tok.questions("hours") == [(date(2026, 11, day),) for day in range(19, 26)]


def test_commissions_and_payments_are_read_again_until_they_are_settled(shop: Store) -> None:
    open_sale = affiliate_record("o2", OLD, commission_micros=None, status="To-SETTLE")
    tok = Tok({"affiliate": [open_sale], "payments": [payment_record("p", OLD + DAY, paid_at=None)]})
    sync_marketplace(shop, tok, as_of=AS_OF)
    tok.asked.clear()
    tok.told["affiliate"] = [affiliate_record("o2", OLD)]
    tok.told["payments"] = [payment_record("p", OLD + DAY)]
    sync_marketplace(shop, tok, as_of=AS_OF + HOUR)
    assert tok.questions("affiliate") == [(OLD, AS_OF + HOUR)]
    assert tok.questions("payments") == [(OLD + DAY, AS_OF + HOUR)]
    assert AffiliateSale.objects.get().commission_micros == 15 * MICROS
    tok.asked.clear()
    sync_marketplace(shop, tok, as_of=AS_OF + 2 * HOUR)
    assert tok.questions("affiliate") == [(AS_OF + HOUR - DAY, AS_OF + 2 * HOUR)]


def test_what_is_not_settled_after_sixty_days_is_let_go(shop: Store) -> None:
    tok = Tok({"affiliate": [affiliate_record("o2", AS_OF - 61 * DAY, commission_micros=None)]})
    sync_marketplace(shop, tok, as_of=AS_OF)
    tok.asked.clear()
    sync_marketplace(shop, tok, as_of=AS_OF + HOUR)
    assert tok.questions("affiliate") == [(AS_OF - DAY, AS_OF + HOUR)]


def test_a_kind_that_is_forbidden_holds_up_no_other_and_is_made_up_for_later(shop: Store) -> None:
    tok = full()
    denied = PermissionDeniedError("no", platform="tiktok_shop", code="105005")
    tok.broken = {"statements": denied, "returns": denied}
    assert sync_marketplace(shop, tok, as_of=AS_OF) == {"statements": denied, "returns": denied}
    assert (Payment.objects.count(), Statement.objects.count(), ShopReturn.objects.count()) == (2, 0, 0)
    tok.broken, tok.asked = {}, []
    assert sync_marketplace(shop, tok, as_of=AS_OF + DAY) == {}
    assert tok.questions("statements") == [(AS_OF - 89 * DAY, AS_OF + DAY)]
    assert (Statement.objects.count(), Refund.objects.count()) == (4, 1)


def test_a_dead_login_ends_the_reading_at_once(shop: Store) -> None:
    tok = Tok(broken={"returns": AuthenticationError("dead")})
    with pytest.raises(AuthenticationError):
        sync_marketplace(shop, tok, as_of=AS_OF)
    assert tok.asked == [("returns", AS_OF - 90 * DAY, AS_OF)]


def test_a_final_refund_is_booked_at_its_time_and_pulls_the_hour_into_the_accounts(shop: Store) -> None:
    order = sell(shop, "o1", OLD - 3 * DAY)
    counts = SyncCounts()
    sync_marketplace(shop, Tok({"returns": [return_record("r1", "o1", OLD)]}), as_of=AS_OF, counts=counts)
    refund = Refund.objects.get()
    assert (refund.order, refund.external_id, refund.refunded_at) == (order, "return:r1", OLD)
    assert (refund.amount_micros, counts.refunds, counts.oldest) == (100 * MICROS, 1, OLD)


def test_a_return_that_is_only_promised_is_no_refund_yet(shop: Store) -> None:
    sell(shop, "o1", OLD - 3 * DAY)
    asked = return_record("r1", "o1", OLD, is_refunded=False, status="AWAITING_BUYER_SHIP")
    tok = Tok({"returns": [asked]})
    sync_marketplace(shop, tok, as_of=AS_OF)
    assert not Refund.objects.exists()
    tok.told["returns"] = [return_record("r1", "o1", AS_OF)]
    sync_marketplace(shop, tok, as_of=AS_OF + HOUR)
    assert Refund.objects.get().refunded_at == AS_OF


def test_a_later_change_of_a_refunded_return_moves_no_date_but_the_amount(shop: Store) -> None:
    sell(shop, "o1", OLD - 3 * DAY)
    tok = Tok({"returns": [return_record("r1", "o1", OLD)]})
    sync_marketplace(shop, tok, as_of=AS_OF)
    tok.told["returns"] = [return_record("r1", "o1", AS_OF, amount_micros=60 * MICROS)]
    sync_marketplace(shop, tok, as_of=AS_OF + HOUR)
    refund = Refund.objects.get()
    assert (refund.refunded_at, refund.amount_micros) == (OLD, 60 * MICROS)


def test_a_refund_that_is_taken_back_is_no_refund_any_more(shop: Store) -> None:
    sell(shop, "o1", OLD - 3 * DAY)
    tok = Tok({"returns": [return_record("r1", "o1", OLD)]})
    sync_marketplace(shop, tok, as_of=AS_OF)
    tok.told["returns"] = [return_record("r1", "o1", AS_OF, is_refunded=False, status="REJECTED")]
    counts = SyncCounts()
    sync_marketplace(shop, tok, as_of=AS_OF + HOUR, counts=counts)
    assert not Refund.objects.exists()
    assert counts.oldest == OLD


def test_an_older_word_about_a_return_does_not_replace_a_younger_one(shop: Store) -> None:
    sell(shop, "o1", OLD - 3 * DAY)
    sync_marketplace(shop, Tok({"returns": [return_record("r1", "o1", AS_OF - HOUR)]}), as_of=AS_OF)
    SourceCoverage.objects.all().delete()
    late = return_record("r1", "o1", OLD, is_refunded=False, status="PENDING")
    sync_marketplace(shop, Tok({"returns": [late]}), as_of=AS_OF)
    assert ShopReturn.objects.get().is_refunded
    assert Refund.objects.get().refunded_at == AS_OF - HOUR


def test_the_missing_order_of_a_refund_is_read_and_stored(shop: Store) -> None:
    tok = Tok({"returns": [return_record("r1", "gone", OLD)], "orders": [order_record("gone", OLD - 100 * DAY)]})
    sync_marketplace(shop, tok, as_of=AS_OF)
    assert Refund.objects.get().order.external_id == "gone"
    assert tok.questions("orders_by_id") == [("gone",)]


def test_a_refund_waits_for_an_order_that_the_platform_does_not_give_yet(shop: Store) -> None:
    tok = Tok({"returns": [return_record("r1", "late", OLD)]})
    assert sync_marketplace(shop, tok, as_of=AS_OF) == {}
    assert not Refund.objects.exists()
    sell(shop, "late", OLD - DAY)
    sync_marketplace(shop, Tok(), as_of=AS_OF)
    assert Refund.objects.get().refunded_at == OLD


def test_an_order_that_is_read_again_keeps_the_refund_of_its_return(shop: Store) -> None:
    sync_marketplace(shop, full(), as_of=AS_OF)
    store_records(shop, [order_record("o1", OLD)], SyncCounts())
    assert Refund.objects.count() == 1


def test_a_return_in_another_currency_than_its_order_is_not_booked(shop: Store) -> None:
    for name in ("o1", "o2"):
        sell(shop, name, OLD - DAY)
    odd, sound = return_record("r1", "o1", OLD, currency="EUR"), return_record("r2", "o2", OLD)
    failed = sync_marketplace(shop, Tok({"returns": [odd, sound]}), as_of=AS_OF)
    assert isinstance(failed["refunds"], MalformedReplyError)
    assert Refund.objects.get().external_id == "return:r2"


def test_a_shop_that_is_not_rated_is_asked_again_the_next_day(shop: Store) -> None:
    tok = Tok()
    for hours in (0, 1, 24):
        assert sync_marketplace(shop, tok, as_of=AS_OF + hours * HOUR) == {}
    assert (len(tok.questions("health")), ShopHealth.objects.count()) == (2, 0)


def test_texts_are_as_long_as_their_columns_and_amounts_beyond_all_bounds_are_malformed(shop: Store) -> None:
    long = affiliate_record("o1", OLD, creator="x" * 500, status="y" * 500)
    tok = Tok({"affiliate": [long], "statements": [statement_record("s", OLD, settlement_micros=10**16)]})
    failed = sync_marketplace(shop, tok, as_of=AS_OF)
    assert list(failed) == ["statements"] and isinstance(failed["statements"], MalformedReplyError)
    assert len(AffiliateSale.objects.get().creator) == 120


def test_after_a_gap_longer_than_the_first_reading_the_known_stretch_begins_anew(shop: Store) -> None:
    sync_marketplace(shop, full(), as_of=AS_OF - 200 * DAY)
    sync_marketplace(shop, full(), as_of=AS_OF)
    span = SourceCoverage.objects.get(kind="returns")
    assert (span.known_from, span.known_to) == (AS_OF - 90 * DAY, AS_OF)


def test_a_creators_commissions_are_read_without_anything_else(house: House) -> None:
    creator = make_shop(house, "creator", kind=StoreKind.CREATOR)
    tok = full()
    assert sync_creator(creator, tok, as_of=AS_OF) == {}
    assert AffiliateSale.objects.filter(store=creator).count() == 2
    assert tok.asked == [("affiliate", AS_OF - 90 * DAY, AS_OF)]


def test_rows_are_the_tenants_and_two_shops_keep_apart(shop: Store, house: House) -> None:
    other = make_shop(house, "7496")
    for store in (shop, other):
        sync_marketplace(store, full(), as_of=AS_OF)
    assert Refund.objects.count() == 2
    assert set(Statement.objects.values_list("tenant", flat=True)) == {house.tenant.pk}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=st.permutations([0, 1, 2, 3]), cut=st.integers(0, 4))
def test_returns_in_any_order_and_in_any_portions_give_one_refund(house: House, states: list[int], cut: int) -> None:
    shop = make_shop(house, f"h{Store.objects.count()}")
    sell(shop, "o", OLD - 9 * DAY)
    life = [
        return_record("r", "o", OLD, is_refunded=False, status="PENDING"),
        return_record("r", "o", OLD + HOUR, is_refunded=False, status="BUYER_SHIPPED_ITEM"),
        return_record("r", "o", OLD + 2 * HOUR, amount_micros=40 * MICROS),
        return_record("r", "o", OLD + 3 * HOUR, amount_micros=50 * MICROS),
    ]
    for portion in (states[:cut], states[cut:]):
        SourceCoverage.objects.filter(store=shop).delete()
        sync_marketplace(shop, Tok({"returns": [life[n] for n in portion]}), as_of=AS_OF)
    refund = Refund.objects.get(order__store=shop)
    assert refund.amount_micros == 50 * MICROS
    assert refund.refunded_at in {record.updated_at for record in life if record.is_refunded}

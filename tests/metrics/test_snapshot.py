"""The snapshot: what is known, what is zero, and nothing of the future."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.hours import HOUR
from accounts.models import Ad, AdSet, Store
from accounts.money import MICROS
from metrics.models import AdDay, HourlyMetric, Order, Refund, Reward, StoreCoverage, SyncedHour
from metrics.snapshot import Snapshot, load_snapshot
from tests.factories import AS_OF, SLOT, House, add_history, add_order, make_house

pytestmark = pytest.mark.usefixtures("everywhere")


@pytest.fixture
def lived(house: House) -> House:
    """80 hours: each ad set spends 2 an hour, each fourth hour the first one sells for 48."""
    add_history(house)
    return house


def load(house: House, hours: int = 100) -> Snapshot:
    return load_snapshot(house.tenant, as_of=AS_OF, lookback=hours * HOUR)


def value(snapshot: Snapshot, metric: str, token: str = "last_24h", ad_set: int = 0) -> Any:
    return snapshot.window(ad_set, token).get(metric)


def test_it_adds_up_what_the_rows_say(lived: House) -> None:
    snapshot = load(lived)
    assert [fact.key for fact in snapshot.ad_sets] == [f"meta:{a.external_id}" for a in lived.ad_sets]
    assert snapshot.hours[-1] == SLOT
    assert (value(snapshot, "spend"), value(snapshot, "orders"), value(snapshot, "revenue")) == (48, 6, 288)
    assert (value(snapshot, "roas"), value(snapshot, "roas", ad_set=1)) == (6, 0)
    whole = snapshot.window_over(range(3), "last_24h", "UTC")
    assert [whole.get("spend"), whole.get("roas")] == [144, 2]
    assert snapshot.last_order_at == SLOT + timedelta(minutes=30)


def test_loading_takes_seven_queries_however_much_there_is(lived: House) -> None:
    with CaptureQueriesContext(
        connection,
    ) as few:
        load(lived, 10)
    with CaptureQueriesContext(connection) as many:
        load(lived, 300)
    assert len(few) == len(many) == 7


def test_hours_before_the_first_sync_are_unknown(lived: House) -> None:
    window = load(lived).window(0, "last_100h")
    assert window.coverage == Decimal("0.8")
    assert "80%" in window.problem
    assert window.get("spend") is None


@pytest.mark.parametrize(("missing", "known"), [(4, True), (5, False)])
def test_95_percent_of_the_hours_must_be_known(lived: House, missing: int, known: bool) -> None:
    token = "last_80h"
    gone = [SLOT - n * 7 * HOUR for n in range(missing)]
    SyncedHour.objects.filter(hour__in=gone).delete()
    snapshot = load(lived)
    assert (value(snapshot, "spend", token) is not None) is known
    assert (snapshot.window(0, token).problem == "") is known


def test_a_read_hour_without_a_row_is_zero_and_an_unread_one_is_unknown(house: House) -> None:
    for hour in (SLOT, SLOT - HOUR):
        SyncedHour.objects.create(tenant=house.tenant, ad_account=house.account, hour=hour, known_at=AS_OF)
    snapshot = load(house)
    assert value(snapshot, "spend", "last_2h") == 0
    assert value(snapshot, "spend", "last_3h") is None


def test_no_reading_of_the_store_means_that_revenue_is_unknown(lived: House) -> None:
    StoreCoverage.objects.all().delete()
    snapshot = load(lived)
    assert value(snapshot, "spend") == 48
    for metric in ("revenue", "orders", "roas", "profit", "cpa"):
        assert value(snapshot, metric) is None, metric


@pytest.mark.parametrize("change", [{"known_to": AS_OF - 2 * HOUR}, {"known_from": AS_OF - 22 * HOUR}])
def test_a_store_that_was_read_in_part_is_unknown_in_the_rest(lived: House, change: dict[str, Any]) -> None:
    StoreCoverage.objects.update(**change)
    snapshot = load(lived)
    assert value(snapshot, "revenue", "last_24h") is None
    assert snapshot.revenue_known.sum() == 3 * (98 if "known_to" in change else 22)


def test_every_active_store_must_have_been_read(lived: House) -> None:
    second = Store.objects.create(
        tenant=lived.tenant,
        platform="shopify",
        external_id="2.myshopify.com",
        name="second",
        currency="USD",
        credential=lived.store.credential,
    )
    assert value(load(lived), "revenue") is None
    second.is_active = False
    second.save()
    assert value(load(lived), "revenue") == 288


def test_a_tenant_without_a_store_has_unknown_revenue(lived: House) -> None:
    Store.objects.update(is_active=False)
    assert value(load(lived), "revenue") is None


def test_revenue_in_another_currency_than_the_account_is_unknown(lived: House) -> None:
    Store.objects.update(currency="EUR")
    snapshot = load(lived)
    assert value(snapshot, "revenue") is None
    assert value(snapshot, "spend") == 48


def test_orders_in_another_currency_make_revenue_unknown_and_not_zero(lived: House) -> None:
    order = add_order(lived, lived.ad_sets[0], at=SLOT, total_micros=MICROS)
    Order.objects.filter(pk=order.pk).update(currency="EUR")
    assert value(load(lived), "revenue") is None


def test_unknown_costs_make_the_cost_unknown(lived: House) -> None:
    assert load(lived).window(0, "last_24h").cogs_micros == 0
    Reward.objects.filter(ad_set=lived.ad_sets[0]).update(cogs_micros=None)
    snapshot = load(lived)
    assert snapshot.window(0, "last_24h").cogs_micros is None
    assert snapshot.window(1, "last_24h").cogs_micros == 0


def test_conversions_that_the_platform_does_not_tell_are_unknown(lived: House) -> None:
    assert value(load(lived), "conversions") is None
    HourlyMetric.objects.update(conversions=1)
    assert value(load(lived), "conversions") == 24


def test_revenue_is_net_of_refunds(lived: House) -> None:
    Reward.objects.filter(ad_set=lived.ad_sets[0], hour=SLOT).update(refunds_micros=8 * MICROS)
    assert value(load(lived), "revenue") == 280


def test_removed_ad_sets_inactive_accounts_and_other_tenants_are_left_out(lived: House) -> None:
    make_house("other")
    AdSet.objects.filter(pk=lived.ad_sets[1].pk).update(status="removed")
    AdSet.objects.filter(pk=lived.ad_sets[2].pk).update(status="paused")
    assert [fact.id for fact in load(lived).ad_sets] == [lived.ad_sets[0].pk, lived.ad_sets[2].pk]
    type(lived.account).objects.filter(pk=lived.account.pk).update(is_active=False)
    assert load(lived).ad_sets == ()


def test_a_cut_hides_the_future(lived: House) -> None:
    now = load(lived)
    then = AS_OF - 30 * HOUR
    earlier = now.cut(then)
    assert earlier.as_of == then
    assert earlier.hours[-1] == then - HOUR
    assert all(len(column) == 70 for column in (*earlier.columns.values(), earlier.spend_known, earlier.cogs_known))
    assert earlier.last_order_at is not None
    assert earlier.last_order_at < then
    assert value(earlier, "spend") == 48
    reloaded = load_snapshot(lived.tenant, as_of=then, lookback=70 * HOUR)
    for token in ("last_24h", "today", "yesterday"):
        ours, theirs = earlier.window(0, token), reloaded.window(0, token)
        assert (ours.spend_micros, ours.orders, ours.start, ours.end) == (
            theirs.spend_micros,
            theirs.orders,
            theirs.start,
            theirs.end,
        )


def test_a_cut_before_everything_knows_nothing(lived: House) -> None:
    nothing = load(lived).cut(AS_OF - 200 * HOUR)
    assert (nothing.hours, nothing.last_order_at) == ((), None)
    assert value(nothing, "spend") is None


def test_a_selection_keeps_the_figures_of_its_ad_sets(lived: House) -> None:
    picked = load(lived).select([2, 0])
    assert [fact.id for fact in picked.ad_sets] == [lived.ad_sets[2].pk, lived.ad_sets[0].pk]
    assert (value(picked, "revenue"), value(picked, "revenue", ad_set=1)) == (0, 288)
    assert load(lived).select([]).ad_sets == ()


def test_nothing_later_than_as_of_is_loaded(lived: House) -> None:
    earlier = load_snapshot(lived.tenant, as_of=AS_OF - 10 * HOUR, lookback=24 * HOUR)
    assert len(earlier.hours) == 24
    assert earlier.hours[-1] == AS_OF - 11 * HOUR
    assert earlier.last_order_at is not None
    assert earlier.last_order_at < AS_OF - 10 * HOUR


class TestDailyFiguresOnly:
    """Ad sets of a platform that tells days: what it does not tell is unknown, and what shops tell is known."""

    @pytest.fixture(autouse=True)
    def _days_only(self, everywhere: None, lived: House) -> None:
        lived.account.reports_hours = False
        lived.account.save()
        HourlyMetric.objects.all().delete()
        Reward.objects.all().delete()

    def ad_day(self, house: House, day: date, spend: int) -> None:
        shared = {"tenant": house.tenant, "ad_account": house.account, "status": "active", "seen_at": AS_OF}
        ad, _ = Ad.objects.get_or_create(external_id="ad", name="Ad", ad_set=house.ad_sets[0], defaults=shared)
        AdDay.objects.create(
            tenant=house.tenant, ad=ad, day=day, spend_micros=spend * MICROS, impressions=9, clicks=3, known_at=AS_OF
        )

    def test_orders_are_counted_and_conversions_are_unknown(self, lived: House) -> None:
        self.ad_day(lived, date(2026, 11, 19), 48)
        snapshot = load(lived)
        names = ("spend", "orders", "revenue", "roas")
        assert [value(snapshot, name, "yesterday") for name in names] == [48, 6, 288, 6]
        assert value(snapshot, "conversions", "yesterday") is None

    def test_refunds_and_costs_count_too(self, lived: House) -> None:
        order = Order.objects.filter(ordered_at__date=date(2026, 11, 19)).order_by("ordered_at")[3]
        at = order.ordered_at
        Refund.objects.create(tenant=lived.tenant, order=order, external_id="r", refunded_at=at, amount_micros=MICROS)
        snapshot = load(lived)
        assert value(snapshot, "revenue", "yesterday") == 287

    def test_without_the_days_of_orders_nothing_is_claimed(self, lived: House) -> None:
        StoreCoverage.objects.all().delete()
        assert value(load(lived), "revenue", "yesterday") is None

    def test_days_of_another_calendar_are_not_cut(self, lived: House) -> None:
        window = load(lived).window_over([0], "yesterday", "Asia/Tokyo")
        assert "daily figures only" in window.problem

    def test_only_the_days_of_the_snapshot_are_read(self, lived: House) -> None:
        for day in (date(2026, 11, 18), date(2025, 11, 18), date(2026, 11, 23)):
            self.ad_day(lived, day, 48)
        with CaptureQueriesContext(connection) as queries:
            load(lived)
        (of_days,) = (q["sql"] for q in queries.captured_queries if "metrics_adday" in q["sql"])
        with connection.cursor() as cursor:
            cursor.execute(of_days)
            assert len(cursor.fetchall()) == 1

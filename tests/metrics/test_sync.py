"""Pulling from the sandbox over sockets: what we hold is what it served, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.hours import HOUR, day_bounds
from accounts.models import Ad, AdAccount, AdSet, Alert, Campaign, Store, Tenant
from connectors.connections import connect_ad_account, connect_store
from connectors.contracts import HourRecord
from connectors.errors import TransientError
from connectors.store_contracts import OrderRecord
from metrics import accounting
from metrics.facts import hours_as_known
from metrics.models import (
    Backfill,
    HourlyMetric,
    HourlyMetricRevision,
    Order,
    OrderEdit,
    OrderLine,
    Product,
    ProductCost,
    Refund,
    Reward,
    StoreCoverage,
    SyncedHour,
)
from metrics.pull import pull
from metrics.snapshot import load_snapshot
from metrics.sync import sync_hours, sync_orders, sync_tree
from metrics.sync.orders import ORDER_OVERLAP
from tests.connectors.sandbox.visitor import Visitor
from tests.factories import AS_OF, House
from tests.metrics import served

TODAY = date(2026, 11, 20)
FIRST = date(2026, 11, 17)
HISTORY = timedelta(days=3)


class Killed(BaseException):
    """The process went away."""


def held_hours(platform: str) -> dict[tuple[str, datetime], served.Figures]:
    """Every hour that we hold with delivery in it."""
    rows = HourlyMetric.objects.filter(ad_account__platform=platform)
    names = ("spend_micros", "impressions", "clicks")
    held = {
        (ad_set, hour): (*figures,)
        for ad_set, hour, *figures in rows.values_list("ad_set__external_id", "hour", *names)
    }
    return delivered(held)


def delivered(hours: dict[tuple[str, datetime], served.Figures]) -> dict[tuple[str, datetime], served.Figures]:
    return {key: figures for key, figures in hours.items() if any(figures)}


def everything() -> dict[str, list[dict[str, Any]]]:
    """All that a pull writes, but for the rows' own keys and the alert clock."""
    models = (
        Campaign,
        AdSet,
        Ad,
        HourlyMetric,
        HourlyMetricRevision,
        SyncedHour,
        Order,
        OrderLine,
        OrderEdit,
        Refund,
        StoreCoverage,
        Product,
        ProductCost,
    )
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def account(platform: str = "meta") -> AdAccount:
    found: AdAccount = AdAccount.objects.select_related("credential").get(platform=platform)
    return found


def worth_now(order: Order) -> int:
    """The total at order time, what edits made of it, and what is left after refunds."""
    edited = sum(order.edits.values_list("amount_micros", flat=True))
    return order.total_micros + edited - sum(order.refunds.values_list("amount_micros", flat=True))


def cut_after(count: int) -> Callable[..., None]:
    """A progress callback that kills the process after so many slices."""
    slices = iter(range(count - 1))

    def progress(*told: object) -> None:
        if next(slices, None) is None:
            raise Killed

    return progress


# --- the tree ------------------------------------------------------------------------------------------


def test_the_tree_is_the_one_on_the_platform(box: Visitor, merchant: Tenant) -> None:
    pull(merchant, as_of=AS_OF, history=timedelta(days=1))
    listed = box.meta_all(f"{box.account}/adsets", fields="id,name,campaign_id,status,daily_budget")
    held = AdSet.objects.filter(ad_account__platform="meta").values_list(
        "external_id", "name", "campaign__external_id", "status", "daily_budget_micros"
    )
    assert set(held) == {
        (a["id"], a["name"], a["campaign_id"], a["status"].lower(), int(a["daily_budget"]) * 10_000 or None)
        for a in listed
    }
    ads = {(a["id"], a["adset_id"]) for a in box.meta_all(f"{box.account}/ads", fields="id,adset_id")}
    assert set(Ad.objects.filter(ad_account__platform="meta").values_list("external_id", "ad_set__external_id")) == ads
    groups = box.tiktok("adgroup/get/", page_size="1000")["data"]["list"]
    held_groups = AdSet.objects.filter(ad_account__platform="tiktok").values_list("external_id", "name")
    assert set(held_groups) == {(g["adgroup_id"], g["adgroup_name"]) for g in groups}
    assert account().minimum_daily_budget_micros == 1_000_000


def test_a_family_that_is_not_listed_at_all_is_left_as_it_was(box: Visitor, merchant: Tenant) -> None:
    """The login may have lost the right to read it: what it may still spend must go on counting."""
    of_meta = account()
    sync_tree(of_meta, connect_ad_account(of_meta), as_of=AS_OF)
    first, second = AdSet.objects.filter(ad_account=of_meta).order_by("external_id")[:2]
    AdSet.objects.filter(pk=first.pk).update(external_id="1", family="smart_plus")
    AdSet.objects.filter(pk=second.pk).update(external_id="2")
    sync_tree(of_meta, connect_ad_account(of_meta), as_of=AS_OF + HOUR)
    assert AdSet.objects.get(external_id="1").status == "active"
    assert AdSet.objects.get(external_id="2").status == "removed"


def test_what_the_platform_no_longer_lists_is_marked_removed_and_kept(box: Visitor, merchant: Tenant) -> None:
    sync_tree(account(), connect_ad_account(account()), as_of=AS_OF)
    gone, *rest = AdSet.objects.filter(ad_account__platform="meta").order_by("external_id")
    edited = box.control("human_edit", platform="meta", object_id=gone.external_id, field="status", value="DELETED")
    assert edited["result"] == "applied"
    sync_tree(account(), connect_ad_account(account()), as_of=AS_OF)
    assert AdSet.objects.get(pk=gone.pk).status == "removed"
    assert AdSet.objects.filter(pk__in=[a.pk for a in rest]).exclude(status="removed").count() == len(rest)


def test_a_persons_edit_on_the_platform_is_mirrored(box: Visitor, merchant: Tenant) -> None:
    sync_tree(account(), connect_ad_account(account()), as_of=AS_OF)
    ad_set = AdSet.objects.filter(ad_account__platform="meta", daily_budget_micros__isnull=False)[0]
    for field, value in (("daily_budget", 3210), ("status", "PAUSED")):
        box.control("human_edit", platform="meta", object_id=ad_set.external_id, field=field, value=value)
    sync_tree(account(), connect_ad_account(account()), as_of=AS_OF)
    ad_set.refresh_from_db()
    assert (ad_set.daily_budget_micros, ad_set.status) == (32_100_000, "paused")


# --- hours and orders ------------------------------------------------------------------------------------


def test_every_hour_and_order_is_held_as_served_to_the_micro(box: Visitor, merchant: Tenant) -> None:
    pulled = pull(merchant, as_of=AS_OF, history=HISTORY)
    assert pulled.problems == []
    meta, tiktok = served.meta_hours(box, FIRST, TODAY), served.tiktok_hours(box, FIRST, TODAY)
    assert sum(spend for spend, _, _ in meta.values()) > 0
    assert held_hours("meta") == delivered(meta)
    assert held_hours("tiktok") == delivered(tiktok)
    assert not HourlyMetric.objects.filter(ad_account__platform="meta", conversions__isnull=False).exists()
    payments = HourlyMetric.objects.filter(ad_account__platform="tiktok", conversions__gt=0)
    counts, values = zip(*payments.values_list("conversions", "conversion_value_micros"), strict=True)
    assert (sum(counts), sum(values)) == served.tiktok_payments(box, FIRST, TODAY)
    rows = Order.objects.values_list("external_id", "ordered_at", "total_micros", "units", "is_test", "cancelled_at")
    since = AS_OF - HISTORY
    held = {row[0]: (*row[1:5], row[5] is not None) for row in rows if row[1] >= since}
    sold = {key: order for key, order in served.orders(box).items() if order[0] >= since}
    assert len(sold) > 20
    assert held == sold
    returned = {key: r for key, r in served.refunds(box).items() if r[0] >= since}
    held_refunds = {
        key: (at, amount)
        for key, at, amount in Refund.objects.values_list("external_id", "refunded_at", "amount_micros")
    }
    assert {key: held_refunds[key] for key in returned} == returned
    worth = {order.external_id: worth_now(order) for order in Order.objects.filter(cancelled_at=None)}
    left = served.left_over(box)
    assert worth == {key: left[key] for key in worth} and OrderEdit.objects.exists()


def test_all_closed_hours_are_marked_as_read_and_no_open_one_is_held(box: Visitor, merchant: Tenant) -> None:
    box.control("clock", now=(AS_OF + timedelta(minutes=40)).isoformat())
    pull(merchant, as_of=AS_OF, history=HISTORY)
    for platform in ("meta", "tiktok"):
        hours = set(SyncedHour.objects.filter(ad_account__platform=platform).values_list("hour", flat=True))
        start = day_bounds(FIRST, "America/New_York")[0]
        assert hours == {start + n * HOUR for n in range((AS_OF - start) // HOUR)}
    assert not HourlyMetric.objects.filter(hour__gte=AS_OF).exists()
    coverage = StoreCoverage.objects.get()
    assert (coverage.known_from, coverage.known_to) == (AS_OF - HISTORY, AS_OF)


@pytest.mark.parametrize("box", [datetime(2026, 11, 2, 16, tzinfo=UTC)], indirect=True)
def test_the_day_of_25_hours_keeps_its_sum(box: Visitor, merchant: Tenant) -> None:
    day = date(2026, 11, 1)
    pull(merchant, as_of=datetime(2026, 11, 2, 16, tzinfo=UTC), history=HISTORY)
    start, end = day_bounds(day, "America/New_York")
    assert SyncedHour.objects.filter(ad_account=account(), hour__gte=start, hour__lt=end).count() == 25
    held = HourlyMetric.objects.filter(ad_account=account(), hour__gte=start, hour__lt=end)
    spend = sum(held.values_list("spend_micros", flat=True))
    rows = box.hours(str(day), str(day))
    assert spend == sum(served.micros(row["spend"]) for row in rows) > 0


def test_pulling_again_changes_nothing(box: Visitor, merchant: Tenant) -> None:
    first = pull(merchant, as_of=AS_OF, history=HISTORY)
    before = everything()
    again = pull(merchant, as_of=AS_OF, history=HISTORY)
    assert everything() == before
    assert first.counts.hours > 100
    assert (again.counts.hours, again.counts.orders) == (0, 0)


def test_a_restatement_updates_the_hour_and_keeps_what_was_known_before(box: Visitor, merchant: Tenant) -> None:
    pull(merchant, as_of=AS_OF, history=HISTORY)
    rows = {row.pk: row for row in HourlyMetric.objects.filter(ad_account__platform="tiktok")}
    box.advance(20)
    later = AS_OF + 20 * HOUR
    pull(merchant, as_of=later)
    moved = [row for row in HourlyMetric.objects.filter(pk__in=rows) if row.conversions != rows[row.pk].conversions]
    assert moved
    for row in moved:
        history = HourlyMetricRevision.objects.filter(ad_set=row.ad_set_id, hour=row.hour)
        assert list(history.values_list("known_at", "conversions")) == [(AS_OF, rows[row.pk].conversions)]
        assert row.known_at == later
    known = hours_as_known(AS_OF, ad_set__ad_account__platform="tiktok")
    assert {key: row["conversions"] for key, row in known.items()} == {
        (row.ad_set_id, row.hour): row.conversions for row in rows.values()
    }
    assert held_hours("meta") == delivered(served.meta_hours(box, FIRST, date(2026, 11, 21)))


def test_the_newest_hours_and_orders_arrive_with_the_next_slot(box: Visitor, merchant: Tenant) -> None:
    pull(merchant, as_of=AS_OF, history=HISTORY)
    for number in range(1, 4):
        box.advance(1)
        pull(merchant, as_of=AS_OF + number * HOUR)
    assert held_hours("meta") == delivered(served.meta_hours(box, FIRST, TODAY))
    assert held_hours("tiktok") == delivered(served.tiktok_hours(box, FIRST, TODAY))
    since = AS_OF - HISTORY
    sold = {key for key, order in served.orders(box).items() if order[0] >= since}
    assert set(Order.objects.filter(ordered_at__gte=since).values_list("external_id", flat=True)) == sold
    assert StoreCoverage.objects.get().known_to == AS_OF + 3 * HOUR


# --- crashes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slices", [1, 2, 3, 6])
def test_a_first_pull_that_is_killed_is_completed_by_the_next_one(
    box: Visitor, merchant: Tenant, slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics.pull.FIRST_PULL", HISTORY)
    monkeypatch.setattr("metrics.sync.coverage.BATCH", 10)
    with pytest.raises(Killed):
        pull(merchant, as_of=AS_OF, progress=cut_after(slices))
    box.advance(1)
    as_of = AS_OF + HOUR
    pull(merchant, as_of=as_of)
    assert held_hours("meta") == delivered(served.meta_hours(box, FIRST, TODAY))
    assert held_hours("tiktok") == delivered(served.tiktok_hours(box, FIRST, TODAY))
    sold = {key for key, order in served.orders(box).items() if order[0] >= as_of - HISTORY}
    assert sold <= set(Order.objects.values_list("external_id", flat=True))
    for platform in ("meta", "tiktok"):
        hours = sorted(SyncedHour.objects.filter(ad_account__platform=platform).values_list("hour", flat=True))
        assert (hours[-1] - hours[0]) / HOUR == len(hours) - 1
        assert hours[0] <= as_of - HISTORY


def test_a_kill_between_batches_of_orders_neither_loses_nor_doubles_one(
    box: Visitor, merchant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics.sync.coverage.BATCH", 7)
    store = Store.objects.get()
    since = AS_OF - HISTORY
    stored = [0]
    for batches in (1, 2, 3):
        with pytest.raises(Killed):
            sync_orders(store, connect_store(store), since=since, as_of=AS_OF, progress=cut_after(batches))
        stored.append(Order.objects.count())
        assert stored[-2] < stored[-1] <= stored[-2] + 7 * batches
        assert not StoreCoverage.objects.exists()
    sync_orders(store, connect_store(store), since=since, as_of=AS_OF)
    held = list(Order.objects.filter(ordered_at__gte=since).values_list("external_id", flat=True))
    assert sorted(held) == sorted(k for k, order in served.orders(box).items() if order[0] >= since)
    assert StoreCoverage.objects.get().known_to == AS_OF


def test_days_missed_in_an_outage_are_caught_up(box: Visitor, merchant: Tenant, settings: Any) -> None:
    settings.RESTATEMENT_DAYS = {"meta": 0, "tiktok": 0}
    pull(merchant, as_of=AS_OF, history=timedelta(days=1))
    box.advance(75)
    pull(merchant, as_of=AS_OF + 75 * HOUR)
    hours = sorted(SyncedHour.objects.filter(ad_account=account()).values_list("hour", flat=True))
    assert (hours[-1] - hours[0]) / HOUR == len(hours) - 1
    assert hours[-1] == AS_OF + 74 * HOUR
    assert held_hours("meta") == delivered(served.meta_hours(box, date(2026, 11, 19), date(2026, 11, 23)))


# --- order of arrival --------------------------------------------------------------------------------------


class Feed:
    """A store whose orders come from a list: for what the sandbox cannot be made to say."""

    def __init__(self, store: Store, records: list[OrderRecord]) -> None:
        self._store, self._records = store, records

    def shop(self) -> Any:
        return connect_store(self._store).shop()

    def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
        return iter(self._records)


@pytest.fixture
def record(box: Visitor, merchant: Tenant) -> OrderRecord:
    """One real order, as the store's connector reads it."""
    found = connect_store(Store.objects.get()).orders(AS_OF - HISTORY, AS_OF)
    return next(order for order in found if order.attribution_ready and order.lines)


def receive(*records: OrderRecord) -> None:
    store = Store.objects.get()
    sync_orders(store, Feed(store, list(records)), since=AS_OF - HISTORY, as_of=AS_OF)  # type: ignore[arg-type]


def test_an_older_update_that_arrives_late_does_not_overwrite_a_newer_one(record: OrderRecord) -> None:
    newer = replace(record, updated_at=record.updated_at + HOUR, cancelled_at=AS_OF)
    for arrivals in ([record, newer], [newer, record], [record]):
        for one in arrivals:
            receive(one)
    row = Order.objects.get()
    assert (row.cancelled_at, row.platform_updated_at) == (AS_OF, newer.updated_at)


def test_the_same_order_twice_in_one_batch_is_one_order(record: OrderRecord) -> None:
    receive(record, record)
    assert Order.objects.count() == 1
    assert OrderLine.objects.count() == len(record.lines)


def test_attribution_that_becomes_ready_is_taken_without_a_newer_update_and_never_given_back(
    record: OrderRecord,
) -> None:
    blank = replace(record, attribution_ready=False, utm_source="", utm_term="", click_id="")
    for one in (blank, record, blank):
        receive(one)
    row = Order.objects.get()
    assert (row.attribution_ready, row.utm_source, row.click_id) == (True, record.utm_source, record.click_id)


def test_orders_whose_attribution_was_not_ready_are_asked_for_again(record: OrderRecord) -> None:
    receive(replace(record, attribution_ready=False, utm_source=""))
    asked: list[datetime] = []
    store = Store.objects.get()

    class Noting(Feed):
        def orders(self, updated_from: datetime, updated_to: datetime) -> Iterator[OrderRecord]:
            asked.append(updated_from)
            return iter([])

    Order.objects.update(ordered_at=AS_OF - 5 * HOUR, platform_updated_at=AS_OF - 4 * HOUR)
    for _ in range(2):
        sync_orders(store, Noting(store, []), since=AS_OF - HISTORY, as_of=AS_OF)  # type: ignore[arg-type]
        Order.objects.update(attribution_ready=True)
    assert asked == [AS_OF - 4 * HOUR, AS_OF - ORDER_OVERLAP]


def test_texts_longer_than_a_column_are_cut(record: OrderRecord) -> None:
    receive(
        replace(record, utm_source="x" * 500, click_id="y" * 800, lines=(replace(record.lines[0], title="z" * 400),))
    )
    assert len(Order.objects.get().utm_source) == 255
    assert len(OrderLine.objects.get().title) == 255


# --- hours of zones whose clock is half an hour off ----------------------------------------------------------


class Hours:
    """An ad account in India: its hours start at half past in UTC."""

    def __init__(self, ad_set: str) -> None:
        self._ad_set = ad_set

    def hours(self, first_day: date, last_day: date) -> Iterator[HourRecord]:
        midnight = datetime.combine(first_day, datetime.min.time(), UTC) - timedelta(hours=5, minutes=30)
        for number in range(24):
            yield HourRecord(self._ad_set, midnight + number * HOUR, 1_000_000 + number, 10, 1, None, None)


def test_hours_of_a_half_hour_zone_are_kept_once_under_the_utc_hour_that_holds_their_start(
    house: House, everywhere: None
) -> None:
    AdAccount.objects.update(timezone="Asia/Kolkata")
    house.account.refresh_from_db()
    for _ in range(2):
        sync_hours(
            house.account,
            Hours(house.ad_sets[0].external_id),  # type: ignore[arg-type]
            first_day=date(2026, 11, 19),
            last_day=TODAY,
            as_of=AS_OF,
        )
    spends = list(HourlyMetric.objects.order_by("hour").values_list("hour", "spend_micros"))
    start = datetime(2026, 11, 18, 18, tzinfo=UTC)
    closed = (AS_OF - start) // HOUR - 1  # the hour from 15:30 to 16:30 is still open
    assert spends == [(start + n * HOUR, 1_000_000 + n % 24) for n in range(closed)]
    assert SyncedHour.objects.count() == closed
    window = load_snapshot(house.tenant, as_of=AS_OF, lookback=48 * HOUR).window(0, "yesterday")
    assert [window.coverage, window.spend_micros] == [1, 24_000_276]


# --- sources that fail ---------------------------------------------------------------------------------------


def test_a_source_that_does_not_answer_leaves_an_alert_and_the_others_are_read(
    box: Visitor, merchant: Tenant, settings: Any
) -> None:
    reachable = settings.META_BASE_URL
    settings.META_BASE_URL = "http://127.0.0.1:9"
    pulled = pull(merchant, as_of=AS_OF, history=timedelta(days=1))
    assert len(pulled.problems) == 1
    assert "meta" in pulled.problems[0]
    assert held_hours("meta") == {}
    assert held_hours("tiktok")
    assert Order.objects.exists()
    alert = Alert.objects.get()
    assert (alert.key, alert.resolved_at) == (f"sync {account().pk}", None)
    settings.META_BASE_URL = reachable
    assert pull(merchant, as_of=AS_OF).problems == []
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    assert held_hours("meta")


@pytest.mark.parametrize("fault", ["expired_token", "server_error", "html_body", "truncated_body", "rate_limit"])
def test_a_source_that_fails_half_way_keeps_what_it_stored_and_is_completed_later(
    box: Visitor, merchant: Tenant, fault: str
) -> None:
    box.control("faults", fault=fault, platform="meta", path="insights", count=50)
    pulled = pull(merchant, as_of=AS_OF, history=HISTORY)
    assert len(pulled.problems) == 1
    token = box.who["meta"]["access_token"]
    assert token not in pulled.problems[0] + Alert.objects.get().message
    assert not SyncedHour.objects.filter(ad_account=account()).exists()
    assert held_hours("tiktok") == delivered(served.tiktok_hours(box, FIRST, TODAY))
    box.send("DELETE", "/_control/faults")
    pull(merchant, as_of=AS_OF, history=HISTORY)
    assert held_hours("meta") == delivered(served.meta_hours(box, FIRST, TODAY))


def test_a_dead_login_is_shown_on_the_credential_and_told_once_until_it_lives_again(
    box: Visitor, merchant: Tenant
) -> None:
    box.control("faults", fault="expired_token", platform="meta", count=50)
    for _ in range(2):
        pull(merchant, as_of=AS_OF, history=timedelta(days=1))
    credential = account().credential
    alert = Alert.objects.get()
    assert (alert.key, alert.severity, alert.count) == (f"credential {credential.pk}", "critical", 2)
    assert "connect again" in alert.message and credential.problem
    box.send("DELETE", "/_control/faults")
    pull(merchant, as_of=AS_OF, history=timedelta(days=1))
    alert.refresh_from_db()
    credential.refresh_from_db()
    assert alert.resolved_at is not None and credential.problem == ""


def test_a_value_that_cannot_be_kept_is_one_problem_of_its_source(
    box: Visitor, merchant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.meta.client.MetaAds.hours", absurd)
    (problem,) = pull(merchant, as_of=AS_OF, history=timedelta(days=1)).problems
    assert "cannot be stored" in problem and "\n" not in problem
    assert held_hours("meta") == {} and held_hours("tiktok") and Order.objects.exists()


def absurd(client: Any, first_day: date, last_day: date) -> Iterator[HourRecord]:
    for ad_set in client.ad_sets():
        yield HourRecord(ad_set.external_id, AS_OF - HOUR, 10**17, 1, 1, None, None)


def test_what_was_stored_before_a_source_failed_is_accounted(
    box: Visitor, merchant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.objects.update(is_active=False)
    AdAccount.objects.filter(platform="tiktok").update(is_active=False)

    def away(*days: object) -> None:
        raise TransientError("away")

    monkeypatch.setattr("connectors.meta.client.MetaAds.ad_days", away)
    pulled = pull(merchant, as_of=AS_OF, history=HISTORY)
    assert pulled.problems
    stored = HourlyMetric.objects.order_by("hour").values_list("hour", flat=True)
    assert pulled.lookback(AS_OF, HOUR) == AS_OF - stored[0] > 24 * HOUR


def test_a_tenant_whose_login_is_dead_does_not_hold_up_the_sync_of_another(
    box: Visitor, merchant: Tenant, house: House
) -> None:
    with pytest.raises(CommandError, match=f"^{house.tenant.slug}: "):
        call_command("sync", days=1, slot=(AS_OF - HOUR).isoformat())
    assert held_hours("meta") and held_hours("tiktok")
    assert not SyncedHour.objects.filter(ad_account=house.account).exists()


def test_accounting_that_was_cut_short_goes_on_where_it_stopped(
    box: Visitor, merchant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices: list[datetime] = []
    compute = accounting.store_rewards

    def until_killed(tenant: Tenant, *, start: datetime, **span: Any) -> int:
        if len(slices) == 2:
            raise Killed
        slices.append(start)
        return compute(tenant, start=start, **span)

    command = ["sync", "--days", "3", "--slot", (AS_OF - HOUR).isoformat()]
    monkeypatch.setattr(accounting, "store_rewards", until_killed)
    with pytest.raises(Killed):
        call_command(*command)
    assert set(Backfill.objects.values_list("state", flat=True)) == {"running"}
    before, slices = slices, []

    def to_the_end(tenant: Tenant, *, start: datetime, **span: Any) -> int:
        slices.append(start)
        return compute(tenant, start=start, **span)

    monkeypatch.setattr(accounting, "store_rewards", to_the_end)
    call_command(*command)
    assert slices and min(slices) > max(before)
    assert set(Backfill.objects.values_list("state", flat=True)) == {"done"}
    hours = HourlyMetric.objects.filter(hour__gte=before[0]).values_list("ad_set", "hour")
    assert set(hours) <= set(Reward.objects.values_list("ad_set", "hour"))


def test_inactive_sources_are_left_alone(box: Visitor, merchant: Tenant) -> None:
    AdAccount.objects.filter(platform="tiktok").update(is_active=False)
    Store.objects.update(is_active=False)
    pull(merchant, as_of=AS_OF, history=timedelta(days=1))
    assert set(SyncedHour.objects.values_list("ad_account__platform", flat=True)) == {"meta"}
    assert not Order.objects.exists()

"""Reading past ranges: complete, resumable, visible, and never twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.hours import HOUR, day_bounds, hours_between
from accounts.models import Ad, AdAccount
from connectors.contracts import AdDayRecord, HourRecord, PurchaseRecord
from connectors.errors import MalformedReplyError, TransientError
from metrics import backfill
from metrics.models import AdDay, AdDayPurchases, Backfill, HourlyMetric, SyncedHour
from metrics.snapshot import load_snapshot
from metrics.sync import sync_ad_days, sync_hours
from tests.factories import House, make_house
from tests.metrics.platforms import Served

ZONE = "America/New_York"
AS_OF = datetime(2026, 11, 21, 5, tzinfo=UTC)  # midnight in New York
FIRST, LAST = date(2026, 11, 11), date(2026, 11, 20)
DAYS = [FIRST + timedelta(days=n) for n in range(10)]

pytestmark = pytest.mark.usefixtures("everywhere")


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "wall_now", lambda: AS_OF)


@pytest.fixture
def ads(house: House) -> list[Ad]:
    shared = {"tenant": house.tenant, "ad_account": house.account, "status": "active", "seen_at": AS_OF}
    return [
        Ad.objects.create(external_id=f"ad{i}", name=f"Ad {i}", ad_set=ad_set, **shared)
        for i, ad_set in enumerate(house.ad_sets)
    ]


@pytest.fixture
def platform(house: House) -> Served:
    """Every ad set spends one unit an hour, every ad 24 a day."""
    hours = {
        day: [
            HourRecord(ad_set.external_id, hour, 1_000_000, 100, 2, None, None, None)
            for ad_set in house.ad_sets
            for hour in hours_between(*day_bounds(day, ZONE))
        ]
        for day in DAYS
    }
    days = {day: [ad_day(i, day, ad_set.external_id) for i, ad_set in enumerate(house.ad_sets)] for day in DAYS}
    return Served(hours, days)


def ad_day(number: int, day: date, ad_set: str, sold: int = 2) -> AdDayRecord:
    purchases = (PurchaseRecord("default", sold, sold * 30_000_000), PurchaseRecord("1d_click", 1, 30_000_000))
    return AdDayRecord(f"ad{number}", ad_set, day, 24_000_000, 2400, 48, None, purchases)


def asked(house: House, first: date = FIRST, last: date = LAST) -> Backfill:
    return backfill.request(house.account, first, last, actor="mara")


def test_every_hour_of_the_range_is_read_once(house: House, ads: list[Ad], platform: Served) -> None:
    counts = backfill.run(asked(house), platform, as_of=AS_OF)
    row = Backfill.objects.get()
    assert (row.state, row.days_done, row.days, row.asked_by) == ("done", 10, 10, "mara")
    assert platform.asked == DAYS
    assert counts.hours == HourlyMetric.objects.count() == 10 * 24 * len(house.ad_sets)
    assert AdDay.objects.count() == 10 * len(ads) and AdDayPurchases.objects.count() == 2 * AdDay.objects.count()
    assert row.rows == counts.hours + counts.ad_days


def test_one_that_was_cut_short_goes_on_where_it_stopped(house: House, ads: list[Ad], platform: Served) -> None:
    platform.fails_on, platform.failure = DAYS[4], TransientError("the platform is away")
    with pytest.raises(TransientError):
        backfill.run(asked(house), platform, as_of=AS_OF)
    left = Backfill.objects.get()
    assert (left.state, left.next_day, left.problem) == ("running", DAYS[4], "the platform is away")
    platform.fails_on, platform.asked = None, []
    again = asked(house)
    assert again.pk == left.pk
    backfill.run(again, platform, as_of=AS_OF)
    assert platform.asked == DAYS[4:]
    assert Backfill.objects.get().state == "done" and Backfill.objects.get().problem == ""
    assert HourlyMetric.objects.count() == 10 * 24 * len(house.ad_sets)


def test_a_running_one_is_extended_by_a_request_that_goes_on_from_inside_it(house: House) -> None:
    first = asked(house, DAYS[0], DAYS[5])
    second = asked(house, DAYS[2], DAYS[8])
    assert first.pk == second.pk and second.last_day == DAYS[8]


def test_one_that_nobody_worked_on_for_a_day_is_not_trusted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first = asked(house)
    Backfill.objects.update(next_day=DAYS[7])
    monkeypatch.setattr(backfill, "wall_now", lambda: first.updated_at + timedelta(days=1, seconds=1))
    second = asked(house)
    assert second.pk != first.pk and second.next_day == FIRST
    assert Backfill.objects.get(pk=first.pk).state == "stopped"


def test_only_one_worker_holds_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    row = asked(house)
    assert backfill.claim(row.pk) is not None
    assert backfill.claim(row.pk) is None
    monkeypatch.setattr(backfill, "wall_now", lambda: AS_OF + backfill.LEASE + timedelta(seconds=1))
    assert backfill.claim(row.pk) is not None


def test_a_worker_stops_in_time_and_leaves_the_rest(
    house: House, ads: list[Ad], platform: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = asked(house)
    until = AS_OF + timedelta(minutes=1)
    clock = iter([AS_OF] * 7 + [until] * 50)
    monkeypatch.setattr(backfill, "wall_now", lambda: next(clock))
    backfill.run(row, platform, as_of=AS_OF, until=until)
    left = Backfill.objects.get()
    assert left.state == "running" and 0 < left.days_done < left.days and left.lease_until is None


def test_a_plan_that_was_cut_short_leaves_out_the_accounts_that_were_finished(house: House, platform: Served) -> None:
    other = AdAccount.objects.create(
        tenant=house.tenant,
        platform="meta",
        external_id="act_other",
        name="other",
        currency="USD",
        timezone=ZONE,
        credential=house.account.credential,
    )
    wanted = {house.account: (FIRST, LAST), other: (FIRST, LAST)}
    plan = backfill.plan(wanted, actor="sync", now=AS_OF)
    assert set(plan) == {house.account.pk, other.pk}
    backfill.run(plan[other.pk], platform, as_of=AS_OF)
    assert set(backfill.plan(wanted, actor="sync", now=AS_OF)) == {house.account.pk}
    assert set(backfill.plan(wanted, actor="another command", now=AS_OF)) == {house.account.pk, other.pk}


def test_a_plan_of_more_accounts_than_the_one_that_was_cut_short_reads_them_all(house: House) -> None:
    backfill.plan({house.account: (FIRST, LAST)}, actor="sync", now=AS_OF)
    newer = make_house("newer").account
    plan = backfill.plan({house.account: (FIRST, LAST), newer: (FIRST, LAST)}, actor="sync", now=AS_OF)
    assert set(plan) == {house.account.pk, newer.pk}


def test_one_that_is_read_but_not_accounted_is_not_finished_for_a_plan(house: House, platform: Served) -> None:
    wanted = {house.account: (FIRST, LAST)}
    row = backfill.plan(wanted, actor="sync", now=AS_OF)[house.account.pk]
    backfill.run(row, platform, as_of=AS_OF, is_whole=False)
    again = backfill.plan(wanted, actor="sync", now=AS_OF)[house.account.pk]
    assert (again.pk, again.days_done) == (row.pk, row.days)
    assert backfill.finish(Backfill.objects.filter(pk=row.pk)) == 1
    assert backfill.plan(wanted, actor="sync", now=AS_OF)[house.account.pk].pk != row.pk


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (LAST, FIRST, "expected a first day up to 2026-11-11"),
        (date(2025, 1, 1), LAST, "expected a first day from 2025-10-2"),
    ],
)
def test_a_range_that_cannot_be_read_is_refused_in_one_line(
    house: House, first: date, last: date, expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        asked(house, first, last)
    assert not Backfill.objects.exists()


def test_days_that_are_still_to_come_are_not_asked_for(house: House, platform: Served) -> None:
    row = asked(house, DAYS[8], LAST + timedelta(days=5))
    assert row.last_day == LAST
    backfill.run(row, platform, as_of=AS_OF)
    assert platform.asked == DAYS[8:] and Backfill.objects.get().state == "done"


def test_days_that_the_clock_of_this_run_has_not_reached_are_left(house: House, platform: Served) -> None:
    backfill.run(asked(house), platform, as_of=AS_OF - timedelta(days=3))
    left = Backfill.objects.get()
    assert platform.asked == DAYS[:7] and (left.state, left.next_day) == ("running", DAYS[7])
    backfill.run(asked(house), platform, as_of=AS_OF)
    assert Backfill.objects.get().state == "done"


def test_days_that_are_asked_for_while_the_last_one_is_read_are_read_too(house: House, platform: Served) -> None:
    def extend(days: int) -> None:
        if platform.asked[-1] == DAYS[5]:
            asked(house, DAYS[2], DAYS[8])

    backfill.run(asked(house, DAYS[0], DAYS[5]), platform, as_of=AS_OF, progress=extend)
    assert platform.asked == DAYS[:9]
    assert (Backfill.objects.get().state, Backfill.objects.get().last_day) == ("done", DAYS[8])


def test_a_worker_that_lost_its_lease_stops_and_does_not_take_that_of_another(house: House, platform: Served) -> None:
    row = asked(house)
    other = AS_OF + timedelta(minutes=7)

    def overtake(days: int) -> None:
        Backfill.objects.update(lease_until=other)

    backfill.run(row, platform, as_of=AS_OF, progress=overtake)
    left = Backfill.objects.get()
    assert platform.asked == DAYS[:1]
    assert (left.state, left.next_day, left.lease_until) == ("running", DAYS[1], other)
    backfill.release(row, problem="too late")
    assert Backfill.objects.get().lease_until == other


def test_a_run_holds_the_lease_from_its_start(house: House, platform: Served) -> None:
    row = asked(house)
    claims: list[Backfill | None] = []
    read = platform.hours

    def hours(*days: date) -> Iterator[HourRecord]:
        claims.append(backfill.claim(row.pk))
        return read(*days)

    platform.hours = hours  # type: ignore[method-assign, assignment]
    backfill.run(row, platform, as_of=AS_OF)
    assert claims == [None] * 10 and platform.asked == DAYS


def test_one_that_was_stopped_is_not_read_on(house: House, platform: Served) -> None:
    def stop(days: int) -> None:
        Backfill.objects.update(state="stopped")

    backfill.run(asked(house), platform, as_of=AS_OF, progress=stop)
    assert len(platform.asked) <= 2 and Backfill.objects.get().state == "stopped"


def test_what_a_new_one_reads_anyway_is_stopped(house: House) -> None:
    inside, partly = asked(house, DAYS[2], DAYS[4]), asked(house, DAYS[6], LAST)
    Backfill.objects.filter(pk=partly.pk).update(next_day=DAYS[7])
    whole = asked(house, DAYS[1], DAYS[8])
    states = dict(Backfill.objects.values_list("pk", "state"))
    assert states == {inside.pk: "stopped", partly.pk: "running", whole.pk: "running"}


def test_one_that_grows_to_the_range_of_another_takes_its_place(house: House) -> None:
    long = asked(house, FIRST, LAST)
    old = AS_OF - timedelta(days=400)
    Backfill.objects.update(updated_at=old)
    short = asked(house, FIRST, DAYS[3])
    grown = asked(house, FIRST, LAST)
    assert (grown.pk, grown.last_day) == (short.pk, LAST)
    assert Backfill.objects.get(pk=long.pk).state == "stopped"


@pytest.mark.parametrize(("day", "length"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 11, 2), 24)])
def test_a_day_of_a_clock_change_has_its_own_number_of_hours(house: House, day: date, length: int) -> None:
    start, end = day_bounds(day, ZONE)
    hours = list(hours_between(start, end))
    served = [HourRecord(house.ad_sets[0].external_id, hour, 1_000_000, 1, 0, None, None, None) for hour in hours]
    sync_hours(house.account, Served({day: served}), first_day=day, last_day=day, as_of=AS_OF)
    assert SyncedHour.objects.count() == HourlyMetric.objects.count() == length


class TestWherePlatformsGiveDaysOnly:
    """An account without hours: its windows are whole days."""

    @pytest.fixture(autouse=True)
    def _days_only(self, house: House, everywhere: None) -> None:
        AdAccount.objects.update(reports_hours=False)
        house.account.refresh_from_db()

    def test_no_hour_is_asked_for_and_none_invented(self, house: House, ads: list[Ad], platform: Served) -> None:
        backfill.run(asked(house), platform, as_of=AS_OF)
        assert platform.asked == [] and not HourlyMetric.objects.exists()

    def test_windows_of_days_are_known_and_those_of_hours_are_not(
        self, house: House, ads: list[Ad], platform: Served
    ) -> None:
        backfill.run(asked(house), platform, as_of=AS_OF + 8 * HOUR)
        snapshot = load_snapshot(house.tenant, as_of=AS_OF + 8 * HOUR)
        yesterday, week = snapshot.window(0, "yesterday"), snapshot.window(0, "last_7d")
        assert (yesterday.spend_micros, week.spend_micros) == (24_000_000, 7 * 24_000_000)
        for token in ("last_6h", "today"):
            assert "daily figures only" in snapshot.window(0, token).problem

    def test_a_day_that_has_not_ended_is_not_known(self, house: House, ads: list[Ad], platform: Served) -> None:
        sync_ad_days(house.account, platform, first_day=LAST, last_day=LAST, as_of=AS_OF - HOUR)
        assert not SyncedHour.objects.exists()


def test_a_restated_day_of_an_ad_is_replaced(house: House, ads: list[Ad], platform: Served) -> None:
    def read(as_of: datetime) -> int:
        return sync_ad_days(house.account, platform, first_day=LAST, last_day=LAST, as_of=as_of).ad_days

    assert read(AS_OF) == len(ads)
    platform.days_of[LAST][0] = ad_day(0, LAST, house.ad_sets[0].external_id, sold=9)
    assert read(AS_OF + HOUR) == 0
    sold = AdDayPurchases.objects.get(ad=ads[0], day=LAST, window="default")
    assert (sold.count, sold.value_micros, sold.known_at) == (9, 270_000_000, AS_OF + HOUR)


def test_what_a_platform_takes_back_is_gone(house: House, ads: list[Ad], platform: Served) -> None:
    def read(as_of: datetime) -> None:
        sync_ad_days(house.account, platform, first_day=LAST, last_day=LAST, as_of=as_of)

    read(AS_OF)
    ad_set = house.ad_sets[0].external_id
    platform.days_of[LAST] = [AdDayRecord("ad0", ad_set, LAST, 24_000_000, 2400, 48, None, ())]
    read(AS_OF + HOUR)
    assert not AdDayPurchases.objects.exists()
    assert sorted(AdDay.objects.values_list("spend_micros", flat=True)) == [0, 0, 24_000_000]


def test_ads_that_we_do_not_know_are_left_out(house: House, platform: Served) -> None:
    assert sync_ad_days(house.account, platform, first_day=LAST, last_day=LAST, as_of=AS_OF).ad_days == 0


def test_an_older_read_that_arrives_late_takes_nothing_back(house: House, ads: list[Ad], platform: Served) -> None:
    def read(as_of: datetime) -> None:
        sync_ad_days(house.account, platform, first_day=LAST, last_day=LAST, as_of=as_of)

    read(AS_OF + 2 * HOUR)
    held = AdDayPurchases.objects.count()
    platform.days_of[LAST] = [ad_day(0, LAST, house.ad_sets[0].external_id, sold=1)]
    read(AS_OF)
    assert AdDayPurchases.objects.count() == held == 2 * len(ads)
    assert set(AdDayPurchases.objects.values_list("known_at", flat=True)) == {AS_OF + 2 * HOUR}


def test_when_an_hour_was_read_does_not_go_backwards(house: House, platform: Served) -> None:
    for as_of in (AS_OF + 2 * HOUR, AS_OF):
        sync_hours(house.account, platform, first_day=LAST, last_day=LAST, as_of=as_of)
    assert set(SyncedHour.objects.values_list("known_at", flat=True)) == {AS_OF + 2 * HOUR}


@pytest.mark.parametrize("stored_before", [False, True])
@pytest.mark.parametrize("figure", [10**15 + 1, 2**63])
def test_a_figure_out_of_all_bounds_is_a_malformed_reply_and_nothing_of_that_day_is_stored(
    house: House, ads: list[Ad], platform: Served, figure: int, stored_before: bool
) -> None:
    if stored_before:
        backfill.read_days(house.account, platform, first_day=LAST, last_day=LAST, as_of=AS_OF - HOUR)
    hours, days = HourlyMetric.objects.count(), AdDay.objects.count()
    platform.hours_of[LAST][0] = platform.hours_of[LAST][0]._replace(spend_micros=figure)
    with pytest.raises(MalformedReplyError, match="2026-11-20"):
        sync_hours(house.account, platform, first_day=LAST, last_day=LAST, as_of=AS_OF)
    platform.days_of[LAST][0] = replace(platform.days_of[LAST][0], spend_micros=figure)
    with pytest.raises(MalformedReplyError, match="2026-11-20"):
        sync_ad_days(house.account, platform, first_day=LAST, last_day=LAST, as_of=AS_OF)
    assert (HourlyMetric.objects.count(), AdDay.objects.count()) == (hours, days)


def test_very_many_windows_can_be_taken_back_at_once(
    house: House, ads: list[Ad], platform: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrics.sync.hours.BATCH", 2)
    ad_set = house.ad_sets[0].external_id
    for sold in (tuple(PurchaseRecord(f"{n}d_click", n, None) for n in range(7)), ()):
        platform.days_of[LAST] = [AdDayRecord("ad0", ad_set, LAST, 1, 1, 1, None, sold)]
        sync_ad_days(house.account, platform, first_day=LAST, last_day=LAST, as_of=AS_OF)
        assert AdDayPurchases.objects.count() == len(sold)

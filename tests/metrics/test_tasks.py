"""What workers do with past days: they end, they start again, and what they read is accounted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.hours import HOUR, day_bounds, hours_between
from accounts.models import AdAccount, Alert, Tenant
from connectors.contracts import HourRecord
from connectors.errors import TransientError
from metrics import backfill, tasks
from metrics.models import Backfill, HourlyMetric, Reward
from tests.factories import House
from tests.metrics.platforms import WholePlatform

ZONE = "America/New_York"
NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)  # midnight in New York
DAYS = [date(2026, 11, 16) + timedelta(days=n) for n in range(5)]

pytestmark = pytest.mark.usefixtures("everywhere")


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[Backfill]:
    found: list[Backfill] = []
    monkeypatch.setattr(tasks, "wake", found.append)
    return found


@pytest.fixture(autouse=True)
def platform(house: House, woken: list[Backfill], monkeypatch: pytest.MonkeyPatch) -> WholePlatform:
    """Each ad set spends one unit an hour; the time is `NOW`."""
    hours = {
        day: [
            HourRecord(row.external_id, hour, 1_000_000, 100, 2, None, None, None)
            for row in house.ad_sets
            for hour in hours_between(*day_bounds(day, ZONE))
        ]
        for day in DAYS
    }
    served = WholePlatform(hours, house=house)
    monkeypatch.setattr(tasks, "connect_ad_account", lambda account: served)
    for module in (tasks, backfill):
        monkeypatch.setattr(module, "wall_now", lambda: NOW)
    return served


def asked(house: House) -> Backfill:
    return backfill.request(house.account, DAYS[0], DAYS[-1], actor="mara", now=NOW)


def rewarded() -> set[datetime]:
    return set(Reward.objects.values_list("hour", flat=True))


def test_days_that_were_read_before_a_failure_are_accounted(house: House, platform: WholePlatform) -> None:
    platform.fails_on, platform.failure = DAYS[3], TransientError("away")
    assert "away" in tasks.run_backfill(str(asked(house).pk))
    assert Backfill.objects.get().next_day == DAYS[3]
    assert rewarded() == set(HourlyMetric.objects.values_list("hour", flat=True)) != set()
    assert Alert.objects.get().resolved_at is None


def test_a_day_counts_as_read_only_when_it_is_accounted(
    house: House, platform: WholePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The worker went away."""

    def killed(*args: Any, **options: Any) -> None:
        raise Killed

    row = asked(house)
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "store_rewards", killed)
        with pytest.raises(Killed):
            tasks.run_backfill(str(row.pk))
    assert Backfill.objects.get().next_day == DAYS[0]
    Backfill.objects.update(lease_until=NOW - HOUR)
    assert tasks.run_backfill(str(row.pk)) == "5 of 5 days"
    assert rewarded() == set(HourlyMetric.objects.values_list("hour", flat=True)) != set()


def test_a_restated_old_day_is_accounted_again(house: House, platform: WholePlatform) -> None:
    tasks.run_backfill(str(asked(house).pk))
    assert set(Reward.objects.values_list("spend_micros", flat=True)) == {1_000_000}
    platform.hours_of[DAYS[0]] = [hour._replace(spend_micros=2_000_000) for hour in platform.hours_of[DAYS[0]]]
    tasks.run_backfill(str(asked(house).pk))
    start, end = day_bounds(DAYS[0], ZONE)
    of_the_day = Reward.objects.filter(hour__gte=start, hour__lt=end)
    assert set(of_the_day.values_list("spend_micros", flat=True)) == {2_000_000}


@pytest.mark.parametrize("switched_off", [AdAccount, Tenant])
def test_an_account_that_was_switched_off_is_not_read(
    house: House, platform: WholePlatform, woken: list[Backfill], switched_off: Any
) -> None:
    row = asked(house)
    switched_off.objects.update(is_active=False)
    assert tasks.run_backfill(str(row.pk)) == "nothing to do"
    assert tasks.resume_backfills() == 0
    assert (platform.asked, platform.trees, woken) == ([], [], [])


def test_one_that_always_fails_is_given_up_after_a_day(
    house: House, platform: WholePlatform, woken: list[Backfill], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.fails_on, platform.failure = DAYS[1], TransientError("never this day")
    tasks.run_backfill(str(asked(house).pk))
    assert tasks.resume_backfills() == 1
    later = Backfill.objects.get().updated_at + timedelta(days=1, seconds=1)
    for module in (tasks, backfill):
        monkeypatch.setattr(module, "wall_now", lambda: later)
    assert tasks.resume_backfills() == 0
    left = Backfill.objects.get()
    assert (left.state, left.problem) == ("stopped", "never this day")
    assert Alert.objects.get().resolved_at is None


def test_one_whose_worker_was_lost_is_taken_up_however_long_ago(
    house: House, woken: list[Backfill], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = asked(house)
    monkeypatch.setattr(tasks, "wall_now", lambda: row.updated_at + timedelta(days=9))
    assert tasks.resume_backfills() == 1 and [one.pk for one in woken] == [row.pk]


def test_one_that_loses_every_worker_is_given_up_and_told(
    house: House, woken: list[Backfill], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = asked(house)
    clock = row.updated_at
    for module in (tasks, backfill):
        monkeypatch.setattr(module, "wall_now", lambda: clock)
    for _ in range(2):
        assert backfill.claim(row.pk) is not None  # and is never seen again
        clock += timedelta(days=1)
        woken.clear()
        tasks.resume_backfills()
    assert woken == [] and Backfill.objects.get().state == "stopped"
    assert "did not come back" in Alert.objects.get().message


def test_a_worker_has_the_time_that_one_day_of_a_large_account_takes(
    house: House, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    told: list[Any] = []
    monkeypatch.undo()
    monkeypatch.setattr(tasks, "async_task", lambda *args, **options: told.append(options["timeout"]))
    tasks.wake(asked(house))
    assert told[0] < backfill.LEASE.total_seconds() <= settings.Q_CLUSTER["retry"]


def test_days_that_this_clock_has_not_reached_wait_without_being_asked_for(
    house: House, platform: WholePlatform, woken: list[Backfill]
) -> None:
    ahead = NOW + timedelta(days=30)
    day = date(2026, 12, 15)
    row = backfill.request(house.account, day, day, actor="sync", now=ahead)
    tasks.run_backfill(str(row.pk))
    row.refresh_from_db()
    assert (row.state, row.next_day, row.lease_until) == ("running", day, None)
    assert (platform.trees, woken) == ([], [])


def test_what_a_killed_sync_had_read_but_not_accounted_is_accounted_by_a_worker(
    house: House, platform: WholePlatform
) -> None:
    row = asked(house)
    backfill.run(row, platform, as_of=NOW, is_whole=False)
    left = Backfill.objects.get()
    assert (left.state, left.days_done, rewarded()) == ("running", left.days, set())
    tasks.run_backfill(str(row.pk))
    assert Backfill.objects.get().state == "done"
    assert rewarded() == set(HourlyMetric.objects.values_list("hour", flat=True))

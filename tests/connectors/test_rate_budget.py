"""The rate budget that all processes and hosts share."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import DjangoDbBlocker

from connectors import rate_budget
from connectors.errors import RateLimitedError
from connectors.models import RateBudget
from connectors.rate_budget import SharedBudget

ROOT = Path(__file__).parents[2]
LONG = 1_000_000.0  # seconds in which to refill: nothing that counts does while a test runs
WORKERS = 4


def budget(size: int = 5, seconds: float = LONG, key: str = "meta 1") -> SharedBudget:
    return SharedBudget(key, size=size, seconds=seconds)


def passes(seconds: float) -> None:
    """So much time goes by for every budget."""
    micros = round(seconds * rate_budget.SECOND)
    for row in RateBudget.objects.all():
        RateBudget.objects.filter(pk=row.pk).update(free_at=row.free_at - micros, held_until=row.held_until - micros)


@pytest.mark.django_db
def test_what_the_budget_holds_may_be_sent_at_once_and_the_next_waits_for_its_share() -> None:
    mine = budget(size=5, seconds=50_000)
    assert [mine.reserve(1, LONG) for _ in range(5)] == [0.0] * 5
    assert mine.reserve(1, LONG) == pytest.approx(10_000, abs=60)
    assert mine.reserve(2, LONG) == pytest.approx(30_000, abs=60)


@pytest.mark.django_db
def test_it_refills_evenly_and_never_beyond_its_size() -> None:
    mine = budget(size=5, seconds=50_000)
    for _ in range(5):
        mine.reserve(1, 0)
    passes(10_000)
    assert mine.reserve(1, 0) == 0.0
    assert mine.reserve(1, 0) > 9_000
    passes(10 * LONG)
    assert [mine.reserve(1, 0) for _ in range(5)] == [0.0] * 5
    assert mine.reserve(1, 0) > 9_000


@pytest.mark.django_db
def test_who_would_wait_longer_than_patience_books_nothing_and_is_told_how_long() -> None:
    mine = budget(size=5, seconds=50_000)
    assert mine.reserve(5, 0) == 0.0
    for _ in range(3):
        assert mine.reserve(1, 60) == pytest.approx(10_000, abs=60)
    assert mine.reserve(1, 10_100) == pytest.approx(10_000, abs=60)
    assert mine.reserve(1, 10_100) == pytest.approx(20_000, abs=60)


@pytest.mark.django_db
def test_a_write_weighs_as_much_as_it_costs() -> None:
    mine = budget(size=7)
    assert mine.reserve(3, 0) == 0.0
    assert mine.reserve(3, 0) == 0.0
    assert mine.reserve(3, 0) > 0.0
    assert mine.reserve(1, 0) == 0.0


@pytest.mark.django_db
def test_what_is_not_urgent_leaves_something_over_for_what_is() -> None:
    mine = SharedBudget("meta 1", size=60, seconds=LONG, spare=10)
    assert [mine.reserve(1, 0) for _ in range(50)] == [0.0] * 50
    assert mine.reserve(1, 0) > 0
    assert [mine.reserve_urgent(3, 0) for _ in range(3)] == [0.0] * 3
    assert mine.reserve_urgent(3, 0) > 0


@pytest.mark.django_db
def test_budgets_of_different_keys_do_not_meet() -> None:
    assert budget(size=1).reserve(1, 0) == 0.0
    assert budget(size=1).reserve(1, 0) > 0.0
    assert budget(size=1, key="meta 2").reserve(1, 0) == 0.0


@pytest.mark.django_db
def test_a_hold_stops_everybody_and_is_only_ever_extended() -> None:
    mine, other = budget(size=100), budget(size=100)
    mine.hold(500)
    assert other.held() == pytest.approx(500, abs=60)
    assert other.reserve(1, 60) == pytest.approx(500, abs=60)
    other.hold(5)
    assert mine.held() == pytest.approx(500, abs=60)
    other.hold(5_000)
    assert mine.held() == pytest.approx(5_000, abs=60)
    passes(5_001)
    assert mine.held() == 0.0
    assert mine.reserve(1, 0) == 0.0


@pytest.mark.django_db
def test_who_is_turned_away_by_a_hold_books_nothing() -> None:
    mine = budget(size=2)
    mine.hold(500)
    assert all(mine.reserve(1, 60) > 400 for _ in range(5))
    passes(501)
    assert [mine.reserve(1, 0) for _ in range(2)] == [0.0] * 2


@pytest.mark.django_db
def test_who_has_the_patience_for_a_hold_waits_for_its_end() -> None:
    mine = budget(size=100)
    mine.hold(500)
    assert mine.reserve(1, 600) == pytest.approx(500, abs=60)


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [-5, 0])
def test_a_hold_of_no_time_holds_nobody(seconds: float) -> None:
    budget().hold(seconds)
    assert budget().reserve(1, 0) == 0.0


@pytest.mark.django_db
def test_no_hold_lasts_longer_than_a_day() -> None:
    budget().hold(1e12)
    assert budget().held() <= 86_400


@pytest.mark.django_db
def test_one_statement_decides(django_assert_num_queries: pytest.FixtureRequest) -> None:
    mine = budget(size=2)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert mine.reserve(1, 0) == 0.0
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert mine.reserve(1, 0) == 0.0


@pytest.mark.django_db
def test_a_rollback_undoes_the_booking_and_does_no_other_harm() -> None:
    mine = budget(size=1)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert mine.reserve(1, 0) == 0.0
        assert mine.reserve(1, 0) > 0.0
        mine.hold(100)
        raise ZeroDivisionError
    assert mine.held() == 0.0
    assert mine.reserve(1, 0) == 0.0


@pytest.mark.django_db
def test_a_hold_that_cannot_be_stored_is_logged_and_hides_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(sql: str, values: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(rate_budget, "_ask", fails)
    with caplog.at_level(logging.WARNING):
        budget().hold(5)
    assert "meta 1" in caplog.text


@pytest.mark.django_db
def test_what_cannot_be_booked_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(sql: str, values: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(rate_budget, "_ask", fails)
    with pytest.raises(RateLimitedError, match="nothing was sent"):
        budget().reserve(1, 0)


@pytest.mark.parametrize(("size", "seconds", "spare"), [(0, 1.0, 0), (-1, 1.0, 0), (1, 0.0, 0), (5, 1.0, 5)])
def test_a_budget_of_nothing_is_refused(size: int, seconds: float, spare: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        SharedBudget("meta 1", size=size, seconds=seconds, spare=spare)


# --- several processes -------------------------------------------------------------------------------


class Crew:
    """Processes that share a database, and do what they are told at the same moment."""

    def __init__(self, database: str) -> None:
        environment = os.environ | {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "config.settings"}
        command = [sys.executable, "-m", "tests.connectors.budget_worker"]
        start = partial(subprocess.Popen, command, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE, text=True)
        self.workers = [start() for _ in range(WORKERS)]
        assert [_line(worker) for worker in self.workers] == ["ready"] * WORKERS

    def told(self, **order: Any) -> list[tuple[float, float]]:
        """What each try of each worker was told to wait, and when it was told."""
        for worker in self.workers:
            self.order(worker, order)
        return [(wait, at) for worker in self.workers for wait, at in json.loads(_line(worker))]

    def order(self, worker: subprocess.Popen[str], order: dict[str, Any]) -> None:
        assert worker.stdin
        worker.stdin.write(json.dumps(order) + "\n")
        worker.stdin.flush()

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.communicate()


def _line(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout
    return worker.stdout.readline().strip()


@pytest.fixture(scope="module", params=["a SQLite file", pytest.param("PostgreSQL", marks=pytest.mark.postgres)])
def crew(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Crew]:
    if request.param == "PostgreSQL":
        at = connection.settings_dict
        database = f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
    else:
        database = f"sqlite:///{_sqlite_file(tmp_path_factory.mktemp('budget'))}"
    crew = Crew(database)
    try:
        yield crew
    finally:
        crew.end()
        with django_db_blocker.unblock():
            RateBudget.objects.all().delete()


def _sqlite_file(folder: Path) -> Path:
    path = folder / "budget.sqlite3"
    with closing(sqlite3.connect(path)) as database:
        table = RateBudget._meta.db_table
        database.execute(f"CREATE TABLE {table} (key text PRIMARY KEY, free_at bigint, held_until bigint)")
    return path


def test_workers_that_begin_at_once_share_exactly_one_budget(crew: Crew) -> None:
    told = crew.told(key="meta 1", size=20, seconds=LONG, tries=20, patience=0)
    assert len(told) == WORKERS * 20
    assert len([wait for wait, _ in told if wait == 0]) == 20


def test_workers_that_wait_their_turn_never_exceed_the_rate(crew: Crew) -> None:
    size, seconds = 10, 100.0
    told = crew.told(key="meta 2", size=size, seconds=seconds, tries=10, patience=LONG)
    turns = sorted(at + wait for wait, at in told)
    for number, turn in enumerate(turns[size:], size):
        since = turn - turns[0]
        assert number + 1 <= size + size * since / seconds + 0.5  # for the time between booking and clock
    assert turns[-1] - turns[0] == pytest.approx((len(turns) - size) * seconds / size, abs=15)


def test_one_worker_that_is_told_to_stay_away_holds_them_all(crew: Crew) -> None:
    order = {"key": "meta 3", "size": 1_000, "seconds": 1.0, "patience": 0}
    assert {wait for wait, _ in crew.told(**order, tries=2)} == {0}
    first = crew.workers[0]
    crew.order(first, order | {"hold": 900, "tries": 0})
    assert _line(first) == "[]"
    told = crew.told(**order, tries=5)
    assert len(told) == WORKERS * 5
    assert min(wait for wait, _ in told) > 800

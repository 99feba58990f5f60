"""Reports that are too large for one answer: in halves, or made by Meta in its own time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from connectors.contracts import AdDayRecord
from connectors.errors import ConnectorError, NotFoundError, TransientError
from connectors.meta import jobs
from connectors.meta.errors import TooMuchDataError
from tests.connectors.meta.answers import (
    ABSENT,
    TOO_MUCH,
    account,
    client,
    insight,
    listing,
    query,
    verb,
)
from tests.connectors.wire import Script, Wire, says, wire

LAST = date(2026, 11, 20)
STARTED = says({"report_run_id": "77"})
NO_SUMMARY = says({"error": {"code": 100, "message": "(#100) Cannot include spend in summary param"}}, 400)


def run(status: str, percent: int, **more: Any) -> Script:
    return says({"id": "77", "async_status": status, "async_percent_completion": percent, **more})


DONE = run("Job Completed", 100)
FAILED = run("Job Failed", 0)


def ad_days(served: Wire, days: int, pauses: list[float] | None = None) -> list[AdDayRecord]:
    waited = [] if pauses is None else pauses
    return list(client(served, pause=waited.append).ad_days(LAST - timedelta(days=days - 1), LAST))


def day_of(ad: str, day: date = LAST) -> dict[str, Any]:
    return insight(None, day.isoformat(), ad_id=ad)


def asked_days(request: str) -> str:
    return query(request)["time_range"][0]


def test_too_much_data_is_asked_for_in_halves() -> None:
    first, second = listing(insight(1, "2026-11-18")), listing(insight(1, "2026-11-20"))
    with wire(account(), TOO_MUCH, first, second) as served:
        found = list(client(served).hours(date(2026, 11, 18), LAST))
        assert [asked_days(r) for r in served.requests[2:]] == [
            '{"since": "2026-11-18", "until": "2026-11-19"}',
            '{"since": "2026-11-20", "until": "2026-11-20"}',
        ]
    assert [h.hour.day for h in found] == [18, 20]


def test_one_day_that_is_too_much_is_left_to_a_report() -> None:
    with wire(account(), TOO_MUCH, STARTED, DONE, listing(insight(9))) as served:
        assert len(list(client(served).hours(LAST, LAST))) == 1
        assert [verb(r) for r in served.requests[2:]] == ["POST act_7/insights", "GET 77", "GET 77/insights"]


def test_one_day_that_is_too_much_for_a_report_is_an_error() -> None:
    with wire(account(), TOO_MUCH) as served, pytest.raises(TooMuchDataError):
        list(client(served).hours(LAST, LAST))


def test_a_week_is_asked_for_at_once_and_more_as_a_report() -> None:
    with wire(account(), listing()) as served:
        assert ad_days(served, 7) == []
        assert [verb(r) for r in served.requests[1:]] == ["GET act_7/insights"]
    with wire(account(), STARTED, DONE, listing(day_of("9"), after="a"), listing(day_of("8"))) as served:
        assert [d.ad_external_id for d in ad_days(served, 8)] == ["8", "9"]
        assert [verb(r) for r in served.requests[1:]] == [
            "POST act_7/insights",
            "GET 77",
            "GET 77/insights",
            "GET 77/insights",
        ]


def test_a_long_range_is_a_report_for_each_month() -> None:
    with wire(account(), STARTED, DONE, listing(), STARTED, DONE, listing()) as served:
        assert ad_days(served, 45) == []
        assert [verb(r) for r in served.requests].count("POST act_7/insights") == 2


def test_a_report_is_waited_for_with_growing_pauses() -> None:
    states = (run("Job Not Started", 0), run("Job Running", 40), run("Job Completed", 99), DONE)
    pauses: list[float] = []
    with wire(account(), STARTED, *states, listing(day_of("9"))) as served:
        assert len(ad_days(served, 8, pauses)) == 1
    assert pauses == [0.2, 0.4, 0.8]


def test_a_report_that_is_not_found_yet_is_waited_for_once() -> None:
    with wire(account(), STARTED, ABSENT, DONE, listing(day_of("9"))) as served:
        assert len(ad_days(served, 8)) == 1
    with wire(account(), STARTED, ABSENT, ABSENT) as served, pytest.raises(NotFoundError):
        ad_days(served, 8)


@pytest.mark.usefixtures("quick_retries")
def test_a_passing_refusal_of_fields_is_tried_again() -> None:
    with wire(account(), NO_SUMMARY, STARTED, DONE, listing(day_of("9"))) as served:
        assert len(ad_days(served, 8)) == 1


@pytest.mark.parametrize("failed", [FAILED, run("Job Skipped", 0)])
def test_a_failed_report_is_started_once_more(failed: Script) -> None:
    with wire(account(), STARTED, failed, STARTED, DONE, listing(day_of("9"))) as served:
        assert len(ad_days(served, 8)) == 1
    with wire(account(), STARTED, failed, STARTED, failed) as served:
        with pytest.raises(TransientError):
            ad_days(served, 8)
        assert [verb(r) for r in served.requests].count("POST act_7/insights") == 2


def test_a_report_that_fails_for_its_size_is_asked_for_in_halves() -> None:
    too_much = run("Job Failed", 0, error_code=100, error_subcode=1487534)
    early, late = LAST - timedelta(days=7), LAST
    halves = (listing(day_of("9", early)), listing(day_of("9", late)))
    with wire(account(), STARTED, too_much, *halves) as served:
        assert [d.day for d in ad_days(served, 8)] == [early, late]


@pytest.mark.parametrize(("percent", "most"), [(0, jobs.START_WITHIN), (1, jobs.FINISH_WITHIN)])
def test_a_report_that_does_not_start_or_finish_in_time_is_given_up(percent: int, most: float) -> None:
    pauses: list[float] = []
    with wire(account(), STARTED, run("Job Running", percent)) as served, pytest.raises(TransientError):
        ad_days(served, 8, pauses)
    assert most <= sum(pauses) < most + jobs.LONGEST_PAUSE
    assert max(pauses) == jobs.LONGEST_PAUSE


@pytest.mark.parametrize("answer", [{}, {"report_run_id": None}, {"report_run_id": "../me"}, {"report_run_id": "1 2"}])
def test_a_report_without_a_name_is_refused(answer: dict[str, Any]) -> None:
    with wire(account(), says(answer)) as served:
        with pytest.raises(ConnectorError):
            ad_days(served, 8)
        assert len(served.requests) == 2

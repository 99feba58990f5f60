"""Meta's insights in the sandbox: windows, periods, limits, and report jobs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connectors.sandbox import meta_insights
from connectors.sandbox.meta_periods import months_before, period
from tests.connectors.sandbox.visitor import HOURLY, Visitor

SPAN = {"since": "2026-10-28", "until": "2026-11-02"}
ALIAS = "omni_purchase"


def insights(visitor: Visitor, node: str = "", **params: Any) -> list[dict[str, Any]]:
    asked = {"fields": "spend", "time_range": SPAN, "limit": "500", **params}
    return visitor.meta_all(f"{node or visitor.account}/insights", **asked)


def code_of(answer: Any) -> tuple[int, int | None]:
    return answer["error"]["code"], answer["error"].get("error_subcode")


def spent(rows: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(row["spend"]) for row in rows), Decimal(0))


def bought(row: dict[str, Any], name: str = "actions") -> dict[str, str]:
    return next((a for a in row.get(name, []) if a["action_type"] == ALIAS), {})


def test_each_attribution_window_stands_beside_the_value(reader: Visitor) -> None:
    windows = ["1d_click", "7d_click", "28d_click", "1d_view"]
    (row,) = insights(reader, fields="spend,actions,action_values,purchase_roas", action_attribution_windows=windows)
    counts, values = bought(row), bought(row, "action_values")
    assert int(counts["1d_click"]) <= int(counts["7d_click"]) <= int(counts["28d_click"])
    assert int(counts["value"]) == int(counts["7d_click"]) + int(counts.get("1d_view", "0"))
    assert Decimal(values["value"]) == Decimal(values["7d_click"]) + Decimal(values.get("1d_view", "0"))
    assert float(bought(row, "purchase_roas")["value"]) == pytest.approx(float(values["value"]) / float(row["spend"]))
    (plain,) = insights(reader, fields="actions")
    assert set(bought(plain)) == {"action_type", "value"}


@pytest.mark.parametrize("window", ["7d_view", "28d_view", "2d_click"])
def test_a_window_that_is_gone_is_refused(reader: Visitor, window: str) -> None:
    answer = reader.meta(f"{reader.account}/insights", action_attribution_windows=["7d_click", window])
    assert code_of(answer) == (100, None)


def test_days_of_ads_sum_to_days_of_the_account(reader: Visitor) -> None:
    by_ad = insights(reader, level="ad", time_increment="1", fields="ad_id,adset_id,campaign_name,spend")
    assert {row["date_start"] for row in by_ad} == {f"2026-{day}" for day in ["10-28", "10-29", "10-30", "10-31"]} | {
        "2026-11-01",
        "2026-11-02",
    }
    assert all(row["date_start"] == row["date_stop"] and row["adset_id"] for row in by_ad)
    assert spent(by_ad) == spent(insights(reader))


def test_rows_can_stand_for_several_days_or_for_months(reader: Visitor) -> None:
    pairs = insights(reader, time_increment="4")
    assert [(row["date_start"], row["date_stop"]) for row in pairs] == [
        ("2026-10-28", "2026-10-31"),
        ("2026-11-01", "2026-11-02"),
    ]
    months = insights(reader, time_increment="monthly")
    assert [(row["date_start"], row["spend"]) for row in months] == [(row["date_start"], row["spend"]) for row in pairs]


def test_an_object_tells_only_its_own(reader: Visitor) -> None:
    ad_set = reader.meta(f"{reader.account}/adsets")["data"][1]["id"]
    (own,) = insights(reader, ad_set, fields="adset_id,adset_name,objective,spend")
    assert own["adset_id"] == ad_set
    ads = insights(reader, ad_set, level="ad", fields="ad_id,spend")
    assert spent(ads) == spent([own])
    (ad,) = insights(reader, ads[0]["ad_id"], fields="ad_id,spend")
    assert ad == ads[0]


def test_rows_are_filtered_and_sorted(reader: Visitor) -> None:
    every = insights(reader, level="ad", fields="ad_id,campaign_id,spend", sort=["spend_descending"])
    amounts = [Decimal(row["spend"]) for row in every]
    assert amounts == sorted(amounts, reverse=True)
    first = every[0]
    for field, held in (("ad.id", first["ad_id"]), ("campaign.id", first["campaign_id"])):
        found = insights(
            reader,
            level="ad",
            fields="ad_id,campaign_id,spend",
            filtering=[{"field": field, "operator": "IN", "value": [held]}],
        )
        key = field.replace(".", "_")
        assert sorted(r["ad_id"] for r in found) == sorted(r["ad_id"] for r in every if r[key] == held)
    dear = [{"field": "spend", "operator": "GREATER_THAN", "value": float(amounts[3])}]
    assert len(insights(reader, level="ad", filtering=dear)) == 3


def test_a_breakdown_is_not_named_as_a_field(reader: Visitor) -> None:
    answer = reader.meta(f"{reader.account}/insights", fields=f"spend,{HOURLY}", breakdowns=[HOURLY])
    assert code_of(answer) == (100, None)


@pytest.mark.parametrize(
    ("since", "params", "refused"),
    [
        ("2023-10-06", {}, False),
        ("2023-10-04", {}, True),
        ("2025-10-06", {"breakdowns": [HOURLY]}, False),
        ("2025-10-04", {"breakdowns": [HOURLY]}, True),
    ],
)
def test_figures_are_kept_for_37_months_and_hours_for_13(
    reader: Visitor, since: str, params: dict[str, Any], refused: bool
) -> None:
    answer = reader.meta(f"{reader.account}/insights", time_range={"since": since, "until": "2026-11-01"}, **params)
    assert ("error" in answer) == refused
    assert not refused or answer["error"]["code"] == 3018


def test_every_preset_is_a_range_of_days(reader: Visitor) -> None:
    today = insights(reader, time_range=SPAN | {"since": "2026-11-05", "until": "2026-11-05"})
    for preset, start, stop in (
        ("today", "2026-11-05", "2026-11-05"),
        ("yesterday", "2026-11-04", "2026-11-04"),
        ("last_7d", "2026-10-29", "2026-11-04"),
        ("this_month", "2026-11-01", "2026-11-05"),
        ("last_month", "2026-10-01", "2026-10-31"),
        ("this_week_sun_today", "2026-11-01", "2026-11-05"),
        ("last_week_mon_sun", "2026-10-26", "2026-11-01"),
        ("this_quarter", "2026-10-01", "2026-11-05"),
        ("last_quarter", "2026-07-01", "2026-09-30"),
        ("maximum", "2023-10-05", "2026-11-05"),
    ):
        page = reader.meta(f"{reader.account}/insights", fields="spend", date_preset=preset)["data"]
        assert [(row["date_start"], row["date_stop"]) for row in page] in ([], [(start, stop)]), preset
    assert reader.meta(f"{reader.account}/insights", fields="spend", date_preset="today")["data"] == today


def test_too_much_at_once_is_refused_and_less_is_not(reader: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meta_insights, "MOST_ROWS", 100)
    big = {"level": "adset", "time_range": SPAN, "time_increment": "1", "breakdowns": [HOURLY]}
    path = f"{reader.account}/insights"
    assert code_of(reader.meta(path, **big)) == (100, 1487534)
    narrowed = [
        {"field": "adset.id", "operator": "IN", "value": [reader.meta(f"{reader.account}/adsets")["data"][0]["id"]]}
    ]
    small = big | {"time_range": {"since": "2026-11-01", "until": "2026-11-02"}, "filtering": narrowed}
    assert reader.meta(path, **small)["data"]
    assert "report_run_id" in reader.meta_write(path, **big)


def poll(visitor: Visitor, job: str) -> dict[str, Any]:
    """The job when it has come to an end."""
    told = visitor.meta(job)
    while told["async_status"] in ("Job Not Started", "Job Started", "Job Running"):
        assert told["async_percent_completion"] < 100
        told = visitor.meta(job)
    return dict(told)


def test_a_report_job_takes_its_time_and_then_tells_what_a_direct_answer_tells(reader: Visitor) -> None:
    asked = {"level": "adset", "fields": ["adset_id", "spend", "actions"], "time_range": SPAN, "time_increment": 1}
    job = reader.meta_write(f"{reader.account}/insights", **asked)["report_run_id"]
    assert code_of(reader.meta(f"{job}/insights")) == (2601, 1815107)
    first = reader.meta(job, fields="async_status")
    assert first == {"id": job, "async_status": "Job Not Started"}
    done = poll(reader, job)
    assert (done["async_status"], done["async_percent_completion"]) == ("Job Completed", 100)
    rows = reader.meta_all(f"{job}/insights", limit="7")
    direct = insights(reader, level="adset", fields="adset_id,spend,actions", time_increment="1")
    assert len(rows) > 7
    assert rows == direct


def test_a_job_keeps_the_figures_of_the_moment_when_it_was_done(visitor: Visitor) -> None:
    asked = {"level": "account", "fields": "spend", "date_preset": "today"}
    job = visitor.meta_write(f"{visitor.account}/insights", **asked)["report_run_id"]
    poll(visitor, job)
    before = visitor.meta(f"{job}/insights")["data"]
    visitor.advance(5)
    assert visitor.meta(f"{job}/insights")["data"] == before
    assert visitor.meta(f"{visitor.account}/insights", fields="spend", date_preset="today")["data"] != before


def test_a_job_is_checked_when_it_is_ordered_and_is_no_write(visitor: Visitor) -> None:
    assert code_of(visitor.meta_write(f"{visitor.account}/insights", fields="nonsense")) == (100, None)
    visitor.meta_write(f"{visitor.account}/insights", fields="spend")
    assert visitor.ledger() == []


def test_a_job_that_has_no_answer_fails(reader: Visitor) -> None:
    nonsense = [{"field": "adset.colour", "operator": "IN", "value": ["red"]}]
    job = reader.meta_write(f"{reader.account}/insights", fields="spend", filtering=nonsense)["report_run_id"]
    assert poll(reader, job)["async_status"] == "Job Failed"


def test_another_tenant_does_not_find_the_job(reader: Visitor) -> None:
    job = reader.meta_write(f"{reader.account}/insights", fields="spend")["report_run_id"]
    assert code_of(Visitor(reader.url, tenant=1).meta(job)) == (100, 33)


def test_a_job_can_fail_and_can_be_out_of_sight_at_first(visitor: Visitor) -> None:
    for kind in ("job_failed", "job_hidden"):
        visitor.control("faults", fault=kind)
    job = visitor.meta_write(f"{visitor.account}/insights", fields="spend")["report_run_id"]
    assert code_of(visitor.meta(job)) == (100, 33)
    told = poll(visitor, job)
    assert (told["async_status"], told["is_running"]) == ("Job Failed", False)
    assert {"error_code", "error_message", "error_user_msg"} <= set(told)
    assert "error" in visitor.meta(f"{job}/insights")


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
        (date(2026, 11, 5), 37, date(2023, 10, 5)),
    ],
)
def test_months_before_a_day(day: date, months: int, before: date) -> None:
    assert months_before(day, months) == before


def test_a_period_is_cut_to_what_was_asked_for() -> None:
    asked = (date(2026, 10, 28), date(2026, 11, 2))
    assert period(date(2026, 11, 1), asked, -1) == (date(2026, 11, 1), date(2026, 11, 2))
    assert period(date(2026, 10, 30), asked, -1) == (date(2026, 10, 28), date(2026, 10, 31))
    assert period(None, asked, 0) == asked

"""The sandbox as a whole: clock, ledger, faults over real sockets, state on disk, the command."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sandbox.journal import Journal, StateError
from connectors.sandbox.server import PortError, build, running_sandbox
from connectors.sandbox.world import Config, World
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.seller import Seller
from tests.connectors.sandbox.visitor import Visitor

ROOT = Path(__file__).parents[3]
FIRST_META = "120210000020000001"
FIRST_TIKTOK = "1790000000020000001"


def everything(visitor: Visitor) -> list[Any]:
    """What the four faces say about the last days."""
    return [
        visitor.meta_all(f"{visitor.account}/adsets", fields="id,status,daily_budget,updated_time"),
        visitor.hours("2026-11-03", "2026-11-09"),
        visitor.tiktok("adgroup/get/")["data"],
        [visitor.report(f"2026-11-0{day}", f"2026-11-0{day}")["data"] for day in range(4, 10)],
        visitor.orders("createdAt updatedAt totalPriceSet { shopMoney { amount } }"),
        Seller(visitor.url).all_orders(),
    ]


def write_some(visitor: Visitor) -> None:
    visitor.meta_write(FIRST_META, daily_budget="5500")
    visitor.tiktok_write("adgroup/update/", adgroup_id=FIRST_TIKTOK, budget=60)
    visitor.meta_write(FIRST_META, daily_budget="1")


@settings(max_examples=5, deadline=None)
@given(st.lists(st.sampled_from([0.25, 1, 3, 7, 11.5]), max_size=4), st.booleans())
def test_the_same_seed_and_calls_give_the_same_answers(steps: list[float], writes: bool) -> None:
    told = []
    for _ in range(2):
        with running_sandbox(start=START, days=2) as running:
            visitor = Visitor(running.url)
            for step in steps:
                visitor.advance(step)
                if writes:
                    write_some(visitor)
            told.append(everything(visitor))
    assert told[0] == told[1]


def test_a_day_is_the_same_hour_by_hour_and_at_once(visitor: Visitor) -> None:
    write_some(visitor)
    for _ in range(24):
        visitor.advance(1)
    with running_sandbox(start=START, days=3) as running:
        other = Visitor(running.url)
        write_some(other)
        other.control("clock", now="2026-11-06T10:00:00-05:00")
        assert everything(other) == everything(visitor)


def test_another_seed_is_another_world(visitor: Visitor) -> None:
    with running_sandbox(start=START, days=3, seed=8) as running:
        other = Visitor(running.url)
        assert other.who != visitor.who
        assert other.hours("2026-11-04", "2026-11-04") != visitor.hours("2026-11-04", "2026-11-04")


def test_the_credentials_are_those_of_the_first_tenant_and_all_are_listed(reader: Visitor) -> None:
    found = reader.get("/_control/credentials")
    assert set(found["meta"]) == {"account_id", "access_token", "app_id", "app_secret"}
    assert set(found["tiktok"]) == {"advertiser_id", "access_token", "app_id", "app_secret"}
    assert set(found["shopify"]) == {"shop", "access_token", "client_id", "client_secret"}
    assert set(found["tiktok_shop"]) >= {
        "shop_id",
        "shop_cipher",
        "access_token",
        "refresh_token",
        "app_key",
        "app_secret",
        "service_id",
    }
    assert found["tenants"][0]["meta"] == found["meta"]
    assert (found["tenants"][1]["currency"], found["tenants"][1]["timezone"]) == ("EUR", "Europe/Berlin")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"advance_hours": -1},
        {"advance_hours": "1"},
        {"advance_hours": 1e9},
        {"advance_hours": True},
        {"now": "2020-01-01T00:00:00Z"},
        {"now": "soon"},
        {"now": "2026-12-01T00:00:00"},
        {"now": "9999-01-01T00:00:00Z"},
    ],
)
def test_a_clock_that_cannot_be_set_stays(reader: Visitor, body: Any) -> None:
    response = reader.send("POST", "/_control/clock", json=body)
    assert response.status_code == 400
    assert response.json()["error"]
    assert reader.get("/_control/clock")["now"] == START.isoformat()


def test_a_running_clock_closes_hours_by_itself() -> None:
    with running_sandbox(start=START, days=1, clock=36_000) as running:
        visitor = Visitor(running.url)
        before = datetime.fromisoformat(visitor.get("/_control/clock")["now"])
        time.sleep(0.25)
        after = datetime.fromisoformat(visitor.get("/_control/clock")["now"])
        assert 2 <= (after - before).total_seconds() / 3600 < 200


def test_a_persons_edit_is_booked_as_human_and_bound_to_the_platforms_rules(visitor: Visitor) -> None:
    row = visitor.control("human_edit", platform="meta", object_id=FIRST_META, field="daily_budget", value=5000)
    assert (row["actor"], row["old"], row["new"]) == ("human", "4000", "5000")
    row = visitor.control(
        "human_edit",
        platform="tiktok",
        account=visitor.advertiser,
        object_id=FIRST_TIKTOK,
        field="operation_status",
        value="DISABLE",
    )
    assert (row["field"], row["new"], row["account"]) == ("operation_status", "DISABLE", visitor.advertiser)
    for bad in (
        {"platform": "meta", "object_id": FIRST_META, "field": "daily_budget", "value": 1},
        {"platform": "meta", "object_id": FIRST_META, "field": "colour", "value": 1},
        {"platform": "meta", "object_id": FIRST_TIKTOK, "field": "status", "value": "PAUSED"},
        {"platform": "shopify", "object_id": "1", "field": "status", "value": "x"},
        {"platform": "meta", "account": "act_9", "object_id": FIRST_META, "field": "status", "value": "PAUSED"},
    ):
        assert "error" in visitor.control("human_edit", **bad)
    assert len(visitor.ledger()) == 2


def set_budget(visitor: Visitor, text: str = "4400") -> httpx.Response:
    return visitor.meta_raw("POST", FIRST_META, {"daily_budget": text})


def test_a_connection_cut_before_applying_leaves_no_trace(visitor: Visitor) -> None:
    visitor.control("faults", fault="drop_before_apply", platform="meta", method="POST", path=FIRST_META)
    with pytest.raises(httpx.RemoteProtocolError):
        set_budget(visitor)
    assert visitor.ledger() == []
    assert set_budget(visitor).json() == {"success": True}


def test_a_connection_cut_after_applying_has_applied(visitor: Visitor) -> None:
    visitor.control("faults", fault="drop_after_apply", method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        set_budget(visitor)
    assert [row["result"] for row in visitor.ledger()] == ["applied"]
    assert visitor.meta(FIRST_META, fields="daily_budget")["daily_budget"] == "4400"


def test_a_late_write_takes_effect_after_the_connection_is_gone(visitor: Visitor) -> None:
    visitor.control("faults", fault="late_apply", seconds=0.3)
    with pytest.raises(httpx.RemoteProtocolError):
        set_budget(visitor)
    assert visitor.meta(FIRST_META, fields="daily_budget")["daily_budget"] == "4000"
    deadline = time.monotonic() + 5
    while not visitor.ledger() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert visitor.meta(FIRST_META, fields="daily_budget")["daily_budget"] == "4400"


@pytest.mark.parametrize("kind", ["truncated_body", "html_body"])
def test_a_spoilt_answer_does_not_undo_the_write(visitor: Visitor, kind: str) -> None:
    visitor.control("faults", fault=kind, platform="meta")
    if kind == "truncated_body":
        with pytest.raises(httpx.RemoteProtocolError):
            set_budget(visitor)
    else:
        response = set_budget(visitor)
        assert (response.status_code, response.headers["Content-Type"][:9]) == (504, "text/html")
    assert [row["result"] for row in visitor.ledger()] == ["applied"]


@pytest.mark.parametrize(
    ("kind", "code"), [("rate_limit", "17/2446079"), ("server_error", "2"), ("expired_token", "190/463")]
)
def test_a_refusing_fault_is_booked_as_refused(visitor: Visitor, kind: str, code: str) -> None:
    visitor.control("faults", fault=kind, platform="meta", count=2)
    assert set_budget(visitor).status_code in (400, 500)
    assert "error" in visitor.meta(FIRST_META)
    assert [(row["result"], row["code"]) for row in visitor.ledger()] == [("refused", code)]
    assert visitor.meta(FIRST_META, fields="daily_budget")["daily_budget"] == "4000"


def test_faults_of_the_other_platforms_have_their_own_shapes(visitor: Visitor) -> None:
    for kind, code in (("rate_limit", 40100), ("server_error", 50002), ("expired_token", 40105)):
        visitor.control("faults", fault=kind, platform="tiktok")
        assert visitor.tiktok("adgroup/get/")["code"] == code
    visitor.control("faults", fault="rate_limit", platform="shopify")
    assert visitor.graphql("{ shop { id } }")["errors"][0]["extensions"]["code"] == "THROTTLED"
    headers = {"X-Shopify-Access-Token": visitor.who["shopify"]["access_token"]}
    for kind, status in (("server_error", 500), ("expired_token", 401)):
        visitor.control("faults", fault=kind, platform="shopify")
        response = visitor.send("POST", "/admin/api/2026-10/graphql.json", headers=headers, json={})
        assert response.status_code == status


def test_a_slow_answer_holds_up_nobody_else(visitor: Visitor) -> None:
    visitor.who  # noqa: B018
    visitor.control("faults", fault="slow", path="adsets", seconds=0.8)
    slow = threading.Thread(target=visitor.meta, args=(f"{visitor.account}/adsets",))
    begun = time.monotonic()
    slow.start()
    time.sleep(0.1)
    visitor.meta(FIRST_META)
    assert time.monotonic() - begun < 0.7
    slow.join()
    assert time.monotonic() - begun >= 0.8


def test_faults_hit_what_they_name_count_down_and_can_be_cleared(visitor: Visitor) -> None:
    visitor.control("faults", fault="server_error", platform="meta", path="/insights", count=3)
    assert "error" not in visitor.meta(FIRST_META)
    assert "error" in visitor.meta(f"{visitor.account}/insights")
    assert visitor.get("/_control/faults")[0]["count"] == 2
    assert visitor.send("DELETE", "/_control/faults").json() == []
    assert "error" not in visitor.meta(f"{visitor.account}/insights")
    for bad in (
        {},
        {"fault": "fire"},
        {"fault": "slow", "count": 0},
        {"fault": "slow", "platform": "x"},
        {"fault": "slow", "seconds": -1},
        {"fault": "slow", "pathh": "x"},
    ):
        assert visitor.send("POST", "/_control/faults", json=bad).status_code == 400
    assert visitor.send("POST", "/_control/faults", json={"fault": "webhook_late"}).status_code == 200


@pytest.mark.parametrize(
    ("platform", "method", "path"),
    [
        ("meta", "GET", "/v26.0/dialog/oauth"),
        ("meta", "GET", "/v26.0/oauth/access_token"),
        ("meta", "POST", "/v26.0/act_1010000000000001/insights"),
        ("meta", "GET", "/v26.0/1234567890/insights"),
        ("tiktok", "GET", "/portal/auth"),
        ("tiktok", "POST", "/open_api/v1.3/oauth2/access_token/"),
        ("tiktok", "POST", "/open_api/v1.3/oauth2/revoke_token/"),
        ("tiktok", "POST", "/open_api/v1.3/report/task/create/"),
        ("tiktok", "GET", "/open_api/v1.3/report/task/check/"),
    ],
)
def test_logins_and_report_jobs_reach_their_platform_and_its_faults(
    visitor: Visitor, platform: str, method: str, path: str
) -> None:
    last = path.strip("/").rpartition("/")[2]
    for kind in ("server_error", "rate_limit", "html_body", "drop_before_apply"):
        visitor.control("faults", fault=kind, platform=platform, method=method, path=last)
    told = [visitor.send(method, path) for _ in range(3)]
    code = [each.json().get("code") or each.json()["error"]["code"] for each in told[:2]]
    assert code == ([2, 17] if platform == "meta" else [50002, 40100])
    assert told[2].status_code == 504
    with pytest.raises(httpx.RemoteProtocolError):
        visitor.send(method, path)
    assert visitor.get("/_control/faults") == []
    assert visitor.send(method, path).text != '{"error":"no platform has this path"}'


def test_tiktok_shops_logins_and_api_reach_it_and_its_faults(visitor: Visitor) -> None:
    for method, path in (
        ("GET", "/open/authorize"),
        ("GET", "/alliance/creator/auth"),
        ("GET", "/api/v2/token/refresh"),
        ("POST", "/order/202309/orders/search"),
        ("PUT", "/event/202309/webhooks"),
    ):
        visitor.control("faults", fault="server_error", platform="tiktok_shop", method=method, path=path)
        assert visitor.send(method, path).json()["code"] == 36009003
        assert visitor.send(method, path).status_code != 404


def test_merchants_take_apps_away_on_order(visitor: Visitor) -> None:
    who = visitor.who
    assert visitor.control("uninstall", shop=who["shopify"]["shop"]) == {"done": True}
    assert visitor.graphql("{ shop { id } }")["errors"]
    assert visitor.control("deauthorize", shop_id=who["tiktok_shop"]["shop_id"]) == {"done": True}
    assert visitor.tiktok("adgroup/get/")["code"] == 0
    for name, body in (
        ("uninstall", {}),
        ("uninstall", {"shop": 1}),
        ("uninstall", {"shop": "nobody.myshopify.com"}),
        ("comply", {"shop": who["shopify"]["shop"]}),
        ("comply", {"shop": who["shopify"]["shop"], "topic": "orders/create"}),
        ("comply", {"shop": who["shopify"]["shop"], "topic": "shop/redact", "payload": []}),
        ("deauthorize", {"shop_id": "1"}),
        ("deauthorize", {}),
    ):
        response = visitor.send("POST", f"/_control/{name}", json=body)
        assert response.status_code in (400, 404)
        assert response.json()["error"]


def test_a_report_job_of_meta_fails_on_order(visitor: Visitor) -> None:
    assert visitor.control("faults", fault="job_failed", platform="meta", count=1) == []
    for bad in ({"platform": "tiktok"}, {"path": "x"}, {"count": 0}):
        assert visitor.send("POST", "/_control/faults", json={"fault": "job_failed", **bad}).status_code == 400
    seen = []
    for _ in range(2):
        job = visitor.meta_write(f"{visitor.account}/insights", level="account", fields=["spend"])["report_run_id"]
        told = (visitor.meta(job)["async_status"] for _ in range(30))
        seen.append(next(status for status in told if status in ("Job Failed", "Job Completed")))
    assert seen == ["Job Failed", "Job Completed"]


def test_unknown_paths_are_told_so(reader: Visitor) -> None:
    assert reader.send("GET", "/nothing").status_code == 404
    assert reader.send("GET", "/_control/nothing").status_code == 404
    assert reader.send("DELETE", "/_control/ledger").status_code == 405


def test_no_token_reaches_a_log(
    visitor: Visitor, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="werkzeug")
    token = visitor.who["meta"]["access_token"]
    visitor.send("GET", f"/v26.0/{visitor.account}", params={"access_token": token})
    visitor.control("faults", fault="drop_after_apply")
    with pytest.raises(httpx.RemoteProtocolError):
        visitor.send("POST", f"/v26.0/{FIRST_META}", params={"access_token": token, "status": "PAUSED"})
    told = capfd.readouterr()
    werkzeug = [r.getMessage() for r in caplog.records if r.name == "werkzeug"]
    assert token not in told.out + told.err + "".join(werkzeug)


def test_a_restart_goes_on_where_the_state_file_ends(tmp_path: Path) -> None:
    state = tmp_path / "state"
    told: list[Any] = []
    for restart in (True, False):
        path = state if restart else None
        with running_sandbox(start=START, days=3, state=path) as running:
            visitor = Visitor(running.url)
            write_some(visitor)
            visitor.advance(10.5)
            visitor.control("human_edit", platform="meta", object_id=FIRST_META, field="status", value="PAUSED")
            if not restart:
                visitor.advance(20)
                told += [everything(visitor), visitor.ledger()]
    with running_sandbox(days=3, state=state) as running:
        visitor = Visitor(running.url)
        visitor.advance(20)
        ledger = visitor.ledger()
        assert everything(visitor) == told[0]
    for row in ledger + told[1]:
        del row["wall_time"]
    assert ledger == told[1]


def test_a_state_file_cut_off_in_mid_line_is_used_up_to_there(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running_sandbox(start=START, days=1, state=state) as running:
        write_some(Visitor(running.url))
    state.write_bytes(state.read_bytes()[:-20])
    with running_sandbox(days=1, state=state) as running:
        visitor = Visitor(running.url)
        assert len(visitor.ledger()) == 2
        write_some(visitor)
    with running_sandbox(days=1, state=state) as running:
        assert len(Visitor(running.url).ledger()) == 5


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("garbage\n", Config()),
        ('{"kind":"write"}\n', Config()),
        (None, Config(seed=8)),
        (None, Config(days=9)),
        (None, Config(accounts=2)),
    ],
)
def test_a_state_file_that_does_not_fit_is_refused(tmp_path: Path, text: str | None, config: Config) -> None:
    state = tmp_path / "state"
    if text is None:
        World(Config(start=START), Journal(state)).close()
    else:
        state.write_text(text)
    journal = None
    with pytest.raises(StateError):
        journal = Journal(state)
        World(config, journal)
    if journal:
        journal.close()


def test_two_sandboxes_do_not_share_a_state_file_or_a_port(tmp_path: Path) -> None:
    with running_sandbox(start=START, days=1, state=tmp_path / "state") as running:
        with pytest.raises(StateError):
            Journal(tmp_path / "state")
        with pytest.raises(PortError):
            build(Config(days=1), port=int(running.url.rpartition(":")[2]))


def test_one_hundred_and_twenty_days_start_fast() -> None:
    begun = time.monotonic()
    World(Config(start=START, days=120, ad_sets=12), Journal(None))
    assert time.monotonic() - begun < 6


def command(*flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "sandbox", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_says_where_it_listens_and_survives_a_kill(tmp_path: Path) -> None:
    flags = ("--port", "0", "--days", "2", "--state", str(tmp_path / "state"), "--start", "2026-11-05T15:00:00Z")
    process = command(*flags)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"sandbox listening on (http://127\.0\.0\.1:\d+)\n", line)
    assert found
    visitor = Visitor(found[1])
    write_some(visitor)
    visitor.advance(3)
    told, ledger = everything(visitor), visitor.ledger()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    again = command(*flags)
    assert again.stdout is not None
    visitor = Visitor(again.stdout.readline().split()[-1])
    assert (everything(visitor), visitor.ledger()) == (told, ledger)
    assert datetime.fromisoformat(visitor.get("/_control/clock")["now"]) == datetime(2026, 11, 5, 18, tzinfo=UTC)
    again.send_signal(signal.SIGINT)
    _, errors = again.communicate(timeout=10)
    assert (again.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    "flags",
    [
        ("--port", "99999"),
        ("--seed", "x"),
        ("--start", "soon"),
        ("--clock", "-2"),
        ("--tenants", "0"),
        ("--accounts", "21"),
        ("--state", "/nonexistent/place"),
        ("--host", "nowhere.invalid"),
    ],
)
def test_bad_flags_end_with_one_clear_line(flags: tuple[str, str]) -> None:
    process = command("--port", "0", "--days", "1", *flags)
    out, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert out == ""
    assert "Traceback" not in errors
    assert len([line for line in errors.splitlines() if "rror" in line]) == 1
    assert json.dumps(errors)

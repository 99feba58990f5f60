"""The Meta face, against the facts of its API."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal

import pytest

from connectors.sandbox import meta_usage
from tests.connectors.sandbox.visitor import HOURLY, Visitor

AD_SET_FIELDS = "id,name,campaign_id,status,effective_status,daily_budget,lifetime_budget"


def ad_sets(visitor: Visitor) -> list[dict[str, str]]:
    return visitor.meta_all(f"{visitor.account}/adsets", fields=AD_SET_FIELDS)


def test_the_account_tells_currency_zone_and_minimum(reader: Visitor) -> None:
    account = reader.meta(reader.account, fields="id,account_id,currency,timezone_name,min_daily_budget,amount_spent")
    assert account["id"] == f"act_{account['account_id']}"
    assert (account["currency"], account["timezone_name"]) == ("USD", "America/New_York")
    assert isinstance(account["amount_spent"], str)
    assert reader.meta("me/adaccounts")["data"] == [{"id": reader.account}]
    minimum = reader.meta(f"{reader.account}/minimum_budgets")["data"][0]
    assert (minimum["currency"], minimum["min_daily_budget_imp"]) == ("USD", 100)


def test_the_first_ad_sets_have_budgets_of_their_own_and_later_ones_a_pooled_one(reader: Visitor) -> None:
    listed = ad_sets(reader)
    assert [a["status"] for a in listed] == ["ACTIVE"] * 3 + ["PAUSED"] + ["ACTIVE"] * 2
    assert all(2400 <= int(a["daily_budget"]) <= 6000 for a in listed[:3])
    assert [a["daily_budget"] for a in listed[4:]] == ["0", "0"]
    campaign = reader.meta(listed[5]["campaign_id"], fields="daily_budget")
    assert int(campaign["daily_budget"]) > 0
    assert "daily_budget" not in reader.meta(listed[0]["campaign_id"], fields="daily_budget")


@pytest.mark.parametrize("size", ["1", "2", "5", "6", "100"])
def test_pages_lead_to_the_end_and_next_stands_only_where_there_is_more(reader: Visitor, size: str) -> None:
    paged = reader.meta_all(f"{reader.account}/adsets", fields=AD_SET_FIELDS, limit=size)
    assert paged == ad_sets(reader)


def test_the_next_link_can_be_followed_as_it_is(reader: Visitor) -> None:
    page = reader.meta(f"{reader.account}/ads", fields="id", limit="7")
    headers = {"Authorization": f"Bearer {reader.who['meta']['access_token']}"}
    following = reader.send("GET", page["paging"]["next"], headers=headers).json()
    assert len(following["data"]) == 5
    assert "next" not in following["paging"]
    assert reader.who["meta"]["access_token"] not in page["paging"]["next"]


def test_edges_ids_and_trailing_slashes(reader: Visitor) -> None:
    first, second = ad_sets(reader)[:2]
    assert reader.meta(f"{first['id']}/", fields=AD_SET_FIELDS) == first
    both = reader.meta("", ids=f"{first['id']},{second['id']}", fields="name")
    assert both[second["id"]]["name"] == second["name"]
    assert [a["id"] for a in reader.meta(f"{first['campaign_id']}/adsets")["data"]] == [first["id"], second["id"]]
    ads = reader.meta(f"{first['id']}/ads", fields="adset_id,effective_status,adset{name,campaign_id}")["data"]
    assert len(ads) == 2
    assert ads[0]["adset"]["name"] == first["name"]


def test_what_is_paused_above_shows_below(visitor: Visitor) -> None:
    first = ad_sets(visitor)[0]
    visitor.meta_write(first["campaign_id"], status="PAUSED")
    assert visitor.meta(first["id"], fields="status,effective_status") == {
        "id": first["id"],
        "status": "ACTIVE",
        "effective_status": "CAMPAIGN_PAUSED",
    }
    asked = visitor.meta(f"{visitor.account}/adsets", effective_status=["CAMPAIGN_PAUSED"])
    assert next(a["id"] for a in asked["data"]) == first["id"]


def test_what_is_deleted_leaves_the_lists_but_can_be_read(visitor: Visitor) -> None:
    first = ad_sets(visitor)[0]
    assert visitor.meta_write(first["id"], status="DELETED") == {"success": True}
    assert first["id"] not in [a["id"] for a in ad_sets(visitor)]
    assert visitor.meta(first["id"], fields="status")["status"] == "DELETED"
    assert visitor.meta_write(first["id"], status="ACTIVE")["error"]["code"] == 100


def test_lists_filter_by_the_time_of_the_last_change(visitor: Visitor) -> None:
    first = ad_sets(visitor)[0]
    now = 1793890800  # 2026-11-05T15:00:00Z
    visitor.advance(2)
    visitor.meta_write(first["id"], daily_budget="4100")
    condition = {"field": "adset.updated_time", "operator": "GREATER_THAN", "value": now}
    asked = visitor.meta(f"{visitor.account}/adsets", filtering=[condition])
    assert [a["id"] for a in asked["data"]] == [first["id"]]


def test_hours_are_strings_of_the_accounts_wall_clock_without_pixel_figures(reader: Visitor) -> None:
    rows = reader.hours("2026-11-03", "2026-11-03")
    assert {row["date_start"] for row in rows} == {row["date_stop"] for row in rows} == {"2026-11-03"}
    labels = {row[HOURLY] for row in rows}
    assert labels == {f"{hour:02d}:00:00 - {hour:02d}:59:59" for hour in range(24)}
    assert all(isinstance(row[name], str) for row in rows for name in ("spend", "impressions", "clicks"))
    assert all("purchase" not in action["action_type"] for row in rows for action in row["actions"])
    paused = ad_sets(reader)[3]["id"]
    assert paused not in {row["adset_id"] for row in rows}


def test_the_days_sum_equals_its_hours_and_knows_purchases(reader: Visitor) -> None:
    span = {"since": "2026-10-28", "until": "2026-11-02"}
    days = reader.meta_all(
        f"{reader.account}/insights",
        level="adset",
        fields="adset_id,spend,actions,action_values",
        time_range=span,
        time_increment="1",
        limit="100",
    )
    by_hours: dict[tuple[str, str], Decimal] = {}
    for row in reader.hours("2026-10-28", "2026-11-02"):
        key = (row["adset_id"], row["date_start"])
        by_hours[key] = by_hours.get(key, Decimal(0)) + Decimal(row["spend"])
    assert {(d["adset_id"], d["date_start"]): Decimal(d["spend"]) for d in days} == by_hours
    bought = next(d for d in days if "action_values" in d)
    aliases = {a["action_type"]: a["value"] for a in bought["actions"]}
    assert aliases["omni_purchase"] == aliases["purchase"] == aliases["offsite_conversion.fb_pixel_purchase"]


def test_all_levels_sum_to_the_same(reader: Visitor) -> None:
    span = {"since": "2026-10-25", "until": "2026-11-01"}
    sums = {}
    for level in ("account", "campaign", "adset", "ad"):
        rows = reader.meta_all(f"{reader.account}/insights", level=level, fields="spend,clicks", time_range=span)
        sums[level] = (sum(Decimal(r["spend"]) for r in rows), sum(int(r["clicks"]) for r in rows))
    assert len(set(sums.values())) == 1


def test_the_day_that_ends_summer_time_merges_two_hours_into_one_label(reader: Visitor) -> None:
    rows = [r for r in reader.hours("2026-11-01", "2026-11-01") if r["adset_id"] == ad_sets(reader)[0]["id"]]
    labels = [row[HOURLY] for row in rows]
    assert len(labels) == len(set(labels)) == 24
    truth = reader.get("/_control/truth", hours="200")["ad_sets"][0]["hours"]
    two = [h for h in truth if h["hour"] in ("2026-11-01T05:00:00+00:00", "2026-11-01T06:00:00+00:00")]
    merged = next(row for row in rows if row[HOURLY].startswith("01:"))
    assert Decimal(merged["spend"]) * 1_000_000 == sum(h["spend_micros"] for h in two)


def test_the_newest_hours_are_completed_later(visitor: Visitor) -> None:
    def newest() -> dict[tuple[str, str], Decimal]:
        return {(r["adset_id"], r[HOURLY]): Decimal(r["spend"]) for r in visitor.hours("2026-11-05", "2026-11-05")}

    early = newest()
    visitor.advance(5)
    late = newest()
    grown = [key for key in early if late[key] > early[key]]
    assert grown
    assert all(late[key] >= early[key] for key in early)
    visitor.advance(24)
    settled = newest()
    assert {key: settled[key] for key in early} == {key: late[key] for key in early}


def test_settled_spend_equals_the_truth_to_the_micro(reader: Visitor) -> None:
    rows = reader.hours("2026-11-03", "2026-11-04")
    truth = reader.get("/_control/truth", hours="120")["ad_sets"]
    day = {f"2026-11-0{4 + (h + 5) // 24}T{(h + 5) % 24:02d}:00:00+00:00" for h in range(24)}
    for ad_set in truth[:6]:
        true = sum(h["spend_micros"] for h in ad_set["hours"] if h["hour"] in day)
        served = [r for r in rows if r["adset_id"] == ad_set["id"] and r["date_start"] == "2026-11-04"]
        assert sum(Decimal(r["spend"]) for r in served) * 1_000_000 == true


def test_a_budget_write_is_held_and_booked(visitor: Visitor) -> None:
    first = ad_sets(visitor)[0]
    assert visitor.meta_write(first["id"], daily_budget="4321") == {"success": True}
    assert visitor.meta(first["id"], fields="daily_budget")["daily_budget"] == "4321"
    row = visitor.ledger()[0]
    assert (row["field"], row["old"], row["new"]) == ("daily_budget", "4000", "4321")
    assert (row["result"], row["code"], row["actor"]) == ("applied", "", "api")
    assert row["object_id"] == first["id"]
    assert row["market_time"] == "2026-11-05T15:00:00+00:00"


def test_validate_only_changes_nothing(visitor: Visitor) -> None:
    first = ad_sets(visitor)[0]
    answer = visitor.meta_write(first["id"], daily_budget="4321", execution_options=["validate_only"])
    assert answer == {"success": True}
    assert ad_sets(visitor)[0] == first
    assert visitor.ledger() == []


@pytest.mark.parametrize(
    ("place", "field", "text", "code"),
    [
        (0, "daily_budget", "99", (100, 1885272)),
        (0, "daily_budget", "0", (100, 1885272)),
        (0, "daily_budget", "40.5", (100, None)),
        (0, "daily_budget", "-4000", (100, None)),
        (0, "daily_budget", "", (100, None)),
        (0, "daily_budget", "9" * 30, (100, None)),
        (0, "lifetime_budget", "90000", (100, None)),
        (0, "status", "ENABLED", (100, None)),
        (4, "daily_budget", "4000", (100, 1885621)),
    ],
)
def test_a_bad_write_is_refused_booked_and_changes_nothing(
    visitor: Visitor, place: int, field: str, text: str, code: tuple[int, int | None]
) -> None:
    before = ad_sets(visitor)
    response = visitor.meta_raw("POST", before[place]["id"], {field: text})
    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["code"], error.get("error_subcode")) == code
    assert ad_sets(visitor) == before
    (row,) = visitor.ledger()
    assert (row["result"], row["code"]) == ("refused", f"{code[0]}/{code[1]}" if code[1] else str(code[0]))


def test_one_bad_field_refuses_the_whole_write(visitor: Visitor) -> None:
    before = ad_sets(visitor)
    assert "error" in visitor.meta_write(before[0]["id"], status="PAUSED", daily_budget="1")
    assert ad_sets(visitor) == before
    assert {row["result"] for row in visitor.ledger()} == {"refused"}


def test_the_fifth_budget_change_within_an_hour_is_refused(visitor: Visitor) -> None:
    first, second = ad_sets(visitor)[:2]
    for step in range(4):
        assert visitor.meta_write(first["id"], daily_budget=str(4100 + step)) == {"success": True}
    error = visitor.meta_write(first["id"], daily_budget="4200")["error"]
    assert (error["code"], error["error_subcode"]) == (613, 1487632)
    assert visitor.meta_write(second["id"], daily_budget="4200") == {"success": True}
    visitor.advance(1)
    assert visitor.meta_write(first["id"], daily_budget="4200") == {"success": True}


def test_writes_change_what_is_spent_next(visitor: Visitor) -> None:
    first, second, third = ad_sets(visitor)[:3]
    visitor.meta_write(first["id"], status="PAUSED")
    visitor.meta_write(second["id"], daily_budget="14400")
    visitor.advance(48)
    spent: dict[str, Decimal] = {}
    for row in visitor.hours("2026-11-06", "2026-11-06"):
        spent[row["adset_id"]] = spent.get(row["adset_id"], Decimal(0)) + Decimal(row["spend"])
    assert first["id"] not in spent
    assert spent[second["id"]] > 2 * spent[third["id"]]


def test_the_token_may_stand_in_query_body_or_header_and_a_wrong_proof_is_refused(reader: Visitor) -> None:
    own = reader.who["meta"]
    url = f"/v26.0/{reader.account}"
    proof = hmac.new(own["app_secret"].encode(), own["access_token"].encode(), hashlib.sha256).hexdigest()
    token = {"access_token": own["access_token"]}
    assert reader.send("GET", url, params=token | {"appsecret_proof": proof}).status_code == 200
    wrong = reader.send("GET", url, params=token | {"appsecret_proof": "0" * 64})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, 100)
    dead = reader.send("GET", url, params={"access_token": "EAABnothing"})
    assert dead.status_code == 400
    assert (dead.json()["error"]["code"], dead.json()["error"]["error_subcode"]) == (190, 467)


def test_another_tenants_objects_do_not_exist(reader: Visitor) -> None:
    other = Visitor(reader.url, tenant=1)
    foreign = ad_sets(other)[0]["id"]
    error = reader.meta(foreign)["error"]
    assert (error["code"], error["error_subcode"]) == (100, 33)
    assert reader.meta_write(foreign, daily_budget="9000")["error"]["error_subcode"] == 33
    assert reader.ledger() == []


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("{account}/adsets", {"fields": "nonsense"}),
        ("{account}/adsets", {"limit": "0"}),
        ("{account}/adsets", {"limit": "many"}),
        ("{account}/adsets", {"after": "bogus"}),
        ("{account}/adsets", {"filtering": "{"}),
        ("{account}/adsets", {"filtering": '[{"field":"x","operator":"IN","value":[]}]'}),
        ("{account}/nothing", {}),
        ("{account}/insights", {"time_range": "yesterday"}),
        ("{account}/insights", {"time_range": '{"since":"2026-11-02","until":"2026-11-01"}'}),
        ("{account}/insights", {"fields": HOURLY}),
        ("{account}/insights", {"breakdowns": '["country"]'}),
        ("{account}/insights", {"level": "pixel"}),
        ("999", {}),
    ],
)
def test_bad_questions_get_metas_error(reader: Visitor, path: str, params: dict[str, str]) -> None:
    response = reader.meta_raw("GET", path.format(account=reader.account), params)
    assert response.status_code == 400
    assert {"message", "type", "code", "fbtrace_id"} <= set(response.json()["error"])


def test_an_unknown_version_is_refused(reader: Visitor) -> None:
    assert reader.send("GET", f"/v19.0/{reader.account}").json()["error"]["code"] == 2635


def test_every_answer_carries_the_four_usage_headers(reader: Visitor) -> None:
    headers = reader.meta_raw("GET", reader.account).headers
    for name in ("X-App-Usage", "X-Ad-Account-Usage", "X-Business-Use-Case-Usage", "X-FB-Ads-Insights-Throttle"):
        assert headers[name].startswith("{")


def test_whoever_calls_too_often_is_told_when_to_come_back(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meta_usage, "SCORE_MAX", 5)
    first = ad_sets(visitor)[0]["id"]
    assert visitor.meta_write(first, daily_budget="4100") == {"success": True}
    refused = visitor.meta_raw("POST", first, {"daily_budget": "4200"})
    assert refused.json()["error"]["code"] == 80004
    (case,) = json.loads(refused.headers["X-Business-Use-Case-Usage"])[visitor.account.removeprefix("act_")]
    assert (case["type"], case["call_count"] >= 60) == ("ads_management", True)
    assert case["estimated_time_to_regain_access"] >= 1
    assert json.loads(refused.headers["X-Ad-Account-Usage"])["acc_id_util_pct"] >= 60
    assert [(row["result"], row["code"]) for row in visitor.ledger()] == [
        ("applied", ""),
        ("refused", "80004/2446079"),
    ]
    other = Visitor(visitor.url, tenant=1)
    assert "id" in other.meta(other.account)


def test_lists_know_how_many_there_are(reader: Visitor) -> None:
    page = reader.meta(f"{reader.account}/ads", limit="2", summary="true")
    assert (len(page["data"]), page["summary"]) == (2, {"total_count": 12})
    assert "summary" not in reader.meta(f"{reader.account}/ads")


@pytest.mark.parametrize("fields", ["adset{nothing}", "name{id}", "adset{id", "adset}", "a{" * 50 + "}" * 50])
def test_fields_within_fields_must_exist_and_match(reader: Visitor, fields: str) -> None:
    assert reader.meta(f"{reader.account}/ads", fields=fields)["error"]["code"] in (100, 2500)


def test_a_batch_answers_each_of_its_requests(visitor: Visitor) -> None:
    first, second = ad_sets(visitor)[:2]
    parts = [
        {"method": "POST", "relative_url": first["id"], "body": "daily_budget=4200"},
        {"method": "POST", "relative_url": f"v26.0/{second['id']}", "body": "daily_budget=1"},
        {"method": "GET", "relative_url": f"{first['id']}?fields=daily_budget"},
    ]
    answers = visitor.meta_write("", batch=parts)
    assert [answer["code"] for answer in answers] == [200, 400, 200]
    assert json.loads(answers[2]["body"]) == {"daily_budget": "4200", "id": first["id"]}
    assert [row["result"] for row in visitor.ledger()] == ["applied", "refused"]
    assert "error" in visitor.meta_write("", batch=[{"method": "GET"}])
    assert "error" in visitor.meta_write("", batch=parts * 17)

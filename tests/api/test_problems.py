from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client

from accounts.api_keys import revoke_key
from accounts.models import ApiKey, Tenant
from accounts.scoping import all_tenants
from config import api_keys
from tests.api.partner import Partner, assert_problem, budget_change
from tests.factories import House

KEYED = ("overview", "campaigns", "ad-sets", "actions", "kill-switch", "actions/x")


def ask(path: str, authorization: str | None = None) -> Any:
    headers = {"Authorization": authorization} if authorization is not None else {}
    return Client(raise_request_exception=False).get(f"/api/v1/{path}", headers=headers)


@pytest.mark.parametrize("path", KEYED)
def test_nothing_is_shown_without_a_key(path: str, house: House) -> None:
    answer = ask(path)
    assert_problem(answer, 401, "unauthorized")
    assert answer["WWW-Authenticate"] == 'Bearer realm="bursar"'


@pytest.mark.parametrize(
    "text", ["", "Bearer", "Bearer ", "Bearer bur_x", "Basic YTpi", "Token t0ken", "é", "Bearer  "]
)
def test_refuses_what_is_no_key(text: str, house: House) -> None:
    assert_problem(ask("actions", text), 401, "unauthorized")


def test_refuses_a_key_with_one_letter_changed(partner: Partner) -> None:
    wrong = partner.secret[:-1] + ("a" if partner.secret[-1] != "a" else "b")
    assert_problem(ask("actions", f"Bearer {wrong}"), 401, "unauthorized")


def test_refuses_keys_that_are_revoked_expired_or_of_an_inactive_tenant(house: House, partner: Partner) -> None:
    expired, orphan = Partner(house), Partner(house)
    with all_tenants():
        revoke_key(partner.row)
        ApiKey.objects.filter(pk=expired.row.pk).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert_problem(partner.get("actions"), 401, "unauthorized")
    assert_problem(expired.get("actions"), 401, "unauthorized")
    assert orphan.get("actions").status_code == 200
    with all_tenants():
        Tenant.objects.update(is_active=False)
    assert_problem(orphan.get("actions"), 401, "unauthorized")


def test_a_session_is_no_key(house: House) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(house.owner)
    assert_problem(client.get("/api/v1/actions"), 401, "unauthorized")


def test_each_verb_needs_its_scope(living: House) -> None:
    reader, proposer = Partner(living, ("read",)), Partner(living, ("propose",))
    assert_problem(reader.post("actions", budget_change(living)), 403, "forbidden")
    assert_problem(reader.post("kill-switch", {"is_engaged": True, "reason": "x"}), 403, "forbidden")
    assert_problem(proposer.post("kill-switch", {"is_engaged": True, "reason": "x"}), 403, "forbidden")
    body = assert_problem(proposer.get("actions"), 403, "forbidden")
    assert "'read'" in body["detail"]
    assert proposer.post("actions", budget_change(living)).status_code == 201


@pytest.mark.parametrize("path", ["", "nothing", "actions/", "actions/a/b", "health/", "../v1"])
def test_an_unknown_address_is_a_problem_in_json(path: str, db: None) -> None:
    assert_problem(ask(path), 404, "not_found")


def test_an_unknown_version_is_a_problem_in_json_and_other_pages_are_not(db: None) -> None:
    client = Client(raise_request_exception=False)
    assert_problem(client.get("/api/v2/actions"), 404, "not_found")
    assert_problem(client.post("/api/nothing"), 404, "not_found")
    assert "json" not in client.get("/nothing")["Content-Type"]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_a_method_that_is_not_offered_is_named(method: str, partner: Partner) -> None:
    answer = getattr(partner.client, method)("/api/v1/actions")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD, POST"


def test_only_json_is_served(partner: Partner) -> None:
    answer = partner.client.get("/api/v1/actions", headers={"Accept": "text/html"})
    assert_problem(answer, 406, "not_acceptable")


def test_a_bad_host_is_a_problem_in_json(db: None) -> None:
    answer = Client(raise_request_exception=False).get("/api/v1/health", headers={"Host": "evil.example:x"})
    assert_problem(answer, 400, "malformed_request")


def test_an_error_of_ours_shows_nothing_of_itself(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr("automation.api.stop_reason", broken)
    answer = partner.get("kill-switch")
    assert_problem(answer, 500, "internal_error")
    assert b"s3cret" not in answer.content


def test_a_database_that_does_not_answer_invites_a_retry(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any) -> None:
        raise OperationalError("could not connect to 10.0.0.7")

    monkeypatch.setattr("automation.api.stop_reason", away)
    answer = partner.get("kill-switch")
    assert_problem(answer, 503, "unavailable")
    assert answer["Retry-After"] == "1"
    assert b"10.0.0.7" not in answer.content


def test_the_request_id_is_echoed_when_it_is_sound(partner: Partner) -> None:
    path = "/api/v1/actions/x"
    sent = partner.client.get(path, headers={"X-Request-Id": "order-4711-a"})
    assert sent["X-Request-Id"] == sent.json()["request_id"] == "order-4711-a"
    made = partner.client.get(path, headers={"X-Request-Id": "a b<script>"})
    assert len(made["X-Request-Id"]) == 32


def test_a_key_that_asks_too_often_is_told_when_to_come_back(
    house: House, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    monkeypatch.setattr(api_keys, "REQUESTS_PER_MINUTE", 3)
    monkeypatch.setattr(api_keys, "time", SimpleNamespace(time=lambda: 1_000_000_020.0))
    assert [partner.get("kill-switch").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = partner.get("kill-switch")
    assert_problem(answer, 429, "too_many_requests")
    assert answer["Retry-After"] == "60"
    assert Partner(house).get("kill-switch").status_code == 200
    monkeypatch.setattr(api_keys, "time", SimpleNamespace(time=lambda: 1_000_000_080.0))
    assert partner.get("kill-switch").status_code == 200

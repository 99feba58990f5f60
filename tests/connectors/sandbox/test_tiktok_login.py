"""TikTok's consent page, codes and tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connectors.sandbox.answers import Bucket
from connectors.sandbox.server import Sandbox, running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import TIKTOK, Visitor

BACK = "https://bursar.example/back"


def consent(visitor: Visitor, **params: str) -> httpx.Response:
    asked = {"app_id": visitor.who["tiktok"]["app_id"], "redirect_uri": BACK, "state": "s&1", **params}
    return visitor.send("GET", "/portal/auth", params=asked)


def allowed(visitor: Visitor, **params: str) -> dict[str, str]:
    response = consent(visitor, tenant=str(visitor.tenant), allow="1", **params)
    assert response.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def exchanged(visitor: Visitor, code: str, **others: str) -> Any:
    who = visitor.who["tiktok"]
    body = {"app_id": who["app_id"], "secret": who["app_secret"], "auth_code": code, **others}
    return visitor.send("POST", f"{TIKTOK}oauth2/access_token/", json=body).json()


def granted(visitor: Visitor) -> str:
    return str(exchanged(visitor, allowed(visitor)["auth_code"])["data"]["access_token"])


def asked_with(visitor: Visitor, token: str, path: str = "campaign/get/", **params: str) -> Any:
    query = {"advertiser_id": visitor.advertiser, **params}
    return visitor.send("GET", TIKTOK + path, params=query, headers={"Access-Token": token}).json()


def test_the_page_offers_every_merchant_and_leads_back_with_code_and_state(visitor: Visitor) -> None:
    page = consent(visitor)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Alder &amp; Pine" in page.text
    assert "Lindenhof Berlin" in page.text
    told = allowed(visitor)
    assert (told["state"], told["code"]) == ("s&1", told["auth_code"])


def test_a_redirect_keeps_the_query_that_is_there(visitor: Visitor) -> None:
    told = allowed(visitor, redirect_uri=f"{BACK}?tenant=1")
    assert told["tenant"] == "1"
    assert told["auth_code"]


@pytest.mark.parametrize(
    "wrong", [{"app_id": "12"}, {"redirect_uri": "javascript:alert(1)"}, {"redirect_uri": "https://a\r\nX: y"}]
)
def test_a_page_for_a_wrong_app_or_address_leads_nowhere(visitor: Visitor, wrong: dict[str, str]) -> None:
    response = consent(visitor, tenant="0", allow="1", **wrong)
    assert (response.status_code, "Location" in response.headers) == (400, False)


def test_what_the_page_repeats_is_escaped(visitor: Visitor) -> None:
    assert "<script>" not in consent(visitor, state='"><script>', redirect_uri=f"{BACK}?<script>").text


def test_a_code_is_good_once_and_for_an_hour(visitor: Visitor) -> None:
    code = allowed(visitor)["auth_code"]
    first = exchanged(visitor, code)
    assert first["data"]["advertiser_ids"] == [visitor.advertiser]
    assert all(isinstance(number, int) for number in first["data"]["scope"])
    assert exchanged(visitor, code)["code"] == 40110
    assert exchanged(visitor, "never given")["code"] == 40110


def test_a_code_older_than_an_hour_is_refused() -> None:
    with running_sandbox(start=START, days=1) as running:
        visitor = Visitor(running.url)
        code = allowed(visitor)["auth_code"]
        now = running.world.logins.wall()
        running.world.logins.wall = lambda: now + timedelta(minutes=61)
        assert exchanged(visitor, code)["code"] == 40110


def test_the_app_must_know_its_secret(visitor: Visitor) -> None:
    code = allowed(visitor)["auth_code"]
    assert exchanged(visitor, code, secret="guessed")["code"] == 40002
    assert exchanged(visitor, code)["code"] == 0


def test_a_revoked_token_is_dead_at_once(visitor: Visitor) -> None:
    token = granted(visitor)
    assert asked_with(visitor, token)["code"] == 0
    who = visitor.who["tiktok"]
    body = {"app_id": who["app_id"], "secret": who["app_secret"], "access_token": token}
    assert visitor.send("POST", f"{TIKTOK}oauth2/revoke_token/", json=body).json()["code"] == 0
    assert asked_with(visitor, token)["code"] == 40105
    assert visitor.send("POST", f"{TIKTOK}oauth2/revoke_token/", json=body).json()["code"] == 40105


def test_an_expired_token_and_an_empty_one_have_codes_of_their_own(visitor: Visitor) -> None:
    token = granted(visitor)
    visitor.control("token", platform="tiktok", access_token=token, expire=True)
    assert asked_with(visitor, token)["code"] == 40102
    assert asked_with(visitor, "")["code"] == 40104


def test_a_narrowed_token_reads_only_what_it_is_for(visitor: Visitor) -> None:
    token = granted(visitor)
    visitor.control("token", platform="tiktok", access_token=token, scopes=["1"])
    info = asked_with(visitor, token, "advertiser/info/", advertiser_ids=f'["{visitor.advertiser}"]')
    assert info["code"] == 0
    assert asked_with(visitor, token)["code"] == 40130
    assert asked_with(visitor, token, "report/integrated/get/")["code"] == 40130


def test_a_token_opens_all_advertisers_of_its_merchant_and_no_other() -> None:
    with running_sandbox(start=START, days=1, accounts=2) as running:
        visitor = Visitor(running.url)
        token, who = granted(visitor), visitor.who["tiktok"]
        owned = asked_with(visitor, token, "oauth2/advertiser/get/", app_id=who["app_id"], secret=who["app_secret"])
        ids = [each["advertiser_id"] for each in owned["data"]["list"]]
        assert ids == who["advertiser_ids"]
        assert len(ids) == 2
        for identity in ids:
            assert asked_with(visitor, token, advertiser_id=identity)["code"] == 0
        foreign = Visitor(running.url, tenant=1).advertiser
        assert asked_with(visitor, token, advertiser_id=foreign)["code"] == 40001


def test_a_write_with_a_dead_token_is_booked_as_refused(visitor: Visitor) -> None:
    group = visitor.tiktok("adgroup/get/")["data"]["list"][0]["adgroup_id"]
    body = {"advertiser_id": visitor.advertiser, "adgroup_id": group, "budget": 50}
    answer = visitor.send("POST", f"{TIKTOK}adgroup/update/", json=body, headers={"Access-Token": "dead"}).json()
    assert answer["code"] == 40105
    (row,) = visitor.ledger()
    assert (row["object_id"], row["result"], row["code"]) == (group, "refused", "40105")


def face_of(running: Sandbox) -> Any:
    return running.application._tiktok


def test_too_many_calls_are_refused_and_the_write_among_them_is_booked() -> None:
    with running_sandbox(start=START, days=1) as running:
        visitor = Visitor(running.url)
        group = visitor.tiktok("adgroup/get/")["data"]["list"][0]["adgroup_id"]
        face_of(running).calls = Bucket(0, 0)
        assert visitor.tiktok("campaign/get/")["code"] == 40100
        assert visitor.tiktok_write("adgroup/update/", adgroup_id=group, budget=50)["code"] == 40100
        (row,) = visitor.ledger()
        assert (row["result"], row["code"]) == ("refused", "40100")

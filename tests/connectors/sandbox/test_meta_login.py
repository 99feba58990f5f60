"""Meta's login in the sandbox: the dialog, codes, tokens and what ends them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import Visitor

BACK = "https://bursar.example/connect/meta/?from=here"
SCOPES = "ads_read,ads_management"


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    with running_sandbox(start=START, days=2, accounts=3) as running:
        yield Visitor(running.url)


def dialog(visitor: Visitor, method: str = "GET", **given: str) -> Any:
    asked = {"client_id": visitor.who["meta"]["app_id"], "redirect_uri": BACK, "state": "s & t", "scope": SCOPES}
    where = "params" if method == "GET" else "data"
    return visitor.send(method, "/v26.0/dialog/oauth", **{where: asked | given})


def consent(visitor: Visitor, **given: str) -> str:
    """The code of a person who agreed."""
    sent = urlsplit(dialog(visitor, "POST", **{"tenant": "0", "allow": "1", **given}).headers["Location"])
    return str(parse_qs(sent.query)["code"][0])


def token_for(visitor: Visitor, **given: str) -> Any:
    app = visitor.who["meta"]
    asked = {"client_id": app["app_id"], "client_secret": app["app_secret"], **given}
    return visitor.send("GET", "/v26.0/oauth/access_token", params=asked).json()


def logged_in(visitor: Visitor, **given: str) -> str:
    answer = token_for(visitor, code=consent(visitor, **given), redirect_uri=BACK)
    return str(answer["access_token"])


def ask(visitor: Visitor, token: str, path: str, method: str = "GET", **params: str) -> Any:
    return visitor.send(method, f"/v26.0/{path}", params={"access_token": token, **params}).json()


def code_of(answer: Any) -> tuple[int, int | None]:
    return answer["error"]["code"], answer["error"].get("error_subcode")


def test_the_dialog_names_the_app_the_scopes_and_the_people(visitor: Visitor) -> None:
    page = dialog(visitor, state='"><script>')
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    for text in ("Bursar", "ads_read", "ads_management", "Alder &amp; Pine", "Lindenhof Berlin", "<form"):
        assert text in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_agrees_is_sent_back_with_a_code_and_the_state(visitor: Visitor, method: str) -> None:
    answer = dialog(visitor, method, tenant="1", allow="1")
    assert answer.status_code == 302
    sent = urlsplit(answer.headers["Location"])
    assert f"{sent.scheme}://{sent.netloc}{sent.path}" == "https://bursar.example/connect/meta/"
    query = parse_qs(sent.query)
    assert (query["from"], query["state"], len(query["code"])) == (["here"], ["s & t"], 1)


def test_who_refuses_is_sent_back_with_an_error(visitor: Visitor) -> None:
    query = parse_qs(urlsplit(dialog(visitor, allow="0").headers["Location"]).query)
    assert (query["error"], query["error_reason"], query["state"]) == (["access_denied"], ["user_denied"], ["s & t"])
    assert "code" not in query


@pytest.mark.parametrize(
    "given",
    [
        {"client_id": "1"},
        {"redirect_uri": ""},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "https://bursar.example/\r\nX: y"},
        {"redirect_uri": "https://bursar.example/#here"},
        {"scope": "everything"},
        {"response_type": "token"},
        {"tenant": "99"},
        {"tenant": "-1"},
    ],
)
def test_what_cannot_be_asked_for_is_told_to_the_person_and_sends_nobody_away(
    visitor: Visitor, given: dict[str, str]
) -> None:
    answer = dialog(visitor, allow="1", **{"tenant": "0", **given})
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_code_becomes_a_short_token_and_that_one_of_sixty_days(visitor: Visitor) -> None:
    short = token_for(visitor, code=consent(visitor), redirect_uri=BACK)
    assert (short["token_type"], short["expires_in"]) == ("bearer", pytest.approx(7200, abs=60))
    long = token_for(visitor, grant_type="fb_exchange_token", fb_exchange_token=short["access_token"])
    assert long["expires_in"] == pytest.approx(5_183_944, abs=60)
    assert long["access_token"] != short["access_token"]
    assert ask(visitor, long["access_token"], "me")["name"] == "Alder & Pine owner"


def test_a_token_opens_all_accounts_of_its_person_and_no_others(visitor: Visitor) -> None:
    token = logged_in(visitor)
    first = ask(visitor, token, "me/adaccounts", fields="name,currency", limit="2")
    rest = visitor.send("GET", first["paging"]["next"]).json()
    assert [a["id"] for a in first["data"] + rest["data"]] == visitor.who["meta"]["account_ids"]
    for account in visitor.who["meta"]["account_ids"]:
        assert ask(visitor, token, f"{account}/campaigns")["data"]
    foreign = Visitor(visitor.url, tenant=1).account
    assert code_of(ask(visitor, token, foreign)) == (100, 33)


def test_a_code_is_taken_once_and_only_with_its_own_redirect(visitor: Visitor) -> None:
    code = consent(visitor)
    assert code_of(token_for(visitor, code=code, redirect_uri=BACK + "/")) == (100, 36008)
    assert "access_token" in token_for(visitor, code=code, redirect_uri=BACK)
    assert code_of(token_for(visitor, code=code, redirect_uri=BACK)) == (100, 36009)
    assert code_of(token_for(visitor, code="made up", redirect_uri=BACK))[0] == 100


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"client_secret": "wrong", "code": "x", "redirect_uri": BACK}, 1),
        ({"client_id": "1", "code": "x", "redirect_uri": BACK}, 101),
        ({"redirect_uri": BACK}, 100),
        ({"code": "x"}, 100),
        ({"grant_type": "password"}, 100),
        ({"grant_type": "fb_exchange_token"}, 100),
        ({"grant_type": "fb_exchange_token", "fb_exchange_token": "x"}, 190),
    ],
)
def test_a_bad_exchange_is_refused(visitor: Visitor, given: dict[str, str], code: int) -> None:
    assert code_of(token_for(visitor, **given))[0] == code


def test_a_token_can_be_inspected_by_the_app(visitor: Visitor) -> None:
    token = logged_in(visitor)
    app = token_for(visitor, grant_type="client_credentials")["access_token"]
    told = ask(visitor, app, "debug_token", input_token=token)["data"]
    assert (told["is_valid"], told["app_id"], told["type"]) == (True, visitor.who["meta"]["app_id"], "USER")
    assert {"ads_read", "ads_management"} <= set(told["scopes"])
    assert told["user_id"] == ask(visitor, token, "me")["id"]
    assert ask(visitor, app, "debug_token", input_token="nonsense")["data"]["is_valid"] is False
    assert code_of(ask(visitor, "nonsense", "debug_token", input_token=token))[0] == 100
    visitor.control("token", platform="meta", access_token=token, expire=True)
    told = ask(visitor, app, "debug_token", input_token=token)["data"]
    assert (told["is_valid"], told["error"]["subcode"]) == (False, 463)


def test_an_expired_token_opens_nothing_and_cannot_be_renewed(visitor: Visitor) -> None:
    token = logged_in(visitor)
    visitor.control("token", platform="meta", access_token=token, expire=True)
    assert code_of(ask(visitor, token, visitor.account)) == (190, 463)
    assert code_of(token_for(visitor, grant_type="fb_exchange_token", fb_exchange_token=token)) == (190, 463)


def test_giving_up_the_permissions_ends_the_token(visitor: Visitor) -> None:
    token, other = logged_in(visitor), logged_in(visitor)
    granted = ask(visitor, token, "me/permissions")["data"]
    assert {"permission": "ads_management", "status": "granted"} in granted
    assert ask(visitor, token, "me/permissions", "DELETE") == {"success": True}
    assert code_of(ask(visitor, token, "me"))[0] == 190
    assert "id" in ask(visitor, other, "me")


def test_a_token_that_may_only_read_does_not_write(visitor: Visitor) -> None:
    token = logged_in(visitor, scope="ads_read")
    first = ask(visitor, token, f"{visitor.account}/adsets", fields="daily_budget")["data"][0]
    assert code_of(ask(visitor, token, first["id"], "POST", daily_budget="4100")) == (200, None)
    assert code_of(ask(visitor, token, f"{visitor.account}/campaigns", "POST", name="x")) == (200, None)
    assert [(row["result"], row["code"]) for row in visitor.ledger()] == [("refused", "200")] * 2


def test_a_token_without_ad_permissions_reads_no_ads(visitor: Visitor) -> None:
    token = logged_in(visitor, scope="public_profile")
    for path in (visitor.account, f"{visitor.account}/insights", "me/adaccounts"):
        assert code_of(ask(visitor, token, path)) == (200, None)
    assert "id" in ask(visitor, token, "me")


def test_a_proof_is_bound_to_its_token(visitor: Visitor) -> None:
    secret, planted = visitor.who["meta"]["app_secret"], visitor.who["meta"]["access_token"]
    token = logged_in(visitor)

    def proof(text: str) -> str:
        return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    assert "id" in ask(visitor, token, "me", appsecret_proof=proof(token))
    assert code_of(ask(visitor, token, "me", appsecret_proof=proof(planted))) == (100, None)

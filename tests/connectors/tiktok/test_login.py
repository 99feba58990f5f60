"""Logging in at TikTok: the consent page, the code that works once, a token without an end, and its revocation."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    MalformedReplyError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusedError,
    TransientError,
)
from connectors.login_contracts import Grant, LoginApp, OwnedAccount
from connectors.sandbox.server import running_sandbox
from connectors.tiktok.login import TikTokLogin
from tests.connectors.control import Control
from tests.connectors.tiktok.answers import body, data, error, query, verb
from tests.connectors.wire import Script, Wire, hangs_up, says, wire

APP, SECRET = "7301234567890123456", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
GIVEN, CODE = "tiktok-token-from-login", "auth-code-that-works-once"
BACK = "https://bursar.example/connect/tiktok/callback"
BUSY, DEAD = error(50002), error(40105)

pytestmark = pytest.mark.usefixtures("quick_retries")


def login(served: Wire | None = None) -> TikTokLogin:
    return TikTokLogin(
        LoginApp(Platform.TIKTOK, served.url if served else "", "https://business-api.tiktok.com", "v1.3", APP, SECRET),
        patience=2.0,
    )


def token(text: Any = GIVEN, **more: Any) -> Script:
    return data(access_token=text, advertiser_ids=["7"], **more)


def advertiser(number: int, **changes: Any) -> dict[str, Any]:
    row = {"advertiser_id": str(number), "name": f"A{number}", "currency": "EUR", "timezone": "Etc/GMT-1"}
    return row | {"display_timezone": "Europe/Berlin", "status": "STATUS_ENABLE"} | changes


def test_the_browser_is_sent_to_the_portal_with_the_state() -> None:
    address = urlsplit(login().consent_url(redirect_uri=BACK, state="s&t=1"))
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://business-api.tiktok.com/portal/auth"
    assert parse_qs(address.query) == {"app_id": [APP], "redirect_uri": [BACK], "state": ["s&t=1"]}


def test_a_code_becomes_a_grant_without_an_end() -> None:
    with wire(token(scope=[4, 12, "3"])) as served:
        assert login(served).exchange(CODE, redirect_uri=BACK) == Grant(GIVEN, scopes=("4", "12", "3"))
        (request,) = served.requests
    assert verb(request) == "POST oauth2/access_token/"
    assert body(request) == {"app_id": APP, "secret": SECRET, "auth_code": CODE}
    assert "access-token" not in request.lower()


@pytest.mark.parametrize("scopes", [None, "4", {"4": 1}, [], [None, {}, [4]]])
def test_scopes_that_are_none_are_left_out(scopes: Any) -> None:
    with wire(token(scope=scopes)) as served:
        assert login(served).exchange(CODE, redirect_uri=BACK).scopes == ()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (hangs_up, TransientError),
        (BUSY, TransientError),
        (says(b"<html>", 502), TransientError),
        (error(40100), RateLimitedError),
        (error(40110), AuthenticationError),
        (error(40002), ConfigurationError),
    ],
)
def test_a_code_is_sent_once_whatever_comes_of_it(answer: Script, kind: type[ConnectorError]) -> None:
    with wire(answer) as served:
        with pytest.raises(kind):
            login(served).exchange(CODE, redirect_uri=BACK)
        assert len(served.requests) == 1


@pytest.mark.parametrize("text", [None, "", "two words", 5, "[secret]", "é" * 20, "x" * 5000])
def test_an_answer_without_a_token_is_refused(text: Any) -> None:
    with wire(token(text)) as served, pytest.raises(MalformedReplyError):
        login(served).exchange(CODE, redirect_uri=BACK)


def test_a_token_that_does_not_age_is_not_renewed() -> None:
    with wire(BUSY) as served:
        provider: Any = login(served)
        assert provider.refresh(Grant(GIVEN)) is None
        assert served.requests == []


def test_a_grant_is_ended_by_the_app() -> None:
    with wire(data()) as served:
        login(served).revoke(Grant(GIVEN))
        (request,) = served.requests
    assert verb(request) == "POST oauth2/revoke_token/"
    assert body(request) == {"app_id": APP, "secret": SECRET, "access_token": GIVEN}


@pytest.mark.parametrize("code", [40102, 40104, 40105])
def test_a_grant_that_is_dead_already_is_no_error_to_end(code: int) -> None:
    with wire(error(code)) as served:
        login(served).revoke(Grant(GIVEN))
        assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind"), [(hangs_up, OutcomeUnknownError), (BUSY, OutcomeUnknownError), (error(40002), RefusedError)]
)
def test_whether_a_grant_was_ended_is_not_guessed(answer: Script, kind: type[ConnectorError]) -> None:
    with wire(answer) as served:
        with pytest.raises(kind):
            login(served).revoke(Grant(GIVEN))
        assert len(served.requests) == 1


def test_the_accounts_of_a_grant_are_told_with_currency_and_zone() -> None:
    told = [advertiser(1), advertiser(2, display_timezone=None, status="STATUS_LIMIT")]
    with wire(data(list=[{"advertiser_id": 1}, {"advertiser_id": "2"}]), data(list=told)) as served:
        found = login(served).owned_accounts(Grant(GIVEN))
        first, second = served.requests
    assert found == [
        OwnedAccount("1", "A1", "EUR", "Europe/Berlin", "STATUS_ENABLE"),
        OwnedAccount("2", "A2", "EUR", "Etc/GMT-1", "STATUS_LIMIT"),
    ]
    assert query(first) == {"app_id": APP, "secret": SECRET}
    assert json.loads(query(second)["advertiser_ids"]) == ["1", "2"]
    assert all(f"access-token: {GIVEN}" in request.lower() for request in (first, second))


def test_accounts_are_asked_about_a_hundred_at_a_time() -> None:
    listed = data(list=[{"advertiser_id": str(number)} for number in range(250)])
    chunks = [range(100), range(100, 200), range(200, 250)]
    with wire(listed, *(data(list=[advertiser(number) for number in chunk]) for chunk in chunks)) as served:
        assert [a.external_id for a in login(served).owned_accounts(Grant(GIVEN))] == [str(n) for n in range(250)]
        asked = [json.loads(query(request)["advertiser_ids"]) for request in served.requests[1:]]
    assert asked == [[str(number) for number in chunk] for chunk in chunks]


def test_a_grant_that_opens_nothing_has_no_accounts() -> None:
    with wire(data(list=[])) as served:
        assert login(served).owned_accounts(Grant(GIVEN)) == []
        assert len(served.requests) == 1


@pytest.mark.parametrize("content", [{}, {"list": None}, {"list": [{}]}, {"list": [{"advertiser_id": "1\n"}]}])
def test_a_list_of_accounts_of_an_unknown_shape_is_refused(content: dict[str, Any]) -> None:
    with wire(data(**content)) as served, pytest.raises(MalformedReplyError):
        login(served).owned_accounts(Grant(GIVEN))


SECRETIVE: list[tuple[Callable[[TikTokLogin], object], tuple[str, ...]]] = [
    (lambda provider: provider.exchange(CODE, redirect_uri=BACK), (CODE, SECRET)),
    (lambda provider: provider.owned_accounts(Grant(GIVEN)), (GIVEN, SECRET)),
    (lambda provider: provider.revoke(Grant(GIVEN)), (GIVEN, SECRET)),
]


@pytest.mark.parametrize(("call", "secrets"), SECRETIVE)
def test_no_secret_is_told_or_logged(
    caplog: pytest.LogCaptureFixture, call: Callable[[TikTokLogin], object], secrets: tuple[str, ...]
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = error(40002, " ".join(secrets))
    for answer in (echo, hangs_up, says(" ".join(secrets).encode())):
        with wire(answer) as served:
            provider = login(served)
            with pytest.raises(ConnectorError) as caught:
                call(provider)
        told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r} {provider!r} {caplog.text}"
        assert not [secret for secret in secrets if secret in told]


@pytest.mark.parametrize("version", ["", "1.3", "v1.3/.."])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError):
        TikTokLogin(LoginApp(Platform.TIKTOK, "", "https://d", version, APP, SECRET))


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    with running_sandbox(days=2, tenants=2, accounts=3) as running:
        yield Control(running.url)


def at(control: Control) -> TikTokLogin:
    own = control.get("credentials")["tiktok"]
    return TikTokLogin(LoginApp(Platform.TIKTOK, control.url, control.url, "v1.3", own["app_id"], own["app_secret"]))


def agreed(provider: TikTokLogin) -> str:
    """The code that comes back when the first merchant's person agrees."""
    asked = provider.consent_url(redirect_uri=BACK, state="a state")
    answer = httpx.get(f"{asked}&tenant=0&allow=1", trust_env=False)
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert back["state"] == ["a state"]
    return back["auth_code"][0]


def test_a_login_ends_in_a_grant_that_opens_the_accounts_until_it_is_revoked(control: Control) -> None:
    provider, own = at(control), control.get("credentials")["tiktok"]
    grant = provider.exchange(agreed(provider), redirect_uri=BACK)
    assert (grant.expires_at, grant.refresh_token) == (None, "")
    assert set(grant.scopes) >= {"1", "3", "4"}
    owned = provider.owned_accounts(grant)
    assert {a.external_id for a in owned} == set(own["advertiser_ids"])
    assert {(a.currency, a.timezone, a.status) for a in owned} == {("USD", "America/New_York", "STATUS_ENABLE")}
    assert control.ads(Platform.TIKTOK, access_token=grant.access_token).account().currency == "USD"
    provider.revoke(grant)
    with pytest.raises(AuthenticationError):
        provider.owned_accounts(grant)
    provider.revoke(grant)


def test_a_code_works_once(control: Control) -> None:
    provider = at(control)
    code = agreed(provider)
    assert provider.exchange(code, redirect_uri=BACK).access_token
    with pytest.raises(AuthenticationError):
        provider.exchange(code, redirect_uri=BACK)

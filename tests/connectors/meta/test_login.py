"""Logging in at Meta: the code, the long-lived token, its renewal and its end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    MalformedReplyError,
    OutcomeUnknownError,
    TransientError,
)
from connectors.login_contracts import Grant, LoginApp, OwnedAccount
from connectors.meta.graph import appsecret_proof
from connectors.meta.login import MetaLogin
from tests.connectors.meta.answers import BUSY, SECRET, listing, query, verb
from tests.connectors.wire import Script, Wire, hangs_up, says, wire

APP = "1234567890"
SHORT, LONG = "EAAB-short-lived-token", "EAAB-long-lived-token"
CODE = "AQD-a-code-that-works-once"
BACK = "https://bursar.example/connect/meta/callback"
SIXTY_DAYS = 5_183_944

pytestmark = pytest.mark.usefixtures("quick_retries")


def login(served: Wire | None = None) -> MetaLogin:
    return MetaLogin(
        LoginApp(Platform.META, served.url if served else "", "https://www.facebook.com", "v26.0", APP, SECRET),
        patience=2.0,
    )


def token(text: str, **more: Any) -> Script:
    return says({"access_token": text, "token_type": "bearer", **more})


def facts(**more: Any) -> Script:
    return says({"data": {"app_id": APP, "is_valid": True, "scopes": ["ads_read", "ads_management"], **more}})


DEAD = says({"error": {"code": 190, "error_subcode": 463, "message": "expired"}}, 400)


def test_the_browser_is_sent_to_the_dialog_with_the_state_and_the_scopes() -> None:
    address = urlsplit(login().consent_url(redirect_uri=BACK, state="s&t=1"))
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://www.facebook.com/v26.0/dialog/oauth"
    assert parse_qs(address.query) == {
        "client_id": [APP],
        "redirect_uri": [BACK],
        "state": ["s&t=1"],
        "scope": ["ads_read,ads_management,business_management"],
        "response_type": ["code"],
    }


def test_a_code_becomes_a_long_lived_grant() -> None:
    with wire(token(SHORT, expires_in=5_000), token(LONG, expires_in=SIXTY_DAYS), facts()) as served:
        grant = login(served).exchange(CODE, redirect_uri=BACK)
        first, second, third = served.requests
    assert grant.access_token == LONG
    assert grant.scopes == ("ads_read", "ads_management")
    assert grant.expires_at is not None
    assert grant.expires_at.tzinfo is UTC
    assert abs(grant.expires_at - datetime.now(UTC) - timedelta(seconds=SIXTY_DAYS)) < timedelta(minutes=1)
    assert [verb(r) for r in (first, second, third)] == ["GET oauth/access_token"] * 2 + ["GET debug_token"]
    app = {"client_id": [APP], "client_secret": [SECRET]}
    assert query(first) == app | {"redirect_uri": [BACK], "code": [CODE]}
    assert query(second) == app | {"grant_type": ["fb_exchange_token"], "fb_exchange_token": [SHORT]}
    assert query(third) == {"input_token": [LONG], "access_token": [f"{APP}|{SECRET}"]}


@pytest.mark.parametrize("answer", [BUSY, hangs_up, says(b"<html>")])
def test_a_code_is_sent_once(answer: Script) -> None:
    with wire(answer) as served:
        with pytest.raises(TransientError):
            login(served).exchange(CODE, redirect_uri=BACK)
        assert len(served.requests) == 1


def test_the_long_lived_token_is_asked_for_with_patience() -> None:
    with wire(token(SHORT), BUSY, token(LONG), facts()) as served:
        assert login(served).exchange(CODE, redirect_uri=BACK).access_token == LONG


@pytest.mark.parametrize(
    ("told", "known", "expires"),
    [
        ({}, {"expires_at": 1_800_000_000}, datetime.fromtimestamp(1_800_000_000, UTC)),
        ({}, {"expires_at": 0}, None),
        ({}, {}, None),
    ],
)
def test_an_end_that_the_token_does_not_tell_is_asked_for(
    told: dict[str, Any], known: dict[str, Any], expires: datetime | None
) -> None:
    with wire(token(LONG, **told), facts(**known)) as served:
        assert login(served).refresh(Grant(SHORT)).expires_at == expires


@pytest.mark.parametrize("answer", [BUSY, DEAD, says({"data": None}), says({"data": {"scopes": [5, {}]}})])
def test_scopes_that_meta_does_not_tell_are_unknown(answer: Script) -> None:
    with wire(token(LONG, expires_in=SIXTY_DAYS), answer) as served:
        grant = login(served).refresh(Grant(SHORT))
    assert (grant.access_token, grant.scopes) == (LONG, ())


def test_a_living_grant_becomes_a_younger_one_even_when_the_token_stays() -> None:
    with wire(token(LONG, expires_in=SIXTY_DAYS), facts()) as served:
        assert login(served).refresh(Grant(LONG)).access_token == LONG


def test_a_dead_grant_cannot_be_renewed() -> None:
    with wire(DEAD) as served, pytest.raises(AuthenticationError):
        login(served).refresh(Grant(SHORT))


@pytest.mark.parametrize(
    "answer",
    [says({}), token(""), token("two words"), says({"access_token": 5}), token("[secret]"), token("é" * 20)],
)
def test_an_answer_without_a_token_is_refused(answer: Script) -> None:
    with wire(answer) as served, pytest.raises(MalformedReplyError):
        login(served).exchange(CODE, redirect_uri=BACK)


def test_a_grant_is_ended_with_its_proof() -> None:
    with wire(says({"success": True})) as served:
        login(served).revoke(Grant(LONG))
        (request,) = served.requests
    assert verb(request) == "DELETE me/permissions"
    assert query(request) == {"appsecret_proof": [appsecret_proof(LONG, SECRET)]}
    assert f"authorization: bearer {LONG}".lower() in request.lower()


def test_a_grant_that_is_dead_already_is_no_error_to_end() -> None:
    with wire(DEAD) as served:
        login(served).revoke(Grant(LONG))


def test_whether_a_grant_was_ended_can_be_unclear() -> None:
    with wire(hangs_up) as served:
        with pytest.raises(OutcomeUnknownError):
            login(served).revoke(Grant(LONG))
        assert len(served.requests) == 1


def test_every_page_of_the_accounts_that_a_grant_opens_is_read() -> None:
    row = {"name": "A", "currency": "EUR", "timezone_name": "Europe/Berlin", "account_status": 1}
    with wire(listing(row | {"id": "act_1"}, after="a"), listing(row | {"id": "act_2", "account_status": 2})) as served:
        found = login(served).owned_accounts(Grant(LONG))
        assert [verb(r) for r in served.requests] == ["GET me/adaccounts"] * 2
        assert query(served.requests[1])["appsecret_proof"] == [appsecret_proof(LONG, SECRET)]
    assert found == [
        OwnedAccount("act_1", "A", "EUR", "Europe/Berlin", "ACTIVE"),
        OwnedAccount("act_2", "A", "EUR", "Europe/Berlin", "DISABLED"),
    ]


PROOF = appsecret_proof(SHORT, SECRET)
SECRETIVE: list[tuple[Callable[[MetaLogin], object], tuple[str, ...]]] = [
    (lambda provider: provider.exchange(CODE, redirect_uri=BACK), (CODE, SECRET)),
    (lambda provider: provider.refresh(Grant(SHORT)), (SHORT, SECRET)),
    (lambda provider: provider.owned_accounts(Grant(SHORT)), (SHORT, SECRET, PROOF)),
    (lambda provider: provider.revoke(Grant(SHORT)), (SHORT, SECRET, PROOF)),
]


@pytest.mark.parametrize(("call", "secrets"), SECRETIVE)
def test_no_secret_is_told_or_logged(
    caplog: pytest.LogCaptureFixture, call: Callable[[MetaLogin], object], secrets: tuple[str, ...]
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = says({"error": {"code": 100, "message": " ".join(secrets)}}, 400)
    for answer in (echo, hangs_up, says(" ".join(secrets).encode())):
        with wire(answer) as served:
            provider = login(served)
            with pytest.raises(ConnectorError) as caught:
                call(provider)
        told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r} {provider!r} {caplog.text}"
        assert not [secret for secret in secrets if secret in told]


@pytest.mark.parametrize("version", ["", "26.0", "v26.0/.."])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError):
        MetaLogin(LoginApp(Platform.META, "", "https://d", version, APP, SECRET))

"""Logging in at Shopify: only ever at a strict host, with tokens that expire and are replaced."""

from __future__ import annotations

import hashlib
import hmac
import json
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
    RateLimitedError,
    RefusedError,
    TransientError,
)
from connectors.login_contracts import Grant, LoginApp, LoginProvider, OwnedAccount
from connectors.shopify.login import ShopifyLogin
from tests.connectors.shopify.answers import asked, data
from tests.connectors.wire import Script, Wire, hangs_up, says, wire

SHOP = "some-shop.myshopify.com"
SECRET = "hush-hush-hush"
CODE = "0907a61c0c8d55e99db179b68161bc00"
OLD, NEW = "shpat_old_0123456789", "shpat_new_0123456789"
OLD_REFRESH, NEW_REFRESH = "shprt_old_0123456789", "shprt_new_0123456789"
BACK = "https://bursar.example/connect/shopify/callback"
SCOPE = "read_orders,read_products"

pytestmark = pytest.mark.usefixtures("quick_retries")


def login(
    served: Wire | None = None, *, shop: str = SHOP, scopes: tuple[str, ...] = (), **options: Any
) -> ShopifyLogin:
    base_url = served.url if served else ""
    app = LoginApp(Platform.SHOPIFY, base_url, "", "2026-10", "client-1", SECRET, subject=shop, scopes=scopes)
    return ShopifyLogin(app, **({"patience": 2.0} | options))


def token(**changes: Any) -> Script:
    sound = {"access_token": NEW, "scope": SCOPE, "expires_in": 3600}
    return says(sound | {"refresh_token": NEW_REFRESH, "refresh_token_expires_in": 7_776_000} | changes)


def refusal(code: str, status: int = 400) -> Script:
    return says({"error": code, "error_description": "No."}, status)


DEAD = says({"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}, 401)
GONE = data(appUninstall={"userErrors": []})


def sent(served: Wire) -> dict[str, Any]:
    (request,) = served.requests
    assert request.startswith("POST /admin/oauth/access_token ")
    assert f"host: {SHOP}\r\n" in request.lower()
    assert "content-type: application/json" in request.lower()
    return dict(json.loads(request.partition("\r\n\r\n")[2]))


def near(moment: datetime | None, seconds: int) -> bool:
    return moment is not None and abs(moment - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(minutes=1)


# --- The way there and back ---------------------------------------------------------------------------


def test_the_browser_is_sent_to_the_shop_itself() -> None:
    provider: LoginProvider = login(shop="Some-Shop.myshopify.com")
    address = urlsplit(provider.consent_url(redirect_uri=BACK, state="s&t=1"))
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"https://{SHOP}/admin/oauth/authorize"
    assert parse_qs(address.query) == {
        "client_id": ["client-1"],
        "scope": ["read_orders,read_customers,read_products,read_inventory"],
        "redirect_uri": [BACK],
        "state": ["s&t=1"],
    }


def test_other_scopes_can_be_asked_for() -> None:
    provider = login(scopes=("read_orders", "read_all_orders"))
    assert "scope=read_orders%2Cread_all_orders&" in provider.consent_url(redirect_uri=BACK, state="s")


def test_elsewhere_the_shop_is_named_in_the_query() -> None:
    with wire(hangs_up) as served:
        address = login(served).consent_url(redirect_uri=BACK, state="s")
        assert address.startswith(f"{served.url}/admin/oauth/authorize?")
        assert parse_qs(urlsplit(address).query)["shop"] == [SHOP]
        assert served.requests == []


@pytest.mark.parametrize(
    "shop",
    [
        "",
        "some-shop",
        "evil.example",
        "some-shop.myshopify.com.evil.example",
        "a.b.myshopify.com",
        f"{SHOP}/",
        f"x@{SHOP}",
    ],
)
def test_no_other_host_than_a_shop_is_ever_asked(shop: str) -> None:
    with pytest.raises(ConfigurationError):
        login(shop=shop)


def callback(**changes: str) -> str:
    pairs = {"code": CODE, "shop": SHOP, "state": "a1b2", "timestamp": "1763683200"} | changes
    message = "&".join(f"{name}={value}" for name, value in sorted(pairs.items()))
    return f"{message}&hmac={hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest()}"


def test_a_callback_that_shopify_signed_for_this_shop_is_good() -> None:
    login().check_callback(callback())
    login().check_callback(callback(shop="Some-Shop.myshopify.com"))


@pytest.mark.parametrize("query", ["", callback().replace("a1b2", "a1b3"), callback()[:-1], "code=x&shop=" + SHOP])
def test_a_callback_that_is_not_signed_is_refused(query: str) -> None:
    with pytest.raises(AuthenticationError, match="signed"):
        login().check_callback(query)


def test_a_signed_callback_of_another_shop_is_refused() -> None:
    with pytest.raises(AuthenticationError, match="another shop"):
        login().check_callback(callback(shop="other-shop.myshopify.com"))


# --- Tokens -------------------------------------------------------------------------------------------


def test_a_code_becomes_a_grant_that_expires() -> None:
    with wire(token()) as served:
        grant = login(served).exchange(CODE, redirect_uri=BACK)
        assert sent(served) == {"client_id": "client-1", "client_secret": SECRET, "code": CODE, "expiring": "1"}
    assert (grant.access_token, grant.refresh_token, grant.subject) == (NEW, NEW_REFRESH, SHOP)
    assert grant.scopes == ("read_orders", "read_products")
    assert near(grant.expires_at, 3600)
    assert near(grant.refresh_expires_at, 7_776_000)


def test_a_token_that_does_not_expire_is_taken_as_it_is() -> None:
    with wire(says({"access_token": NEW, "scope": ""})) as served:
        assert login(served).exchange(CODE, redirect_uri=BACK) == Grant(NEW, subject=SHOP)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal("invalid_request"), AuthenticationError),
        (says(b"<html>Oauth error invalid_request</html>", 400), AuthenticationError),
        (refusal("invalid_client", 401), ConfigurationError),
        (says({}, 404), ConnectorError),
        (says({}, 429, "Retry-After: 2.0\r\n"), RateLimitedError),
        (says({}, 503), TransientError),
        (says(b"<html>"), TransientError),
        (hangs_up, TransientError),
        (says({"error": "odd"}), TransientError),
    ],
)
def test_a_code_is_sent_once(answer: Script, kind: type[ConnectorError]) -> None:
    with wire(answer) as served:
        with pytest.raises(kind):
            login(served).exchange(CODE, redirect_uri=BACK)
        assert len(served.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        token(access_token=None),
        token(access_token="two words"),
        token(access_token=5),
        token(refresh_token=5),
        token(refresh_token=""),
        token(refresh_token="two words"),
        token(refresh_token="[secret]"),
        token(expires_in="soon"),
        token(expires_in=-5),
        token(scope=[1]),
    ],
)
def test_an_answer_of_an_unknown_shape_is_refused(answer: Script) -> None:
    with wire(answer) as served, pytest.raises(MalformedReplyError):
        login(served).exchange(CODE, redirect_uri=BACK)


def test_a_grant_is_renewed_with_a_refresh_token_that_is_replaced() -> None:
    with wire(token()) as served:
        grant = login(served).refresh(Grant(OLD, OLD_REFRESH))
        assert sent(served) == {
            "client_id": "client-1",
            "client_secret": SECRET,
            "grant_type": "refresh_token",
            "refresh_token": OLD_REFRESH,
        }
    assert grant is not None
    assert (grant.access_token, grant.refresh_token) == (NEW, NEW_REFRESH)


def test_a_lost_answer_to_a_renewal_is_asked_for_again() -> None:
    with wire(hangs_up, says({}, 503), token()) as served:
        grant = login(served).refresh(Grant(OLD, OLD_REFRESH))
        assert len(served.requests) == 3
    assert grant is not None
    assert grant.access_token == NEW


def test_a_refresh_token_that_stays_the_same_is_kept() -> None:
    with wire(token(refresh_token=OLD_REFRESH)) as served:
        grant = login(served).refresh(Grant(OLD, OLD_REFRESH))
    assert grant is not None
    assert grant.refresh_token == OLD_REFRESH


def test_a_token_that_does_not_age_is_not_renewed() -> None:
    with wire(hangs_up) as served:
        assert login(served).refresh(Grant(OLD)) is None
        assert served.requests == []


def test_a_dead_refresh_token_needs_a_new_login() -> None:
    with wire(refusal("invalid_grant")) as served, pytest.raises(AuthenticationError):
        login(served).refresh(Grant(OLD, OLD_REFRESH))


# --- The end ------------------------------------------------------------------------------------------


def test_a_grant_is_ended_by_uninstalling_the_app() -> None:
    with wire(GONE) as served:
        login(served).revoke(Grant(OLD, OLD_REFRESH))
        assert asked(served) == [("app_uninstall", {})]
        assert f"x-shopify-access-token: {OLD}" in served.requests[0].lower()


@pytest.mark.parametrize("answer", [DEAD, says({"errors": "Not Found"}, 404)])
def test_a_grant_that_is_dead_already_is_no_error_to_end(answer: Script) -> None:
    with wire(answer) as served:
        login(served).revoke(Grant(OLD))
    with wire(answer, refusal("invalid_grant")) as served:
        login(served).revoke(Grant(OLD, OLD_REFRESH))


def test_an_access_token_that_has_only_run_out_is_renewed_to_end_the_grant() -> None:
    with wire(DEAD, token(), GONE) as served:
        login(served).revoke(Grant(OLD, OLD_REFRESH))
        assert f"x-shopify-access-token: {NEW}" in served.requests[2].lower()


def uninstall_error(code: str) -> Script:
    return data(appUninstall={"userErrors": [{"field": None, "message": "No", "code": code}]})


def test_an_app_that_is_not_installed_is_no_error_to_end() -> None:
    with wire(uninstall_error("APP_NOT_INSTALLED")) as served:
        login(served).revoke(Grant(OLD))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(uninstall_error("USER_PERMISSIONS_INSUFFICIENT"), RefusedError), (hangs_up, OutcomeUnknownError)],
)
def test_a_grant_that_could_not_be_ended_is_told(answer: Script, kind: type[ConnectorError]) -> None:
    with wire(answer) as served:
        with pytest.raises(kind):
            login(served).revoke(Grant(OLD, OLD_REFRESH))
        assert len(served.requests) == 1


def test_a_grant_opens_the_one_shop() -> None:
    told = {"id": "gid://shopify/Shop/1", "name": "Mugs", "myshopifyDomain": SHOP}
    with wire(data(shop=told | {"ianaTimezone": "Europe/Berlin", "currencyCode": "EUR"})) as served:
        found = login(served).owned_accounts(Grant(OLD))
    assert found == [OwnedAccount(SHOP, "Mugs", "EUR", "Europe/Berlin", "ACTIVE")]


SECRETIVE: list[tuple[Callable[[ShopifyLogin], object], tuple[str, ...]]] = [
    (lambda provider: provider.exchange(CODE, redirect_uri=BACK), (CODE, SECRET)),
    (lambda provider: provider.refresh(Grant(OLD, OLD_REFRESH)), (OLD_REFRESH, SECRET)),
    (lambda provider: provider.owned_accounts(Grant(OLD)), (OLD,)),
    (lambda provider: provider.revoke(Grant(OLD, "")), (OLD,)),
]


@pytest.mark.parametrize(("call", "secrets"), SECRETIVE)
def test_no_secret_is_told_or_logged(
    caplog: pytest.LogCaptureFixture, call: Callable[[ShopifyLogin], object], secrets: tuple[str, ...]
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = says({"errors": [{"message": " ".join(secrets)}], "error": " ".join(secrets)})
    for answer in (echo, hangs_up, says(" ".join(secrets).encode())):
        with wire(answer) as served:
            provider = login(served)
            with pytest.raises(ConnectorError) as caught:
                call(provider)
        told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r} {provider!r} {caplog.text}"
        assert not [secret for secret in secrets if secret in told]

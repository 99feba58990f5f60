"""Logging in at TikTok Shop: consent, the code that works once, ends that are absolute, and what a login opens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    MalformedReplyError,
    PermissionDeniedError,
    RateLimitedError,
    TransientError,
)
from connectors.login_contracts import Grant, LoginApp, LoginProvider, OwnedAccount
from connectors.tiktok_shop.login import TikTokShopLogin, _end
from tests.connectors.leaks import listen, texts_of
from tests.connectors.tiktok_shop.answers import KEY, SHOPS, data, error, query, shop, tiktok_shop, verb
from tests.connectors.wire import Script, Wire, hangs_up, says, wire

SECRET, CODE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "ROW_auth-code-that-works-once"
ACCESS, REFRESH, OLD = "ROW_access-token-given", "ROW_refresh-token-given", "ROW_refresh-token-before"
BACK = "https://bursar.example/connect/tiktok_shop/callback"
GET, RENEW, PROFILE = "/api/v2/token/get", "/api/v2/token/refresh", "/affiliate_creator/202508/profiles"
ENDS, REFRESH_ENDS = 1_782_408_746, 4_903_858_076  # as captured: a week, and the year 2125
DIALOGS = {
    "seller": "https://services.tiktokshop.com",
    "seller_us": "https://services.us.tiktokshop.com",
    "creator": "https://shop.tiktok.com",
}

pytestmark = pytest.mark.usefixtures("quick_retries")


def login(served: Wire | None = None, subject: str = "seller", **changes: Any) -> TikTokShopLogin:
    url = served.url if served else ""
    places = {"base_url": url, "api_url": url, "dialog_url": DIALOGS.get(subject, ""), "service_id": "743"}
    app = LoginApp(
        Platform.TIKTOK_SHOP, version="", app_id=KEY, app_secret=SECRET, subject=subject, **(places | changes)
    )
    return TikTokShopLogin(app, patience=2.0)


def tokens(**changes: Any) -> Script:
    told = {"access_token": ACCESS, "access_token_expire_in": ENDS, "refresh_token": REFRESH, "open_id": "o"}
    told |= {"refresh_token_expire_in": REFRESH_ENDS, "seller_name": "Tea Ltd", "user_type": 0}
    told |= {"seller_base_region": "GB", "granted_scopes": ["seller.order.info", "seller.finance.info"]}
    return data(**(told | changes))


@pytest.mark.parametrize(
    ("subject", "page", "named"),
    [
        ("seller", "https://services.tiktokshop.com/open/authorize", {"service_id": ["743"]}),
        ("seller_us", "https://services.us.tiktokshop.com/open/authorize", {"service_id": ["743"]}),
        ("creator", "https://shop.tiktok.com/alliance/creator/auth", {"app_key": [KEY]}),
    ],
)
def test_the_browser_is_sent_to_the_page_for_whom_the_login_is(
    subject: str, page: str, named: dict[str, list[str]]
) -> None:
    provider: LoginProvider = login(subject=subject)
    address = urlsplit(provider.consent_url(redirect_uri=BACK, state="s&t=1"))
    assert f"{address.scheme}://{address.netloc}{address.path}" == page
    assert parse_qs(address.query) == named | {"state": ["s&t=1"]}


def test_only_a_sandbox_is_told_the_way_back() -> None:
    asked = login(dialog_url="http://127.0.0.1:9400/").consent_url(redirect_uri=BACK, state="s")
    assert parse_qs(urlsplit(asked).query)["redirect_uri"] == [BACK]
    assert "9400/open" in asked


@pytest.mark.parametrize("changes", [{"subject": ""}, {"subject": "partner"}, {"service_id": ""}, {"dialog_url": ""}])
def test_a_login_that_is_not_set_up_is_not_begun(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        login(**changes).consent_url(redirect_uri=BACK, state="s")


def test_a_code_becomes_a_grant_with_absolute_ends() -> None:
    with wire(tokens()) as served:
        grant = login(served, "seller_us").exchange(CODE, redirect_uri=BACK)
        (request,) = served.requests
    assert grant == Grant(
        ACCESS,
        REFRESH,
        datetime.fromtimestamp(ENDS, UTC),
        ("seller.order.info", "seller.finance.info"),
        datetime.fromtimestamp(REFRESH_ENDS, UTC),
        "seller_us",
        "Tea Ltd",
    )
    assert verb(request) == f"GET {GET}"
    expected = {"app_key": KEY, "app_secret": SECRET, "auth_code": CODE, "grant_type": "authorized_code"}
    assert query(request) == expected
    assert "x-tts-access-token" not in request.lower()


@pytest.mark.parametrize(("asked", "user_type"), [("seller", 1), ("seller_us", 1), ("creator", 0)])
def test_whoever_logs_in_where_another_was_asked_for_is_told_so(asked: str, user_type: int) -> None:
    with wire(tokens(user_type=user_type)) as served, pytest.raises(AuthenticationError) as caught:
        login(served, asked).exchange(CODE, redirect_uri=BACK)
    assert "logged in where a" in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "user_type", "subject"),
    [("creator", 1, "creator"), ("", 1, "creator"), ("", 0, "seller"), ("creator", None, "creator"), ("", None, "")],
)
def test_a_grant_says_for_whom_it_speaks(asked: str, user_type: int | None, subject: str) -> None:
    with wire(tokens(user_type=user_type, seller_name=None)) as served:
        grant = login(served, asked).exchange(CODE, redirect_uri=BACK)
    assert (grant.subject, grant.name) == (subject, "")


@pytest.mark.parametrize("user_type", [2, 3, True, "0", [0], -1])
def test_partners_and_unknown_kinds_are_refused(user_type: Any) -> None:
    with wire(tokens(user_type=user_type)) as served, pytest.raises(ConfigurationError):
        login(served).exchange(CODE, redirect_uri=BACK)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (hangs_up, TransientError),
        (error(36009003, status=500), TransientError),
        (says(b"<html>", 502), TransientError),
        (error(36009002, status=429), RateLimitedError),
        (error(36004004), AuthenticationError),
        (error(98001004), AuthenticationError),
        (error(98001004, status=400), AuthenticationError),
        (error(98001004, status=503), TransientError),
        (error(36009004, "app_key is invalid"), ConfigurationError),
    ],
)
def test_a_code_is_sent_once_whatever_comes_of_it(answer: Script, kind: type[ConnectorError]) -> None:
    with wire(answer) as served:
        with pytest.raises(kind):
            login(served).exchange(CODE, redirect_uri=BACK)
        assert len(served.requests) == 1


@pytest.mark.parametrize(
    "changes",
    [
        *({"access_token": token} for token in (None, "", "two words", 5, "[secret]", "é" * 20)),
        *({"refresh_token": token} for token in (None, "", "two words", 5, "[secret]", "x" * 5000)),
        *(
            {name: end}
            for name in ("access_token_expire_in", "refresh_token_expire_in")
            for end in (None, 604_800, "x")
        ),
        {"access_token_expire_in": True},
        {"seller_name": 5},
    ],
)
def test_an_answer_that_grants_nothing_is_refused(changes: dict[str, Any]) -> None:
    with wire(tokens(**changes)) as served, pytest.raises(MalformedReplyError):
        login(served).exchange(CODE, redirect_uri=BACK)


@given(st.integers(1_000_000_000, 10**400))
def test_an_end_however_far_away_is_a_time_that_can_be_stored(seconds: int) -> None:
    end = _end({"x": seconds}, "x")
    assert datetime(2001, 9, 9, tzinfo=UTC) < end <= datetime(2200, 1, 1, tzinfo=UTC)
    assert end == datetime(2200, 1, 1, tzinfo=UTC) or end.timestamp() == seconds


@pytest.mark.parametrize("scopes", [None, "a", {"a": 1}, [None, 4, ["x"]]])
def test_scopes_that_are_none_are_left_out(scopes: Any) -> None:
    with wire(tokens(granted_scopes=scopes)) as served:
        assert login(served).exchange(CODE, redirect_uri=BACK).scopes == ()


def before(subject: str = "seller") -> Grant:
    return Grant("ROW_access-before", OLD, subject=subject)


def test_a_login_is_refreshed_into_a_new_pair() -> None:
    with wire(tokens()) as served:
        grant = login(served, "").refresh(before("seller_us"))
        (request,) = served.requests
    assert (grant.access_token, grant.refresh_token, grant.subject) == (ACCESS, REFRESH, "seller_us")
    assert verb(request) == f"GET {RENEW}"
    expected = {"app_key": KEY, "app_secret": SECRET, "refresh_token": OLD, "grant_type": "refresh_token"}
    assert query(request) == expected


@pytest.mark.parametrize("told", [OLD, None, ""])
def test_a_refresh_token_that_stays_is_kept(told: str | None) -> None:
    with wire(tokens(refresh_token=told)) as served:
        assert login(served).refresh(before()).refresh_token == OLD


@pytest.mark.parametrize("code", [36004001, 36004005])
def test_a_refresh_token_that_is_over_asks_for_a_new_login(code: int) -> None:
    with wire(error(code)) as served:
        with pytest.raises(AuthenticationError):
            login(served).refresh(before())
        assert len(served.requests) == 1


def test_a_refresh_gets_over_what_passes() -> None:
    with wire(hangs_up, tokens()) as served:
        assert login(served).refresh(before()).access_token == ACCESS


def test_without_a_refresh_token_nothing_is_sent() -> None:
    with wire(tokens()) as served:
        with pytest.raises(AuthenticationError):
            login(served).refresh(Grant(ACCESS))
        assert served.requests == []


def test_ending_a_login_is_left_to_the_seller_centre() -> None:
    with wire(data()) as served:
        with pytest.raises(ConfigurationError, match="seller centre"):
            login(served).revoke(before())
        assert served.requests == []


def test_a_seller_chooses_among_shops_and_sees_why_some_cannot_be_connected() -> None:
    shops = [shop(), shop(id=8, name="Tee", region="JP", seller_type="CROSS_BORDER", cipher="JP_c")]
    with tiktok_shop({SHOPS: data(shops=shops)}) as served:
        first, second = login(served).owned_accounts(Grant(ACCESS))
        (request,) = served.requests
    assert first == OwnedAccount("7", "Tea", "USD", "America/New_York", "", "US", "ROW_TESTcipher==", "LOCAL", "")
    assert (second.external_id, second.currency, second.cipher) == ("8", "", "JP_c")
    assert second.obstacle.startswith("TikTok Shop in JP is not supported: supported are US, CA,")
    assert f"x-tts-access-token: {ACCESS}" in request
    assert "shop_cipher" not in query(request)


def test_a_login_without_an_active_shop_opens_none() -> None:
    for told in (data(), data(shops=[])):
        with tiktok_shop({SHOPS: told}) as served:
            assert login(served).owned_accounts(Grant(ACCESS)) == []


@pytest.mark.parametrize(("subject", "of_grant"), [("creator", ""), ("", "creator"), ("creator", "creator")])
def test_a_creator_is_the_one_account_that_they_open(subject: str, of_grant: str) -> None:
    told = {"username": "mia", "creator_user_open_id": "o-1", "selection_region": "GB", "register_region": "US"}
    with tiktok_shop({PROFILE: data(**told)}) as served:
        (found,) = login(served, subject).owned_accounts(Grant(ACCESS, subject=of_grant))
    assert found == OwnedAccount("o-1", "mia", "GBP", "Europe/London", "", "GB")


def test_a_creator_of_another_market_cannot_be_connected() -> None:
    with tiktok_shop({PROFILE: data(username="m", creator_user_open_id="o", register_region="BR")}) as served:
        (found,) = login(served, "creator").owned_accounts(Grant(ACCESS))
    assert (found.currency, found.region) == ("", "BR")
    assert "TikTok Shop in BR is not supported" in found.obstacle


def test_a_profile_that_may_not_be_seen_is_no_missing_creator() -> None:
    with tiktok_shop({PROFILE: error(105005, status=403)}) as served, pytest.raises(PermissionDeniedError):
        login(served, "creator").owned_accounts(Grant(ACCESS))


SECRETIVE: list[tuple[Callable[[TikTokShopLogin], object], tuple[str, ...]]] = [
    (lambda provider: provider.exchange(CODE, redirect_uri=BACK), (CODE, SECRET)),
    (lambda provider: provider.refresh(before()), (OLD, SECRET)),
    (lambda provider: provider.owned_accounts(Grant(ACCESS)), (ACCESS, SECRET)),
]


@pytest.mark.parametrize(("call", "secrets"), SECRETIVE)
def test_no_secret_is_told_or_logged(
    caplog: pytest.LogCaptureFixture, call: Callable[[TikTokShopLogin], object], secrets: tuple[str, ...]
) -> None:
    listen(caplog)
    for answer in (error(36009004, " ".join(secrets)), hangs_up, says(" ".join(secrets).encode())):
        with wire(answer) as served:
            provider = login(served)
            with pytest.raises(ConnectorError) as caught:
                call(provider)
        told = " ".join([*texts_of(caught.value), repr(provider), caplog.text])
        assert not [secret for secret in secrets if secret in told]


def test_any_callback_is_accepted_for_nothing_is_signed() -> None:
    login().check_callback("code=x&state=y")

"""A platform's login that a test commands: which ad accounts or stores it opens, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connection

from accounts.models import AdAccount, Credential, Store
from connectors import deadline, registry
from connectors.connecting import connect_accounts
from connectors.contracts import Platform
from connectors.errors import AuthenticationError, ConnectorError
from connectors.login_contracts import Grant, LoginApp, OwnedAccount
from connectors.logins import Answer, begin_login, finish_login
from tests.factories import House

APPS = {
    "meta": {"app_id": "app-1", "app_secret": "app-secret-1"},
    "tiktok": {"app_id": "app-2", "app_secret": "app-secret-2"},
    "shopify": {"app_id": "app-3", "app_secret": "app-secret-3"},
    "tiktok_shop": {"app_id": "app-4", "app_secret": "app-secret-4"},
}
CODE = "the-code"
SHOP = "some-shop.myshopify.com"
BACK = "https://bursar.example/admin/connect/meta/callback/"


def owned(number: int, **values: str) -> OwnedAccount:
    shared = {"currency": "USD", "timezone": "America/New_York", "status": "ACTIVE"}
    return OwnedAccount(f"act_{number}", values.pop("name", f"Shop {number}"), **{**shared, **values})


def shopify_shop(host: str = SHOP) -> OwnedAccount:
    return OwnedAccount(host, "Some Shop", "EUR", "Europe/Berlin", "")


def market_shop(number: int, **values: str) -> OwnedAccount:
    """A shop of TikTok Shop."""
    shared = {"region": "GB", "cipher": f"cipher-{number}", "seller_type": "LOCAL"}
    return OwnedAccount(f"shop-{number}", f"Shop {number}", "GBP", "Europe/London", "", **{**shared, **values})


@dataclass
class FakeLogin:
    """With `refresh_ends` its tokens rotate: each comes with a refresh token, which works until its successor does."""

    platform: Platform = Platform.META
    accounts: list[OwnedAccount] = field(default_factory=lambda: [owned(1), owned(2)])
    expires_at: datetime | None = None
    failure: ConnectorError | None = None
    ages: bool = True
    is_forged: bool = False
    refresh_ends: datetime | None = None
    speaks_for: str = ""
    issued: int = 0
    apps: list[LoginApp] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    in_transaction: list[bool] = field(default_factory=list)

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        self.redirects[CODE] = redirect_uri
        return f"https://platform.example/dialog?{urlencode({'redirect_uri': redirect_uri, 'state': state})}"

    def check_callback(self, query: str) -> None:
        if self.is_forged:
            raise AuthenticationError("the callback is not signed", platform=self.platform)

    def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        self._ask()
        if self.redirects.pop(code, "") != redirect_uri:
            raise AuthenticationError("the code cannot be used", platform=self.platform)
        return self._grant()

    def refresh(self, grant: Grant) -> Grant | None:
        self._ask()
        self.refreshed.append(grant.refresh_token or grant.access_token)
        return self._grant() if self.ages else None

    def revoke(self, grant: Grant) -> None:
        self._ask()
        self.revoked.append(grant.access_token)

    def owned_accounts(self, grant: Grant) -> list[OwnedAccount]:
        self._ask()
        return list(self.accounts)

    def _grant(self) -> Grant:
        self.issued += 1
        name = f"token-{self.issued}"
        if self.refresh_ends is None:
            return Grant(name, expires_at=self.expires_at, subject=self.speaks_for)
        scopes = ("read_orders", "read_products")
        return Grant(name, f"refresh-{self.issued}", self.expires_at, scopes, self.refresh_ends, self.speaks_for)

    def _ask(self) -> None:
        self.in_transaction.append(connection.in_atomic_block)
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, settings: pytest.FixtureRequest) -> Iterator[FakeLogin]:
    """Stands in for the login of every platform. It is asked in the test's own thread and transaction."""
    monkeypatch.setattr(deadline, "within", lambda seconds, ask, *, platform: ask())
    settings.LOGIN_APPS = APPS  # type: ignore[attr-defined]
    found = FakeLogin()

    def made(app: LoginApp) -> FakeLogin:
        found.apps.append(app)
        return found

    for platform in registry.LOGINS:
        monkeypatch.setitem(registry.LOGINS, platform, made)
    yield found


def begin(house: House, platform: Platform = Platform.META, **values: Any) -> str:
    """Begin a login; the state that travels."""
    shared: dict[str, Any] = {"actor": house.owner, "browser_secret": "browser", "redirect_uri": BACK}
    url = begin_login(house.tenant, platform, **{**shared, **values})
    return parse_qs(urlsplit(url).query)["state"][0]


def finish(
    house: House, state: str, *, code: str = CODE, is_denied: bool = False, query: str = "", **values: Any
) -> Credential:
    shared: dict[str, Any] = {"actor": house.owner, "browser_secret": "browser", "redirect_uri": BACK}
    platform = values.pop("platform", Platform.META)
    return finish_login(platform, Answer(state, code, is_denied, query), **{**shared, **values})


def log_in(house: House, platform: Platform = Platform.META, **values: Any) -> Credential:
    return finish(house, begin(house, platform, **values), platform=platform)


def log_in_to_shop(house: House, fake: FakeLogin, shop: str = SHOP, **values: Any) -> Credential:
    """A login at Shopify, which opens one shop and connects it."""
    fake.platform, fake.accounts = Platform.SHOPIFY, [shopify_shop(shop)]
    state = begin(house, Platform.SHOPIFY, subject=shop, **values)
    return finish(house, state, platform=Platform.SHOPIFY, query=f"code={CODE}&shop={shop}&state={state}")


def log_in_to_market(
    house: House, fake: FakeLogin, *numbers: int, subject: str = "seller", **values: Any
) -> Credential:
    """A login at TikTok Shop that opens these shops; none is connected yet."""
    fake.platform, fake.accounts = Platform.TIKTOK_SHOP, [market_shop(number) for number in numbers]
    return log_in(house, Platform.TIKTOK_SHOP, subject=subject, **values)


def market_shops(house: House, fake: FakeLogin, *numbers: int) -> list[Store]:
    """Shops of TikTok Shop that one login has connected."""
    credential = log_in_to_market(house, fake, *numbers)
    return connect_accounts(credential, [f"shop-{number}" for number in numbers], actor=house.owner).added


def connected(house: House, *numbers: int) -> list[AdAccount]:
    done = connect_accounts(log_in(house), [f"act_{number}" for number in numbers], actor=house.owner)
    return done.added


def fresh(row: Any) -> Any:
    return type(row)._default_manager.get(pk=row.pk)


def stored(house: House) -> int:
    return int(Credential.objects.filter(tenant=house.tenant).exclude(label="demo").count())

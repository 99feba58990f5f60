"""A platform's login that a test commands: which ad accounts it opens, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connection

from accounts.models import AdAccount, Credential
from connectors import deadline, registry
from connectors.contracts import Platform
from connectors.errors import AuthenticationError, ConnectorError
from connectors.grants import connect_accounts
from connectors.login_contracts import Grant, OwnedAccount
from connectors.logins import Answer, begin_login, finish_login
from tests.factories import House

APPS = {
    "meta": {"app_id": "app-1", "app_secret": "app-secret-1"},
    "tiktok": {"app_id": "app-2", "app_secret": "app-secret-2"},
}
CODE = "the-code"


BACK = "https://bursar.example/admin/connect/meta/callback/"


def owned(number: int, **values: str) -> OwnedAccount:
    shared = {"currency": "USD", "timezone": "America/New_York", "status": "ACTIVE"}
    return OwnedAccount(f"act_{number}", values.pop("name", f"Shop {number}"), **{**shared, **values})


@dataclass
class FakeLogin:
    platform: Platform = Platform.META
    accounts: list[OwnedAccount] = field(default_factory=lambda: [owned(1), owned(2)])
    expires_at: datetime | None = None
    failure: ConnectorError | None = None
    ages: bool = True
    issued: int = 0
    redirects: dict[str, str] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    in_transaction: list[bool] = field(default_factory=list)

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        self.redirects[CODE] = redirect_uri
        return f"https://platform.example/dialog?{urlencode({'redirect_uri': redirect_uri, 'state': state})}"

    def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        self._ask()
        if self.redirects.pop(code, "") != redirect_uri:
            raise AuthenticationError("the code cannot be used", platform=self.platform)
        return self._grant()

    def refresh(self, grant: Grant) -> Grant | None:
        self._ask()
        self.refreshed.append(grant.access_token)
        return self._grant() if self.ages else None

    def revoke(self, grant: Grant) -> None:
        self._ask()
        self.revoked.append(grant.access_token)

    def owned_accounts(self, grant: Grant) -> list[OwnedAccount]:
        self._ask()
        return list(self.accounts)

    def _grant(self) -> Grant:
        self.issued += 1
        return Grant(f"token-{self.issued}", expires_at=self.expires_at)

    def _ask(self) -> None:
        self.in_transaction.append(connection.in_atomic_block)
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, settings: pytest.FixtureRequest) -> Iterator[FakeLogin]:
    """Stands in for Meta's login; TikTok's is the same one. It is asked in the test's own thread and transaction."""
    monkeypatch.setattr(deadline, "within", lambda seconds, ask, *, platform: ask())
    settings.LOGIN_APPS = APPS  # type: ignore[attr-defined]
    found = FakeLogin()
    for platform in registry.LOGINS:
        monkeypatch.setitem(registry.LOGINS, platform, lambda app: found)
    yield found


def begin(house: House, **values: Any) -> str:
    """Begin a login; the state that travels."""
    shared: dict[str, Any] = {"actor": house.owner, "browser_secret": "browser", "redirect_uri": BACK}
    url = begin_login(house.tenant, Platform.META, **{**shared, **values})
    return parse_qs(urlsplit(url).query)["state"][0]


def finish(house: House, state: str, *, code: str = CODE, is_denied: bool = False, **values: Any) -> Credential:
    shared: dict[str, Any] = {"actor": house.owner, "browser_secret": "browser", "redirect_uri": BACK}
    platform = values.pop("platform", Platform.META)
    return finish_login(platform, Answer(state, code, is_denied), **{**shared, **values})


def log_in(house: House) -> Credential:
    return finish(house, begin(house))


def connected(house: House, *numbers: int) -> list[AdAccount]:
    done = connect_accounts(log_in(house), [f"act_{number}" for number in numbers], actor=house.owner)
    return done.added


def fresh(row: Any) -> Any:
    return type(row)._default_manager.get(pk=row.pk)


def stored(house: House) -> int:
    return int(Credential.objects.filter(tenant=house.tenant).exclude(label="demo").count())

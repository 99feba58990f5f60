"""TikTok's OAuth pages and endpoints as a `LoginProvider`.

An advertiser's token has no end of its own and no refresh: it lives until it is revoked (section on access
tokens of the portal's documents).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from connectors.contracts import Platform
from connectors.errors import AuthenticationError
from connectors.fields import access_token, identifier, rows
from connectors.login_contracts import Grant, LoginApp, OwnedAccount
from connectors.tiktok import parse
from connectors.tiktok.api import Api, root
from connectors.tiktok.errors import judge_read, judge_write

ADVERTISERS_AT_ONCE = 100


class TikTokLogin:
    """The app that asks people for access to their advertisers. `transport` are options of the HTTP transport."""

    platform = Platform.TIKTOK

    def __init__(self, app: LoginApp, **transport: Any) -> None:
        root(app.version)
        self._base_url, self._dialog_url, self._version = app.base_url, app.dialog_url, app.version
        self._app = {"app_id": app.app_id, "secret": app.app_secret}
        self._options = transport

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        asked = {"app_id": self._app["app_id"], "redirect_uri": redirect_uri, "state": state}
        return f"{self._dialog_url.rstrip('/')}/portal/auth?{urlencode(asked)}"

    def check_callback(self, query: str) -> None:
        """TikTok signs no callback."""

    def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        """The grant for an `auth_code`, which is sent once: it works once, however the answer is lost."""
        api = self._api("", read_attempts=1)
        asked = {**self._app, "auth_code": code}
        data = api.transport.read("POST", api.root + "oauth2/access_token/", json=asked, judge=judge_read)
        token, scopes = access_token(data, Platform.TIKTOK), data.get("scope")
        told = scopes if isinstance(scopes, list) else []
        return Grant(token, scopes=tuple(str(scope)[:64] for scope in told if isinstance(scope, int | str)))

    def refresh(self, grant: Grant) -> None:
        """Nothing to do: these tokens do not age."""

    def revoke(self, grant: Grant) -> None:
        api = self._api(grant.access_token)
        asked = {**self._app, "access_token": grant.access_token}
        try:
            api.transport.write(api.root + "oauth2/revoke_token/", json=asked, judge=judge_write)
        except AuthenticationError:
            return

    def owned_accounts(self, grant: Grant) -> list[OwnedAccount]:
        api = self._api(grant.access_token)
        listed = rows(
            api.get("oauth2/advertiser/get/", app_id=self._app["app_id"], secret=self._app["secret"]).get("list"),
            "list",
        )
        ids = [identifier(source, "advertiser_id") for source in listed]
        found: list[OwnedAccount] = []
        for start in range(0, len(ids), ADVERTISERS_AT_ONCE):
            chunk = ids[start : start + ADVERTISERS_AT_ONCE]
            data = api.get("advertiser/info/", advertiser_ids=chunk, fields=parse.ACCOUNT_FIELDS)
            found += map(parse.owned_account, rows(data.get("list"), "list"))
        return found

    def _api(self, token: str, **options: Any) -> Api:
        return Api(
            base_url=self._base_url,
            version=self._version,
            access_token=token,
            secrets=(self._app["secret"],),
            **(self._options | options),
        )

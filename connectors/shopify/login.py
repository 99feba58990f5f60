"""Shopify's OAuth pages and endpoints as a `LoginProvider`, for one shop: the authorization code grant.

Tokens are offline and expire: an hour, with a refresh token of 90 days that is replaced at each use. All figures
in answers are seconds from now.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

from connectors.contracts import Platform
from connectors.errors import AuthenticationError, MalformedReplyError, NotFoundError, RefusedError
from connectors.fields import Row, access_token, count, text
from connectors.http import Transport
from connectors.login_contracts import Grant, LoginApp, OwnedAccount
from connectors.redaction import BLOT
from connectors.shopify.client import ShopifyStore, shop_host
from connectors.shopify.errors import judge_login
from connectors.shopify.graph import Graph
from connectors.shopify.signatures import is_callback

SCOPES = ("read_orders", "read_customers", "read_products", "read_inventory")
LONGEST_LIFE = 10 * 365 * 86_400
LONGEST_SCOPES = 4_000
DEAD = (AuthenticationError, NotFoundError)
NOT_INSTALLED = frozenset({"APP_NOT_FOUND", "APP_NOT_INSTALLED"})


class ShopifyLogin:
    """The app that asks the owner of `app.subject`, a shop's host, for access. `transport` are its options.

    Nothing but a strict host is ever redirected or sent to: `ConfigurationError` otherwise.
    """

    platform = Platform.SHOPIFY

    def __init__(self, app: LoginApp, **transport: Any) -> None:
        self._shop = shop_host(app.subject)
        self._base_url, self._version = app.base_url, app.version
        self._app_id, self._app_secret = app.app_id, app.app_secret
        self._scopes = app.scopes or SCOPES
        self._options = transport

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        asked = {"client_id": self._app_id, "scope": ",".join(self._scopes), "redirect_uri": redirect_uri}
        asked |= {"state": state} | ({"shop": self._shop} if self._base_url else {})
        root = self._base_url.rstrip("/") or f"https://{self._shop}"
        return f"{root}/admin/oauth/authorize?{urlencode(asked)}"

    def check_callback(self, query: str) -> None:
        """Shopify signs the callback with the app's secret; it must also be for the shop that was asked."""
        if not is_callback(query, self._app_secret):
            raise AuthenticationError("shopify: the callback is not signed by Shopify", platform=Platform.SHOPIFY)
        if [shop.lower() for shop in parse_qs(query).get("shop", [])] != [self._shop]:
            raise AuthenticationError("shopify: the callback is for another shop", platform=Platform.SHOPIFY)

    def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        """The grant for a code, which is sent once: it works once, however the answer is lost."""
        return self._granted({"code": code, "expiring": "1"}, read_attempts=1)

    def refresh(self, grant: Grant) -> Grant | None:
        """A younger grant; `None` for a token that does not age.

        Asking again is safe: an old refresh token works until its successor is used first (changelog of
        2026-08-28).
        """
        if not grant.refresh_token:
            return None
        return self._granted({"grant_type": "refresh_token", "refresh_token": grant.refresh_token})

    def revoke(self, grant: Grant) -> None:
        """Uninstall the app from the shop, which ends every token of it there.

        An access token that has merely run out opens nothing, so a living refresh token is used first.
        """
        try:
            self._uninstall(grant)
        except DEAD:
            self._uninstall_renewed(grant)

    def owned_accounts(self, grant: Grant) -> list[OwnedAccount]:
        store = ShopifyStore(shop=self._shop, access_token=grant.access_token, **self._places())
        shop = store.shop()
        return [OwnedAccount(shop_host(shop.domain), shop.name, shop.currency, shop.timezone, "ACTIVE")]

    def _uninstall_renewed(self, grant: Grant) -> None:
        try:
            renewed = self.refresh(grant)
            if renewed is not None:
                self._uninstall(renewed)
        except DEAD:
            return

    def _uninstall(self, grant: Grant) -> None:
        try:
            Graph(host=self._shop, access_token=grant.access_token, **self._places()).mutate("app_uninstall")
        except RefusedError as error:
            if error.code not in NOT_INSTALLED:
                raise

    def _granted(self, asked: dict[str, str], **options: Any) -> Grant:
        transport = Transport(
            self._base_url or f"https://{self._shop}",
            platform=Platform.SHOPIFY,
            headers={},
            secrets=(self._app_secret,),
            host_header=self._shop if self._base_url else None,
            **(self._options | options),
        )
        app = {"client_id": self._app_id, "client_secret": self._app_secret}
        found = transport.read("POST", "/admin/oauth/access_token", json=app | asked, judge=judge_login)
        return Grant(
            access_token(found, Platform.SHOPIFY),
            _refresh_token(found, sent=asked.get("refresh_token", "")),
            expires_at=_after(found, "expires_in"),
            scopes=tuple(filter(None, text(found, "scope", LONGEST_SCOPES).split(","))),
            refresh_expires_at=_after(found, "refresh_token_expires_in"),
            subject=self._shop,
        )

    def _places(self) -> dict[str, Any]:
        return {"base_url": self._base_url, "version": self._version, **self._options}


def _refresh_token(source: Row, *, sent: str) -> str:
    """The refresh token of an answer, "" without one. The one `sent` may come again, blotted out by the transport."""
    value = source.get("refresh_token")
    if value is None:
        return ""
    if value == BLOT and sent:
        return sent
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]{8,4000}", value) or BLOT in value:
        raise MalformedReplyError("shopify: the refresh token is malformed")
    return value


def _after(source: Row, name: str) -> datetime | None:
    seconds = count(source, name)
    return None if seconds is None else datetime.now(UTC) + timedelta(seconds=min(seconds, LONGEST_LIFE))

"""TikTok Shop's OAuth pages and endpoints as a `LoginProvider`, for sellers and creators."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from connectors.contracts import Platform
from connectors.errors import AuthenticationError, ConfigurationError, MalformedReplyError
from connectors.fields import Row, access_token, identifier, malformed, text
from connectors.http import Transport
from connectors.login_contracts import Grant, LoginApp, OwnedAccount
from connectors.redaction import BLOT
from connectors.tiktok_shop.api import Api
from connectors.tiktok_shop.client import authorised_shops
from connectors.tiktok_shop.errors import judge_login
from connectors.tiktok_shop.regions import REGIONS, Region, unsupported

PRODUCTION_AUTH_URL = "https://auth.tiktok-shops.com"
PROFILE = "/affiliate_creator/202508/profiles"
SELLER, CREATOR = "seller", "creator"
SUBJECTS = {"seller": SELLER, "seller_us": SELLER, "creator": CREATOR}
USER_TYPES = {0: SELLER, 1: CREATOR}
# Both ends are absolute Unix seconds, whatever "expire_in" says. Some lie in the year 2125; a duration would be small.
EARLIEST = 1_000_000_000
LATEST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
MOST_SCOPES = 200


class TikTokShopLogin:
    """The app that asks people for access. `transport` are options of the HTTP transport."""

    platform = Platform.TIKTOK_SHOP

    def __init__(self, app: LoginApp, **transport: Any) -> None:
        self._app, self._options = app, transport

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        """TikTok knows the app's redirect address by itself; only the sandbox, over plain HTTP, is told."""
        kind = SUBJECTS.get(self._app.subject)
        if kind is None or not self._app.dialog_url:
            raise _wrong("a login is for one of seller, seller_us, creator")
        if kind == SELLER and not self._app.service_id:
            raise _wrong("set the service id of the app (TIKTOK_SHOP_SERVICE_ID)")
        named = {"app_key": self._app.app_id} if kind == CREATOR else {"service_id": self._app.service_id}
        back = {"redirect_uri": redirect_uri} if self._app.dialog_url.startswith("http://") else {}
        path = "/alliance/creator/auth" if kind == CREATOR else "/open/authorize"
        return f"{self._app.dialog_url.rstrip('/')}{path}?{urlencode({**named, 'state': state, **back})}"

    def check_callback(self, query: str) -> None:
        """TikTok Shop signs no callback."""

    def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        """The grant for a code, which is sent once: it works once, however the answer is lost.

        Raises `AuthenticationError` when a creator has logged in where a seller was asked for, or the reverse.
        """
        data = self._tokens("get", read_attempts=1, auth_code=code, grant_type="authorized_code")
        kind, wanted = _kind(data), SUBJECTS.get(self._app.subject)
        if None not in (kind, wanted) and kind != wanted:
            message = f"tiktok shop: a {kind} logged in where a {wanted} was asked for: log in as the {wanted}"
            raise AuthenticationError(message, platform=Platform.TIKTOK_SHOP)
        return _grant(data, self._app.subject or kind or "", sent="")

    def refresh(self, grant: Grant) -> Grant:
        if not grant.refresh_token:
            message = "tiktok shop: no refresh token is stored: connect again"
            raise AuthenticationError(message, platform=Platform.TIKTOK_SHOP)
        data = self._tokens("refresh", refresh_token=grant.refresh_token, grant_type="refresh_token")
        return _grant(data, self._app.subject or grant.subject or _kind(data) or "", sent=grant.refresh_token)

    def revoke(self, grant: Grant) -> None:
        """TikTok Shop has no request for it (NOTES.md)."""
        raise _wrong("an authorisation can be ended in TikTok Shop's seller centre only")

    def owned_accounts(self, grant: Grant) -> list[OwnedAccount]:
        """The shops of a seller, or the creator; those of other markets with the obstacle that they are of one."""
        api = Api(
            base_url=self._app.api_url,
            app_key=self._app.app_id,
            app_secret=self._app.app_secret,
            access_token=grant.access_token,
            **self._options,
        )
        if SUBJECTS.get(grant.subject or self._app.subject) == CREATOR:
            return [_creator(api.ask("GET", PROFILE, of_shop=False))]
        return [_shop(source) for source in authorised_shops(api)]

    def _tokens(self, endpoint: str, *, read_attempts: int = 4, **asked: str) -> dict[str, Any]:
        """The answer of a token endpoint. Secrets travel in its query, which nothing here ever shows."""
        transport = Transport(
            self._app.base_url or PRODUCTION_AUTH_URL,
            platform=Platform.TIKTOK_SHOP,
            headers={},
            secrets=(self._app.app_secret,),
            **({"read_attempts": read_attempts} | self._options),
        )
        asked = {"app_key": self._app.app_id, "app_secret": self._app.app_secret, **asked}
        data: dict[str, Any] = transport.read("GET", f"/api/v2/token/{endpoint}", params=asked, judge=judge_login)
        return data


def _grant(data: Row, subject: str, *, sent: str) -> Grant:
    scopes = data.get("granted_scopes")
    told = scopes[:MOST_SCOPES] if isinstance(scopes, list) else []
    return Grant(
        access_token(data, Platform.TIKTOK_SHOP),
        _refresh_token(data, sent),
        _end(data, "access_token_expire_in"),
        tuple(scope[:64] for scope in told if isinstance(scope, str)),
        _end(data, "refresh_token_expire_in"),
        subject,
        text(data, "seller_name", 120),
    )


def _refresh_token(data: Row, sent: str) -> str:
    """The new one; that which was sent stays valid where it is told again, which the transport blots out."""
    told = data.get("refresh_token")
    if sent and told in (None, BLOT):
        return sent
    if not isinstance(told, str) or not re.fullmatch(r"[\x21-\x7e]{8,4000}", told) or BLOT in told:
        raise MalformedReplyError("tiktok shop: the answer holds no refresh token", platform=Platform.TIKTOK_SHOP)
    return told


def _end(data: Row, name: str) -> datetime:
    seconds = data.get(name)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < EARLIEST:
        raise malformed(name, seconds)
    return datetime.fromtimestamp(min(seconds, LATEST), UTC)


def _kind(data: Row) -> str | None:
    """Whom the token speaks for, `None` where the answer does not say."""
    user_type = data.get("user_type")
    if user_type is None:
        return None
    if not isinstance(user_type, int) or isinstance(user_type, bool) or user_type not in USER_TYPES:
        raise _wrong("only sellers and creators can be connected")
    return USER_TYPES[user_type]


def _shop(source: Row) -> OwnedAccount:
    code = text(source, "region", 16)
    region = REGIONS.get(code, Region("", ""))
    return OwnedAccount(
        external_id=identifier(source, "id"),
        name=text(source, "name"),
        currency=region.currency,
        timezone=region.timezone,
        status="",
        region=code,
        cipher=text(source, "cipher"),
        seller_type=text(source, "seller_type", 32),
        obstacle=unsupported(code),
    )


def _creator(source: Row) -> OwnedAccount:
    """A creator is paid in the currency of the market in which they may sell."""
    code = text(source, "selection_region", 16) or text(source, "register_region", 16)
    region = REGIONS.get(code, Region("", ""))
    return OwnedAccount(
        external_id=identifier(source, "creator_user_open_id"),
        name=text(source, "username"),
        currency=region.currency,
        timezone=region.timezone,
        status="",
        region=code,
        seller_type=text(source, "seller_type", 32),
        obstacle=unsupported(code),
    )


def _wrong(why: str) -> ConfigurationError:
    return ConfigurationError(f"tiktok shop: {why}", platform=Platform.TIKTOK_SHOP)

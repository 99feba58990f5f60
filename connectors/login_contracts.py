"""What a login at a platform is made of: the app that asks, what it is given, and what that opens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.contracts import Platform


@dataclass(frozen=True, slots=True)
class LoginApp:
    """The app that asks people for access: where its pages and endpoints are, and who it is.

    `subject` is what a login is for, where a platform needs to know before it begins: Shopify the shop's host,
    TikTok Shop one of `seller`, `seller_us`, `creator`. `service_id` and `api_url` are TikTok Shop's,
    `scopes` what Shopify is asked for (`()`: the connector's own choice).
    """

    platform: Platform
    base_url: str
    dialog_url: str
    version: str
    app_id: str
    app_secret: str = field(repr=False)
    subject: str = ""
    service_id: str = ""
    api_url: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """What a platform gives for a login. `expires_at` is `None` for a token that lives until it is revoked.

    `refresh_expires_at` is the absolute end of the refresh token; `subject` is whom the token speaks for, where
    the answer says (Shopify: the host; TikTok Shop: `seller` or `creator`), `name` what they are called.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    refresh_expires_at: datetime | None = None
    subject: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class OwnedAccount:
    """An ad account or a store that a grant opens, as a person chooses among them.

    Of stores: `region` and `cipher` are TikTok Shop's, `obstacle` says why this one cannot be connected.
    """

    external_id: str
    name: str
    currency: str
    timezone: str
    status: str
    region: str = ""
    cipher: str = ""
    seller_type: str = ""
    obstacle: str = ""


class LoginProvider(Protocol):
    """A platform's OAuth pages for one app (`connectors.registry.login_provider`)."""

    platform: Platform

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        """Where the browser goes to ask the person; no request is sent."""
        ...

    def check_callback(self, query: str) -> None:
        """Raises `AuthenticationError` unless the raw query of a callback is what the platform has signed.

        Platforms that sign nothing accept any.
        """
        ...

    def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        """The grant for the code of a callback, long-lived where the platform has such. Codes are used once."""
        ...

    def refresh(self, grant: Grant) -> Grant | None:
        """A younger grant for a living one; `None` where tokens of this platform do not age."""
        ...

    def revoke(self, grant: Grant) -> None:
        """End the grant on the platform. One that is dead already is no error."""
        ...

    def owned_accounts(self, grant: Grant) -> list[OwnedAccount]: ...

"""Which connector speaks for which platform: the one table that a new platform is added to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from connectors.contracts import AdPlatform, LoginProvider, Platform, StorePlatform
from connectors.errors import ConfigurationError
from connectors.meta.client import MetaAds
from connectors.meta.login import MetaLogin
from connectors.pace import Pace
from connectors.shopify.client import ShopifyStore
from connectors.tiktok.client import TikTokAds
from connectors.tiktok.login import TikTokLogin

Factory = TypeVar("Factory")


@dataclass(frozen=True, slots=True)
class Connection:
    """What a connector needs. `base_url` "" means production; secrets never show in the representation.

    `external_id` is the ad account or advertiser, for a store its host; `secrets` holds `access_token` and,
    for Meta, optionally `app_secret`. While a file stands at `stop_file`, nothing is written;
    `pace` is the rate budget shared with everybody who asks for the same account. With `full_update` TikTok's ad
    groups are written back whole.
    """

    platform: Platform
    base_url: str
    version: str
    external_id: str
    secrets: Mapping[str, str] = field(repr=False)
    stop_file: Path | None = None
    pace: Pace | None = None
    full_update: bool = False

    def secret(self, name: str) -> str:
        """The secret of that name, which must be there."""
        if not self.secrets.get(name):
            raise ConfigurationError(f"{self.platform}: no {name} is set", platform=self.platform)
        return self.secrets[name]


@dataclass(frozen=True, slots=True)
class LoginApp:
    """The app that asks people for access: where its pages and endpoints are, and who it is."""

    platform: Platform
    base_url: str
    dialog_url: str
    version: str
    app_id: str
    app_secret: str = field(repr=False)


def table(entries: Iterable[tuple[Platform, Factory]]) -> dict[Platform, Factory]:
    """The entries as a mapping; `ConfigurationError` when two are for one platform."""
    factories: dict[Platform, Factory] = {}
    for platform, factory in entries:
        if platform in factories:
            raise ConfigurationError(f"two connectors for {platform}", platform=platform)
        factories[platform] = factory
    return factories


def ad_platform(connection: Connection) -> AdPlatform:
    """The connector of an ad account; no request is sent yet."""
    return _factory(AD_PLATFORMS, connection)(connection)


def store_platform(connection: Connection) -> StorePlatform:
    """The connector of a store; no request is sent yet."""
    return _factory(STORES, connection)(connection)


def login_provider(app: LoginApp) -> LoginProvider:
    """The platform's OAuth pages and endpoints for that app; no request is sent yet."""
    if app.platform not in LOGINS:
        raise ConfigurationError(f"no login for {str(app.platform)!r}", platform=str(app.platform))
    return LOGINS[app.platform](app)


def _factory(factories: Mapping[Platform, Factory], connection: Connection) -> Factory:
    if connection.platform not in factories:
        message = f"no connector of this kind for {str(connection.platform)!r}"
        raise ConfigurationError(message, platform=str(connection.platform))
    return factories[connection.platform]


def _meta(connection: Connection) -> AdPlatform:
    return MetaAds(
        base_url=connection.base_url,
        version=connection.version,
        access_token=connection.secret("access_token"),
        app_secret=connection.secrets.get("app_secret"),
        account_id=connection.external_id,
        stop_file=connection.stop_file,
        pace=connection.pace,
    )


def _tiktok(connection: Connection) -> AdPlatform:
    return TikTokAds(
        base_url=connection.base_url,
        version=connection.version,
        access_token=connection.secret("access_token"),
        advertiser_id=connection.external_id,
        stop_file=connection.stop_file,
        pace=connection.pace,
        full_update=connection.full_update,
    )


def _shopify(connection: Connection) -> StorePlatform:
    return ShopifyStore(
        base_url=connection.base_url,
        version=connection.version,
        shop=connection.external_id,
        access_token=connection.secret("access_token"),
    )


AD_PLATFORMS = table([(Platform.META, _meta), (Platform.TIKTOK, _tiktok)])
LOGINS: dict[Platform, Callable[[LoginApp], LoginProvider]] = {
    Platform.META: lambda app: MetaLogin(
        base_url=app.base_url,
        dialog_url=app.dialog_url,
        version=app.version,
        app_id=app.app_id,
        app_secret=app.app_secret,
    ),
    Platform.TIKTOK: lambda app: TikTokLogin(
        base_url=app.base_url,
        dialog_url=app.dialog_url,
        version=app.version,
        app_id=app.app_id,
        app_secret=app.app_secret,
    ),
}
STORES = table([(Platform.SHOPIFY, _shopify)])

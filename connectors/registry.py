"""Which connector speaks for which platform: the one table that a new platform is added to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from connectors.contracts import AdPlatform, Platform
from connectors.errors import ConfigurationError
from connectors.http import Witness
from connectors.login_contracts import LoginApp, LoginProvider
from connectors.meta.client import MetaAds
from connectors.meta.login import MetaLogin
from connectors.pace import Pace
from connectors.shopify.client import ShopifyStore
from connectors.shopify.login import ShopifyLogin
from connectors.store_contracts import CreatorPlatform, StorePlatform
from connectors.tiktok.client import TikTokAds
from connectors.tiktok.login import TikTokLogin
from connectors.tiktok_shop.client import TikTokCreator, TikTokShop
from connectors.tiktok_shop.login import TikTokShopLogin

Factory = TypeVar("Factory")


@dataclass(frozen=True, slots=True)
class Connection:
    """What a connector needs. `base_url` "" means production; secrets never show in the representation.

    `external_id` is the ad account or advertiser, for a store its host; `secrets` holds `access_token` and,
    for Meta, optionally, and for TikTok Shop `app_secret`. `app_id`, `cipher` and `timezone` are for TikTok Shop,
    where `witness` hears of each use of the token. While a file stands at `stop_file`, nothing is written;
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
    app_id: str = ""
    cipher: str = ""
    timezone: str = ""
    witness: Witness | None = None

    def secret(self, name: str) -> str:
        """The secret of that name, which must be there."""
        if not self.secrets.get(name):
            raise ConfigurationError(f"{self.platform}: no {name} is set", platform=self.platform)
        return self.secrets[name]


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


def creator_platform(connection: Connection) -> CreatorPlatform:
    """The connector of a creator; no request is sent yet."""
    return _factory(CREATORS, connection)(connection)


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
        stop_file=connection.stop_file,
    )


def _tiktok_shop(connection: Connection) -> StorePlatform:
    return TikTokShop(
        **_signed(connection),
        shop_id=connection.external_id,
        cipher=connection.cipher,
        timezone=connection.timezone,
    )


def _tiktok_creator(connection: Connection) -> CreatorPlatform:
    return TikTokCreator(**_signed(connection))


def _signed(connection: Connection) -> dict[str, Any]:
    """What every signed request to TikTok Shop needs."""
    options: dict[str, Any] = {"witness": connection.witness} if connection.witness else {}
    return options | {
        "base_url": connection.base_url,
        "app_key": connection.app_id,
        "app_secret": connection.secret("app_secret"),
        "access_token": connection.secret("access_token"),
        "pace": connection.pace,
    }


AD_PLATFORMS = table([(Platform.META, _meta), (Platform.TIKTOK, _tiktok)])
LOGINS: dict[Platform, Callable[[LoginApp], LoginProvider]] = {
    Platform.META: MetaLogin,
    Platform.TIKTOK: TikTokLogin,
    Platform.SHOPIFY: ShopifyLogin,
    Platform.TIKTOK_SHOP: TikTokShopLogin,
}
STORES = table([(Platform.SHOPIFY, _shopify), (Platform.TIKTOK_SHOP, _tiktok_shop)])
CREATORS = table([(Platform.TIKTOK_SHOP, _tiktok_creator)])

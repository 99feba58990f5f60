"""From a stored ad account, store or setting to a client that can talk to its platform."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from django.conf import settings

from accounts.encryption import SecretError
from accounts.models import AdAccount, Credential, Store
from connectors import token_uses, tokens
from connectors.contracts import AdPlatform, Platform
from connectors.errors import ConfigurationError
from connectors.pace import Pace
from connectors.rate_budget import SharedBudget
from connectors.registry import Connection, ad_platform, creator_platform, store_platform
from connectors.store_contracts import CreatorPlatform, StorePlatform


class Limit(NamedTuple):
    """How a platform counts: `setting` points in `seconds`, for one ad account or for the whole app."""

    setting: str
    seconds: float
    write_cost: int
    is_of_app: bool


SPARE_SHARE = 6  # a sixth is for what is urgent: of Meta's 60 points two writes with the reads around them
LIMITS = {
    # A score per ad account that decays over 300 seconds (marketing-api/overview/rate-limiting).
    Platform.META: Limit("META_RATE_SCORE", 300.0, write_cost=3, is_of_app=False),
    # Queries per second of the app, all of its advertisers together.
    Platform.TIKTOK: Limit("TIKTOK_QPS", 1.0, write_cost=1, is_of_app=True),
    # Per app and shop; TikTok names no fixed figure any more.
    Platform.TIKTOK_SHOP: Limit("TIKTOK_SHOP_QPS", 1.0, write_cost=1, is_of_app=False),
}


def connect_ad_account(account: AdAccount) -> AdPlatform:
    """A client for the account. Raises `ConfigurationError` when a credential or setting is missing."""
    return ad_platform(_connection(account.platform, account.external_id, account.credential))


def connect_store(store: Store) -> StorePlatform:
    """A client for the store, its token renewed where need be (`connectors.tokens`).

    Raises `ConfigurationError` when a credential or setting is missing, and what renewing raises.
    """
    return store_platform(_of_store(store))


def connect_creator(store: Store) -> CreatorPlatform:
    """A client for a creator's commissions; raises as `connect_store`."""
    return creator_platform(_of_store(store))


def _of_store(store: Store) -> Connection:
    credential = tokens.fresh(store.credential)
    connection = _connection(store.platform, store.external_id, credential)
    if store.platform != Platform.TIKTOK_SHOP:
        return connection
    return replace(
        connection,
        app_id=credential.app_id,
        cipher=store.cipher,
        timezone=store.timezone,
        witness=token_uses.witness(credential),
    )


def pace_of(platform: Platform, external_id: str, app_id: str) -> Pace | None:
    """The rate budget that all who ask for this ad account share; stores have none, Shopify's answers tell it.

    Raises `ConfigurationError` when the setting leaves too little to write.
    """
    limit = LIMITS.get(platform)
    if limit is None:
        return None
    size = getattr(settings, limit.setting)
    if size < limit.write_cost:
        raise ConfigurationError(f"{platform}: {limit.setting} must be at least {limit.write_cost}", platform=platform)
    counted = (app_id or external_id) if limit.is_of_app else external_id.removeprefix("act_")
    key, spare = f"{platform} {counted}"[:120], size // SPARE_SHARE
    return SharedBudget(key, size=size, seconds=limit.seconds, spare=spare, write_cost=limit.write_cost)


def _connection(platform: str, external_id: str, credential: Credential) -> Connection:
    prefix = platform.upper()
    try:
        secrets = {"access_token": credential.access_token or "", "app_secret": credential.app_secret or ""}
    except SecretError as error:
        raise ConfigurationError(f"{platform}: {error}", platform=platform) from error
    return Connection(
        platform=Platform(platform),
        base_url=getattr(settings, f"{prefix}_BASE_URL"),
        version=getattr(settings, f"{prefix}_API_VERSION", ""),
        external_id=external_id,
        secrets=secrets,
        stop_file=settings.WRITE_STOP_FILE,
        pace=pace_of(Platform(platform), external_id, credential.app_id),
        full_update=settings.TIKTOK_FULL_UPDATE,
    )

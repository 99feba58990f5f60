"""From a stored ad account or store to a client that can talk to its platform."""

from __future__ import annotations

from django.conf import settings

from accounts.encryption import SecretError
from accounts.models import AdAccount, Credential, Store
from connectors.contracts import AdPlatform, Platform, StorePlatform
from connectors.errors import ConfigurationError
from connectors.registry import Connection, ad_platform, store_platform


def connect_ad_account(account: AdAccount) -> AdPlatform:
    """A client for the account. Raises `ConfigurationError` when a credential or setting is missing."""
    return ad_platform(_connection(account.platform, account.external_id, account.credential))


def connect_store(store: Store) -> StorePlatform:
    """A client for the store. Raises `ConfigurationError` when a credential or setting is missing."""
    return store_platform(_connection(store.platform, store.external_id, store.credential))


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
    )

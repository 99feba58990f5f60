"""Connecting a merchant: every connection is asked who it is before a row is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from accounts.clock import wall_now
from accounts.models import AdAccount, Credential, RolloutStage, Store, Tenant
from accounts.money import MICROS, PPM, micros_from_text
from automation.kill_switch import ensure_switches
from automation.models import Limits
from connectors.contracts import AccountRecord, Platform
from connectors.registry import STORES, Connection, ad_platform, store_platform
from connectors.store_contracts import ShopRecord
from rules.presets import PRESETS, enable_preset

DEFAULT_TARGET_MICROS = 100 * MICROS
SUBJECTS = {Platform.TIKTOK_SHOP: "seller"}


class OnboardingError(Exception):
    """The merchant cannot be connected; one clear line. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Access:
    """What opens one connection, as a person or the environment gives it."""

    platform: Platform
    external_id: str
    access_token: str = field(repr=False)
    app_id: str = ""
    app_secret: str = field(default="", repr=False)
    cipher: str = ""
    refresh_token: str = field(default="", repr=False)

    def connection(self) -> Connection:
        prefix = self.platform.upper()
        return Connection(
            platform=self.platform,
            base_url=getattr(settings, f"{prefix}_BASE_URL"),
            version=getattr(settings, f"{prefix}_API_VERSION", ""),
            external_id=self.external_id,
            secrets={"access_token": self.access_token, "app_secret": self.app_secret},
            app_id=self.app_id,
            cipher=self.cipher,
        )


def onboard(*, name: str, slug: str, accesses: list[Access], daily_target_micros: int | None = None) -> Tenant:
    """Ask each platform, then store tenant, credentials, store, ad accounts, limits and preset rules.

    Raises `ConnectorError` or `OnboardingError` before anything is stored.
    """
    if Tenant.objects.filter(slug=slug).exists():
        raise OnboardingError(f"a tenant with the slug {slug!r} is connected already")
    shops = [(a, store_platform(a.connection()).shop()) for a in accesses if a.platform in STORES]
    accounts = [(a, ad_platform(a.connection()).account()) for a in accesses if a.platform not in STORES]
    if not shops or not accounts:
        raise OnboardingError("expected a store and at least one ad account")
    shop = shops[0][1]
    with transaction.atomic():
        tenant: Tenant = Tenant.objects.create(
            name=name, slug=slug, currency=shop.currency, timezone=shop.timezone, **money_defaults()
        )
        ensure_switches(tenant)
        for access, record in shops:
            _add_store(tenant, access, record)
        for access, account in accounts:
            _add_account(tenant, access, account)
        Limits.objects.create(tenant=tenant, **limit_defaults(daily_target_micros))
        for preset in PRESETS:
            enable_preset(tenant, preset)
    return tenant


def _add_store(tenant: Tenant, access: Access, record: ShopRecord) -> None:
    Store.objects.create(
        tenant=tenant,
        platform=access.platform,
        external_id=access.external_id,
        name=record.name[:120] or access.external_id,
        currency=record.currency,
        timezone=record.timezone,
        region=record.region,
        seller_type=record.seller_type[:24],
        cipher=access.cipher,
        credential=_credential(tenant, access),
    )


def _add_account(tenant: Tenant, access: Access, record: AccountRecord) -> None:
    AdAccount.objects.create(
        tenant=tenant,
        platform=access.platform,
        external_id=record.external_id,
        name=record.name,
        currency=record.currency,
        timezone=record.timezone,
        credential=_credential(tenant, access),
        rollout_stage=RolloutStage.SHADOW,
        autopilot=True,
        minimum_daily_budget_micros=record.minimum_daily_budget_micros,
    )


def _credential(tenant: Tenant, access: Access) -> Credential:
    credential: Credential = Credential.objects.create(
        tenant=tenant,
        platform=access.platform,
        label=access.external_id,
        app_id=access.app_id,
        app_secret=access.app_secret or None,
        access_token=access.access_token,
        refresh_token=access.refresh_token or None,
        # When a token that somebody typed in ends is not known: the first use renews it, and learns that.
        expires_at=wall_now() if access.refresh_token else None,
        subject=SUBJECTS.get(access.platform, access.external_id if access.platform == Platform.SHOPIFY else ""),
    )
    return credential


def limit_defaults(daily_target_micros: int | None = None) -> dict[str, int]:
    """Careful limits around a daily target: the platforms' worst day on it is the hard cap."""
    target = daily_target_micros or _from_environment("DAILY_BUDGET_TARGET") or DEFAULT_TARGET_MICROS
    return {
        "daily_target_micros": target,
        "hard_daily_cap_micros": target * max(settings.WORST_DAY_FACTOR_PPM.values()) // PPM,
        "floor_micros": 1 * MICROS,
        "ceiling_micros": target,
        "approval_above_micros": target // 10,
    }


def money_defaults() -> dict[str, int | None]:
    return {
        "cogs_per_unit_micros": _from_environment("COGS_PER_UNIT"),
        "lambda_spend_ppm": _from_environment("LAMBDA_SPEND") or 0,
        "lagrange_step_ppm": _from_environment("LAGRANGE_STEP") or 0,
    }


def _from_environment(name: str) -> int | None:
    text = getattr(settings, name)
    try:
        return micros_from_text(text) if text else None
    except ValueError as error:
        raise OnboardingError(f"{name}: {error}") from error


def accesses_from(values: Mapping[str, str]) -> list[Access]:
    """What the environment's variables of a single tenant open. Raises `OnboardingError` on a half pair."""
    table = (
        (Platform.SHOPIFY, "SHOPIFY_STORE_DOMAIN", "SHOPIFY_ADMIN_TOKEN", "SHOPIFY_API_KEY", "SHOPIFY_API_SECRET"),
        (Platform.META, "META_AD_ACCOUNT_ID", "META_LONG_LIVED_TOKEN", "META_APP_ID", "META_APP_SECRET"),
        (Platform.TIKTOK, "TIKTOK_AD_ACCOUNT_ID", "TIKTOK_ACCESS_TOKEN", "TIKTOK_APP_ID", "TIKTOK_APP_SECRET"),
        (
            Platform.TIKTOK_SHOP,
            "TIKTOK_SHOP_ID",
            "TIKTOK_SHOP_ACCESS_TOKEN",
            "TIKTOK_SHOP_APP_KEY",
            "TIKTOK_SHOP_APP_SECRET",
        ),
    )
    found = []
    for platform, id_name, token_name, app_name, secret_name in table:
        if bool(values[id_name]) != bool(values[token_name]):
            raise OnboardingError(f"expected both {id_name} and {token_name}, or neither")
        if values[id_name]:
            external_id = values[id_name]
            if platform == Platform.SHOPIFY:
                external_id = external_id.lower()  # as webhooks and logins name it
            if platform == Platform.META and not external_id.startswith("act_"):
                external_id = f"act_{external_id}"
            own = {name: values.get(f"{platform.upper()}_{name.upper()}", "") for name in ("cipher", "refresh_token")}
            found.append(
                Access(platform, external_id, values[token_name], values[app_name], values[secret_name], **own)
            )
    return found

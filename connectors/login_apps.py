"""The apps through which people give access, from the settings."""

from __future__ import annotations

from django.conf import settings

from connectors.contracts import Platform
from connectors.errors import ConfigurationError
from connectors.login_contracts import LoginApp


def login_app(platform: Platform, app: tuple[str, str] = ("", ""), *, subject: str = "") -> LoginApp:
    """The app through which people give access, or that `app` (id and secret) which a stored login belongs to.

    `subject` is what the login is for (`LoginApp.subject`). Raises `ConfigurationError` when no app is set up.
    """
    known = settings.LOGIN_APPS.get(str(platform), {})
    app_id, app_secret = app if all(app) else (known.get("app_id", ""), known.get("app_secret", ""))
    if not app_id or not app_secret:
        names = settings.LOGIN_APP_SETTINGS[platform]
        raise ConfigurationError(f"{platform}: set {names[0]} and {names[1]}", platform=platform)
    return LoginApp(
        platform=platform,
        app_id=app_id,
        app_secret=app_secret,
        subject=subject,
        scopes=tuple(settings.SHOPIFY_SCOPES) if platform is Platform.SHOPIFY else (),
        **_places(platform, subject),
    )


def _places(platform: Platform, subject: str) -> dict[str, str]:
    """Where a platform's login pages and endpoints are."""
    prefix = platform.upper()
    places = {
        "base_url": getattr(settings, f"{prefix}_BASE_URL"),
        "dialog_url": getattr(settings, f"{prefix}_DIALOG_URL", ""),
        "version": getattr(settings, f"{prefix}_API_VERSION", ""),
    }
    if platform is not Platform.TIKTOK_SHOP:
        return places
    return places | {
        "base_url": settings.TIKTOK_SHOP_AUTH_URL,
        "api_url": settings.TIKTOK_SHOP_BASE_URL,
        "dialog_url": settings.TIKTOK_SHOP_DIALOG_URLS.get(subject, ""),
        "service_id": settings.TIKTOK_SHOP_SERVICE_ID,
    }

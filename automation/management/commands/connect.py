"""Connect the single tenant that the environment describes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from accounts.commands import BursarCommand
from automation.onboarding import OnboardingError, accesses_from, onboard
from connectors.errors import ConnectorError


class Command(BursarCommand):
    help = (
        "Connect one merchant from the environment (SHOPIFY_STORE_DOMAIN, META_AD_ACCOUNT_ID, …; see "
        ".env.example). Every platform is asked who it is before anything is stored. Starts in shadow."
    )
    errors = (OnboardingError, ConnectorError)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", default="My store", help="the merchant's name (default: %(default)s)")
        parser.add_argument("--slug", default="store", help="its short name in commands (default: %(default)s)")

    def run(self, *, name: str, slug: str, **options: Any) -> None:
        tenant = onboard(name=name, slug=slug, accesses=accesses_from(settings.SINGLE_TENANT))
        self.stdout.write(f"{tenant.name} is connected, in shadow. Next: manage.py sync --days 30")

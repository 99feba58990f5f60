from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stamina

from accounts.models import Tenant
from automation.onboarding import Access, onboard
from connectors.contracts import Platform
from connectors.sandbox.server import running_sandbox
from tests.connectors.sandbox.visitor import Visitor
from tests.factories import AS_OF

BASE_URLS = ("META_BASE_URL", "TIKTOK_BASE_URL", "SHOPIFY_BASE_URL")


@pytest.fixture
def box(settings: Any, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A sandbox of one's own whose now is `AS_OF` (or the parameter); every platform is it."""
    start = getattr(request, "param", AS_OF)
    with running_sandbox(start=start, days=4, ad_sets=5, tenants=1) as running:
        for name in BASE_URLS:
            setattr(settings, name, running.url)
        yield Visitor(running.url)


@pytest.fixture
def quick_retries() -> Iterator[None]:
    """Reads are tried twice without a pause."""
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def merchant(box: Visitor, db: None, everywhere: None, quick_retries: None) -> Tenant:
    """The sandbox's first merchant, connected; nothing is pulled yet."""
    meta, tiktok, shop = (box.who[name] for name in ("meta", "tiktok", "shopify"))
    accesses = [
        Access(Platform.SHOPIFY, shop["shop"], shop["access_token"]),
        Access(Platform.META, meta["account_id"], meta["access_token"], meta["app_id"], meta["app_secret"]),
        Access(Platform.TIKTOK, tiktok["advertiser_id"], tiktok["access_token"]),
    ]
    return onboard(name="Merchant", slug="merchant", accesses=accesses)

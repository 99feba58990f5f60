"""A merchant that is connected to a sandbox of its own, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import stamina

from accounts.hours import HOUR
from accounts.models import AdAccount, AdSet, Membership, Role, Tenant, User
from accounts.money import MICROS
from accounts.scoping import all_tenants
from automation.models import Action, Limits
from automation.onboarding import Access, onboard
from connectors.contracts import Platform
from connectors.sandbox.server import running_sandbox
from metrics.accounting import account_slot
from metrics.pull import pull
from rules.models import Rule
from tests.connectors.control import Control
from tests.factories import make_user

START = datetime(2026, 11, 18, 18, tzinfo=UTC)
HISTORY = timedelta(days=5)


@dataclass(slots=True)
class Town:
    """A sandbox and the tenant connected to it."""

    box: Control
    tenant: Tenant
    people: dict[str, User]

    @property
    def slot(self) -> datetime:
        return self.box.now() - HOUR

    def account(self, platform: str) -> AdAccount:
        found: AdAccount = AdAccount.objects.get(tenant=self.tenant, platform=platform)
        return found

    def ad_set(self, platform: str = "meta") -> AdSet:
        """An active ad set with a daily budget of its own."""
        rows = AdSet.objects.filter(ad_account=self.account(platform), status="active", daily_budget_micros__gt=0)
        found: AdSet = rows.order_by("external_id")[0]
        return found

    def writes(self) -> list[dict[str, object]]:
        return [row for row in self.box.get("ledger") if row["actor"] == "api"]


@pytest.fixture(autouse=True)
def _in_scope() -> Iterator[None]:
    """These tests stand where a worker stands: they look at rows of any tenant."""
    with all_tenants(), stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def box() -> Iterator[Control]:
    with running_sandbox(seed=7, days=8, tenants=1, start=START) as running:
        yield Control(running.url)


@pytest.fixture
def platform_urls(box: Control, settings: pytest.FixtureRequest, tmp_path: object) -> None:
    for name in ("META_BASE_URL", "TIKTOK_BASE_URL", "SHOPIFY_BASE_URL"):
        setattr(settings, name, box.url)
    settings.WRITE_STOP_FILE = tmp_path / "STOP"  # type: ignore[attr-defined,operator]


def accesses_of(box: Control) -> list[Access]:
    given = box.get("credentials")
    return [
        Access(Platform.SHOPIFY, given["shopify"]["shop"], given["shopify"]["access_token"]),
        Access(
            Platform.META,
            given["meta"]["account_id"],
            given["meta"]["access_token"],
            given["meta"]["app_id"],
            given["meta"]["app_secret"],
        ),
        Access(Platform.TIKTOK, given["tiktok"]["advertiser_id"], given["tiktok"]["access_token"]),
    ]


@pytest.fixture
def town(db: None, box: Control, platform_urls: None) -> Town:
    """Connected, with five days of history, wide limits, no rules, and every account in `expand`."""
    tenant = onboard(name="Alder", slug="alder", accesses=accesses_of(box), daily_target_micros=2000 * MICROS)
    as_of = box.now()
    pull(tenant, as_of=as_of, history=HISTORY)
    account_slot(tenant, as_of=as_of, lookback=HISTORY)
    AdAccount.objects.update(rollout_stage="expand")
    Limits.objects.update(
        floor_micros=5 * MICROS,
        ceiling_micros=300 * MICROS,
        hard_daily_cap_micros=5000 * MICROS,
        freeze_roas_ppm=0,
        approval_above_ppm=150_000,
        approval_above_micros=20 * MICROS,
    )
    Rule.objects.update(is_enabled=False)
    people = {role.value: make_user(f"{role.value}-alder") for role in Role}
    for role, user in people.items():
        Membership.objects.create(tenant=tenant, user=user, role=role)
    return Town(box, tenant, people)


def reread(action: Action) -> Action:
    found: Action = Action.objects.get(pk=action.pk)
    return found

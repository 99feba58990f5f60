"""Plain builders of rows for tests: a house with one tenant, people of known rights, and an ad tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from accounts.hours import HOUR
from accounts.models import AdAccount, AdSet, Campaign, Credential, Membership, Role, Store, Tenant, User
from accounts.money import MICROS
from accounts.scoping import all_tenants
from automation.actions import digest_of, transition
from automation.kill_switch import ensure_switches
from automation.models import Action, Limits
from automation.states import State
from metrics.accounting import store_rewards
from metrics.models import HourlyMetric, Order, StoreCoverage, SyncedHour

SLOT = datetime(2026, 11, 20, 15, tzinfo=UTC)
AS_OF = SLOT + HOUR
_number = count(100_001)  # of one width, so that ids sort as they were made


@dataclass(slots=True)
class House:
    """A tenant with everything that one decision hour needs."""

    tenant: Tenant
    owner: User
    approver: User
    buyer: User
    viewer: User
    store: Store
    account: AdAccount
    campaign: Campaign
    ad_sets: list[AdSet]
    limits: Limits
    people: dict[str, User] = field(default_factory=dict)


def make_user(name: str, **values: Any) -> User:
    return User.objects.create_user(username=name, password="correct horse", is_staff=True, **values)


def make_house(
    slug: str = "acme",
    *,
    platform: str = "meta",
    stage: str = "expand",
    budgets: tuple[int, ...] = (40, 50, 60),
) -> House:
    """A tenant in USD and New York, one ad account with an ad set per budget (whole dollars a day)."""
    with all_tenants():
        tenant = Tenant.objects.create(name=slug.title(), slug=slug, currency="USD", timezone="America/New_York")
        ensure_switches(tenant)
        people = {role.value: make_user(f"{role.value}-{slug}") for role in Role}
        for role, user in people.items():
            Membership.objects.create(tenant=tenant, user=user, role=role)
        credential = Credential.objects.create(tenant=tenant, platform=platform, label="demo", access_token="t0ken")
        account = AdAccount.objects.create(
            tenant=tenant,
            platform=platform,
            external_id=f"act_{slug}",
            name=f"{slug} ads",
            currency="USD",
            timezone="America/New_York",
            credential=credential,
            rollout_stage=stage,
            autopilot=True,
            minimum_daily_budget_micros=1 * MICROS,
        )
        store = Store.objects.create(
            tenant=tenant,
            platform="shopify",
            external_id=f"{slug}.myshopify.com",
            name=f"{slug} shop",
            currency="USD",
            timezone="America/New_York",
            credential=credential,
        )
        campaign = Campaign.objects.create(
            tenant=tenant,
            ad_account=account,
            external_id=f"c{next(_number)}",
            name="Campaign",
            status="active",
            seen_at=AS_OF,
        )
        ad_sets = [
            AdSet.objects.create(
                tenant=tenant,
                ad_account=account,
                campaign=campaign,
                external_id=f"{next(_number)}00",
                name=f"Ad set {i}",
                status="active",
                daily_budget_micros=budget * MICROS,
                seen_at=AS_OF,
            )
            for i, budget in enumerate(budgets)
        ]
        limits = Limits.objects.create(
            tenant=tenant,
            hard_daily_cap_micros=1000 * MICROS,
            daily_target_micros=500 * MICROS,
            floor_micros=5 * MICROS,
            ceiling_micros=200 * MICROS,
            approval_above_micros=20 * MICROS,
            approvals_required=1,
        )
    return House(
        tenant,
        people["owner"],
        people["approver"],
        people["buyer"],
        people["viewer"],
        store,
        account,
        campaign,
        ad_sets,
        limits,
        people,
    )


def add_history(
    house: House,
    *,
    hours: int = 80,
    spend: int = 2,
    roas: float = 2.0,
    every: int = 4,
    as_of: datetime = AS_OF,
) -> None:
    """Complete, fresh figures up to `as_of`: each hour spends, every n-th hour sells on the first ad set."""
    tenant, account = house.tenant, house.account
    with all_tenants():
        StoreCoverage.objects.create(
            tenant=tenant, store=house.store, known_from=as_of - timedelta(days=30), known_to=as_of
        )
        starts = [as_of - (i + 1) * HOUR for i in range(hours)]
        shared = {"tenant": tenant, "ad_account": account, "known_at": as_of}
        SyncedHour.objects.bulk_create(SyncedHour(hour=hour, **shared) for hour in starts)
        HourlyMetric.objects.bulk_create(
            HourlyMetric(ad_set=ad_set, hour=hour, spend_micros=spend * MICROS, impressions=1000, clicks=20, **shared)
            for ad_set in house.ad_sets
            for hour in starts
        )
        value = round(spend * roas * every * len(house.ad_sets) * MICROS)
        for hour in starts[::every]:
            add_order(house, house.ad_sets[0], at=hour + timedelta(minutes=30), total_micros=value)
        store_rewards(tenant, start=starts[-1], as_of=as_of)


def add_order(house: House, ad_set: AdSet | None, *, at: datetime, total_micros: int, **values: Any) -> Order:
    with all_tenants():
        order: Order = Order.objects.create(
            tenant=house.tenant,
            store=house.store,
            external_id=f"o{next(_number)}",
            ordered_at=at,
            platform_updated_at=at,
            is_paid=True,
            currency="USD",
            total_micros=total_micros,
            units=1,
            attribution_ready=True,
            ad_set=ad_set,
            utm_source="facebook",
            utm_term=ad_set.external_id if ad_set else "",
            **values,
        )
    return order


def make_action(house: House, *, ad_set: AdSet | None = None, percent: int = 10, **values: Any) -> Action:
    """A budget change that is proposed, not yet guarded."""
    ad_set = ad_set or house.ad_sets[0]
    base = ad_set.daily_budget_micros or 0
    with all_tenants():
        action = Action(
            tenant=house.tenant,
            ad_account=house.account,
            ad_set=ad_set,
            kind="set_budget",
            base_micros=base,
            target_micros=base * (100 + percent) // 100,
            proposed_micros=base * (100 + percent) // 100,
            currency="USD",
            source="rule",
            source_name="Scale winners",
            reason="roas over last_3d is 3 (>= 2.5)",
            slot=SLOT,
            stage="expand",
            limits_version=house.limits.version,
            **values,
        )
        action.digest = digest_of(action)
        action.save(force_insert=True)
    return action


def awaiting(house: House, **values: Any) -> Action:
    """A budget change that waits for approval."""
    action = make_action(house, **values)
    with all_tenants():
        transition(action, State.GUARDED, actor="guardrails")
        expires = datetime.now(UTC) + timedelta(hours=6)
        return transition(action, State.AWAITING_APPROVAL, actor="automation", approvals_required=1, expires_at=expires)

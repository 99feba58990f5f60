"""The rows of the fault matrix: every call of the two ad platforms, on one sandbox that has something for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import httpx

from connectors.contracts import (
    AdPlatform,
    AdSetRecord,
    Bid,
    BidStrategy,
    DeliveryStatus,
    Family,
    Held,
    Level,
    Platform,
    Target,
)
from connectors.login_contracts import Grant, LoginApp, LoginProvider
from connectors.meta.client import MetaAds
from connectors.meta.graph import appsecret_proof
from connectors.registry import login_provider
from connectors.sandbox.answers import Bucket
from connectors.sandbox.logins import SCOPES
from connectors.sandbox.server import Sandbox
from tests.connectors.control import OWN_ID, VERSIONS, Control

UNIT = 1_000_000
BACK = "https://bursar.example/callback/"


@dataclass
class Stage:
    """One platform of the running sandbox, seen from both sides."""

    platform: Platform
    sandbox: Sandbox
    ads: AdPlatform
    login: LoginProvider
    targets: dict[str, Target]
    last_day: date
    secrets: set[str]

    @property
    def ledger(self) -> list[dict[str, Any]]:
        return self.sandbox.world.ledger

    def order(self, fault: str, count: int, method: str = "") -> None:
        seconds = 0.05 if fault == "late_apply" else 0.01
        body = {"fault": fault, "platform": self.platform, "method": method, "count": count, "seconds": seconds}
        self.sandbox.application.faults.add(body)

    def clear(self) -> None:
        """No fault any more, and everything that was to take effect late has."""
        self.sandbox.application.faults.clear()
        for timer in self.sandbox.application._timers:
            timer.join()

    def later(self) -> None:
        """Past Meta's limit of four budget changes an hour."""
        with self.sandbox.world.lock:
            self.sandbox.world.advance_to(self.sandbox.world.now + timedelta(hours=1))

    def code(self) -> str:
        """What the person brings back who has just agreed."""
        with self.sandbox.world.lock:
            code = self.sandbox.world.logins.consent(self.platform, 0, BACK, SCOPES[self.platform])
        self.secrets.add(code)
        return code

    def grant(self) -> Grant:
        """Of a fresh login."""
        grant = self.login.exchange(self.code(), redirect_uri=BACK)
        self.secrets.add(grant.access_token)
        return grant

    def issued(self) -> set[str]:
        """Every secret that exists by now, those that an answer was to bring too."""
        tokens = {text for _, text in self.sandbox.world.logins._tokens}
        proofs = {appsecret_proof(token, secret) for token in tokens for secret in self.secrets if len(secret) == 32}
        return self.secrets | tokens | proofs


def stage(sandbox: Sandbox, platform: Platform) -> Stage:
    control = Control(sandbox.url)
    own = control.get("credentials")[platform]
    sandbox.application._tiktok.calls = Bucket(1e9, 1e9)  # the matrix is faster than ten requests a second
    app = LoginApp(platform, control.url, control.url, VERSIONS[platform], own["app_id"], own["app_secret"])
    ads = control.ads(platform)
    if isinstance(ads, MetaAds):
        ads._pause = lambda seconds: None
    last_day = control.now().astimezone(ZoneInfo("America/New_York")).date() - timedelta(days=1)
    secrets = {own["access_token"], own["app_secret"]}
    return Stage(platform, sandbox, ads, login_provider(app), _targets(sandbox, ads, own), last_day, secrets)


def _targets(sandbox: Sandbox, ads: AdPlatform, own: dict[str, str]) -> dict[str, Target]:
    """What the writes name: one object for each, so that none is in another's way."""
    world, platform = sandbox.world, ads.platform
    account = world.accounts[own[OWN_ID[platform]]]
    first = next(iter(ads.campaigns())).external_id
    on = "ACTIVE" if platform is Platform.META else "ENABLE"
    with world.lock:
        made = world.create(account, "ad_set", first, "lifetime", status=on, lifetime_budget=900 * UNIT)
    budgeted = [a.target for a in ads.ad_sets() if a.daily_budget_micros]
    found = {
        "set_daily_budget": budgeted[0],
        "set_lifetime_budget": Target(Level.AD_SET, made.id),
        "set_status of an ad set": budgeted[1],
        "set_bid": budgeted[2],
        "set_status of a campaign": Target(Level.CAMPAIGN, first),
        "set_status of an ad": Target(Level.AD, next(iter(ads.ads())).external_id),
    }
    if platform is Platform.TIKTOK:
        found["set_target_roi"] = Target(Level.CAMPAIGN, _gmv_max(sandbox.url, own), Family.GMV_MAX)
    return found


def _gmv_max(url: str, own: dict[str, str]) -> str:
    """A GMV Max campaign, made as a person would."""
    root, headers = f"{url}/open_api/v1.3/", {"Access-Token": own["access_token"]}
    with httpx.Client(base_url=root, headers=headers, trust_env=False) as client:
        asked = {"advertiser_id": own["advertiser_id"]}
        (store,) = client.get("gmv_max/store/list/", params=asked).json()["data"]["store_list"]
        body = {
            **asked,
            "campaign_name": "Shop",
            "request_id": "1",
            "store_id": store["store_id"],
            "store_authorized_bc_id": store["store_authorized_bc_id"],
            "shopping_ads_type": "PRODUCT",
            "optimization_goal": "VALUE",
            "deep_bid_type": "VO_MIN_ROAS",
            "roas_bid": 2.0,
            "budget": 25,
            "schedule_type": "SCHEDULE_FROM_NOW",
            "schedule_start_time": "2026-11-05 15:00:00",
        }
        answer = client.post("campaign/gmv_max/create/", json=body).json()
        assert answer["code"] == 0, answer
        return str(answer["data"]["campaign_id"])


def _each(name: str) -> Callable[[Stage], Any]:
    return lambda stage: list(getattr(stage.ads, name)())


def _read(name: str) -> Callable[[Stage], Any]:
    return lambda stage: stage.ads.read(stage.targets[name])


READS: dict[str, Callable[[Stage], Any]] = {
    "account": lambda stage: stage.ads.account(),
    **{name: _each(name) for name in ("campaigns", "ad_sets", "ads", "creatives")},
    "hours": lambda stage: list(stage.ads.hours(stage.last_day, stage.last_day)),
    "ad_days": lambda stage: list(stage.ads.ad_days(stage.last_day, stage.last_day)),
    "ad_days of many days": lambda stage: list(stage.ads.ad_days(stage.last_day - timedelta(9), stage.last_day)),
    "read a campaign": _read("set_status of a campaign"),
    "read an ad set": _read("set_status of an ad set"),
    "read an ad": _read("set_status of an ad"),
    "owned_accounts": lambda stage: stage.login.owned_accounts(_planted(stage)),
}
META_READS: dict[str, Callable[[Stage], Any]] = {
    "read_many": lambda stage: cast(MetaAds, stage.ads).read_many([*stage.targets.values()]),
}
CALLS = [
    *((platform, name) for platform in (Platform.META, Platform.TIKTOK) for name in READS),
    *((Platform.META, name) for name in META_READS),
]


def _planted(stage: Stage) -> Grant:
    return Grant(next(secret for secret in stage.secrets if stage.sandbox.world.logins.find(stage.platform, secret)))


@dataclass(frozen=True)
class Write:
    """A call that changes something: `wanted` of what is held, `does` it, and `shows` it in what is then held."""

    wanted: Callable[[Any], Any]
    does: Callable[[AdPlatform, Target, Any], Held]
    shows: Callable[[Any], Any]
    reads_first: frozenset[Platform] = frozenset()


def _other(status: DeliveryStatus) -> DeliveryStatus:
    return DeliveryStatus.PAUSED if status is DeliveryStatus.ACTIVE else DeliveryStatus.ACTIVE


def _higher_bid(held: AdSetRecord) -> Bid:
    amount = held.bid.amount_micros if held.bid else None
    return Bid(BidStrategy.COST_CAP, (amount or 20 * UNIT) + UNIT)


TIKTOK = frozenset({Platform.TIKTOK})
STATUS = Write(
    wanted=lambda held: _other(held.status),
    does=lambda ads, target, wanted: ads.set_status(target, wanted),
    shows=lambda held: held.status,
)
WRITES: dict[str, Write] = {
    "set_daily_budget": Write(
        wanted=lambda held: held.daily_budget_micros + UNIT,
        does=lambda ads, target, wanted: ads.set_daily_budget(target, wanted),
        shows=lambda held: held.daily_budget_micros,
        reads_first=TIKTOK,  # one field holds both kinds of budget
    ),
    "set_lifetime_budget": Write(
        wanted=lambda held: held.lifetime_budget_micros + UNIT,
        does=lambda ads, target, wanted: ads.set_lifetime_budget(target, wanted),
        shows=lambda held: held.lifetime_budget_micros,
        reads_first=TIKTOK,
    ),
    **dict.fromkeys(("set_status of a campaign", "set_status of an ad set", "set_status of an ad"), STATUS),
    "set_bid": Write(
        wanted=_higher_bid,
        does=lambda ads, target, wanted: ads.set_bid(target, wanted),
        shows=lambda held: held.bid,
        reads_first=TIKTOK,  # a bid is several fields, whose old values decide which may be sent
    ),
    "set_target_roi": Write(
        wanted=lambda held: held.bid.roas_ppm + 10_000,
        does=lambda ads, target, wanted: ads.set_target_roi(target, wanted),
        shows=lambda held: held.bid.roas_ppm,
    ),
}

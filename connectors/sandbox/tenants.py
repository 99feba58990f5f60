"""The demo tenants: who they are, what they sell, and the ad tree that each starts with."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from connectors.sandbox.currencies import MICROS, quantum_micros
from connectors.sandbox.market import Column, Parameters


@dataclass(frozen=True)
class Profile:
    name: str
    handle: str
    currency: str
    zone: str
    price_level: int  # currency units that one US dollar stands for, roughly


PROFILES = (
    Profile("Alder & Pine", "alder-and-pine", "USD", "America/New_York", 1),
    Profile("Lindenhof Berlin", "lindenhof-berlin", "EUR", "Europe/Berlin", 1),
    Profile("Kumo Goods", "kumo-goods", "JPY", "Asia/Tokyo", 150),
    Profile("Fernworth", "fernworth", "GBP", "Europe/London", 1),
    Profile("Ipê Casa", "ipe-casa", "BRL", "America/Sao_Paulo", 5),
)
CATALOGUE = (
    ("Wool throw", "64.00"),
    ("Stoneware mug", "18.50"),
    ("Linen apron", "39.00"),
    ("Walnut board", "52.00"),
    ("Beeswax candle", "22.40"),
    ("Cast iron pan", "78.90"),
)
BUDGETS = (40, 36, 48, 30, 54, 24)  # US dollars a day
ROAS = {"meta": (4.8, 0.6, 1.7, 1.2, 4.0, 0.7), "tiktok": (0.7, 4.4, 1.6, 1.0, 3.8, 0.5)}
AUDIENCES = ("Broad", "Lookalike 1%", "Interest home", "Visitors 30d", "Engaged 90d", "Past buyers")


@dataclass(frozen=True)
class Account:
    """An ad account of a platform; `id` as the platform writes it (`act_…` on Meta).

    `number` counts the accounts of one tenant on one platform from 0; they share a token.
    """

    platform: str
    id: str
    name: str
    currency: str
    zone: str
    tenant: int
    token: str
    app_id: str
    app_secret: str
    created: datetime
    number: int = 0


@dataclass(frozen=True)
class Shop:
    id: str
    name: str
    domain: str
    currency: str
    zone: str
    tenant: int
    token: str
    client_id: str
    client_secret: str
    prices: tuple[int, ...]  # micros, by product


@dataclass
class AdObject:
    """A campaign, ad set, ad or creative. Budgets in micros, `None` when another level carries them.

    `status` and `extra` (further fields: objective, bid, targeting, text, ...) are in the platform's own words;
    `column` is the ad set's place in the market. `family` is "standard", "smart_plus" or "gmv_max"; a GMV Max
    campaign has a hidden ad set without ads that carries the column. A creative's parent is its account.
    """

    platform: str
    kind: str
    id: str
    account: str
    parent: str
    name: str
    created: datetime
    updated: datetime
    status: str
    daily_budget: int | None = None
    lifetime_budget: int | None = None
    scheduled_budget: int | None = None
    column: int = -1
    family: str = "standard"
    extra: dict[str, Any] = field(default_factory=dict)
    learning_since: datetime | None = None


ON = {"meta": "ACTIVE", "tiktok": "ENABLE"}
OFF = {"meta": "PAUSED", "tiktok": "DISABLE"}
KINDS = ("campaign", "ad_set", "ad", "creative")
MOST_TENANTS = 200  # more would run into the ids of a tenant's second account


def secret(seed: int, *names: object) -> str:
    """A credential that looks random and is the same for the same seed."""
    text = "/".join(str(name) for name in names)
    return hmac.new(f"sandbox {seed}".encode(), text.encode(), hashlib.sha256).hexdigest()


def profile(tenant: int) -> Profile:
    known = PROFILES[tenant % len(PROFILES)]
    turn = tenant // len(PROFILES)
    if not turn:
        return known
    return Profile(
        f"{known.name} {turn + 1}", f"{known.handle}-{turn + 1}", known.currency, known.zone, known.price_level
    )


def shop(seed: int, tenant: int) -> Shop:
    who = profile(tenant)
    return Shop(
        id=str(60_000_000_001 + tenant),
        name=who.name,
        domain=f"{who.handle}.myshopify.com",
        currency=who.currency,
        zone=who.zone,
        tenant=tenant,
        token="shpat_" + secret(seed, tenant, "shopify token")[:32],
        client_id=secret(seed, "shopify app")[:32],
        client_secret="shpss_" + secret(seed, "shopify app secret")[:32],
        prices=tuple(price_quanta(who, text) * quantum_micros(who.currency) for _, text in CATALOGUE),
    )


def price_quanta(who: Profile, dollars: str) -> int:
    cents = round(float(dollars) * 100) * who.price_level
    return cents * 10_000 // quantum_micros(who.currency)


def accounts(seed: int, tenant: int, count: int, created: datetime) -> Iterator[Account]:
    """A tenant's `count` accounts on each platform, pair by pair, Meta's first."""
    who = profile(tenant)
    for number in range(count):
        for platform, first_id, app_id in (
            ("meta", 1_010_000_000_000_001, "900100200300400"),
            ("tiktok", 7_300_000_000_000_000_001, "7400000000000000001"),
        ):
            identity = str(first_id + tenant + number * MOST_TENANTS)
            token = secret(seed, tenant, f"{platform} token")
            yield Account(
                platform,
                f"act_{identity}" if platform == "meta" else identity,
                f"{who.name} ({platform})" if number == 0 else f"{who.name} {number + 1} ({platform})",
                who.currency,
                who.zone,
                tenant,
                f"EAAB{token}" if platform == "meta" else token[:40],
                app_id,
                secret(seed, platform, "app secret")[: 32 if platform == "meta" else 40],
                created,
                number,
            )


def ad_tree(account: Account, ad_sets: int, first_column: int) -> list[AdObject]:
    """Campaigns, ad sets, two ads each. Own budgets first, then (of six) one ad set to be paused and two
    whose campaign carries the budget."""
    pooled = ad_sets // 3
    own = ad_sets - pooled
    groups = [list(range(start, min(start + 2, own))) for start in range(0, own, 2)]
    tree: list[AdObject] = []
    for number, members in enumerate([*groups, list(range(own, ad_sets))]):
        if not members:
            continue
        is_pool = number == len(groups)
        campaign = _object(account, "campaign", number, account.id, f"{account.platform} sales {number + 1}")
        campaign.daily_budget = sum(_budget(account, k) for k in members) if is_pool else None
        tree.append(campaign)
        for k in members:
            ad_set = _object(account, "ad_set", k, campaign.id, f"{AUDIENCES[k % len(AUDIENCES)]} {k + 1}")
            ad_set.daily_budget = None if is_pool else _budget(account, k)
            ad_set.column = first_column + k
            ads = [_object(account, "ad", 2 * k + i, ad_set.id, f"Creative {2 * k + i + 1}") for i in (0, 1)]
            tree += [ad_set, *ads]
    return tree


def identity(account: Account, kind: str, number: int) -> str:
    """The id of the account's object of this kind with this number (from 0)."""
    start = 120_210_000_000_000_000 if account.platform == "meta" else 1_790_000_000_000_000_000
    series = (account.tenant + account.number * MOST_TENANTS) * 10**9
    return str(start + series + (KINDS.index(kind) + 1) * 10**7 + number + 1)


def _object(account: Account, kind: str, number: int, parent: str, name: str) -> AdObject:
    return AdObject(
        account.platform,
        kind,
        identity(account, kind, number),
        account.id,
        parent,
        name,
        account.created,
        account.created,
        ON[account.platform],
    )


def _budget(account: Account, k: int) -> int:
    return BUDGETS[k % len(BUDGETS)] * profile(account.tenant).price_level * MICROS


def parameters(seed: int, tenants: int, ad_sets: int, accounts: int = 1) -> Parameters:
    """The hidden truth about every ad set, columns by tenant, then account, Meta before TikTok."""
    rng = np.random.default_rng([seed, 99])
    who = [profile(tenant) for tenant in range(tenants)]
    n = tenants * accounts * 2 * ad_sets
    tenant = np.repeat(np.arange(tenants), accounts * 2 * ad_sets)
    is_meta = np.tile(np.repeat([True, False], ad_sets), tenants * accounts)
    level = np.array([p.price_level for p in who], dtype=float)[tenant]
    kth = np.tile(np.arange(ad_sets), 2 * tenants * accounts)
    roas = np.where(is_meta, np.array(ROAS["meta"])[kth % 6], np.array(ROAS["tiktok"])[kth % 6])
    budget = np.array(BUDGETS, dtype=float)[kth % 6] * level
    jitter = np.exp(0.06 * rng.standard_normal((4, n)))
    return Parameters(
        seed=seed,
        zones=tuple(p.zone for p in who),
        prices=np.array([[price_quanta(p, text) for _, text in CATALOGUE] for p in who], dtype=np.int64),
        quantum_micros=np.array([quantum_micros(p.currency) for p in who], dtype=np.int64),
        organic=np.full(tenants, 0.4),
        tenant=tenant,
        is_meta=is_meta,
        budget=budget,
        roas=roas * jitter[0],
        scale=budget * np.where(roas > 2, 3.0, 1.5) * jitter[1],
        cpm=np.where(is_meta, 9.0, 6.5) * level * jitter[2],
        ctr=np.where(is_meta, 0.015, 0.011) * jitter[3],
    )


def column(seed: int, number: int, account: Account, daily_budget: float) -> Column:
    """The hidden truth about an ad set created later, from the seed and its place: a return of 0.5 to 4.

    `daily_budget` in currency units is where that return holds; 0 stands for a usual one.
    """
    rng = np.random.default_rng([seed, 98, number])
    level = profile(account.tenant).price_level
    budget = daily_budget or float(BUDGETS[0] * level)
    is_meta = account.platform == "meta"
    roas = 0.5 * 8.0 ** rng.random()
    jitter = np.exp(0.06 * rng.standard_normal(3))
    return Column(
        tenant=account.tenant,
        is_meta=is_meta,
        budget=budget,
        roas=float(roas),
        scale=float(budget * (3.0 if roas > 2 else 1.5) * jitter[0]),
        cpm=float((9.0 if is_meta else 6.5) * level * jitter[1]),
        ctr=float((0.015 if is_meta else 0.011) * jitter[2]),
    )

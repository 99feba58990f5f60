"""Who is on TikTok Shop: each tenant's shops, the creator it also is, and the one app that asks them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from connectors.sandbox.currencies import quantum_micros
from connectors.sandbox.logins import SCOPES, Logins
from connectors.sandbox.tenants import CATALOGUE, MOST_TENANTS, price_quanta, profile, secret

REGIONS = {"USD": "US", "EUR": "DE", "GBP": "GB", "JPY": "JP", "BRL": "BR"}
PACES = (2.0, 0.4)  # usual orders an hour of a shop, by its number
TWO_SHOPS = 0  # the tenant whose login opens two shops
FIRST_ID = 7_495_000_000_000_000_001
KIND_SCOPES = {
    "seller": tuple(name for name in SCOPES["tiktok_shop"] if not name.startswith("creator.")),
    "creator": tuple(name for name in SCOPES["tiktok_shop"] if name.startswith("creator.")),
}
LONG_AWAY = datetime(2125, 1, 1, tzinfo=UTC)  # the platform tells such years for authorisations without an end


@dataclass(frozen=True)
class Store:
    """A TikTok Shop. `number` counts a tenant's shops from 0; `prices` are micros by product of the catalogue.

    `promoter` is the creator who alone sells for the shop; "" for a shop that any creator may sell for.
    """

    id: str
    name: str
    code: str
    cipher: str
    region: str
    currency: str
    zone: str
    tenant: int
    number: int
    pace: float
    prices: tuple[int, ...]
    promoter: str = ""
    seller_type: str = "LOCAL"


@dataclass(frozen=True)
class Creator:
    """`home` stands for all shops of others that the creator sells for; no login opens it."""

    open_id: str
    username: str
    region: str
    tenant: int
    home: Store


@dataclass(frozen=True)
class App:
    key: str
    secret: str = field(repr=False)
    service_id: str


class Planted(NamedTuple):
    """The tokens of a tenant's seller or creator: the access token never ends."""

    kind: str
    access: str
    refresh: str


def app(seed: int) -> App:
    return App(secret(seed, "tiktok shop app")[:12], secret(seed, "tiktok shop app secret")[:40], "7430000000000000001")


def store_id(tenant: int, number: int = 0) -> str:
    return str(FIRST_ID + tenant + number * MOST_TENANTS)


def stores(seed: int, tenant: int) -> list[Store]:
    return [_store(seed, tenant, number) for number in range(2 if tenant == TWO_SHOPS else 1)]


def creator(seed: int, tenant: int) -> Creator:
    username = profile(tenant).handle.replace("-", ".") + ".picks"
    home = _store(seed, tenant, 2, "Harbour Goods", username)
    return Creator(secret(seed, tenant, "tiktok creator")[:32], username, home.region, tenant, home)


def planted(seed: int, tenant: int) -> Iterator[Planted]:
    for kind in KIND_SCOPES:
        access, refresh = (f"ROW_{secret(seed, tenant, f'tiktok shop {kind} {name}')}" for name in ("token", "refresh"))
        yield Planted(kind, access, refresh)


def plant(logins: Logins, seed: int, tenant: int) -> None:
    for each in planted(seed, tenant):
        logins.replay(
            {
                "kind": "token",
                "text": each.access,
                "platform": "tiktok_shop",
                "tenant": tenant,
                "scopes": KIND_SCOPES[each.kind],
                "expires_at": None,
                "refresh": each.refresh,
                "refresh_ends": LONG_AWAY.isoformat(),
                "of": each.kind,
                "issued": 0,
            }
        )


def _store(seed: int, tenant: int, number: int, name: str = "", promoter: str = "") -> Store:
    who = profile(tenant)
    quantum = quantum_micros(who.currency)
    return Store(
        id=store_id(tenant, number),
        name=name or (who.name if not number else f"{who.name} Outlet"),
        code=f"{REGIONS[who.currency]}LC{secret(seed, tenant, number, 'shop code')[:8].upper()}",
        cipher=f"ROW_{secret(seed, tenant, number, 'shop cipher')[:32]}",
        region=REGIONS[who.currency],
        currency=who.currency,
        zone=who.zone,
        tenant=tenant,
        number=number,
        pace=PACES[min(number, len(PACES) - 1)],
        prices=tuple(price_quanta(who, text) * quantum for _, text in CATALOGUE),
        promoter=promoter,
    )

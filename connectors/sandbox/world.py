"""The world that the faces show: tenants, their ad trees and shops, the clock, the ledger, the logins.

Every change of a tree goes through `World.write` or `World.create`, which journal and book it. Callers hold
`World.lock`.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox import learning, tenants, tiktok_shop_sellers
from connectors.sandbox.delivery import Delivery, is_on
from connectors.sandbox.journal import Journal, StateError
from connectors.sandbox.logins import Logins
from connectors.sandbox.market import HOUR, Market
from connectors.sandbox.orders import Line
from connectors.sandbox.sales import Sales
from connectors.sandbox.tenants import OFF, Account, AdObject
from connectors.sandbox.tiktok_shop_sales import ShopSales
from connectors.sandbox.tiktok_shop_sellers import Store

MAX_ADVANCE_HOURS = 24 * 400
_EFFECTS = ("attribute", "value", "create")


@dataclass(frozen=True)
class Config:
    """What a world is built from. `start` is the first `now`; `days` of history lie before it.

    `clock` is market seconds per wall second, 0 for a clock that is only moved by hand. `accounts` is the number
    of ad accounts per platform and tenant, `ad_sets` that of each account at the start.
    """

    seed: int = 7
    start: datetime | None = None
    days: int = 120
    tenants: int = 2
    ad_sets: int = 6
    clock: float = 0.0
    accounts: int = 1


@dataclass(frozen=True)
class Change:
    """One field of one object: `old` and `new` as the platform holds them, `value` as the world does.

    `attribute` is "status", "name", "daily_budget", "lifetime_budget", "scheduled_budget" or "extra.NAME".
    """

    target: AdObject
    field: str
    attribute: str
    old: Any
    new: Any
    value: Any


class World:
    def __init__(self, config: Config, journal: Journal) -> None:
        self.lock = threading.RLock()
        self.journal = journal
        entries = journal.entries()
        self.config = _agreed(config, entries)
        self.start = _start(self.config)
        first = int(self.start.timestamp()) // HOUR - 24 * self.config.days
        self.ledger: list[dict[str, Any]] = []
        self.shops = [tenants.shop(config.seed, tenant) for tenant in range(config.tenants)]
        self.now = datetime.fromtimestamp(first * HOUR, UTC)
        self.accounts = {
            account.id: account
            for tenant in range(config.tenants)
            for account in tenants.accounts(config.seed, tenant, config.accounts, self.now)
        }
        self.logins = Logins(config.seed, journal)
        self.logins.plant(self.accounts.values(), self.shops)
        for tenant in range(config.tenants):
            tiktok_shop_sellers.plant(self.logins, config.seed, tenant)
        self.stores = [store for t in range(config.tenants) for store in tiktok_shop_sellers.stores(config.seed, t)]
        self.creators = [tiktok_shop_sellers.creator(config.seed, tenant) for tenant in range(config.tenants)]
        self.shop_sales = ShopSales(config.seed, first)
        self.objects: dict[str, AdObject] = {}
        self.places: dict[str, int] = {}  # of each object in the order of creation
        self.children: dict[str, list[AdObject]] = defaultdict(list)
        self.columns: list[AdObject] = []
        self.delivery = Delivery(self.objects, self.children)
        self._listed: dict[tuple[str, str], list[AdObject]] = defaultdict(list)  # by account and kind
        self._zones = {account.zone: ZoneInfo(account.zone) for account in self.accounts.values()}
        self._scheduled: dict[str, AdObject] = {}
        self.kept_reports: dict[tuple[Any, ...], list[Any]] = {}  # the last ones, for their further pages
        parameters = tenants.parameters(config.seed, config.tenants, config.ad_sets, config.accounts)
        self.market = Market(parameters, first)
        self._sales = Sales(self.shops, parameters.quantum_micros.tolist(), self._came, self._sell_on_tiktok_shop)
        self.orders, self.customers = self._sales.orders, self._sales.customers
        self._plant()
        self._wall = time.monotonic()
        # Told of every move of the clock after it: from when to when (market time). Not while history is replayed.
        self.on_advance: list[Callable[[datetime, datetime], None]] = []
        self._live_before_start()
        self._replay(entries)

    def close(self) -> None:
        self.journal.close()

    def zone(self, account: Account) -> ZoneInfo:
        return self._zones[account.zone]

    def stores_of(self, tenant: int) -> list[Store]:
        """A tenant's TikTok Shops, the main one first."""
        return [store for store in self.stores if store.tenant == tenant]

    def accounts_of(self, tenant: int, platform: str) -> list[Account]:
        """A tenant's ad accounts on a platform; any token of the tenant opens all of them."""
        return [a for a in self.accounts.values() if a.tenant == tenant and a.platform == platform]

    def account_objects(self, account_id: str, kind: str) -> list[AdObject]:
        """In the order of their creation."""
        return list(self._listed[account_id, kind])

    def is_on(self, thing: AdObject) -> bool:
        return is_on(thing)

    def in_learning(self, ad_set: AdObject) -> bool:
        """Market time: after its creation or a significant edit, until 50 purchases or 7 days."""
        return learning.is_learning(ad_set, self.market, self.now)

    def tick(self) -> None:
        """Let a running clock catch up with the wall."""
        if self.config.clock > 0:
            wall = time.monotonic()
            passed = min((wall - self._wall) * self.config.clock, MAX_ADVANCE_HOURS * HOUR)
            self.advance_to(self.now + timedelta(seconds=passed))
            self._wall = wall

    def advance_to(self, moment: datetime) -> None:
        """Move `now` forward and close every hour on the way. Raises ValueError for a move into the past."""
        if moment < self.now:
            raise ValueError("the clock cannot go back")
        if moment - self.now > timedelta(hours=MAX_ADVANCE_HOURS):
            raise ValueError(f"the clock moves at most {MAX_ADVANCE_HOURS} hours at once")
        hour = int(moment.timestamp()) // HOUR
        if hour > self.market.hour or not self.config.clock:
            self.journal.append({"kind": "clock", "now": moment.isoformat()})
        before = self.now
        self._run_to(moment)
        for told in self.on_advance:
            told(before, moment)

    def write(self, change: Change, actor: str) -> None:
        """Book a write that the platform accepts, and let it take effect now."""
        effect: dict[str, Any] = {"attribute": change.attribute, "value": change.value}
        self._book(_names(change), {"result": "applied", "code": "", "actor": actor}, effect)

    def refuse(self, change: Change, code: str, actor: str = "api") -> None:
        """Book a write that was received and not applied."""
        self._book(_names(change), {"result": "refused", "code": code, "actor": actor}, {})

    def create(
        self,
        account: Account,
        kind: str,
        parent: str,
        name: str,
        *,
        status: str,
        daily_budget: int | None = None,
        lifetime_budget: int | None = None,
        family: str = "standard",
        extra: dict[str, Any] | None = None,
        actor: str = "api",
    ) -> AdObject:
        """A new object with an id of the account's series; booked as `created`. `parent` of a campaign and of a
        creative is the account's id. Budgets in micros; `extra` must be JSON."""
        identity = tenants.identity(account, kind, len(self._listed[account.id, kind]))
        made = {
            "kind": kind,
            "parent": parent,
            "name": name,
            "status": status,
            "daily_budget": daily_budget,
            "lifetime_budget": lifetime_budget,
            "family": family,
            "extra": json.loads(json.dumps(extra or {})),
        }
        names = _creation(account, identity, name)
        self._book(names, {"result": "applied", "code": "", "actor": actor}, {"create": made})
        return self.objects[identity]

    def refuse_create(self, account: Account, kind: str, code: str, actor: str = "api") -> None:
        """Book a creation that was received and not applied: without an id, `new` tells the kind."""
        self._book(_creation(account, "", kind), {"result": "refused", "code": code, "actor": actor}, {})

    def budget_changes_since(self, target: AdObject, since: datetime) -> int:
        """How many applied budget writes have changed the object after `since` (market time)."""
        recent = takewhile(lambda row: datetime.fromisoformat(row["market_time"]) > since, reversed(self.ledger))
        return sum(
            row["object_id"] == target.id
            and row["result"] == "applied"
            and row["field"].endswith("budget")
            and row["old"] != row["new"]
            for row in recent
        )

    def customer_orders(self, tenant: int, customer: int) -> int:
        """How many orders the customer has by now."""
        return self.customers[tenant][customer]

    def deliver(self, *changed: AdObject) -> None:
        """Tell the market what may deliver now, on what budget, after a change of these objects (none: of any)."""
        self.delivery.around(changed or self.objects.values(), self.market.hour)
        elapsed = self.now.timestamp() / HOUR - self.market.hour
        self.market.set_delivery(self.delivery.budgets, self.delivery.active, min(max(elapsed, 0.0), 1.0))

    def _came(self, column: int, hour: int) -> tuple[AdObject, list[AdObject]]:
        ad_set = self.columns[column]
        return ad_set, [self.objects[ad] for ad in self.delivery.shares(ad_set, hour)] or [ad_set]

    def _sell_on_tiktok_shop(self, ad_set: AdObject, created: int, lines: tuple[Line, ...]) -> None:
        tenant = self.accounts[ad_set.account].tenant
        self.shop_sales.sell(self.stores_of(tenant)[0], created, lines)

    def _plant(self) -> None:
        for number, account in enumerate(self.accounts.values()):
            for thing in tenants.ad_tree(account, self.config.ad_sets, number * self.config.ad_sets):
                self._add(thing)

    def _add(self, thing: AdObject) -> None:
        self.places[thing.id] = len(self.objects)
        self.objects[thing.id] = thing
        self.children[thing.parent].append(thing)
        self._listed[thing.account, thing.kind].append(thing)
        if thing.kind == "ad_set":
            self.columns.append(thing)

    def _live_before_start(self) -> None:
        """The history: all on at first; one ad set of each account was paused ten days before the start."""
        self.deliver()
        self._run_to(max(self.now, self.start - timedelta(days=10)))
        resting = self.config.ad_sets - self.config.ad_sets // 3 - 1
        if self.config.ad_sets >= 4:
            for ad_set in self.columns:
                if ad_set.column % self.config.ad_sets == resting:
                    ad_set.status, ad_set.updated = OFF[ad_set.platform], self.now
            self.deliver()
        self._run_to(self.start)

    def _run_to(self, moment: datetime) -> None:
        hour = int(moment.timestamp()) // HOUR
        while self.market.hour < hour:
            bought = self.market.step()
            self._sales.take_in(bought, self.market.hour)
            self.now = datetime.fromtimestamp(self.market.hour * HOUR, UTC)
            self._schedule()
        self.now = moment

    def _schedule(self) -> None:
        """At an account's local midnight its scheduled budgets take effect."""
        due = [
            o for o in self._scheduled.values() if self.now.astimezone(self.zone(self.accounts[o.account])).hour == 0
        ]
        for ad_set in due:
            if ad_set.scheduled_budget:
                self._set(ad_set, "daily_budget", ad_set.scheduled_budget)
            self._set(ad_set, "scheduled_budget", None)
        if due:
            self.deliver(*due)

    def _book(self, names: dict[str, Any], outcome: dict[str, str], effect: dict[str, Any]) -> None:
        times = {"wall_time": datetime.now(UTC).isoformat(), "market_time": self.now.isoformat()}
        row = {"seq": len(self.ledger) + 1, **times, **names, **outcome}
        self.journal.append({"kind": "write", "row": row, **effect})
        self._apply(row, effect)

    def _apply(self, row: dict[str, Any], effect: dict[str, Any]) -> None:
        self.ledger.append(row)
        if "create" in effect:
            self._create(self.accounts[row["account"]], row["object_id"], effect["create"])
        elif effect:
            target = self.objects[row["object_id"]]
            self._set(target, effect["attribute"], effect["value"])
            self.deliver(target)

    def _create(self, account: Account, identity: str, made: dict[str, Any]) -> None:
        thing = AdObject(account.platform, id=identity, account=account.id, created=self.now, updated=self.now, **made)
        if thing.kind == "ad_set":
            campaign = self.objects[thing.parent]
            budget = next((each for each in _daily_budgets(thing, campaign) if each), 0.0) / 1e6
            truth = tenants.column(self.config.seed, len(self.columns), account, budget)
            thing.column, thing.learning_since = self.market.grow(truth), self.now
        self._add(thing)
        self.deliver(thing)

    def _set(self, thing: AdObject, attribute: str, value: Any) -> None:
        if learning.is_significant(thing, attribute, value):
            for ad_set in [thing] if thing.kind == "ad_set" else self.children[thing.id]:
                if ad_set.kind == "ad_set":
                    ad_set.learning_since = self.now
        section, _, name = attribute.partition(".")
        if name:
            thing.extra[name] = value
        else:
            setattr(thing, section, value)
        if attribute == "scheduled_budget":
            self._scheduled[thing.id] = thing
            if not value:
                del self._scheduled[thing.id]
        thing.updated = self.now

    def _replay(self, entries: list[dict[str, Any]]) -> None:
        if not entries:
            asked = asdict(self.config) | {"start": self.start.isoformat()}
            del asked["clock"]
            self.journal.append({"kind": "config", **asked})
        for entry in entries[1:]:
            if entry["kind"] == "clock":
                self._run_to(datetime.fromisoformat(entry["now"]))
            elif entry["kind"] == "write":
                self._run_to(datetime.fromisoformat(entry["row"]["market_time"]))
                self._apply(entry["row"], {key: entry[key] for key in _EFFECTS if key in entry})
            elif entry["kind"] in ("token", "token_end"):
                self.logins.replay(entry)


def _names(change: Change) -> dict[str, Any]:
    target = change.target
    return {
        "platform": target.platform,
        "account": target.account,
        "object_id": target.id,
        "field": change.field,
        "old": change.old,
        "new": change.new,
    }


def _creation(account: Account, identity: str, new: str) -> dict[str, Any]:
    names = {"platform": account.platform, "account": account.id, "object_id": identity}
    return {**names, "field": "created", "old": None, "new": new}


def _daily_budgets(ad_set: AdObject, campaign: AdObject) -> tuple[float, ...]:
    return tuple((o.daily_budget or 0) + (o.lifetime_budget or 0) / 30 for o in (ad_set, campaign))


def _agreed(config: Config, entries: list[dict[str, Any]]) -> Config:
    """The config to live by: what the state file was made with, if there is one and nothing contradicts."""
    if not entries:
        return config
    kept = entries[0]
    if kept["kind"] != "config":
        raise StateError("the state file does not start with its configuration")
    kept = {"accounts": 1} | kept
    for name in ("seed", "days", "tenants", "ad_sets", "accounts"):
        if kept[name] != getattr(config, name):
            flag = name.replace("_", "-")
            raise StateError(f"the state file was made with --{flag} {kept[name]}, not {getattr(config, name)}")
    start = datetime.fromisoformat(kept["start"])
    if config.start not in (None, start):
        raise StateError(f"the state file was made with --start {kept['start']}")
    return replace(config, start=start)


def _start(config: Config) -> datetime:
    if config.start is not None:
        return config.start.astimezone(UTC)
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

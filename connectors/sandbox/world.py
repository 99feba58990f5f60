"""The world that the faces show: tenants, their ad trees and shops, the clock, the ledger.

Every change of a tree goes through `World.write`, which journals and books it. Callers hold `World.lock`.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from connectors.sandbox import tenants
from connectors.sandbox.journal import Journal, StateError
from connectors.sandbox.market import HOUR, Market, Purchases, discounted
from connectors.sandbox.orders import Line, Order, arrival, fate
from connectors.sandbox.tenants import OFF, ON, Account, AdObject, Shop

MAX_ADVANCE_HOURS = 24 * 400


@dataclass(frozen=True)
class Config:
    """What a world is built from. `start` is the first `now`; `days` of history lie before it.

    `clock` is market seconds per wall second, 0 for a clock that is only moved by hand.
    """

    seed: int = 7
    start: datetime | None = None
    days: int = 120
    tenants: int = 2
    ad_sets: int = 6
    clock: float = 0.0


@dataclass(frozen=True)
class Change:
    """One field of one object: `old` and `new` as the platform holds them, `value` as the world does."""

    target: AdObject
    field: str
    attribute: str
    old: Any
    new: Any
    value: int | str | None


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
        created = datetime.fromtimestamp(first * HOUR, UTC)
        pairs = [tenants.accounts(config.seed, tenant, created) for tenant in range(config.tenants)]
        self.accounts = {account.id: account for pair in pairs for account in pair}
        self.objects: dict[str, AdObject] = {}
        self.children: dict[str, list[AdObject]] = defaultdict(list)
        self.columns: list[AdObject] = []
        self.orders: list[list[Order]] = [[] for _ in self.shops]
        self.customers: list[list[int]] = [[] for _ in self.shops]  # orders so far, by customer
        self._pending: dict[int, list[tuple[int, int, Purchases, int]]] = defaultdict(list)
        self._plant()
        parameters = tenants.parameters(config.seed, config.tenants, config.ad_sets)
        self.market = Market(parameters, first)
        self.now = created
        self._wall = time.monotonic()
        self._live_before_start()
        self._replay(entries)

    def close(self) -> None:
        self.journal.close()

    def zone(self, account: Account) -> ZoneInfo:
        return ZoneInfo(account.zone)

    def account_objects(self, account_id: str, kind: str) -> list[AdObject]:
        return [o for o in self.objects.values() if o.account == account_id and o.kind == kind]

    def is_on(self, thing: AdObject) -> bool:
        return thing.status == ON[thing.platform]

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
        self._run_to(moment)

    def write(self, change: Change, actor: str) -> None:
        """Book a write that the platform accepts, and let it take effect now."""
        effect: dict[str, Any] = {"attribute": change.attribute, "value": change.value}
        self._book(_names(change), {"result": "applied", "code": "", "actor": actor}, effect)

    def refuse(self, change: Change, code: str, actor: str = "api") -> None:
        """Book a write that was received and not applied."""
        self._book(_names(change), {"result": "refused", "code": code, "actor": actor}, {})

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

    def deliver(self) -> None:
        """Tell the market which ad sets may deliver, and on what daily budget (currency units)."""
        budgets, active = np.zeros(len(self.columns)), np.zeros(len(self.columns), dtype=bool)
        for ad_set in self.columns:
            campaign = self.objects[ad_set.parent]
            on = self.is_on(campaign) and self.is_on(ad_set)
            active[ad_set.column] = on and any(self.is_on(ad) for ad in self.children[ad_set.id])
            budgets[ad_set.column] = self._daily_budget(ad_set, campaign) / 1e6
        elapsed = self.now.timestamp() / HOUR - self.market.hour
        self.market.set_delivery(budgets, active, min(max(elapsed, 0.0), 1.0))

    def _daily_budget(self, ad_set: AdObject, campaign: AdObject) -> float:
        own = ad_set.daily_budget or (ad_set.lifetime_budget or 0) / 30
        pooled = campaign.daily_budget or (campaign.lifetime_budget or 0) / 30
        if own or not pooled:
            return own
        sharing = [o for o in self.children[campaign.id] if self.is_on(o)]
        return pooled / max(len(sharing), 1)

    def _plant(self) -> None:
        for number, account in enumerate(self.accounts.values()):
            for thing in tenants.ad_tree(account, self.config.ad_sets, number * self.config.ad_sets):
                self.objects[thing.id] = thing
                self.children[thing.parent].append(thing)
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
            self._take_in(self.market.step())
            self.now = datetime.fromtimestamp(self.market.hour * HOUR, UTC)
            self._schedule()
        self.now = moment

    def _schedule(self) -> None:
        """At an account's local midnight its scheduled budgets take effect."""
        due = [ad_set for ad_set in self.columns if ad_set.scheduled_budget]
        due = [o for o in due if self.now.astimezone(self.zone(self.accounts[o.account])).hour == 0]
        for ad_set in due:
            ad_set.daily_budget, ad_set.scheduled_budget = ad_set.scheduled_budget, None
            ad_set.updated = self.now
        if due:
            self.deliver()

    def _take_in(self, bought: Purchases) -> None:
        for k, (created, source) in enumerate(zip(bought.created.tolist(), bought.source.tolist(), strict=True)):
            self._pending[created // HOUR].append((created, source, bought, k))
        for created, _, purchases, k in sorted(
            self._pending.pop(self.market.hour, []), key=lambda due: (due[0], due[1], due[2].hour[0], due[3])
        ):
            self._place(created, purchases, k)

    def _place(self, created: int, bought: Purchases, k: int) -> None:
        tenant, source, luck = int(bought.tenant[k]), int(bought.source[k]), bought.luck[k].tolist()
        shop = self.shops[tenant]
        number = 1001 + len(self.orders[tenant])
        identity = (tenant + 1) * 10**9 + number
        ad_set = self.columns[source] if source < len(self.columns) else None
        quantum = int(self.market.parameters.quantum_micros[tenant])
        lines = _lines(shop, bought, k, quantum)
        outcome = fate(identity, created, lines, ad_set is None, luck)
        ads = self.children[ad_set.id] if ad_set else []
        page, utm, source_name, referrer = arrival(shop.domain, ad_set, ads, number, luck)
        customer, index = self._customer(tenant, luck[1], ad_set is None, outcome.is_test)
        self.orders[tenant].append(
            Order(
                identity,
                created,
                lines,
                sum(line.total for line in lines),
                customer,
                index,
                page,
                utm,
                source_name,
                referrer,
                created + int(HOUR * (0.5 + luck[4])),
                outcome.is_test,
                created + int((4 + 40 * luck[5]) * HOUR),
                outcome.cancelled_at,
                outcome.paid,
                outcome.refunds,
            )
        )

    def _customer(self, tenant: int, chance: float, organic: bool, is_test: bool) -> tuple[int | None, int | None]:
        """An earlier customer comes back, a new one arrives, or a guest buys (no customer, no index)."""
        known = self.customers[tenant]
        returning = 0.5 if organic else 0.25
        if chance > 0.93 or is_test:
            return None, None
        if chance < returning and known:
            customer = int(chance / returning * len(known))
        else:
            known.append(0)
            customer = len(known) - 1
        known[customer] += 1
        return customer, known[customer]

    def _book(self, names: dict[str, Any], outcome: dict[str, str], effect: dict[str, Any]) -> None:
        times = {"wall_time": datetime.now(UTC).isoformat(), "market_time": self.now.isoformat()}
        row = {"seq": len(self.ledger) + 1, **times, **names, **outcome}
        self.journal.append({"kind": "write", "row": row, **effect})
        self._apply(row, effect)

    def _apply(self, row: dict[str, Any], effect: dict[str, Any]) -> None:
        self.ledger.append(row)
        if effect:
            target = self.objects[row["object_id"]]
            setattr(target, effect["attribute"], effect["value"])
            target.updated = self.now
            self.deliver()

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
                effect: dict[str, Any] = {key: entry[key] for key in ("attribute", "value") if key in entry}
                self._apply(entry["row"], effect)


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


def _agreed(config: Config, entries: list[dict[str, Any]]) -> Config:
    """The config to live by: what the state file was made with, if there is one and nothing contradicts."""
    if not entries:
        return config
    kept = entries[0]
    if kept["kind"] != "config":
        raise StateError("the state file does not start with its configuration")
    for name in ("seed", "days", "tenants", "ad_sets"):
        if kept[name] != getattr(config, name):
            flag = name.replace("_", "-")
            raise StateError(f"the state file was made with --{flag} {kept[name]}, not {getattr(config, name)}")
    start = datetime.fromisoformat(kept["start"])
    if config.start not in (None, start):
        raise StateError(f"the state file was made with --start {kept['start']}")
    return Config(config.seed, start, config.days, config.tenants, config.ad_sets, config.clock)


def _start(config: Config) -> datetime:
    if config.start is not None:
        return config.start.astimezone(UTC)
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _lines(shop: Shop, bought: Purchases, k: int, quantum: int) -> tuple[Line, ...]:
    lines = []
    for product, quantity in zip(bought.products[k].tolist(), bought.quantities[k].tolist(), strict=True):
        if quantity:
            full = np.array(shop.prices[product] // quantum * quantity)
            total = int(discounted(full, bought.discount[k])) * quantum
            lines.append(Line(product, quantity, shop.prices[product], total))
    return tuple(lines)

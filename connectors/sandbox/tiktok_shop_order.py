"""An order of a TikTok Shop: written once when it happens, its state at any later time derived from its steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.sandbox.market import HOUR
from connectors.sandbox.orders import DAY
from connectors.sandbox.tiktok_shop_sellers import Store

LONGEST = 25 * DAY  # from the creation of an order to its last change, that of its return included
REFUNDED = "RETURN_OR_REFUND_REQUEST_COMPLETE"
CREATORS = ("glow.daily", "home.with.mia", "thekitchenbench", "slow.sundays", "nora.unboxes", "deskandden")
CREATOR_CONTENT = (("VIDEO", 0.5), ("LIVE", 0.75), ("SHOP", 0.88), ("LINKSHARE", 0.93), ("PROMOTION_PAGE", 1.0))
SELLER_CONTENT = (("SHOP", 0.6), ("VIDEO", 0.85), ("LIVE", 1.0))
BUYERS = 4000

Steps = tuple[tuple[int, str], ...]  # (epoch seconds, status), in order


class Draws:
    """The luck of one order, used up number by number."""

    def __init__(self, luck: Iterable[float]) -> None:
        self._rest = iter(luck)

    def next(self) -> float:
        return next(self._rest)

    def among(self, shares: tuple[tuple[str, float], ...]) -> str:
        """The first name whose cumulated share lies above the next number."""
        number = self.next()
        return next(name for name, share in shares if number < share)


@dataclass(frozen=True, slots=True)
class Unit:
    """One item: TikTok Shop's lines have no quantity. Money in micros."""

    product: int
    price: int
    seller_discount: int
    platform_discount: int

    @property
    def paid(self) -> int:
        return self.price - self.seller_discount - self.platform_discount

    @property
    def earned(self) -> int:
        """What counts for the seller: the platform makes good its own discounts."""
        return self.price - self.seller_discount


@dataclass(frozen=True, slots=True)
class Return:
    """`units` are places in the order's units."""

    kind: str
    units: tuple[int, ...]
    steps: Steps
    amount: int

    def refunded_at(self) -> int | None:
        return next((at for at, status in self.steps if status == REFUNDED), None)


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """Times in epoch seconds, money in micros. `creator` is "" where none has a part in the sale; `rate` is the
    creator's, in hundredths of a percent."""

    id: str
    store: Store
    created: int
    units: tuple[Unit, ...]
    shipping: int
    steps: Steps
    paid_at: int | None
    cancelled_by: str
    buyer: int
    is_sample: bool
    content: str
    creator: str
    rate: int
    returned: Return | None

    @property
    def sub_total(self) -> int:
        return sum(unit.paid for unit in self.units)

    @property
    def total(self) -> int:
        return self.sub_total + self.shipping

    def status(self, now: int) -> str:
        return next(status for at, status in reversed(self.steps) if at <= now)

    def updated(self, now: int) -> int:
        return next(at for at, _ in reversed(self.steps) if at <= now)

    def at(self, status: str, now: int) -> int | None:
        """When the order came into a status, if it has by now."""
        return next((at for at, name in self.steps if name == status and at <= now), None)

    def is_sale(self, now: int) -> bool:
        """Whether it counts in the shop's statistics: paid for, and no sample. Later cancellations stay in."""
        return self.paid_at is not None and self.paid_at <= now and not self.is_sample

    @property
    def settled_at(self) -> int | None:
        """`None` for an order that never brings the seller money."""
        lost = self.cancelled_by or self.is_sample or not self.kept()
        return None if lost else self.steps[-1][0]

    def kept(self) -> tuple[Unit, ...]:
        """The units that the buyer did not get refunded in the end."""
        gone = self.returned.units if self.returned is not None and self.returned.refunded_at() else ()
        return tuple(unit for place, unit in enumerate(self.units) if place not in gone)


def lived(store: Store, identity: str, created: int, units: tuple[Unit, ...], shipping: int, draws: Draws) -> ShopOrder:
    """The whole life of an order that is placed now."""
    steps, paid_at, cancelled_by = _course(created, draws)
    buyer = 1 + int(draws.next() ** 2 * BUYERS)
    is_sample = draws.next() < 0.02
    creator, content, rate = _promotion(store, draws)
    returned = None
    if steps[-1][1] == "DELIVERED":
        delivered = steps[-1][0]
        returned = _return(units, delivered, draws)
        done = max(delivered + 7 * DAY, returned.steps[-1][0] + HOUR if returned else 0)
        steps = (*steps, (done, "COMPLETED"))
    return ShopOrder(
        identity,
        store,
        created,
        units,
        shipping,
        steps,
        paid_at,
        cancelled_by,
        buyer,
        is_sample,
        content,
        creator,
        rate,
        returned,
    )


def _course(created: int, draws: Draws) -> tuple[Steps, int | None, str]:
    """Up to its delivery or cancellation; when it was paid, and who cancelled it ("" for nobody)."""
    fate, waits, holds, packs, leaves, travels = (draws.next() for _ in range(6))
    if fate < 0.03:
        return ((created, "UNPAID"), (created + 2 * DAY, "CANCELLED")), None, "SYSTEM"
    paid = created + (int(waits * 3 * HOUR) if waits < 0.3 else 0)
    steps: list[tuple[int, str]] = [(created, "UNPAID")] if paid > created else []
    ready = paid
    if holds < 0.15:
        steps.append((paid, "ON_HOLD"))
        ready = paid + HOUR
    steps.append((ready, "AWAITING_SHIPMENT"))
    if fate < 0.08:
        by, hours = ("BUYER", 0.5 + 8 * packs) if fate < 0.07 else ("SELLER", 20 + 20 * packs)
        return (*steps, (ready + int(hours * HOUR), "CANCELLED")), paid, by
    packed = ready + int((3 + 20 * packs) * HOUR)
    gone = packed + int((2 + 16 * leaves) * HOUR)
    arrived = gone + int((1 + 3 * travels) * DAY)
    steps += [(packed, "AWAITING_COLLECTION"), (gone, "IN_TRANSIT"), (arrived, "DELIVERED")]
    return tuple(steps), paid, ""


def _promotion(store: Store, draws: Draws) -> tuple[str, str, int]:
    """The creator behind a sale (about every fourth has one), the content it came from, and the creator's rate."""
    chance, which, rate = draws.next(), draws.next(), 1000 + int(draws.next() * 11) * 100
    if store.promoter:
        return store.promoter, draws.among(CREATOR_CONTENT), rate
    if chance < 0.25:
        return CREATORS[int(which * len(CREATORS))], draws.among(CREATOR_CONTENT), rate
    return "", draws.among(SELLER_CONTENT), 0


def _return(units: tuple[Unit, ...], delivered: int, draws: Draws) -> Return | None:
    """Of what is delivered, seven in a hundred buyers ask for money back, for all of it or for one unit."""
    chance, starts, kind, outcome, some = (draws.next() for _ in range(5))
    if chance > 0.07:
        return None
    asked = delivered + int((0.3 + 2.7 * starts) * DAY)
    places = tuple(range(len(units))) if some < 0.5 else (0,)
    pace = 0.5 + starts
    steps = [(asked, "RETURN_OR_REFUND_REQUEST_PENDING")]
    if outcome < 0.12:
        steps.append((asked + int(18 * pace * HOUR), "REFUND_OR_RETURN_REQUEST_REJECT"))
    elif outcome < 0.2:
        steps.append((asked + int(9 * pace * HOUR), "RETURN_OR_REFUND_REQUEST_CANCEL"))
    elif kind < 0.4:
        steps.append((asked + int(10 * pace * HOUR), "RETURN_OR_REFUND_REQUEST_SUCCESS"))
        steps.append((asked + int(16 * pace * HOUR), REFUNDED))
    else:
        steps.append((asked + int(10 * pace * HOUR), "AWAITING_BUYER_SHIP"))
        steps.append((asked + int(30 * pace * HOUR), "BUYER_SHIPPED_ITEM"))
        steps.append((asked + int(80 * pace * HOUR), REFUNDED))
    amount = sum(units[place].paid for place in places)
    return Return("REFUND" if kind < 0.4 else "RETURN_AND_REFUND", places, tuple(steps), amount)

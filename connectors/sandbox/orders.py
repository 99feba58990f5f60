"""An order of a shop: written once when it happens, its state at any later time derived from its events."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from connectors.sandbox.market import HOUR
from connectors.sandbox.tenants import AdObject

DAY = 24 * HOUR
FACEBOOK, TIKTOK = ("facebook", "fbclid"), ("tiktok", "ttclid")


@dataclass(frozen=True)
class Line:
    product: int
    quantity: int
    unit_price: int  # micros, before discount
    total: int  # micros, after discount


@dataclass(frozen=True)
class Refund:
    number: int
    at: int
    amount: int
    line: int | None  # the one line that came back, None for all
    is_for_removal: bool = False  # the money of what an edit removed: no goods, and nothing more off the total


@dataclass(frozen=True)
class Edit:
    """A change by the shop: a line more, or units of a line fewer. `place` is the line's among all lines."""

    number: int
    at: int
    place: int
    quantity: int  # negative: removed
    amount: int  # micros, negative: removed
    added: Line | None


@dataclass(frozen=True)
class Order:
    """Times in epoch seconds, money in micros. `ready_at` is when Shopify knows the customer's journey."""

    number: int
    created: int
    lines: tuple[Line, ...]
    total: int
    customer: int | None
    customer_index: int | None
    landing_page: str
    utm: dict[str, str] | None
    source: str
    referrer: str | None
    ready_at: int
    is_test: bool
    fulfilled_at: int
    cancelled_at: int | None
    paid: tuple[tuple[int, int], ...]  # (when, how much)
    refunds: tuple[Refund, ...]
    edits: tuple[Edit, ...] = ()

    def changes(self) -> list[int]:
        """Every time at which the order changes. (That its journey becomes ready does not touch it.)"""
        times = [self.created, self.fulfilled_at, *(when for when, _ in self.paid)]
        times += [refund.at for refund in self.refunds] + [edit.at for edit in self.edits]
        return times + ([self.cancelled_at] if self.cancelled_at is not None else [])

    def updated(self, now: int) -> int:
        return max(when for when in self.changes() if when <= now)

    def refunds_by(self, now: int) -> list[Refund]:
        return [refund for refund in self.refunds if refund.at <= now]

    def edits_by(self, now: int) -> list[Edit]:
        return [edit for edit in self.edits if edit.at <= now]

    def lines_by(self, now: int) -> list[Line]:
        """The lines ordered and added; what was removed or came back stays."""
        return [*self.lines, *(edit.added for edit in self.edits_by(now) if edit.added is not None)]

    def total_by(self, now: int) -> int:
        """The total before anything was removed or came back."""
        return self.total + sum(edit.amount for edit in self.edits_by(now) if edit.amount > 0)

    def current_total(self, now: int) -> int:
        """What is left of the total: with edits, less what came back."""
        if self.is_cancelled(now):
            return 0
        returned = sum(refund.amount for refund in self.refunds_by(now) if not refund.is_for_removal)
        return self.total + sum(edit.amount for edit in self.edits_by(now)) - returned

    def paid_by(self, now: int) -> int:
        return sum(amount for when, amount in self.paid if when <= now)

    def owed(self, now: int) -> int:
        """What is still to be paid of the total with its edits."""
        return max(0, self.total + sum(edit.amount for edit in self.edits_by(now)) - self.paid_by(now))

    def refunded_by(self, now: int) -> int:
        return sum(refund.amount for refund in self.refunds_by(now))

    def is_cancelled(self, now: int) -> bool:
        return self.cancelled_at is not None and self.cancelled_at <= now

    def financial_status(self, now: int) -> str:
        paid, refunded = self.paid_by(now), self.refunded_by(now)
        if paid == 0:
            return "VOIDED" if self.is_cancelled(now) else "PENDING"
        if refunded:
            return "REFUNDED" if refunded >= paid else "PARTIALLY_REFUNDED"
        return "PARTIALLY_PAID" if self.owed(now) else "PAID"


@dataclass(frozen=True)
class Fate:
    """What becomes of an order: when it is paid, cancelled, and what comes back."""

    cancelled_at: int | None
    paid: tuple[tuple[int, int], ...]
    refunds: tuple[Refund, ...]
    is_test: bool


def fate(number: int, created: int, lines: tuple[Line, ...], organic: bool, luck: list[float]) -> Fate:
    total = sum(line.total for line in lines)
    chance, later = luck[2], luck[3]
    paid: tuple[tuple[int, int], ...] = ((created, total),)
    refund_at = created + int((1 + 19 * later) * DAY)
    if chance < 0.02:
        at = created + int((0.5 + 8 * later) * HOUR)
        return Fate(at, paid, (Refund(number * 10, at, total, None),), False)
    if chance < 0.03:
        return Fate(created + int((1 + 20 * later) * HOUR), (), (), False)
    if chance < 0.09:
        return Fate(None, paid, (Refund(number * 10, refund_at, total, None),), False)
    if chance < 0.13:
        return Fate(None, paid, (Refund(number * 10, refund_at, lines[0].total, 0),), False)
    if chance < 0.15:
        return Fate(None, ((created + int((1 + 30 * later) * HOUR), total),), (), False)
    if chance < 0.16:
        half = total // 2 // 1_000_000 * 1_000_000
        return Fate(None, ((created, half),) if half else paid, (), False)
    return Fate(None, paid, (), organic and chance < 0.18)


def edited(order: Order, prices: tuple[int, ...], quantum: int) -> Order:
    """One in 24 of the plainly paid orders, edited by the shop before it is sent: something more, paid at once, or
    something less, with the money back a day or two later. By the order's number alone."""
    chance = int.from_bytes(hashlib.sha256(f"edit {order.number}".encode()).digest()[:8])
    if chance % 24 or order.paid != ((order.created, order.total),) or order.refunds or order.is_test:
        return order
    at = order.created + (order.fulfilled_at - order.created) * (1 + chance // 24 % 7) // 8
    last = order.lines[-1]
    gone = last.total if len(order.lines) > 1 else last.total // quantum // last.quantity * quantum
    if chance // 24 % 4 and 0 < gone < order.total:
        units = last.quantity if len(order.lines) > 1 else 1
        edit = Edit(order.number * 10, at, len(order.lines) - 1, -units, -gone, None)
        money_back = Refund(order.number * 10, at + (24 + chance // 48 % 24) * HOUR, gone, None, True)
        return replace(order, edits=(edit,), refunds=(money_back,))
    product = chance // 48 % len(prices)
    more = Line(product, 1, prices[product], prices[product])
    edit = Edit(order.number * 10, at, len(order.lines), 1, more.total, more)
    return replace(order, edits=(edit,), paid=(*order.paid, (at, more.total)))


def arrival(
    domain: str, ad_set: AdObject | None, ads: list[AdObject], number: int, luck: list[float]
) -> tuple[str, dict[str, str] | None, str, str | None]:
    """Landing page, UTM parameters, source and referrer: some arrive tagged, some with a click id alone."""
    home = f"https://{domain}/"
    if ad_set is None:
        return _unpaid_arrival(home, luck[0])
    source, click_name = FACEBOOK if ad_set.platform == "meta" else TIKTOK
    ad = ads[int(luck[4] * len(ads))]
    utm = {
        "utm_source": source,
        "utm_medium": "paid",
        "utm_campaign": ad_set.parent,
        "utm_content": ad.id,
        "utm_term": ad_set.id,
    }
    click = {click_name: click_id(ad_set.platform, ad.id, number)}
    tagged, clicked = luck[0] < 0.7 or 0.8 <= luck[0] < 0.9, luck[0] < 0.8
    shown = (utm if tagged else {}) | (click if clicked else {})
    query = "&".join(f"{name}={text}" for name, text in shown.items())  # nothing here needs quoting
    page = f"{home}products/offer" + (f"?{query}" if query else "")
    host = "l.facebook.com" if ad_set.platform == "meta" else "www.tiktok.com"
    referrer = f"https://{host}/" if query else None
    return page, (utm if tagged else None), source if query else "direct", referrer


def _unpaid_arrival(home: str, chance: float) -> tuple[str, dict[str, str] | None, str, str | None]:
    if chance < 0.35:
        return home, None, "Google", "https://www.google.com/"
    if chance < 0.5:
        utm = {"utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "weekly"}
        return f"{home}?{urlencode(utm)}", utm, "newsletter", None
    return home, None, "direct", None


def click_id(platform: str, ad_id: str, number: int) -> str:
    """An opaque click id that still names its ad, for whoever asks the sandbox."""
    check = hashlib.sha256(f"{ad_id}/{number}".encode()).hexdigest()[:12]
    prefix = "IwAR" if platform == "meta" else "E.C.P."
    return f"{prefix}{ad_id}.{number}.{check}"

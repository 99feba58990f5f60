"""An order's ledger: what was sold when it was made, what edits added or removed, what came back.

The money of what an edit removed follows as a refund of its own; its agreement has no sales, because the goods left
the ledger with the edit. So the sales of all agreements add up to the current total.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.sandbox.orders import Edit, Line, Order, Refund


class Sold(NamedTuple):
    """Units of a line, negative when they leave the order; micros likewise."""

    place: int
    quantity: int
    amount: int
    discount: int = 0


class Agreement(NamedTuple):
    kind: str
    reason: str
    number: int
    at: int
    sold: list[Sold]
    refund: Refund | None = None


def ledger(order: Order, now: int) -> list[Agreement]:
    """By their times. Cancelling an order that nobody paid for leaves no agreement."""
    found = [_ordered(order), *map(_edited, order.edits_by(now))]
    found += [_refunded(order, refund) for refund in order.refunds_by(now)]
    return sorted(found, key=lambda agreement: agreement.at)


def returned_places(order: Order, refund: Refund) -> list[int]:
    """The lines that came back, by their places."""
    if refund.is_for_removal:
        return []
    return list(range(len(order.lines))) if refund.line is None else [refund.line]


def _ordered(order: Order) -> Agreement:
    sold = [_whole(place, line) for place, line in enumerate(order.lines)]
    return Agreement("OrderAgreement", "ORDER", order.number * 100, order.created, sold)


def _edited(edit: Edit) -> Agreement:
    sold = [Sold(edit.place, edit.quantity, edit.amount)]
    return Agreement("OrderEditAgreement", "ORDER_EDIT", edit.number * 10 + 1, edit.at, sold)


def _refunded(order: Order, refund: Refund) -> Agreement:
    wholes = [_whole(place, order.lines[place]) for place in returned_places(order, refund)]
    sold = [Sold(whole.place, -whole.quantity, -whole.amount, -whole.discount) for whole in wholes]
    return Agreement("RefundAgreement", "REFUND", refund.number * 10 + 2, refund.at, sold, refund)


def _whole(place: int, line: Line) -> Sold:
    return Sold(place, line.quantity, line.total, line.unit_price * line.quantity - line.total)

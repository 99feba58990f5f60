"""Edited orders: edits and refunds as the sales agreements tell them, so that nothing is counted twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import MalformedReplyError
from connectors.fields import Row
from connectors.shopify import parse
from connectors.store_contracts import EditRecord, RefundRecord
from tests.connectors.shopify import answers
from tests.connectors.shopify.answers import agreement, money

REASONS = ("ORDER_EDIT", "REFUND", "RETURN", "UNKNOWN")
cents = st.integers(-100_000, 100_000)


def text(amount: int) -> str:
    """Cents as Shopify writes them."""
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02}"


def changes(*found: dict[str, Any]) -> tuple[tuple[RefundRecord, ...], tuple[EditRecord, ...]]:
    return parse.changes([(one, one["sales"]["nodes"]) for one in found])


def refunded(number: int, *amounts: str, of: int = 1) -> dict[str, Any]:
    return agreement(number, "REFUND", *amounts, refund={"id": f"gid://shopify/Refund/{of}"})


def returned(number: int, *amounts: str, of: int = 1) -> dict[str, Any]:
    return agreement(number, "RETURN", *amounts) | {"return": {"id": f"gid://shopify/Return/{of}"}}


@given(
    original=st.lists(st.integers(0, 100_000), min_size=1, max_size=4),
    later=st.lists(st.tuples(st.sampled_from(REASONS), st.integers(1, 3), st.lists(cents, max_size=4)), max_size=8),
)
def test_original_plus_edits_less_refunds_is_the_current_total(
    original: list[int], later: list[tuple[str, int, list[int]]]
) -> None:
    made = {"REFUND": refunded, "RETURN": returned}
    agreements = [agreement(0, "ORDER", *map(text, original))]
    for number, (reason, of, amounts) in enumerate(later, 1):
        texts = list(map(text, amounts))
        if reason in made:
            agreements.append(made[reason](number, *texts, of=of))
        else:
            agreements.append(agreement(number, reason, *texts))
    refunds, edits = changes(*agreements)
    booked = sum(one.amount_micros for one in edits) - sum(one.amount_micros for one in refunds)
    current = sum(original) + sum(sum(amounts) for _, _, amounts in later)
    assert sum(original) * 10_000 + booked == current * 10_000
    assert all(one.amount_micros > 0 for one in refunds)
    assert all(one.amount_micros for one in edits)
    ids = [one.external_id for one in refunds]
    assert len(set(ids)) == len(ids)


def test_an_item_that_was_removed_and_then_paid_back_is_counted_once() -> None:
    """The edit takes 20.00 off the total; the refund of it moves money only and books nothing."""
    refunds, edits = changes(
        agreement(0, "ORDER", "50.00", "5.00"),
        agreement(1, "ORDER_EDIT", "-20.00"),
        refunded(2),
        refunded(3, "-10.00", "-1.00", of=2),
    )
    assert [(one.external_id, one.amount_micros, one.edited_at.hour) for one in edits] == [
        ("gid://a/1", -20_000_000, 11)
    ]
    assert [(one.external_id, one.amount_micros, one.processed_at.hour) for one in refunds] == [
        ("gid://shopify/Refund/2", 11_000_000, 13)
    ]


def test_an_edit_that_adds_and_removes_is_one_record_of_the_difference() -> None:
    _, edits = changes(agreement(1, "ORDER_EDIT", "30.00", "-12.50"))
    assert [one.amount_micros for one in edits] == [17_500_000]


def test_a_second_agreement_on_the_same_return_keeps_its_own_date_and_id() -> None:
    refunds, _ = changes(returned(1, "-5.00"), returned(2, "-3.00"))
    assert [(one.external_id, one.amount_micros, one.processed_at.hour) for one in refunds] == [
        ("gid://shopify/Return/1", 5_000_000, 11),
        ("gid://a/2", 3_000_000, 12),
    ]


def test_an_exchange_for_something_dearer_adds_revenue() -> None:
    refunds, edits = changes(returned(1, "-5.00", "9.00"))
    assert refunds == ()
    assert [one.amount_micros for one in edits] == [4_000_000]


@pytest.mark.parametrize("amount", ["--1.00", "-", "", "1,00", "-1e3", None, 1.5, "NaN"])
def test_an_amount_that_is_none_is_refused(amount: Any) -> None:
    broken = agreement(1, "ORDER_EDIT")
    broken["sales"]["nodes"] = [{"totalAmount": money(amount)}]
    with pytest.raises(MalformedReplyError):
        changes(broken)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
FIELDS = ("id", "happenedAt", "reason", "refund", "return")


@given(source=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json)), sale=json)
def test_agreements_of_any_shape_are_read_or_refused(source: dict[str, Any], sale: Any) -> None:
    sales: list[Row] = [sale] if isinstance(sale, dict) else []
    try:
        parse.changes([(source, sales)])
    except MalformedReplyError:
        return


ORDER = dict.fromkeys(("id", "updatedAt", "customerJourneySummary", "originalTotalPriceSet", "test"), json)
LINE = dict.fromkeys(("id", "title", "quantity", "product", "originalUnitPriceSet", "discountAllocations"), json)


@given(source=st.fixed_dictionaries({}, optional=ORDER), line=st.fixed_dictionaries({}, optional=LINE))
def test_orders_and_lines_of_any_shape_are_read_or_refused(source: dict[str, Any], line: dict[str, Any]) -> None:
    sold: list[Row] = [answers.line(1) | line]
    for found, lines in ((answers.node(**source), []), (answers.node(), sold)):
        try:
            parse.order(found, lines, ())
        except MalformedReplyError:
            continue


VARIANT = dict.fromkeys(("id", "title", "sku", "price", "inventoryItem"), json)


@given(variant=st.fixed_dictionaries({}, optional=VARIANT))
def test_variants_of_any_shape_are_read_or_refused(variant: dict[str, Any]) -> None:
    at = "2026-11-20T10:00:00Z"
    source = {"id": "gid://p/1", "title": "T", "status": "ACTIVE", "createdAt": at, "updatedAt": at}
    try:
        parse.product(source, [{"id": "gid://v/1"} | variant], "USD")
    except MalformedReplyError:
        return

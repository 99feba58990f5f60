"""Conditions: three-valued, strict about what they are made of, and clear about where they are wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.hours import HOUR
from metrics.windows import WindowValues
from rules.conditions import MAX_DEPTH, MAX_NODES, ConditionError, Reading, parse, windows_of

AS_OF = datetime(2026, 11, 20, 16, tzinfo=UTC)
ROAS = {"metric": "roas", "window": "last_24h", "is": ">=", "value": "2.5"}
# Leaves whose truth is known beforehand, on the window below: spend 10, no orders.
LEAF = {
    True: {"metric": "spend", "window": "today", "is": ">", "value": "1"},
    False: {"metric": "spend", "window": "today", "is": "<", "value": "1"},
    None: {"metric": "cpa", "window": "today", "is": "<", "value": "1"},
}


def window(token: str = "today", problem: str = "", **figures: int) -> WindowValues:
    values = {"spend_micros": 10_000_000, "revenue_micros": 25_000_000, "orders": 0} | figures
    return WindowValues(token, AS_OF - HOUR, AS_OF, Decimal(1), problem=problem, **values)


def judge(data: Any, **windows: WindowValues) -> tuple[bool | None, list[Reading]]:
    readings: list[Reading] = []
    return parse(data).evaluate({"today": window()} | windows, readings), readings


def truth(data: Any, **windows: WindowValues) -> bool | None:
    return judge(data, **windows)[0]


trees = st.recursive(
    st.sampled_from([True, False, None]),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=4)),
    ),
    max_leaves=12,
)


def depth(tree: Any) -> int:
    if not isinstance(tree, tuple):
        return 1
    return 1 + (depth(tree[1]) if tree[0] == "not" else max(map(depth, tree[1])))


def data_of(tree: Any) -> Any:
    if not isinstance(tree, tuple):
        return LEAF[tree]
    name, inner = tree
    return {name: data_of(inner) if name == "not" else [data_of(part) for part in inner]}


def kleene(tree: Any) -> bool | None:
    """Kleene's tables, with unknown as ½ between false and true."""

    def level(node: Any) -> int:
        if not isinstance(node, tuple):
            return {False: 0, None: 1, True: 2}[node]
        name, inner = node
        return 2 - level(inner) if name == "not" else (min if name == "all" else max)(map(level, inner))

    return (False, None, True)[level(tree)]


@given(trees.filter(lambda tree: depth(tree) <= MAX_DEPTH))
def test_and_or_not_follow_kleene(tree: Any) -> None:
    assert truth(data_of(tree)) is kleene(tree)


@given(trees.filter(lambda tree: depth(tree) <= MAX_DEPTH - 1))
def test_unknown_is_never_made_true_by_more_knowledge_the_other_way(tree: Any) -> None:
    """A definite answer stands whatever the unknown leaves turn out to be."""
    answer = kleene(tree)

    def settled(node: Any, value: bool) -> Any:
        if not isinstance(node, tuple):
            return value if node is None else node
        return node[0], settled(node[1], value) if node[0] == "not" else [settled(part, value) for part in node[1]]

    if answer is not None:
        assert {truth(data_of(settled(tree, value))) for value in (True, False)} == {answer}


@pytest.mark.parametrize(
    ("operator", "results"),
    [
        ("<", (True, False, False)),
        ("<=", (True, True, False)),
        (">", (False, False, True)),
        (">=", (False, True, True)),
    ],
)
def test_each_operator_on_below_at_and_above(operator: str, results: tuple[bool, ...]) -> None:
    data = LEAF[True] | {"is": operator, "value": "10"}
    assert tuple(truth(data, today=window(spend_micros=m)) for m in (9_999_999, 10_000_000, 10_000_001)) == results


def test_decimals_are_compared_exactly() -> None:
    data = {"metric": "roas", "window": "today", "is": ">=", "value": "0.3"}
    assert truth(data, today=window(spend_micros=1_000_000, revenue_micros=300_000)) is True
    assert truth(data, today=window(spend_micros=3_000_000, revenue_micros=899_999)) is False


def test_too_little_data_is_unknown_and_says_so() -> None:
    data = {"metric": "roas", "window": "today", "is": ">", "value": "1", "minimum": {"spend": "10", "orders": "5"}}
    result, readings = judge(data)
    assert result is None
    assert readings[0].cause == "too little data: orders is 0, needs 5"
    assert truth(data, today=window(orders=5)) is True
    assert truth(data, today=window(orders=5, spend_micros=9_999_999)) is None


def test_an_unknown_minimum_is_too_little() -> None:
    data = LEAF[True] | {"minimum": {"conversions": "0"}}
    result, readings = judge(data)
    assert (result, readings[0].cause) == (None, "too little data: conversions is unknown, needs 0")


def test_an_undefined_ratio_and_a_window_with_a_gap_are_unknown_with_their_cause() -> None:
    assert [reading.cause for reading in judge(LEAF[None])[1]] == ["cpa is undefined here"]
    result, readings = judge(LEAF[True], today=window(problem="a gap"))
    assert (result, readings[0].cause, readings[0].value) == (None, "a gap", None)


def test_every_comparison_is_read_even_where_the_answer_is_settled() -> None:
    readings = judge({"any": [LEAF[True], {"not": LEAF[False]}, LEAF[None]]})[1]
    assert [reading.result for reading in readings] == [True, False, None]
    first = readings[0]
    assert (first.metric, first.window, first.operator, first.threshold, first.value) == (
        "spend",
        "today",
        ">",
        "1",
        "10",
    )


def test_the_windows_of_a_condition_are_those_it_reads() -> None:
    tree = parse({"any": [ROAS, {"not": LEAF[True]}, {"all": [LEAF[None], ROAS | {"window": "last_3d"}]}]})
    assert windows_of(tree) == {"last_24h", "today", "last_3d"}


def nested(levels: int) -> Any:
    return LEAF[True] if levels == 1 else {"not": nested(levels - 1)}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "condition: expected an object"),
        ([], "condition: expected an object"),
        ("roas > 2", "condition: expected an object"),
        ({}, "condition: expected exactly one of"),
        ({"all": [LEAF[True]], "any": [LEAF[True]]}, "condition: expected exactly one of"),
        ({"xor": []}, "condition: expected exactly one of"),
        ({"all": []}, "condition.all: expected a list"),
        ({"any": {}}, "condition.any: expected a list"),
        ({"all": [LEAF[True], 7]}, r"condition.all\[1\]: expected an object"),
        ({"not": []}, "condition.not: expected an object"),
        ({"any": [LEAF[True], {"not": ROAS | {"is": "=="}}]}, r"condition.any\[1\].not.is: expected one of <"),
        (ROAS | {"metric": "profits"}, "condition.metric: expected one of spend"),
        (ROAS | {"metric": ["roas"]}, "condition.metric: expected one of"),
        (ROAS | {"window": "last_99d"}, "condition.window: expected today"),
        (ROAS | {"window": None}, "condition.window: expected today"),
        (ROAS | {"all": []}, "condition: unknown key 'all'"),
        (ROAS | {"evil": 1}, "condition: unknown key 'evil'"),
        ({"metric": "roas"}, "condition.window: expected"),
        (ROAS | {"minimum": []}, "condition.minimum: expected an object"),
        (ROAS | {"minimum": {"x": "1"}}, "condition.minimum: expected one of"),
        (ROAS | {"minimum": {"spend": "lots"}}, "condition.minimum.spend: expected a number"),
        (nested(MAX_DEPTH + 1), "expected at most 8 levels"),
        (nested(500), "expected at most 8 levels"),
        ({"all": [LEAF[True]] * MAX_NODES}, "at most 8 levels and 64 nodes"),
    ],
)
def test_a_mistake_is_named_with_its_path(data: Any, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        parse(data)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "2.5 ",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "1e3",
        "1_000",
        "２",
        "1,5",
        "0x1",
        "9" * 13,
        "9" * 5000,
        "1.1234567",
        "--1",
        "+1",
        2.5,
        True,
        None,
        [],
        {},
        10**12,
        -(10**12),
        10**400,
    ],
)
def test_only_plain_numbers_are_thresholds(value: Any) -> None:
    with pytest.raises(ConditionError, match=r"condition.value: expected a number as text") as caught:
        parse(ROAS | {"value": value})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", ["2.5", "-3", "0", "0.000001", 7, -7, "999999999999"])
def test_plain_numbers_are_kept_exactly(value: Any) -> None:
    assert parse(ROAS | {"value": value}).threshold == Decimal(value)  # type: ignore[union-attr]


def test_the_largest_allowed_tree_is_read() -> None:
    parse(nested(MAX_DEPTH))
    parse({"all": [LEAF[True]] * (MAX_NODES - 1)})

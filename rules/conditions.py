"""Conditions: data, parsed into a tree, evaluated to true, false or unknown.

    {"all": [node, …]}  {"any": [node, …]}  {"not": node}
    {"metric": "roas", "window": "last_24h", "is": ">=", "value": "2.5"}

A comparison may carry `"minimum": {"spend": "50"}`: below it the window has too little data and the
result is unknown. Values are decimals as text. `and`, `or`, `not` follow Kleene: unknown only where the
answer depends on it. Only true ever acts.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from metrics.windows import METRICS, WindowError, WindowValues, check_window

OPERATORS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MAX_DEPTH = 8
MAX_NODES = 64
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")


class ConditionError(ValueError):
    """The condition is not one; the message names the path and what was expected."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One comparison as it was evaluated: what explains the result later."""

    metric: str
    window: str
    operator: str
    threshold: str
    value: str | None
    result: bool | None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    metric: str
    window: str
    operator: str
    threshold: Decimal
    minimum: tuple[tuple[str, Decimal], ...] = ()

    def evaluate(self, windows: Mapping[str, WindowValues], readings: list[Reading]) -> bool | None:
        values = windows[self.window]
        value = values.get(self.metric)
        cause = values.problem
        for metric, least in self.minimum:
            had = values.get(metric)
            if not cause and (had is None or had < least):
                cause = f"too little data: {metric} is {'unknown' if had is None else had}, needs {least}"
        if not cause and value is None:
            cause = f"{self.metric} is undefined here"
        result = None if cause or value is None else OPERATORS[self.operator](value, self.threshold)
        readings.append(
            Reading(
                self.metric,
                self.window,
                self.operator,
                str(self.threshold),
                None if value is None else str(value),
                result,
                cause,
            )
        )
        return result


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Node, ...]

    def evaluate(self, windows: Mapping[str, WindowValues], readings: list[Reading]) -> bool | None:
        results = [part.evaluate(windows, readings) for part in self.parts]
        return False if False in results else None if None in results else True


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Node, ...]

    def evaluate(self, windows: Mapping[str, WindowValues], readings: list[Reading]) -> bool | None:
        results = [part.evaluate(windows, readings) for part in self.parts]
        return True if True in results else None if None in results else False


@dataclass(frozen=True, slots=True)
class Not:
    part: Node

    def evaluate(self, windows: Mapping[str, WindowValues], readings: list[Reading]) -> bool | None:
        result = self.part.evaluate(windows, readings)
        return None if result is None else not result


Node = Comparison | All | AnyOf | Not


def parse(data: Any) -> Node:
    """The tree of a condition. Raises `ConditionError`."""
    budget = [MAX_NODES]
    return _parse(data, "condition", 1, budget)


def windows_of(node: Node) -> set[str]:
    match node:
        case Comparison():
            return {node.window}
        case Not():
            return windows_of(node.part)
        case All() | AnyOf():
            return set().union(*(windows_of(part) for part in node.parts))


def _parse(data: Any, path: str, depth: int, budget: list[int]) -> Node:
    budget[0] -= 1
    if depth > MAX_DEPTH or budget[0] < 0:
        raise ConditionError(f"{path}: expected at most {MAX_DEPTH} levels and {MAX_NODES} nodes")
    if not isinstance(data, dict):
        raise ConditionError(f"{path}: expected an object with all, any, not or metric")
    if "metric" in data:
        return _comparison(data, path)
    if len(data) == 1 and "not" in data:
        return Not(_parse(data["not"], f"{path}.not", depth + 1, budget))
    for name, kind in (("all", All), ("any", AnyOf)):
        if len(data) == 1 and name in data:
            parts = data[name]
            if not isinstance(parts, list) or not parts:
                raise ConditionError(f"{path}.{name}: expected a list with at least one condition")
            return kind(tuple(_parse(part, f"{path}.{name}[{i}]", depth + 1, budget) for i, part in enumerate(parts)))
    raise ConditionError(f"{path}: expected exactly one of all, any, not, or a comparison with metric")


def _comparison(data: dict[str, Any], path: str) -> Comparison:
    unknown = set(data) - {"metric", "window", "is", "value", "minimum"}
    if unknown:
        raise ConditionError(f"{path}: unknown key {sorted(unknown)[0]!r}")
    minimum = data.get("minimum", {})
    if not isinstance(minimum, dict):
        raise ConditionError(f"{path}.minimum: expected an object of metric to number")
    return Comparison(
        metric=_one_of(data.get("metric"), METRICS, f"{path}.metric"),
        window=_window(data.get("window"), f"{path}.window"),
        operator=_one_of(data.get("is"), OPERATORS, f"{path}.is"),
        threshold=_number(data.get("value"), f"{path}.value"),
        minimum=tuple(
            (_one_of(name, METRICS, f"{path}.minimum"), _number(least, f"{path}.minimum.{name}"))
            for name, least in sorted(minimum.items())
        ),
    )


def _one_of(value: Any, known: Mapping[str, Any], path: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise ConditionError(f"{path}: expected one of {', '.join(known)}; got {str(value)[:40]!r}")
    return value


def _window(value: Any, path: str) -> str:
    try:
        return check_window(str(value))
    except WindowError as error:
        raise ConditionError(f"{path}: {error}") from error


def _number(value: Any, path: str) -> Decimal:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if type(value) is int and abs(value) < 10**12:
        return Decimal(value)
    raise ConditionError(f'{path}: expected a number as text such as "2.5", got {str(value)[:40]!r}')

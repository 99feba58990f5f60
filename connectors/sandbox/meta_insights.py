"""Meta's insights: figures per object and day, or per hour of the account's wall clock.

An hourly breakdown drops what pixels report (purchases and their values); hours without delivery are absent.
Sources: marketing-api insights, its breakdowns and best practices.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from connectors.sandbox import reports
from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.meta_actions import action_fields, ratio, windows_of
from connectors.sandbox.meta_errors import MetaError
from connectors.sandbox.meta_fields import kind_of, value
from connectors.sandbox.meta_lists import compare, conditions_of, page, passes
from connectors.sandbox.meta_periods import days_asked, months_before, period
from connectors.sandbox.meta_selection import field_names
from connectors.sandbox.meta_session import Call, many
from connectors.sandbox.reports import Figures
from connectors.sandbox.tenants import AdObject
from connectors.sandbox.world import World

HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"
LEVELS = {"account": "account", "campaign": "campaign", "adset": "ad_set", "ad": "ad"}
ORDER = tuple(LEVELS.values())
LEVEL_WORDS = {kind: word for word, kind in LEVELS.items()}
MOST_ROWS = 50_000  # of one synchronous answer; more is "too much data"
KEPT_MONTHS, KEPT_MONTHS_HOURLY = 37, 13
REMEMBERED = 4
NAMES = ("id", "name")
FIGURES = ("spend", "impressions", "clicks")
ACTIONS = frozenset(["actions", "action_values", "purchase_roas", "website_purchase_roas"])


@dataclass(frozen=True)
class Line:
    """One row to be answered; `start` and `stop` are days of the account, both inclusive."""

    target: AdObject | None
    start: date
    stop: date
    hour: int | None
    figures: Figures


@dataclass(frozen=True)
class Question:
    """What an insights request asks for. `increment` is days per row, 0 for all in one, -1 for months."""

    names: tuple[str, ...]
    level: str
    days: tuple[date, date]
    increment: int
    is_hourly: bool
    windows: tuple[str, ...]
    conditions: str
    sort: tuple[str, int] | None


class Insights:
    """Answers questions; remembers the last few answers, since pages of one ask the same again and again."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], list[Line]] = {}

    def edge(self, call: Call) -> dict[str, Any]:
        question = asked(call)
        if most_rows(call, question) > MOST_ROWS:
            text = "Please reduce the amount of data you're asking for, then retry your request"
            raise MetaError(100, text, 1487534)
        found = self.lines(call, question)
        return page(call, range(len(found)), lambda k: body(call, question, found[k]))

    def lines(self, call: Call, question: Question) -> list[Line]:
        world = call.world
        moment: Any = world.now if not world.config.clock else int(time.monotonic() / 20)
        key = (call.target.id, replace(question, names=(), windows=()), world.market.hour, moment, len(world.ledger))
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = answer_lines(call, question)
        return self._known[key]


def asked(call: Call) -> Question:
    """Read an insights request. Raises MetaError for what Meta does not answer."""
    params = call.params
    names = field_names(params.get("fields", "")) or ["impressions", "spend"]
    for name in names:
        if name not in READERS and name not in ACTIONS:
            raise MetaError(100, f"(#100) {name} is not valid for fields param.")
    word = params.get("level", LEVEL_WORDS.get(kind_of(call.target), "account"))
    if word not in LEVELS:
        raise MetaError(100, "(#100) level must be one of account, campaign, adset, ad")
    if ORDER.index(LEVELS[word]) < ORDER.index(kind_of(call.target)):
        raise MetaError(100, f"(#100) level {word} is above the object that is asked")
    is_hourly = _is_hourly(params)
    days = days_asked(params, _today(call))
    months = KEPT_MONTHS_HOURLY if is_hourly else KEPT_MONTHS
    if days[0] < months_before(_today(call), months):
        raise MetaError(
            3018, f"The start date of the time range cannot be beyond {months} months from the current date"
        )
    conditions_of(params.get("filtering", "[]"))
    return Question(
        tuple(names),
        LEVELS[word],
        days,
        _increment(params),
        is_hourly,
        windows_of(params),
        params.get("filtering", "[]"),
        _sort(params),
    )


def _today(call: Call) -> date:
    return call.world.now.astimezone(call.world.zone(call.account)).date()


def _is_hourly(params: Mapping[str, str]) -> bool:
    names = many(params.get("breakdowns", "[]"))
    for name in names:
        if name != HOURLY:
            raise MetaError(100, f"(#100) breakdowns: {name} is not served by the sandbox")
    return bool(names)


def _increment(params: Mapping[str, str]) -> int:
    text = params.get("time_increment", "all_days")
    if text in ("all_days", "monthly"):
        return 0 if text == "all_days" else -1
    if re.fullmatch(r"[0-9]{1,2}", text) and 1 <= int(text) <= 90:
        return int(text)
    raise MetaError(100, "(#100) time_increment must be all_days, monthly or a number of days from 1 to 90")


def _sort(params: Mapping[str, str]) -> tuple[str, int] | None:
    for text in many(params.get("sort", "[]"))[:1]:
        name, _, order = str(text).rpartition("_")
        if name not in FIGURES or order not in ("ascending", "descending"):
            raise MetaError(100, f"(#100) sort is one of {', '.join(FIGURES)}, _ascending or _descending")
        return name, -1 if order == "descending" else 1
    return None


def most_rows(call: Call, question: Question) -> int:
    """How many rows the answer can have at most."""
    ad_sets = _ad_sets(call, question)
    children = call.world.children
    width = {
        "account": 1,
        "campaign": len({o.parent for o in ad_sets}),
        "ad_set": len(ad_sets),
        "ad": sum(len(children[o.id]) for o in ad_sets),
    }[question.level]
    first = max(question.days[0], call.account.created.astimezone(call.world.zone(call.account)).date())
    days = max((min(question.days[1], _today(call)) - first).days + 1, 0)
    periods = {0: 1, -1: days // 28 + 1}.get(question.increment) or -(-days // question.increment)
    return width * periods * (24 if question.is_hourly else 1)


def answer_lines(call: Call, question: Question) -> list[Line]:
    """All rows of the answer, in order of time unless sorted otherwise."""
    world, by_day = call.world, question.increment != 0
    found = reports.rows(
        world,
        call.account,
        _ad_sets(call, question),
        question.days,
        level=question.level,
        by_day=by_day,
        by_hour=question.is_hourly,
    )
    lines: dict[tuple[Any, ...], Line] = {}
    for row in found:
        start, stop = period(row.day, question.days, question.increment)
        key = (start, row.hour, row.target.id if row.target else "")
        known = lines.get(key)
        figures = known.figures + row.figures if known else row.figures
        lines[key] = Line(row.target, start, stop, row.hour, figures)
    only = call.target.id if kind_of(call.target) == "ad" else None
    conditions = conditions_of(question.conditions)
    kept = [line for line in lines.values() if _passes(world, line, conditions, question.level)]
    kept = [line for line in kept if only is None or (line.target and line.target.id == only)]
    if question.sort is not None:
        name, sign = question.sort
        kept.sort(key=lambda line: sign * getattr(line.figures, name))
    return kept


def _ad_sets(call: Call, question: Question) -> list[AdObject]:
    """The ad sets that the answer is made of, as far as conditions about ad sets and campaigns narrow it."""
    world, target = call.world, call.target
    found = world.account_objects(call.account.id, "ad_set")
    if isinstance(target, AdObject):
        found = [o for o in found if target.id in (o.id, o.parent) or target.parent == o.id]
    subjects = [c for c in conditions_of(question.conditions) if _subject(c, question.level) in ("campaign", "ad_set")]
    return [o for o in found if all(_meets(world, o, condition, question.level) for condition in subjects)]


def _subject(condition: Any, level: str) -> str:
    """What a condition is about: a kind of object, or "figures"."""
    field = str(condition.get("field", "")) if isinstance(condition, dict) else ""
    above, _, name = field.rpartition(".")
    if name in FIGURES:
        return "figures"
    return LEVELS.get(above, "ad_set" if level == "account" else level)


def _meets(world: World, ad_set: AdObject, condition: Any, level: str) -> bool:
    is_above = _subject(condition, level) == "campaign"
    return passes(world, world.objects[ad_set.parent] if is_above else ad_set, condition)


def _passes(world: World, line: Line, conditions: list[Any], level: str) -> bool:
    for condition in conditions:
        subject = _subject(condition, level)
        if subject == "figures":
            name = str(condition["field"]).rpartition(".")[2]
            held = getattr(line.figures, name)
            if not compare(held / 1e6 if name == "spend" else held, condition):
                return False
        elif subject == "ad" and (line.target is None or not passes(world, line.target, condition)):
            return False
    return True


def body(call: Call, question: Question, line: Line) -> dict[str, Any]:
    """The row as Meta writes it: all figures are texts, money in whole units of the currency."""
    told = {name: READERS[name](call, line) for name in question.names if name in READERS}
    if ACTIONS & set(question.names):
        windows, has_pixel = question.windows, not question.is_hourly
        acted = action_fields(call.account, line.figures, windows, with_pixel=has_pixel)
        told |= {name: acted.get(name) for name in question.names if name in ACTIONS}
    told = {name: told[name] for name in question.names if told.get(name) is not None}
    told["date_start"], told["date_stop"] = line.start.isoformat(), line.stop.isoformat()
    if line.hour is not None:
        told[HOURLY] = f"{line.hour:02d}:00:00 - {line.hour:02d}:59:59"
    return told


Reader = Callable[[Call, Line], Any]


def _held(kind: str, name: str) -> Reader:
    """A field of the row's object of this kind, or of the one of this kind above it."""

    def read(call: Call, line: Line) -> Any:
        thing = line.target
        while thing is not None and thing.kind != kind:
            thing = call.world.objects.get(thing.parent)
        return None if thing is None else value(call.world, thing, name)

    return read


def _own(name: str) -> Reader:
    return lambda call, line: None if line.target is None else value(call.world, line.target, name)


READERS: dict[str, Reader] = {
    "account_id": lambda call, line: call.account.id.removeprefix("act_"),
    "account_name": lambda call, line: call.account.name,
    "account_currency": lambda call, line: call.account.currency,
    "attribution_setting": lambda call, line: "7d_click_1d_view",
    "date_start": lambda call, line: line.start.isoformat(),
    "date_stop": lambda call, line: line.stop.isoformat(),
    "created_time": _own("created_time"),
    "updated_time": _own("updated_time"),
    **{f"{word}_{name}": _held(kind, name) for word, kind in LEVELS.items() if word != "account" for name in NAMES},
    "objective": _held("campaign", "objective"),
    "buying_type": _held("campaign", "buying_type"),
    "optimization_goal": _held("ad_set", "optimization_goal"),
    "spend": lambda call, line: decimal_text(line.figures.spend, call.account.currency),
    "impressions": lambda call, line: str(line.figures.impressions),
    "clicks": lambda call, line: str(line.figures.clicks),
    "inline_link_clicks": lambda call, line: str(line.figures.clicks),
    "ctr": lambda call, line: ratio(line.figures.clicks * 100, line.figures.impressions),
    "inline_link_click_ctr": lambda call, line: ratio(line.figures.clicks * 100, line.figures.impressions),
    "cpc": lambda call, line: ratio(line.figures.spend, line.figures.clicks * 1_000_000),
    "cost_per_inline_link_click": lambda call, line: ratio(line.figures.spend, line.figures.clicks * 1_000_000),
    "cpm": lambda call, line: ratio(line.figures.spend, line.figures.impressions * 1000),
}

"""Many reads in one round trip (graph-api batch requests): each counts for the rate limits, none waits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from connectors.contracts import Platform
from connectors.errors import NotFoundError, TransientError
from connectors.fields import Row, malformed
from connectors.meta.errors import judge_read
from connectors.meta.graph import Graph
from connectors.meta.jobs import Pause
from connectors.replies import Reply

MOST = 50
ROUNDS = 4
PAUSE = 1.0


def read(graph: Graph, questions: Sequence[str], *, pause: Pause) -> list[Row | None]:
    """The answer to each path and query, `None` for what is not found.

    Meta leaves an entry null, or fails it alone, when it had no time for it: those are asked again.
    """
    found: dict[int, Row | None] = {}
    waiting = list(range(len(questions)))
    for attempt in range(ROUNDS):
        if attempt and waiting:
            pause(PAUSE * attempt)
        for start in range(0, len(waiting), MOST):
            chosen = waiting[start : start + MOST]
            answers = _ask(graph, [questions[place] for place in chosen])
            for place, answer in zip(chosen, answers, strict=True):
                with suppress(TransientError):
                    found[place] = _judged(answer)
        waiting = [place for place in waiting if place not in found]
    if waiting:
        raise TransientError(f"meta: {len(waiting)} parts of a batch stay unanswered", platform=Platform.META)
    return [found[place] for place in range(len(questions))]


def _judged(answer: Reply | None) -> Row | None:
    """One part, judged like an answer of its own."""
    if answer is None:
        raise TransientError("meta: no answer in the batch", platform=Platform.META)
    try:
        return judge_read(answer)
    except NotFoundError:
        return None


def _ask(graph: Graph, questions: list[str]) -> list[Reply | None]:
    parts = json.dumps([{"method": "GET", "relative_url": question} for question in questions])
    answers: list[Reply | None] = graph.ask("", {"batch": parts}, judge=_parts, calls=len(questions))
    if len(answers) != len(questions):
        raise malformed("batch", f"{len(answers)} answers to {len(questions)} questions")
    return answers


def _parts(reply: Reply) -> list[Reply | None]:
    """The answers inside an answer; their own headers stand before those of the whole."""
    try:
        answers = json.loads(reply.body.decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        answers = None
    if reply.status != 200 or not isinstance(answers, list):
        raise malformed("batch", judge_read(reply))
    return [None if answer is None else _part(reply, answer) for answer in answers]


def _part(whole: Reply, answer: Any) -> Reply:
    told = answer if isinstance(answer, dict) else {}
    code, body, named = told.get("code"), told.get("body"), told.get("headers") or []
    if not isinstance(code, int) or not isinstance(body, str) or not isinstance(named, list):
        raise malformed("batch", answer)
    headers = whole.headers.copy()
    headers.update([(_raw(h.get("name")), _raw(h.get("value"))) for h in named if isinstance(h, dict)])
    return Reply(code, headers, body.encode(errors="replace"))


def _raw(text: object) -> bytes:
    return str(text).encode("ascii", "replace")

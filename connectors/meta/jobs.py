"""Meta's asynchronous reports: asked for, waited for, then read like a listing (marketing-api/insights).

Starting one changes nothing on the platform, so it may be repeated like a read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from connectors.contracts import Platform
from connectors.errors import NotFoundError, TransientError
from connectors.fields import Row, count, identifier, text
from connectors.meta.errors import TOO_MUCH_DATA, TooMuchDataError
from connectors.meta.graph import Graph, digits

COMPLETED = "Job Completed"
IN_VAIN = ("Job Failed", "Job Skipped")
ATTEMPTS = 2
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
START_WITHIN, FINISH_WITHIN = 300.0, 1_800.0

Pause = Callable[[float], None]


def report(graph: Graph, edge: str, params: dict[str, str], *, page_size: int, pause: Pause) -> Iterator[Row]:
    """The rows of a report that Meta makes in its own time.

    Raises `TooMuchDataError` when it is too large, `TransientError` when it fails twice or does not finish.
    """
    for _ in range(ATTEMPTS):
        run = digits(identifier(graph.ask(edge, params), "report_run_id"))
        if _completes(graph, run, pause):
            return graph.listed(f"{run}/insights", page_size=page_size)
    raise TransientError("meta: the report failed, and so did its repetition", platform=Platform.META)


def _completes(graph: Graph, run: str, pause: Pause) -> bool:
    """Wait for the run with growing pauses: true once it is completed whole, false when it failed."""
    waited, step = 0.0, FIRST_PAUSE
    while True:
        state = _state(graph, run, is_new=not waited)
        status, percent = text(state, "async_status"), count(state, "async_percent_completion") or 0
        if status == COMPLETED and percent == 100:
            return True
        if status in IN_VAIN:
            if (state.get("error_code"), state.get("error_subcode")) == TOO_MUCH_DATA:
                raise TooMuchDataError("meta: the report is too large", platform=Platform.META)
            return False
        if waited >= (FINISH_WITHIN if percent else START_WITHIN):
            message = f"meta: the report stands at {percent} % after {waited:.0f} seconds"
            raise TransientError(message, platform=Platform.META)
        pause(step)
        waited, step = waited + step, min(2 * step, LONGEST_PAUSE)


def _state(graph: Graph, run: str, *, is_new: bool) -> dict[str, Any]:
    """The run as Meta tells it; a new one may not be found yet."""
    try:
        return graph.get(run)
    except NotFoundError:
        if is_new:
            return {}
        raise

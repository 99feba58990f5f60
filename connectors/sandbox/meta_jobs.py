"""Meta's report jobs: a POST to an insights edge starts one, polling moves it on, its result is paged.

A job goes through the statuses of `STEPS`, one per poll. Jobs live in memory and take no market time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.meta_errors import MetaError, no_such_object
from connectors.sandbox.meta_insights import Line, Question, answer_lines, asked, body
from connectors.sandbox.meta_lists import page
from connectors.sandbox.meta_selection import field_names
from connectors.sandbox.meta_session import Call

DONE = ("Job Completed", 100)
FAILED = ("Job Failed", 0)
STEPS = (("Job Not Started", 0), ("Job Started", 0), ("Job Running", 55))
FAILURE = {
    "error_code": 2,
    "error_subcode": 1504018,
    "error_message": "The report could not be made. Please ask for less data, or retry later.",
    "error_user_title": "The report failed",
    "error_user_msg": "The report could not be made. Please ask for less data, or retry later.",
}
FIRST_ID = 6_080_000_000_000_001
MOST_JOBS = 200


@dataclass
class Job:
    """`hides` once and `fails` are faults on order."""

    id: str
    call: Call
    question: Question
    hides: bool = False
    fails: bool = False
    polls: int = 0
    is_answered: bool = False
    found: list[Line] = field(default_factory=list)

    @property
    def status(self) -> tuple[str, int]:
        if self.polls <= len(STEPS):
            return STEPS[max(self.polls - 1, 0)]
        return FAILED if self.fails else DONE


class Jobs:
    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._started = 0

    def start(self, call: Call, *, hides: bool = False, fails: bool = False) -> dict[str, str]:
        job = Job(str(FIRST_ID + self._started), call, asked(call), hides, fails)
        self._started += 1
        if len(self._jobs) >= MOST_JOBS:
            del self._jobs[next(iter(self._jobs))]
        self._jobs[job.id] = job
        return {"report_run_id": job.id}

    def find(self, node: str) -> Job | None:
        return self._jobs.get(node)


def poll(job: Job, fields: str) -> dict[str, Any]:
    """The job as it stands after one step more. Its figures are those of the moment when it completes."""
    if job.hides:
        job.hides = False
        raise no_such_object(job.id)
    job.polls += 1
    status, percent = job.status
    if (status, percent) == DONE and not job.is_answered:
        status, percent = _complete(job)
    first, last = job.question.days
    every = {
        "id": job.id,
        "account_id": job.call.account.id.removeprefix("act_"),
        "async_status": status,
        "async_percent_completion": percent,
        "is_running": (status, percent) not in (DONE, FAILED),
        "date_start": first.isoformat(),
        "date_stop": last.isoformat(),
        **(FAILURE if (status, percent) == FAILED else {}),
    }
    names = field_names(fields)
    for name in names:
        if name not in every and name not in FAILURE:
            raise MetaError(100, f"(#100) Tried accessing nonexisting field ({name}) on node type (AdReportRun)")
    return {name: known for name, known in every.items() if not names or name in (*names, "id")}


def _complete(job: Job) -> tuple[str, int]:
    """Work the answer out; a question that turns out to have none fails the job."""
    try:
        job.found, job.is_answered = answer_lines(job.call, job.question), True
    except MetaError:
        job.fails = True
    return job.status


def result(job: Job, call: Call) -> dict[str, Any]:
    """A page of a completed job's rows; `call` says which page."""
    if job.status != DONE:
        raise MetaError(2601, "Error accessing adreport job.", 1815107, transient=job.status != FAILED)
    return page(call, range(len(job.found)), lambda k: body(job.call, job.question, job.found[k]))

"""TikTok's asynchronous reports: a task is created, checked until it is done, and its table downloaded as CSV.

Each check moves a task one step on (`QUEUING`, `PROCESSING`, then `SUCCESS`, or `FAILED` when the table would be too
large), so the same calls give the same answers. Any span of days may be asked for. Tasks live in memory.
Sources: the documents of `/report/task/create/`, `/report/task/check/` and `/report/task/download/`.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.sandbox import tiktok_reports
from connectors.sandbox.answers import Request, Response
from connectors.sandbox.tenants import Account
from connectors.sandbox.tiktok_reports import Query
from connectors.sandbox.tiktok_terms import Outcome, TikTokError
from connectors.sandbox.world import World

STEPS = ("QUEUING", "PROCESSING")
ROWS_AT_MOST = 500_000
FORMATS = ("CSV_STRING", "CSV_DOWNLOAD")
FILE_PATH = "/open_api/v1.3/report/task/file/"


@dataclass
class Task:
    """`checks` counts how often somebody has asked; `table` is there once the task has ended well."""

    account: Account
    query: Query
    output_format: str
    file_name: str
    key: str
    checks: int = 0
    is_cancelled: bool = False
    table: str | None = None


Tasks = dict[str, Task]


def create(tasks: Tasks, account: Account, body: dict[str, Any]) -> Outcome:
    query = tiktok_reports.read(body, is_limited=False)
    output_format = body.get("output_format") or "CSV_STRING"
    if output_format not in FORMATS:
        raise TikTokError(40002, "output_format: the sandbox writes CSV.")
    identity = str(7_600_000_000_000_000_001 + len(tasks))
    name = body.get("file_name")
    file_name = f"{name if isinstance(name, str) and name.isidentifier() else 'report'}.csv"
    key = hashlib.sha256(f"{account.token}/{identity}".encode()).hexdigest()
    tasks[identity] = Task(account, query, str(output_format), file_name, key)
    return Outcome({"task_id": identity})


def check(tasks: Tasks, world: World, account: Account, params: Mapping[str, str]) -> Outcome:
    task = _task(tasks, account, params)
    if task.is_cancelled:
        return Outcome({"status": "CANCELED"})
    step, task.checks = task.checks, task.checks + 1
    if step < len(STEPS):
        return Outcome({"status": STEPS[step]})
    task.table = task.table or _table(world, task)
    if task.table is None:
        return Outcome({"status": "FAILED", "message": f"More than {ROWS_AT_MOST} rows: narrow the query."})
    return Outcome({"status": "SUCCESS"})


def cancel(tasks: Tasks, account: Account, body: dict[str, Any]) -> Outcome:
    task = _task(tasks, account, body)
    if task.table is not None:
        raise TikTokError(40200, "The task has ended.")
    task.is_cancelled = True
    return Outcome({})


def download(tasks: Tasks, account: Account, request: Request) -> Outcome | Response:
    """The table itself, or, for CSV_DOWNLOAD, where it is: an address that needs no token."""
    task = _task(tasks, account, request.args)
    if task.table is None:
        raise TikTokError(40201, "The task is not ready.")
    if task.output_format == "CSV_STRING":
        return _csv(task.table)
    address = f"{request.host_url.rstrip('/')}{FILE_PATH}?task_id={request.args['task_id']}&sign={task.key}"
    return Outcome({"output_format": task.output_format, "file_name": task.file_name, "download_url": address})


def file(tasks: Tasks, request: Request) -> Response:
    """What a download address leads to. Raises TikTokError for a wrong one."""
    task = tasks.get(request.args.get("task_id", ""))
    if task is None or task.table is None or task.key != request.args.get("sign"):
        raise TikTokError(40905, "The file does not exist.")
    return _csv(task.table)


def _task(tasks: Tasks, account: Account, params: Mapping[str, Any]) -> Task:
    task = tasks.get(str(params.get("task_id", "")))
    if task is None or task.account.id != account.id:
        raise TikTokError(40007, "task_id: the task does not exist.")
    return task


def _table(world: World, task: Task) -> str | None:
    found = tiktok_reports.rows(world, task.account, task.query)
    if len(found) > ROWS_AT_MOST:
        return None
    told = [tiktok_reports.told(world, task.account, task.query, row) for row in found]
    dimensions = [name for name in (task.query.id_name, task.query.time_name) if name]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*dimensions, *task.query.metrics])
    for row in told:
        writer.writerow(
            [*(row["dimensions"][name] for name in dimensions), *(row["metrics"][m] for m in task.query.metrics)]
        )
    return text.getvalue()


def _csv(text: str) -> Response:
    return Response(text, mimetype="text/csv")

"""Waking a worker. The queue is only a wake-up call: the rows are the truth, and a sweep re-wakes."""

from __future__ import annotations

from django_q.tasks import async_task

from automation.models import Action


def wake_dispatch(action: Action) -> None:
    """Ask a worker to dispatch; call it inside the transaction that approves, so both happen or neither."""
    async_task("automation.tasks.dispatch", str(action.pk), task_name=f"dispatch {action.pk}")

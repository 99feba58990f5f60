"""What workers run. Thin: parse, call, report; every task may be delivered twice."""

from __future__ import annotations

from django_q.tasks import async_task

from accounts.clock import wall_now
from accounts.hours import newest_closed_slot, parse_slot
from accounts.models import Tenant
from accounts.scoping import all_tenants, tenant_scope
from automation import cycle, reconcile
from automation import dispatch as dispatching


def dispatch(action_id: str) -> str:
    action = dispatching.dispatch(action_id)
    return action.state if action else "nothing to do"


def sweep() -> None:
    reconcile.sweep()


def run_hour(tenant_id: str, slot: str) -> str:
    """One hour of one tenant; `slot` is ISO text."""
    with all_tenants():
        tenant = Tenant.objects.get(pk=tenant_id, is_active=True)
    with tenant_scope(tenant):
        report = cycle.run_hour(tenant, parse_slot(slot))
    return f"{len(report.actions)} actions, {len(report.pulled.problems)} problems"


def run_newest_hour() -> int:
    """Wake one task per active tenant for the newest closed hour by the wall clock."""
    slot = newest_closed_slot(wall_now())
    with all_tenants():
        ids = list(Tenant.objects.filter(is_active=True).values_list("pk", flat=True))
    for tenant_id in ids:
        async_task("automation.tasks.run_hour", str(tenant_id), slot.isoformat(), task_name=f"hour {slot:%H:00}")
    return len(ids)

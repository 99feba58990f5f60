"""What an hour came to, as a table, and whether the sandbox's own ledger agrees with our log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count, Sum
from rich.table import Table

from accounts.models import Tenant
from accounts.money import money_text
from automation.models import Action, ProposalRecord, Verdict
from automation.states import State
from metrics.accounting import REVENUE
from metrics.models import HourlyMetric, Order, OrderEdit, Refund, Reward, SyncedHour


def summary_table(tenant: Tenant, start: datetime, ledger: Iterable[dict[str, Any]]) -> Table:
    """Figures since `start`, and every action that there is."""
    span = {"tenant": tenant, "hour__gte": start}
    of_revenue = Order.objects.filter(REVENUE, tenant=tenant)
    orders = of_revenue.filter(ordered_at__gte=start)
    refunds = Refund.objects.filter(order__in=of_revenue, refunded_at__gte=start)
    edits = OrderEdit.objects.filter(order__in=of_revenue, edited_at__gte=start)
    writes = applied_writes(ledger)
    rows = [
        ("Account hours synced", str(SyncedHour.objects.filter(**span).count())),
        ("Orders", str(orders.count())),
        ("Spend", _money(HourlyMetric.objects.filter(**span), "spend_micros", tenant)),
        ("Revenue", _money(orders, "total_micros", tenant)),
        ("Order edits", _money(edits, "amount_micros", tenant)),
        ("Refunds", _money(refunds, "amount_micros", tenant)),
        ("Profit of attributed orders", _money(Reward.objects.filter(**span), "profit_micros", tenant)),
        ("Proposals", str(ProposalRecord.objects.filter(tenant=tenant).count())),
        ("Verdicts", counted(Verdict.objects.filter(tenant=tenant), "outcome")),
        ("Actions by state", counted(Action.objects.filter(tenant=tenant), "state")),
        ("Writes verified", f"{len(verified(tenant))} (the platforms' ledger holds {len(writes)})"),
    ]
    table = Table(title=f"{tenant.name}, since {start:%Y-%m-%d %H:00} UTC", title_justify="left", show_header=False)
    for row in rows:
        table.add_row(*row)
    return table


def _money(rows: Any, field: str, tenant: Tenant) -> str:
    return money_text(rows.aggregate(total=Sum(field))["total"], tenant.currency)


def counted(rows: Any, field: str) -> str:
    counts = rows.order_by().values_list(field).annotate(Count("pk"))
    return ", ".join(f"{name} {count}" for name, count in sorted(counts)) or "none"


def applied_writes(ledger: Iterable[dict[str, Any]]) -> Counter[str]:
    """External id of the object to accepted API writes."""
    return Counter(row["object_id"] for row in ledger if row["result"] == "applied" and row["actor"] == "api")


def verified(tenant: Tenant) -> Counter[str]:
    """External id of the ad set to writes that the log calls applied, undone ones included."""
    states = (State.APPLIED, State.ROLLED_BACK)
    rows = Action.objects.filter(tenant=tenant, state__in=states)
    return Counter(rows.values_list("ad_set__external_id", flat=True))


def disagreement(tenant: Tenant, ledger: Iterable[dict[str, Any]]) -> str:
    """Where ledger and log differ, in one line; empty when they agree exactly."""
    outside, inside = applied_writes(ledger), verified(tenant)
    extra, missing = outside - inside, inside - outside
    return "; ".join(
        f"{name}: {dict(found)}"
        for name, found in (("written but not in the log", extra), ("in the log but not written", missing))
        if found
    )

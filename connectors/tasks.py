"""What workers run for connections. Thin; every task may be delivered twice."""

from __future__ import annotations

from accounts.scoping import all_tenants
from connectors import renewal, webhooks
from connectors.logins import purge_logins


def refresh_logins() -> str:
    with all_tenants():
        purged = purge_logins()
    renewed = renewal.refresh_logins()
    subscribe_stores()
    return f"{renewed} renewed, {purged} old logins forgotten"


def subscribe_stores() -> int:
    return webhooks.subscribe_stores()

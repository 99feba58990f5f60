"""What workers run for connections. Thin; every task may be delivered twice."""

from __future__ import annotations

from accounts.scoping import all_tenants
from connectors import renewal
from connectors.logins import purge_logins


def refresh_logins() -> str:
    with all_tenants():
        purged = purge_logins()
    return f"{renewal.refresh_logins()} renewed, {purged} old logins forgotten"

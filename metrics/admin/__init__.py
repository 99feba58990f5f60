"""Admin pages of what happened."""

from metrics.admin import backfills, hours, marketplace, orders

__all__ = ["backfills", "hours", "marketplace", "orders"]

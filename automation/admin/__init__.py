"""Admin pages of automation: what was decided, the limits, approvals, and the kill switch."""

from automation.admin import actions, limits, records, switches

__all__ = ["actions", "limits", "records", "switches"]
